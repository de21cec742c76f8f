"""Secrets in code, notebooks and configurations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.code import cell_text
from mithridate.supply.posture.context import MOST_TEXT, Context, PostureSettings
from mithridate.supply.posture.lines import is_configuration
from mithridate.supply.posture.say import Kind, Spot, finding
from mithridate.supply.posture.secret_forms import (
    EXAMPLES,
    LEAST_BITS,
    LONGEST_LINE,
    MADE_UP,
    Secret,
    bits,
    by_form,
    by_name,
)
from mithridate.supply.posture.walk import File

ID, SLUG = "SUP420", "leaked-secret"
_CODE = frozenset(
    {".py", ".pyw", ".ipynb", ".r", ".jl", ".js", ".ts", ".java", ".go", ".rs", ".c", ".cpp", ".h", ".sh", ".bash",
     ".ps1", ".sql", ".tf", ".tfvars", ".hcl", ".xml", ".gradle", ".md", ".rst", ".txt", ".pem", ".key", ".json",
     ".html", ".tsx", ".jsx", ".mjs", ".cjs", ".vue", ".kt", ".scala", ".cs", ".php", ".rb", ".swift", ".dart", ".lua",
     ".zsh", ".fish", ".bat", ".cmd", ".m", ".mm", ".hpp", ".cc", ".pl", ".ex", ".proto", ".graphql", ".env", ".http",
     ".rmd", ".qmd"}
)  # fmt: skip
_PROSE = frozenset(
    {".md", ".rst", ".txt", ".html", ".xml", ".log", ".out", ".csv", ".tsv", ".jsonl", ".ndjson", ".diff", ".patch"}
)
_LOCKS = re.compile(r"(?:^|/)(?:package-lock\.json|[\w.-]+\.lock|constraints[\w.-]*\.txt)$")
_NO_SERVICE = re.compile(  # commands have variables of their own, and a database of a test run lives for minutes
    r"(?:^|/)\.(?:github|circleci|gitlab)(?:/|-ci)|\.(?:sh|bash|zsh|bat|cmd)$|(?:^|/)makefile$", re.IGNORECASE
)
_BASELINES = re.compile(r"(?:^|/)\.secrets\.baseline$")  # detect-secrets' own list: hashes
_KEY_FILES = frozenset({".pem", ".key"})
_MORE = {  # detectors of detect-secrets, and a piece of their forms that is quick to look for: most texts hold none
    "ArtifactoryDetector": re.compile(r"AKC[a-zA-Z0-9]{60}"),
    "CloudantDetector": re.compile(r"[cC][lL][oO][uU][dD][aA][nN][tT]"),
    "DiscordBotTokenDetector": re.compile(r"\.[a-zA-Z\d_-]{6}\.[a-zA-Z\d_-]{27}"),
    "IbmCloudIamDetector": re.compile(r"[iI][bB][mM]|[iI][aA][mM][_-]"),
    "MailchimpDetector": re.compile(r"-us\d"),
    "SquareOAuthDetector": re.compile("sq0csp-"),
    "TelegramBotTokenDetector": re.compile(r":[0-9A-Za-z_-]{35}"),
    "TwilioKeyDetector": re.compile(r"AC[a-z0-9]{32}|SK[a-z0-9]{32}"),
    "SoftlayerDetector": re.compile(r"[sS][oO][fF][tT][lL][aA][yY][eE][rR]"),
}

_REVOKE = (
    "revoke it where it was issued (git keeps it even when the line goes), and read the new one from outside the files"
)
_FORM = Kind(ID, SLUG, "token", Severity.HIGH, 0.95, _REVOKE)
_LIKE = Kind(ID, SLUG, "example", Severity.LOW, 0.5, "write a placeholder that can't be taken for a secret")
_WORD = Kind(
    ID, SLUG, "guessed password", Severity.LOW, 0.7,
    "take the password from the environment without a default (`${PASSWORD:?set it}`), and set a random one",
)  # fmt: skip
_NAME = Kind(ID, SLUG, "named value", Severity.MEDIUM, 0.6, _REVOKE)


def leaked_secrets(context: Context, settings: PostureSettings) -> Outcome:
    """Keys, tokens and passwords that stand in files of the project.

    Notes
    -----
    High: a token of the form that a known issuer gives it, or a private key in PEM; medium: a value beside a name such
    as `api_key`, a password in an address or a header, outside tests and examples; low: a password of a configuration
    that is a word, or falls back to one where no variable is set (CWE-1392). Logs, data and prose are read for
    tokens and keys only, up to 2 MiB a file. Values that are made up (words, runs, less than 3 bits of entropy a
    character) are left out, and tokens with "example" in them are low. More issuers' forms are looked for where
    detect-secrets is installed. The secret itself is never shown. A private key in a file of its own is judged by who
    can read it (SUP423). Nothing is tried out: whether a token is still valid isn't known. Git's history is not read.

    References
    ----------
    Meli, McNiece, Reaves (2019), How bad can it git? Characterizing secret leakage in public GitHub repositories, NDSS.
    """
    del settings
    more = _detectors()
    found = []
    for file in context.files:
        body = context.text(file) if _is_read(file) else None
        if body is None:
            continue
        secrets = list(_secrets(body, file, more))
        for kind, hows, claim in (
            (_FORM, {"form", "key"}, "{path} holds a secret at {where}: "),
            (_LIKE, {"example"}, "{path} holds what has a secret's form, but looks made up, at {where}: "),
            (_NAME, {"name"}, "{path} seems to hold a secret at {where}: "),
            (_WORD, {"guessed"}, "{path} sets a password that is easily guessed at {where}: "),
        ):
            spots = [Spot(f"line {s.line}", s.title, s.line) for s in secrets if s.how in hows]
            if spots:
                found.append(finding(kind, file, claim + ", ".join(sorted({spot.what for spot in spots})[:5]), spots))
    return Outcome(tuple(found))


def _is_read(file: File) -> bool:
    known = file.suffix in _CODE or is_configuration(file) or not file.path.suffix
    known = known or file.path.name.startswith(".")
    known = known or (file.suffix in _PROSE and file.size <= MOST_TEXT)
    return known and not _LOCKS.search(file.name) and not _BASELINES.search(file.name)


def _secrets(body: str, file: File, more: list[Any]) -> Iterator[Secret]:
    for secret in by_form(body):
        own_file = secret.how == "key" and (file.suffix in _KEY_FILES or file.path.name.startswith("id_"))
        shown = secret.how == "example" and (file.suffix in _PROSE or EXAMPLES.search(file.name.lower()))
        if not own_file and not shown:
            yield secret
    if file.suffix not in _PROSE:
        named = cell_text(body) if file.suffix == ".ipynb" else body
        found = by_name(named, file.name, bare=is_configuration(file) and file.suffix != ".json")
        yield from (secret for secret in found if secret.how != "guessed" or not _NO_SERVICE.search(file.name))
    if more and file.suffix not in _PROSE:
        yield from _by_plugins(body, more)


def _by_plugins(body: str, more: list[Any]) -> Iterator[Secret]:
    """Lines in which a plugin finds its form; the whole text is searched at once, since most hold nothing."""
    more = [look for look in more if _MORE[type(look).__name__].search(body)]
    matches = (match for look in more for form in look.denylist for match in form.finditer(body))
    starts = {body.rfind("\n", 0, m.start()) + 1 for m in matches if not _inside(body, m.start(), m.end())}
    for start in sorted(starts):
        end = body.find("\n", start)
        line = body[start : len(body) if end < 0 else end]
        if len(line) <= LONGEST_LINE and any(_real(look.analyze_string(line)) for look in more):
            yield Secret("token (detect-secrets)", body.count("\n", 0, start) + 1, "form")


def _inside(body: str, start: int, end: int) -> bool:
    """Whether the match is a piece of a longer run: encoded data holds every short form sooner or later."""
    around = body[max(0, start - 1) : start] + body[end : end + 1]
    return any(char.isalnum() or char in "+/_" for char in around)


def _real(matches: Iterable[str]) -> bool:
    """Whether one of the matches isn't made up."""
    return any(bits(match) >= LEAST_BITS and not MADE_UP.search(match) for match in matches)


def _detectors() -> list[Any]:
    """Forms of further issuers from detect-secrets, without its network checks; empty where it isn't installed."""
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    except ImportError:
        return []
    plugins: Any = get_mapping_from_secret_type_to_class().values()
    return [plugin() for plugin in plugins if plugin.__name__ in _MORE]
