"""Packed bytes unpacked within the budgets: held while they are few, else streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mithridate.supply.scan.blob import Blob, MemoryBlob
from mithridate.supply.scan.budget import Budget, OverBudgetError
from mithridate.supply.scan.slices import StreamBlob

BLOCK = 1 << 18
HIGHEST_RATIO = 1032  # of Deflate; a member that says it unpacks to more is unpacked to see
LAZY = 16 << 20  # a member that says it is larger is unpacked only as far as somebody reads


class BombError(OverBudgetError):
    """So few bytes that give so many are made to fill a disk or a memory."""


@dataclass(slots=True)
class Packed:
    """One packed stream: what is known of it before it was unpacked, and after.

    blocks : unpacks from the start; sets `end` and `broken` when it is through.
    end : where in the packed bytes the stream ended; -1 before that is known.
    broken : why it could not be unpacked to its end; empty when it could.
    """

    name: str
    size: int
    blocks: Callable[[Packed], Iterator[bytes]]
    unpacked: int = -1
    end: int = -1
    broken: str = ""

    def spending(self, budget: Budget) -> Iterator[bytes]:
        """The unpacked blocks, each taken off the budget.

        Raises
        ------
        OverBudgetError, BombError : too much, or far more than was put in.
        """
        total = 0
        for block in self.blocks(self):
            total += len(block)
            if total > budget.ratio_from and total > budget.ratio * max(self.size, 1):
                raise BombError(f"it unpacks to more than {budget.ratio:g} times its {self.size:,} bytes")
            budget.spend(unpacked_bytes=len(block))
            yield block


@contextmanager
def unpacked(packed: Packed, budget: Budget) -> Iterator[Blob]:
    """The unpacked bytes as a blob, held until the block ends.

    Raises
    ------
    OverBudgetError, BombError : as `Packed.spending`.
    """
    believable = packed.unpacked <= HIGHEST_RATIO * packed.size
    if believable and packed.unpacked > min(LAZY, budget.held_bytes):
        yield StreamBlob(packed.name, packed.unpacked, lambda: packed.spending(budget))
        return
    held, size = bytearray(), 0
    for block in packed.spending(budget):
        size += len(block)
        if size <= budget.held_bytes:
            held += block
        elif held:
            held = bytearray()
    if size > budget.held_bytes:
        yield StreamBlob(packed.name, size, lambda: packed.spending(budget))
        return
    budget.held_bytes -= size
    try:
        yield MemoryBlob(packed.name, bytes(held))
    finally:
        budget.held_bytes += size
