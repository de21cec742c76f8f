"""Edited copies of trusted rows are named with what was changed; other rows of the same kind are left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.edited_copy import edited_copy
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.data import load
from mithridate.data.dataset import Dataset
from mithridate.data.edit import insert_words
from mithridate.data.memory import from_memory

N, BAD = 500, 40
Rows = npt.NDArray[np.int64]


class Case(NamedTuple):
    """Two halves of one kind: trusted rows and others like them."""

    trusted: Dataset
    other: Dataset


def halves(whole: Dataset) -> Case:
    first, second = (whole.take(np.arange(start, start + N)) for start in (0, N))
    return Case(replace(first, row_ids=None), replace(second, row_ids=None))


@cache
def images() -> Case:
    return halves(load("fashion-mnist", rows=2 * N, whole=False))


@cache
def tables() -> Case:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2 * N, 5)) @ rng.normal(size=(5, 5))
    frame = pa.table({**{f"n{j}": x[:, j] for j in range(5)}, "town": rng.choice(list("abcdefgh"), 2 * N)})
    return halves(from_memory(frame.append_column("label", pa.array((x[:, 0] > 0).astype(int)))))


@cache
def texts() -> Case:
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(3000)])
    chance = 1 / np.arange(5, 3005)
    made = [" ".join(rng.choice(words, size=40, p=chance / chance.sum())) for _ in range(2 * N)]
    return halves(from_memory(made, labels=rng.integers(0, 2, 2 * N)))


@cache
def vectors() -> Case:
    rng = np.random.default_rng(0)
    return halves(from_memory(rng.normal(size=(2 * N, 24)).astype(np.float32), labels=rng.integers(0, 2, 2 * N)))


def patched(data: Dataset, rows: Rows, _: np.random.Generator) -> Any:
    content = np.asarray(data.content).copy()
    content[rows, 2:5, 20:23] = 255
    return content


def noisy(data: Dataset, rows: Rows, rng: np.random.Generator) -> Any:
    content = np.asarray(data.content).copy()
    scale = 6 if data.modality == "image" else 0.02
    wide = content[rows] + rng.normal(0, scale, content[rows].shape)
    content[rows] = np.clip(wide, 0, 255) if data.modality == "image" else wide
    return content


def one_cell(data: Dataset, rows: Rows, rng: np.random.Generator) -> Any:
    table: Any = data.content
    column = table.column("n3").to_numpy().copy()
    column[rows] = rng.normal(size=len(rows))
    return table.set_column(3, "n3", pa.array(column))


def one_word(data: Dataset, rows: Rows, rng: np.random.Generator) -> Any:
    content = np.asarray(data.content).copy()
    content[rows] = insert_words(content[rows], ["mithras"], rng)
    return content


def one_number(data: Dataset, rows: Rows, rng: np.random.Generator) -> Any:
    content = np.asarray(data.content).copy()
    content[rows, 7] = rng.normal(0, 3, len(rows))
    return content


EDITS = [
    (images, patched, "lines 2 to 4, columns 20 to 22"),
    (images, noisy, ""),
    (tables, one_cell, "'n3' changed"),
    (texts, one_word, "'mithras' put in"),
    (vectors, one_number, ""),
    (vectors, noisy, ""),
]


def run(audited: Dataset, trusted: Dataset) -> tuple[Outcome, npt.NDArray[np.bool_]]:
    """The outcome, and the flags in reading order."""
    outcome = edited_copy(Context(audited.canonical(), reference=trusted), AuditSettings())
    assert outcome.row_scores is not None
    flags = np.zeros(len(audited), bool)
    flags[audited.canonical().ids] = outcome.row_scores.flagged
    return outcome, flags


@pytest.mark.parametrize(("make", "edit", "said"), EDITS, ids=lambda value: getattr(value, "__name__", value))
def test_edited_copies_are_named_with_what_was_changed(make: Callable[[], Case], edit: Any, said: str) -> None:
    case, rng = make(), np.random.default_rng(3)
    rows = np.sort(rng.choice(N, BAD, replace=False))
    codes = case.trusted.y.copy()
    codes[rows] = 0
    audited = replace(case.trusted, content=edit(case.trusted, rows, rng), codes=codes)
    outcome, flags = run(audited, case.trusted)
    assert flags[rows].mean() >= 0.9
    assert flags.sum() - flags[rows].sum() <= 2
    finding = outcome.findings[0]
    assert finding.subject.rows == tuple(np.flatnonzero(flags).tolist())
    assert said in finding.claim
    assert finding.severity == (Severity.HIGH if said else finding.severity)
    changed = next(piece for piece in finding.evidence if piece.name == "label_changed")
    assert abs(float(str(changed.data["value"])) - (case.trusted.y[rows] != 0).sum()) <= 3


@pytest.mark.parametrize("make", [images, tables, texts, vectors])
def test_other_rows_and_equal_rows_are_quiet(make: Callable[[], Case]) -> None:
    case = make()
    for audited in (case.other, case.trusted):
        outcome, flags = run(audited, case.trusted)
        assert flags.sum() <= 2
        assert outcome.row_scores is not None
        p_values = np.sort(outcome.row_scores.p_value)
        assert (p_values >= 0.3 * np.arange(1, N + 1) / N - 0.02).all()


@pytest.mark.parametrize("make", [images, tables, texts, vectors])
def test_equal_rows_under_another_label_are_named(make: Callable[[], Case]) -> None:
    case = make()
    rows = np.arange(0, N, 25)
    codes = case.trusted.y.copy()
    codes[rows] = (codes[rows] + 1) % case.trusted.n_classes
    outcome, flags = run(replace(case.trusted, codes=codes), case.trusted)
    assert np.flatnonzero(flags).tolist() == rows.tolist()
    assert "under another label" in outcome.findings[0].claim


def test_coarse_records_that_are_equal_by_chance_are_no_copies() -> None:
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(0, size, 2 * N) for name, size in (("a", 30), ("b", 12), ("label", 2))}
    case = halves(from_memory(pa.table(columns)))
    assert run(case.other, case.trusted)[1].sum() == 0


def test_natural_near_copies_are_no_edits() -> None:
    """Every picture comes as two frames that differ by a little noise, among the trusted rows as well."""
    rng = np.random.default_rng(1)
    base = np.repeat(np.asarray(images().trusted.content), 2, axis=0).astype(float)
    frames = np.clip(base + rng.normal(0, 6, base.shape), 0, 255).astype(np.uint8)
    order = rng.permutation(len(frames))
    whole = from_memory(frames[order], labels=np.repeat(images().trusted.y, 2)[order])
    case = halves(whole)
    assert run(case.other, case.trusted)[1].mean() <= 0.01


def test_a_reference_that_says_too_little_is_skipped() -> None:
    case = images()
    with pytest.raises(Skip, match="at least 50"):
        run(case.other, case.trusted.take(np.arange(20)))
    with pytest.raises(Skip, match="needs trusted rows"):
        run(case.other, vectors().trusted)


def test_the_order_of_the_rows_does_not_matter() -> None:
    case, rng = images(), np.random.default_rng(3)
    audited = replace(case.trusted, content=patched(case.trusted, np.arange(30), rng))
    turned = replace(audited.take(np.arange(N)[::-1]), row_ids=None)
    assert (run(audited, case.trusted)[1] == run(turned, case.trusted)[1][::-1]).all()
