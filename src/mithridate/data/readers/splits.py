"""Which shards of a folder belong together: split words in their names tell them apart, else all are one data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_WORDS = {"train": "train", "training": "train", "test": "test", "testing": "test", "val": "validation"}
_WORDS |= {"valid": "validation", "validation": "validation", "dev": "dev", "holdout": "holdout", "eval": "eval"}
_WORD = re.compile(rf"(?<![a-z])(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})(?![a-z])")
_OF = r"\d+-of-\d+"  # as Hugging Face numbers shards
_NUMBER = re.compile(
    rf"(?:[-_.]?[0-9a-f]{{16}}|[-_.]?{_OF}|[-_.]?\d+|(?<=[a-z0-9])[-_.](?:part|shard|chunk|batch|file))$"
)


def group_shards(root: Path, files: Sequence[Path]) -> dict[str, list[Path]]:
    """The files by split, each split's in the order given; one group named "" where no name says a split.

    Examples
    --------
    >>> root = Path("d")
    >>> sorted(group_shards(root, [root / "train_0.parquet", root / "train_1.parquet", root / "test.parquet"]))
    ['test', 'train']
    >>> list(group_shards(root, [root / "s0.parquet", root / "s1.parquet"]))
    ['']
    """
    names = [_split_name(file.relative_to(root)) for file in files]
    if not any(said for _, said in names):
        return {"": list(files)}
    groups: dict[str, list[Path]] = {}
    for file, (name, _) in zip(files, names, strict=True):
        groups.setdefault(name, []).append(file)
    return groups


def _split_name(inside: Path) -> tuple[str, bool]:
    """What a shard's path says its split is, its number left out; and whether that holds a split word."""
    stem = _without_number(inside.stem.lower())
    if _WORD.search(stem):
        return _WORDS.get(stem, stem), True
    for folder in reversed(inside.parts[:-1]):
        if _WORD.search(folder.lower()):
            return _WORDS.get(folder.lower(), folder), True
    return stem or inside.stem, False


def _without_number(stem: str) -> str:
    while True:
        shorter = _NUMBER.sub("", stem)
        if shorter == stem or not shorter:
            return stem
        stem = shorter
