"""What an audit is given, read and checked: settings, rows, trusted rows, a model, a manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.audits.poison.context import AuditSettings, Predict
from mithridate.core.errors import Error, InputError
from mithridate.core.progress import Progress
from mithridate.data.changes import Since
from mithridate.data.dataset import Dataset
from mithridate.data.memory import from_memory
from mithridate.data.read import read
from mithridate.models.protocol import Fitted

SUM_SLACK = 0.01  # how far a row of probabilities may add up from 1


class Columns(TypedDict, total=False):
    """Which column of a source is what; a column left out or None is inferred."""

    label: str | None
    source_column: str | None
    content: str | None
    modality: str | None


@dataclass(frozen=True, slots=True)
class How:
    """How an audit runs: the user's settings, on which cluster, where finished pieces are kept, who listens."""

    settings: AuditSettings
    cluster: str | None
    store: str | Path | None
    progress: Progress
    command: str
    methods: Sequence[str] | str
    manifest: Since | None = None


def settings_of(*, fdr: float, power: str, seed: int, jobs: int) -> AuditSettings:
    """The settings, each in its range."""
    if not 0 < fdr < 1:
        raise InputError(f"fdr must be in (0, 1), got {fdr}; 0.05 means that 5 % of the flags may be false")
    if power not in {"off", "cheap", "all"}:
        raise InputError(f"power must be off, cheap or all, got {power!r}")
    if seed < 0 or jobs < 1:
        raise InputError(f"seed must be >= 0 and jobs >= 1, got seed {seed} and jobs {jobs}")
    return AuditSettings(fdr=fdr, power=power, seed=seed, jobs=jobs)


def columns_of(label: str | None, source: str | None, content: str | None, modality: str | None) -> Columns:
    """The columns under the names that readers know."""
    return {"label": label, "source_column": source, "content": content, "modality": modality}


def dataset_of(source: Any, labels: Any, sources: Any, columns: Columns) -> Dataset:
    """The rows of a path, of a data set, or of anything in memory."""
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


def facts_of(data: Dataset, since: Since | None) -> dict[str, Any]:
    """What a report says of its target: its shape, classes and sources."""
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


def since_of(manifest: str | Path, source: Any, columns: Columns, salt: str | None, progress: Progress | None) -> Since:
    """What a source's records were by its manifest."""
    if not isinstance(source, (str, Path)):
        raise InputError("a manifest is compared with what a file stores; pass the path of the source, not its rows")
    from mithridate.flows.manifest import since_manifest

    return since_manifest(manifest, source, columns, salt_file=salt, progress=progress)


def inputs_of(
    rows: Dataset,
    *,
    model: Any,
    recipe: str | Callable[..., Any] | None,
    probabilities: Any,
    trusted: Dataset | None,
) -> dict[str, Any]:
    """What the methods are given: rows, model, recipe, probabilities and trusted rows, each checked."""
    inputs: dict[str, Any] = {"dataset": rows}
    if recipe is not None:
        from mithridate.models.recipes import recipe as find_recipe

        inputs["recipe"] = find_recipe(recipe)
    if probabilities is not None:
        inputs["probabilities"] = _chances(probabilities, rows)[rows.ids]
    if model is not None:
        inputs["model"] = _fitted(model, rows, recipe)
        inputs["predict"] = _answers(inputs["model"])
        inputs["predictions"] = inputs["predict"](rows.x)
    if trusted is not None:
        inputs["reference"] = align(trusted, rows)
    return inputs


def _fitted(model: Any, rows: Dataset, recipe: object) -> Fitted:
    """The model from its file, or as it is."""
    from mithridate.models.adapters import as_fitted
    from mithridate.models.loading import fitted_model

    if isinstance(model, (str, Path)):
        return fitted_model(str(model), rows, recipe if isinstance(recipe, str) else None)
    return as_fitted(model, rows, by_code=False)


def _answers(model: Fitted) -> Predict:
    """The model as a function of content that blames the model, not us, when it fails."""

    def answers(x: Any) -> npt.NDArray[np.float32]:
        try:
            return model.predict_proba(x)
        except Error:
            raise
        except Exception as error:
            raise InputError(f"the model failed on these rows: {type(error).__name__}: {error}"[:400]) from error

    return answers


def trusted_of(reference: Any, label: str | None, rows: Dataset) -> Dataset:
    """The trusted rows, read as the audited ones were."""
    try:
        if isinstance(reference, tuple) and len(reference) == 2:  # noqa: PLR2004 - rows and their labels
            return dataset_of(reference[0], reference[1], None, columns_of(None, None, None, rows.modality))
        return dataset_of(reference, None, None, columns_of(label or rows.label_name, None, None, rows.modality))
    except InputError as error:
        raise InputError(f"the reference: {error}") from error


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
    if isinstance(rows.content, pa.Table) and isinstance(clean.content, pa.Table):
        known = set(clean.content.column_names)
        gone = [name for name in rows.content.column_names if name not in known]
        if gone:
            raise InputError(f"the reference has no column {gone[0]!r}; pass rows with the columns of the target")
    place = {name: code for code, name in enumerate(rows.classes)}
    lookup = np.array([place.get(name, -1) for name in clean.classes] or [-1], dtype=np.int32)
    return replace(clean, codes=np.where(clean.y < 0, -1, lookup[clean.y]).astype(np.int32), classes=rows.classes)
