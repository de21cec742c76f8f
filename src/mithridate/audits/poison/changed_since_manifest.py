"""Rows that aren't what the manifest recorded: content that changed between recording and training."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Json, Severity, Subject, number, table
from mithridate.core.method import Outcome, RowScores
from mithridate.data.changes import Changes, Since

if TYPE_CHECKING:
    from mithridate.audits.poison.context import AuditSettings, Context
    from mithridate.audits.poison.sharded.context import ShardContext

METHOD, SLUG = "PSN114", "changed-since-manifest"
STANDARDS = ("AML.T0020", "AML.T0019", "ML02:2023", "NISTAML.013")
SURE = 12.0  # log10 odds of a flag: two records with one leaf would be a collision of SHA-256
LISTED = 10_000  # rows of the manifest that a finding lists
_NAMED = 5  # columns that a claim names
SHOWN = 20  # rows of the evidence's table

Rows: TypeAlias = npt.NDArray[np.int64]


def changed_since_manifest(context: Context, settings: AuditSettings) -> Outcome:
    """Rows that changed, were swapped, dropped, added or repeated since the data set's manifest was built.

    A manifest holds a SHA-256 of each row with all its columns. Data that is fetched again later, from a link, a
    mirror or a colleague's copy, may not be the data that was looked at: split-view poisoning swaps the content in
    between, and no statistics on the rows need to show it. This compares row by row and names the rows.

    Returns
    -------
    One finding a kind of change; rows that changed, came in or stand once more are flagged. Changed, added, dropped and
    repeated rows are high, another order or a new column alone is medium. `subject.rows` are rows of this source; a
    dropped row isn't among them, so that finding's are rows of the manifest, and `rows_of` says which of the two it is.
    `pairs` are [row, row of the manifest].

    Notes
    -----
    Exact: a row that differs in one bit is found, and a row that doesn't is never named. Which value was the right one,
    the manifest can't say; a signed manifest says who vouched for it. Values count, not files: row groups, compression,
    wider number types and npz or Parquet change nothing. Columns that were left out of the manifest are listed in its
    head (`left_out`) and not checked; one that it doesn't know is a finding of its own. O(n log n) time; 32 bytes a row
    are held.

    References
    ----------
    Carlini et al. (2024), Poisoning web-scale training datasets is practical, IEEE S&P.
    Merkle (1987), A digital signature based on a conventional encryption function, CRYPTO.
    """
    del settings
    since = context.manifest
    if since is None:
        raise Skip("no manifest was given; pass the one that was built with these rows (--manifest M)")
    found = since.changes
    flagged = np.isin(context.dataset.ids, bad_rows(found))
    scores = RowScores(
        kind="edited", score=np.where(flagged, SURE, -np.inf), p_value=np.where(flagged, 10.0**-SURE, 1.0),
        flagged=flagged, false_share=0.0,
    )  # fmt: skip
    return Outcome(findings_of(since), scores, numbers_of(found))


def sharded_changed_since_manifest(context: ShardContext, settings: AuditSettings) -> Outcome:
    """The same of rows in shards; their row scores are made shard by shard."""
    del settings
    if context.manifest is None:
        raise Skip("no manifest was given; pass the one that was built with these rows (--manifest M)")
    return Outcome(findings_of(context.manifest), None, numbers_of(context.manifest.changes))


def bad_rows(found: Changes) -> Rows:
    """Places in reading order of rows that aren't the manifest's: changed, added, or there once more."""
    return np.unique(np.concatenate([found.changed[:, 1], found.added, found.repeated[:, 0]]))


def numbers_of(found: Changes) -> tuple[Evidence, ...]:
    """How many rows of each kind of change."""
    counts = {
        "changed_rows": len(found.changed), "added_rows": len(found.added), "dropped_rows": len(found.dropped),
        "repeated_rows": len(found.repeated), "moved_rows": len(found.moved) + 2 * len(found.swapped),
    }  # fmt: skip
    return tuple(number(name, count, unit="rows", note="since the manifest") for name, count in counts.items())


def findings_of(since: Since) -> tuple[Finding, ...]:
    """One finding a kind of change, the gravest first; () when nothing changed."""
    made = (_changed, _added, _dropped, _repeated, _swapped, _moved, _columns)
    return tuple(finding for make in made if (finding := make(since)) is not None)


def _changed(since: Since) -> Finding | None:
    pairs = since.changes.changed
    claim = f"{_rows(len(pairs))} changed since {since.manifest} was built"
    return _finding(since, "changed", Severity.HIGH, claim, pairs[:, 1], old=pairs[:, 0])


def _added(since: Since) -> Finding | None:
    rows = since.changes.added
    claim = f"{_rows(len(rows))} not in {since.manifest} {_stand(len(rows))} among the others"
    return _finding(since, "added", Severity.HIGH, claim, rows)


def _dropped(since: Since) -> Finding | None:
    gone = since.changes.dropped
    claim = f"{_rows(len(gone))} of {since.manifest} {'is' if len(gone) == 1 else 'are'} missing"
    return _finding(since, "dropped", Severity.HIGH, claim, gone[:0], old=gone)


def _repeated(since: Since) -> Finding | None:
    pairs = since.changes.repeated
    claim = f"{_rows(len(pairs))} {_stand(len(pairs))} once more than in {since.manifest}"
    return _finding(since, "repeated", Severity.HIGH, claim, pairs[:, 0], old=pairs[:, 1])


def _swapped(since: Since) -> Finding | None:
    pairs = since.changes.swapped
    claim = f"{len(pairs):,} pair{'s' * (len(pairs) != 1)} of rows changed places since {since.manifest} was built"
    return _finding(since, "swapped", Severity.MEDIUM, claim, pairs.reshape(-1), old=pairs[:, ::-1].reshape(-1))


def _moved(since: Since) -> Finding | None:
    pairs = since.changes.moved
    claim = f"{_rows(len(pairs))} {_stand(len(pairs))} elsewhere than in {since.manifest}: the order changed"
    return _finding(since, "reordered", Severity.MEDIUM, claim, pairs[:, 1], old=pairs[:, 0])


def _columns(since: Since) -> Finding | None:
    names = since.new_columns
    if not names:
        return None
    shown = ", ".join(map(repr, names[:_NAMED])) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    claim = f"column{'s' * (len(names) > 1)} {shown} {'are' if len(names) > 1 else 'is'} not in {since.manifest}"
    extra: dict[str, Json] = {"change": "columns", "columns": list(names[:LISTED])}
    return Finding(
        METHOD, SLUG, Severity.MEDIUM, 1.0, claim, Subject("dataset", extra=extra), remedy=_REMEDY["columns"],
        standards=STANDARDS, place="columns",
    )  # fmt: skip


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _stand(count: int) -> str:
    return "stands" if count == 1 else "stand"


def _finding(
    since: Since, place: str, severity: Severity, claim: str, rows: Rows, *, old: Rows | None = None
) -> Finding | None:
    """The finding; `old` are the manifest's places, in the order of `rows` where both are there."""
    if not len(rows) and (old is None or not len(old)):
        return None
    gone = old is not None and not len(rows)
    extra: dict[str, Json] = {"change": place, "rows_of": "manifest" if gone else "source"}
    if old is not None:
        extra["manifest_rows"] = np.sort(old)[:LISTED].tolist()
        extra["n_manifest_rows"] = len(old)
    if old is not None and not gone:
        extra["pairs"] = np.stack([rows, old], axis=1)[:LISTED].tolist()
    named = Counter(since.sources_of(np.sort(old))) if old is not None else Counter[str]()
    about = old if gone and old is not None else rows
    kind = "manifest-rows" if gone else "rows"
    subject = Subject(kind, tuple(np.sort(about).tolist()), None, dict(named.most_common()), extra)
    return Finding(
        METHOD, SLUG, severity, 1.0, claim, subject, _evidence(rows, old, place),
        remedy=_REMEDY[place], standards=STANDARDS, place=place,
    )  # fmt: skip


_REMEDY = {
    "changed": "Put back the rows that the manifest vouches for, or audit the new ones and build a new manifest.",
    "added": "Drop these rows, or audit them and build a new manifest.",
    "columns": "Drop the columns, or build a new manifest if they are meant to be there.",
    "dropped": "Fetch the missing rows again, or build a new manifest if they were meant to go.",
    "repeated": "Drop the extra copies.",
    "swapped": "Put the rows back in the manifest's order, or build a new manifest if the order doesn't matter.",
    "reordered": "Put the rows back in the manifest's order, or build a new manifest if the order doesn't matter.",
}


def _evidence(rows: Rows, old: Rows | None, place: str) -> tuple[Evidence, ...]:
    columns: list[Any] = [] if not len(rows) else [("row", rows)]
    columns += [] if old is None else [("row of the manifest", old)]
    lines = [[int(values[i]) for _, values in columns] for i in range(min(SHOWN, len(columns[0][1])))]
    more = len(columns[0][1]) - len(lines)
    caption = f"Rows {place}" + (f"; {more:,} more are not shown" if more else "")
    return (table("rows", [name for name, _ in columns], lines, caption=caption),)
