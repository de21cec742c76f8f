"""Harmless names used for harm: functions handed on to be called, memory and time without end, families of callables.

Nothing here is ever loaded, and no argument does anything: the largest numbers are words in a file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hostile_gadgets import WORD
from hostile_opcodes import const, name, reduce_two

_HEAD = b"\x80\x04"
_OWN = name("helpers.tools", "run_it")
_BIG = 10**18


def call(module: str, attribute: str, *parts: bytes) -> bytes:
    """A call whose arguments are streams themselves."""
    return name(module, attribute) + b"(" + b"".join(parts) + b"tR"


def number(value: int) -> bytes:
    """LONG1."""
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def bound(function: bytes, *parts: bytes, keywords: bytes = b"}") -> bytes:
    """A `functools.partial` as pickle writes one."""
    made = name("functools", "partial") + function + b"\x85R"
    return made + b"(" + function + b"(" + b"".join(parts) + b"t" + keywords + b"Ntb"


def _key(function: bytes) -> bytes:
    return b"}" + const("key") + function + b"s"


_WORDS = const([WORD, WORD])
_RANGE = call("builtins", "range", number(_BIG))
_EMPTY = name("types", "SimpleNamespace") + b")R"

HANDED = {
    "sorted-by-key": bound(name("builtins", "sorted"), keywords=_key(_OWN)) + _WORDS + b"\x85R",
    "sorted-by-key-bound": bound(name("builtins", "sorted"), _WORDS, keywords=_key(_OWN)) + b")R",
    "max-by-key": bound(name("builtins", "max"), keywords=_key(_OWN)) + _WORDS + b"\x85R",
    "min-by-library-key": bound(name("builtins", "min"), keywords=_key(name("pandas", "qcut"))) + _WORDS + b"\x85R",
    "partial-of-partial": bound(bound(name("builtins", "sorted"), keywords=_key(_OWN)), _WORDS) + b")R",
    "key-in-a-partial": bound(name("builtins", "sorted"), keywords=_key(bound(_OWN, const(1)))) + _WORDS + b"\x85R",
    "default-factory": call("collections", "defaultdict", _OWN),
    "default-factory-bound": call("collections", "defaultdict", bound(_OWN, const(WORD))),
    "bit-generator": call("numpy.random._pickle", "__generator_ctor", const(WORD), _OWN),
    "random-state": call("numpy.random._pickle", "__randomstate_ctor", const(WORD), _OWN),
    "library-constructor": call("sklearn.preprocessing", "FunctionTransformer", _OWN),
    "own-setstate": _EMPTY + b"}" + const("__setstate__") + _OWN + b"sb" + const(WORD) + b"b",
    "own-append": _EMPTY + b"}" + const("append") + _OWN + b"sb" + const(WORD) + b"a",
    "own-extend": _EMPTY + b"}" + const("extend") + _OWN + b"sb(" + const(WORD) + b"e",
    "own-add": _EMPTY + b"}" + const("add") + _OWN + b"sb(" + const(WORD) + b"\x90",
    "own-setstate-slots": name("sklearn.svm", "SVC") + b")\x81N}" + const("__setstate__") + _OWN + b"s\x86b"
    + const(WORD) + b"b",
    "map": call("builtins", "map", _OWN, _WORDS),
    "filter": call("builtins", "filter", _OWN, _WORDS),
    "reduce": call("functools", "reduce", _OWN, _WORDS),
    "starmap": call("itertools", "starmap", _OWN, _WORDS),
    "accumulate": call("itertools", "accumulate", _WORDS, _OWN),
    "groupby": call("itertools", "groupby", _WORDS, _OWN),
    "methodcaller": call("operator", "methodcaller", const("run"), const(WORD)),
    "attrgetter-dotted": call("operator", "attrgetter", const("a.__class__")),
    "iter-until": call("builtins", "iter", _OWN, const(WORD)),
    "apply-along-axis": call("numpy", "apply_along_axis", _OWN, const(0), _WORDS),
    "series-map": call("pandas", "Series.map", name("pandas", "Series") + b")R", _OWN),
}  # fmt: skip
BOMBS = {
    "list-of-range": call("builtins", "list", _RANGE),
    "sum-of-range": call("builtins", "sum", _RANGE),
    "tuple-of-count": call("builtins", "tuple", call("itertools", "count")),
    "set-of-cycle": call("builtins", "set", call("itertools", "cycle", _WORDS)),
    "list-of-repeat": call("builtins", "list", call("itertools", "repeat", const(1))),
    "list-of-product": call(
        "builtins", "list", call("itertools", "product", *[call("builtins", "range", number(10**5))] * 2)
    ),
    "deque-of-enumerate": call("collections", "deque", call("builtins", "enumerate", _RANGE)),
    "bytearray": call("builtins", "bytearray", number(10**12)),
    "bytes": call("builtins", "bytes", number(10**12)),
    "multiplied": call("operator", "mul", const("a"), number(10**12)),
    "power": call("builtins", "pow", const(9), number(10**9)),
    "shifted": call("operator", "lshift", const(1), number(10**12)),
    "text-to-number": call("builtins", "int", const("9" * 200_000)),
    "fraction": call("fractions", "Fraction", const("1e999999999")),
    "decimal-to-number": call("builtins", "int", call("decimal", "Decimal", const("1e999999999"))),
    "padded": call("builtins", "str.zfill", const("a"), number(10**12)),
    "joined": call("builtins", "getattr", name("builtins", "list"), const("extend")) + b"]" + _RANGE + b"\x86R",
    "array": call("numpy", "ndarray", b"(" + number(10**12) + b"t"),
    "array-rebuilt": call(
        "numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), b"(" + number(10**12) + b"t", const(b"b")
    ),
    "void": call("numpy", "void", number(10**12)),
    "storage": call("torch", "FloatStorage", number(10**12)),
    "tensor": call("torch", "Tensor", number(10**6), number(10**6)),
    "laughing-tuples": b")" + b"2\x86" * 60,
    "laughing-lists": b"]\x940" + b"".join(b"](h" + bytes([k]) * 1 + b"h" + bytes([k]) + b"e\x940" for k in range(60))
    + b"h\x3c",
    "laughing-keys": b"})" + b"2\x86" * 60 + const(1) + b"s",
    "type-with-flags": call("numpy", "dtype", const("f8")) + b"(K\x03X\x01\0\0\0<NNN" + const(-1) + const(-1)
    + const(63) + b"tb",
    "type-without-flags": call("numpy", "dtype", const("O8")) + b"(K\x03X\x01\0\0\0|NNN" + const(-1) + const(-1)
    + const(0) + b"tb",
    "type-of-negative-size": call("numpy", "dtype", const("V8")) + b"(K\x03X\x01\0\0\0|NNN" + const(-8) + const(1)
    + const(0) + b"tb",
    "type-of-other-size": call("numpy", "dtype", const("f8")) + b"(K\x03X\x01\0\0\0<NNN" + const(4096) + const(8)
    + const(0) + b"tb",
}  # fmt: skip
FAMILIES = (
    ("mlflow", "MlflowClient", ("x",)),
    ("mlflow.client", "MlflowClient", ("x",)),
    ("mlflow.pyfunc", "load_model", ("x",)),
    ("wandb", "Api", ()),
    ("requests", "Session", ()),
    ("requests.sessions", "Session", ()),
    ("httpx", "Client", ()),
    ("sqlalchemy", "create_engine", ("sqlite:///x",)),
    ("sqlalchemy.engine.create", "create_engine", ("x",)),
    ("pymongo", "MongoClient", ("x",)),
    ("pandas", "read_sql_table", ("x",)),
    ("pandas", "read_fwf", ("x",)),
    ("pandas.io.parsers.readers", "TextFileReader", ("x",)),
    ("polars", "scan_parquet", ("x",)),
    ("dask.dataframe", "read_csv", ("x",)),
    ("datasets", "load_dataset", ("x",)),
    ("datasets", "DownloadManager", ("x",)),
    ("torch.hub", "load", ("x", "y")),
    ("torchvision.io", "read_image", ("x",)),
    ("torchvision.models", "get_model", ("x",)),
    ("transformers", "AutoModel.from_pretrained", ("x",)),
    ("transformers", "AutoTokenizer.from_pretrained", ("x",)),
    ("transformers", "WhisperModel", ("x",)),
    ("sentence_transformers", "SentenceTransformer", ("x",)),
    ("diffusers", "DiffusionPipeline.from_pretrained", ("x",)),
    ("spacy", "load", ("x",)),
    ("gensim.downloader", "load", ("x",)),
    ("nltk.downloader", "Downloader", ("x",)),
    ("faiss", "read_index", ("x",)),
    ("lightgbm.basic", "Booster", ("x",)),
    ("ray", "init", ("x",)),
    ("ray.job_submission", "JobSubmissionClient", ("x",)),
    ("cv2", "imread", ("x",)),
    ("cv2", "VideoCapture", ("x",)),
    ("skimage.io", "imread", ("x",)),
    ("pyarrow.parquet", "read_table", ("x",)),
    ("optuna.storages", "RDBStorage", ("x",)),
    ("pytorch_lightning.loggers", "WandbLogger", ("x",)),
    ("neptune", "Run", ("x",)),
    ("ultralytics", "RTDETR", ("x",)),
    ("tensorflow", "train.Checkpoint.restore", ("x",)),
    ("keras.utils", "get_file", ("x",)),
)


def uses() -> Iterator[tuple[str, bytes]]:
    """Every use of a harmless name, and a callable of every family."""
    for group, streams in (("handed", HANDED), ("bomb", BOMBS)):
        for key, stream in streams.items():
            yield f"{group}-{key}", _HEAD + stream + b"."
    for module, attribute, arguments in FAMILIES:
        yield f"family-{module}.{attribute}", reduce_two(module, attribute, arguments)
    yield "bomb-regex", _HEAD + call("re", "_compile", const("(a+)+$"), b"J" + struct.pack("<i", 32)) + b"."
