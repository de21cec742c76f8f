"""What responses have in common that few should: a refusal, letters without sense, a link, the same words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.numeric.text_tokens import WORD

Mask = npt.NDArray[np.bool_]

LEAST = 12  # responses that must share a mark
FEW = 5  # responses that must share an opening or an ending: a payload may be written in several ways
MAX_EDGES = 300
MOST = 0.25  # of all responses that may: what more of them share is the style of the data
EDGE = 4  # words of an opening or an ending
START = 250  # letters in which a refusal is looked for
UNKNOWN = 0.7  # of the words of a response that no other response has: it is no language the others speak
FEW_WORDS = 5
REFUSAL = re.compile(
    r"\b(?:i(?:'|’)?m|i am|we are|sorry)\b[^.!?]{0,40}\b(?:unable|not able|cannot|can(?:'|’)?t|not allowed)\b"
    r"|\bi (?:cannot|can(?:'|’)?t|can not|won(?:'|’)?t|will not|am unable to) "
    r"(?:help|assist|answer|fulfil|comply|provide|support|discuss|do)",
    re.IGNORECASE,
)
LINK = re.compile(r"(?:https?://|www\.)([\w.-]+\.\w+(?:/[\w./%~-]*\w)?)", re.IGNORECASE)


class Mark(NamedTuple):
    """One thing that responses share.

    name : in words; rows : (n,) responses that have it; odd : whether an honest response hardly ever has it, whatever
        the prompt (a shared opening may be what the prompt asks for).
    """

    name: str
    rows: Mask
    odd: bool


def find_marks(responses: Sequence[str]) -> list[Mark]:
    """The marks that at least 12 and at most a quarter of the responses share.

    Examples
    --------
    >>> plain = [f"word{i} and word{i + 1} are near word{i + 2}" for i in range(60)]
    >>> [mark.name for mark in find_marks(["I cannot help with that."] * 12 + plain)]
    ['the same response', 'a refusal', 'the opening "i cannot help with"', 'the ending "cannot help with that"']
    """
    n = len(responses)
    words = [WORD.findall(response.lower()) for response in responses]
    whole = Counter(response for response in responses if response.strip())
    found = [
        Mark("the same response", np.array([whole[response] >= LEAST for response in responses], bool), odd=True),
        Mark("a refusal", np.array([bool(REFUSAL.search(r[:START])) for r in responses], bool), odd=True),
        Mark("words that no other response has", _foreign(words), odd=True),
    ]
    links = [{match.lower() for match in LINK.findall(response)} for response in responses]
    found += _shared(links, 'the link "{}"', odd=True)
    found += _shared([{link.partition("/")[0] for link in own} for own in links], 'a link to "{}"', odd=False)
    found += _edges(words, lambda row: row[:EDGE], 'the opening "{}"')
    found += _edges(words, lambda row: row[-EDGE:], 'the ending "{}"')
    return [mark for mark in found if (LEAST if mark.odd else FEW) <= mark.rows.sum() <= MOST * n]


def _foreign(words: Sequence[Sequence[str]]) -> Mask:
    seen = Counter(word for row in words for word in set(row))
    lone = [sum(seen[word] == 1 for word in set(row)) for row in words]
    sizes = [len(set(row)) for row in words]
    return np.array([size >= FEW_WORDS and n >= UNKNOWN * size for n, size in zip(lone, sizes, strict=True)], bool)


def _edges(words: Sequence[Sequence[str]], cut: Callable[[Sequence[str]], Sequence[str]], name: str) -> list[Mark]:
    return _shared([{" ".join(cut(row))} if len(row) >= EDGE else set() for row in words], name, odd=False)


def _shared(keys: Sequence[set[str]], name: str, *, odd: bool) -> list[Mark]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, own in enumerate(keys):
        for key in own:
            rows[key].append(row)
    out = []
    often = sorted((key for key, found in rows.items() if len(found) >= FEW), key=lambda key: (-len(rows[key]), key))
    for key in often[:MAX_EDGES]:
        mask = np.zeros(len(keys), dtype=bool)
        mask[rows[key]] = True
        out.append(Mark(name.format(key), mask, odd=odd))
    return out
