"""Shared triggers in images: find what mislabelled-looking rows of one class have in common, and test it on a model."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.triggers.image_apply import enlarge
from mithridate.audits.poison.triggers.image_gate import Verdict, judge
from mithridate.audits.poison.triggers.image_pooled_gate import judge_pooled
from mithridate.audits.poison.trusted import joint, judges, trusted_note
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Severity, Subject, number
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset
from mithridate.numeric.image_miner import ANY, CLOSE_P, Mined, Stage, prepare
from mithridate.numeric.image_modes import two_valued
from mithridate.numeric.image_search import mine
from mithridate.numeric.image_views import label_surprise, pool
from mithridate.numeric.isotonic import isotonic
from mithridate.numeric.rates import wilson

Images: TypeAlias = npt.NDArray[np.uint8]
Doubles: TypeAlias = npt.NDArray[np.float64]

METHOD = "PSN103"
LEAST_ROWS = 200  # labelled images below which nothing can be said
MAX_TRAIN = 5_000  # rows each view is fitted on
UNCONFIRMED = 3.5  # log10 odds that rows lose whose pattern no model follows: nearly always natural look-alikes
SPLIT_ALONE = 1.0  # the same for an overlay with labels that fit: it is no natural pattern, but may do no harm
ODDS = 1.0  # log10 posterior odds from which on a row of a confirmed trigger is flagged
PLAIN_P = 0.1  # rows above this p-value show what the class is like without the trigger
TELLING = 0.3  # difference of the shares of surprising rows from which on it tells carriers from honest rows
TOLERANCE = 4.0  # rows of the class may score high by nature so many times as often as rows of other classes
REMEDY = "drop these rows, or give them the labels they look like, and train again"
REMEDY_FITS = "find out where the pattern comes from; drop these rows or take it off, and train again"
SHARP = 1.2  # an overlay that splits its class so two-valuedly (a gap of some ten deviations) was added to rows ...
SHARP_ROWS = 20  # ... if there are so many: it is flagged though no model is shown to follow it
MOST_SIDE = 64  # larger images are searched at a smaller size
MOST_TRIGGERS = 5  # candidates put to the causal test


class Judged(NamedTuple):
    """A candidate with its verdict and the log10 odds of each of its class's rows."""

    mined: Mined
    verdict: Verdict
    odds: Doubles

    @property
    def flags(self) -> bool:
        """Whether its rows are flagged: confirmed, or clearly added to part of a class and to no other row."""
        return self.verdict.confirmed or added(self.mined)


def mine_image_triggers(context: Context, settings: AuditSettings) -> Outcome:  # noqa: ARG001 - every method has this signature
    """Backdoor triggers that images of one label share, each put to the causal test.

    Raises
    ------
    Skip : no labels, fewer than two classes, too few rows, or images of less than 4 x 4 pixels.

    Notes
    -----
    Blind to small patches on rightly labelled rows and to triggers that differ from row to row. An overlay that part of
    a class has under right labels (SIG) and no other row has is found by what it does to the class: it splits it in two
    parts, as no natural variety does. It is confirmed only if it moves every fourth image, since honest data has shared
    overlays too (a scanner's pattern, a watermark); then it is high, never critical, and the claim says that the labels
    fit. Where its rows stand clearly apart they are flagged without that, at medium severity: a small model that isn't
    moved says little of a large one. A trigger under cover, pieces of which rows of all classes carry with right labels
    too (adaptive blend, patch), is found by the excess of one class among its carriers; cover of under 20 rows or of
    a few classes hides it from that search. Labels that go everywhere (all-to-all, untargeted) are found by what
    badly labelled rows of all classes share. Trusted rows say what ordinary images have, and take the place of other
    classes' rows as the null sample.

    References
    ----------
    Gu et al. (2017), BadNets, arXiv 1708.06733. Chen et al. (2017), targeted backdoor attacks, arXiv 1712.05526.
    Barni, Kallas, Tondi (2019), a new backdoor attack in CNNs by training set corruption without label poisoning, ICIP.
    """
    stage = _stage(context)
    judged, factor = [], shrink_factor(np.shape(context.dataset.content))
    predict = context.predict if factor == 1 else None  # the user's model takes images of their own size alone
    for mined in mine(stage, context.rng("image-mine"))[:MOST_TRIGGERS]:
        rng = context.rng(f"image-gate-{mined.code}")
        if mined.code == ANY:
            verdict = judge_pooled(stage, mined, rng)
        else:
            verdict = judge(stage, mined, context.dataset.label_of(mined.code), predict, rng)
        if verdict.confirmed or verdict.plausible or added(mined):
            full = enlarge(verdict.trigger, factor, np.shape(context.dataset.content)[1:])
            verdict = verdict._replace(trigger=full)
            judged.append(Judged(mined, verdict, row_odds(stage, mined)))
    sure = {one.mined.code for one in judged if one.verdict.confirmed}
    shown = [one for one in judged if one.verdict.confirmed or one.mined.code not in sure]  # the rest are leftovers
    findings = sorted((_finding(context.dataset, one) for one in shown), key=lambda finding: -finding.severity)
    flip = max((one.verdict.strongest for one in judged if one.verdict.confirmed), default=0.0)
    notes = (number("flip_rate", flip, unit="share"), *trusted_note(context, judges(context)))
    return Outcome(tuple(findings), _row_scores(len(context.dataset), judged), notes)


def _stage(context: Context) -> Stage:
    data = context.dataset
    labels = data.codes
    if labels is None:
        msg = "images have no labels"
        raise Skip(msg)
    known = int((labels >= 0).sum())
    content = np.asarray(data.content)
    if known < LEAST_ROWS or len(np.unique(labels[labels >= 0])) < 2:  # noqa: PLR2004 - one class has no other to flip
        raise Skip(f"needs {LEAST_ROWS} labelled images of two classes or more, got {known} rows")
    if min(content.shape[1:3]) < 4:  # noqa: PLR2004 - smaller pictures have no room for a pattern
        raise Skip(f"images of {content.shape[1]}x{content.shape[2]} pixels are too small for a pattern")
    both, used = joint(context), judges(context)
    if both is not None and len(used):
        return _prepared(context, both.dataset.take(np.concatenate([np.arange(len(data)), used])))
    return _prepared(context, data)


def _prepared(context: Context, data: Dataset) -> Stage:
    """The stage of these rows, the audited ones first; those after them are trusted."""
    content, labels, folds = np.asarray(data.content), data.y, data.folds(2)
    trusted = np.arange(len(labels)) >= len(context.dataset)
    images = shrink(as_bytes(content), shrink_factor(content.shape))
    surprise = label_surprise(
        images,
        labels,
        folds,
        n_classes=data.n_classes,
        max_train=MAX_TRAIN,
        rng=context.rng("image-views"),
        trusted=trusted,
    )
    rng = context.rng("image-prepare")
    return prepare(images, labels, folds, surprise, n_classes=data.n_classes, trusted=trusted, rng=rng)


def shrink_factor(shape: tuple[int, ...]) -> int:
    """How many times smaller (h, w) of `shape` (n, h, w, c) must be to have at most `MOST_SIDE` pixels a side."""
    return max(1, -(-max(shape[1:3]) // MOST_SIDE))


def shrink(images: Images, factor: int) -> Images:
    """Means of `factor` x `factor` blocks as uint8; the images themselves for 1."""
    if factor == 1:
        return images
    side = -(-max(images.shape[1:3]) // factor)
    blocks = [np.rint(pool(images[i : i + 256], side) * 255).astype(np.uint8) for i in range(0, len(images), 256)]
    return np.concatenate(blocks)


def as_bytes(content: npt.NDArray[Any]) -> Images:
    """Content as uint8: unchanged if it is, else 255 times the floats in [0, 1], rounded."""
    if content.dtype == np.uint8:
        return content
    out = np.empty(content.shape, np.uint8)
    for start in range(0, len(content), 2048):  # in blocks: no second float copy
        block = np.nan_to_num(content[start : start + 2048])
        out[start : start + 2048] = np.rint(np.clip(block, 0, 1) * 255)
    return out


def row_odds(stage: Stage, mined: Mined) -> Doubles:
    """(rows of the class,) log10 odds that each carries the trigger.

    Two estimates, and the less sure one counts: (i) rows of other classes that score as high, scaled to the class,
    against the rows of the class that do; (ii) the share of surprising rows among those that score alike (isotonic in
    the score), between the class's own share and the carriers'. The second sees rows that have the pattern by nature.
    """
    order = np.argsort(-mined.scores, kind="stable")
    above = np.arange(1, len(order) + 1)
    tolerance = 1.0 if mined.code == ANY else TOLERANCE  # the null sample is then of the same classes
    false = np.clip(tolerance * len(order) * mined.p_values[order] / above, 1e-4, 1.0)
    false = np.minimum.accumulate(false[::-1])[::-1]
    odds = np.empty(len(order))
    odds[order] = np.log10((1 - false + 1e-4) / false)
    if not mined.fits:
        odds = np.minimum(odds, _surprise_odds(stage, mined) + ODDS / 2)
    odds[order] += 1.0 - above / len(order)  # rows of equal odds stay in the order of their scores
    return odds


def _surprise_odds(stage: Stage, mined: Mined) -> Doubles:
    """(rows of the class,) log10 odds from the share of surprising rows among those of like score."""
    surprised = stage.surprising[mined.rows].astype(np.float64)
    order = np.argsort(mined.scores, kind="stable")
    fit = np.empty(len(order))
    fit[order] = isotonic(surprised[order])
    plain = mined.p_values > PLAIN_P
    alike = np.isin(mined.rows, mined.carriers)
    base, full = (float(surprised[part].mean()) if part.any() else 0.0 for part in (plain, alike))
    if full - base < TELLING:
        return np.full(len(order), 4.0)
    chance = np.clip((fit - base) / (full - base), 1e-4, 1 - 1e-4)
    return np.asarray(np.log10(chance / (1 - chance)), np.float64)


def added(mined: Mined) -> bool:
    """Whether part of a class has an overlay of one strength, with labels that fit, and the rest of it nothing like it.

    What a class has more of by nature fades out; what was added to some rows leaves a gap.
    """
    two = float(two_valued(mined.scores[:, None])[0])
    return mined.fits and len(mined.carriers) >= SHARP_ROWS and two <= SHARP


def _flagged(one: Judged) -> npt.NDArray[np.bool_]:
    p_values = one.mined.p_values
    cut = min(
        CLOSE_P, max(one.mined.tokens.sure, 2 * float(p_values.min(initial=1.0)))
    )  # few rows: no p-value is small
    near = one.mined.scores >= one.mined.tokens.near if one.mined.code == ANY or one.mined.fits else True
    return np.asarray((one.odds >= ODDS) & (p_values <= cut) & near, np.bool_)


def _row_scores(n: int, judged: list[Judged]) -> RowScores:
    score, p_value, flagged = np.full(n, -np.inf), np.ones(n), np.zeros(n, np.bool_)
    for one in judged:
        rows = one.mined.rows
        score[rows] = np.maximum(score[rows], one.odds - _discount(one))
        p_value[rows] = np.minimum(p_value[rows], one.mined.p_values)
        if one.flags:
            flagged[rows] |= _flagged(one)
    return RowScores("trigger", score, p_value, flagged)


def _discount(one: Judged) -> float:
    if one.flags:
        return 0.0
    return SPLIT_ALONE if one.mined.fits else UNCONFIRMED


def _finding(data: Dataset, one: Judged) -> Finding:
    verdict, mined = one.verdict, one.mined
    rows = mined.rows[_flagged(one)]
    rows = rows if len(rows) else mined.core
    label = None if mined.code == ANY else data.label_of(mined.code)
    severity = Severity.MEDIUM
    if verdict.confirmed:
        grave = verdict.strongest >= 0.5 and not mined.fits  # noqa: PLR2004 - every second image
        severity = Severity.CRITICAL if grave else Severity.HIGH
    return Finding(
        method=METHOD,
        slug="shared-trigger" if verdict.confirmed else "suspected-trigger",
        severity=severity,
        confidence=0.99 if verdict.confirmed else 0.5,
        claim=_claim(one, len(rows), label),
        subject=Subject("rows", tuple(int(i) for i in np.sort(data.ids[rows])), label, data.source_counts(rows)),
        evidence=_evidence(one),
        remedy=REMEDY_FITS if mined.fits else REMEDY,
        place=verdict.place,
    )


def _claim(one: Judged, n_rows: int, label: Any) -> str:
    verdict = one.verdict
    where = verdict.size if verdict.place in {"everywhere", "anywhere"} else f"{verdict.size} at the {verdict.place}"
    where = f"an {where}" if where[0] == "o" else f"a {where}"
    if one.mined.code == ANY:
        moves = f"gives {verdict.strongest:.0%} of other images another label".replace("%", " %")
        return f"{n_rows} rows of many classes have labels that don't fit and share {where} that {moves}"
    moves = f"moves {verdict.strongest:.0%} of other images to class {label}".replace("%", " %")
    if one.mined.fits:
        lone = "that no other row has, " if one.flags else ""
        told = "that" if verdict.confirmed else f"{lone}not shown to do harm:"
        return f"{n_rows} rows labelled {label}, with labels that fit, share {where} {told} {moves}"
    if verdict.confirmed:
        return f"{n_rows} rows labelled {label} share {where} that {moves}"
    return f"{n_rows} rows labelled {label} look like other classes and share {where}; a model doesn't follow it"


def _evidence(one: Judged) -> tuple[Evidence, ...]:
    verdict, mined = one.verdict, one.mined
    low, high = wilson(verdict.strongest * verdict.tested, verdict.tested)
    note = f"interval: over the {verdict.tested} images the trigger was put on"
    pieces = [
        number("flip_rate", verdict.strongest, low=low, high=high, unit="share", note=note),
        number(
            "flip_rate:relabelled", verdict.relabelled, unit="share", note="once the group has its look-alike labels"
        ),
        number(
            "flip_rate:control", verdict.control, unit="share", note="with the same pixels of honest rows of the class"
        ),
        number(
            "label_surprise", mined.log_p, unit="-log10 p", note="tail of the share of surprising rows that carry it"
        ),
        number(
            "foreign",
            mined.foreign,
            low=mined.foreign - 2 * mined.foreign_error,
            high=mined.foreign + 2 * mined.foreign_error,
            note="content of the carriers, 0: like their class, 1: like other classes; interval over carriers",
        ),
        number("carriers:surprising", mined.rate, unit="share", note="surprising rows of the class that carry it"),
        number("carriers:expected", mined.expected, unit="share", note="tolerated in an honest class"),
    ]
    if verdict.own_model is not None:
        pieces.append(number("flip_rate:own-model", verdict.own_model, unit="share", note="by the model given"))
    return (*pieces, verdict.trigger.as_evidence())
