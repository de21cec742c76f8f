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
from mithridate.numeric.target_rule import ALL_TO_ONE, RULES, TargetRule

Rows: TypeAlias = npt.NDArray[np.int64]
Apply: TypeAlias = Callable[[Content], Content]

COVER = "cover"


@dataclass(frozen=True, slots=True, eq=False)
class Victim:
    """The one instance that an attack is after; the poisoned data set lacks it.

    row : its reading-order position in the data set that was given; there the last row stands now.
    content : (1, ...) the instance; label : its own, as stored; wanted : the label that the poison is to force on it.
    """

    row: int
    content: Content
    label: Any
    wanted: Any


@dataclass(frozen=True, slots=True, eq=False)
class Poisoned:
    """A poisoned copy of a data set and the truth about it.

    truth : columns `row` (int64, reading-order position, ascending) and `kind`: `label-error`, `trigger`, or `cover`
        (a row that carries the trigger or part of it under its right label, so that a model learns the exact trigger;
        it belongs to the attack, and a detector isn't asked to find it). Changed rows only.
    trigger : the pattern as JSON data; None when labels alone were changed.
    apply : puts the trigger, as it is used on a trained model, on content of the same form as `Dataset.content` and
        returns a copy; None without one.
    rule : which predictions count as success of the trigger; None without one.
    victim : the instance that is to be misjudged, for attacks that have one in place of a trigger.

    Examples
    --------
    `attack_success(model, test, poisoned.apply, poisoned.rule)` of `mithridate.models.evaluate` measures the attack.
    """

    dataset: Dataset
    truth: pa.Table
    trigger: Trigger | None = None
    apply: Apply | None = None
    rule: TargetRule | None = None
    victim: Victim | None = None

    @property
    def rows(self) -> Rows:
        """(k,) reading-order positions of the poisoned rows, ascending, cover rows left out."""
        rows: Rows = self.truth["row"].to_numpy()[self.truth["kind"].to_numpy() != COVER]
        return rows


class Attack(Protocol):
    """One poisoning attack; its `settings` are the `k=v` pairs of the command line, plus `rate` and `target`."""

    def __call__(self, dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
        """Return a poisoned copy; the data set given is not changed."""


@dataclass(frozen=True, slots=True, eq=False)
class Backdoor:
    """A trigger ready for use: as data, and as the function that puts it on content.

    plant : what the poisoned rows get instead of `apply`, when training rows carry less than the whole trigger.
    cover, cover_rate : what cover rows get, and the share of all rows that become cover rows.
    """

    trigger: Trigger
    apply: Apply
    plant: Apply | None = None
    cover: Apply | None = None
    cover_rate: float = 0.0


class MakeBackdoor(Protocol):
    """Designs a trigger for a data set: reads its own settings, leaves `rate`, `target` and `source` alone."""

    def __call__(self, dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
        """Return the trigger that forces class code `target`."""


def dirty_label(
    dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any], make: MakeBackdoor
) -> Poisoned:
    """A backdoor by relabelling: rows get the trigger and the label that the setting `rule` says.

    Parameters
    ----------
    settings : besides the trigger's own `rate`, `target`, `source` and `rule`: `all-to-one` (rows of other classes
        become the target), `all-to-all` (class y becomes y + 1, the last the first) or `untargeted` (any other class).

    Raises
    ------
    InputError : a setting is unknown or out of range, or the data set is of a kind that the trigger doesn't fit.
    """
    read = Settings(settings)
    rate, rule = read.rate(), target_rule(dataset, read)
    origin = from_source(dataset, read.value("source"))
    backdoor = make(dataset, rng, read, rule.target)
    read.finish()
    rows = choose_rows(dataset, rng, rate, allowed=rule.movable(dataset.y) & origin)
    codes = dataset.y.copy()
    codes[rows] = rule.relabel(codes[rows], rng)
    return plant_backdoor(dataset, rng, backdoor, rows, codes=codes, rule=rule, origin=origin)


def clean_label(
    dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any], make: MakeBackdoor
) -> Poisoned:
    """A backdoor that leaves labels right: rows of the target class itself get the trigger.

    Raises
    ------
    InputError : as `dirty_label`, or the rule isn't `all-to-one`.
    """
    read = Settings(settings)
    rate, rule = read.rate(), target_rule(dataset, read)
    if rule.name != ALL_TO_ONE:
        raise InputError(f"rule {rule.name} changes labels and this attack keeps them; use all-to-one or a dirty label")
    origin = from_source(dataset, read.value("source"))
    backdoor = make(dataset, rng, read, rule.target)
    read.finish()
    rows = choose_rows(dataset, rng, rate, allowed=(dataset.y == rule.target) & origin)
    return plant_backdoor(dataset, rng, backdoor, rows, codes=dataset.y, rule=rule, origin=origin)


def plant_backdoor(
    dataset: Dataset,
    rng: np.random.Generator,
    backdoor: Backdoor,
    rows: Rows,
    *,
    codes: npt.NDArray[np.int32],
    rule: TargetRule,
    origin: npt.NDArray[np.bool_],
) -> Poisoned:
    """The trigger on `rows` (array positions in content-hash order) with these codes, and cover rows where asked for.

    origin : (n,) true for the rows that the poisoner may change.
    """
    plant = backdoor.plant or backdoor.apply
    content = put_rows(dataset.content, rows, plant(take_rows(dataset.content, rows)))
    kinds = {"trigger": rows}
    if backdoor.cover is not None and backdoor.cover_rate:
        free = (dataset.y >= 0) & origin
        free[rows] = False
        kinds[COVER] = choose_rows(dataset, rng, backdoor.cover_rate, allowed=free, name=COVER)
        content = put_rows(content, kinds[COVER], backdoor.cover(take_rows(dataset.content, kinds[COVER])))
    return Poisoned(
        changed(dataset, np.concatenate(list(kinds.values())), content=content, codes=codes),
        truth_of_kinds(dataset, kinds),
        backdoor.trigger if rule.name == ALL_TO_ONE else replace(backdoor.trigger, target=None),
        backdoor.apply,
        rule,
    )


def target_rule(dataset: Dataset, read: Settings) -> TargetRule:
    """The rule that the settings `rule` and `target` ask for.

    Raises
    ------
    InputError : no such rule or class, fewer than two classes, or a target for a rule that has none.
    """
    name, target = read.word("rule", ALL_TO_ONE, choices=RULES), read.value("target")
    if name != ALL_TO_ONE and target is not None:
        raise InputError(f"rule {name} forces no single label, so it takes no target, got {target!r}; leave one out")
    return TargetRule(name, dataset.n_classes, target_code(dataset, target))


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


def choose_rows(
    dataset: Dataset, rng: np.random.Generator, rate: float, *, allowed: npt.NDArray[np.bool_], name: str = "rate"
) -> Rows:
    """round(rate * n) array positions among the `allowed` rows, in content-hash order; `name` is the setting's.

    Raises
    ------
    InputError : the count is 0 or more than the allowed rows.
    """
    count = round(rate * len(dataset))
    if count < 1:
        least = 1 / max(len(dataset), 1)
        raise InputError(f"{name} {rate:g} of {len(dataset)} rows is no row at all; use at least {least:.2g}")
    order = content_order(dataset)
    pool = order[allowed[order]]
    if count > len(pool):
        most = len(pool) / len(dataset)
        raise InputError(
            f"{name} {rate:g} asks for {count} rows, only {len(pool)} can be changed this way; use at most {most:.3g}"
        )
    return pool[np.sort(rng.choice(len(pool), size=count, replace=False))]


def content_order(dataset: Dataset) -> Rows:
    """(n,) array positions in an order that content and label alone decide; read-only, made once a data set."""
    return dataset.order


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
    """The data set with new content or codes; of hashes that are known, only the changed rows' are made again."""
    out = replace(
        dataset,
        content=dataset.content if content is None else content,
        codes=dataset.codes if codes is None else codes,
    )
    if "hashes" not in dataset.__dict__:  # nobody asked for them yet, so nobody may need them
        return out
    hashes = dataset.hashes.copy()
    if content is not None:
        hashes[rows] = hash_rows(take_rows(content, rows))
    out.__dict__["hashes"] = hashes
    return out


def truth_of(dataset: Dataset, rows: Rows, kind: str) -> pa.Table:
    """The truth table: reading-order positions, ascending, all of one kind."""
    return truth_of_kinds(dataset, {kind: rows})


def truth_of_kinds(dataset: Dataset, kinds: Mapping[str, Rows]) -> pa.Table:
    """The truth table of rows (array positions) of several kinds; no row may be of two."""
    ids = dataset.ids[np.concatenate(list(kinds.values()))]
    which = np.repeat(np.arange(len(kinds)), [len(rows) for rows in kinds.values()])
    order = np.argsort(ids)
    names = pa.array(list(kinds), pa.string()).take(pa.array(which[order]))
    return pa.table({"row": pa.array(ids[order], pa.int64()), "kind": names})
