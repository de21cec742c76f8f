"""`watch.py OUT.json COMMAND...`: wall seconds, processor seconds and peak memory of one child, from outside.

A small process of its own, because a child's peak memory starts at that of the process that spawned it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Run the command, its output to OUT.log, and write what it used."""
    out, command = Path(sys.argv[1]), sys.argv[2:]
    log = str(out.with_suffix(".log"))
    streams = [(os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), (os.POSIX_SPAWN_DUP2, 1, 2)]
    clock = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=streams)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - clock
    used = {
        "seconds": round(seconds, 4),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 4),
        "peak_bytes": usage.ru_maxrss * 1024,
        "status": os.waitstatus_to_exitcode(status),
    }
    out.write_text(json.dumps(used), encoding="utf-8")


if __name__ == "__main__":
    main()
