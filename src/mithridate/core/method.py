"""A method and what it returns; the catalogue is a tuple of `Method`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mithridate.core.findings import Evidence, Finding


@dataclass(frozen=True, slots=True)
class Method:
    """One line of the catalogue: strings only, so that listing methods loads nothing.

    `function` is `module:name`, called as `(context, settings) -> Outcome`. `modalities` it works on (empty: all).
    `needs` are parts of the target that must be there (`labels`, `sources`, `model`, `reference`), else it is skipped.
    """

    id: str
    slug: str
    family: str
    function: str
    title: str
    modalities: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    threat: str = "poisoning"
    standards: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowScores:
    """One method's opinion of every row; numpy arrays of length n (untyped here: core is standard library only).

    `kind` is what a flag means: `label-error`, `trigger`, `duplicate`, `edited`, `outlier` or `source`.
    `score` is the estimated log10 odds that the row is bad of this kind (0: even; -inf: no sign of it), one scale for
    every method, so that the highest of a row's scores orders the whole set. `p_value` in [0, 1] is calibrated: on
    clean rows it is no smaller than uniform. `flagged` is the method's own decision at the rate the user chose.
    `false_share`: expected share of false flags among this method's flags, where its odds say something else: an
    outlier is odd, not therefore poison.
    `alike`: the same opinion as if all sources were alike, where it leans on the sources; a source is judged by it.
    """

    kind: str
    score: Any
    p_value: Any
    flagged: Any
    false_share: float | None = None
    alike: RowScores | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method found: findings, an opinion of every row, and the numbers readers may rely on."""

    findings: tuple[Finding, ...] = ()
    row_scores: RowScores | None = None
    numbers: tuple[Evidence, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Combined:
    """What a family makes of its methods' outcomes: findings worst first, joint numbers, and its row table."""

    findings: tuple[Finding, ...]
    numbers: tuple[Evidence, ...] = ()
    rows: Any = None
