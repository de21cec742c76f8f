"""Bytes that nobody looked at."""

from __future__ import annotations

from mithridate.core.method import Outcome
from mithridate.supply.scan.family import ScanContext, ScanSettings
from mithridate.supply.scan.methods.findings import outcome


def not_analysed(context: ScanContext, settings: ScanSettings) -> Outcome:
    """Files and members that were not analysed, so that nothing is known of them.

    Unknown binary formats, encrypted members, packings that aren't unpacked here, what a budget (depth, bytes,
    members, time) cut off, files that can't be read, links that lead out of what was scanned. Text, pictures,
    sound, video and the raw numbers of tensors are ordinary and pass.

    Notes
    -----
    Severity: medium, since *not analysed* is not *clean*; low for links that lead nowhere and files that hold no
    bytes.
    """
    del settings
    return outcome(context.leading("unknown"), "SUP404", "not-analysed")
