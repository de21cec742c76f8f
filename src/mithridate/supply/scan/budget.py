"""How much one scan may cost: depth, bytes, ratio, members, seconds. What lies beyond is *not analysed*."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


class OverBudgetError(Exception):
    """A budget is used up; the message says which and its limit. What was found until then stands."""


@dataclass(slots=True)
class Budget:
    """What is left of one top-level file's budgets; a member spends its container's.

    depth : containers in one another. unpacked_bytes : all members together. ratio : unpacked over packed bytes of one
    member, above `ratio_from` bytes. members : in all. seconds : of wall time. opcodes : of all pickles together.
    """

    depth: int = 8
    unpacked_bytes: int = 2 << 30
    held_bytes: int = 256 << 20
    ratio: float = 200.0
    ratio_from: int = 16 << 20
    members: int = 100_000
    seconds: float = 60.0
    opcodes: int = 50_000_000
    _started: float = field(default_factory=time.monotonic)

    def spend(self, *, unpacked_bytes: int = 0, members: int = 0, opcodes: int = 0) -> None:
        """Take these off.

        Raises
        ------
        OverBudgetError : one is used up, the time included.
        """
        self.unpacked_bytes -= unpacked_bytes
        self.members -= members
        self.opcodes -= opcodes
        for name in ("unpacked_bytes", "members", "opcodes"):
            if getattr(self, name) < 0:
                raise OverBudgetError(f"the budget of {name.replace('_', ' ')} is used up")
        if time.monotonic() - self._started > self.seconds:
            raise OverBudgetError(f"{self.seconds:g} s were not enough")
