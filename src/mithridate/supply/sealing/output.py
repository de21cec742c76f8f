"""Files that are there whole or not at all, even when the process is killed while it writes them."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mithridate.core.errors import InputError

_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}  # file systems that can't


@contextmanager
def whole_file(path: Path, *, mode: int) -> Iterator[IO[bytes]]:
    """A file to write to that gets its name, in one step, when the block ends well; else nothing was ever there.

    Parameters
    ----------
    path : where it will be; a file that is there already is replaced, and where it is a link, what that points to.
    mode : permissions, before the umask.

    Notes
    -----
    Where the file system can (Linux: ext4, xfs, btrfs, tmpfs), the file has no name until then, so that not even
    `kill -9` leaves a part of it.

    Raises
    ------
    InputError : the folder isn't there or takes no file, the disk is full, or `path` is a folder or holds a key.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not path.is_file():
        raise InputError(f"can't write {path}: it is a folder, or no plain file; give a file name")
    if path.exists() and _holds_key(path):
        raise InputError(f"{path} holds a private key, and a key is never overwritten; name another file")
    folder = path.parent
    try:
        descriptor, temporary = _unnamed(folder, mode)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}; give a folder that is yours") from error
    file = os.fdopen(descriptor, "wb")
    try:
        yield file
        file.flush()
        os.fsync(descriptor)
        temporary = temporary or _named(descriptor, folder)
        temporary.replace(path)
        temporary = None
        _sync(folder)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}; make room or write elsewhere") from error
    finally:
        file.close()
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _holds_key(path: Path) -> bool:
    """Whether a private key in PEM would be lost here, and with it all that it opens."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return False
    return b"-----BEGIN " in head and b"PRIVATE KEY-----" in head


def new_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file that isn't there yet, whole, with these permissions from its first moment on.

    Raises
    ------
    InputError : it is there already, or can't be written.
    """
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            os.fchmod(descriptor, mode)
        os.link(temporary, path)
        _sync(path.parent)
    except FileExistsError:
        raise InputError(f"{path} is there already, and is not overwritten; give another name") from None
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}; give a folder that is yours") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _unnamed(folder: Path, mode: int) -> tuple[int, Path | None]:
    """A descriptor of a file without a name; of one with a temporary name where that can't be had."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode), None
    except OSError as error:
        if error.errno not in _NO_UNNAMED or not folder.is_dir():
            raise
    descriptor, name = tempfile.mkstemp(prefix=".seal.", suffix=".part", dir=folder)
    mask = os.umask(0)
    os.umask(mask)
    os.fchmod(descriptor, mode & ~mask)
    return descriptor, Path(name)


def _named(descriptor: int, folder: Path) -> Path:
    name = f".seal.{secrets.token_hex(8)}.part"
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:  # with a folder's handle Python calls linkat, which alone can name a file that has no name
        os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=handle, dst_dir_fd=handle, follow_symlinks=True)
    finally:
        os.close(handle)
    return folder / name


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
