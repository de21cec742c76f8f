"""The audit from any source to its report: what `mithridate audit` and `mithridate.audit()` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from mithridate.audits.poison.combine import RowTable
from mithridate.audits.poison.spectrograms import as_pictures, in_words_of_sound
from mithridate.compute.threads import threads
from mithridate.core.progress import Progress, Silent
from mithridate.core.report import Report, Target
from mithridate.data.shards import large
from mithridate.flows.audit_inputs import (
    Columns,
    How,
    columns_of,
    dataset_of,
    facts_of,
    inputs_of,
    settings_of,
    since_of,
    trusted_of,
)
from mithridate.flows.audit_report import AuditReport, with_commands
from mithridate.run import Job, run

if TYPE_CHECKING:
    from mithridate.audits.poison.sharded.combine import ShardRows


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
    settings = settings_of(fdr=fdr, power=power, seed=seed, jobs=jobs)
    columns = columns_of(label, source_column, content, modality)
    since = None if manifest is None else since_of(manifest, source, columns, salt_file, progress)
    alone = all(part is None for part in (labels, sources, model, recipe, probabilities, embedding, reference))
    how = How(settings, cluster, store, progress or Silent(), command, methods, since)
    if isinstance(source, (str, Path)) and (cluster or store or (alone and large(source))):
        done = _by_shards(source, columns, how, alone=alone)
        if done is not None:
            return done
    data = dataset_of(source, labels, sources, columns)
    target = Target("dataset", data.name, data.digest, len(data), facts_of(data, since))
    data = data.canonical()
    rows = as_pictures(data)
    trusted = None if reference is None else as_pictures(trusted_of(reference, label, data))
    inputs = inputs_of(rows, model=model, recipe=recipe, probabilities=probabilities, trusted=trusted)
    inputs["manifest"] = since
    if embedding is not None:
        from mithridate.models.extractors import extract

        inputs["embedding"] = extract(embedding, data)
    of_sounds = data.modality == "audio"
    del data
    report, table = _run(target, inputs, how, rows.modality)
    if of_sounds:
        report = replace(report, findings=tuple(map(in_words_of_sound, report.findings)))
    return _finished(report, table, source, columns)


def _by_shards(source: str | Path, columns: Columns, how: How, *, alone: bool) -> AuditReport | None:
    """The audit of a large Parquet source, shard by shard; None where the source fits into memory."""
    from mithridate.flows.audit_shards import audit_shards, shards_of_source

    shards = shards_of_source(source, columns, alone=alone, asked=bool(how.cluster or how.store))
    if shards is None:
        return None
    report, table = audit_shards(shards, how)
    return _finished(report, table, source, columns)


def _run(target: Target, inputs: dict[str, Any], how: How, modality: str) -> tuple[Report, RowTable]:
    methods = [how.methods] if isinstance(how.methods, str) else how.methods
    job = Job(
        "poison", target, inputs, how.settings, modality=modality, command=how.command, progress=how.progress,
        wanted=frozenset(methods),
    )  # fmt: skip
    with threads(how.settings.jobs):
        return run(job)


def _finished(report: Report, table: RowTable | ShardRows, source: Any, columns: Columns) -> AuditReport:
    if isinstance(source, (str, Path)):
        report = with_commands(report, table.flagged, Path(source), columns)
    parts = {item.name: getattr(report, item.name) for item in fields(Report)}
    return AuditReport(**parts, table=table)
