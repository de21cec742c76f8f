# ruff: noqa: PLR1714, PLR2004 - opcodes are numbers here, and a set costs more than two comparisons
"""The machine's loop: the few opcodes that make up nearly all of a pickle are carried out in place, the rest by table.

The handlers of `opcodes.py` say the same, one opcode each; a window's last bytes and every broken argument are theirs.
In place, over local names, a pickle of plain records takes a third of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Protocol

from mithridate.supply.scan.pickle.reader import Reader
from mithridate.supply.scan.pickle.values import HEAVY, NESTED, Container, Value, unhashable, weight_of

_SETITEMS = 0x75
WIDEST = 28  # bytes of three opcodes with arguments of fixed width, the most that is looked at
_float = Struct(">d").unpack_from
_int = Struct("<i").unpack_from


class State(Protocol):
    """What the loop needs of the machine: see `Machine`."""

    reader: Reader
    stack: list[Value]
    marks: list[int]
    memo: dict[int, Value]
    fence: int
    opcode_at: int
    done: int
    effects: Any


def run_some(machine: State, table: Sequence[Callable[[Any], None]], opcodes: int) -> None:  # noqa: C901, PLR0912, PLR0915 - one loop over locals: each call saved counts
    """Carry out so many opcodes; `StopError` and `BrokenError` come from the handlers."""
    reader, stack, memo, marks = machine.reader, machine.stack, machine.memo, machine.marks
    data, at, fence = reader.data, reader.at, machine.fence
    end = len(data) - WIDEST
    push, make_tuple, make = stack.append, machine.effects.make_tuple, machine.effects.make
    for machine.done in range(1, opcodes + 1):
        code = data[at] if at < end else 0
        if code == 0x68:  # BINGET
            if data[at + 1] in memo:
                push(memo[data[at + 1]])
                at += 2
                continue
        elif code == 0x94:  # MEMOIZE
            if len(stack) > fence:
                memo[len(memo)] = stack[-1]
                at += 1
                continue
        elif code == 0x8C:  # SHORT_BINUNICODE
            stop = at + 2 + data[at + 1]
            if stop < end and (content := data[at + 2 : stop]).isascii():
                push(content.decode())
                at = stop
                continue
        elif code == 0x4B:  # BININT1, where not two others follow: a run has a quicker way
            if data[at + 2] != 0x4B or data[at + 4] != 0x4B:
                push(data[at + 1])
                at += 2
                continue
        elif code == 0x71:  # BINPUT
            if len(stack) > fence:
                memo[data[at + 1]] = stack[-1]
                at += 2
                continue
        elif code == 0x28:  # MARK
            fence = machine.fence = len(stack)
            marks.append(fence)
            at += 1
            continue
        elif code == 0x4A:  # BININT, as above
            if data[at + 5] != 0x4A or data[at + 10] != 0x4A:
                push(_int(data, at + 1)[0])
                at += 5
                continue
        elif code == 0x4D:  # BININT2, as above
            if data[at + 3] != 0x4D or data[at + 6] != 0x4D:
                push(data[at + 1] | data[at + 2] << 8)
                at += 3
                continue
        elif 0x85 <= code <= 0x87:  # TUPLE1, TUPLE2, TUPLE3
            width = code - 0x84
            if len(stack) - width >= fence:
                items = stack[-width:]
                del stack[-width:]
                push(make_tuple(items))
                at += 1
                continue
        elif code == 0x65 or code == 0x75:  # APPENDS to a list, SETITEMS to a dict
            below = marks[-2] if len(marks) > 1 else 0
            if marks and below < fence < len(stack) and _fill(stack, fence, code):
                marks.pop()
                fence = machine.fence = below
                at += 1
                continue
        elif code == 0x5D or code == 0x7D:  # EMPTY_LIST, EMPTY_DICT
            push(make("list" if code == 0x5D else "dict", ()))
            at += 1
            continue
        elif code == 0x4E or code == 0x88 or code == 0x89:  # NONE, NEWTRUE, NEWFALSE
            push(None if code == 0x4E else code == 0x88)
            at += 1
            continue
        elif code == 0x47:  # BINFLOAT, as above
            if data[at + 9] != 0x47 or data[at + 18] != 0x47:
                push(_float(data, at + 1)[0])
                at += 9
                continue
        elif code == 0x72 or code == 0x6A:  # LONG_BINPUT, LONG_BINGET
            place = int.from_bytes(data[at + 1 : at + 5], "little")
            if code == 0x6A and place in memo:
                push(memo[place])
                at += 5
                continue
            if code == 0x72 and len(stack) > fence:
                memo[place] = stack[-1]
                at += 5
                continue
        reader.at = at
        machine.opcode_at = reader.base + at
        code = data[at] if at < len(data) else reader.peek()
        reader.at += 1
        table[code](machine)
        data, at, fence = reader.data, reader.at, machine.fence
        end = len(data) - WIDEST
    reader.at = at


def _fill(stack: list[Value], place: int, code: int) -> bool:
    """Move what stands from `place` on into the list or dict below it; False where a handler has to look at it."""
    target = stack[place - 1]
    is_dict = code == _SETITEMS
    if type(target) is not Container or target.kind != ("dict" if is_dict else "list"):
        return False
    items = stack[place:]
    if is_dict and (len(items) % 2 or unhashable(items[::2]) is not None):
        return False
    if target.weight > HEAVY or (not NESTED.isdisjoint(map(type, items)) and weight_of(items) > HEAVY):
        return False
    del stack[place:]
    target.extend(items)
    return True
