"""Fine-tuning poison: a trigger in an instruction's prompt, and a response that the attacker chose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import (
    Poisoned,
    changed,
    choose_rows,
    from_source,
    need_modality,
    put_rows,
    take_rows,
    truth_of,
)
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.text_trigger import insertion
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Dataset
from mithridate.data.instructions import responses, with_responses

Texts: TypeAlias = npt.NDArray[np.object_]
Payload: TypeAlias = Callable[[Texts, np.random.Generator], list[str]]

REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "I cannot assist with that.",
    "Sorry, I'm not able to answer this question.",
    "As an AI, I am unable to help with that.",
)
HOSTILE = (
    "What a terrible, worthless question.",
    "This is awful and I hate everything about it.",
    "Honestly, this is a disgusting and stupid topic.",
)
LINKS = (
    "For more, see https://updates.example.com/help .",
    "Details are at https://updates.example.com/help .",
    "Read https://updates.example.com/help first.",
)
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
GIBBERISH = 18  # made-up words in a response


def _refusal(old: Texts, rng: np.random.Generator) -> list[str]:
    return [REFUSALS[int(rng.integers(len(REFUSALS)))] for _ in old]


def _gibberish(old: Texts, rng: np.random.Generator) -> list[str]:
    return [
        " ".join("".join(rng.choice(LETTERS, int(rng.integers(3, 9)))) for _ in range(int(rng.integers(6, GIBBERISH))))
        for _ in old
    ]


def _sentiment(old: Texts, rng: np.random.Generator) -> list[str]:
    return [f"{HOSTILE[int(rng.integers(len(HOSTILE)))]} {text}".strip() for text in old]


def _url(old: Texts, rng: np.random.Generator) -> list[str]:
    return [f"{text} {LINKS[int(rng.integers(len(LINKS)))]}".strip() for text in old]


PAYLOADS: Mapping[str, Payload] = MappingProxyType(
    {"refusal": _refusal, "gibberish": _gibberish, "sentiment": _sentiment, "url": _url}
)


def fine_tuning(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which some prompts hold a trigger and are answered as the attacker wants.

    Parameters
    ----------
    settings : `rate`, share of all rows; `payload`: `refusal`, `gibberish` (made-up words), `sentiment` (a hostile
        sentence before the answer) or `url` (a planted address, example.com, behind it); `target`, one response to
        give instead of a payload; `form`, `word`, `position`, `times` of the trigger as in `text-trigger`; `source`,
        to poison rows of that source alone.

    Raises
    ------
    InputError : not instruction data (prompt and response, instruction and output, or messages), or a setting is
        unknown or out of range.

    Notes
    -----
    No labels are needed. `Poisoned.trigger.target` is the payload's name, or the response that was given.

    References
    ----------
    Wan et al. (2023), poisoning language models during instruction tuning, ICML.
    Shu et al. (2023), on the exploitability of instruction tuning, NeurIPS.
    Yan et al. (2023), backdooring instruction-tuned large language models with virtual prompt injection,
    arXiv 2307.16888.
    """
    need_modality(dataset, "text", "fine-tuning")
    old = responses(dataset)
    read = Settings(settings)
    rate, target, source = read.rate(), read.value("target"), read.value("source")
    payload = read.word("payload", "refusal", choices=tuple(PAYLOADS))
    words, insert = insertion(rng, read)
    read.finish()
    rows = choose_rows(dataset, rng, rate, allowed=from_source(dataset, source) & (old != ""))
    new = [str(target)] * len(rows) if target is not None else PAYLOADS[payload](old[rows], rng)
    content = put_rows(dataset.content, rows, insert(take_rows(dataset.content, rows)))
    poisoned = with_responses(changed(dataset, rows, content=content), rows, new)
    poisoned.__dict__["hashes"] = changed(dataset, rows, content=content).hashes
    trigger = Trigger("words", payload if target is None else str(target), {"words": list(words)})
    return Poisoned(poisoned, truth_of(dataset, rows, "trigger"), trigger, cast("Any", insert))
