"""PSN101 over shards: labels that look wrong, by counts that add up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings
from mithridate.audits.poison.label_errors import FEW, SHOWN, STANDARDS
from mithridate.audits.poison.sharded.context import ShardContext
from mithridate.audits.poison.sharded.rows import Chosen, explained, subject_of
from mithridate.audits.poison.sharded.score import codes_of
from mithridate.core.findings import Evidence, Finding, Json, Severity, bars, number, table
from mithridate.core.method import Outcome
from mithridate.numeric.noise_table import flag_cells
from mithridate.numeric.tails import poisson_interval


class LabelFlags(NamedTuple):
    """Which noise cells are flagged, flattened, and the odds and p-value of each."""

    flagged: npt.NDArray[np.bool_]
    odds: npt.NDArray[np.float64]
    p_value: npt.NDArray[np.float64]


def sharded_label_errors(context: ShardContext, settings: AuditSettings) -> Outcome:
    """Rows whose label is likelier a random flip than an honest choice, among any number of rows.

    The model is fitted to two halves of a sample and judges every row by the half that doesn't hold it; how rare honest
    surprises are is fitted to the counts of all rows, so that many rows make the answer sharper, not longer.

    Raises
    ------
    Skip : fewer than 200 rows in the sample, or one class.
    """
    flags = label_flags(context, settings)
    chosen = _rows(context, flags)
    noise, _ = context.noise
    numbers = _numbers(context, flags, noise.rate)
    n_rows = chosen.count
    findings = (_finding(context, chosen, flags, numbers),) if n_rows else ()
    return Outcome(findings, None, numbers)


def label_flags(context: ShardContext, settings: AuditSettings) -> LabelFlags:
    """The flagged cells at the chosen rate of false discoveries."""

    def make() -> LabelFlags:
        noise, counts = context.noise
        flagged = flag_cells(noise.odds, counts.filled, settings.fdr)
        return LabelFlags(flagged.ravel(), noise.odds.ravel(), noise.p_value.ravel())

    return context.once("label-flags", make)


def _rows(context: ShardContext, flags: LabelFlags) -> Chosen:
    rows = {}
    for place, (_, stored) in enumerate(context.scores):
        cell = stored.array("cell")
        chosen = np.flatnonzero((cell >= 0) & flags.flagged[cell] & ~explained(context, place))
        rows[place] = chosen
    return Chosen(rows)


def _numbers(context: ShardContext, flags: LabelFlags, rate: float) -> tuple[Evidence, ...]:
    _, counts = context.noise
    false = float((counts.filled.ravel() / (1 + flags.odds))[flags.flagged].sum())
    low, high = poisson_interval(false)
    note = "Poisson interval around the sum of the flagged rows' chances of an honest label"
    return (
        number("expected_false_flags", round(false, 2), low=low, high=high, unit="rows", note=note),
        number("label_noise_rate", round(rate, 5), unit="share"),
    )


def _finding(context: ShardContext, chosen: Chosen, flags: LabelFlags, numbers: tuple[Evidence, ...]) -> Finding:
    n, false = chosen.count, float(numbers[0].data["value"])  # type: ignore[arg-type]
    at_most = max(int(np.ceil(false)), 1)
    return Finding(
        method="PSN101",
        slug="label-error",
        severity=Severity.MEDIUM if n >= FEW * context.n_rows else Severity.LOW,
        confidence=round(max(1 - false / n, 0.0), 4),
        claim=(
            f"{n:,} of {context.n_rows:,} labels look wrong; at most {at_most:,} of these flags are "
            "expected to be false"
        ),
        subject=subject_of(context, chosen),
        evidence=(_pairs(context, flags), _examples(context, chosen, flags), *numbers),
        remedy="Look at the rows listed first, then relabel them as suggested or leave them out (--clean FILE).",
        standards=STANDARDS,
    )


def _pairs(context: ShardContext, flags: LabelFlags) -> Evidence:
    """Bars of the commonest (given, suggested) pairs among the flagged rows."""
    _, counts = context.noise
    width = counts.filled.shape[0]
    flagged = (counts.filled * flags.flagged.reshape(counts.filled.shape)).sum(axis=2)
    order = np.argsort(-flagged, axis=None, kind="stable")[:SHOWN]
    order = order[flagged.ravel()[order] > 0]
    words = context.labels if width > 1 else ("any label",)
    return bars(
        "label pairs",
        [f"{words[place % width]} -> {words[place // width]}" for place in order],
        flagged.ravel()[order].tolist(),
        caption="Flagged rows by given -> suggested label, the commonest pairs",
        unit="rows",
    )


def _examples(context: ShardContext, chosen: Chosen, flags: LabelFlags) -> Evidence:
    """Table of the most suspect rows."""
    found: list[tuple[float, int, str]] = []
    for place, rows in chosen.rows.items():
        part, stored = context.scores[place]
        odds = flags.odds[stored.array("cell")[rows]]
        best = np.argsort(-odds, kind="stable")[:SHOWN]
        codes = codes_of(part.census, context.labels, "label")
        found += [(-float(odds[i]), int(rows[i]) + part.shard.start, str(context.labels[codes[rows[i]]])) for i in best]
    lines: list[list[Json]] = [[row, label, f"{-odds:,.0f} : 1"] for odds, row, label in sorted(found)[:SHOWN]]
    return table(
        "most suspect rows",
        ["row", "given label", "odds"],
        lines,
        caption="The ten rows whose labels are most likely wrong, with the odds that they are",
        marked=["given label"],
    )
