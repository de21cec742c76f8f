"""Pickle streams made at random: valid ones, slightly broken ones, every opcode; and CPython's verdict on each.

The unpickler is CPython's own, in C. Its imports are stand-ins: classes that write down that they were asked for,
called, or given a state, and do nothing else. So nothing that a stream names is ever imported or run.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import random
import struct
from collections.abc import Callable
from typing import Any

EXTENSIONS = {1: ("ext.one", "One"), 200: ("ext", "Two"), 70_000: ("ext", "Three.Inner")}
NAMES = ("os system", "a.b C", "collections OrderedDict", "m f.g", "__builtin__ getattr", "é ü", "x y")
Trace = list[tuple[Any, ...]]


def _line(text: str) -> bytes:
    return text.encode() + b"\n"


def _int(rng: random.Random) -> int:
    return rng.choice([0, 1, -1, 255, 256, 65_535, 65_536, -(2**31), 2**31 - 1, rng.getrandbits(70) - 2**69])


def _text(rng: random.Random) -> str:
    return rng.choice(["", "a", "os", "system", "C", "key", "é", "x" * 300, "0", "a.b", "\u20ac", "{}"])


def _bytes(rng: random.Random) -> bytes:
    return rng.choice([b"", b"a", b"\xff\x00", b"os", b"y" * 300, b"\n."])


def _constants(rng: random.Random) -> bytes:
    """One opcode that pushes a constant, right nearly always."""
    number, text, content = _int(rng), _text(rng), _bytes(rng)
    raw = text.encode()
    makers: list[Callable[[], bytes]] = [
        lambda: b"I" + _line(rng.choice(["0", "1", "00", "01", "-7", "0x1f", "010", "08", "9" * 20, "", "x", "1\0x",
                                         "\0", " 1", "1_0", "+0", "0o7", "1 "])),
        lambda: b"L" + _line(rng.choice(["0L", "12", "12\0x", "-5L", "0x10L", "L", "1_0L", "9" * 30])),
        lambda: b"F" + _line(rng.choice(["1.5", "1.5\0x", "-2e3", "inf", "nan", "1e999", "x", "1_0", ".5", "5.", " 1",
                                         "0x1p3"])),
        lambda: b"J" + struct.pack("<i", max(min(number, 2**31 - 1), -(2**31))),
        lambda: b"K" + bytes([rng.randrange(256)]) * rng.choice([1, 1, 1]),
        lambda: b"".join(b"K" + bytes([rng.randrange(256)]) for _ in range(rng.randrange(1, 5))),
        lambda: b"M" + struct.pack("<H", rng.randrange(65_536)) + (b"M\x01\x02" if rng.random() < 0.3 else b""),
        lambda: b"G" + struct.pack(">d", rng.random()) + (b"G" + bytes(8) if rng.random() < 0.3 else b""),
        lambda: b"\x8a" + bytes([len(content) % 256]) + content[: len(content) % 256],
        lambda: b"\x8b" + struct.pack("<i", rng.choice([len(content), len(content), len(content), -1])) + content,
        lambda: b"S" + rng.choice([b"'a'", b'"os"', b"'\\x41\\n'", b"'", b"a",
                                   b"'a\\'", b"'\\777'", b"'\\q'", b"''"]) + b"\n",
        lambda: b"V" + rng.choice([b"os", b"", b"\\u20ac", b"\\u12", b"\xff", b"a b"]) + b"\n",
        lambda: b"T" + struct.pack("<i", len(content)) + content,
        lambda: b"U" + bytes([len(content) % 256]) + content[: len(content) % 256],
        lambda: b"X" + struct.pack("<I", len(raw)) + raw,
        lambda: b"\x8c" + bytes([len(raw) % 256]) + raw[: len(raw) % 256],
        lambda: b"\x8d" + struct.pack("<Q", rng.choice([len(raw), len(raw), len(raw), 2**63])) + raw,
        lambda: b"B" + struct.pack("<I", len(content)) + content,
        lambda: b"C" + bytes([len(content) % 256]) + content[: len(content) % 256],
        lambda: b"\x8e" + struct.pack("<Q", len(content)) + content,
        lambda: b"\x96" + struct.pack("<Q", len(content)) + content,
        lambda: rng.choice([b"N", b"\x88", b"\x89", b")", b"]", b"}", b"\x8f"]),
    ]  # fmt: skip
    return rng.choice(makers)()


def _imports(rng: random.Random) -> bytes:
    module, name = rng.choice(NAMES).split()
    kind = rng.random()
    if kind < 0.5:
        return b"c" + _line(module) + _line(name)
    if kind < 0.9:
        return b"".join(b"\x8c" + bytes([len(word.encode())]) + word.encode() for word in (module, name)) + b"\x93"
    return rng.choice(
        [b"\x82\x01", b"\x83\xc8\x00", b"\x84" + struct.pack("<i", 70_000), b"\x82\x07", b"\x84\xff\xff\xff\xff"]
    )


def _memo(rng: random.Random) -> bytes:
    place = rng.choice([0, 1, 2, 3, 255, 300])
    low = min(place, 255)
    return rng.choice([
        b"p" + _line(str(place)), b"q" + bytes([low]), b"r" + struct.pack("<I", place), b"\x94", b"\x94", b"q\x00",
        b"g" + _line(str(place)), b"h" + bytes([low]), b"j" + struct.pack("<I", place), b"h\x00", b"h\x00", b"p-1\n",
    ])  # fmt: skip


def _phrase(rng: random.Random, depth: int = 0) -> bytes:
    """Opcodes that leave one value: what picklers write, nested."""
    kind = rng.random()
    if depth > 3 or kind < 0.3:
        return _constants(rng)
    inner = [_phrase(rng, depth + 1) for _ in range(rng.randrange(4))]
    pairs = inner[: len(inner) // 2 * 2]
    imported = _imports(rng)
    one = inner[0] if inner else b"N"
    return rng.choice([
        imported, imported + b"(" + b"".join(inner) + b"tR", imported + one + b"\x85R", imported + b")\x81" + b"}b",
        imported + b")\x81" + one + b"b", imported + b"(" + b"".join(inner) + b"t\x81", imported + b")}\x92",
        imported + b")(\x8c\x01k" + one + b"d\x92", b"(" + b"".join(inner) + b"i" + _line("m.n") + _line("K"),
        b"(" + imported + b"".join(inner) + b"o", imported + b")R" + one + b"b", imported + one + b"b",
        b"(" + b"".join(inner) + b"l", b"(" + b"".join(pairs) + b"d", b"](" + b"".join(inner) + b"e", b"]" + one + b"a",
        b"}(" + b"".join(pairs) + b"u", b"}" + one + b"Ns", b"\x8f(" + b"".join(inner) + b"\x90",
        b"(" + b"".join(inner) + b"\x91",
        b"(" + b"".join(inner) + b"t", one + b"\x85", one + one + b"\x86", one + one + one + b"\x87", one + b"2\x86",
        one + b"0" + one, b"(" + b"".join(inner) + b"1" + one, one + b"Q", b"Pid\n",
        imported + b"(" + b"".join(inner) + b"e",
        imported + b"(" + b"".join(pairs) + b"u", imported + b"(" + b"".join(inner) + b"\x90", one + b"\x98",
        one + _memo(rng), b"(0" + one, one + b"(0",
    ])  # fmt: skip


_SINGLE = [bytes([code]) for code in b"().0123ae2lotbRsudNQ}]\x81\x85\x86\x87\x88\x8f\x90\x91\x92\x93\x94\x97\x98"]


def stream(seed: int) -> bytes:
    """The pickle of one seed: phrases, opcodes thrown in, and in one of three a byte changed, dropped or added."""
    rng = random.Random(seed)  # noqa: S311 - streams to compare, no secrets
    parts = [b"\x80" + bytes([rng.choice([0, 1, 2, 3, 4, 4, 5, 6])])] if rng.random() < 0.7 else []
    body = []
    for _ in range(rng.randrange(1, 6)):
        body.append(_phrase(rng))
        if rng.random() < 0.3:
            body.append(_memo(rng))
        if rng.random() < 0.1:
            body.append(rng.choice(_SINGLE))
    joined = b"".join(body) + b"."
    if rng.random() < 0.3:
        wrong = rng.choice([0, 0, 0, 1, -1, 2**40])
        joined = b"\x95" + struct.pack("<q", max(len(joined) + wrong, 0)) + joined
    made = bytearray(b"".join(parts) + joined)
    if rng.random() < 0.33:
        place = rng.randrange(len(made))
        change = rng.randrange(4)
        if change == 0:
            made[place] = rng.randrange(256)
        elif change == 1:
            del made[place]
        elif change == 2:
            made.insert(place, rng.randrange(256))
        else:
            del made[place:]
    return bytes(made)


class _Recorder(type):
    """The class of every stand-in: what is done to one is written down, and gives another."""

    trace: Trace

    def __call__(cls, *args: Any, **keywords: Any) -> Any:
        return cls._note("call", args, keywords)

    def _note(cls, kind: str, payload: Any, keywords: Any = None) -> Any:
        trace = type(cls).trace
        label = f"#{len(trace)}"
        trace.append((kind, cls.__qualname__, shape(payload), shape(keywords) if keywords else None))
        return stand_in(type(cls), label)

    def __setstate__(cls, state: Any) -> None:
        cls._note("build", state)

    def extend(cls, items: Any) -> None:
        cls._note("extend", tuple(items))

    def add(cls, item: Any) -> None:
        cls._note("add", (item,))

    def __setitem__(cls, key: Any, value: Any) -> None:
        cls._note("set", (key, value))


def _new(cls: Any, *args: Any, **keywords: Any) -> Any:
    return cls._note("new", args, keywords)


def stand_in(meta: type, label: str) -> Any:
    """A class that records, under a label."""
    made: Any = type.__new__(meta, "StandIn", (), {"__new__": _new})
    made.__qualname__ = label
    return made


def shape(value: Any, depth: int = 3) -> Any:
    """A value as both sides can write it: constants by `repr`, containers by their kind and items."""
    if isinstance(value, type):
        return value.__qualname__
    if isinstance(value, memoryview):
        return "memoryview"
    if isinstance(value, tuple | list) and depth:
        return (type(value).__name__, *(shape(item, depth - 1) for item in value))
    if isinstance(value, dict | set | frozenset):
        return type(value).__name__
    return repr(value) if not isinstance(value, tuple | list) else type(value).__name__


def cpython(content: bytes, *, from_file: bool = True) -> tuple[Trace, str, int]:
    """What CPython's C unpickler imports and calls, `done` or the error, and how many bytes it read."""
    trace: Trace = []
    meta = type("Meta", (_Recorder,), {"trace": trace})

    class Unpickler(pickle.Unpickler):
        """Imports nothing."""

        def find_class(self, module: str, name: str) -> Any:
            trace.append(("import", module, name))
            return stand_in(meta, f"{module}.{name}")

        def persistent_load(self, pid: Any) -> Any:
            trace.append(("persistent", "", shape(pid), None))
            return stand_in(meta, f"#{len(trace) - 1}")

    copyreg.clear_extension_cache()
    file = io.BytesIO(content) if from_file else _Held(content)
    try:
        Unpickler(file, encoding="latin-1").load()
    except Exception as error:  # noqa: BLE001 - every failure is a result
        return trace, f"failed {type(error).__name__}: {error}", file.tell()
    return trace, f"done {file.tell()}" if from_file else "done", file.tell()


class _Held(io.BytesIO):
    """A file that can be looked into, so that the unpickler fetches it as it does a real one: as if from memory."""

    def peek(self, size: int) -> bytes:
        """All that is left."""
        del size
        return self.getvalue()[self.tell() :]
