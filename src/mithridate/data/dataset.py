"""Rows of content with a label, a source and a hash each: what every audit and attack works on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.core.errors import InputError
from mithridate.data.hashing import fingerprint, hash_rows, stable_order

if TYPE_CHECKING:
    import pandas as pd

Modality = Literal["image", "table", "text", "embedding", "audio"]
MODALITIES: tuple[Modality, ...] = ("image", "table", "text", "embedding", "audio")
RATE = 16_000.0  # samples a second of sounds that come without a rate

Content: TypeAlias = "npt.NDArray[Any] | pa.Table"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Content, labels, sources; never mutated, so that a method can't spoil it for the next.

    Parameters
    ----------
    name : what the report calls it (a file name, never a path).
    modality : `image`, `table`, `text`, `embedding` or `audio`.
    content : image (n, h, w, c) uint8 or float32 in [0, 1]; embedding (n, d) float32; text (n,) object array of str;
        audio (n, samples) float32 in [-1, 1]; table: an Arrow table without the label and source columns.
    codes : (n,) int32 class ids in [0, c); -1 where the label is missing.
    classes : the c stored labels, sorted; `codes` index it.
    source_codes, source_names : (n,) int32 and the names it indexes; None and () without sources.
    label_name, source_name, content_name : the columns or arrays they were stored in (a table's content has none).
    class_names : what the classes are called, one a class, where the source says more than the stored label; else ().
    rate : samples a second of audio; other kinds have none.
    beside : instruction data's columns as its file has them, `response_name` (the response, or the messages) among
        them; the column of the prompts is there as nulls, since `content` holds them.
    row_ids : (n,) int64, each row's 0-based position in reading order. Report these, never array positions.
    """

    name: str
    modality: Modality
    content: Content
    codes: npt.NDArray[np.int32] | None = None
    classes: tuple[Any, ...] = ()
    source_codes: npt.NDArray[np.int32] | None = None
    source_names: tuple[str, ...] = ()
    row_ids: npt.NDArray[np.int64] | None = None
    label_name: str = "y"
    source_name: str = "source"
    class_names: tuple[str, ...] = ()
    content_name: str = ""
    rate: float = RATE
    beside: pa.Table | None = None
    response_name: str = ""

    def __post_init__(self) -> None:
        if self.row_ids is None:
            object.__setattr__(self, "row_ids", np.arange(len(self), dtype=np.int64))

    def __len__(self) -> int:
        return int(self.content.num_rows if isinstance(self.content, pa.Table) else len(self.content))

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """(n,) positions in reading order."""
        return cast("npt.NDArray[np.int64]", self.row_ids)

    @property
    def x(self) -> Any:
        """Content as recipes take it: float32 images in [0, 1], float32 embeddings, list of str, pandas frame."""
        if isinstance(self.content, pa.Table):
            return self.frame()
        if self.modality == "text":
            return [str(item) for item in self.content]
        if self.modality == "image" and self.content.dtype == np.uint8:
            return np.divide(self.content, np.float32(255), dtype=np.float32)
        return self.content.astype(np.float32, copy=False)

    @property
    def y(self) -> npt.NDArray[np.int32]:
        """(n,) class codes 0..c-1; `InputError` when the data set has no labels."""
        if self.codes is None:
            msg = f"{self.name} has no labels; name the column with --label (Python: labels=...)"
            raise InputError(msg)
        return self.codes

    @property
    def n_classes(self) -> int:
        """Number of distinct labels."""
        return len(self.classes)

    @cached_property
    def hashes(self) -> npt.NDArray[np.void]:
        """(n,) 16-byte BLAKE2b of each row's content alone (label and source left out)."""
        return hash_rows(self.content)

    @cached_property
    def order(self) -> npt.NDArray[np.int64]:
        """(n,) array positions, read-only, in an order that content and label alone decide, however the rows came in.

        Numeric arrays go by a 64-bit fingerprint, some ten times cheaper than their hashes; all else by content hash.
        """
        codes = np.zeros(len(self), np.int32) if self.codes is None else self.codes
        if isinstance(self.content, np.ndarray) and self.content.dtype.kind in "uif":
            order = stable_order(fingerprint(self.content, codes))
        else:
            words = np.ascontiguousarray(self.hashes).view(np.uint64).reshape(-1, 2)
            order = np.lexsort((codes, words[:, 1], words[:, 0])).astype(np.int64, copy=False)
        order.flags.writeable = False
        return order

    @cached_property
    def digest(self) -> str:
        """`sha256:` + hex over content hashes, labels and sources in reading order."""
        order = np.argsort(self.ids, kind="stable")
        total = hashlib.sha256(np.ascontiguousarray(self.hashes[order]).tobytes())
        for codes, names in ((self.codes, self.classes), (self.source_codes, self.source_names)):
            total.update(repr([str(name) for name in names]).encode())
            total.update(b"" if codes is None else np.ascontiguousarray(codes[order]).tobytes())
        if self.beside is not None:
            total.update(np.ascontiguousarray(hash_rows(self.beside)[order]).tobytes())
        return "sha256:" + total.hexdigest()

    def take(self, rows: npt.NDArray[np.integer[Any]] | Sequence[int]) -> Dataset:
        """These rows in this order (array positions, not row ids); classes and names stay as they are."""
        index = np.asarray(rows, dtype=np.int64)
        taken = replace(
            self,
            content=self.content.take(pa.array(index)) if isinstance(self.content, pa.Table) else self.content[index],
            codes=None if self.codes is None else self.codes[index],
            source_codes=None if self.source_codes is None else self.source_codes[index],
            row_ids=self.ids[index],
            beside=None if self.beside is None else self.beside.take(pa.array(index)),
        )
        if "hashes" in self.__dict__:
            taken.__dict__["hashes"] = self.hashes[index]
        return taken

    def canonical(self) -> Dataset:
        """The same rows in content-hash order, so that nothing computed from them depends on the order they came in."""
        parts = [self.hashes.view(np.uint64).reshape(-1, 2)[:, column] for column in (0, 1)]
        extra: list[npt.NDArray[Any]] = [codes for codes in (self.source_codes, self.codes) if codes is not None]
        if self.beside is not None:
            extra += list(hash_rows(self.beside).view(np.uint64).reshape(-1, 2).T)
        return self.take(np.lexsort((*extra, *parts)))

    def folds(self, n_folds: int = 2) -> npt.NDArray[np.int8]:
        """(n,) fold of each row by content hash: copies of one row always share a fold."""
        words = np.ascontiguousarray(self.hashes).view(np.uint64).reshape(-1, 2)[:, 1]
        return cast("npt.NDArray[np.int8]", (words % np.uint64(n_folds)).astype(np.int8))

    def label_of(self, code: int) -> Any:
        """The stored label of a class code, as a plain Python value."""
        label = self.classes[code]
        return label.item() if isinstance(label, np.generic) else label

    def source_counts(self, rows: npt.NDArray[np.integer[Any]]) -> dict[str, int]:
        """How many of these rows (array positions) came from each source, most first."""
        if self.source_codes is None:
            return {}
        counts = np.bincount(self.source_codes[rows], minlength=len(self.source_names))
        order = np.argsort(-counts, kind="stable")
        return {self.source_names[i]: int(counts[i]) for i in order if counts[i]}

    def frame(self) -> pd.DataFrame:
        """A table's columns as a pandas frame."""
        return cast("pd.DataFrame", cast("pa.Table", self.content).to_pandas())
