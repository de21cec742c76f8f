"""Which files of a project are trained models."""

from __future__ import annotations

import itertools
import pickletools
import re
from collections.abc import Sequence

from mithridate.supply.posture.walk import File

SUFFIXES = frozenset(
    {".safetensors", ".pt", ".pth", ".ckpt", ".onnx", ".gguf", ".ggml", ".h5", ".keras", ".tflite", ".pb", ".pkl",
     ".pickle", ".joblib", ".skops", ".mlmodel", ".pt2", ".cbm", ".ubj", ".mar", ".engine", ".nemo", ".pdparams"}
)  # fmt: skip
_CALLED_SO = {"pytorch_model.bin", "adapter_model.bin", "model.bin", "tf_model.h5"}
_PICKLES = frozenset({".pkl", ".pickle", ".joblib"})
_NO_MODEL = re.compile(  # data that people pickle, by the words of a file's name
    r"(?i)(?:^|[-_. ])(?:stop[-_ ]?words?|words?|word[-_]?(?:list|index|map|dict|freqs?)|vocab(?:ulary)?|punkt|lexicon|"
    r"dictionary|corpus|tokens?|stoi|itos|labels?|classes|class[-_]?names|categories|mapping|(?:idx|id|index)2\w+|"
    r"\w+2(?:idx|id|index)|columns|features?[-_]?names|cache|history|metrics|results?|logs?|splits?|indices|metadata|"
    r"config|params|hparams|train|test|val|valid|dev|data|dataset|dataframe|df|[xy]_(?:train|test|val))(?:[-_. ]|\d|$)"
)
_MODEL = re.compile(
    r"(?i)model|clf|classif|regress|estimator|pipeline|svm|svc|forest|tree|xgb|lgbm?|catboost|"
    r"net(?:work)?(?:[-_. ]|$)|encoder|scaler|predict|weights|checkpoint|ckpt"
)
_DATA_FOLDERS = re.compile(r"(?:^|/)(?:nltk_data|punkt\w*|stopwords|corpora|vocabs?)/", re.IGNORECASE)
_IMPORTS = {"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"}
_READ, _MOST_OPCODES = 1 << 20, 200_000
_LEAST_BYTES = 1024  # a pickle of a few bytes is no model
_TESTS = {"test", "tests", "testing", "fixtures", "testdata", "test_data"}


def models(files: Sequence[File]) -> list[File]:
    """The files that are models by their name, outside tests; word lists and other data in a pickle are none."""
    return [
        file for file in files
        if (file.suffix in SUFFIXES or file.path.name in _CALLED_SO) and file.size >= _LEAST_BYTES
        and not _TESTS & {part.lower() for part in file.name.split("/")[:-1]}
        and not (file.suffix in _PICKLES and _is_data(file))
    ]  # fmt: skip


def _is_data(file: File) -> bool:
    """Whether a pickle is called as data is, or holds nothing but numbers, texts and containers of them."""
    called_so = _NO_MODEL.search(file.path.stem) or _DATA_FOLDERS.search(file.name)
    return bool(called_so and not _MODEL.search(file.path.stem)) or _is_plain(file)


def _is_plain(file: File) -> bool:
    """No opcode that imports stands in the first mebibyte; nothing is loaded. False for what can't be read."""
    try:
        with file.path.open("rb") as opened:
            head = opened.read(_READ)
        names = {opcode.name for opcode, _, _ in itertools.islice(pickletools.genops(head), _MOST_OPCODES)}
    except (OSError, ValueError, UnicodeError, OverflowError):  # packed, cut off at the mebibyte, or no pickle
        return False
    return bool(names) and not names & _IMPORTS
