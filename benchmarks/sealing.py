"""Claim: sealing and opening 1 GiB costs at most 1.2 times a bare loop of AES-256-GCM over 1 MiB chunks.

Three comparisons, each with the bare loop of the `cryptography` package beside it, in turn: in memory (no files), from
file to file when sealing, from file to file when opening. Both sides read, write and sync alike; the bare loop has no
header, no key wrapping, no check of order or end. The ratio is of processor seconds, user and system; wall seconds
stand beside it. A peer, age through `pyrage`, is measured where it is installed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common import (
    ROOT,
    SOURCE,
    Cell,
    MissingSetError,
    Options,
    Result,
    code_stamp,
    judges,
    publish,
    show,
    spread,
    target,
)
from mithridate.supply.sealing import sealed
from mithridate.supply.sealing.keys import new_identity, read_identity, read_recipient
from mithridate.supply.sealing.stream import encrypt

MEBIBYTE = 1 << 20
FULL = 1024  # MiB
BAR = 1.2
KEY = bytes(range(32))
MOST_IN_MEMORY = 256  # MiB: age works on whole files in memory


def plain(options: Options) -> Path:
    """The file to seal: 1 GiB at full scale, 16 MiB of noise again and again."""
    size = round(FULL * options.scale)
    path = options.cache / "sealing" / f"plain-{size}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = os.urandom(16 * MEBIBYTE)
        with path.open("wb") as file:
            for start in range(0, size, 16):
                file.write(noise[: min(16, size - start) * MEBIBYTE])
    return path


@cache
def identity(options: Options) -> Path:
    """A key pair of the benchmark's own."""
    path = options.cache / "sealing" / "k.pem"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new_identity(path)
    return path


def timed(work: Callable[[], None], options: Options, *cleared: str) -> Result:
    """Seconds of one call; the files named are removed first, so that nobody pays for dropping old ones."""
    for name in cleared:
        (options.cache / "sealing" / name).unlink(missing_ok=True)
    wall, used = time.perf_counter(), time.process_time()
    work()
    used, wall = time.process_time() - used, time.perf_counter() - wall
    mebibytes = round(FULL * options.scale)
    return {"cpu_seconds": used, "seconds": wall, "mib": mebibytes, "mib_per_cpu_second": mebibytes / used}


def bare_memory(options: Options) -> None:
    """The bare loop on one block again and again."""
    cipher, block = AESGCM(KEY), os.urandom(MEBIBYTE)
    for position in range(round(FULL * options.scale)):
        cipher.encrypt(position.to_bytes(12, "big"), block, b"context")


def our_memory(options: Options) -> None:
    """Our stream on the same."""
    block = os.urandom(MEBIBYTE)
    encrypt(KEY, b"context", (block for _ in range(round(FULL * options.scale))), len)


def bare_seal(options: Options) -> None:
    """The bare loop from file to file."""
    with plain(options).open("rb") as source, (options.cache / "sealing" / "bare").open("wb") as sink:
        cipher, position = AESGCM(KEY), 0
        while block := source.read(MEBIBYTE):
            sink.write(cipher.encrypt(position.to_bytes(12, "big"), block, b"context"))
            position += 1
        sink.flush()
        os.fsync(sink.fileno())


def our_seal(options: Options) -> None:
    """What `mithridate seal` calls."""
    recipient = read_recipient(identity(options).with_suffix(".pub"))
    sealed.seal(plain(options), options.cache / "sealing" / "sealed", [recipient])


def bare_open(options: Options) -> None:
    """The bare loop back."""
    with (options.cache / "sealing" / "bare").open("rb") as source, output(options).open("wb") as sink:
        cipher, position = AESGCM(KEY), 0
        while block := source.read(MEBIBYTE + 16):
            sink.write(cipher.decrypt(position.to_bytes(12, "big"), block, b"context"))
            position += 1
        sink.flush()
        os.fsync(sink.fileno())


def our_open(options: Options) -> None:
    """What `mithridate open` calls."""
    sealed.open_sealed(options.cache / "sealing" / "sealed", output(options), [read_identity(identity(options))])


def output(options: Options) -> Path:
    """Where what was opened goes."""
    return options.cache / "sealing" / "opened"


def age_seal(options: Options) -> None:
    """The peer, in memory, on a part of the file: rates are compared, not seconds."""
    try:
        import pyrage
    except ImportError:
        raise MissingSetError("pyrage isn't installed: pip install pyrage") from None
    with plain(options).open("rb") as file:
        content = file.read(MOST_IN_MEMORY * MEBIBYTE)
    pyrage.encrypt(content, [pyrage.x25519.Identity.generate().to_public()])


WORK = {
    "memory": (bare_memory, our_memory), "seal": (bare_seal, our_seal), "open": (bare_open, our_open),
}  # fmt: skip


OUTPUTS = {
    ("memory", "bare"): (), ("memory", "ours"): (), ("seal", "bare"): ("bare",), ("seal", "ours"): ("sealed",),
    ("open", "bare"): ("opened",), ("open", "ours"): ("opened",),
}  # fmt: skip


def cells(options: Options) -> list[Cell]:
    """Bare and ours in turn, so that a slow minute hits both."""
    made = []
    for turn in range(options.seeds):
        for case, pair in WORK.items():
            for part, work in zip(("bare", "ours"), pair, strict=True):
                made.append(
                    Cell(case, turn, part, partial(timed, partial(work, options), options, *OUTPUTS[case, part]), stamp)
                )
        made.append(Cell("age", turn, "peer", partial(age, options), stamp))
    return made


def age(options: Options) -> Result:
    """The peer's rate."""
    small = Options(scale=min(options.scale, MOST_IN_MEMORY / FULL), cache=options.cache)
    return timed(partial(age_seal, small), small)


def stamp() -> str:
    """Changes with the sealing code, this script and the packages."""
    rooms = sorted((SOURCE / "supply" / "sealing").glob("*.py"))
    return f"{code_stamp(*rooms, ROOT / 'benchmarks' / 'sealing.py')} {judges()}"


def summarise(results: Sequence[Result]) -> list[Result]:
    """Each case's ratio over its turns, and both sides' seconds."""
    lines = []
    found = {(cell["case"], cell["part"], cell["seed"]): cell["result"] for cell in results if "result" in cell}
    for case in dict.fromkeys(case for case, _, _ in found):
        turns = sorted({seed for name, _, seed in found if name == case})
        pairs = [(found.get((case, "bare", t)), found.get((case, "ours", t))) for t in turns]
        both = [(bare, ours) for bare, ours in pairs if bare is not None and ours is not None]
        alone = [found[case, "peer", t] for t in turns if (case, "peer", t) in found]
        lines.append({
            "case": case, "runs": len(both or alone),
            "ratio of cpu": spread([ours["cpu_seconds"] / bare["cpu_seconds"] for bare, ours in both]),
            "bare cpu s": spread([bare["cpu_seconds"] for bare, _ in both]),
            "cpu s": spread([run["cpu_seconds"] for run in [ours for _, ours in both] or alone]),
            "wall s": spread([run["seconds"] for run in [ours for _, ours in both] or alone]),
            "bare wall s": spread([bare["seconds"] for bare, _ in both]),
            "MiB a cpu second": spread([run["mib_per_cpu_second"] for run in [ours for _, ours in both] or alone]),
        })  # fmt: skip
    return lines


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    lines = summarise(results)
    show("Sealing against a bare loop of AES-256-GCM: median [lowest, highest]", lines)
    ratios = {line["case"]: line["ratio of cpu"]["median"] for line in lines}
    goals = [
        target(f"{case}: cpu seconds over the bare loop's", f"<= {BAR}", ratios.get(case),
               met=(ratios.get(case) or 0) <= BAR) for case in WORK
    ]  # fmt: skip
    show("Promises", goals)
    publish("sealing", results, lines, goals, options)
