"""Models that come without a word about what they are for."""

from __future__ import annotations

import re

from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.model_files import models
from mithridate.supply.posture.say import Kind, finding
from mithridate.supply.posture.walk import File

ID, SLUG = "SUP428", "no-model-card"
_CALLED_SO = re.compile(
    r"(?:^|/)[^/]*model[-_ ]?card[^/]*\.(?:md|rst|txt|html|json|ya?ml)$|(?:^|/)modelcard\b", re.IGNORECASE
)
_README = re.compile(r"^readme(?:\.\w+)?$", re.IGNORECASE)
_SECTIONS = re.compile(
    r"(?im)^(?:#+\s*|\*\*)?.{0,30}\b(?:model card|model (?:description|details)|intended use|uses|limitations|bias|"
    r"training data|training procedure|evaluation|out[- ]of[- ]scope|ethical considerations|metrics)\b"
)
_FRONT = re.compile(
    r"(?s)\A---\n.*?\b(?:license|library_name|pipeline_tag|model-index|base_model|datasets)\s*:.*?\n---"
)
_LEAST_SECTIONS = 2
_KIND = Kind(
    ID, SLUG, "model card", Severity.LOW, 0.8,
    "write MODEL_CARD.md beside it: intended use, training data and its sources, evaluation, limits, whom to ask",
)  # fmt: skip


def model_card(context: Context, settings: PostureSettings) -> Outcome:
    """Folders with models where neither the folder nor one above it holds a model card.

    Notes
    -----
    A card is a file called so, or a README with Hugging Face's front matter or at least two of a card's headings.
    Whether what it says is true is not judged.

    References
    ----------
    Mitchell et al. (2019), Model cards for model reporting, FAT*.
    """
    del settings
    artefacts = models(context.files)
    if not artefacts:
        raise Skip("no model file here")
    carded = {_folder(file) for file in context.files if _is_card(context, file)}
    bare: dict[str, File] = {}
    for file in artefacts:
        above = _folder(file)
        while above and above not in carded:
            above = above.rpartition("/")[0]
        if above not in carded:
            bare.setdefault(_folder(file), file)
    return Outcome(tuple(finding(_KIND, file, "{path} is a model without a model card") for file in bare.values()))


def _folder(file: File) -> str:
    return file.name.rpartition("/")[0]


def _is_card(context: Context, file: File) -> bool:
    if _CALLED_SO.search(file.name):
        return True
    if not _README.match(file.path.name):
        return False
    body = context.text(file) or ""
    return bool(_FRONT.search(body)) or len({m[0].lower() for m in _SECTIONS.finditer(body)}) >= _LEAST_SECTIONS
