"""A mined phrase as tokens and as its texts write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mithridate.data.dataset import Dataset
from mithridate.numeric.text_tokens import Corpus, Tokens

LOOKED_AT = 50  # texts


def columns_of(tokens: Tokens, phrase: Sequence[int]) -> list[int]:
    """Token numbers of a phrase's words and inner pairs."""
    wanted = {(word, -1) for word in phrase} | set(pairwise(phrase))
    near = np.flatnonzero(np.isin(tokens.first, list(phrase)))
    return [int(c) for c in near if (int(tokens.first[c]), int(tokens.second[c])) in wanted]


def as_written(dataset: Dataset, corpus: Corpus, phrase: Sequence[int], rows: npt.NDArray[np.int64]) -> list[str]:
    """The phrase as one of these texts writes it."""
    words = [corpus.vocabulary[word] for word in phrase]
    pattern = re.compile(r"\W+".join(re.escape(word) for word in words), re.IGNORECASE)
    for row in rows[:LOOKED_AT]:
        match = pattern.search(str(dataset.content[int(row)]))
        if match:
            return match.group().split()
    return words
