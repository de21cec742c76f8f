"""Where servers read in a file of their own that they shall listen to everybody, and what would guard them there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_EVERY = r"""["']?(?:0\.0\.0\.0|::|\*)(?:/0|:\d+)?["']?"""
_NEVER = re.compile(r"(?!)")
_MOUNTED = re.compile(r"(?:(?<=\s)|^)(?:-v|-w|--volume|--workdir|--mount)[= ]?\s*\S+")  # a path is no program


@dataclass(frozen=True, slots=True)
class Place:
    """One setting: the file's path, a mark that it is that program's, the setting, what guards it, whether it is bare.

    bare : no key is asked for unless `guard` stands in the file; else only TLS is missing.
    """

    what: str
    path: re.Pattern[str]
    setting: re.Pattern[str]
    mark: re.Pattern[str] = re.compile("")
    guard: re.Pattern[str] = _NEVER
    bare: bool = True


class Found(NamedTuple):
    """A server that its own file opens: what it is, whether it asks for no key, its 1-based line."""

    what: str
    bare: bool
    line: int


def _path(ending: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|/){ending}$", re.IGNORECASE)


def _lines(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?im){pattern}")


PLACES = (
    Place("Redis without protected mode", _path(r"[\w.-]*redis[\w.-]*\.conf"), _lines(r"^\s*protected-mode\s+no\b"),
          guard=_lines(r"^\s*(?:requirepass|aclfile|user)\s+\S")),
    Place("Redis without a password", _path(r"[\w.-]*redis[\w.-]*\.conf"), _lines(rf"^\s*bind\s+{_EVERY}"),
          guard=_lines(r"^\s*(?:requirepass|aclfile|user)\s+\S|^\s*protected-mode\s+(?:yes|no)\b")),
    Place("MongoDB without authorization", _path(r"[\w.-]*mongod?[\w.-]*\.(?:conf|ya?ml)"),
          _lines(rf"^\s*(?:bindIp\s*:|bind_ip\s*=)\s*{_EVERY}|^\s*bindIpAll\s*:\s*true"),
          guard=_lines(r"^\s*authorization\s*:\s*[\"']?enabled|^\s*auth\s*=\s*true")),
    Place("PostgreSQL that trusts whoever connects", _path(r"[\w.-]*pg_hba[\w.-]*\.conf"),
          _lines(r"^\s*host\w*\s+\S+\s+\S+\s+(?!127\.|::1|localhost|samehost)\S+(?:\s+255\.\S+)?\s+trust\b")),
    Place("PostgreSQL on every address without TLS", _path(r"[\w.-]*postgres[\w.-]*\.conf"),
          _lines(rf"^\s*listen_addresses\s*=\s*{_EVERY}"), guard=_lines(r"^\s*ssl\s*=\s*'?on"), bare=False),
    Place("Jupyter with an empty token", _path(r"jupyter[\w.-]*\.json"), _lines(rf"\"ip\"\s*:\s*{_EVERY}"),
          mark=_lines(r"\"token\"\s*:\s*\"\""), guard=_lines(r"\"(?:hashed_)?password\"\s*:\s*\"[^\"]")),
    Place("Ray Serve", _path(r"[\w.-]+\.ya?ml"), _lines(rf"^\s*host\s*:\s*{_EVERY}\s*(?:#.*)?$"),
          mark=_lines(r"^(?:http_options|proxy_location)\s*:")),
    Place("BentoML", _path(r"[\w.-]*bento[\w.-]*\.ya?ml"), _lines(rf"^\s*host\s*:\s*{_EVERY}\s*(?:#.*)?$"),
          mark=_lines(r"^\s*(?:http|api_server|services|runners)\s*:"),
          guard=_lines(r"^\s*ssl\s*:\s*\n\s*enabled\s*:\s*true")),
    Place("Streamlit", _path(r"\.streamlit/config\.toml"), _lines(rf"^\s*address\s*=\s*{_EVERY}"),
          guard=_lines(r"^\s*sslCertFile\s*=|^\s*\[auth\]"), bare=False),
    Place("Gunicorn on every address without TLS", _path(r"gunicorn[\w.-]*\.py"),
          _lines(rf"^\s*bind\s*=\s*\[?f?{_EVERY}"),
          guard=_lines(r"^\s*certfile\s*="), bare=False),
    Place("Elasticsearch without security", _path(r"elasticsearch\.ya?ml"),
          _lines(r"^\s*xpack\.security\.enabled\s*:\s*false")),
    Place("Qdrant without a key", _path(r"[\w./-]*qdrant[\w./-]*\.ya?ml"), _lines(rf"^\s*host\s*:\s*{_EVERY}"),
          guard=_lines(r"^\s*(?:api_key|jwt_rbac)\s*:\s*\S")),
)  # fmt: skip
_RUN = re.compile(r"\b(?:docker|podman|nerdctl)\s+(?:container\s+)?(?:run|create)\s(?P<rest>.*)")
_PUBLISH = re.compile(
    r"(?:^|\s)(?:-\w*p|--publish)[= ]\s*[\"']?(?!127\.0\.0\.1:|localhost:|\[::1\]:)"
    r"(?:[\d.]+:|\[[^\]]*\]:)?[\w${}-]*:?[\d$]|"
    r"(?:^|\s)(?:-P|--publish-all)\s|(?:^|\s)--net(?:work)?[= ]host\b"
)
_OUTSIDE = re.compile(
    r"(?m)^\s*type\s*:\s*[\"']?(?:LoadBalancer|NodePort)\b|^\s*hostNetwork\s*:\s*true\b|^\s*-?\s*hostPort\s*:\s*\d"
)
_INTERNAL = re.compile(
    r"(?i)internal[\w/-]*[\"']?\s*:\s*[\"']?(?:true|internal|0\.0\.0\.0/0)|load-balancer-type[\"']?\s*:\s*[\"']?internal"
)


def in_own_file(name: str, body: str) -> Iterator[Found]:
    """What a server's own configuration opens.

    Parameters
    ----------
    name : the file's path in the project.
    """
    for place in PLACES:
        if place.path.search(name) and place.mark.search(body):
            match = place.setting.search(body)
            if match and not place.guard.search(body):
                start = match.start() + len(match[0]) - len(match[0].lstrip())
                yield Found(place.what, place.bare, body.count("\n", 0, start) + 1)


def docker_run(line: str) -> str | None:
    """The words of a `docker run` that publishes a port to everybody, each also as an image; None for anything else."""
    match = _RUN.search(line)
    if match is None or not _PUBLISH.search(f" {match['rest']} "):
        return None
    rest = _MOUNTED.sub(" ", match["rest"])
    words = rest.split()
    images = "\n".join(
        f"image: {word}" for word in words[:60] if not word.startswith(("-", "image:")) and "=" not in word
    )
    return f"{images}\n{rest}"


def reaches_outside(manifest: str) -> bool:
    """Whether a manifest of Kubernetes lets what is outside of the cluster in."""
    return bool(_OUTSIDE.search(manifest)) and not _INTERNAL.search(manifest)
