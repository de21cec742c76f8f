"""A backdoor trigger as data: what an audit mined, a repair unlearns and a guard watches for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mithridate.core.findings import Evidence, Json

KINDS = ("patch", "blend", "local-patch", "warp", "generator", "values", "words")


@dataclass(frozen=True, slots=True)
class Trigger:
    """A pattern and the label it forces; None where it forces no single one.

    kind          pattern (JSON only)
    patch         `pixels`: [[y, x, channel], ...], `values`: [0..1, ...]; pasted where they stand
    blend         `delta`: {"shape": [h, w, c], "values": [...]} in [-1, 1], added to the image times `keep` (1 when
                  absent), then clipped to [0, 1]
    local-patch   `height`, `width`, `values` (h*w*c, 0..1), `mask` (h*w*c, 0|1); pasted anywhere
    warp          `flow`: {"shape": [h, w, 2], "values": [...]}; each pixel is taken that many pixels down and right
    generator     `weights`, `offsets`, `modes`, each {"shape", "values"}; the pattern added depends on the image
    values        `columns`: {name: value, ...}; every one set; a value [low, high] is a range
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
