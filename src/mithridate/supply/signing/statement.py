"""in-toto statements (version 1): which artefacts, by digest, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mithridate.core.errors import InputError

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class Subject:
    """An artefact by name (informative) and digests, algorithm -> hex."""

    name: str
    digest: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """in-toto's ResourceDescriptor."""
        return {"name": self.name, "digest": dict(self.digest)}


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said (`predicate`, of the kind `predicate_type`) of the subjects."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Canonical JSON: what is signed. Sorted keys, no blanks, UTF-8."""
        return canonical(
            {
                "_type": STATEMENT,
                "subject": [subject.to_json() for subject in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": dict(self.predicate),
            }
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> Statement:
        """The statement that was signed.

        Raises
        ------
        InputError : no JSON, or no statement of version 1.
        """
        try:
            found = json.loads(raw, object_pairs_hook=_no_repeats)
        except (ValueError, RecursionError) as error:
            raise InputError("the signed statement is no JSON; sign the artefact again") from error
        if not isinstance(found, dict) or found.get("_type") != STATEMENT:
            raise InputError("what was signed is no in-toto statement of version 1; sign the artefact again")
        try:
            subjects = tuple(
                Subject(str(item.get("name", "")), {str(k): str(v) for k, v in item["digest"].items()})
                for item in found["subject"]
            )
            kind, predicate = str(found["predicateType"]), dict(found.get("predicate") or {})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the signed statement is damaged ({type(error).__name__}); sign again") from error
        if not subjects:
            raise InputError("the signed statement is about nothing; sign the artefact again")
        return cls(subjects, kind, predicate)


def canonical(content: Any) -> bytes:
    """JSON with sorted keys, no blanks, UTF-8, and no NaN: one spelling for one value.

    Examples
    --------
    >>> canonical({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    try:
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"this can't be signed as JSON ({error}); leave out what isn't JSON") from error


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers may disagree on which of two equal keys counts: refuse them."""
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key stands twice"
        raise ValueError(msg)
    return found
