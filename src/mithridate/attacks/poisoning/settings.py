"""Read an attack's settings: typed values from Python, or the strings of `--set k=v`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mithridate.core.errors import InputError


class Settings:
    """Settings read one by one; what nobody read at the end is unknown, and an error.

    Examples
    --------
    >>> read = Settings({"rate": "0.05", "size": "3"})
    >>> read.rate(), read.integer("size", 4, low=1)
    (0.05, 3)
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self._asked: set[str] = set()

    def value(self, name: str, default: Any = None) -> Any:
        """The value as given; `default` when it is absent or None."""
        self._asked.add(name)
        found = self._values.get(name)
        return default if found is None else found

    def number(self, name: str, default: float, *, low: float, high: float) -> float:
        """A number in [low, high]."""
        given = self.value(name, default)
        try:
            number = float(given)
        except (TypeError, ValueError):
            raise InputError(f"{name} must be a number in [{low:g}, {high:g}], got {given!r}") from None
        if not low <= number <= high:
            raise InputError(f"{name} must be a number in [{low:g}, {high:g}], got {given!r}")
        return number

    def integer(self, name: str, default: int, *, low: int, high: int = 1_000_000) -> int:
        """A whole number in [low, high]."""
        number = self.number(name, default, low=low, high=high)
        if number != int(number):
            raise InputError(f"{name} must be a whole number in [{low}, {high}], got {self.value(name)!r}")
        return int(number)

    def word(self, name: str, default: str, *, choices: Sequence[str]) -> str:
        """One of `choices`."""
        given = str(self.value(name, default))
        if given not in choices:
            raise InputError(f"{name} must be one of {', '.join(choices)}, got {given!r}")
        return given

    def items(self, name: str) -> list[Any]:
        """A list; a string is split at its commas; empty when absent."""
        given = self.value(name, ())
        if isinstance(given, str):
            return [item.strip() for item in given.split(",") if item.strip()]
        return list(given) if isinstance(given, Sequence) else [given]

    def rate(self) -> float:
        """The share of all rows to poison, 0 < rate < 1."""
        given = self.value("rate")
        if given is None:
            msg = "rate is missing; give the share of rows to poison, such as 0.01"
            raise InputError(msg)
        try:
            rate = float(given)
        except (TypeError, ValueError):
            raise InputError(f"rate must be a share between 0 and 1, got {given!r}") from None
        if not 0.0 < rate < 1.0:
            hint = f"; for {rate:g} % write {rate / 100:g}" if 1.0 <= rate < 100.0 else ""  # noqa: PLR2004 - per cent
            raise InputError(f"rate must be a share between 0 and 1, both excluded, got {given!r}{hint}")
        return rate

    def finish(self) -> None:
        """`InputError` when a setting was given that nobody asked for."""
        unknown = sorted(set(self._values) - self._asked)
        if unknown:
            raise InputError(
                f"unknown setting {', '.join(unknown)}; this attack takes {', '.join(sorted(self._asked))}"
            )
