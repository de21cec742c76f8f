"""Who may do what with which artefact: a small file of rules. Deny wins, and what no rule allows is denied.

```toml
[labels]                                  # label = the files that carry it, as patterns under this file's folder
production = ["models/prod/*"]
secret = ["*.sealed", "keys/*"]

[[rule]]
effect = "allow"                          # or "deny"
role = ["engineer", "release"]            # a name, a list of names; * and ? stand for any letters
action = "open"
label = "production"

[[rule]]
effect = "deny"
role = "engineer"
action = "*"
label = "secret"
```
A rule binds those who go through this program. Whoever holds a key can decrypt with any other, and a role is what the
caller says it is: give keys to the people whom the rules allow, and nobody else.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError
from mithridate.core.files import read_small

_MOST_BYTES = 1 << 20
_RULE = ("effect", "role", "action", "label")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the roles, actions and labels it is about, as patterns, and whether it allows."""

    allows: bool
    roles: tuple[str, ...]
    actions: tuple[str, ...]
    labels: tuple[str, ...]

    def about(self, role: str, action: str, label: str) -> bool:
        """Whether the rule speaks of this; an artefact without a label has the label "", which only `*` matches."""
        return _any(role, self.roles) and _any(action, self.actions) and _any(label, self.labels)


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not, why in words, the labels that counted, and the 1-based number of the rule; 0: no rule."""

    allowed: bool
    reason: str
    labels: tuple[str, ...]
    rule: int


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The rules of one file, its folder, and its digest for the log."""

    rules: tuple[Rule, ...]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folder: Path = Path()
    digest: str = ""

    def labels_of(self, artefact: Path) -> tuple[str, ...]:
        """The labels that the file gives to this artefact, by its real path under the file's folder."""
        real = Path(os.path.realpath(artefact))
        name = real.relative_to(self.folder) if real.is_relative_to(self.folder) else real
        return tuple(label for label, patterns in self.labels.items() if _any(name.as_posix(), patterns))

    def decide(self, role: str, action: str, labels: Iterable[str]) -> Decision:
        """Whether `role` may do `action` with an artefact of these labels.

        Notes
        -----
        A deny rule about any of the labels denies. Otherwise every label needs a rule that allows it, so a further
        label never opens what was closed.
        """
        every = tuple(sorted(set(labels))) or ("",)
        about = [(number, label, rule) for number, rule in enumerate(self.rules, 1) for label in every
                 if rule.about(role, action, label)]  # fmt: skip
        denied = next(((number, label) for number, label, rule in about if not rule.allows), None)
        if denied is not None:
            return Decision(False, f"rule {denied[0]} denies it{_for(denied[1])}", every, denied[0])
        open_labels = {label for _, label, _ in about}
        closed = next((label for label in every if label not in open_labels), None)
        if closed is not None:
            return Decision(False, f"no rule allows it{_for(closed)}", every, 0)
        return Decision(True, f"rule {about[0][0]} allows it{_for(about[0][1])}", every, about[0][0])


def _for(label: str) -> str:
    return f" for the label {label!r}" if label else " for an artefact without a label"


def _any(word: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(word, pattern) for pattern in patterns)


def read_rules(path: Path) -> AccessRules:
    """The rules in that file.

    Raises
    ------
    InputError : it isn't there, isn't TOML, or holds a key or value that no rule has; a rule that can't be understood
        is never passed over.
    """
    content = read_small(path, what="policy", limit=_MOST_BYTES)
    try:
        raw = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the policy {path} is no TOML: {error}") from error
    unknown = sorted(set(raw) - {"labels", "rule"})
    if unknown:
        raise InputError(f"the policy {path} has {unknown[0]!r}, which isn't known; it holds [labels] and [[rule]]")
    rules, labels = raw.get("rule", []), raw.get("labels", {})
    if not isinstance(rules, list) or not isinstance(labels, dict):
        raise InputError(f"the policy {path} must hold [labels] as a table and [[rule]] as tables")
    return AccessRules(
        tuple(_rule(item, f"{path}, rule {number}") for number, item in enumerate(rules, 1)),
        {label: _words(patterns, f"{path}, label {label!r}") for label, patterns in labels.items()},
        Path(os.path.realpath(path)).parent, f"sha256:{hashlib.sha256(content).hexdigest()}",
    )  # fmt: skip


def are_rules(path: Path) -> bool:
    """Whether a file holds access rules and no other policy; False too where it can't be read."""
    try:
        raw = tomllib.loads(read_small(path, what="policy", limit=_MOST_BYTES).decode())
    except (InputError, ValueError, RecursionError):
        return False
    rules = raw.get("rule")
    return (
        "schema" not in raw
        and isinstance(rules, list)
        and any(isinstance(rule, dict) and "effect" in rule for rule in rules)
    )


def _rule(raw: Any, where: str) -> Rule:
    if not isinstance(raw, dict) or set(raw) != set(_RULE):
        names = sorted(raw) if isinstance(raw, dict) else raw
        raise InputError(f"{where}: a rule has exactly {', '.join(_RULE)}, got {str(names)[:80]}")
    if raw["effect"] not in ("allow", "deny"):
        raise InputError(f"{where}: effect must be allow or deny, got {str(raw['effect'])[:40]!r}")
    roles, actions, labels = (_words(raw[name], f"{where}, {name}") for name in _RULE[1:])
    return Rule(raw["effect"] == "allow", roles, actions, labels)


def _words(raw: Any, where: str) -> tuple[str, ...]:
    words = [raw] if isinstance(raw, str) else raw
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise InputError(f"{where}: must be a word or a list of words, got {str(raw)[:80]!r}")
    return tuple(words)
