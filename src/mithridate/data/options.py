"""What the user may say about a source: which column is what, and how much memory reading may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from mithridate.core.errors import InputError
from mithridate.data.budget import Budget
from mithridate.data.dataset import MODALITIES, Modality

LABEL_NAMES = ("label", "labels", "y", "target", "class")
SOURCE_NAME = "source"
NO_LABEL = ""  # `--label ''`: there are none, don't look for them


@dataclass(frozen=True, slots=True)
class Options:
    """The reader's instructions; None means *infer it*.

    Parameters
    ----------
    name : what the report calls the source (a file name, never a path).
    label, source, content : columns (arrays in an npz); an empty `label` says that there are no labels.
    modality : image, table, text, embedding or audio.
    budget : bytes that may be held.
    """

    name: str
    label: str | None = None
    source: str | None = None
    content: str | None = None
    modality: Modality | None = None
    budget: Budget = field(default_factory=Budget)

    def wants(self, modality: Modality) -> bool:
        """Whether the user asked for this modality, or for none."""
        return self.modality in {None, modality}


def checked_modality(modality: str | None) -> Modality | None:
    """The modality, if it is one that can be read.

    Raises
    ------
    InputError : a word that is no modality.
    """
    if modality is None:
        return None
    for known in get_args(Modality):
        if modality == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"modality must be one of {', '.join(MODALITIES)}, got {modality!r}")
