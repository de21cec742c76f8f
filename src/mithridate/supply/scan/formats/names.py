"""Lists of names that stand in text files beside the code."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def known_names(which: str) -> frozenset[str]:
    """The words of `WHICH.txt` in this folder: `tensorflow_ops` (its own operators), `onnx_ops`."""
    return frozenset((Path(__file__).parent / f"{which}.txt").read_text(encoding="ascii").split())
