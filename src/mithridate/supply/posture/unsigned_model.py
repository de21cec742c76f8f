"""Models that nobody signed: whoever changes the file stays unseen."""

from __future__ import annotations

from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.model_files import models
from mithridate.supply.posture.say import Kind, finding
from mithridate.supply.posture.walk import File

ID, SLUG = "SUP440", "unsigned-model"
_BESIDE = (
    ".sig",
    ".sigstore",
    ".sigstore.json",
    ".asc",
    ".minisig",
    ".signature",
    ".intoto.jsonl",
    ".bundle",
    ".dsse.json",
)
_OF_FOLDER = ("model.sig", "model.sigstore", "model.sig.json", "signature.json")
_KIND = Kind(
    ID,
    SLUG,
    "unsigned",
    Severity.LOW,
    0.8,
    "sign it, and verify before it is loaded: `mithridate sign PATH --key K.pem -o PATH.sig`",
)


def unsigned_model(context: Context, settings: PostureSettings) -> Outcome:
    """Model files without a signature beside them or over their folder.

    Notes
    -----
    Found by name (`model.pt.sig`, `model.sig` in the folder or above); whether a signature holds is `mithridate
    verify`'s question.

    References
    ----------
    OpenSSF, Model signing specification 1.0; MITRE ATLAS AML.M0014, Verify AI artifacts.
    """
    del settings
    artefacts = models(context.files)
    if not artefacts:
        raise Skip("no model file here")
    names = {file.name for file in context.files}
    bare: dict[str, list[File]] = {}
    for file in artefacts:
        if not _signed(file, names):
            bare.setdefault(file.name.rpartition("/")[0], []).append(file)
    found = []
    for files in bare.values():
        more = f" and {len(files) - 1} more in its folder" if len(files) > 1 else ""
        found.append(finding(_KIND, files[0], f"{{path}}{more}: no signature"))
    return Outcome(tuple(found))


def _signed(file: File, names: set[str]) -> bool:
    if any(file.name + suffix in names for suffix in _BESIDE):
        return True
    above = file.name.rpartition("/")[0]
    while True:
        if any((f"{above}/{name}" if above else name) in names for name in _OF_FOLDER):
            return True
        if above and any(above + suffix in names for suffix in _BESIDE):
            return True
        if not above:
            return False
        above = above.rpartition("/")[0]
