"""A part of a container, and what its loader will do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mithridate.supply.scan.blob import Blob

Role = Literal["file", "pickle", "numbers"]


@dataclass(frozen=True, slots=True)
class Member:
    """Something inside a container that is to be looked at in its turn.

    role : `file`, whatever its content says; `pickle`, the loader unpickles it whatever it looks like; `numbers`, the
        loader reads them as the raw values of a tensor, so there is nothing to analyse.
    """

    blob: Blob
    role: Role = "file"
