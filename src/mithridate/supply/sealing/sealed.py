"""Seal a file or folder, open it whole or in the middle, and change who can open it."""

from __future__ import annotations

import io
import itertools
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from mithridate.core.errors import InputError
from mithridate.core.files import whole_file
from mithridate.supply.sealing.envelope import CHUNK_LOG2, Fixed, Header, new_fixed, read_header, unlock, wrapped
from mithridate.supply.sealing.folders import pack, unpack
from mithridate.supply.sealing.keys import read_identity
from mithridate.supply.sealing.recipients import KEY_BYTES, Identity, Recipient
from mithridate.supply.sealing.stream import ChunkReader, encrypt

_COPY_BYTES = 1 << 20
Key: TypeAlias = str | Path | Identity | list[Identity] | tuple[Identity, ...]


def seal(
    source: Path, target: Path, recipients: Sequence[Recipient], *, label: str = "", chunk_log2: int = CHUNK_LOG2
) -> None:
    """Encrypt `source` for the recipients into `target`, which appears whole or not at all.

    Parameters
    ----------
    source : a regular file; or a folder of files and folders, sealed as one tar in sorted order.
    label : what access rules may go by; authenticated, but readable by everybody.
    chunk_log2 : log2 of the bytes that are read back at once, 20: 1 MiB.

    Raises
    ------
    InputError : the source can't be read, is neither, holds links or devices, or changed meanwhile.
    """
    here, there = Path(os.path.realpath(source)), Path(os.path.realpath(target))
    if there == here or here in there.parents:
        raise InputError(f"{target} is the source itself or lies in it; name another place")
    fixed = new_fixed("folder" if source.is_dir() else "file", label, chunk_log2)
    file_key = os.urandom(KEY_BYTES)
    header = wrapped(fixed, file_key, recipients)
    with whole_file(target, mode=0o666) as sink:
        sink.write(header)
        key = _payload_key(fixed, file_key)
        blocks = pack(source, 1 << chunk_log2) if source.is_dir() else _blocks(source, 1 << chunk_log2)
        encrypt(key, fixed.encode(), blocks, sink.write)


def _payload_key(fixed: Fixed, file_key: bytes) -> bytes:
    return Header(fixed, (), b"", b"").payload_key(file_key)


def _blocks(source: Path, length: int) -> Iterator[memoryview]:
    """The file in blocks of that length, in two buffers in turn; one that changes while it is read is refused."""
    with regular(source) as file:
        before = os.fstat(file.fileno())
        rooms = [memoryview(bytearray(min(length, before.st_size + 1))) for _ in range(2)]
        for room in itertools.cycle(rooms):
            got = file.readinto(room)
            if got:
                yield room[:got]
            if got < len(room):
                break
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{source} changed while it was sealed; seal it again when nobody writes to it")


def regular(path: Path) -> io.BufferedReader:
    """The regular file, open; never a FIFO, on which opening would wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}; look at its name, owner and mode") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path} is neither a file nor a folder; name one of these")
    return io.BufferedReader(io.FileIO(descriptor, "rb"))


class SealedFile:
    """A sealed file of which any part can be read without the rest being decrypted: `sealed[a:b]`, `read(offset, n)`.

    Parameters
    ----------
    path : the sealed file.
    identity : the private key's path, or an identity (`read_identity`, `Passphrase`, `KmsKey`), or several.
    allow : called with the header's label once the header is known to be authentic; it may raise.

    Raises
    ------
    InputError : a file isn't there or can't be read.
    Refused : no key fits, the header was changed, or the end of the file is missing.

    Notes
    -----
    Opening authenticates the header and the last chunk, so the size is the true one. A read authenticates the chunks
    that it touches; those that are never read are never checked, `open_sealed` checks all.
    """

    def __init__(
        self, path: str | Path, identity: Key,
        *, allow: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        identities = _identities(identity)
        self._file = regular(Path(path))
        try:
            descriptor = self._file.fileno()
            self.header = read_header(descriptor)
            self.file_key = unlock(self.header, identities)
            if allow is not None:
                allow(self.header.fixed.label)
            self.reader = ChunkReader(
                descriptor, self.header.size, os.fstat(descriptor).st_size,
                key=self.header.payload_key(self.file_key), context=self.header.fixed.encode(),
                chunk_bytes=1 << self.header.fixed.chunk_log2,
            )  # fmt: skip
            self._cached = (self.reader.n_chunks - 1, self.reader.chunk(self.reader.n_chunks - 1))
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        """Bytes of plaintext."""
        return self.reader.size

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes of plaintext from `offset` >= 0 on; fewer at the end, none past it.

        Raises
        ------
        Refused : a chunk in the range isn't authentic.
        """
        if offset < 0 or length < 0:
            raise InputError(f"offset and length must be >= 0, got {offset} and {length}")
        stop = min(offset + length, self.reader.size)
        step, parts = self.reader.chunk_bytes, []
        while offset < stop:
            position, start = divmod(offset, step)
            parts.append(self._chunk(position)[start : start + stop - offset])
            offset += len(parts[-1])
        return b"".join(parts)

    def __getitem__(self, part: slice) -> bytes:
        """The plaintext of a slice without a step."""
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise InputError(f"a slice of a sealed file has no step, got {step}; read it and slice the bytes")
        return self.read(start, max(0, stop - start))

    def _chunk(self, position: int) -> bytes:
        if self._cached[0] != position:
            self._cached = (position, self.reader.chunk(position))
        return self._cached[1]

    @property
    def descriptor(self) -> int:
        """Of the sealed file, open for reading."""
        return self._file.fileno()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _identities(given: Key) -> list[Identity]:
    if isinstance(given, (str, Path)):
        return [read_identity(Path(given))]
    return list(given) if isinstance(given, (list, tuple)) else [given]


def open_sealed(
    path: Path, target: Path, identities: list[Identity], *, allow: Callable[[str], None] | None = None
) -> str:
    """Decrypt the sealed file or folder to `target` (readable by its owner alone), all of it or nothing.

    Returns
    -------
    `file` or `folder`.

    Raises
    ------
    InputError : the sealed file isn't there, or the target can't be written.
    Refused : a byte isn't authentic, or no key fits; then nothing is at `target` that wasn't there before.
    """
    if os.path.realpath(target) == os.path.realpath(path):
        raise InputError(f"{target} is the sealed file itself; name another place")
    with SealedFile(path, identities, allow=allow) as sealed:
        if sealed.header.fixed.kind == "folder":
            sealed.reader.write_all(len)  # all of it is authentic before the first name is made
            unpack(sealed.read, target)
            return "folder"
        with whole_file(target, mode=0o600) as sink:
            sealed.reader.write_all(sink.write)
        return "file"


def rewrap(
    path: Path, recipients: Sequence[Recipient], identities: list[Identity], *, target: Path | None = None
) -> None:
    """Give a sealed file other recipients, in place or at `target`, in one step; its content isn't encrypted anew.

    Notes
    -----
    Recipients that aren't named again can't open this file any more. Who opened it before may have kept its content,
    its key or an old copy: to shut them out of later content, seal that anew.

    Raises
    ------
    InputError : the file can't be read or written.
    Refused : no identity fits, or the header was changed.
    """
    with SealedFile(path, identities) as sealed:
        header = wrapped(sealed.header.fixed, sealed.file_key, recipients)
        descriptor, offset = sealed.descriptor, sealed.header.size
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        with whole_file(target or Path(os.path.realpath(path)), mode=mode) as sink:
            sink.write(header)
            while part := os.pread(descriptor, _COPY_BYTES, offset):
                sink.write(part)
                offset += len(part)
