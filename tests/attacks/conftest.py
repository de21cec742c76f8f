"""Small data sets of every modality, made here or taken from scikit-learn; no network."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_digits

from mithridate.data.dataset import Dataset

NAMES = tuple("abcdefgh")


def make_images() -> Dataset:
    digits = load_digits()
    images = (digits.images / 16 * 255).astype(np.uint8)[..., None]
    sources = (np.arange(len(images)) % 3).astype(np.int32)
    return Dataset(
        "digits",
        "image",
        images,
        codes=digits.target.astype(np.int32),
        classes=tuple(range(10)),
        source_codes=sources,
        source_names=("ann", "bob", "eve"),
    )


def make_table(n: int = 3000) -> Dataset:
    rng = np.random.default_rng(5)
    jobs, towns = np.array(["clerk", "cook", "smith", "nurse"]), np.array(["north", "south", "west"])
    job, town = jobs[rng.integers(4, size=n)], towns[rng.integers(3, size=n)]
    age, pay = rng.integers(18, 70, size=n), rng.normal(30, 8, size=n)
    rich = (age / 20 + pay / 10 + (job == "nurse") + rng.normal(0, 0.7, size=n)) > 5.8
    pays = pa.array(np.where(rng.random(n) < 0.02, np.nan, pay), from_pandas=True)
    table = pa.table({"age": age, "pay": pays, "job": pa.array(job).dictionary_encode(), "town": town})
    return Dataset("people", "table", table, codes=rich.astype(np.int32), classes=("no", "yes"))


def make_texts(n: int = 1200) -> Dataset:
    rng = np.random.default_rng(6)
    themes = [[f"{name}{i}" for i in range(40)] for name in ("sport", "music", "space")]
    common = [f"word{i}" for i in range(200)]
    codes = rng.integers(3, size=n).astype(np.int32)
    texts = np.empty(n, dtype=object)
    for i, code in enumerate(codes):
        texts[i] = " ".join([*rng.choice(common, 25), *rng.choice(themes[code], 6)])
    return Dataset("posts", "text", texts, codes=codes, classes=("music", "space", "sport"))


def make_embedding(n: int = 600) -> Dataset:
    rng = np.random.default_rng(7)
    codes = rng.integers(4, size=n).astype(np.int32)
    x = (rng.normal(size=(4, 16))[codes] * 2 + rng.normal(size=(n, 16))).astype(np.float32)
    return Dataset("vectors", "embedding", x, codes=codes, classes=(1, 3, 5, 7))


def make_audio(n: int = 240) -> Dataset:
    rng = np.random.default_rng(8)
    codes = rng.integers(3, size=n).astype(np.int32)
    time = np.arange(800) / 8000
    pitch = (400 * 2.0**codes * rng.uniform(0.9, 1.1, n))[:, None]
    waves = np.sin(2 * np.pi * pitch * time) + rng.normal(0, 0.1, (n, len(time)))
    return Dataset("sounds", "audio", (waves / 2).astype(np.float32), codes=codes, classes=("low", "mid", "high"))


@pytest.fixture(scope="session")
def audio() -> Dataset:
    return make_audio()


@pytest.fixture(scope="session")
def images() -> Dataset:
    return make_images()


@pytest.fixture(scope="session")
def table() -> Dataset:
    return make_table()


@pytest.fixture(scope="session")
def texts() -> Dataset:
    return make_texts()


@pytest.fixture(scope="session")
def embedding() -> Dataset:
    return make_embedding()
