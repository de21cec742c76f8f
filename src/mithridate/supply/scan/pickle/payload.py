"""Bytes that a call is given, through the decoders that hide them; nothing is ever searched for."""

from __future__ import annotations

import base64
import binascii
import bz2
import lzma
import zlib
from collections.abc import Callable

from mithridate.supply.scan.blob import Blob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.pickle.values import Call, Chunk, Global, Value, View, items_of

_DEPTH = 16
_SMALL = 1 << 20
_WRAPPERS = {"_codecs.encode", "codecs.encode", "io.BytesIO", "_io.BytesIO", "builtins.bytes", "builtins.bytearray",
             "builtins.str", "io.StringIO", "_io.StringIO"}  # fmt: skip


def _limited(make: Callable[[], zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor]) -> _Decoder:
    def decode(content: bytes, limit: int) -> bytes:
        return make().decompress(content, limit)

    return decode


_Decoder = Callable[[bytes, int], bytes]
_DECODERS: dict[str, _Decoder] = {
    "zlib.decompress": _limited(lambda: zlib.decompressobj(47)),
    "gzip.decompress": _limited(lambda: zlib.decompressobj(47)),
    "bz2.decompress": _limited(bz2.BZ2Decompressor),
    "lzma.decompress": _limited(lzma.LZMADecompressor),
    "base64.b64decode": lambda content, _: base64.b64decode(content),
    "base64.standard_b64decode": lambda content, _: base64.b64decode(content),
    "base64.urlsafe_b64decode": lambda content, _: base64.urlsafe_b64decode(content),
    "base64.decodebytes": lambda content, _: base64.decodebytes(content),
    "base64.b32decode": lambda content, _: base64.b32decode(content),
    "base64.b16decode": lambda content, _: base64.b16decode(content, casefold=True),
    "base64.b85decode": lambda content, _: base64.b85decode(content),
    "base64.a85decode": lambda content, _: base64.a85decode(content),
    "binascii.a2b_base64": lambda content, _: binascii.a2b_base64(content),
    "binascii.unhexlify": lambda content, _: binascii.unhexlify(content),
    "binascii.a2b_hex": lambda content, _: binascii.unhexlify(content),
    "bytes.fromhex": lambda content, _: binascii.unhexlify(content),
}
_CODECS = {
    "base64": "base64.b64decode", "base_64": "base64.b64decode", "base64_codec": "base64.b64decode",
    "hex": "binascii.unhexlify", "hex_codec": "binascii.unhexlify", "zip": "zlib.decompress", "zlib": "zlib.decompress",
    "zlib_codec": "zlib.decompress", "bz2": "bz2.decompress", "bz2_codec": "bz2.decompress",
}  # fmt: skip


def small_bytes(value: Value) -> bytes | None:
    """The bytes that a value is known to be, when they are few and held; None else."""
    try:
        return decoded(value, None, Budget(unpacked_bytes=4 * _SMALL), _SMALL)
    except (ValueError, ArithmeticError, EOFError, OSError, zlib.error, lzma.LZMAError):
        return None


def decoded(value: Value, blob: Blob | None, budget: Budget, limit: int) -> bytes | None:
    """What a chain of decoders around some bytes gives.

    Parameters
    ----------
    blob : where the `Chunk`s lie; None refuses them. limit : bytes of the result; a longer one is cut there.

    Raises
    ------
    OverBudgetError : as `Budget.spend`; and whatever a decoder raises on broken bytes.
    """
    chain: list[str] = []
    for _ in range(_DEPTH):
        if not isinstance(value, Call):
            break
        step = _decoder(value)
        items = items_of(value.arguments)
        if step is None or not items:
            return None
        chain.append(step)
        value = items[0]
    content = _held(value, blob, limit)
    for step in reversed(chain):
        if content is None:
            return None
        if step:
            content = _DECODERS[step](content, limit)
            budget.spend(unpacked_bytes=len(content))
    return content


def _decoder(call: Call) -> str | None:
    """The decoder that a call applies; empty for one that changes nothing, None for any other call."""
    function = call.alias or call.function
    if not isinstance(function, Global):
        return None
    path = function.path
    if path in {"codecs.decode", "_codecs.decode"}:
        name = items_of(call.arguments)[1:2]
        return _CODECS.get(str(name[0]).lower()) if name else ""
    if path in _DECODERS:
        return path
    return "" if path in _WRAPPERS else None


def _held(value: Value, blob: Blob | None, limit: int) -> bytes | None:
    if isinstance(value, View):
        value = value.of
    if isinstance(value, bytes | bytearray):
        return bytes(value[:limit])
    if isinstance(value, str):
        return value[:limit].encode("latin-1") if value.isascii() or max(value) < "\u0100" else value[:limit].encode()
    if isinstance(value, Chunk) and blob is not None and value.kind != "int":
        raw = blob.read(value.offset, min(value.size, limit))
        return raw.decode("utf-8", "surrogatepass").encode("latin-1") if value.kind == "str" else raw
    return None
