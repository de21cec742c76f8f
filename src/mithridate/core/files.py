"""Writes that leave the old file or the new one, even when the process is killed; and reads that never run on."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mithridate.core.errors import InputError

_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}  # file systems that can't


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder; synced and renamed to `path` when the block ends well, else removed.

    For writers that want a path; `whole_file` gives a stream and leaves nothing even after `kill -9`.

    Raises
    ------
    InputError : the folder isn't there or can't be written, the disk is full, or `path` is a folder, pipe or device.
    """
    final = Path(path)
    if final.exists() and not final.is_file():
        raise InputError(f"can't write {final}: it is a folder, or no plain file; give a file name")
    _spare_key(final)
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


def _spare_key(path: Path) -> None:
    """`InputError` when a private key in PEM would be lost here, and with it all that it opens."""
    try:
        if not path.is_file():
            return
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return
    if b"-----BEGIN " in head and b"PRIVATE KEY-----" in head:
        raise InputError(f"{path} holds a private key, and a key is never overwritten; name another file")


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
    InputError : the folder isn't there or takes no file, the disk is full, or `path` is a folder or holds a
        private key.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    if path.exists() and not path.is_file():
        raise InputError(f"can't write {path}: it is a folder, or no plain file; give a file name")
    _spare_key(path)
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


def read_small(path: str | Path, *, what: str, limit: int, hint: str = "check the path") -> bytes:
    """All bytes of a file that has few: a key, a secret, a signature, a policy.

    Parameters
    ----------
    what : the file's job in one or two words, for the message. limit : the most bytes that such a file has.
    hint : the next step, for the message.

    Raises
    ------
    InputError : it isn't there, can't be read, is larger, or is a folder, pipe or device; a pipe is not waited for.
        The message never holds a byte of the file.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            is_plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(limit + 1) if is_plain else b""
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"can't read the {what} {path}: {why}; {hint}") from error
    if not is_plain:
        raise InputError(f"can't read the {what} {path}: it is no plain file; {hint}")
    if len(content) > limit:
        raise InputError(f"the {what} {path} has over {limit:,} bytes, which is too large for one; {hint}")
    return content


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def write_atomic(path: str | Path, content: bytes) -> None:
    """Write the bytes to `path` in one step."""
    with whole_file(Path(path), mode=0o666) as sink:
        sink.write(content)


def _unnamed(folder: Path, mode: int) -> tuple[int, Path | None]:
    """A descriptor of a file without a name; of one with a temporary name where that can't be had."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, mode), None
    except OSError as error:
        if error.errno not in _NO_UNNAMED or not folder.is_dir():
            raise
    descriptor, name = tempfile.mkstemp(prefix=".mithridate.", suffix=".part", dir=folder)
    os.fchmod(descriptor, mode & ~_umask())
    return descriptor, Path(name)


def _named(descriptor: int, folder: Path) -> Path:
    name = f".mithridate.{secrets.token_hex(8)}.part"
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:  # with a folder's handle Python calls linkat, which alone can name a file that has no name
        os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=handle, dst_dir_fd=handle, follow_symlinks=True)
    finally:
        os.close(handle)
    return folder / name


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
