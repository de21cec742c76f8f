"""Bech32: 32 bytes as the words that age calls its keys by."""

from __future__ import annotations

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_SUM = 6  # letters of the checksum


def bech32(prefix: str, raw: bytes) -> str:
    """The word for these bytes, in small letters.

    References
    ----------
    BIP 173, Base32 address format for native v0-16 witness outputs; without its limit of 90 letters.

    Examples
    --------
    >>> bech32("a", b"")
    'a12uel5l'
    """
    bits = "".join(f"{byte:08b}" for byte in raw)
    values = [int(bits[at : at + 5].ljust(5, "0"), 2) for at in range(0, len(bits), 5)]
    spread = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    check = _polymod([*spread, *values, *[0] * _SUM]) ^ 1
    ends = [check >> 5 * (_SUM - 1 - place) & 31 for place in range(_SUM)]
    return f"{prefix}1" + "".join(_LETTERS[value] for value in [*values, *ends])


def _polymod(values: list[int]) -> int:
    found = 1
    for value in values:
        top = found >> 25
        found = (found & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATORS):
            found ^= generator if top >> place & 1 else 0
    return found
