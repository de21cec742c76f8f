"""Zip archives whose members are read where they lie, each checked against its own checksum once."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from mithridate.core.errors import InputError
from mithridate.supply.scan.blob import Blob, MemoryBlob

_HEAD = 30  # bytes of a member's own header, before its name
_SIGNATURE = b"PK\x03\x04"
_BLOCK = 1 << 20
_LIMIT = 1 << 31
_SMALL, _RATIO = 64 << 20, 200  # bytes, and bytes for each packed one: no bomb is unpacked
_ENCRYPTED = 1
_SLACK = 4096


def is_zip(head: bytes) -> bool:
    """Whether the bytes begin a zip archive."""
    return head.startswith(_SIGNATURE)


class ZipFile:
    """The members of an archive.

    Parameters
    ----------
    path : the archive. blob : its bytes, which stay open as long as they are read.

    Raises
    ------
    InputError : it is no whole archive, or two members have one name.
    """

    def __init__(self, path: Path, blob: Blob) -> None:
        self._path, self._blob = path, blob
        try:
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, UnicodeError) as error:
            raise InputError(f"the zip is broken: {error}; get the file anew from its source") from error
        self.members = {info.filename: info for info in infos}
        if len(self.members) != len(infos):
            raise InputError("two members of the zip have one name; see `mithridate scan`")
        self._has_sums = any(info.CRC for info in infos)  # torch can be told to write none

    def place(self, name: str, need: int) -> tuple[Blob, int]:
        """Where a member's bytes lie, which are at least `need`: a blob and an offset in it.

        Raises
        ------
        InputError : it isn't there, is broken, or is far from as long.
        """
        info = self.members.get(name)
        if info is None:
            raise InputError(f"the member {name} isn't in the zip; get the file anew from its source")
        if info.file_size > max(2 * need, need + _SLACK):
            raise InputError(f"the member {name} is far longer than its {need:,} bytes; see `mithridate scan`")
        if info.file_size < need:
            raise InputError(f"the member {name} has {info.file_size:,} bytes of {need:,}; get the file anew")
        if info.compress_type != zipfile.ZIP_STORED:
            return MemoryBlob(name, self.read(name)), 0
        begin = self._begin(info)
        self._check(info, begin)
        return self._blob, begin

    def whole(self, name: str) -> tuple[Blob, int, int]:
        """Where a member's bytes lie, and how many they are.

        Raises
        ------
        InputError : it is broken.
        """
        size = self.members[name].file_size
        blob, begin = self.place(name, size)
        return blob, begin, size

    def _begin(self, info: zipfile.ZipInfo) -> int:
        head = self._blob.read(info.header_offset, _HEAD)
        if len(head) < _HEAD or not head.startswith(_SIGNATURE) or info.flag_bits & _ENCRYPTED:
            raise InputError(f"the member {info.filename} can't be read; get the file anew from its source")
        begin = info.header_offset + _HEAD + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:], "little")
        if info.compress_size != info.file_size or begin + info.file_size > self._blob.size:
            raise InputError(f"the member {info.filename} breaks off; get the file anew from its source")
        return begin

    def _check(self, info: zipfile.ZipInfo, begin: int) -> None:
        if not self._has_sums:
            return
        found = 0
        for at in range(begin, begin + info.file_size, _BLOCK):
            found = zlib.crc32(self._blob.read(at, min(_BLOCK, begin + info.file_size - at)), found)
        if found != info.CRC:
            raise InputError(
                f"the member {info.filename} doesn't have its own checksum (CRC-32); get the file anew from its source"
            )

    def read(self, name: str) -> bytes:
        """All bytes of a member.

        Raises
        ------
        InputError : it is broken, or far longer unpacked than packed.
        """
        info = self.members[name]
        if info.file_size > _LIMIT or info.file_size > max(_SMALL, _RATIO * info.compress_size):
            raise InputError(f"the member {name} is {info.file_size:,} bytes, too many for what it is; split the file")
        if info.compress_type == zipfile.ZIP_STORED:
            begin = self._begin(info)
            self._check(info, begin)
            return self._blob.read(begin, info.file_size)
        try:
            with zipfile.ZipFile(self._path) as archive:
                return archive.read(name)
        except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error,
                OSError) as error:  # fmt: skip
            raise InputError(f"the member {name} can't be read: {error}; get the file anew from its source") from error
