"""Claim: a checkpoint becomes safetensors, proved equal, at nearly the cost of the hashes and copies it takes.

Four ways over one checkpoint of 1 GiB, in turn, each in a process of its own: `ours` is what `mithridate convert`
calls; `bare` copies the file in one loop with SHA-256, CRC-32, and both sides read again and compared; `torch` is
`save_file(torch.load(weights_only=True))` and proves nothing; `torch-proof` then loads what it wrote and holds every
tensor against the one in memory. All sync what they wrote. Seconds are of the processor, user and system, with the wall
beside them; peak memory is what the work adds to the process with its imports.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from common import ROOT, SOURCE, Cell, Options, Result, code_stamp, judges, publish, show, spread, target

MEBIBYTE = 1 << 20
FULL, TENSOR = 1024, 16  # MiB
BAR = 1.25
N_SHARDS = 4
CASES = {"float32": 4, "float16": 2, "shards": 4}  # bytes of an item
WAYS = ("bare", "ours", "torch", "torch-proof")
BLOCK = 1 << 18


def checkpoint(case: str, options: Options) -> Path:
    """A state dict of tensors of 16 MiB, no two alike, as one file or as four with an index."""
    import torch

    size = round(FULL * options.scale)
    path = options.cache / "convert" / f"{case}-{size}"
    if path.exists():
        return path
    path.mkdir(parents=True)
    dtype = torch.float16 if case == "float16" else torch.float32
    base = torch.randn(1024, TENSOR * MEBIBYTE // 1024 // CASES[case], generator=torch.Generator().manual_seed(0))
    names = [f"layers.{number}.weight" for number in range(max(N_SHARDS, size // TENSOR))]
    weights = {name: (base + number).to(dtype) for number, name in enumerate(names)}
    if case != "shards":
        torch.save(weights, path / "model.pt")
        return path
    files = {name: f"pytorch_model-{number % N_SHARDS + 1:05}.bin" for number, name in enumerate(names)}
    for file in sorted(set(files.values())):
        torch.save({name: weights[name] for name in names if files[name] == file}, path / file)
    (path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": files}), encoding="utf-8")
    return path


def inputs(source: Path) -> list[Path]:
    """The checkpoint's files."""
    return sorted(path for path in source.iterdir() if path.suffix in {".pt", ".bin"})


def bare(source: Path, out: Path) -> None:
    """One loop: read, hash, sum, write, sync; then read both again and compare."""
    for file in inputs(source):
        with file.open("rb", buffering=0) as one, (out / file.name).open("w+b", buffering=0) as other:
            block, back, total, crc = bytearray(BLOCK), bytearray(BLOCK), hashlib.sha256(), 0
            view = memoryview(block)
            while n_bytes := one.readinto(block):
                total.update(view[:n_bytes])
                crc = zlib.crc32(view[:n_bytes], crc)
                other.write(view[:n_bytes])
            os.fsync(other.fileno())
            one.seek(0)
            other.seek(0)
            while one.readinto(block):
                other.readinto(back)
                if back != block:
                    raise AssertionError("the copy differs")


def ours(source: Path, out: Path) -> None:
    """What `mithridate convert` calls."""
    from mithridate.supply.conversion.convert import convert

    files = inputs(source)
    convert(source if len(files) > 1 else files[0], out / "model" if len(files) > 1 else out / "model.safetensors")


def torch_alone(source: Path, out: Path, *, proof: bool = False) -> None:
    """The usual way; with a proof, what was written is loaded and held against what was read."""
    import torch
    from safetensors.torch import load_file, save_file

    for file in inputs(source):
        there = out / f"{file.stem}.safetensors"
        read = torch.load(file, weights_only=True)
        save_file(read, there)
        sync([there])
        if proof:
            written = load_file(there)
            if set(written) != set(read) or not all(torch.equal(written[name], read[name]) for name in read):
                raise AssertionError("the copy differs")


def sync(paths: Iterable[Path]) -> None:
    """As our own writer does."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())


WORK: dict[str, Callable[[Path, Path], None]] = {
    "bare": bare, "ours": ours, "torch": torch_alone, "torch-proof": partial(torch_alone, proof=True),
}  # fmt: skip


def child(way: str, source: str, out: str) -> None:
    """In a process of its own: the work, and what it took, as a line of JSON."""
    import torch  # noqa: F401 - loaded before the clock starts, in every way alike
    from safetensors.torch import save_file  # noqa: F401 - the same

    import mithridate.supply.conversion.convert  # noqa: F401 - the same

    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before, wall, used = memory("VmRSS"), time.perf_counter(), time.process_time()
    WORK[way](Path(source), Path(out))
    used, wall = time.process_time() - used, time.perf_counter() - wall
    print(json.dumps({"cpu_seconds": used, "seconds": wall, "peak_mib": (memory("VmHWM") - before) / 1024}))


def memory(key: str) -> int:
    """What the system says of this process's memory, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def measured(case: str, way: str, options: Options) -> Result:
    """One way over one checkpoint; what it wrote is removed."""
    source = checkpoint(case, options)
    out = options.cache / "convert" / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    size = sum(path.stat().st_size for path in inputs(source)) / MEBIBYTE
    try:
        command = [sys.executable, __file__, way, str(source), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        shutil.rmtree(out)
    found: Result = json.loads(done.stdout)
    return {**found, "mib": size, "mib_per_cpu_second": size / found["cpu_seconds"]}


def cells(options: Options) -> list[Cell]:
    """The four ways in turn, so that a slow minute hits all."""
    return [
        Cell(case, turn, way, partial(measured, case, way, options), partial(stamp, options))
        for turn in range(options.seeds)
        for case in CASES
        for way in WAYS
    ]


def stamp(options: Options) -> str:
    """Changes with the code that loads and converts, this script and the packages."""
    rooms = [path for room in ("conversion", "loading") for path in sorted((SOURCE / "supply" / room).rglob("*.py"))]
    return f"{code_stamp(*rooms, ROOT / 'benchmarks' / 'convert.py')} {judges()} {options.scale}"


def summarise(results: Sequence[Result]) -> list[Result]:
    """Each way's seconds, memory and rate, and our seconds over its, turn by turn."""
    found = {(cell["case"], cell["part"], cell["seed"]): cell["result"] for cell in results if "result" in cell}
    lines = []
    for case, way in dict.fromkeys((case, way) for case, way, _ in found):
        runs = {turn: run for (name, part, turn), run in found.items() if (name, part) == (case, way)}
        both = [(found[case, "ours", turn], run) for turn, run in runs.items() if (case, "ours", turn) in found]
        lines.append({
            "case": case, "way": way, "runs": len(runs),
            "cpu s": spread([run["cpu_seconds"] for run in runs.values()]),
            "wall s": spread([run["seconds"] for run in runs.values()]),
            "peak MiB": spread([run["peak_mib"] for run in runs.values()]),
            "MiB a cpu second": spread([run["mib_per_cpu_second"] for run in runs.values()]),
            "our cpu over it": spread([our["cpu_seconds"] / run["cpu_seconds"] for our, run in both]),
            "our wall over it": spread([our["seconds"] / run["seconds"] for our, run in both]),
        })  # fmt: skip
    return lines


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table, write the JSON, remove the checkpoints."""
    lines = summarise(results)
    show("Converting a checkpoint: median [lowest, highest]", lines)
    ratios = {(line["case"], line["way"]): line["our cpu over it"]["median"] for line in lines}
    peaks = {line["case"]: line["peak MiB"]["median"] for line in lines if line["way"] == "ours"}
    goals = [
        target(f"{case}: cpu seconds over the bare loop's", f"<= {BAR}", ratios.get((case, "bare")),
               met=(ratios.get((case, "bare")) or 0) <= BAR) for case in CASES
    ] + [
        target(f"{case}: MiB that the work adds", "<= 64", peaks.get(case), met=(peaks.get(case) or 0) <= 64)
        for case in CASES
    ]  # fmt: skip
    show("Promises", goals)
    publish("convert", results, lines, goals, options)
    for folder in (options.cache / "convert").glob("*-*"):
        if any(folder.glob("*.pt")) or any(folder.glob("*.bin")):
            shutil.rmtree(folder)


if __name__ == "__main__":
    child(*sys.argv[1:])
