"""How much memory reading may take, and the refusal before it runs out."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from pathlib import Path

from mithridate.core.errors import InputError

SHARE = 0.6  # of what is free: the audit needs room beside the data
_FALLBACK = 4 << 30  # bytes, where the machine doesn't say


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that a source's rows may take in memory; by default 60 % of what is free now."""

    limit: int = field(default_factory=lambda: int(available_bytes() * SHARE))

    def check(self, need: float, what: str) -> None:
        """`InputError` when `need` bytes are more than the limit; `what` begins the sentence."""
        if need > self.limit:
            raise InputError(
                f"{what} would take about {size_text(need)} in memory and {size_text(self.limit)} may be used; "
                "pass fewer rows or columns, or use a machine with more memory"
            )


def available_bytes() -> int:
    """Bytes this process could still take: the least of free memory, container limit and address-space limit."""
    found = [amount for amount in (_free_memory(), _container_room(), _address_room()) if amount is not None]
    return min(found, default=_FALLBACK)


def size_text(size: float) -> str:
    """A size in bytes as people write it.

    Examples
    --------
    >>> size_text(10_000_000_000)
    '10.0 GB'
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{int(size)} bytes"


def _free_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _container_room() -> int | None:
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            return max(0, int(Path(limit).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such group, or its limit is the word `max`
            continue
    return None


def _address_room() -> int | None:
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    if soft == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return soft
    return max(0, soft - pages * resource.getpagesize())
