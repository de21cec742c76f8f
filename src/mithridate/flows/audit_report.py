"""What an audit leaves: a report that holds its rows, the files written from it, and the clean copy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.combine import RowTable
from mithridate.core.errors import InputError
from mithridate.core.files import atomic
from mithridate.core.findings import Finding, Subject
from mithridate.core.report import Report
from mithridate.data.arrow import arrow_table
from mithridate.data.write import write
from mithridate.flows.audit_inputs import Columns
from mithridate.flows.live_report import LiveReport
from mithridate.reports.write import write_report

if TYPE_CHECKING:
    import pyarrow as pa

    from mithridate.audits.poison.sharded.combine import ShardRows

MOST_ROWS = 10_000  # more rows than this in a subject go to a file beside the report


@dataclass(frozen=True)
class AuditReport(LiveReport):
    """A report that also holds the row table, for Python and notebooks."""

    table: RowTable | ShardRows | None = field(default=None, compare=False, repr=False)

    def rows(self) -> pa.Table:
        """One entry a row: `row`, `flagged`, `kind`, `score`, `p_value` and a column for each method that ran."""
        import pyarrow as pa

        if self.table is None:
            raise InputError("this report holds no rows; run the audit again, or read the file that --scores wrote")
        return pa.concat_tables(arrow_table(part.columns()) for part in tables(self.table))

    def _write(self, path: str | Path) -> None:
        save_report(self, path)


def tables(table: RowTable | ShardRows) -> Iterator[RowTable]:
    """The row table in parts that fit into memory."""
    if isinstance(table, RowTable):
        yield table
    else:
        yield from table.tables()


def save_report(report: Report, path: str | Path) -> None:
    """Write a report, format by suffix; subjects of more than 10,000 rows go to a Parquet file beside it."""
    slim = replace(report, findings=tuple(_slim(finding, Path(path)) for finding in report.findings))
    write_report(Report.from_json(slim.to_json()), path)  # what is drawn is what the JSON says, to the last digit


def _slim(finding: Any, path: Path) -> Any:
    subject: Subject = finding.subject
    if len(subject.rows) <= MOST_ROWS:
        return finding
    import pyarrow.parquet as pq

    beside = path.with_name(f"{path.stem}.{finding.fingerprint}.rows.parquet")
    with atomic(beside) as temporary:
        pq.write_table(arrow_table({"row": np.asarray(subject.rows, dtype=np.int64)}), temporary)
    extra = {**subject.extra, "rows_file": beside.name, "n_rows": len(subject.rows)}
    return replace(finding, subject=replace(subject, rows=(), extra=extra))


def save_scores(report: AuditReport, path: str | Path) -> None:
    """Write the row table as Parquet (`--scores`)."""
    import pyarrow.parquet as pq

    if report.table is None:
        raise InputError("this report holds no rows; run the audit again")
    with atomic(path) as temporary:
        parts = (arrow_table(part.columns()) for part in tables(report.table))
        first = next(parts)
        with pq.ParquetWriter(temporary, first.schema) as writer:
            for part in chain([first], parts):
                writer.write_table(part)


def save_clean(report: AuditReport, source: str | Path, path: str | Path) -> int:
    """Write the rows that weren't flagged, in order, in the source's own format; the number of rows kept.

    Raises
    ------
    InputError : rows were not looked at, since their shard was lost; or the copy can't be written.
    """
    if report.table is None:
        raise InputError("this report holds no rows; run the audit again")
    if not isinstance(report.table, RowTable) and report.table.context.lost:
        raise InputError(
            f"{len(report.table.context.lost)} shard(s) were not read, so no clean copy is written: nobody looked at "
            "their rows; run again, finished shards are kept"
        )
    kept = report.table.row[~report.table.flagged]
    write(source, kept, path, n_rows=len(report.table.row))
    return len(kept)


def with_commands(report: Report, flagged: npt.NDArray[np.bool_], source: Path, columns: Columns) -> Report:
    """The report with the command that drops them after the remedy of every finding whose rows are all flagged."""
    typed = str(report.run.get("command", ""))
    if "--clean" in typed:
        return report
    clean = source.with_name(f"{source.stem}.clean{source.suffix}")
    said = typed if typed.startswith("mithridate audit ") else _command(source, columns)
    command = f"{said} --clean {shlex.quote(str(clean))}"
    findings = [
        replace(f, remedy=f"{f.remedy.rstrip('.')}: `{command}`") if _all_flagged(f, flagged) else f
        for f in report.findings
    ]
    return replace(report, findings=tuple(findings))


def _command(source: Path, columns: Columns) -> str:
    names = {"source_column": "--source"}
    options = [word for key, value in columns.items() if value for word in (names.get(key, f"--{key}"), str(value))]
    return shlex.join(["mithridate", "audit", str(source), *options])


def _all_flagged(finding: Finding, flagged: npt.NDArray[np.bool_]) -> bool:
    rows = np.asarray(finding.subject.rows if finding.subject.kind != "manifest-rows" else (), dtype=np.int64)
    return bool(rows.size and finding.remedy and flagged[rows].all())
