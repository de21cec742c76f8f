"""Fuzz the scanner's parsers with Atheris: `python tools/fuzz.py TARGET [CORPUS] [libFuzzer options]`.

Atheris comes from an environment of its own (`pip install atheris`); the package itself needs nothing for it. Any
exception but a used-up budget is a crash, and so is a file that takes more than `SLOW_S` of process time. Nothing of
an input is ever loaded.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import atheris  # type: ignore[import-not-found]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

with atheris.instrument_imports(include=["mithridate.supply.scan"]):
    from mithridate.supply.scan import dispatch
    from mithridate.supply.scan.blob import MemoryBlob
    from mithridate.supply.scan.budget import Budget, OverBudgetError
    from mithridate.supply.scan.code_object import NotCodeError, read_code
    from mithridate.supply.scan.disassembly import disassembled
    from mithridate.supply.scan.formats import FORMATS
    from mithridate.supply.scan.openers import compressed, npy, seven_zip, tar_archive, text_payloads, zip_archive
    from mithridate.supply.scan.openers.unpack import BombError
    from mithridate.supply.scan.ordinary import kind_of
    from mithridate.supply.scan.pickle import looks_like_pickle, scan_pickle
    from mithridate.supply.scan.raw_numbers import numbers_in

    FORMAT_MODULES = {known.module.rpartition(".")[2]: importlib.import_module(known.module) for known in FORMATS}

SLOW_S = 5.0
OPENERS = {
    "zip": zip_archive,
    "tar": tar_archive,
    "7z": seven_zip,
    "packed": compressed,
    "npy": npy,
    "texts": text_payloads,
}
Target = Callable[[bytes], object]


def small() -> Budget:
    """A budget that keeps one input short."""
    return Budget(unpacked_bytes=16 << 20, held_bytes=16 << 20, members=2000, seconds=SLOW_S, opcodes=1_000_000)


def parse(members: Callable[[MemoryBlob, Budget], Iterator[object]]) -> Target:
    """An opener's or a format's own parser, whatever the first bytes are."""

    def run(content: bytes) -> None:
        with suppress(OverBudgetError, BombError):
            for _ in members(MemoryBlob("file", content), small()):
                pass

    return run


def pickle(content: bytes) -> None:
    """The machine, and the question whether it is a pickle at all."""
    looks_like_pickle(content[:4096])
    scan_pickle(MemoryBlob("file", content), small())


def code(content: bytes) -> None:
    """Marshalled code and its disassembly."""
    with suppress(NotCodeError):
        disassembled(read_code(content))


def unknown(content: bytes) -> None:
    """What bytes are that no parser claims."""
    blob = MemoryBlob("file", content)
    kind_of(content[:4096], blob)
    numbers_in(blob)


def everything(content: bytes) -> None:
    """A file as the verb sees it; here the parsers' exceptions are findings, so only a hang shows."""
    for _ in dispatch.analyse(MemoryBlob("file", content), small()):
        pass


TARGETS: dict[str, Target] = {
    "pickle": pickle,
    "code": code,
    "unknown": unknown,
    "everything": everything,
    **{name: parse(module.members) for name, module in OPENERS.items()},
    **{name: parse(module.analyse) for name, module in FORMAT_MODULES.items()},
}


def main() -> None:
    """Run one target until the options say stop."""
    target = TARGETS[sys.argv.pop(1)]

    def one(content: bytes) -> None:
        started = time.process_time()
        target(content)
        if time.process_time() - started > SLOW_S:
            raise TimeoutError

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
