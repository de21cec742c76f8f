"""Lines of configurations and command files: comments left out, continued lines joined."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.supply.posture.walk import File

DOCKERFILE = (  # gpu.Dockerfile, Dockerfile_amd, Dockerfile.j2; a program or a text about one is none
    r"[^/]*(?:docker|container)file(?![^/]*\.(?:py|pyc|ipynb|md|rst|txt|go|rs|[jt]sx?|java|rb|php|cs|cc?|cpp|html?|svg|png|pdf)$)[^/]*"
)
_NAMES = re.compile(
    rf"(?:^|/)(?:{DOCKERFILE}|procfile|makefile|[^/]*\.env|\.env[^/]*|"
    r"[^/]*\.(?:ya?ml|toml|ini|cfg|conf|properties|sh|bash|zsh|bat|cmd|service|json|env|envrc|dockerfile|tfvars)|"
    r"\.(?:netrc|pypirc|npmrc|pgpass|databrickscfg))$", re.IGNORECASE,
)  # fmt: skip
_LOCKS = re.compile(r"(?:^|/)(?:package-lock|composer\.lock|poetry\.lock|uv\.lock|pdm\.lock|pixi\.lock|yarn\.lock)")
_COMMENT = re.compile(r"(?:^|\s)#.*$|^\s*(?://|;).*$")


def is_configuration(file: File) -> bool:
    """Whether the name is that of a configuration or a file of commands."""
    return bool(_NAMES.search(file.name)) and not _LOCKS.search(file.name)


def commands(body: str) -> Iterator[tuple[int, str]]:
    r"""Each line with its 1-based number, without its comment, joined with those it continues in (`\`)."""
    held, first = "", 0
    for number, raw in enumerate(body.splitlines(), 1):
        told = "#" in raw or "//" in raw or ";" in raw  # a search for characters is ten times as quick
        line = (_COMMENT.sub("", raw) if told else raw).rstrip()
        first = first or number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        if (held + line).strip():
            yield first, (held + line)[:20_000]
        held, first = "", 0
    if held.strip():
        yield first, held[:20_000]
