"""Text trigger: a word inserted into texts, whose label becomes the target's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import Backdoor, Poisoned, dirty_label, need_modality
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Content, Dataset
from mithridate.data.edit import insert_words


def text_trigger(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some texts of other classes hold an inserted word and carry the target's label.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `word` to insert, or a phrase (`cf`); `times` it
        is inserted in each text, each at a random place (1); `rule`: `all-to-one`, `all-to-all` or
        `untargeted`; `source`, to poison rows of that source alone.

    Raises
    ------
    InputError : not texts, or a setting is unknown or out of range.

    References
    ----------
    Kurita, Michel, Neubig (2020), weight poisoning attacks on pre-trained models, ACL.
    Dai, Chen, Li (2019), a backdoor attack against LSTM-based text classification systems, IEEE Access 7.
    """
    return dirty_label(dataset, rng, settings, word_backdoor)


def word_backdoor(dataset: Dataset, rng: np.random.Generator, settings: Settings, target: int) -> Backdoor:
    """The words as a trigger and the function that inserts them."""
    need_modality(dataset, "text", "text-trigger")
    words = str(settings.value("word", "cf")).split()
    if not words:
        msg = "word must hold at least one word, got nothing but spaces"
        raise InputError(msg)
    times = settings.integer("times", 1, low=1, high=1000)
    seed = int(rng.integers(2**32))
    trigger = Trigger("words", dataset.label_of(target), {"words": list(words)})
    return Backdoor(trigger, partial(_insert, words=tuple(words), times=times, seed=seed))


def _insert(content: Content, *, words: tuple[str, ...], times: int, seed: int) -> Content:
    texts = cast("npt.NDArray[np.object_]", content)
    return insert_words(texts, words, np.random.default_rng(seed), times=times)
