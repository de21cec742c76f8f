"""Who may sign what: small rules that compose, and the file that states them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mithridate.core.errors import InputError
from mithridate.core.files import read_small
from mithridate.supply.signing.keys import PublicKey, load_public
from mithridate.supply.signing.predicates import type_of, word_of

SCHEMA = "mithridate.policy/1"
_DEPTH = 16
_MOST_BYTES = 1 << 20
_HEX = 64


@dataclass(frozen=True, slots=True)
class Attestation:
    """A signature that holds on the artefact at hand: by which key, saying what kind of thing."""

    key_id: str
    predicate_type: str


class Rule(Protocol):
    """Something that a set of attestations meets or doesn't."""

    def met(self, attestations: Sequence[Attestation]) -> bool:
        """Whether they meet it."""

    def words(self) -> str:
        """The rule as a person says it."""


@dataclass(frozen=True, slots=True)
class SignedBy:
    """One key signed; `name` is what the policy calls it."""

    key_id: str
    name: str

    def met(self, attestations: Sequence[Attestation]) -> bool:
        """Whether one attestation is this key's."""
        return any(item.key_id == self.key_id for item in attestations)

    def words(self) -> str:
        """The key's name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Threshold:
    """At least `count` of the rules; each rule counts once."""

    count: int
    rules: tuple[Rule, ...]

    def met(self, attestations: Sequence[Attestation]) -> bool:
        """Whether enough of them are met."""
        return sum(rule.met(attestations) for rule in self.rules) >= self.count

    def words(self) -> str:
        """`2 of (a, b, c)`."""
        inside = ", ".join(rule.words() for rule in self.rules)
        if self.count == len(self.rules):
            return inside if len(self.rules) == 1 else f"all of ({inside})"
        return f"any of ({inside})" if self.count == 1 else f"{self.count} of ({inside})"


@dataclass(frozen=True, slots=True)
class OfType:
    """The rule counts only statements of one kind; an empty kind counts all."""

    predicate_type: str
    rule: Rule

    def met(self, attestations: Sequence[Attestation]) -> bool:
        """Whether the statements of this kind meet the rule."""
        return self.rule.met(
            [a for a in attestations if not self.predicate_type or a.predicate_type == self.predicate_type]
        )

    def words(self) -> str:
        """The kind and the rule."""
        kind = f"a statement of type {word_of(self.predicate_type)}" if self.predicate_type else "a statement"
        return f"{kind} signed by {self.rule.words()}"


@dataclass(frozen=True, slots=True)
class SigningPolicy:
    """Rules that must all hold, and the public keys that the file brings with it."""

    rules: tuple[Rule, ...]
    keys: tuple[PublicKey, ...] = ()

    def broken(self, attestations: Sequence[Attestation]) -> tuple[str, ...]:
        """The rules that these attestations don't meet, in words."""
        return tuple(rule.words() for rule in self.rules if not rule.met(attestations))


def read_policy(path: str | Path) -> SigningPolicy:
    """The policy in a TOML or JSON file.

    Raises
    ------
    InputError : it can't be read, states no rule, names a key that it doesn't define, or has a word that isn't known:
        a misspelt rule must not be one that never fails.

    Examples
    --------
    ::

        schema = "mithridate.policy/1"
        [keys]
        release = "release.pub"            # beside this file, or 64 hex letters of its id
        lab = "lab.pub"
        [[rule]]
        type = "model"                     # model, dataset, audit, training-run, evaluation, prediction, or a URI
        all_of = ["release", {any_of = ["lab", "release"]}]
        [[rule]]
        type = "dataset"
        threshold = 1
        of = ["lab", "release"]
    """
    file = Path(path)
    raw = _parsed(file)
    unknown = set(raw) - {"schema", "keys", "rule"}
    if raw.get("schema") != SCHEMA or unknown:
        said = f"holds {sorted(unknown)}" if unknown else f"must say schema = {SCHEMA!r}"
        raise InputError(f"{file.name} {said}; a policy has schema, keys and rule")
    listed, rules = raw.get("keys", {}), raw.get("rule", [])
    if not isinstance(listed, dict) or not isinstance(rules, list) or not rules:
        raise InputError(f"{file.name} states no [[rule]]; a policy without one would allow everything")
    keys: list[PublicKey] = []
    ids: dict[str, str] = {}
    for name, where in listed.items():
        if _is_id(where):
            ids[name] = where.lower()
            continue
        key = load_public(file.parent / str(where))
        keys.append(key)
        ids[name] = key.id
    if len(set(ids.values())) != len(ids):
        raise InputError(f"{file.name}: two names in [keys] are one key, which would count twice; keep one of them")
    return SigningPolicy(tuple(_rule(item, ids, file.name) for item in rules), tuple(keys))


def _is_id(where: Any) -> bool:
    return isinstance(where, str) and len(where) == _HEX and not set(where.lower()) - set("0123456789abcdef")


def _rule(raw: Any, ids: Mapping[str, str], name: str) -> Rule:
    if not isinstance(raw, dict) or not set(raw) <= {"type", "all_of", "any_of", "threshold", "of"}:
        raise InputError(f"{name}: a rule has type and one of all_of, any_of, threshold with of; got {raw!r:.80}")
    kind = raw.get("type", "")
    inner = {key: value for key, value in raw.items() if key != "type"}
    return OfType(type_of(str(kind)) if kind else "", _inner(inner, ids, name, 0))


def _inner(raw: Any, ids: Mapping[str, str], name: str, depth: int) -> Rule:
    if isinstance(raw, str):
        if raw not in ids:
            raise InputError(f"{name} names the key {raw!r}, which [keys] doesn't define; add it there")
        return SignedBy(ids[raw], raw)
    if not isinstance(raw, dict) or depth > _DEPTH:
        raise InputError(f"{name}: {raw!r:.80} is neither a key's name nor a rule")
    lists = {"all_of": raw.get("all_of"), "any_of": raw.get("any_of"), "of": raw.get("of")}
    named = [key for key, value in lists.items() if value is not None]
    if len(named) != 1 or set(raw) - {named[0], *({"threshold"} if named == ["of"] else ())}:
        raise InputError(f"{name}: a rule has one of all_of, any_of, threshold with of; got {sorted(raw)}")
    inside = lists[named[0]]
    if not isinstance(inside, list) or not inside:
        raise InputError(f"{name}: {named[0]} must list at least one key or rule")
    rules = tuple(_inner(item, ids, name, depth + 1) for item in inside)
    count = {"all_of": len(rules), "any_of": 1, "of": raw.get("threshold")}[named[0]]
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= len(rules):
        raise InputError(f"{name}: threshold must be in [1, {len(rules)}] for {len(rules)} keys, got {count!r}")
    if len(set(map(repr, rules))) != len(rules):
        raise InputError(f"{name}: {named[0]} lists the same key twice; each counts once")
    return Threshold(count, rules)


def _parsed(file: Path) -> dict[str, Any]:
    raw = read_small(file, what="policy", limit=_MOST_BYTES)
    try:
        found = json.loads(raw) if file.suffix == ".json" else tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file.name} can't be parsed: {str(error).splitlines()[0][:120]}") from error
    if not isinstance(found, dict):
        raise InputError(f"{file.name} is no table of settings; see `mithridate verify --help`")
    return found
