"""Which columns a record is made of, and what a caller wishes of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns (arrays of an npz) a record is made of.

    `others` are all columns beside content, label and source, in the order of their names: they are covered like them.
    `left_out` are those that no leaf covers: left out by name, the time, and what isn't one value a record. `new` are
    columns of a source that its manifest doesn't know. `shape` is a row's in an array, () for a number or text, None
    where the content is columns of a table.
    """

    content: tuple[str, ...]
    label: str | None = None
    source: str | None = None
    time: str | None = None
    left_out: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    others: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    @property
    def covered(self) -> list[str]:
        """Every column of which a leaf is made."""
        return [*self.content, *(name for name in (self.label, self.source) if name is not None), *self.others]

    @property
    def read(self) -> list[str]:
        """Every column that is read: the covered ones and the time."""
        return [*self.covered, *([] if self.time is None else [self.time])]

    def over(self, names: Collection[str]) -> Layout:
        """The same with `left_out` made of all of these columns that aren't covered."""
        covered = set(self.covered)
        return replace(self, left_out=tuple(name for name in names if name not in covered))

    def to_json(self) -> dict[str, Any]:
        """Flat JSON."""
        shape = None if self.shape is None else list(self.shape)
        return {
            "content": list(self.content), "label": self.label, "source": self.source, "time": self.time,
            "others": list(self.others), "left_out": list(self.left_out), "shape": shape,
        }  # fmt: skip

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Layout:
        """The inverse of `to_json`; `ValueError` for a layout without content."""
        shape = raw.get("shape")
        if not raw["content"]:
            msg = "no content"
            raise ValueError(msg)
        return cls(
            tuple(map(str, raw["content"])), _text(raw.get("label")), _text(raw.get("source")), _text(raw.get("time")),
            tuple(map(str, raw.get("left_out", ()))), None if shape is None else tuple(map(int, shape)),
            tuple(map(str, raw.get("others", ()))),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller says of the columns; `known` is the layout of a manifest that the source should have again.

    left_out : columns that no leaf shall cover, because they change and the record doesn't.
    """

    label: str | None = None
    source: str | None = None
    content: str | None = None
    modality: str | None = None
    time: str | None = None
    known: Layout | None = None
    left_out: tuple[str, ...] = ()

    @property
    def apart(self) -> set[str]:
        """Columns that a reader doesn't choose from: left out, the time, and the manifest's other columns."""
        known = self.known
        found = {*self.left_out, *([] if self.time is None else [self.time])}
        return found if known is None else found | {*known.left_out, *known.others} - {self.label, self.source}

    def again(self, names: Collection[str]) -> Layout | None:
        """The known layout over these columns, label and source as named by hand; None where a column is gone."""
        known = self.known
        if known is None or self.content is not None:
            return None
        label = known.label if self.label is None else self.label or None
        source = known.source if self.source is None else self.source
        found = replace(known, label=label, source=source, time=None, shape=None)
        lost = (known.label is not None and label is None) or not set(found.covered) <= set(names)
        if lost or len(set(found.covered)) != len(found.covered):
            return None
        return replace(found.over(names), new=self.news(found, names))

    def others(self, found: Layout, names: Collection[str]) -> Layout:
        """The layout with all columns that it doesn't name yet among its others, but for those that are left out.

        Of a source that has a manifest they are the manifest's, if they are there.
        """
        if self.known is None:
            rest = set(names) - set(found.covered) - self.apart
            return replace(found, others=tuple(sorted(rest))).over(names)
        kept = tuple(name for name in self.known.others if name in names)
        with_kept = replace(found, others=kept, time=None)
        return replace(with_kept.over(names), new=self.news(with_kept, names))

    def news(self, found: Layout, names: Collection[str]) -> tuple[str, ...]:
        """Of these columns, those that a manifest knows neither as covered nor as left out."""
        known = self.known
        if known is None:
            return ()
        seen = {*found.covered, *known.covered, *known.left_out, known.time}
        return tuple(name for name in names if name not in seen)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
