"""Containers made so that a scanner and a loader see different things."""

from __future__ import annotations

from mithridate.core.method import Outcome
from mithridate.supply.scan.family import ScanContext, ScanSettings
from mithridate.supply.scan.methods.findings import outcome


def container_trick(context: ScanContext, settings: ScanSettings) -> Outcome:
    """Archives whose headers lie, whose members leave their folder, or which unpack without end.

    Zip and tar archives are read by hand and every header is compared with its double: names, sizes, packings,
    flags, checksums, members that overlap or that no directory lists, two directories in one file. Whatever some
    reader could open is opened here and scanned too; the trick itself is reported beside what it hid.

    Notes
    -----
    Severity: high for what never happens by accident and makes readers differ (another name in the local header, a
    plain member marked as encrypted, overlapping or hidden members, names and links that leave the folder); medium
    for what a broken disk can do too, and for bombs, of which the rest was not analysed.
    """
    del settings
    return outcome(context.leading("container"), "SUP402", "container-trick")
