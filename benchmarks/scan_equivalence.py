"""Claim: the scanner's machine sees the imports and calls that CPython's C unpickler makes, and fails where it fails.

Streams are made at random (`pickles.py`): every opcode of protocols 0 to 5, one in three broken. Compared are the trace
(imports, calls, states and items given to what was imported, persistent ids, with their arguments, in order), whether
the stream is accepted, and where it ends; for a stream without frames that fails, also how far it was read.
"""

from __future__ import annotations

import copyreg
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from common import SOURCE, Cell, Options, Result, code_stamp, judges, publish, show, target
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.reader import BrokenError, Reader
from mithridate.supply.scan.pickle.recorder import Effect, Recorder
from mithridate.supply.scan.pickle.values import Call, Container, Global, Tuple, View
from pickles import EXTENSIONS, Trace, cpython, stream

STREAMS = 20_000  # in one cell
FRAME = 0x95
MEMO = 1 << 20


class Ours:
    """The machine's trace of one stream, written as `pickles.cpython` writes CPython's."""

    def __init__(self, content: bytes, *, from_file: bool = True) -> None:
        self.trace: Trace = []
        self.labels: dict[int, str] = {}
        self.kept: list[Any] = []
        reader = Reader(MemoryBlob("stream", content), 0, len(content), drops=from_file)
        recorder = Recorder(self.tell, exact=True, extensions=EXTENSIONS, arrays=False)
        machine = Machine(reader, recorder, Budget())
        try:
            machine.run(HANDLERS)
            self.end = f"done {max(reader.offset, reader.frame_end)}" if from_file else "done"
        except BrokenError as error:
            self.end = f"failed {error} at {machine.opcode_at}"
        self.read = reader.offset
        self.highest = max(machine.memo, default=0)

    def tell(self, effect: Effect) -> None:
        """One effect."""
        self.kept.append(effect)
        if effect.result is not None and effect.kind != "import":
            self.labels[id(effect.result)] = f"#{len(self.trace)}"
        if effect.kind == "import":
            self.trace.append(("import", *effect.subject.asked))
            return
        words = effect.result.keywords if isinstance(effect.result, Call) else None
        subject = "" if effect.kind == "persistent" else self.shape(effect.subject)
        has_words = isinstance(words, Container) and words.length
        self.trace.append((effect.kind, subject, self.shape(effect.payload), self.shape(words) if has_words else None))

    def shape(self, value: Any, depth: int = 3) -> Any:
        """As `pickles.shape`."""
        if isinstance(value, Global):
            return ".".join(value.asked)
        if isinstance(value, Call):
            return self.labels[id(value)]
        if isinstance(value, Tuple) or (isinstance(value, Container) and value.kind == "list"):
            kind = "tuple" if isinstance(value, Tuple) else "list"
            return (kind, *(self.shape(item, depth - 1) for item in value.items)) if depth else kind
        if isinstance(value, Container):
            return value.kind
        return "memoryview" if isinstance(value, View) else repr(value)


def registered() -> None:
    """Put the generator's extension codes into the registry, once."""
    for code, (module, name) in EXTENSIONS.items():
        if code not in copyreg._inverted_registry:  # type: ignore[attr-defined] # noqa: SLF001 - no public way to ask
            copyreg.add_extension(module, name, code)


def difference(seed: int) -> str:
    """What differs on the stream of one seed, read from memory and from a file; empty where nothing does.

    CPython's memo is an array: a place beyond `MEMO`, which only a changed byte makes, costs it gigabytes, so that such
    a stream is `memory` and not compared.
    """
    content = stream(seed)
    for from_file in (True, False):
        ours = Ours(content, from_file=from_file)
        if ours.highest > MEMO:
            return "memory"
        theirs, end, read = cpython(content, from_file=from_file)
        if theirs != ours.trace:
            return "trace"
        if (end if end.startswith("done") else "failed") != (ours.end if ours.end.startswith("done") else "failed"):
            return "end"
        placed = from_file and FRAME not in content and not ours.end.startswith("done")
        if placed and not any(word in ours.end for word in ("promised", "no end")) and ours.read != read:
            return "place"
    return ""


def compare(first: int, count: int) -> Result:
    """So many streams from one seed on."""
    registered()
    clock = time.process_time()
    seen: Counter[str] = Counter()
    examples: list[str] = []
    codes: set[int] = set()
    for seed in range(first, first + count):
        content = stream(seed)
        codes |= set(content)
        what = difference(seed)
        seen[what or "same"] += 1
        if what not in {"", "memory"} and len(examples) < 20:
            examples.append(f"{seed} {what}")
    accepted = sum(Ours(stream(seed)).end.startswith("done") for seed in range(first, first + min(count, 1000)))
    return {
        "streams": count, "same": seen["same"], "memory": seen["memory"],
        "different": {what: n for what, n in seen.items() if what not in {"same", "memory"}}, "examples": examples,
        "accepted_of_1000": accepted, "opcodes": len(codes & set(HANDLERS)),
        "cpu_s": round(time.process_time() - clock, 1),
        "python": sys.version.split()[0],
    }  # fmt: skip


def stamp() -> str:
    """Changes with the generator and the machine."""
    rooms = sorted((SOURCE / "supply" / "scan" / "pickle").glob("*.py"))
    return f"{judges('pickles.py', 'scan_equivalence.py')} {code_stamp(*rooms)}"


def cells(options: Options) -> list[Cell]:
    """Parts of 20,000 streams; a seed is a part."""
    count = max(1000, round(STREAMS * options.scale))
    return [
        Cell("random-streams", seed, "cpython", partial(compare, seed * STREAMS, count), stamp)
        for seed in range(options.seeds)
    ]


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    measured = [cell["result"] for cell in results if "result" in cell]
    total, same, memory = (sum(one[key] for one in measured) for key in ("streams", "same", "memory"))
    lines = [{"streams": total, "same": same, "out of CPython's memory": memory, "different": total - same - memory,
              "opcodes": max((one["opcodes"] for one in measured), default=0),
              "cpu s": sum(one["cpu_s"] for one in measured)}] if measured else []  # fmt: skip
    show("Random pickles, our machine against CPython's unpickler", lines)
    goals = [
        target(
            f"streams of {total} that differ",
            "0",
            total - same - memory,
            met=total >= 100_000 and same + memory == total,
        )
    ]
    publish("scan_equivalence", results, lines, goals if measured else [], options)
