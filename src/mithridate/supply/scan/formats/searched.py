"""Patterns with the words that they can't match without: most texts hold none, and a word is found 100 times faster."""

from __future__ import annotations

import re
from typing import NamedTuple


class Searched(NamedTuple):
    """A pattern.

    needles : one of them stands, in lower case, in every text that the pattern matches. pattern : compiled. what : what
    a match means, in words.
    """

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    what: str = ""

    def find(self, text: str, lowered: str) -> re.Match[str] | None:
        """The first match in the text, whose lower-case form is handed over."""
        return self.pattern.search(text) if any(needle in lowered for needle in self.needles) else None
