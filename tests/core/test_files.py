"""Writing never costs a private key; reading a small file never waits, and never takes in more than it should."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mithridate.core.errors import InputError
from mithridate.core.files import atomic, read_small, write_atomic

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


def read(path: Path) -> bytes:
    return read_small(path, what="key", limit=8, hint="name another file")


def test_a_small_file_is_read_whole_up_to_its_limit(tmp_path: Path) -> None:
    for content in (b"", b"12345678"):
        (tmp_path / "K").write_bytes(content)
        assert read(tmp_path / "K") == content


def test_a_file_over_the_limit_is_refused_without_a_byte_of_it_in_the_message(tmp_path: Path) -> None:
    (tmp_path / "K").write_bytes(b"secret-and-more")
    with pytest.raises(InputError, match=r"over 8 bytes, .*; name another file") as caught:
        read(tmp_path / "K")
    assert "secret" not in str(caught.value)


def test_a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "K")
    with pytest.raises(InputError, match="no plain file"):
        read(tmp_path / "K")


@pytest.mark.parametrize("name", ["none", "", "a\0b", "x" * 300, "/dev/zero"])
def test_what_is_no_small_file_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"can't read the key .*; name another file"):
        read(tmp_path / name)


def test_a_link_to_a_small_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "K").write_bytes(b"k")
    (tmp_path / "link").symlink_to("K")
    assert read(tmp_path / "link") == b"k"
