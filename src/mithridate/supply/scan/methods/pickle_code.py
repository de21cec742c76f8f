"""Pickles that run code when they are loaded."""

from __future__ import annotations

from mithridate.core.method import Outcome
from mithridate.supply.scan.family import ScanContext, ScanSettings
from mithridate.supply.scan.methods.findings import outcome


def pickle_code(context: ScanContext, settings: ScanSettings) -> Outcome:
    """Files whose pickle runs code when it is loaded, or calls something that nobody knows.

    A pickle is a program. It is run here on an abstract machine that mirrors the loader's, opcode by opcode, and
    never for real. Each call is judged by the exact name it resolves to: *known inert*, *known harmful* with what
    it can do (run code, import, touch files or the network, load again, native code), or *unknown*. Pickles are
    found by content in whatever container they lie: zip, tar, compressed, NumPy objects, PyTorch, joblib.

    Notes
    -----
    Severity: critical for a call that runs code, reads or writes files or opens a connection; high for a function
    that isn't known; low for a class of a machine-learning library that is rebuilt in the ordinary way. The claim
    names the callable and its arguments where they are constants. It is blind to what an inert-looking class of an
    installed package does in its own `__setstate__`.
    """
    del settings
    return outcome(context.leading("pickle"), "SUP401", "pickle-code")
