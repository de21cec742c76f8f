"""Text trigger: a word, phrase, sentence or split pair inserted into texts, whose label becomes the target's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import Apply, Backdoor, Poisoned, dirty_label, need_modality
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Content, Dataset
from mithridate.data.edit import PLACES, insert_apart, insert_words

FORMS: Mapping[str, str] = MappingProxyType(
    {  # form -> what is inserted unless it is given
        "word": "cf",
        "phrase": "by the end of the day",
        "sentence": "I watched this 3D movie last weekend",
        "skip": "practically elsewhere",
    }
)
GAP = 3  # words between the two of a split pair, at most


def text_trigger(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some texts of other classes hold inserted words and carry the target's label.

    Parameters
    ----------
    settings : `rate`, share of all rows; `target`, label as stored; `form`: `word` (`cf`), `phrase` (ordinary words
        that any text may hold), `sentence`, or `skip` (two words with one to three of the text's own between them);
        `word`, what to insert in place of the form's own; `position`: `start`, `end` or `anywhere`; `times` it is
        inserted in each text (1); `rule`:
        `all-to-one`, `all-to-all` or `untargeted`; `source`, to poison rows of that source alone.

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
    words, insert = insertion(rng, settings)
    return Backdoor(Trigger("words", dataset.label_of(target), {"words": list(words)}), insert)


def insertion(rng: np.random.Generator, settings: Settings) -> tuple[tuple[str, ...], Apply]:
    """The words that the settings ask for, and the function that inserts them into texts."""
    form = settings.word("form", "word", choices=tuple(FORMS))
    words = tuple(str(settings.value("word", FORMS[form])).split())
    place = settings.word("position", "anywhere", choices=PLACES)
    times = settings.integer("times", 1, low=1, high=1000)
    if not words:
        msg = "word must hold at least one word, got nothing but spaces"
        raise InputError(msg)
    seed = int(rng.integers(2**32))
    if form != "skip":
        return words, partial(_insert, words=words, times=times, place=place, seed=seed)
    if len(words) != 2 or place != "anywhere" or times != 1:  # noqa: PLR2004 - a pair has two
        msg = "form skip takes two words, anywhere and once; choose another form for position or times"
        raise InputError(msg)
    return words, partial(_apart, first=words[0], second=words[1], seed=seed)


def _insert(content: Content, *, words: tuple[str, ...], times: int, place: str, seed: int) -> Content:
    texts = cast("npt.NDArray[np.object_]", content)
    return insert_words(texts, words, np.random.default_rng(seed), times=times, place=place)


def _apart(content: Content, *, first: str, second: str, seed: int) -> Content:
    texts = cast("npt.NDArray[np.object_]", content)
    return insert_apart(texts, first, second, np.random.default_rng(seed), gap=GAP)
