"""What a report says that answers one question with yes or no: a signature, a seal, a manifest's records."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mithridate.core.findings import Finding
from mithridate.core.report import Report
from mithridate.reports import words
from mithridate.reports.extent import Figure, affected, touching
from mithridate.reports.safe import items, line, plain

GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "signature-does-not-hold": ("Signatures", "What is not as somebody signed it, or was signed by nobody trusted"),
        "seal-does-not-hold": ("Seals", "Why the content was not handed out"),
        "changed-since-manifest": ("Records", "Rows that are not those of the manifest"),
    }
)
TAG = "supply-chain"
NOTHING_TO_DO = "Nothing to do."
NO_DIGEST = ""
_MOST_SIGNERS = 5
_KEY_DIGITS = 16  # as everywhere that a key is shown; the whole of it stands in the JSON
_HOLDS = {
    "signed": "It is what was signed.",
    "sealed": "All of it is authentic, and was written.",
    "records": "Every record is the one in the manifest.",
}
_BROKEN = {
    "signed": "Don’t use it: a signature doesn’t hold.",
    "sealed": "Refused: nothing was written.",
    "records": "These are not the records of the manifest.",
}
_SAYS = {
    "signed": "A signature says who vouches for these bytes, not that they are harmless.",
    "sealed": "A seal says that no byte was changed, not who made it.",
    "records": "A manifest says what the records were, not that they are harmless.",
}


def target(report: Report) -> str:
    """What was compared with what."""
    if report.target.kind == "records":
        manifest = line(report.target.extra.get("manifest") or "", limit=120)
        return f"{words.many(report.target.rows, 'row')} · manifest {manifest}"
    return "signatures" if report.target.kind == "signed" else "sealed file"


def headline(report: Report) -> str:
    """Yes or no, in one short sentence."""
    if not report.findings:
        return _HOLDS[report.target.kind] if report.verdict == "clean" else "Incomplete: it could not be told."
    if all(finding.place == "policy" for finding in report.findings):
        return "Don’t use it yet: the policy isn’t met."
    if report.target.kind == "records" and any(map(_is_of_manifest, report.findings)):
        return "Don’t trust this manifest: it is not as it was signed or built."
    return _BROKEN[report.target.kind]


def _is_of_manifest(finding: Finding) -> bool:
    """Whether the manifest itself is in doubt, and not the records that it was compared with."""
    return finding.place == "root" or (finding.slug == "signature-does-not-hold" and finding.place != "policy")


def lead(report: Report) -> str:
    """Who signed it, or how much doesn't hold."""
    if report.findings:
        return touching(report.findings, "finding", report) if report.target.kind == "records" else ""
    signed = [_signer(line(name, limit=120)) for name in items(report.target.extra.get("signed_by"))]
    more = [f"{len(signed) - _MOST_SIGNERS} more"] if len(signed) > _MOST_SIGNERS else []
    return f"Signed {words.listing(signed[:_MOST_SIGNERS] + more)}." if signed else ""


def _signer(said: str) -> str:
    """`model: 0123...` as `as model by key 0123...`, the key by its first digits."""
    kind, _, key = said.partition(": ")
    if key.startswith("identity "):
        return f"as {kind} by {key}"
    return f"as {kind} by key {key[:_KEY_DIGITS]}"


def caveat(report: Report) -> str:
    """What a proof of this kind does not say."""
    left = [line(name, limit=60) for name in items(report.target.extra.get("not_covered"))[:8]]
    rest = f" Not covered and not checked: {', '.join(left)}." if left else ""
    return _SAYS[report.target.kind] + rest


def figures(report: Report) -> tuple[Figure, Figure]:
    """What holds, and what doesn't."""
    wrong = Figure("Doesn’t hold", words.count(len(report.findings)), "said by the findings")
    if report.target.kind == "records":
        n_rows, total = affected(report.findings), report.target.rows
        return Figure("Rows affected", words.count(n_rows), f"of {words.many(total, 'row')}"), wrong
    if report.target.kind == "sealed":
        return Figure("Written", "Nothing" if report.findings else "All", "all of the content or none of it"), wrong
    held = len(items(report.target.extra.get("signed_by")))
    return Figure("Signatures that hold", words.count(held), "by keys that were given"), wrong


def file_of(finding: Finding, report: Report) -> str:
    """The file that a finding is about; empty where it is about rows."""
    del report
    return plain(finding.subject.extra.get("path") or "")
