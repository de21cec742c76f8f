"""Rows that changed since their manifest are named, exactly, in memory and by shards; unchanged ones never are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mithridate
from mithridate.core.errors import InputError
from mithridate.data.building import build
from mithridate.data.records import records
from mithridate.flows.audit_report import AuditReport

N = 900


def table(seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    label = np.arange(N) % 2
    columns = {f"f{i}": rng.normal(size=N) + 2 * label for i in range(4)}
    return pa.table({**columns, "word": rng.choice(["a", "b"], N), "label": label, "source": rng.choice(["p", "q"], N)})


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    pq.write_table(table(), tmp_path / "clean.parquet", row_group_size=300)
    build(records(tmp_path / "clean.parquet"), tmp_path / "M")
    return tmp_path / "clean.parquet"


def split_view(clean: Path, rows: list[int]) -> Path:
    """A copy in which these rows' content was swapped for other content after the manifest was built."""
    words = np.array(table()["word"].to_pylist(), dtype=object)
    words[rows] = "c"
    pq.write_table(table().set_column(4, "word", pa.array(words)), clean.with_name("later.parquet"), row_group_size=300)
    return clean.with_name("later.parquet")


def audit(source: Path, **options: object) -> AuditReport:
    manifest = source.with_name("M")
    return mithridate.audit(str(source), manifest=manifest, power="off", methods=["PSN114"], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("by_shards", [False, True])
def test_rows_that_changed_since_are_named_and_flagged(*, by_shards: bool, clean: Path, tmp_path: Path) -> None:
    bad = [5, 310, 899]
    report = audit(split_view(clean, bad), **({"store": tmp_path / "store"} if by_shards else {}))
    (finding,) = report.findings
    assert (list(finding.subject.rows), finding.severity.word) == (bad, "high")
    assert sum(finding.subject.sources.values()) == 3
    scores = report.rows().to_pydict()
    assert [row for row, flag in zip(scores["row"], scores["flagged"], strict=True) if flag] == bad
    assert report.number("expected_false_flags").data["value"] == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("by_shards", [False, True])
def test_rows_that_are_what_was_recorded_are_never_named(*, by_shards: bool, clean: Path, tmp_path: Path) -> None:
    report = audit(clean, **({"store": tmp_path / "store"} if by_shards else {}))
    assert (report.findings, report.verdict) == ((), "clean")
    assert not any(report.rows().to_pydict()["flagged"])


def test_rows_in_memory_or_of_other_columns_are_refused_in_one_line(clean: Path) -> None:
    with pytest.raises(InputError, match="path"):
        mithridate.audit(table().to_pandas(), manifest=clean.with_name("M"))
    pq.write_table(table().drop_columns("source"), clean.with_name("bare.parquet"))
    with pytest.raises(InputError, match="no source"):
        audit(clean.with_name("bare.parquet"))


def test_a_dropped_row_is_a_row_of_the_manifest_and_never_one_of_the_data(clean: Path) -> None:
    pq.write_table(table().slice(0, N - 1), clean.with_name("less.parquet"))
    (finding,) = audit(clean.with_name("less.parquet")).findings
    assert (finding.subject.kind, finding.subject.rows) == ("manifest-rows", (N - 1,))
    assert "--clean" not in finding.remedy


def test_a_column_that_the_manifest_does_not_know_is_a_finding_of_its_own(clean: Path) -> None:
    more = table().append_column("answer", pa.array(["x"] * N))
    pq.write_table(more, clean.with_name("more.parquet"))
    (finding,) = audit(clean.with_name("more.parquet")).findings
    assert (finding.severity.word, finding.subject.extra["columns"]) == ("medium", ["answer"])
