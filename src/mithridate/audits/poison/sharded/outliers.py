"""PSN104 over shards: rows unlike all others, judged by what the sample calls ordinary."""

from __future__ import annotations

import numpy as np

from mithridate.audits.poison.context import AuditSettings
from mithridate.audits.poison.outliers import MANY, SHOWN
from mithridate.audits.poison.sharded.context import ShardContext
from mithridate.audits.poison.sharded.learn import tests_of
from mithridate.audits.poison.sharded.rows import Chosen, subject_of
from mithridate.core.findings import Evidence, Finding, Json, Severity, number, table
from mithridate.core.method import Outcome


def sharded_outliers(context: ShardContext, settings: AuditSettings) -> Outcome:
    """Rows beyond what the sample's own tails allow, among any number of rows.

    Bulk and tails come from the sample, without the rows that it calls odd itself; which p-values are small enough is
    settled by the counts of all rows (Benjamini-Hochberg), so that more rows ask for odder ones.

    Raises
    ------
    Skip : fewer than 200 rows in the sample.
    """
    limit = odd_limit(context, settings)
    rows = {place: np.flatnonzero(stored.array("odd") >= limit) for place, (_, stored) in enumerate(context.scores)}
    chosen = Chosen(rows)
    false = settings.fdr * chosen.count
    seen = number(
        "expected_false_flags:PSN104", round(false, 2), low=0.0, high=round(2 * false, 2), unit="rows",
        note="the false discovery rate times the flags; 0 to twice that, nothing was resampled",
    )  # fmt: skip
    return Outcome((_finding(context, chosen, seen),) if chosen.count else (), None, (seen,))


def odd_limit(context: ShardContext, settings: AuditSettings) -> float:
    """-log10 of the largest p-value that is flagged; infinite when none is."""

    def make() -> float:
        reaching = context.total("odd_counts")[::-1].cumsum()[::-1]
        p_value = 10.0 ** -(np.arange(len(reaching)) / 100)
        passed = np.flatnonzero((reaching > 0) & (p_value * reaching.max() <= settings.fdr * reaching))
        return float(passed[0]) / 100 if len(passed) else np.inf

    return context.once("odd-limit", make)


def _finding(context: ShardContext, chosen: Chosen, seen: Evidence) -> Finding:
    n = chosen.count
    return Finding(
        method="PSN104",
        slug="outlier",
        severity=Severity.MEDIUM if n >= MANY * context.n_rows else Severity.LOW,
        confidence=0.95,
        claim=f"{n:,} of {context.n_rows:,} rows are unlike the others, beyond what this data's own tails allow",
        subject=subject_of(context, chosen),
        evidence=(_examples(context, chosen), seen),
        remedy="Look at these rows: broken records should go, rare but real ones should stay.",
        standards=("AML.T0020",),
    )


def _examples(context: ShardContext, chosen: Chosen) -> Evidence:
    names = tests_of(context.source.plan)
    found: list[tuple[float, int, str]] = []
    for place, rows in chosen.rows.items():
        part, stored = context.scores[place]
        odd, why = stored.array("odd")[rows], stored.array("why")[rows]
        best = np.argsort(-odd, kind="stable")[:SHOWN]
        found += [(-float(odd[i]), int(rows[i]) + part.shard.start, names[int(why[i])]) for i in best]
    lines: list[list[Json]] = [[row, name, f"{10**odd:.1e}"] for odd, row, name in sorted(found)[:SHOWN]]
    return table("oddest rows", ["row", "why", "p-value"], lines, caption="The ten oddest rows and the test they fail")
