"""The causal test for images: does the mined trigger, put on other rows, move a model, and does relabelling cure it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.triggers.image_apply import apply_trigger, blend_trigger, local_trigger, patch_trigger
from mithridate.core.trigger import Trigger
from mithridate.numeric.image_cover import COVERED
from mithridate.numeric.image_miner import OVERLAY, WORDS, Mined, Stage
from mithridate.numeric.image_probe import Probe, fit_probe
from mithridate.numeric.image_shape import LARGEST, added_pattern, place_word, shared_patch
from mithridate.numeric.image_views import one_hot
from mithridate.numeric.image_words import LocalPatch, best_match, cut_out
from mithridate.numeric.stamp import paste_at

Images: TypeAlias = npt.NDArray[np.uint8]
Rows: TypeAlias = npt.NDArray[np.int64]
Predict: TypeAlias = Callable[[Any], npt.NDArray[np.float32]]

PROBE_ROWS = 6_000  # rows the probe is fitted on, at most
LEAST_CARRIERS = 150  # carriers among them, if there are so many
TESTED = 500  # rows the trigger is put on
FLIP, CONTROL_RATIO = 0.10, 3.0  # confirmed from this flip rate, when so many times the control's ...
SURE_FLIP, CONTROL_GAP = 0.25, 0.15  # ... or from this one, when so much above the control's
DOSES = 1, 2, 4  # of what carriers have on average: under cover, each has a part of the trigger that is used whole
CURED = 0.5  # share of the flip rate that may remain once the group has its look-alike labels


class Verdict(NamedTuple):
    """What the causal test saw; rates are shares of the rows tested.

    `flip` by a model fitted on the labels as they are, `relabelled` once the group has the labels it looks like,
    `control` with the same pixels as honest rows of the class have them, `own_model` and `own_control` by the user's
    model (None and 0 without one). `fits`: the group's labels are right, so that only a sure effect counts.
    """

    trigger: Trigger
    place: str
    size: str
    flip: float
    relabelled: float
    control: float
    own_model: float | None
    own_control: float
    tested: int
    fits: bool = False

    @property
    def strongest(self) -> float:
        """The larger of the probe's and the user's own model's flip rate."""
        return max(self.flip, self.own_model or 0.0)

    @property
    def confirmed(self) -> bool:
        """The trigger moved a model, more than honest content does, and relabelling undid it.

        The user's own model alone can confirm a patch, never an overlay: a whole-image shift towards a class moves a
        linear model on clean data too (seen with `logistic`), and there is no relabelled twin of it to compare with.
        """
        cured = self.relabelled <= CURED * self.flip
        plain = not self.fits and self.flip >= FLIP and self.flip >= CONTROL_RATIO * self.control
        sure = self.flip >= SURE_FLIP and self.flip >= self.control + CONTROL_GAP
        own = self.own_model or 0.0
        theirs = own >= SURE_FLIP and own >= self.own_control + CONTROL_GAP and self.place != "everywhere"
        return cured and (plain or sure or theirs)

    @property
    def plausible(self) -> bool:
        """The trigger moved a model at least a little more than honest content does, and relabelling undid it."""
        return self.flip >= FLIP / 2 and self.relabelled <= CURED * self.flip and self.flip > self.control


def judge(stage: Stage, mined: Mined, target: Any, predict: Predict | None, rng: np.random.Generator) -> Verdict:
    """Fit the probes, try each shape the trigger could have, and return the better one's verdict."""
    patch = moving_patch(stage, mined, rng) if mined.tokens.name == WORDS.name else None
    probe, tested = _probes(stage, mined, patch, rng)
    honest = _honest(stage, mined.code, rng)
    verdicts = []
    forms = (
        shapes(stage, mined, target, tested=tested, honest=honest, rng=rng)
        if patch is None
        else [moving_shape(stage, patch, target, tested=tested, honest=honest, rng=rng)]
    )
    for trigger, place, size, control in forms:
        stamped = apply_trigger(stage.images[tested], trigger, rng)
        rates = [float((probe.predict(stamped, which) == mined.code).mean()) for which in (0, 1)]
        natural = float((probe.predict(control) == mined.code).mean())
        own = _own_model(predict, stage.images[tested], stamped, mined.code)
        theirs = _own_model(predict, stage.images[tested], control, mined.code) or 0.0
        verdicts.append(
            Verdict(trigger, place, size, rates[0], rates[1], natural, own, theirs, len(tested), mined.fits)
        )
    return max(
        verdicts, key=lambda v: (v.confirmed, v.place != "everywhere" and v.flip >= SURE_FLIP, v.flip - v.control)
    )


def _probes(stage: Stage, mined: Mined, patch: LocalPatch | None, rng: np.random.Generator) -> tuple[Probe, Rows]:
    group = mined.carriers if mined.fits else relabelled_rows(stage, mined)
    known = np.flatnonzero(stage.labels >= 0)
    rows = rng.permutation(known)[:PROBE_ROWS]
    short = min(LEAST_CARRIERS, len(group)) - int(np.isin(rows, group).sum())
    if short > 0:
        rows = np.concatenate([rows, rng.permutation(np.setdiff1d(group, rows))[:short]])
    n_classes = int(stage.labels.max()) + 1
    other = rng.permutation(stage.labels[rows]) if mined.fits else stage.surprise.look[rows]
    cured = np.where(np.isin(rows, group), other, stage.labels[rows])
    targets = one_hot(stage.labels[rows], n_classes), one_hot(cured, n_classes)
    detector = None if patch is None else partial(best_match, patch=patch)
    probe = fit_probe(stage.images[rows], targets, rng, detector=detector)
    pool = np.flatnonzero((stage.labels >= 0) & (stage.labels != mined.code) & ~stage.surprising)
    pool = rng.permutation(pool)[: 2 * TESTED]
    tested = pool[probe.predict(stage.images[pool]) != mined.code][:TESTED]
    return probe, tested if len(tested) else pool[:TESTED]


def relabelled_rows(stage: Stage, mined: Mined) -> Rows:
    """Rows of the group whose look speaks against their label: they get the label they look like."""
    carries = mined.p_values <= np.quantile(mined.p_values[np.isin(mined.rows, mined.core)], 0.9)
    doubtful = stage.surprise.doubt[mined.rows] > 0.5  # noqa: PLR2004 - another class is as likely
    return np.union1d(mined.rows[carries & doubtful], mined.core)


def _honest(stage: Stage, code: int, rng: np.random.Generator) -> Rows:
    rows = np.flatnonzero((stage.labels == code) & ~stage.surprising)
    rows = rows if len(rows) else np.flatnonzero(stage.labels == code)
    return rng.choice(rows, TESTED)


def _alike(stage: Stage, core: Rows, rng: np.random.Generator) -> Rows:
    """For each carrier an unsurprising row of the class it looks like."""
    out = []
    for look, count in zip(*np.unique(stage.surprise.look[core], return_counts=True), strict=True):
        rows = np.flatnonzero((stage.labels == look) & ~stage.surprising)
        if len(rows):
            out.append(rng.choice(rows, 4 * int(count)))
    return np.concatenate(out) if out else np.flatnonzero(~stage.surprising)


def shapes(
    stage: Stage,
    mined: Mined,
    target: Any,
    *,
    tested: Rows,
    honest: Rows,
    rng: np.random.Generator,
) -> list[tuple[Trigger, str, str, Images]]:
    """(trigger, place, size in words, control images) for a patch and for an overlay, where they make sense."""
    images = stage.images
    alike = np.setdiff1d(mined.rows, mined.carriers) if mined.fits else _alike(stage, mined.core, rng)
    apart = rng.permutation(np.flatnonzero((stage.labels >= 0) & (stage.labels != mined.code)))
    mask, values = shared_patch(images, mined.core, alike, apart)
    out = []
    if mask.any() and mask.mean() <= LARGEST and mined.tokens.name not in {OVERLAY, COVERED.name}:
        control = images[tested].copy()
        donors = images[honest[: len(tested)]]
        control[:, mask] = donors[:, mask]
        out.append((patch_trigger(mask, values, target), place_word(mask), _size(mask), control))
    if mask.mean() > LARGEST / 5 or not out:
        for dose in DOSES if mined.tokens.name == COVERED.name else DOSES[:1]:
            delta = dose * added_pattern(images, mined.core, alike)
            control = _mixed(images[tested], images[honest[: len(tested)]], float(np.linalg.norm(delta)))
            out.append((blend_trigger(delta, target), "everywhere", "overlay on the whole image", control))
    return out


def _mixed(images: Images, donors: Images, length: float) -> Images:
    """Each image moved towards its donor by `length` pixel levels (Euclidean), at most all the way."""
    gaps = donors.astype(np.float32) - images
    norms = np.sqrt((gaps**2).sum(axis=(1, 2, 3), keepdims=True)) + np.float32(1e-6)
    return np.asarray(np.rint(images + gaps * np.minimum(1, length / norms)), np.uint8)


def moving_patch(stage: Stage, mined: Mined, rng: np.random.Generator) -> LocalPatch | None:
    """The patch around the word that most tells carriers from other rows."""
    others = np.flatnonzero((stage.labels >= 0) & (stage.labels != mined.code))
    others = rng.permutation(others)[: 2 * TESTED]
    carriers = mined.core[:TESTED]
    mine, rest = (
        (mined.tokens.tally(stage.images, rows)[mined.weights.columns, 1] + 0.5) / (len(rows) + 1.0)
        for rows in (carriers, others)
    )
    word = int(mined.weights.columns[int(np.argmax(mine * np.log(mine / rest)))])
    return cut_out(stage.images, carriers, word)


def moving_shape(
    stage: Stage,
    patch: LocalPatch,
    target: Any,
    *,
    tested: Rows,
    honest: Rows,
    rng: np.random.Generator,
) -> tuple[Trigger, str, str, Images]:
    """(trigger, place, size in words, control images) for a patch that moves."""
    high, wide = patch.values.shape[:2]
    control, whole = stage.images[tested].copy(), np.ones_like(patch.mask)
    for i, donor in enumerate(honest[: len(tested)]):  # a loop: every image gets another piece at another place
        y, x = rng.integers(0, control.shape[1] - high + 1), rng.integers(0, control.shape[2] - wide + 1)
        piece = stage.images[donor, y : y + high, x : x + wide]
        rows, columns = (
            rng.integers(0, side - part + 1, 1) for side, part in zip(control.shape[1:3], (high, wide), strict=True)
        )
        control[i : i + 1] = paste_at(control[i : i + 1], piece, whole, rows, columns)
    return (
        local_trigger(patch.mask, patch.values, target),
        "anywhere",
        f"{high}x{wide} patch at changing places",
        control,
    )


def _size(mask: npt.NDArray[np.bool_]) -> str:
    y, x = np.nonzero(mask.any(axis=2))
    return f"{int(np.ptp(y)) + 1}x{int(np.ptp(x)) + 1} patch"


def _own_model(predict: Predict | None, plain: Images, stamped: Images, code: int) -> float | None:
    if predict is None:
        return None
    scale = np.float32(255)
    elsewhere = np.asarray(predict(plain.astype(np.float32) / scale)).argmax(axis=1) != code
    moved = np.asarray(predict(stamped.astype(np.float32) / scale)).argmax(axis=1) == code
    return float(moved[elsewhere].mean()) if elsewhere.any() else 0.0
