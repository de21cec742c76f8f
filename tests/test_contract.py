"""What every method of the catalogue owes its user, whatever it looks for."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import mithridate
from mithridate.catalogue import FAMILIES, METHODS, find
from mithridate.core.errors import Error
from mithridate.core.pages import page
from mithridate.core.standards import STANDARDS
from mithridate.data.dataset import Dataset
from mithridate.flows import open as open_flow
from mithridate.flows import sign
from mithridate.flows.audit_report import AuditReport

N_ROWS = 600


def images(n_rows: int = N_ROWS, seed: int = 0) -> Dataset:
    """Blobs: each class is bright in a place of its own, with noise."""
    rng = np.random.default_rng(seed)
    codes = (np.arange(n_rows) % 3).astype(np.int32)
    content = rng.integers(0, 60, (n_rows, 12, 12, 1)).astype(np.uint8)
    for code in range(3):
        content[codes == code, 3 * code : 3 * code + 4, 2:10] += rng.integers(60, 190, dtype=np.uint8)
    return Dataset(
        "images", "image", content, codes, (0, 1, 2), (np.arange(n_rows) % 4).astype(np.int32), tuple("abcd")
    )


def tables(n_rows: int = N_ROWS, seed: int = 0) -> Dataset:
    """Three numeric columns and one of words; the label follows two of them."""
    rng = np.random.default_rng(seed)
    age, hours = rng.integers(18, 80, n_rows), rng.integers(1, 60, n_rows)
    word = rng.choice(["red", "green", "blue"], n_rows)
    codes = (age + hours + 8 * (word == "red") + rng.normal(0, 4, n_rows) > 80).astype(np.int32)
    return Dataset("table", "table", pa.table({"age": age, "hours": hours, "word": word}), codes, ("no", "yes"))


def texts(n_rows: int = N_ROWS, seed: int = 0) -> Dataset:
    """Two topics with words of their own and many in common."""
    rng = np.random.default_rng(seed)
    codes = (np.arange(n_rows) % 2).astype(np.int32)
    common, own = [f"w{i}" for i in range(60)], [[f"t{c}x{i}" for i in range(25)] for c in range(2)]
    lines = [" ".join([*rng.choice(common, 12), *rng.choice(own[code], 8)]) for code in codes]
    return Dataset("text", "text", np.array(lines, dtype=object), codes, ("ham", "spam"))


def embeddings(n_rows: int = N_ROWS, seed: int = 0) -> Dataset:
    """Three Gaussian clouds."""
    rng = np.random.default_rng(seed)
    codes = (np.arange(n_rows) % 3).astype(np.int32)
    content = rng.normal(size=(n_rows, 8)).astype(np.float32) + 3 * np.eye(3, 8, dtype=np.float32)[codes]
    return Dataset("embedding", "embedding", content, codes, ("a", "b", "c"))


MAKERS: dict[str, Callable[..., Dataset]] = {"image": images, "table": tables, "text": texts, "embedding": embeddings}
KINDS = pytest.mark.parametrize("kind", list(MAKERS))


@cache
def audited(kind: str) -> AuditReport:
    return mithridate.audit(MAKERS[kind](), power="off")


def told(report: AuditReport) -> Any:
    """Everything a report says, less how long it took."""
    raw = json.loads(json.dumps(report.to_json()))
    checks = [{k: v for k, v in check.items() if k not in {"seconds", "peak_bytes"}} for check in raw["checks"]]
    return checks, raw["findings"], raw["target"]


@KINDS
def test_no_method_fails_on_ordinary_data(kind: str) -> None:
    report = audited(kind)
    assert [check.reason for check in report.checks if check.status == "failed"] == []
    assert {"found", "clean"} & {check.status for check in report.checks}


@KINDS
def test_clean_data_gets_no_grave_finding_and_hardly_a_flag(kind: str) -> None:
    report = audited(kind)
    assert [finding.claim for finding in report.findings if finding.severity.word in {"high", "critical"}] == []
    assert report.table is not None
    assert report.table.flagged.mean() <= 0.02


@KINDS
def test_same_seed_same_report(kind: str) -> None:
    assert told(mithridate.audit(MAKERS[kind](), power="off")) == told(audited(kind))


@KINDS
def test_row_order_changes_nothing_but_order(kind: str) -> None:
    data = MAKERS[kind]()
    order = np.random.default_rng(1).permutation(len(data))
    moved = data.take(order)
    report = mithridate.audit(Dataset(**{**fields_of(moved), "row_ids": None}), power="off")
    ours, theirs = audited(kind).table, report.table
    assert ours is not None
    assert theirs is not None
    assert (ours.flagged[order] == theirs.flagged).all()
    assert np.array_equal(ours.score[order], theirs.score)
    assert [f.fingerprint for f in audited(kind).findings] == [f.fingerprint for f in report.findings]


def fields_of(data: Dataset) -> dict[str, Any]:
    return {name: getattr(data, name) for name in data.__dataclass_fields__}


@KINDS
def test_input_is_not_changed(kind: str) -> None:
    data = MAKERS[kind]()
    before = copy.deepcopy(data.content), data.y.copy()
    mithridate.audit(data, power="off")
    same = data.content.equals(before[0]) if isinstance(data.content, pa.Table) else (data.content == before[0]).all()
    assert same
    assert (data.y == before[1]).all()


@KINDS
@pytest.mark.parametrize("n_rows", [1, 2, 7])
def test_few_rows_give_skips_never_a_crash(kind: str, n_rows: int) -> None:
    report = mithridate.audit(MAKERS[kind]().take(range(n_rows)))
    assert [check.reason for check in report.checks if check.status == "failed"] == []
    assert all(check.reason for check in report.checks if check.status == "skipped")


@KINDS
@pytest.mark.parametrize("labels", ["one", "missing", "half-missing", "all-different"])
def test_odd_labels_give_skips_never_a_crash(kind: str, labels: str) -> None:
    data = MAKERS[kind](120)
    codes = {
        "one": np.zeros(120, np.int32),
        "missing": np.full(120, -1, np.int32),
        "half-missing": np.where(np.arange(120) % 2, data.y, -1).astype(np.int32),
        "all-different": np.arange(120, dtype=np.int32),
    }[labels]
    classes = tuple(range(120)) if labels == "all-different" else data.classes
    changed = Dataset(**{**fields_of(data), "codes": codes, "classes": classes})
    report = mithridate.audit(changed)
    assert [check.reason for check in report.checks if check.status == "failed"] == []


@KINDS
def test_without_labels_the_rest_still_runs(kind: str) -> None:
    data = Dataset(**{**fields_of(MAKERS[kind](200)), "codes": None, "classes": ()})
    report = mithridate.audit(data)
    assert [check.reason for check in report.checks if check.status == "failed"] == []
    assert {check.method for check in report.checks if check.status in {"found", "clean"}} >= {"PSN104"}


@KINDS
def test_identical_rows_are_no_crash(kind: str) -> None:
    report = mithridate.audit(MAKERS[kind](60).take([0] * 60))
    assert [check.reason for check in report.checks if check.status == "failed"] == []


def test_nan_is_one_clear_line() -> None:
    content = embeddings(50).content.copy()  # type: ignore[union-attr]
    content[7, 3] = np.nan
    with pytest.raises(Error, match="row 7"):
        mithridate.audit(content, labels=[0, 1] * 25)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.id)
def test_every_method_has_a_page_references_and_known_standards(method: Any) -> None:
    text = page(method)
    assert len(text) > 300
    assert method.references
    assert set(method.standards) <= set(STANDARDS)
    assert [m.id for m in METHODS].count(method.id) == 1
    assert [m.slug for m in METHODS].count(method.slug) == 1


@pytest.mark.parametrize("flow", [sign, open_flow], ids=["sign", "open"])
def test_a_check_that_a_flow_makes_itself_is_in_the_catalogue(flow: Any) -> None:
    method = find(flow.METHOD)
    assert method is not None
    assert (method.slug, method.title) == (flow.SLUG, flow.TITLE)
    assert method.function.startswith(f"{flow.__name__}:")
    assert not FAMILIES[method.family].prepare


def test_a_method_that_breaks_is_a_failed_check_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("<b>boom</b>")

    monkeypatch.setattr("mithridate.audits.poison.outliers.outliers", broken)
    report = mithridate.audit(embeddings(200), power="off")
    status = {check.method: (check.status, check.reason) for check in report.checks}
    assert status["PSN104"] == ("failed", "ZeroDivisionError: <b>boom</b>")
    assert report.verdict == "incomplete"
    assert status["PSN101"][0] in {"found", "clean"}
