"""One thing that is wrong, or unknown, in one file; a report makes one finding of all issues of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mithridate.core.findings import Json, Severity


@dataclass(frozen=True, slots=True)
class Issue:
    """What one look at a file says.

    code : the pattern in few words, one spelling each, such as `pickle-exec`, `zip-slip`, `not-analysed`.
    severity : the harm shown; LOW is *unknown but ordinary*, MEDIUM *nobody analysed these bytes* or a broken promise
        of the format, HIGH an unknown callable or a gadget, CRITICAL code that runs when the file is loaded.
    claim : one sentence, with the names that matter (`os.system`), without the file's own.
    place : where in the file (`offset 113`, `layer lambda_2`); empty for all of it.
    facts : JSON for the report: arguments, the code decompiled, the callable's capability.
    remedy : what to do, in one sentence.
    """

    code: str
    severity: Severity
    claim: str
    place: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict)
    remedy: str = ""
