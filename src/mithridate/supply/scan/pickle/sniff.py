"""Whether bytes begin a pickle: the machine itself is tried on them; no name and no magic number decides."""

from __future__ import annotations

import re

from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.reader import BrokenError, Reader, ShortError
from mithridate.supply.scan.pickle.recorder import Effect, Recorder

_HEAD = 4096
_PROTO = 0x80
_HIGHEST = 5
_PICKLES = 8
_TINY = 3  # bytes: PROTO, its number, one opcode
_DEEP_BYTES = 512
_LONG_LINE = 2048
_COUNTED = {b"B": 4, b"X": 4, b"T": 4, b"\x8b": 4, b"\x8d": 8, b"\x8e": 8, b"\x96": 8, b"\x95": 8}
_WEAK = {"import", "persistent", "extension", "buffer"}  # a letter of a text is enough for these
_NAME = re.compile(r"\w+(\.\w+)*")


def looks_like_pickle(head: bytes) -> bool:
    """Whether an unpickler would take these first bytes of a file.

    Parameters
    ----------
    head : the first bytes, 4,096 are enough; fewer only where the file has no more.

    Notes
    -----
    True for a stream that calls something, whether it reaches STOP or breaks; one that reaches STOP at the end of the
    file or at another pickle; and one that goes on past `head` without a break, where it begins with PROTO, has filled
    the memo, has pushed constants for long, or has a length that no text holds. A text does none of these.
    """
    head = head[:_HEAD]
    for _ in range(_PICKLES):
        if not head:
            return False
        kind, rest = _tried(head)
        if kind != "stopped":
            return kind == "pickle"
        if not rest:
            return True
        head = rest
    return True


def _tried(head: bytes) -> tuple[str, bytes]:
    """`pickle`, `none`, or `stopped` when STOP was reached and nothing was called, and what stands behind it."""
    calls: list[Effect] = []
    reader = Reader(MemoryBlob("", head), 0, len(head))
    machine = Machine(reader, Recorder(calls.append, arrays=False), Budget())
    has_protocol = len(head) > 1 and head[0] == _PROTO and head[1] <= _HIGHEST
    end = "broken"
    try:
        machine.run(HANDLERS)
        end = "stopped"
    except ShortError:
        end = "short"
    except (BrokenError, OverBudgetError):
        pass
    if any(effect.kind not in _WEAK and _named(effect) for effect in calls):
        return "pickle", b""
    if end == "stopped":
        return ("pickle" if has_protocol else "stopped"), head[reader.offset :]
    goes_on = end == "short" and (has_protocol or _is_under_way(machine, head, quiet=not calls))
    return ("pickle" if goes_on and len(head) > _TINY else "none"), b""


def _is_under_way(machine: Machine, head: bytes, *, quiet: bool) -> bool:
    """Whether a stream without PROTO that outlasts its head is more than a text."""
    at = machine.opcode_at
    is_deep = quiet and at > _DEEP_BYTES
    opcode, argument = head[at : at + 1], head[at + 1 : at + 9]
    is_counted = opcode in _COUNTED and b"\0" in argument[: _COUNTED[opcode]]
    is_line = argument[:1] in {b"'", b'"'} if opcode == b"S" else opcode == b"V" and len(head) - at > _LONG_LINE
    return bool(machine.memo) or is_deep or is_counted or is_line


def _named(effect: Effect) -> bool:
    """Whether what is called has a name that can be imported."""
    path = getattr(effect.subject, "path", None)
    return path is None or bool(_NAME.fullmatch(path))
