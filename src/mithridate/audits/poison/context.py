"""What every poison method shares: the rows, the settings, and work that is done once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from mithridate.core.progress import Progress, Silent
from mithridate.data.dataset import Dataset

if TYPE_CHECKING:
    from mithridate.models.recipes import Recipe


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What the user chose: `fdr` in (0, 1), `power` off, cheap or all, `seed` >= 0, `jobs` >= 1."""

    fdr: float = 0.05
    power: str = "cheap"
    seed: int = 0
    jobs: int = 1


@dataclass(eq=False)
class Context:
    """The rows in content-hash order, and what was computed from them; built once, handed to every method.

    `probabilities` (n, c): out-of-sample class probabilities the user gave, or that their recipe made.
    `predictions` (n, c): what the user's own model says of its training rows, if one was given.
    """

    dataset: Dataset
    settings: AuditSettings = field(default_factory=AuditSettings)
    reference: Dataset | None = None
    recipe: Recipe | None = None
    probabilities: npt.NDArray[np.float32] | None = None
    predictions: npt.NDArray[np.float32] | None = None
    predict: Callable[[Any], npt.NDArray[np.float32]] | None = None
    progress: Progress = field(default_factory=Silent)
    _done: dict[str, Any] = field(default_factory=dict)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """The value under `key`, made at the first call and kept."""
        if key not in self._done:
            self._done[key] = make()
        value: T = self._done[key]
        return value

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator that depends on the seed and the purpose alone, so methods don't disturb each other."""
        words = [self.settings.seed, *purpose.encode()]
        return np.random.default_rng(words)
