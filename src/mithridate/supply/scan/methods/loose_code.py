"""Code that comes with a model."""

from __future__ import annotations

from mithridate.core.method import Outcome
from mithridate.supply.scan.family import ScanContext, ScanSettings
from mithridate.supply.scan.methods.findings import outcome


def loose_code(context: ScanContext, settings: ScanSettings) -> Outcome:
    """Native code, compiled code and scripts that come with a model.

    A library (ELF, Windows, Mach-O), Java bytecode or WebAssembly does what it likes once something loads it, and is
    not analysed here. Of Python bytecode (`.pyc`) the evidence says which names, texts and instructions it holds.
    Python source and scripts in the folder of a model are listed, since some loaders run them (`trust_remote_code`).

    Notes
    -----
    Severity: medium for native code, and for compiled code that uses something that runs or reaches further (`os`,
    `eval`, `open`); low for other compiled code, and for source beside a model, which a person can read.
    """
    del settings
    return outcome(context.leading("code"), "SUP405", "code-beside-model")
