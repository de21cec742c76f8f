"""Which label a backdoor forces: one target, the next class, or any other; and which predictions count as success."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Codes: TypeAlias = npt.NDArray[np.integer[Any]]
Mask: TypeAlias = npt.NDArray[np.bool_]

ALL_TO_ONE, ALL_TO_ALL, UNTARGETED = "all-to-one", "all-to-all", "untargeted"
RULES = (ALL_TO_ONE, ALL_TO_ALL, UNTARGETED)


@dataclass(frozen=True, slots=True)
class TargetRule:
    """What a backdoor does to a class code.

    name : `all-to-one` (every row becomes `target`), `all-to-all` (class y becomes (y + 1) mod c) or `untargeted`
        (any other class, with equal chance).
    n_classes : c, at least 2.
    target : class code in [0, c) for `all-to-one`; ignored by the others.

    Examples
    --------
    >>> rule = TargetRule("all-to-all", 3)
    >>> rule.succeeded(np.array([0, 1, 2]), np.array([1, 1, 0])).tolist()
    [True, False, True]
    """

    name: str
    n_classes: int
    target: int = 0

    def movable(self, codes: Codes) -> Mask:
        """(n,) true where a row is labelled and the rule gives it another class than its own."""
        labelled = np.asarray(codes >= 0, dtype=np.bool_)
        return labelled & (codes != self.target) if self.name == ALL_TO_ONE else labelled

    def relabel(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """(n,) the codes that a poisoner writes on rows of these classes; `rng` is used by `untargeted` alone."""
        if self.name == ALL_TO_ONE:
            return np.full_like(codes, self.target)
        step = 1 if self.name == ALL_TO_ALL else rng.integers(1, self.n_classes, size=len(codes))
        return np.asarray((codes + step) % self.n_classes, dtype=codes.dtype)

    def succeeded(self, codes: Codes, predicted: Codes) -> Mask:
        """(n,) true where the prediction for a row of class `codes` that carries the trigger is what was wanted."""
        if self.name == UNTARGETED:
            return np.asarray(predicted != codes, dtype=np.bool_)
        wanted = self.target if self.name == ALL_TO_ONE else (codes + 1) % self.n_classes
        return np.asarray(predicted == wanted, dtype=np.bool_)
