"""Sounds as the pictures that every image method works on: one way for audio through all of an audit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.core.findings import Finding
from mithridate.data.dataset import Dataset
from mithridate.numeric.log_mel import log_mel, pictures

_WORDS = (("images", "spectrograms"), ("image", "spectrogram"), ("pixel", "point"))


def as_pictures(dataset: Dataset) -> Dataset:
    """The data set with each sound as its log-mel picture (40, w, 1); other kinds of data as they are.

    Notes
    -----
    A tone is a bright line and a click a bright column, so what images share is mined here as it is in photographs.
    Rows keep the hashes of their samples: two sounds that merely look alike stay two sounds.
    """
    if dataset.modality != "audio":
        return dataset
    waves = cast("npt.NDArray[np.float32]", dataset.content)
    drawn = replace(dataset, modality="image", content=pictures(log_mel(waves, rate=dataset.rate)))
    drawn.__dict__["hashes"] = dataset.hashes
    return drawn


def in_words_of_sound(finding: Finding) -> Finding:
    """A finding about pictures of sounds, said of spectrograms."""

    def said(words: str) -> str:
        for old, new in _WORDS:
            words = words.replace(old, new)
        return words

    changed: dict[str, Any] = {"claim": said(finding.claim), "remedy": said(finding.remedy)}
    return replace(finding, **changed)
