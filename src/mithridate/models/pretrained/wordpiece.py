"""WordPiece: texts to the token numbers that BERT-like models take, from a vocabulary file alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path

START, END, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
LONGEST = 100  # letters of a word beyond which it is unknown, as in the reference
_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F))
_ASCII_MARKS = ((33, 47), (58, 64), (91, 96), (123, 126))


def read_vocabulary(path: Path) -> dict[str, int]:
    """Token -> number, from a file with one token a line."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return {token: number for number, token in enumerate(lines) if token}


def token_numbers(text: str, vocabulary: Mapping[str, int], *, most: int) -> list[int]:
    """The text's tokens, start and end marks included, cut at `most`.

    Parameters
    ----------
    text : any string; lowered, without accents, words split at spaces, punctuation and ideographs.
    most : tokens kept, >= 2.

    References
    ----------
    Wu et al. (2016), Google's neural machine translation system, arXiv 1609.08144; Devlin et al. (2019), BERT, NAACL.

    Examples
    --------
    >>> vocabulary = {"[CLS]": 0, "[SEP]": 1, "[UNK]": 2, "run": 3, "##ning": 4, "!": 5}
    >>> token_numbers("Running zz!", vocabulary, most=9)
    [0, 3, 4, 2, 5, 1]
    """
    out = [vocabulary[START]]
    for word in split_words(text):
        if len(out) >= most - 1:
            break
        out += _pieces(word, vocabulary)
    return [*out[: most - 1], vocabulary[END]]


def split_words(text: str) -> list[str]:
    """Lower-case words and single punctuation marks, accents dropped.

    Examples
    --------
    >>> split_words("Café, 2.5")
    ['cafe', ',', '2', '.', '5']
    """
    if text.isascii():
        letters: str = text.lower()
    else:
        letters = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    spaced = "".join(_spaced(letter) for letter in letters)
    return spaced.split()


def _spaced(letter: str) -> str:
    """The letter, between spaces where it is a word of its own, a space where it only separates, "" for noise."""
    if letter.isalnum() and letter.isascii():
        return letter
    number = ord(letter)
    if letter in " \t\n\r" or unicodedata.category(letter) == "Zs":
        return " "
    if number in {0, 0xFFFD} or unicodedata.category(letter).startswith("C"):
        return ""
    alone = any(low <= number <= high for low, high in (*_ASCII_MARKS, *_IDEOGRAPHS))
    return f" {letter} " if alone or unicodedata.category(letter).startswith("P") else letter


def _pieces(word: str, vocabulary: Mapping[str, int]) -> list[int]:
    """The longest known pieces from left to right; one unknown token where some part has none."""
    if len(word) > LONGEST:
        return [vocabulary[UNKNOWN]]
    out, start = [], 0
    while start < len(word):
        lead = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if lead + word[start:end] in vocabulary), None)
        if end is None:
            return [vocabulary[UNKNOWN]]
        out.append(vocabulary[lead + word[start:end]])
        start = end
    return out
