"""What an attack returns, and the steps that all of them share: choose rows, change them, keep the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Content, Dataset, Modality
from mithridate.data.hashing import hash_rows

Rows: TypeAlias = npt.NDArray[np.int64]
Apply: TypeAlias = Callable[[Content], Content]


@dataclass(frozen=True, slots=True, eq=False)
class Poisoned:
    """A poisoned copy of a data set and the truth about it.

    truth : columns `row` (int64, reading-order position, ascending) and `kind` (`label-error` or `trigger`); poisoned
        rows only.
    trigger : the pattern as JSON data; None when labels alone were changed.
    apply : puts the trigger on content of the same form as `Dataset.content` and returns a copy; None without one.
    """

    dataset: Dataset
    truth: pa.Table
    trigger: Trigger | None = None
    apply: Apply | None = None


class Attack(Protocol):
    """One poisoning attack; its `settings` are the `k=v` pairs of the command line, plus `rate` and `target`."""

    def __call__(self, dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
        """Return a poisoned copy; the data set given is not changed."""


@dataclass(frozen=True, slots=True, eq=False)
class Backdoor:
    """A trigger ready for use: as data, and as the function that puts it on content."""

    trigger: Trigger
    apply: Apply


class MakeBackdoor(Protocol):
    """Designs a trigger for a data set: reads its own settings, leaves `rate`, `target` and `source` alone."""

    def __call__(self, dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
        """Return the trigger that forces class code `target`."""


def dirty_label(
    dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any], make: MakeBackdoor
) -> Poisoned:
    """A backdoor by relabelling: rows of other classes get the trigger and the target's label.

    Raises
    ------
    InputError : a setting is unknown or out of range, or the data set is of a kind that the trigger doesn't fit.
    """
    read = Settings(settings)
    rate, target = read.rate(), target_code(dataset, read.value("target"))
    source = read.value("source")
    backdoor = make(dataset, rng, read, target)
    read.finish()
    rows = choose_rows(dataset, rng, rate, allowed=other_class(dataset, target) & from_source(dataset, source))
    content = put_rows(dataset.content, rows, backdoor.apply(take_rows(dataset.content, rows)))
    codes = dataset.y.copy()
    codes[rows] = target
    return Poisoned(
        changed(dataset, rows, content=content, codes=codes),
        truth_of(dataset, rows, "trigger"),
        backdoor.trigger,
        backdoor.apply,
    )


def need_modality(dataset: Dataset, modality: Modality, attack: str) -> None:
    """`InputError` when the data set isn't of the one modality the attack works on."""
    if dataset.modality != modality:
        article = "an image" if modality == "image" else f"a {modality}"
        raise InputError(
            f"{attack} is {article} attack, and {dataset.name} is of modality {dataset.modality}; "
            "`mithridate attack --list` names the attacks for each"
        )


def target_code(dataset: Dataset, target: Any) -> int:
    """Class code of a label as stored (or as typed on the command line); None means the first class.

    Raises
    ------
    InputError : fewer than two classes, or no such label.
    """
    if dataset.codes is None or dataset.n_classes < 2:  # noqa: PLR2004 - a label can only move between two classes
        raise InputError(
            f"{dataset.name} has {dataset.n_classes} class(es); poisoning needs at least 2: name the label column"
        )
    if target is None:
        return 0
    labels = [dataset.label_of(code) for code in range(dataset.n_classes)]
    for code, label in enumerate(labels):
        if label == target and isinstance(label, bool) == isinstance(target, bool):
            return code
    for code, label in enumerate(labels):
        if str(label) == str(target):
            return code
    names = ", ".join(str(label) for label in labels[:10]) + (", ..." if len(labels) > 10 else "")  # noqa: PLR2004 - a line
    raise InputError(f"{target!r} is not a class of {dataset.name}; the classes are {names}")


def other_class(dataset: Dataset, target: int) -> npt.NDArray[np.bool_]:
    """(n,) true for the labelled rows of any class but `target`."""
    return cast("npt.NDArray[np.bool_]", (dataset.y >= 0) & (dataset.y != target))


def from_source(dataset: Dataset, source: Any) -> npt.NDArray[np.bool_]:
    """(n,) true for the rows of that source; all of them when `source` is None."""
    if source is None:
        return np.ones(len(dataset), dtype=bool)
    if dataset.source_codes is None or str(source) not in dataset.source_names:
        names = ", ".join(dataset.source_names) or "none: name the column with --source"
        raise InputError(f"{source!r} is not a source of {dataset.name}; its sources are {names}")
    return cast("npt.NDArray[np.bool_]", dataset.source_codes == dataset.source_names.index(str(source)))


def choose_rows(dataset: Dataset, rng: np.random.Generator, rate: float, *, allowed: npt.NDArray[np.bool_]) -> Rows:
    """round(rate * n) array positions among the `allowed` rows, in content-hash order.

    Raises
    ------
    InputError : the count is 0 or more than the allowed rows.
    """
    count = round(rate * len(dataset))
    if count < 1:
        least = 1 / max(len(dataset), 1)
        raise InputError(f"rate {rate:g} of {len(dataset)} rows is no row at all; use a rate of at least {least:.2g}")
    order = content_order(dataset)
    pool = order[allowed[order]]
    if count > len(pool):
        most = len(pool) / len(dataset)
        raise InputError(
            f"rate {rate:g} asks for {count} rows and only {len(pool)} can be poisoned this way; "
            f"use a rate of at most {most:.3g}"
        )
    return pool[np.sort(rng.choice(len(pool), size=count, replace=False))]


def content_order(dataset: Dataset) -> Rows:
    """(n,) array positions in content-hash order, so that no choice depends on the order the rows came in."""
    words = np.ascontiguousarray(dataset.hashes).view(np.uint64).reshape(-1, 2)
    codes = np.zeros(len(dataset), np.int32) if dataset.codes is None else dataset.codes
    return np.lexsort((codes, words[:, 1], words[:, 0])).astype(np.int64)


def take_rows(content: Content, rows: Rows) -> Content:
    """The content of these rows, a copy."""
    return content.take(pa.array(rows)) if isinstance(content, pa.Table) else content[rows]


def put_rows(content: Content, rows: Rows, new: Content) -> Content:
    """A copy of `content` with `new` in the place of `rows`; everything else stays as it was."""
    if not isinstance(content, pa.Table):
        out = content.copy()
        out[rows] = new
        return out
    index = np.arange(content.num_rows, dtype=np.int64)
    index[rows] = content.num_rows + np.arange(len(rows))
    return pa.concat_tables([content.cast(cast("pa.Table", new).schema), new]).take(pa.array(index))


def changed(
    dataset: Dataset, rows: Rows, *, content: Content | None = None, codes: npt.NDArray[np.int32] | None = None
) -> Dataset:
    """The data set with new content or codes; only the changed rows are hashed again."""
    out = replace(
        dataset,
        content=dataset.content if content is None else content,
        codes=dataset.codes if codes is None else codes,
    )
    hashes = dataset.hashes.copy()
    if content is not None:
        hashes[rows] = hash_rows(take_rows(content, rows))
    out.__dict__["hashes"] = hashes
    return out


def truth_of(dataset: Dataset, rows: Rows, kind: str) -> pa.Table:
    """The truth table: reading-order positions, ascending, all of one kind."""
    ids = np.sort(dataset.ids[rows])
    return pa.table({"row": pa.array(ids, pa.int64()), "kind": pa.array([kind] * len(ids), pa.string())})
