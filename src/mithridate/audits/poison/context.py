"""What every poison method shares: the rows, the settings, and work that is done once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mithridate.core.method import Outcome, RowScores
from mithridate.core.progress import Progress, Silent
from mithridate.data.changes import Since
from mithridate.data.dataset import Dataset
from mithridate.models.protocol import Fitted, Recipe

T = TypeVar("T")

Predict = Callable[[Any], "npt.NDArray[np.float32]"]


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

    `probabilities` (n, c): out-of-sample class probabilities the user gave, or that their recipe made; they join ours.
    `predictions` (n, c): what the user's own model says of its training rows, if one was given.
    `manifest`: what happened to the rows since their manifest was built, if one was given.
    `embedding` (n, d): coordinates the user gave for the rows, never trained on their labels.
    `predict`: the user's model itself, content as `Dataset.x` gives it -> (n, c).
    `model`: the same as an object, for methods that look at its layers.
    `stands_for`: rows of the data that this is a small copy of, 0 for the data itself: a copy is judged as they are.
    """

    dataset: Dataset
    settings: AuditSettings = field(default_factory=AuditSettings)
    reference: Dataset | None = None
    recipe: Recipe | None = None
    manifest: Since | None = None
    probabilities: npt.NDArray[np.float32] | None = None
    predictions: npt.NDArray[np.float32] | None = None
    predict: Predict | None = None
    model: Fitted | None = None
    embedding: npt.NDArray[np.float32] | None = None
    stands_for: int = 0
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

    @property
    def size(self) -> int:
        """Rows that the costlier methods are chosen by."""
        return self.stands_for or len(self.dataset)

    def has(self, need: str) -> bool:
        """Whether the target has this part: `labels`, `sources`, `reference`, `recipe`, `predictions` ..."""
        if need == "labels":
            return self.dataset.codes is not None
        if need == "sources":
            return self.dataset.source_codes is not None
        if need == "responses":
            return bool(self.dataset.response_name)
        return getattr(self, need) is not None

    def learn(self, method: str, outcome: Outcome) -> None:
        """Keep a finished method's opinion of the rows for the methods after it."""
        if outcome.row_scores is not None:
            self.evidence[method] = outcome.row_scores

    @property
    def explained(self) -> npt.NDArray[np.bool_]:
        """(n,) rows that a confirmed trigger explains: they are no label errors besides."""
        found = np.zeros(len(self.dataset), dtype=bool)
        for opinion in self.evidence.values():
            if opinion.kind == "trigger":
                found |= np.asarray(opinion.flagged, dtype=bool)
        return found

    @property
    def evidence(self) -> dict[str, RowScores]:
        """Method id -> its opinion of every row, for the methods that ran so far."""
        return self.once("row-evidence", dict)


RECIPE_FOLDS = 3


def prepare(*, dataset: Dataset, settings: AuditSettings, progress: Progress, **parts: Any) -> Context:
    """The context of an audit; a recipe is trained here, once on everything and once without each fold.

    Its out-of-fold answers are the `probabilities` that label errors are judged by, its answers on its own training
    rows the `predictions`, and the model itself is asked by the causal test; what the user gave stays as given.

    Raises
    ------
    InputError : the recipe fails, or the data set has no labels to train on.
    """
    context = Context(dataset=dataset, settings=settings, progress=progress, **parts)
    if context.recipe is None:
        return context
    from mithridate.compute import executor  # what trains models is loaded where something is to be trained
    from mithridate.models.out_of_sample import out_of_sample

    if context.probabilities is None:
        context.probabilities = out_of_sample(
            dataset,
            context.recipe,
            folds=RECIPE_FOLDS,
            seed=settings.seed,
            progress=progress,
            executor=executor(settings.jobs),
        )
    if context.predict is None:
        labelled = dataset.take(np.flatnonzero(dataset.y >= 0))
        context.model = context.recipe(labelled, settings.seed)
        context.predict = context.model.predict_proba
        context.predictions = context.predict(dataset.x)
    return context
