"""Whether bytes begin a pickle: the machine itself is tried on them; no name and no magic number decides."""

from __future__ import annotations

import re

from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.reader import BrokenError, Reader
from mithridate.supply.scan.pickle.recorder import Effect, Recorder

_HEAD = 4096
_PROTO = 0x80
_HIGHEST = 5
_FEW = 3
_NAME = re.compile(r"\w+(\.\w+)*")


def looks_like_pickle(head: bytes) -> bool:
    """Whether an unpickler would take these first bytes of a file.

    Parameters
    ----------
    head : the first bytes, 4,096 are enough; fewer only where the file has no more.

    Notes
    -----
    True for a stream that reaches STOP, one that breaks after it called something, and one that goes on past `head`
    without a break: at once behind a PROTO of 2 to 5, and without one only after several opcodes.
    """
    head = head[:_HEAD]
    if not head:
        return False
    calls: list[Effect] = []
    reader = Reader(MemoryBlob("", head), 0, len(head))
    machine = Machine(reader, Recorder(calls.append, arrays=False), Budget())
    has_protocol = len(head) > 1 and head[0] == _PROTO and head[1] <= _HIGHEST
    try:
        machine.run(HANDLERS)
    except (BrokenError, OverBudgetError):
        ran_out = len(head) == _HEAD or reader.offset >= len(head)
    else:
        return has_protocol or len(head) < _HEAD or reader.offset > _FEW
    plausible = [effect for effect in calls if effect.kind not in {"import", "persistent"} and _named(effect)]
    if plausible:
        return True
    return has_protocol and machine.opcode_at > 2 and ran_out  # noqa: PLR2004 - behind PROTO and its number


def _named(effect: Effect) -> bool:
    """Whether what is called has a name that can be imported."""
    path = getattr(effect.subject, "path", None)
    return path is None or bool(_NAME.fullmatch(path))
