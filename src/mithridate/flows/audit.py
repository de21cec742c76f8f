"""The audit from any source to its report: what `mithridate audit` and `mithridate.audit()` share."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.combine import RowTable
from mithridate.audits.poison.context import AuditSettings, Predict
from mithridate.audits.poison.spectrograms import as_pictures, in_words_of_sound
from mithridate.compute.threads import threads
from mithridate.core.errors import Error, InputError
from mithridate.core.files import atomic
from mithridate.core.findings import Finding, Severity, Subject
from mithridate.core.progress import Progress, Silent
from mithridate.core.report import Report, Target
from mithridate.data.arrow import arrow_table
from mithridate.data.changes import Since
from mithridate.data.dataset import Dataset
from mithridate.data.memory import from_memory
from mithridate.data.read import read
from mithridate.data.shards import large
from mithridate.data.write import write
from mithridate.reports.notebook import to_notebook
from mithridate.reports.write import write_report
from mithridate.run import Job, run

if TYPE_CHECKING:
    import pyarrow as pa

    from mithridate.audits.poison.sharded.combine import ShardRows

SUM_SLACK = 0.01  # how far a row of probabilities may add up from 1
MOST_ROWS = 10_000  # more rows than this in a subject go to a file beside the report


class Columns(TypedDict, total=False):
    """Which column of a source is what; a column left out or None is inferred."""

    label: str | None
    source_column: str | None
    content: str | None
    modality: str | None


@dataclass(frozen=True)
class AuditReport(Report):
    """A report that also holds the row table, for Python and notebooks."""

    table: RowTable | ShardRows | None = field(default=None, compare=False, repr=False)

    def rows(self) -> pa.Table:
        """One entry a row: `row`, `flagged`, `kind`, `score`, `p_value` and a column for each method that ran."""
        import pyarrow as pa

        if self.table is None:
            raise InputError("this report holds no rows; run the audit again, or read the file that --scores wrote")
        return pa.concat_tables(arrow_table(part.columns()) for part in tables(self.table))

    def save(self, *paths: str | Path) -> None:
        """Write the report to each path, format by suffix (.json .html .sarif .xml .md .txt)."""
        for path in paths:
            save_report(self, path)

    def assert_clean(self, fail_on: str = "high") -> None:
        """Raise `AssertionError` with the claims when a finding reaches `fail_on`, or when a check could not run."""
        bad = [finding.claim for finding in self.findings if finding.severity >= Severity.parse(fail_on)]
        broken = [f"{check.method} {check.status}: {check.reason}" for check in self.checks if check.status == "failed"]
        if bad or broken:
            raise AssertionError("; ".join(bad + broken))

    def _repr_html_(self) -> str:
        return to_notebook(self)


def audit(
    source: Any,
    *,
    labels: Any = None,
    sources: Any = None,
    label: str | None = None,
    source_column: str | None = None,
    content: str | None = None,
    modality: str | None = None,
    model: Any = None,
    recipe: str | Callable[..., Any] | None = None,
    probabilities: npt.NDArray[Any] | None = None,
    embedding: Any = None,
    reference: Any = None,
    manifest: str | Path | None = None,
    salt_file: str | None = None,
    fdr: float = 0.05,
    power: str = "cheap",
    seed: int = 0,
    jobs: int = 1,
    methods: Sequence[str] = (),
    cluster: str | None = None,
    store: str | Path | None = None,
    progress: Progress | None = None,
    command: str = "mithridate.audit(...)",
) -> AuditReport:
    """Find poison, label errors, duplicates, outliers and bad sources in training data.

    Parameters
    ----------
    source : a path (see `mithridate audit --help`), or rows in memory: numpy, pandas, polars, Arrow, list of str,
        torch `Dataset`.
    labels, sources : one entry a row, for rows in memory; with a path, name the columns: `label`, `source_column`.
    model : a model, or its file: its answers on the training rows tell a backdoor from a label error.
    recipe : a built-in name (`mlp`, `cnn`, `logistic`, `gbdt`, `text-linear`), `package.module:function`, or a function
        `(dataset, seed) -> fitted model`.
    probabilities : (n, c) out-of-sample class probabilities, columns in the order of the sorted labels.
    embedding : (n, d) coordinates of your own for the rows, never trained on their labels; or an `.npy` file of them;
        or `package.module:function` that makes them from the content, such as a pretrained extractor.
    reference : trusted rows, like `source` (in memory: a pair of rows and labels, or a frame with the label column).
    manifest : of a source that is a path: the manifest whose records the rows should still be; `salt_file` is the
        secret salt that it was built with, if any.
    fdr : share of false flags allowed among the flags, in (0, 1).
    power : `off`, `cheap` or `all`: how much known poison to plant in a copy to measure what would be found.
    methods : ids or slugs to run; empty runs all.
    cluster : `auto` or `ray://host:port`: a Ray cluster that works on the shards of a Parquet source.
    store : folder of a sharded audit's finished pieces, from which a run that was killed goes on.

    Returns
    -------
    AuditReport : `.findings`, `.rows()`, `.verdict`, `.save("report.html")`.

    Raises
    ------
    InputError : the source can't be read, or an option is out of range.
    """
    settings = _settings(fdr=fdr, power=power, seed=seed, jobs=jobs)
    columns = _columns(label, source_column, content, modality)
    since = None if manifest is None else _since(manifest, source, columns, salt_file, progress)
    alone = all(part is None for part in (labels, sources, model, recipe, probabilities, embedding, reference))
    if isinstance(source, (str, Path)) and (cluster or store or (alone and large(source))):
        from mithridate.flows.audit_shards import How, audit_shards, shards_of_source

        shards = shards_of_source(source, columns, alone=alone, asked=bool(cluster or store))
        if shards is not None:
            how = How(settings, cluster, store, progress or Silent(), command, methods, since)
            report, table = audit_shards(shards, how)
            return _finished(report, table, source, columns)
    data = _dataset(source, labels, sources, columns)
    target = Target("dataset", data.name, data.digest, len(data), _facts(data, since))
    data = data.canonical()
    rows = as_pictures(data)
    trusted = None if reference is None else as_pictures(_trusted(reference, label, data))
    inputs = _inputs(rows, model=model, recipe=recipe, probabilities=probabilities, trusted=trusted)
    inputs["manifest"] = since
    if embedding is not None:
        from mithridate.models.extractors import extract

        inputs["embedding"] = extract(embedding, data)
    of_sounds = data.modality == "audio"
    del data
    job = Job(
        "poison", target, inputs, settings, modality=rows.modality, command=command, progress=progress or Silent(),
        wanted=frozenset([methods] if isinstance(methods, str) else methods),
    )  # fmt: skip
    with threads(jobs):
        report, table = run(job)
    if of_sounds:
        report = replace(report, findings=tuple(map(in_words_of_sound, report.findings)))
    return _finished(report, table, source, columns)


def tables(table: RowTable | ShardRows) -> Iterator[RowTable]:
    """The row table in parts that fit into memory."""
    if isinstance(table, RowTable):
        yield table
    else:
        yield from table.tables()


def _finished(report: Report, table: RowTable | ShardRows, source: Any, columns: Columns) -> AuditReport:
    if isinstance(source, (str, Path)):
        report = _with_commands(report, table.flagged, Path(source), columns)
    parts = {item.name: getattr(report, item.name) for item in fields(Report)}
    return AuditReport(**parts, table=table)


def _with_commands(report: Report, flagged: npt.NDArray[np.bool_], source: Path, columns: Columns) -> Report:
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


def _settings(*, fdr: float, power: str, seed: int, jobs: int) -> AuditSettings:
    if not 0 < fdr < 1:
        raise InputError(f"fdr must be in (0, 1), got {fdr}; 0.05 means that 5 % of the flags may be false")
    if power not in {"off", "cheap", "all"}:
        raise InputError(f"power must be off, cheap or all, got {power!r}")
    if seed < 0 or jobs < 1:
        raise InputError(f"seed must be >= 0 and jobs >= 1, got seed {seed} and jobs {jobs}")
    return AuditSettings(fdr=fdr, power=power, seed=seed, jobs=jobs)


def _columns(label: str | None, source: str | None, content: str | None, modality: str | None) -> Columns:
    return {"label": label, "source_column": source, "content": content, "modality": modality}


def _dataset(source: Any, labels: Any, sources: Any, columns: Columns) -> Dataset:
    if isinstance(source, Dataset):
        return source
    if isinstance(source, (str, Path)):
        if labels is not None or sources is not None:
            raise InputError("labels and sources are for rows in memory; for a file name its columns: label='...'")
        return read(source, **columns)
    named = {"labels": (labels, columns["label"]), "sources": (sources, columns["source_column"])}
    for what, (given, column) in named.items():
        if given is not None and column is not None:
            raise InputError(f"{what} were given and a column {column!r} was named for them; give one of the two")
    chosen = {what: column if given is None else given for what, (given, column) in named.items()}
    return from_memory(
        source,
        labels=chosen["labels"],
        sources=chosen["sources"],
        content=columns["content"],
        modality=columns["modality"],
    )


def _facts(data: Dataset, since: Since | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"modality": data.modality, "classes": data.n_classes}
    facts |= {} if since is None else {"manifest_root": since.root}
    if data.source_codes is not None:
        facts["sources"] = len(data.source_names)
    shape = getattr(data.content, "shape", None)
    if shape is None or len(shape) < 2:  # noqa: PLR2004 - texts have one axis, and nothing to say of it
        return facts
    if len(shape) == 2:  # noqa: PLR2004 - rows and columns
        return {**facts, "columns": int(shape[1])}
    return {**facts, "shape": [int(size) for size in shape]}


def _since(manifest: str | Path, source: Any, columns: Columns, salt: str | None, progress: Progress | None) -> Since:
    if not isinstance(source, (str, Path)):
        raise InputError("a manifest is compared with what a file stores; pass the path of the source, not its rows")
    from mithridate.flows.manifest import since_manifest

    return since_manifest(manifest, source, columns, salt_file=salt, progress=progress)


def _inputs(
    rows: Dataset,
    *,
    model: Any,
    recipe: str | Callable[..., Any] | None,
    probabilities: Any,
    trusted: Dataset | None,
) -> dict[str, Any]:
    inputs: dict[str, Any] = {"dataset": rows}
    if recipe is not None:
        from mithridate.models.recipes import recipe as find_recipe

        inputs["recipe"] = find_recipe(recipe)
    if probabilities is not None:
        inputs["probabilities"] = _chances(probabilities, rows)[rows.ids]
    if model is not None:
        inputs["predict"] = _answers(model, rows, recipe)
        inputs["predictions"] = inputs["predict"](rows.x)
    if trusted is not None:
        inputs["reference"] = align(trusted, rows)
    return inputs


def _answers(model: Any, rows: Dataset, recipe: object) -> Predict:
    """The model as a function of content that blames the model, not us, when it fails."""
    from mithridate.models.adapters import as_fitted
    from mithridate.models.loading import load_model

    if isinstance(model, (str, Path)):
        predict = load_model(str(model), rows, recipe if isinstance(recipe, str) else None)
    else:
        predict = as_fitted(model, rows, by_code=False).predict_proba

    def answers(x: Any) -> npt.NDArray[np.float32]:
        try:
            return predict(x)
        except Error:
            raise
        except Exception as error:
            raise InputError(f"the model failed on these rows: {type(error).__name__}: {error}"[:400]) from error

    return answers


def _trusted(reference: Any, label: str | None, rows: Dataset) -> Dataset:
    if isinstance(reference, tuple) and len(reference) == 2:  # noqa: PLR2004 - rows and their labels
        return _dataset(reference[0], reference[1], None, _columns(None, None, None, rows.modality))
    return _dataset(reference, None, None, _columns(label or rows.label_name, None, None, rows.modality))


def _chances(probabilities: Any, rows: Dataset) -> npt.NDArray[np.float32]:
    given = np.asarray(probabilities, dtype=np.float32)
    if given.shape != (len(rows), rows.n_classes):
        raise InputError(f"probabilities must be {(len(rows), rows.n_classes)} (rows, classes), got {given.shape}")
    bad = ~np.isfinite(given).all(axis=1) | (given < 0).any(axis=1) | (np.abs(given.sum(axis=1) - 1) > SUM_SLACK)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"probabilities of {int(bad.sum()):,} rows aren't shares that add up to 1 (first: row {first})"
        )
    return given


def align(clean: Dataset, rows: Dataset) -> Dataset:
    """The trusted rows with class codes as in `rows`; `InputError` when the two don't fit together."""
    if clean.modality != rows.modality:
        raise InputError(
            f"the reference is {clean.modality} data, the target {rows.modality}; pass rows of the same kind"
        )
    there = getattr(clean.content, "shape", (0,))[1:] if rows.modality != "table" else ()
    here = getattr(rows.content, "shape", (0,))[1:] if rows.modality != "table" else ()
    if there != here:
        raise InputError(f"the reference rows have shape {there}, the target's {here}; pass rows of the same shape")
    place = {name: code for code, name in enumerate(rows.classes)}
    lookup = np.array([place.get(name, -1) for name in clean.classes] or [-1], dtype=np.int32)
    return replace(clean, codes=np.where(clean.y < 0, -1, lookup[clean.y]).astype(np.int32), classes=rows.classes)


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
