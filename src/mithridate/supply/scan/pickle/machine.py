"""The unpickler's machine, opcode by opcode as in CPython's `Modules/_pickle.c`, with nothing behind it that runs.

What an opcode *does* (an import, a call, a state that is set) goes to `Effects`: the scanner's write it down, those of
`safe_load` rebuild what is on their list. Stack, marks, memo, frames and every reason to fail are the original's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.pickle.lane import run_some
from mithridate.supply.scan.pickle.reader import BrokenError, Reader
from mithridate.supply.scan.pickle.values import Value

STEP = 4096  # opcodes between two looks at the budget
MAX_STACK, MAX_MEMO = 1 << 23, 1 << 22  # of each, some 0.4 GB


class StopError(Exception):
    """The STOP opcode: the pickle is whole."""


class Effects(Protocol):
    """What a stream does to the world. Each raises `BrokenError` where the unpickler would raise."""

    def make(self, kind: str, items: Sequence[Value]) -> Value:
        """A `list`, `dict` (keys and values in turn), `set` or `frozenset`."""

    def make_tuple(self, items: Sequence[Value]) -> Value:
        """A tuple."""

    def extend(self, machine: Machine, target: Value, items: Sequence[Value]) -> None:
        """APPEND, APPENDS: more for a list."""

    def set_items(self, machine: Machine, target: Value, items: Sequence[Value]) -> None:
        """SETITEM, SETITEMS: keys and values in turn."""

    def add_items(self, machine: Machine, target: Value, items: Sequence[Value]) -> None:
        """ADDITEMS: more for a set."""

    def find(self, machine: Machine, module: Value, name: Value) -> Value:
        """GLOBAL, STACK_GLOBAL, INST: an import."""

    def call(self, machine: Machine, function: Value, arguments: Value) -> Value:
        """REDUCE: `function(*arguments)`."""

    def new(self, machine: Machine, cls: Value, arguments: Value, *keywords: Value) -> Value:
        """NEWOBJ: `cls.__new__(cls, *arguments)`; NEWOBJ_EX: one dict of keywords more."""

    def instantiate(self, machine: Machine, cls: Value, arguments: Sequence[Value]) -> Value:
        """INST, OBJ."""

    def build(self, machine: Machine, instance: Value, state: Value) -> Value:
        """BUILD: what stands on the stack afterwards."""

    def persistent(self, machine: Machine, identity: Value) -> Value:
        """PERSID, BINPERSID."""

    def extension(self, machine: Machine, code: int) -> Value:
        """EXT1, EXT2, EXT4."""

    def buffer(self, machine: Machine) -> Value:
        """NEXT_BUFFER: bytes that travel outside the stream."""

    def readonly(self, machine: Machine, value: Value) -> Value:
        """READONLY_BUFFER: a read-only view of the top of the stack."""

    def short_frame(self, machine: Machine, error: BrokenError) -> None:
        """A frame longer than the data: the C unpickler fails here, the one in Python reads on."""


class Machine:
    """One pickle being read.

    Parameters
    ----------
    keep : texts and bytes longer than this stay in the file as a `Chunk`.

    Attributes
    ----------
    opcode_at : offset of the opcode that is being carried out. protocol : of the last PROTO, 0 before any.
    """

    def __init__(self, reader: Reader, effects: Effects, budget: Budget, *, keep: int = 1 << 12) -> None:
        self.reader, self.effects, self.budget, self.keep = reader, effects, budget, keep
        self.stack: list[Value] = []
        self.marks: list[int] = []
        self.fence = 0
        self.memo: dict[int, Value] = {}
        self.protocol = 0
        self.opcode_at = reader.offset
        self.done = 0  # opcodes since the budget was asked

    def run(self, handlers: Mapping[int, Callable[[Machine], None]]) -> Value:
        """Read up to and with STOP; what it leaves on the stack.

        Raises
        ------
        BrokenError : the unpickler would raise. OverBudgetError : too many opcodes, too much time, too deep a stack.
        """
        table = [handlers.get(code, _unknown) for code in range(256)]
        try:
            while True:
                run_some(self, table, STEP)
                self.budget.spend(opcodes=STEP)
                if len(self.stack) > MAX_STACK or len(self.memo) > MAX_MEMO:
                    raise OverBudgetError(f"more than {MAX_STACK:,} values on the stack or {MAX_MEMO:,} in the memo")
        except StopError:
            return self.pop()
        finally:
            self.budget.opcodes -= self.done % STEP

    def pop(self) -> Value:
        """The top of the stack."""
        if len(self.stack) <= self.fence:
            self._underflow()
        return self.stack.pop()

    def top(self) -> Value:
        """The top of the stack, left there."""
        if len(self.stack) <= self.fence:
            self._underflow()
        return self.stack[-1]

    def pop_mark(self) -> int:
        """Where the last MARK stands."""
        if not self.marks:
            raise BrokenError("no MARK is left")
        place = self.marks.pop()
        self.fence = self.marks[-1] if self.marks else 0
        return place

    def cut(self, place: int) -> list[Value]:
        """Take off what stands at `place` and above."""
        found = self.stack[place:]
        del self.stack[place:]
        return found

    def below(self, place: int) -> Value | None:
        """The container below `place`; None where there is nothing to put in."""
        if place > len(self.stack) or place <= self.fence:
            self._underflow()
        return None if place == len(self.stack) else self.stack[place - 1]

    def _underflow(self) -> None:
        raise BrokenError("a MARK stands where a value should" if self.marks else "the stack is empty")


def _unknown(machine: Machine) -> None:
    code = machine.reader.data[machine.reader.at - 1]
    raise BrokenError(f"there is no opcode 0x{code:02x}")
