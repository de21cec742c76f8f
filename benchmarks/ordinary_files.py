"""Ordinary files, saved as their libraries save them: `python ordinary_files.py FOLDER` makes what this Python can.

Data, fitted estimators, networks, checkpoints, every pickle protocol, every compressor of joblib, and the text, tables
and pictures that lie beside models. What a library can't make here is left out and said.
"""

from __future__ import annotations

import bz2
import collections
import csv
import datetime as dt
import decimal
import fractions
import functools
import gzip
import http
import io
import ipaddress
import json
import lzma
import operator
import pathlib
import pickle
import random
import re
import sqlite3
import struct
import sys
import tarfile
import uuid
import warnings
import wave
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ordinary_models import ALL, ROWS, estimators, networks, trees
from ordinary_strangers import strangers
from ordinary_unfamiliar import unfamiliar


class Maker:
    """Writes files into one folder; `skipped` says what could not be made."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.skipped = folder, collections.Counter[str]()

    def write(self, name: str, save: Callable[[Path], object]) -> None:
        """Let `save` write the file of that name."""
        path = self.folder / name
        try:
            save(path)
        except Exception as error:  # noqa: BLE001 - a library that can't save this here is no matter of ours
            self.skipped[f"{type(error).__name__}: {error}"[:80]] += 1
            path.unlink(missing_ok=True)

    def pickled(self, name: str, thing: Any, protocols: Iterator[int] | range) -> None:
        """The thing by pickle, once a protocol."""
        for protocol in protocols:
            self.write(f"{name}.p{protocol}.pkl", lambda path, p=protocol: path.write_bytes(pickle.dumps(thing, p)))  # type: ignore[misc]


def plain(make: Maker) -> None:
    """What the standard library gives: values of every type, in every protocol, packed and not."""
    tree: dict[str, Any] = {
        "text": "naïve ☃",
        "bytes": b"\x80\x04",
        "numbers": [0, -1, 255, 1 << 40, -(1 << 70), 1.5, float("inf"), 2j, True, None],
        "nested": [{"a": (1, (2, (3,)))}] * 3,
        "set": {1, 2},
        "frozen": frozenset("ab"),
        "array": bytearray(b"xyz"),
    }
    values: dict[str, Any] = {
        "tree": tree,
        "long": list(range(3000)),
        "datetime": [dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.date(2026, 1, 2), dt.timedelta(3)],
        "decimal": [decimal.Decimal("1.5"), fractions.Fraction(1, 3)],
        "uuid": uuid.UUID(int=7),
        "path": pathlib.PurePosixPath("a/b"),
        "collections": [
            collections.OrderedDict(a=1),
            collections.Counter("aab"),
            collections.deque([1], maxlen=3),
            collections.defaultdict(list, a=[1]),
            collections.defaultdict(int),
        ],
        "pattern": re.compile(r"a+", re.IGNORECASE),
        "status": [http.HTTPStatus.OK, re.IGNORECASE],
        "address": ipaddress.ip_address("10.0.0.1"),
        "random": random.Random(0).getstate(),  # noqa: S311 - a value to save
        "range": [range(3), slice(1, 2), complex(1, 2), Ellipsis],
        "getter": [operator.itemgetter(1, 2), operator.attrgetter("a")],
        "methods": [str.split, str.lower, "a".join],
        "sorted": functools.partial(sorted, key=operator.itemgetter(1)),
        "dicts": collections.defaultdict(functools.partial(collections.defaultdict, list)),
        "types": [int, dict, list, ValueError],
        "error": [ValueError("no"), KeyError("k")],
        "partial": functools.partial(int, base=2),
        "builtin": [len, sorted],
    }
    for name, value in values.items():
        make.pickled(f"plain-{name}", value, ALL)
    body = pickle.dumps(tree)
    for suffix, pack in {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zlib": zlib.compress}.items():
        make.write(f"plain-tree.pkl.{suffix}", lambda path, f=pack: path.write_bytes(f(body)))  # type: ignore[misc]
    make.write("plain-in-a-row.pkl", lambda path: path.write_bytes(b"".join(pickle.dumps(v) for v in (1, tree, "x"))))


def texts(make: Maker) -> None:
    """What lies beside models: cards, configurations, tables, pictures, sound, archives of them."""
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": 768,
        "torch_dtype": "float32",
        "vocab_size": 30522,
    }
    vocabulary = {f"word{i}": i for i in range(5000)}
    tokenizer = {
        "version": "1.0",
        "model": {"type": "BPE", "vocab": vocabulary, "merges": ["a b", "c d"]},
        "added_tokens": [],
    }
    template = (
        "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
    )
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "source": ["import numpy as np\n", "np.load('x.npy')"],
                "metadata": {},
                "outputs": [],
                "execution_count": 1,
            },
            {"cell_type": "markdown", "source": ["# Title"], "metadata": {}},
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    rows = [["name", "value", "note"], *[[f"n{i}", i / 7, "all = good, -1 or + more"] for i in range(200)]]
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d))
        for k, d in (
            (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)),
            (b"IDAT", zlib.compress(bytes(72))),
            (b"IEND", b""),
        )
    )
    bodies: dict[str, bytes] = {
        "README.md": b"---\nlicense: mit\ntags: [text]\n---\n# A model\nLoad it with torch.load, never os.system.\n"
        * 5,
        "config.json": json.dumps(config, indent=2).encode(),
        "generation_config.json": b'{"max_length": 20, "_from_model_config": true}',
        "tokenizer.json": json.dumps(tokenizer).encode(),
        "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "BertTokenizer", "chat_template": template, "model_max_length": 512}
        ).encode(),
        "vocab.txt": "\n".join(vocabulary).encode(),
        "merges.txt": b"#version: 0.2\na b\nc d\n",
        "special_tokens_map.json": b'{"cls_token": "[CLS]", "unk_token": "[UNK]"}',
        "preprocessor_config.json": b'{"do_resize": true, "size": {"height": 224, "width": 224}}',
        "model.safetensors.index.json": json.dumps(
            {"metadata": {"total_size": 8}, "weight_map": {"a": "model-1.safetensors"}}
        ).encode(),
        "train.csv": table.getvalue().encode(),
        "train.tsv": table.getvalue().replace(",", "\t").encode(),
        "train.jsonl": "\n".join(json.dumps({"text": f"line {i}", "label": i % 2}) for i in range(300)).encode(),
        "notebook.ipynb": json.dumps(notebook).encode(),
        "requirements.txt": b"numpy==2.0\ntorch>=2\n",
        "params.yaml": b"lr: 0.001\nlayers: [1, 2]\noptimizer: {name: adam}\n",
        "pyproject.toml": b"[project]\nname = 'x'\n",
        ".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n",
        "LICENSE": b"Permission is hereby granted\n" * 20,
        "pointer.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12\n",
        "latin.txt": "Grüße aus Köln\n".encode("latin1") * 20,
        "utf16.txt": ("some words\n" * 3).encode("utf-16"),
        "empty.bin": b"",
        "picture.png": png,
        "log.txt": b"\x1b[32mepoch 1\x1b[0m loss 0.3\r\n" * 50,
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="3" height="3"/></svg>',
        "page.html": b"<!doctype html><p>words</p>",
        "labels.xml": b"<?xml version='1.0'?><annotation><object>cat</object></annotation>",
    }
    for name, body in bodies.items():
        make.write(f"text-{name}" if not name.startswith(".") else name, lambda path, b=body: path.write_bytes(b))  # type: ignore[misc]
    make.write("text-sound.wav", _sound)
    make.write("text-base.sqlite", _base)
    make.write("text-all.zip", lambda path: _zip(path, bodies, zipfile.ZIP_DEFLATED))
    make.write("text-stored.zip", lambda path: _zip(path, bodies, zipfile.ZIP_STORED))
    make.write("text-all.tar.gz", lambda path: _tar(path, bodies, "w:gz"))
    make.write("text-all.tar", lambda path: _tar(path, bodies, "w"))


def _sound(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(range(256)) * 8)


def _base(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute("create table a (b text)")
        base.execute("insert into a values ('words')")


def _zip(path: Path, bodies: dict[str, bytes], method: int) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, body in bodies.items():
            archive.writestr(f"model/{name}", body)


def _tar(path: Path, bodies: dict[str, bytes], mode: str) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, body in bodies.items():
            info = tarfile.TarInfo(f"model/{name}")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))


def arrays(make: Maker) -> None:
    """NumPy and SciPy: every kind of array, saved, packed, and pickled."""
    import numpy as np

    rng = np.random.default_rng(0)
    floats = rng.normal(size=(ROWS, 6))
    kinds: dict[str, Any] = {
        "float64": floats,
        "float32": floats.astype("f4"),
        "float16": floats.astype("f2"),
        "int8": rng.integers(0, 9, 99, "i1"),
        "uint8": rng.integers(0, 256, (40, 28, 28), "u1"),
        "bool": floats > 0,
        "complex": floats + 1j,
        "big": floats.astype(">f8"),
        "fortran": np.asfortranarray(floats),
        "text": np.array(["a", "bcd"]),
        "bytes": np.array([b"a", b"bc"]),
        "dates": np.array(["2026-01-01", "NaT"], "M8[D]"),
        "record": np.zeros(9, [("a", "f4"), ("b", "i4", (2,))]),
        "objects": np.array([1, "a", None, [1, 2]], dtype=object),
        "empty": np.zeros((0, 3)),
        "scalar": np.float32(3),
        "int": np.int64(7),
        "masked": np.ma.masked_array(floats, floats < 0),
        "noise": rng.integers(0, 256, 50_000, "u1"),
    }
    for name, array in kinds.items():
        make.pickled(f"numpy-{name}", array, ALL)
        make.write(f"numpy-{name}.npy", lambda path, a=array: np.save(path, a))  # type: ignore[misc]
    numbers = {k: v for k, v in kinds.items() if k != "masked"}
    make.write("numpy-all.npz", lambda path: np.savez(path, **numbers))
    make.write("numpy-packed.npz", lambda path: np.savez_compressed(path, **numbers))
    make.write("numpy-zeros.npz", lambda path: np.savez_compressed(path, a=np.zeros(4_000_000)))
    make.write("numpy-two.npy", lambda path: _two(np, path, floats))
    make.pickled("numpy-generator", np.random.default_rng(1), ALL)
    make.pickled("numpy-state", np.random.RandomState(1), ALL)
    make.pickled("numpy-dict", {"x": floats, "y": kinds["int8"], "f": np.mean}, ALL)
    from scipy import sparse

    for form in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok"):
        matrix = sparse.random(30, 20, 0.1, format=form, rng=0)
        make.pickled(f"scipy-{form}", matrix, range(2, 6))
        make.write(f"scipy-{form}.npz", lambda path, m=matrix: sparse.save_npz(path, m))  # type: ignore[misc]


def _two(np: Any, path: Path, array: Any) -> None:
    with path.open("wb") as file:
        np.save(file, array)
        np.save(file, array[:3])


def frames(make: Maker) -> None:
    """pandas: every kind of column and index."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=ROWS),
            "b": rng.integers(0, 5, ROWS),
            "c": rng.choice(["x", "y", "z"], ROWS),
            "d": pd.date_range("2026-01-01", periods=ROWS, tz="UTC"),
            "e": pd.Categorical(rng.choice(["u", "v"], ROWS)),
            "f": pd.array([1, None] * (ROWS // 2), dtype="Int64"),
            "g": pd.array(["s", None] * (ROWS // 2), dtype="string"),
            "h": pd.timedelta_range("1h", periods=ROWS),
            "i": pd.period_range("2026-01", periods=ROWS, freq="M"),
            "j": pd.interval_range(0, ROWS),
        }
    )
    things: dict[str, Any] = {
        "frame": frame,
        "indexed": frame.set_index(["b", "c"]),
        "series": frame["a"],
        "category": frame["e"],
        "times": frame["d"],
        "sparse": pd.Series(pd.arrays.SparseArray([0, 0, 1])),
        "strings": frame[["c", "g"]],
        "period": frame["i"],
        "interval": frame["j"],
        "range": pd.RangeIndex(5),
        "timestamp": pd.Timestamp("2026-01-01", tz="Europe/Berlin"),
        "na": [pd.NA, pd.NaT],
        "boolean": pd.Series([True, None], dtype="boolean"),
        "offset": pd.offsets.BusinessDay(2),
        "columns": frame.columns,
        "dtype": pd.CategoricalDtype(["a", "b"]),
    }
    for name, thing in things.items():
        make.pickled(f"pandas-{name}", thing, ALL)
    for suffix in ("gz", "bz2", "xz", "zip", "tar"):
        make.write(f"pandas-frame.pkl.{suffix}", frame.to_pickle)
    make.write("pandas-frame.csv.gz", frame.to_csv)
    make.write("pandas-frame.parquet", lambda path: frame.drop(columns=["i", "j"]).to_parquet(path))
    make.write("pandas-frame.feather", lambda path: frame.drop(columns=["i", "j"]).to_feather(path))


def main() -> int:
    """Make every group that this Python has the libraries for."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    groups = {
        "plain": plain,
        "texts": texts,
        "unfamiliar": unfamiliar,
        "strangers": strangers,
        "arrays": arrays,
        "frames": frames,
        "estimators": estimators,
        "networks": networks,
        "trees": trees,
    }
    make = Maker(folder)
    for name in sys.argv[2:] or groups:
        try:
            groups[name](make)
        except ImportError as error:
            print(f"{name}: {error}", file=sys.stderr)
    print(json.dumps({"files": sum(path.is_file() for path in folder.iterdir()), "skipped": dict(make.skipped)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
