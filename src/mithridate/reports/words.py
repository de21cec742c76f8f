"""Numbers and verdicts in plain words; every format says the same thing because it says it from here."""

from __future__ import annotations

import re
from collections.abc import Callable

from mithridate.core.findings import Severity

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_CONFIDENCE = (
    (0.99, "almost certain"),
    (0.95, "very likely"),
    (0.80, "likely"),
    (0.50, "more likely than not"),
)
_TITLES = {
    "attack_success": "attack success",
    "auc": "attack AUC",
    "clean_accuracy": "accuracy on clean rows",
    "epsilon_claimed": "epsilon claimed",
    "epsilon_lower": "epsilon, lower bound",
    "expected_false_flags": "expected false flags",
    "fdr": "false-discovery rate",
    "flip_rate": "flip rate",
    "p_value": "p-value",
    "robust_accuracy": "robust accuracy",
}
_JOINTS = re.compile(r"(?<=\d) (?=(?:%|×|[kMGT]?B\b|m?s\b|min\b|h\b))|(?<=×) (?=\d)|(?<=[<>]) (?=\d)")
_SMALL = 1e-3
_SCALES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
SHAPES = {"critical": "■", "high": "▲", "medium": "◆", "low": "●"}


def count(number: int) -> str:
    """A whole number with thousands separated.

    Examples
    --------
    >>> count(10_000)
    '10,000'
    """
    return f"{number:,}"


def many(number: int, noun: str) -> str:
    """A count with its noun, in the plural when it must be.

    Examples
    --------
    >>> many(1, "row"), many(2500, "row")
    ('1 row', '2,500 rows')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def share(value: float) -> str:
    """A share in [0, 1] in percent, never rounded to a false 0 or 100.

    Examples
    --------
    >>> share(0.973), share(0.76), share(0.0001), share(0.9999)
    ('97.3 %', '76 %', '< 0.1 %', '> 99.9 %')
    """
    if 0 < value < _SMALL:
        return "< 0.1 %"
    if 1 - _SMALL < value < 1:
        return "> 99.9 %"
    return f"{_trim(f'{100 * value:,.1f}')} %"


def figure(value: float) -> str:
    """A bare number with three figures: thousands separated, tiny and huge ones as powers of ten.

    Examples
    --------
    >>> figure(4.0), figure(1234.5), figure(0.04567), figure(1.2e-9)
    ('4', '1,234', '0.0457', '1.2 × 10⁻⁹')
    """
    size_of = abs(value)
    if size_of and (size_of < _SMALL or size_of >= 1e12):  # noqa: PLR2004  beyond a trillion, digits stop helping
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{_trim(mantissa)} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    if size_of >= 100:  # noqa: PLR2004  three figures before the point
        return f"{value:,.0f}"
    return _trim(f"{value:#.3g}".rstrip("."))


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    Examples
    --------
    >>> duration(0.0421), duration(3.14), duration(125), duration(4320)
    ('42 ms', '3.1 s', '2 min 5 s', '1 h 12 min')
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.95:  # noqa: PLR2004  what rounds to 60 s is a minute
        return f"{_trim(f'{seconds:.1f}')} s"
    whole = round(seconds)
    if whole < 3600:  # noqa: PLR2004  seconds in an hour
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def size(n_bytes: float) -> str:
    """Bytes in decimal units with at most three figures.

    Examples
    --------
    >>> size(512), size(180_000_000)
    ('512 B', '180 MB')
    """
    for scale, unit in _SCALES:
        if n_bytes >= scale:
            return f"{figure(n_bytes / scale)} {unit}"
    return f"{n_bytes:,.0f} B"


def expected(value: float) -> str:
    """An expected count, no finer than a tenth of a row.

    Examples
    --------
    >>> expected(0.0196), expected(0.0), expected(3.74), expected(20.6)
    ('< 0.1', '0', '3.7', '21')
    """
    if 0 < value < 0.1:  # noqa: PLR2004 - a tenth of a row
        return "< 0.1"
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"  # noqa: PLR2004 - two digits are enough


def quantity(value: float | None, unit: str) -> str:
    """A measured value with its unit: shares in percent, seconds and bytes as people say them."""
    if value is None:
        return "not measured"
    if unit in _UNITS:
        return _UNITS[unit](value)
    return f"{figure(value)} {unit}".strip()


def interval(low: float | None, high: float | None, unit: str) -> str:
    """The interval in words, empty without one.

    Examples
    --------
    >>> interval(0.73, 0.79, "share"), interval(None, 0.2, "")
    ('73 % to 79 %', 'at most 0.2')
    """
    if low is None and high is None:
        return ""
    if low is None:
        return f"at most {quantity(high, unit)}"
    if high is None:
        return f"at least {quantity(low, unit)}"
    bare = unit if unit in _UNITS else ""
    return f"{quantity(low, bare)} to {quantity(high, unit)}"


def confidence(value: float) -> str:
    """How sure, in words: 0.99 and above is almost certain, below 0.5 uncertain."""
    return next((word for floor, word in _CONFIDENCE if value >= floor), "uncertain")


def title(name: str) -> str:
    """The name of a number as a person says it: `attack_success:before` is `attack success, before`."""
    stem, _, suffix = name.partition(":")
    stem, _, at = stem.partition("@")
    words = _TITLES.get(stem, stem.replace("_", " ").replace("-", " "))
    words = words.replace("tpr", "true-positive rate") if stem == "tpr" else words
    return words + (f" at {at}" if at else "") + (f", {suffix.replace('-', ' ')}" if suffix else "")


def serious(severity: Severity | None) -> bool:
    """Whether this is high or critical."""
    return severity is not None and severity >= Severity.HIGH


def glue(text: str) -> str:
    """The text with a no-break space between a figure and its unit, so that no line ends between them.

    Examples
    --------
    >>> len("moves 76 % of 3 × 3".split(" ")), len(glue("moves 76 % of 3 × 3").split(" "))
    (7, 4)
    """
    return _JOINTS.sub("\u00a0", text)


def listing(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def _trim(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _power_of_ten(exponent: float) -> str:
    return f"10{str(-round(exponent)).translate(_SUPERSCRIPT)}"


_UNITS: dict[str, Callable[[float], str]] = {
    "share": share,
    "s": duration,
    "seconds": duration,
    "bytes": size,
    "-log10 p": _power_of_ten,
}
