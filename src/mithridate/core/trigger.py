"""A backdoor trigger as data: what an audit mined, a repair unlearns and a guard watches for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mithridate.core.findings import Evidence, Json

KINDS = ("patch", "blend", "local-patch", "values", "words")


@dataclass(frozen=True, slots=True)
class Trigger:
    """A pattern and the label it forces. `numeric/triggers.py` applies it to rows.

    kind          pattern (JSON only)
    patch         `pixels`: [[y, x, channel], ...], `values`: [0..1, ...]; pasted where they stand
    blend         `delta`: {"shape": [h, w, c], "values": [...]} in [-1, 1], added, then clipped to [0, 1]
    local-patch   `height`, `width`, `values` (h*w*c, 0..1), `mask` (h*w*c, 0|1); pasted anywhere
    values        `columns`: {name: value, ...}; every one set
    words         `words`: [..]; inserted as they stand, anywhere in the text
    """

    kind: str
    target: Json
    pattern: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """JSON object with `kind`, `target` and `pattern`."""
        return {"kind": self.kind, "target": self.target, "pattern": dict(self.pattern)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Trigger:
        """The inverse of `to_json`."""
        return cls(str(raw["kind"]), raw.get("target"), dict(raw.get("pattern", {})))

    def as_evidence(self, name: str = "trigger") -> Evidence:
        """The piece of evidence of kind `trigger` that a finding carries."""
        return Evidence("trigger", name, {"trigger": self.to_json()})
