"""Model and data formats that run code or reach outside of their file."""

from __future__ import annotations

from mithridate.core.method import Outcome
from mithridate.supply.scan.family import ScanContext, ScanSettings
from mithridate.supply.scan.methods.findings import outcome


def model_format(context: ScanContext, settings: ScanSettings) -> Outcome:
    """Model and data files of formats other than pickle that run code, read other files, or hide something.

    Each format is parsed by hand for the parts that its loader acts on: layers with code, operators that touch
    files, templates, configuration that names classes to build, paths to other files, lengths and offsets that
    don't add up.

    Notes
    -----
    Severity: critical for code that runs when the file is loaded, high for a gadget that some loaders act on,
    medium for a broken promise of the format. Also files whose name promises a passive format and whose content is
    a pickle or a program.
    """
    del settings
    return outcome(context.leading("format"), "SUP403", "model-format")
