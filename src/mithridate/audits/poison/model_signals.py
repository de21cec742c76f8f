"""Rows that a network keeps apart from the rest of their label: what its layers, weights and training say together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison import embedding
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.evidence import rows_evidence
from mithridate.core.errors import Skip
from mithridate.core.findings import Evidence, Finding, Severity, Subject, bars, number
from mithridate.core.method import Outcome, RowScores
from mithridate.models.importing import one_line
from mithridate.models.inputs import Floats
from mithridate.models.inside import is_network, layers, losses, raised
from mithridate.models.protocol import Fitted
from mithridate.numeric.binomial import upper_tail
from mithridate.numeric.kept_apart import Flags, Split, advantage, most_varied, split
from mithridate.numeric.robust_spectral import spectral_scores

ID, SLUG = "PSN115", "model-signals"
LEAST_ROWS = 60  # rows of a label that the model agrees with
DEEP = 0.3  # natural kinds within a label (shirts among shirts) leave more than a third of the lower peak between them
DENIED = 0.5  # content denies a label when fewer than half of the neighbours have it
MORE_DENIED, TIMES = 0.5, 3.0  # share of the group whose content denies the label, and how many times the others'
UNLIKELY = 0.01  # p-value of that share, corrected for the number of labels
EARLY = 0.95  # chance that a row of the group is learnt before, and held more firmly than, another row of the label
PROBE_PASSES, PROBE_ROWS = 3, 10_000
SUREST, HINT = 1.3, 0.3  # log10 odds at most, where content contradicts the label and where it doesn't
STANDARDS = ("AML.T0020", "ML02:2023", "NISTAML.023")

Rows = npt.NDArray[np.int64]


class Apart(NamedTuple):
    """One label's group: array positions, which of them form it, and what each signal says of it."""

    code: int
    rows: Rows
    group: Flags
    found: Split
    layer: int
    denied: float  # share of the group whose content denies the label
    usual: float  # the same of the label's other rows
    p_value: float
    early: float = 0.5
    firm: float = 0.5
    spectral: float = 0.5
    silent: tuple[str, ...] = ()  # signals that the model could not give

    @property
    def contradicted(self) -> bool:
        """Whether the group looks like other labels, the others don't, and it isn't merely hard to learn."""
        looks = self.denied >= MORE_DENIED and self.denied >= TIMES * self.usual and self.p_value <= UNLIKELY
        return looks and self.early + self.firm >= 1.0

    @property
    def shortcut(self) -> bool:
        """Whether the group is learnt first and survives raised weights."""
        return min(self.early, self.firm) >= EARLY


def model_signals(context: Context, settings: AuditSettings) -> Outcome:  # noqa: ARG001 - every method takes both
    """Labels of which a network keeps some rows apart, with a gap, in its last layers.

    Four signals: the gap between two groups of one label in the layer and subspace where it is deepest; how firmly the
    label is held when weights are raised; how early it is learnt by a fresh network in three passes; robustly whitened
    spectral scores. A group is reported when the gap is deep and either its content contradicts its label or it is both
    learnt first and held most firmly.

    Notes
    -----
    A label that joins two kinds of thing has a gap as well, so nothing here is called proven. Only rows that the model
    agrees with are looked at: label errors that it doesn't follow are another method's. Blind to triggers that share
    the layers' directions with clean rows (warps of few rows, adaptive attacks with many cover rows).

    Raises
    ------
    Skip : no labels, no model, or a model whose layers can't be read.

    References
    ----------
    Chen et al. (2018), Activation clustering, arXiv 1811.03728. Hou et al. (2025), FLARE, IEEE TIFS (all layers and an
    adaptive subspace). Hou et al. (2024), IBD-PSC, ICML. Li et al. (2021), Anti-backdoor learning, NeurIPS.
    Hayase et al. (2021), SPECTRE, ICML.
    """
    data, model = context.dataset, context.model
    if data.codes is None or model is None or context.predictions is None:
        raise Skip("no model whose layers could be looked at; pass one with --model or --recipe")
    if not is_network(model):
        raise Skip("the model is no network with layers to look at (a torch module or a perceptron)")
    try:
        inside = tuple(most_varied(values) for values in layers(model, data.x))
    except Exception as error:  # the user's own module runs here, and anything can come out of it
        raise Skip(f"the model's layers can't be read: {one_line(error)}") from error
    if not inside:
        raise Skip("the model shows no hidden layer: it needs at least one module with weights before the last")
    agreed = np.asarray(context.predictions).argmax(axis=1) == data.codes
    splits = [_split(context, inside, code, agreed) for code in range(data.n_classes)]
    deep = [one for one in splits if one is not None and one.found.valley <= DEEP]
    judged = _with_model(context, model, inside, deep)
    told = [one for one in judged if one.contradicted or one.shortcut]
    findings = tuple(_finding(context, one, inside) for one in told)
    return Outcome(findings, _scores(len(data), told), _numbers(context, splits))


def _split(context: Context, inside: tuple[Floats, ...], code: int, agreed: Flags) -> Apart | None:
    """The deepest gap within a label over all layers; of its two sides the one that content denies more."""
    codes = context.dataset.y
    rows = np.flatnonzero((codes == code) & agreed)
    if len(rows) < LEAST_ROWS:
        return None
    context.progress.step(f"layers of label {context.dataset.label_of(code)}", code / context.dataset.n_classes)
    found = [split(values[rows]) for values in inside]
    layer = int(np.argmin([one.valley for one in found]))
    best = found[layer]
    if best.valley > DEEP:
        return Apart(code, rows, best.second, best, layer, 0.0, 0.0, 1.0)
    near = embedding.graph(context).indices[rows]
    denied = (codes[near] == code).mean(axis=1) < DENIED
    group = best.second if denied[best.second].mean() >= denied[~best.second].mean() else ~best.second
    share, usual = float(denied[group].mean()), float(denied[~group].mean())
    chance = min(max(TIMES * usual, 1 / len(rows)), 1.0)
    p_value = float(upper_tail(int(denied[group].sum()), int(group.sum()), chance))
    return Apart(code, rows, group, best, layer, share, usual, min(1.0, p_value * context.dataset.n_classes))


def _with_model(context: Context, model: Fitted, inside: tuple[Floats, ...], deep: list[Apart]) -> list[Apart]:
    """Each group with what raised weights, a short probe run and the spectrum say of it; nothing runs without one."""
    if not deep:
        return []
    data = context.dataset
    context.progress.step("short probe run", 0.0)
    probed = _probed(context, deep)
    inputs, codes = data.take(probed), data.y[probed]
    seed = int(context.rng("model-signals-probe").integers(2**31))
    sooner = _asked(lambda: -losses(model, inputs.x, codes, epochs=PROBE_PASSES, seed=seed).mean(axis=0), len(codes))
    firmly = _asked(lambda: raised(model, inputs.x)[np.arange(len(codes)), codes], len(codes))
    place = np.full(len(data), -1)
    place[probed] = np.arange(len(probed))
    silent = tuple(n for n, values in (("learnt_first", sooner), ("held_firmly", firmly)) if not values.any())
    made = []
    for one in deep:
        known = place[one.rows] >= 0
        at, group = place[one.rows[known]], one.group[known]
        early, firm = advantage(sooner[at], group), advantage(firmly[at], group)
        if max(early, firm) <= 1 - EARLY or (
            not one.contradicted and early + firm < 1
        ):  # the other side is the odd one
            one, early, firm = _turned(one), 1 - early, 1 - firm  # noqa: PLW2901
        spectral = advantage(spectral_scores(inside[one.layer][one.rows]), one.group)
        made.append(one._replace(early=early, firm=firm, spectral=spectral, silent=silent))
    return made


def _asked(signal: Callable[[], Floats], n_rows: int) -> Floats:
    """(n,) of a signal; all 0, which speaks for no row, where the model can't give it."""
    try:
        values = signal()
    except Exception:  # noqa: BLE001 - the user's own module runs here; the other signals still stand
        return np.zeros(n_rows, dtype=np.float32)
    return values if np.isfinite(values).all() else np.zeros(n_rows, dtype=np.float32)


def _turned(one: Apart) -> Apart:
    """The label's other side as the group."""
    return one._replace(group=~one.group, denied=one.usual, usual=one.denied, p_value=1.0)


def _probed(context: Context, deep: list[Apart]) -> Rows:
    """At most 10,000 labelled rows: those of the labels asked about, and some of the others."""
    known = np.flatnonzero(context.dataset.y >= 0)
    if len(known) <= PROBE_ROWS:
        return known
    asked = np.isin(context.dataset.y[known], [one.code for one in deep])
    drawn = context.rng("model-signals-rows").permutation(len(known))
    order = drawn[np.argsort(~asked[drawn], kind="stable")]
    few = order[: PROBE_ROWS // 2]
    rest = np.setdiff1d(drawn, few, assume_unique=True)
    return np.sort(known[np.concatenate([few, rest[: PROBE_ROWS - len(few)]])])


def _scores(n_rows: int, told: list[Apart]) -> RowScores:
    """Odds by the gap: what lies in the valley on a clean label is the share of the group that may be honest.

    Rows are flagged where content contradicts the label as well.
    """
    score, p_value, flagged = np.full(n_rows, -np.inf), np.ones(n_rows), np.zeros(n_rows, dtype=bool)
    for one in told:
        rows = one.rows[one.group]
        depth = np.abs(one.found.depth[one.group])
        honest = float(np.clip(max(one.found.valley, one.usual), 0.05, 0.5))
        most = SUREST if one.contradicted else HINT
        score[rows] = min(most, np.log10((1 - honest) / honest)) - 0.1 / (1 + depth)
        p_value[rows] = one.p_value if one.contradicted else 1.0
        flagged[rows] = one.contradicted & (score[rows] > 0)
    return RowScores("trigger", score, p_value, flagged)


def _finding(context: Context, one: Apart, inside: tuple[Floats, ...]) -> Finding:
    data = context.dataset
    rows = one.rows[one.group]
    order = rows[np.argsort(-np.abs(one.found.depth[one.group]), kind="stable")]
    label = data.label_of(one.code)
    why = (
        f"{one.denied:.0%} of them look like other labels ({one.usual:.0%} of its other rows)"
        if one.contradicted
        else "they are learnt first and held most firmly"
    ).replace("%", " %")
    claim = f"A network keeps {len(rows)} rows labelled {label} apart from the label's other rows, and {why}"
    return Finding(
        ID,
        SLUG,
        Severity.MEDIUM,
        0.9 if one.contradicted else 0.5,
        claim,
        Subject("rows", tuple(int(row) for row in np.sort(data.ids[rows])), label, data.source_counts(rows),
                {"suspected": "backdoor"}),
        (*_signals(one, len(inside)), *rows_evidence(data, order, one.code, context)),
        "Look at these rows beside the others; train again without them and compare what the model says of them.",
        STANDARDS,
        place="apart",
    )  # fmt: skip


def _signals(one: Apart, n_layers: int) -> tuple[Evidence, ...]:
    gap = f"density between the groups over the lower peak, in hidden layer {one.layer + 1} of {n_layers} read"
    chance = "chance that a row of the group is above another row of the label"
    unknown = dict.fromkeys(one.silent, "could not be measured on this model, so 0.5")
    early = unknown.get("learnt_first", f"{chance}, by a probe run of {PROBE_PASSES} passes")
    firm = unknown.get("held_firmly", f"{chance}, when weights are raised")
    return (
        number("valley", one.found.valley, unit="share", note=gap),
        number("content_denies", one.denied, unit="share", note=f"of the group; {one.usual:.3f} of the other rows"),
        number("learnt_first", one.early, unit="share", note=early),
        number("held_firmly", one.firm, unit="share", note=firm),
        number("spectral", one.spectral, unit="share", note=f"{chance}, by robustly whitened spectral scores"),
    )


def _numbers(context: Context, splits: list[Apart | None]) -> tuple[Evidence, ...]:
    seen = [one for one in splits if one is not None]
    if not seen:
        return ()
    seen.sort(key=lambda one: one.found.valley)
    names = [str(context.dataset.label_of(one.code)) for one in seen[:30]]
    caption = f"How deep the gap within each label is; looked into from {1 - DEEP:.1f}"
    return (
        bars("gap within labels", names, [1 - one.found.valley for one in seen[:30]], caption=caption, unit="share"),
    )
