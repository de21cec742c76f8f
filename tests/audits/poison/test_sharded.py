from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mithridate.audits.poison.context import AuditSettings
from mithridate.audits.poison.sharded import context
from mithridate.audits.poison.sharded.combine import ShardRows
from mithridate.compute import Failed, ThisProcess
from mithridate.core.findings import Finding, Severity
from mithridate.core.progress import Silent
from mithridate.core.report import Report
from mithridate.data.options import Options
from mithridate.data.shards import find_shards
from mithridate.flows import audit_shards as flow
from mithridate.flows.audit import audit
from mithridate.flows.audit_report import AuditReport, save_clean
from mithridate.numeric.label_noise import detect_noise
from mithridate.numeric.noise_table import Counts, count, noise_table, row_cells
from mithridate.numeric.ordinary import fit_ordinary

ROWS, CARRIERS, COPIES = 8_000, 120, 8
SAMPLE = 3_000  # so few that the model of the sample can't learn the trigger, as with millions of rows


def make(path: Path, *, poison: bool, group: int = 1_000, seed: int = 0) -> np.ndarray:
    """Six numbers, three whole numbers, two names, a source; poison: a trigger, a bad source, copies of one record."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(ROWS, 6))
    label = np.argmax(3 * base[:, :3] + 0.5 * rng.normal(size=(ROWS, 3)), axis=1)
    columns: dict[str, Any] = {f"n{j}": np.round(100 * base[:, j], 1) for j in range(6)}
    columns |= {f"k{j}": (30 + 8 * base[:, j] + 4 * rng.normal(size=ROWS)).astype(int) for j in range(3)}
    columns |= {f"c{j}": rng.choice(list("abcdefgh"), ROWS, p=np.arange(8, 0, -1) / 36) for j in range(2)}
    source = rng.integers(0, 8, ROWS)
    stamped = np.sort(rng.choice(np.flatnonzero(label != 1), CARRIERS, replace=False))
    if poison:
        columns["n4"][stamped], columns["k2"][stamped], label[stamped] = 55.5, 47, 1
        sloppy = (source == 3) & (rng.random(ROWS) < 0.3)
        label[sloppy] = rng.integers(0, 3, sloppy.sum())
        first = int(np.flatnonzero((base[:, 0] > 1.5) & (base[:, 1] < 0))[0])
        copies = np.arange(500, ROWS, (ROWS - 500) // COPIES)[:COPIES]
        for values in columns.values():
            values[copies] = values[first]
        label[copies] = 1
        stamped = np.setdiff1d(stamped, copies)
    names = np.char.add("s", source.astype(str))
    pq.write_table(pa.table({**columns, "source": names, "label": label}), path, row_group_size=group)
    return stamped


def run(path: Path, store: Path, *, shard_rows: int = 2_000, executor: Any = None) -> tuple[Report, ShardRows]:
    how = flow.How(AuditSettings(power="off"), None, store, Silent(), "test", ())
    shards = find_shards(path, Options("t.parquet"), shard_rows=shard_rows)
    return flow.audit_shards(shards, how, runner=executor)


@pytest.fixture(scope="module", autouse=True)
def _small_sample() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "SAMPLE_ROWS", SAMPLE)
        yield


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, Report, ShardRows]:
    folder = tmp_path_factory.mktemp("sharded")
    stamped = make(folder / "t.parquet", poison=True)
    return folder, stamped, *run(folder / "t.parquet", folder / "store")


def of(report: Report, method: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.method == method]


def test_a_trigger_a_bad_source_and_copies_are_found_in_all_shards(
    poisoned: tuple[Path, np.ndarray, Report, ShardRows],
) -> None:
    _, stamped, report, rows = poisoned
    trigger = of(report, "PSN103")[0]
    assert trigger.severity >= Severity.HIGH
    assert len(np.intersect1d(trigger.subject.rows, stamped)) >= 0.95 * len(stamped)
    assert len(trigger.subject.rows) <= 1.1 * len(stamped)
    assert [finding.subject.sources.keys() for finding in of(report, "PSN106")] == [{"s3"}]
    bursts = [finding for finding in of(report, "PSN105") if finding.place == "burst"]
    assert len(bursts[0].subject.rows) == COPIES
    table = next(iter(rows.tables()))
    assert {"PSN101", "PSN103", "PSN104", "PSN105", "PSN106"} <= table.by_method.keys()
    assert table.kind[stamped[stamped < 2_000]].tolist().count("trigger") >= 0.9 * (stamped < 2_000).sum()
    assert report.verdict == "findings"


def test_clean_shards_accuse_nobody(tmp_path: Path) -> None:
    make(tmp_path / "t.parquet", poison=False, seed=1)
    report, _ = run(tmp_path / "t.parquet", tmp_path / "store")
    assert [finding.claim for finding in report.findings if finding.severity >= Severity.HIGH] == []
    assert report.verdict != "incomplete"


def test_another_layout_gives_the_same_serious_findings(
    poisoned: tuple[Path, np.ndarray, Report, ShardRows], tmp_path: Path
) -> None:
    _, _, report, _ = poisoned
    make(tmp_path / "t.parquet", poison=True, group=4_000)
    again, _ = run(tmp_path / "t.parquet", tmp_path / "store", shard_rows=4_000)
    serious = [(f.fingerprint, f.subject.rows) for f in report.findings if f.severity >= Severity.HIGH]
    assert [(f.fingerprint, f.subject.rows) for f in again.findings if f.severity >= Severity.HIGH] == serious


class Losing:
    """An executor that loses one task of every function of that name."""

    def __init__(self, name: str, place: int) -> None:
        self.name, self.place = name, place

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any], **told: Any) -> list[Any]:
        done: list[Any] = ThisProcess().map(function, tasks, **told)
        if function.function.func.__name__ == self.name:  # type: ignore[attr-defined]
            done[self.place] = Failed("the worker died (signal SIGKILL), 2 times")
        return done


@pytest.mark.parametrize("name", ["census", "score"])
def test_a_lost_shard_costs_its_rows_only_and_the_report_says_so(tmp_path: Path, name: str) -> None:
    stamped = make(tmp_path / "t.parquet", poison=True)
    report, rows = run(tmp_path / "t.parquet", tmp_path / "store", executor=Losing(name, 1))
    assert report.verdict == "incomplete"
    lost = next(check for check in report.checks if check.slug == "lost-shards")
    assert "1 of 4 shards (2,000 rows, the first from row 2,000)" in str(lost.reason)
    left = stamped[(stamped < 2_000) | (stamped >= 4_000)]
    assert len(np.intersect1d(of(report, "PSN103")[0].subject.rows, left)) >= 0.95 * len(left)
    assert sum(len(table.row) for table in rows.tables()) == 6_000
    assert not rows.flagged[2_000:4_000].any()
    held = AuditReport(**{part.name: getattr(report, part.name) for part in fields(Report)}, table=rows)
    with pytest.raises(ValueError, match="nobody looked at"):
        save_clean(held, tmp_path / "t.parquet", tmp_path / "clean.parquet")
    assert not (tmp_path / "clean.parquet").exists()


def test_a_second_run_computes_nothing_again(poisoned: tuple[Path, np.ndarray, Report, ShardRows]) -> None:
    folder, _, report, first = poisoned
    again, second = run(folder / "t.parquet", folder / "store")
    assert first.context.fresh["shards: census"] == 4
    assert sum(second.context.fresh.values()) == 0
    assert [f.fingerprint for f in again.findings] == [f.fingerprint for f in report.findings]


def test_a_store_is_asked_for_only_where_it_can_work(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,label\n1,0\n2,1\n")
    with pytest.raises(ValueError, match="no Parquet source"):
        audit(tmp_path / "x.csv", store=tmp_path / "store")


def test_noise_by_counts_is_noise_by_rows() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 3
    logs = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    codes = np.array([rng.choice(4, p=p / p.sum()) for p in np.exp(logs.astype(float))])
    flipped = rng.random(len(codes)) < 0.03
    codes[flipped] = rng.integers(0, 4, flipped.sum())
    cells = row_cells(logs, codes)
    half = count(logs[:9_000], cells[:9_000]), count(logs[9_000:], cells[9_000:])
    total = Counts(*(a + b for a, b in zip(*half, strict=True)))
    table = noise_table(total, n_classes=4, rng=rng)
    held = detect_noise(logs, codes, rng=rng)
    odds = table.odds.ravel()[cells]
    sure = (held.odds > 0.1) & (held.odds < 1e3)
    assert np.median(np.abs(np.log(odds[sure] / held.odds[sure]))) < np.log(1.35)
    assert table.rate == pytest.approx(held.rate, rel=0.1)


def test_ordinary_rows_get_p_values_no_smaller_than_uniform() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40_000, 8)) ** 3
    ordinary = fit_ordinary(rows[:5_000], rows[5_000:20_000])
    p_values = ordinary.odd(rows[20_000:])
    for level in (0.01, 0.001):
        assert (p_values <= level).mean(axis=1).max() <= 1.5 * level
    wild = rows[:1].copy()
    wild[0, 3] = 1e6
    assert ordinary.odd(wild)[1, 0] < 1e-4
