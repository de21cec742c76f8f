"""A project that doesn't say whom to tell when something is wrong."""

from __future__ import annotations

import re

from mithridate.core.findings import Finding, Severity, Subject
from mithridate.core.method import Outcome
from mithridate.supply.posture.context import Context, PostureSettings

ID, SLUG = "SUP429", "no-incident-contact"
_FILES = re.compile(
    r"^(?:(?:\.github/|docs?/|\.gitlab/)?security(?:[-_]policy)?\.(?:md|rst|txt|adoc)|security|(?:\.well-known/)?security\.txt)$",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+\.\w+|https?://|mailto:|tel:|private(?:ly)? (?:vulnerability )?report|security advisor",
    re.IGNORECASE,
)
_REMEDY = "write SECURITY.md: whom to tell, by which address, how soon they answer"


def incident_contact(context: Context, settings: PostureSettings) -> Outcome:
    """No SECURITY.md (or security.txt) with an address: who finds a flaw or poison can tell nobody.

    References
    ----------
    RFC 9116, A file format to aid in security vulnerability disclosure.
    """
    del settings
    files = [file for file in context.files if _FILES.match(file.name)]
    if any(_CONTACT.search(context.text(file) or "") for file in files):
        return Outcome()
    where = files[0].name if files else "SECURITY.md"
    claim = (
        f"{where} names no address" if files else "nothing says whom to tell of an incident: there is no SECURITY.md"
    )
    extra = {"path": where, "kind_of": "contact"} if files else {"kind_of": "contact"}
    subject = Subject("file" if files else "project", extra=extra)
    return Outcome(
        (
            Finding(
                method=ID, slug=SLUG, severity=Severity.LOW, confidence=0.9, claim=claim,
                subject=subject, remedy=_REMEDY, place="contact",
            ),
        )
    )  # fmt: skip
