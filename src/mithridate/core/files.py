"""Writes that leave the old file or the new one, never half of either."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mithridate.core.errors import InputError


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder; synced and renamed to `path` when the block ends well, else removed.

    Raises
    ------
    InputError : the folder isn't there or can't be written, the disk is full, or `path` is a folder.
    """
    final = Path(path)
    if final.is_dir():
        raise InputError(f"can't write {final}: it is a folder; give a file name")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{final.name}.", suffix=".part", dir=final.parent)
    except OSError as error:
        raise InputError(
            f"can't write {final}: {error.strerror or error}; give a folder that exists and is yours"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(final)
        _sync(final.parent)
    except OSError as error:
        raise InputError(f"can't write {final}: {error.strerror or error}; make room or write elsewhere") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes it when the block ends well, else removed.

    Raises
    ------
    InputError : `path` is there already and isn't an empty folder, or can't be written.
    """
    final = Path(path)
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise InputError(f"{final} is there already; name a new folder")
    temporary = final.parent / f".{final.name}.{secrets.token_hex(6)}.part"
    try:
        temporary.mkdir()
        yield temporary
        if final.is_dir():
            final.rmdir()
        temporary.replace(final)
        _sync(final.parent)
    except OSError as error:
        raise InputError(
            f"can't write {final}: {error.strerror or error}; give a folder that exists and is yours"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Make the folder's entries durable: a rename is one of them."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_atomic(path: str | Path, content: bytes) -> None:
    """Write the bytes to `path` in one step."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)
