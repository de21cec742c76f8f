"""Services of a compose file, read by their indentation: the text of each, and whether a port is published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mithridate.supply.posture.lines import commands

_KEY = re.compile(r"^(\s*)([\w.-]+)\s*:\s*(.*)$")
_LOCAL = r"(?:127\.0\.0\.1|localhost|\[::1\])"
_SHORT = re.compile(
    rf"""^\s*-\s*["']?(?!{_LOCAL}:)(?:[\d.]+:|\[[^\]]*\]:)?(?:\$\{{[^}}]*\}}|[\d-]+):[\d$][^"']*["']?\s*$"""
)
_INLINE = re.compile(r"""ports\s*:\s*\[(?P<list>[^\]]*)\]""")
_LONG = re.compile(r"^\s*-?\s*published\s*:")
_HOST_IP = re.compile(r"host_ip\s*:\s*[\"']?" + _LOCAL)
_HOST_NETWORK = re.compile(r"^\s*network_mode\s*:\s*[\"']?host\b")


class Service(NamedTuple):
    """One service: its name, its first line, its text without comments, and whether others reach a port of it."""

    name: str
    line: int
    text: str
    published: bool


def services(body: str) -> Iterator[Service]:
    """The services that stand under `services:`; nothing where there is no such key.

    Notes
    -----
    Anchors, merges and `extends` aren't followed.
    """
    inside, step, name, line, held = False, 0, "", 0, list[str]()
    for number, text in commands(body):
        match = _KEY.match(text)
        indent = len(match[1]) if match else len(text) - len(text.lstrip())
        if match and not indent:
            if name:
                yield _service(name, line, held)
            inside, step, name, held = match[2] == "services", 0, "", []
        elif inside and match and (not step or indent <= step) and not text.lstrip().startswith("-"):
            if name:
                yield _service(name, line, held)
            step, name, line, held = indent, match[2], number, []
        elif inside and name:
            held.append(text)
    if name:
        yield _service(name, line, held)


def _service(name: str, line: int, held: list[str]) -> Service:
    text = "\n".join(held)
    inline = _INLINE.search(text)
    parts = [f"- {part.strip()}" for part in inline["list"].split(",")] if inline else _under_ports(held)
    published = any(_SHORT.match(part) for part in parts)
    published = published or any(map(_HOST_NETWORK.match, held))
    published = published or (any(map(_LONG.match, held)) and not _HOST_IP.search(text))
    return Service(name, line, text, published)


def _under_ports(held: list[str]) -> list[str]:
    """The lines of the `ports:` list."""
    found: list[str] = []
    inside: int | None = None
    for line in held:
        match = _KEY.match(line)
        indent = len(line) - len(line.lstrip())
        if match and match[2] == "ports":
            inside = indent
        elif inside is not None and (indent > inside or (indent == inside and line.lstrip().startswith("-"))):
            found.append(line)
        else:
            inside = None
    return found
