"""A folder as one stream of bytes and back: a tar of plain files and folders in sorted order, nothing else."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from mithridate.core.errors import InputError, Refused

_READ_BYTES = 1 << 20
_END = bytes(2 * tarfile.BLOCKSIZE)


def pack(folder: Path, length: int) -> Iterator[bytes]:
    """The folder's tar in blocks of that length; the last may be shorter.

    Raises
    ------
    InputError : a link, FIFO, socket or device is in it, something can't be read, or a file changed meanwhile.
    """
    held = bytearray()
    for piece in _pieces(folder):
        held += piece
        while len(held) > length:
            yield bytes(held[:length])
            del held[:length]
    yield bytes(held)


def _pieces(folder: Path) -> Iterator[bytes]:
    for path in _walk(folder):
        facts = path.lstat()
        entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
        entry.mode, entry.mtime = facts.st_mode & 0o777, int(facts.st_mtime)
        if path.is_dir():
            entry.type = tarfile.DIRTYPE
            yield entry.tobuf(tarfile.PAX_FORMAT)
            continue
        entry.size = facts.st_size
        yield entry.tobuf(tarfile.PAX_FORMAT)
        yield from _content(path, entry.size)
    yield _END


def _walk(folder: Path) -> Iterator[Path]:
    """Every file and folder in it, each folder before what it holds, sorted; anything else is refused by name."""
    waiting = _entries(folder)
    while waiting:
        entry = waiting.pop()
        path = Path(entry.path)
        if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
            raise InputError(
                f"{path} is a link or no plain file, and a sealed folder holds files and folders only; "
                f"remove it, or copy what links point to first: cp -rL {folder} COPY"
            )
        yield path
        if entry.is_dir():
            waiting += _entries(path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What the folder holds, last name first."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        raise InputError(f"can't read {folder}: {error.strerror or error}; look at its owner and mode") from error


def _content(path: Path, size: int) -> Iterator[bytes]:
    left = size
    try:
        with path.open("rb", buffering=0) as file:
            while left and (part := file.read(min(left, _READ_BYTES))):
                yield part
                left -= len(part)
            if left or file.read(1):
                raise InputError(f"{path} changed while it was sealed; seal it again when nobody writes to it")
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}; look at its owner and mode") from error
    yield bytes(-size % tarfile.BLOCKSIZE)


class _Reader(io.RawIOBase):
    """A sealed file's plaintext, read forward."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        self._read, self._offset = read, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        part = self._read(self._offset, _READ_BYTES if size < 0 else size)
        self._offset += len(part)
        return part


def unpack(read: Callable[[int, int], bytes], target: Path) -> None:
    """Write the folder at `target`, which must not be there yet, in one step.

    Parameters
    ----------
    read : `(offset, length) -> bytes` of the tar, known to be authentic.

    Raises
    ------
    InputError : `target` is there already, or can't be written.
    Refused : the tar holds what no sealed folder does (a link, a path that leads out), or is damaged.
    """
    if os.path.lexists(target):
        raise InputError(f"{target} is there already; name a folder that isn't")
    try:
        holder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise InputError(f"can't write {target}: {error.strerror or error}; give a folder that is yours") from error
    try:
        root = holder / "content"
        root.mkdir(mode=0o700)
        with tarfile.open(fileobj=_Reader(read), mode="r|") as tar:
            for entry in tar:
                _write(tar, entry, root)
        root.replace(target)
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise Refused(f"the sealed folder can't be unpacked: {type(error).__name__}") from error
    except OSError as error:
        raise InputError(f"can't write {target}: {error.strerror or error}; make room or write elsewhere") from error
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, root: Path) -> None:
    name = PurePosixPath(entry.name)
    if name.is_absolute() or ".." in name.parts or entry.issparse() or not (entry.isreg() or entry.isdir()):
        raise Refused(f"the sealed folder holds {entry.name[:80]!r}, which is no plain file or folder inside it")
    path = root / name
    if entry.isdir():
        path.mkdir(mode=0o700)
        return
    source = tar.extractfile(entry)
    if source is None:
        raise Refused(f"the sealed folder holds {entry.name[:80]!r} without content")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 | (entry.mode & 0o100))
    with os.fdopen(descriptor, "wb") as sink:
        shutil.copyfileobj(source, sink, _READ_BYTES)
        sink.flush()
        os.fsync(descriptor)
