"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mithridate.core.errors import InputError


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that becomes `target` when the block ends without an error.

    Raises
    ------
    InputError : the folder isn't there, or can't be written to.
    """
    temporary = _beside(target)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise InputError(f"{target.name} can't be written ({error.strerror or error}); choose another place") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that becomes `target` when the block ends without an error.

    Raises
    ------
    InputError : `target` is there already and isn't empty, or can't be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target.name} is there already; name a new folder")
    temporary = _beside(target)
    try:
        temporary.mkdir()
        yield temporary
        if target.is_dir():
            target.rmdir()
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise InputError(f"{target.name} can't be written ({error.strerror or error}); choose another place") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(target: Path) -> Path:
    if not target.parent.is_dir():
        raise InputError(f"the folder {target.parent.name!r} for {target.name} isn't there; make it first")
    if target.name in {"", ".."}:
        msg = "the target has no file name; name a file"
        raise InputError(msg)
    return target.parent / f".{target.name}.{secrets.token_hex(6)}.tmp"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
