"""What an unpickler does and a scanner of names does not: one pickle a trick, each of which would call something."""

from __future__ import annotations

import base64
import marshal
import struct
import zlib
from collections.abc import Mapping

from hostile_gadgets import WORD
from hostile_opcodes import const, name, stacked, torch_zip

SYSTEM = name("os", "system")
ARGUMENT = const((WORD,))
CALL = SYSTEM + ARGUMENT + b"R"


def _frames(body: bytes, *lengths: int) -> bytes:
    return b"\x80\x04" + b"".join(b"\x95" + struct.pack("<Q", n) for n in lengths) + body


TRICKS: Mapping[str, bytes] = {
    "popped": b"\x80\x02" + CALL + b"0N.",
    "popped-mark": b"\x80\x02(" + CALL + b"1N.",
    "cut-after-the-call": b"\x80\x02" + CALL,
    "bad-opcode-after-the-call": b"\x80\x02" + CALL + b"\xff\xff",
    "stack-underflow-after-the-call": b"\x80\x02" + CALL + b"0000",
    "no-stop-but-noise": b"\x80\x02" + CALL + bytes(range(200, 255)),
    "memo-of-the-callable": b"\x80\x02" + SYSTEM + b"q\x050h\x05" + ARGUMENT + b"R.",
    "memo-long": b"\x80\x02" + SYSTEM + b"r\x00\x00\x01\x000j\x00\x00\x01\x00" + ARGUMENT + b"R.",
    "memo-text": SYSTEM + b"p7\n0g7\n" + ARGUMENT + b"R.",
    "memo-overwritten": b"\x80\x02" + name("builtins", "len") + b"q\x000" + SYSTEM + b"q\x000h\x00" + ARGUMENT + b"R.",
    "memoize-counts": b"\x80\x04N\x940N\x940" + SYSTEM + b"\x940h\x02" + ARGUMENT + b"R.",
    "memo-of-names": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94" + b"00h\x00h\x01\x93" + ARGUMENT + b"R.",
    "names-swapped": b"\x80\x04\x8c\x06system\x94\x8c\x02os\x940" + b"0\x8c\x02os\x8c\x06system\x93" + ARGUMENT + b"R.",
    "names-far-apart": b"\x80\x04\x8c\x02os"
    + const(1) * 0
    + b"\x8c\x03foo0"
    + b"\x8c\x06system\x93"
    + ARGUMENT
    + b"R.",
    "names-as-binunicode": b"\x80\x04" + const("os") + const("system") + b"\x93" + ARGUMENT + b"R.",
    "names-as-unicode": b"\x80\x04Vos\nV\\u0073ystem\n\x93" + ARGUMENT + b"R.",
    "names-as-string": b"\x80\x04S'os'\nS'sys\\x74em'\n\x93" + ARGUMENT + b"R.",
    "names-as-short-string": b"\x80\x04U\x02osU\x06system\x93" + ARGUMENT + b"R.",
    "names-as-binunicode8": b"\x80\x04\x8d" + struct.pack("<Q", 2) + b"os\x8c\x06system\x93" + ARGUMENT + b"R.",
    "names-through-a-dup": b"\x80\x04\x8c\x02os\x8c\x06system2\x940" + b"\x93" + ARGUMENT + b"R.",
    "dotted": b"\x80\x04" + stacked("pathlib", "os.system") + ARGUMENT + b"R.",
    "dotted-global": b"\x80\x04" + name("shutil", "os.system") + ARGUMENT + b"R.",
    "dotted-through-torch": b"\x80\x04" + stacked("torch", "os.system") + ARGUMENT + b"R.",
    "dotted-through-numpy": b"\x80\x04" + stacked("numpy", "os.system") + ARGUMENT + b"R.",
    "dotted-type": b"\x80\x04" + stacked("collections", "OrderedDict.__class__") + const(("a", (), {})) + b"R.",
    "dotted-subclasses": b"\x80\x04" + stacked("builtins", "object.__subclasses__") + b")R.",
    "dotted-globals": b"\x80\x04" + stacked("collections", "namedtuple.__globals__.get") + const(("_sys",)) + b"R.",
    "inst": b"(S'echo'\nios\nsystem\n.",
    "obj": b"\x80\x02(" + SYSTEM + const(WORD) + b"o.",
    "newobj": b"\x80\x02" + name("subprocess", "Popen") + ARGUMENT + b"\x81.",
    "newobj-ex": b"\x80\x04" + name("subprocess", "Popen") + ARGUMENT + b"}\x92.",
    "build-setstate": b"\x80\x02"
    + name("types", "SimpleNamespace")
    + b")R}"
    + const("__setstate__")
    + SYSTEM
    + b"sb"
    + const(WORD)
    + b"b.",
    "build-class": b"\x80\x02" + name("collections", "OrderedDict") + b"N}" + const("__reduce__") + SYSTEM + b"s\x86b.",
    "reconstructor": b"\x80\x02"
    + name("copyreg", "_reconstructor")
    + b"("
    + name("subprocess", "Popen")
    + name("builtins", "object")
    + b"NtR}"
    + const("args")
    + const(WORD)
    + b"sb.",
    "newobj-by-name": b"\x80\x02"
    + name("copyreg", "__newobj__")
    + b"("
    + name("subprocess", "Popen")
    + const(WORD)
    + b"tR.",
    "python-2-names": b"c__builtin__\neval\n(S'1'\ntR.",
    "python-2-copy-reg": b"\x80\x02"
    + name("copy_reg", "__newobj__")
    + b"("
    + name("subprocess", "Popen")
    + const(WORD)
    + b"tR.",
    "in-a-list": b"\x80\x02](" + const(1) + CALL + b"e.",
    "as-a-key": b"\x80\x02}" + CALL + const(1) + b"s.",
    "in-a-set": b"\x80\x04\x8f(" + CALL + b"\x90.",
    "in-a-tuple": b"\x80\x02" + CALL + b"\x85.",
    "argument-of-a-harmless-call": b"\x80\x02"
    + name("collections", "OrderedDict")
    + b"(]("
    + CALL
    + const(1)
    + b"\x86etR.",
    "call-of-a-call": b"\x80\x02"
    + name("builtins", "getattr")
    + b"("
    + name("builtins", "__import__")
    + const(("os",))
    + b"R"
    + const("system")
    + b"tR"
    + ARGUMENT
    + b"R.",
    "getattr-chain": b"\x80\x02" + name("builtins", "getattr") + b"(" + name("os", "path") + const("os") + b"tR.",
    "map": b"\x80\x02"
    + name("builtins", "list")
    + b"("
    + name("builtins", "map")
    + b"("
    + SYSTEM
    + const([WORD])
    + b"tRtR.",
    "reduce-of-functools": b"\x80\x02" + name("functools", "reduce") + b"(" + SYSTEM + const([WORD]) + b"tR.",
    "partial": b"\x80\x02" + name("functools", "partial") + b"(" + SYSTEM + const(WORD) + b"tR)R.",
    "methodcaller": b"\x80\x02"
    + name("operator", "methodcaller")
    + const(("system", WORD))
    + b"R"
    + name("os", "path")[:0]
    + b"("
    + name("builtins", "__import__")
    + const(("os",))
    + b"RtR.",
    "attrgetter": b"\x80\x02"
    + name("operator", "attrgetter")
    + const(("system",))
    + b"R("
    + name("importlib", "import_module")
    + const(("os",))
    + b"RtR.",
    "filter": b"\x80\x02"
    + name("builtins", "tuple")
    + b"("
    + name("builtins", "filter")
    + b"("
    + SYSTEM
    + const([WORD])
    + b"tRtR.",
    "sorted-by-key": b"\x80\x04"
    + name("builtins", "max")
    + const([WORD, WORD])
    + b"\x85}"
    + const("key")
    + SYSTEM
    + b"s\x92.",
    "defaultdict-build": b"\x80\x02"
    + name("collections", "defaultdict")
    + b"("
    + name("os", "getcwd")
    + b"tR"
    + const("a")
    + const(1)
    + b"s.",
    "nested-loads": b"\x80\x03" + name("pickle", "loads") + const((b"\x80\x02" + CALL + b".",)) + b"R.",
    "nested-load-from-bytes": b"\x80\x03"
    + name("torch.storage", "_load_from_bytes")
    + const((b"\x80\x02" + CALL + b".",))
    + b"R.",
    "nested-torch-zip": b"\x80\x03"
    + name("torch.storage", "_load_from_bytes")
    + const((torch_zip(b"\x80\x02" + CALL + b"."),))
    + b"R.",
    "nested-base64": b"\x80\x03"
    + name("pickle", "loads")
    + b"("
    + name("base64", "b64decode")
    + const((base64.b64encode(b"\x80\x02" + CALL + b"."),))
    + b"RtR.",
    "nested-zlib": b"\x80\x03"
    + name("pickle", "loads")
    + b"("
    + name("zlib", "decompress")
    + const((zlib.compress(b"\x80\x02" + CALL + b"."),))
    + b"RtR.",
    "marshalled-code": b"\x80\x03"
    + name("types", "FunctionType")
    + b"("
    + name("marshal", "loads")
    + const((marshal.dumps(compile("1", "a", "exec")),))
    + b"R}tR)R.",
    "persistent-id-first": b"\x80\x02" + const(("storage", 1)) + b"Q0" + CALL + b".",
    "persistent-text-first": b"Pabc\n0" + SYSTEM + b"(S'a'\ntR.",
    "frame-too-short": _frames(CALL + b".", 3),
    "frame-too-long": _frames(CALL + b".", 4000),
    "frames-in-a-row": _frames(CALL + b".", 0, 0, len(CALL) + 1),
    "frame-ends-in-the-call": b"\x80\x04\x95" + struct.pack("<Q", 10) + CALL + b".",
    "two-protocols": b"\x80\x02\x80\x04" + CALL + b".",
    "protocol-in-the-middle": b"N0\x80\x05" + CALL + b".",
    "protocol-0-with-new-opcodes": b"(" + stacked("os", "system")[0:] + const(WORD) + b"\x85R.",
    "protocol-lies": b"\x80\x00" + stacked("os", "system") + ARGUMENT + b"R.",
    "spaces-in-the-name": b"\x80\x02cos \nsystem\n" + ARGUMENT + b"R." + CALL,
    "long-constant-first": b"\x80\x02B" + struct.pack("<I", 9000) + b"x" * 9000 + b"0" + CALL + b".",
    "long-text-first": b"V" + b"x" * 9000 + b"\n0" + SYSTEM + b"(S'a'\ntR.",
    "many-opcodes-first": b"\x80\x02" + b"N0" * 40_000 + CALL + b".",
    "memo-bomb": b"\x80\x02]"
    + b"".join(b"q" + bytes([i]) + b"0](" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"e" for i in range(60))
    + b"0"
    + CALL
    + b".",
    "bytearray8": b"\x80\x05\x96" + struct.pack("<Q", 4) + b"abcd0" + CALL + b".",
    "huge-long": b"\x80\x02\x8b" + struct.pack("<i", 3000) + b"\x01" * 3000 + b"0" + CALL + b".",
    "extension-code": b"\x80\x02\x82\x010" + CALL + b".",
    "pandas-unpickler": b"\x80\x03"
    + name("pandas.compat.pickle_compat", "loads")
    + const((b"\x80\x02" + CALL + b".",))
    + b"R.",
    "weakref-callback": b"\x80\x02"
    + name("weakref", "finalize")
    + b"("
    + name("types", "SimpleNamespace")
    + b")R"
    + SYSTEM
    + const(WORD)
    + b"tR.",
    "enum-functional": b"\x80\x02"
    + name("builtins", "type")
    + b"("
    + const("A")
    + b")}"
    + const("__del__")
    + SYSTEM
    + b"stR.",
}
