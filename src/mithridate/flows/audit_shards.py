"""The audit of a Parquet source shard by shard: which sources take this road, on what it runs, where it goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mithridate.audits.poison.sharded.combine import ShardRows
from mithridate.compute import Executor, executor
from mithridate.compute.threads import threads
from mithridate.core.errors import InputError
from mithridate.core.report import CheckResult, Report, Target
from mithridate.data.options import Options, checked_modality
from mithridate.data.read import printable
from mithridate.data.shards import Shards, count_parquet, find_shards
from mithridate.flows.audit_inputs import How
from mithridate.run import Job, run

STORE = Path(".mithridate/cache")


def shards_of_source(source: str | Path, columns: Mapping[str, Any], *, alone: bool, asked: bool) -> Shards | None:
    """A large source as shards when it can be audited by them, else None.

    Parameters
    ----------
    columns : which column is what, as `audit` takes it.
    alone : whether nothing came with the rows that is itself held in memory, such as a model.
    asked : whether the user asked for shards, by a cluster or a store.

    Raises
    ------
    InputError : shards were asked for and the source can't be audited so; damaged files.
    """
    path = Path(source)
    options = Options(
        name=printable(path.name or path.resolve().name),
        label=columns.get("label"),
        source=columns.get("source_column"),
        content=columns.get("content"),
        modality=checked_modality(columns.get("modality")),
    )
    if asked and not alone:
        msg = "--cluster and --store work on rows alone; leave out the model, recipe, embedding and reference"
        raise InputError(msg)
    if asked and not count_parquet(path):
        raise InputError(
            f"{options.name} is no Parquet source; --cluster and --store work on Parquet files and folders"
        )
    shards = find_shards(path, options)
    if shards.plan.modality in {"table", "embedding"} and shards.plan.label is not None:
        return shards
    if asked:
        raise InputError(
            f"{options.name} can't be audited by shards: it needs labels and columns of a table or vectors"
        )
    return None


def audit_shards(shards: Shards, how: How, *, runner: Executor | None = None) -> tuple[Report, ShardRows]:
    """Audit the shards: the report, and the row table that is made shard by shard.

    Parameters
    ----------
    runner : what the work runs on, instead of what the settings say.

    Raises
    ------
    InputError : damaged files, or columns that can't be read.
    """
    inputs = {
        "shards": shards,
        "store": Path(how.store or STORE),
        "executor": runner or _executor(how),
        "manifest": how.manifest,
    }
    job = Job(
        "poison-shards", Target("dataset", shards.name, "", shards.n_rows), inputs, how.settings,
        modality=shards.plan.modality, command=how.command, progress=how.progress,
        wanted=frozenset([how.methods] if isinstance(how.methods, str) else how.methods),
    )  # fmt: skip
    with threads(1):
        report, rows = run(job)
    target = _target(shards, rows)
    if how.manifest is not None:
        target = replace(target, extra={**target.extra, "manifest_root": how.manifest.root})
    return replace(report, target=target, checks=(*report.checks, *_lost(rows))), rows


def _executor(how: How) -> Executor:
    if how.cluster is None:
        return executor(how.settings.jobs)
    from mithridate.compute.ray import RayCluster

    return RayCluster(how.cluster, jobs=how.settings.jobs if how.settings.jobs > 1 else None)


def _target(shards: Shards, rows: ShardRows) -> Target:
    context = rows.context
    digest = hashlib.sha256("".join(part.census.facts["digest"] for part in context.parts).encode()).hexdigest()
    facts: dict[str, Any] = {"modality": shards.plan.modality, "classes": len(context.labels)}
    if context.sources:
        facts["sources"] = len(context.sources)
    if shards.plan.modality == "table":
        facts["columns"] = len(shards.plan.content)
    facts |= {"shards": len(shards.shards), "rows_read": context.n_rows}
    return Target("dataset", shards.name, f"sha256:{digest}", shards.n_rows, facts)


def _lost(rows: ShardRows) -> tuple[CheckResult, ...]:
    """A failed check when a shard was lost: what nobody looked at never counts as clean."""
    context = rows.context
    if not context.lost:
        return ()
    lost = [context.source.shards[place] for place in sorted(context.lost)]
    n_rows = sum(shard.n_rows for shard in lost)
    reason = (
        f"{len(lost)} of {len(context.source.shards)} shards ({n_rows:,} rows, the first from row {lost[0].start:,}) "
        f"were not read: {next(iter(context.lost.values()))}; run again, finished shards are kept"
    )
    return (CheckResult("PSN100", "lost-shards", "Shards that were not read", "failed", reason),)
