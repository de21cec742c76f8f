"""Writing never costs a private key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mithridate.core.errors import InputError
from mithridate.core.files import atomic, write_atomic

KEY = b"-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n"


def by_path(path: Path) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(b"new")


@pytest.mark.parametrize("write", [by_path, lambda path: write_atomic(path, b"new")])
def test_a_private_key_is_never_overwritten(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "K.pem"
    path.write_bytes(KEY)
    with pytest.raises(InputError, match="private key"):
        write(path)
    assert path.read_bytes() == KEY
    assert [item.name for item in tmp_path.iterdir()] == ["K.pem"]
