"""The guilty source is named and no honest one, whatever their sizes, classes and names."""

import contextlib
import json

import numpy as np
import pytest

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.sources import bad_source, shown
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome, RowScores
from mithridate.data.dataset import Dataset

SETTINGS = AuditSettings()
CLASSES = 5


class Case:
    """Rows of several sources whose natural label trouble depends on the class, and a score that sees bad rows."""

    def __init__(self, seed: int, *, n_rows: int = 4000, n_sources: int = 5, mixed: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.codes = self.rng.integers(0, CLASSES, n_rows).astype(np.int32)
        weights = self.rng.dirichlet(np.ones(n_sources) * 2, CLASSES) if mixed else np.ones((CLASSES, n_sources))
        weights /= weights.sum(axis=1, keepdims=True)
        draw = self.rng.uniform(size=(n_rows, 1))
        below = np.cumsum(weights, axis=1)[self.codes] < draw
        self.sources = np.minimum(below.sum(axis=1), n_sources - 1).astype(np.int32)
        hard = np.array([0.0, 0.3, 0.6, 1.2, 2.0])
        self.score = self.rng.normal(size=n_rows) + hard[self.codes] - 4
        self.names = tuple(f"vendor-{i}" for i in range(n_sources))
        self.trigger = np.zeros(n_rows, bool)
        self.flagging = True

    def flip(self, source: int, share: float) -> None:
        bad = self.rng.permutation(np.flatnonzero(self.sources == source))
        bad = bad[: int(share * len(bad))]
        self.codes[bad] = self.rng.integers(0, CLASSES, len(bad))
        self.score[bad] = self.rng.normal(1.0, 1.5, len(bad))

    def stamp(self, source: int, share: float) -> None:
        bad = self.rng.permutation(np.flatnonzero(self.sources == source))
        bad = bad[: int(share * len(bad))]
        self.codes[bad] = 0
        self.trigger[bad] = True

    def audit(self) -> Outcome:
        n_rows = len(self.codes)
        dataset = Dataset(
            "t", "embedding", np.arange(n_rows, dtype=np.float32)[:, None], self.codes, tuple("abcde"), self.sources,
            self.names,
        )  # fmt: skip
        context = Context(dataset, SETTINGS)
        context.evidence["PSN101"] = RowScores("label-error", self.score, np.ones(n_rows), self.score > 0.5)
        odds = np.where(self.trigger, 2.0, -np.inf)
        context.evidence["PSN103"] = RowScores("trigger", odds, np.ones(n_rows), self.trigger & self.flagging)
        return bad_source(context, SETTINGS)


def named(outcome: Outcome) -> set[str]:
    return {name for finding in outcome.findings for name in finding.subject.sources}


def test_honest_sources_of_other_sizes_and_classes_are_hardly_ever_named() -> None:
    wrong = [
        bool(Case(seed, n_sources=n_sources, mixed=mixed).audit().findings)
        for seed in range(15)
        for n_sources in (2, 5, 40)
        for mixed in (False, True)
    ]
    assert np.mean(wrong) <= 0.05


def test_the_source_that_flips_labels_is_named_alone() -> None:
    for seed in range(20):
        case = Case(seed, mixed=True)
        case.flip(2, 0.08)
        outcome = case.audit()
        assert named(outcome) == {"vendor-2"}
        (finding,) = outcome.findings
        assert finding.severity is Severity.HIGH
        assert "vendor-2" in finding.claim
        assert "labels" in finding.claim
        assert not any(f"vendor-{i}" in finding.claim for i in (0, 1, 3, 4))


def test_the_source_that_carries_a_trigger_is_named_with_its_rows() -> None:
    for seed in range(20):
        case = Case(seed)
        case.stamp(4, 0.02)
        (finding,) = case.audit().findings
        assert dict(finding.subject.sources) == {"vendor-4": int(case.trigger.sum())}
        assert set(finding.subject.rows) == set(np.flatnonzero(case.trigger).tolist())
        assert "carries a trigger" in finding.claim
        assert "label a" in finding.claim


def test_without_a_trigger_that_was_found_nobody_is_said_to_carry_one() -> None:
    for seed in range(10):
        case = Case(seed)
        case.stamp(4, 0.02)
        case.flagging = False
        assert case.audit().findings == ()


def test_a_handful_of_flagged_carriers_accuses_nobody() -> None:
    for seed in range(10):
        case = Case(seed)
        case.stamp(4, 0.0076)
        assert 4 <= case.trigger.sum() < 8
        assert case.audit().findings == ()


def test_shares_are_written_with_a_space_before_the_sign() -> None:
    case = Case(0)
    case.flip(2, 0.3)
    (finding,) = case.audit().findings
    assert finding.claim.count(" %") == finding.claim.count("%") == 2


def test_a_sloppy_and_a_malicious_source_are_both_named_each_for_its_deed() -> None:
    case = Case(0)
    case.flip(0, 0.15)
    case.stamp(1, 0.05)
    claims = {next(iter(finding.subject.sources)): finding.claim for finding in case.audit().findings}
    assert set(claims) == {"vendor-0", "vendor-1"}
    assert "sloppy" in claims["vendor-0"]
    assert "trigger" in claims["vendor-1"]


def test_one_bad_annotator_among_a_hundred_is_found() -> None:
    hits = 0
    for seed in range(10):
        case = Case(seed, n_sources=100)
        case.flip(7, 0.6)
        found = named(case.audit())
        hits += found == {"vendor-7"}
    assert hits >= 8


def test_a_source_that_alone_holds_the_hardest_class_is_not_accused() -> None:
    for seed in range(10):
        case = Case(seed)
        case.sources[case.codes == 4] = 3
        case.sources[(case.codes != 4) & (case.sources == 3)] = 0
        assert case.audit().findings == ()


def test_rows_of_a_named_source_get_a_mild_score_and_no_flag() -> None:
    case = Case(0)
    case.flip(2, 0.3)
    scores = case.audit().row_scores
    assert scores is not None
    assert not scores.flagged.any()
    assert (scores.score[case.sources == 2] <= -0.3).all()
    assert np.isneginf(scores.score[case.sources != 2]).all()


def test_the_chart_marks_the_guilty_source_among_all() -> None:
    case = Case(0)
    case.flip(2, 0.3)
    (finding,) = case.audit().findings
    chart = next(piece for piece in finding.evidence if piece.kind == "plot")
    assert sorted(chart.data["x"]) == sorted(case.names)
    assert chart.data["marked"] == ["vendor-2"]


def test_never_more_than_half_of_the_sources_are_named() -> None:
    case = Case(0)
    for source in range(4):
        case.flip(source, 0.2 + 0.1 * source)
    assert len(case.audit().findings) <= 2


def test_names_with_odd_characters_are_shown_printable_and_kept_in_the_subject() -> None:
    case = Case(0)
    case.names = ("a\nb", "<script>", "\u202eevil\x00", "", "x" * 500)
    case.flip(2, 0.3)
    (finding,) = case.audit().findings
    assert set(finding.subject.sources) == {"\u202eevil\x00"}
    assert finding.claim.isprintable()
    json.dumps(finding.to_json())
    assert shown("x" * 500).endswith("…")


def test_rows_without_a_source_are_left_alone() -> None:
    case = Case(0)
    case.sources[:500] = -1
    case.flip(2, 0.3)
    assert named(case.audit()) == {"vendor-2"}


def test_one_source_no_source_and_no_evidence_are_skipped() -> None:
    case = Case(0)
    case.sources[:] = 1
    with pytest.raises(Skip, match="fewer than two"):
        case.audit()
    dataset = Dataset("t", "embedding", np.zeros((9, 1), np.float32), np.zeros(9, np.int32), ("a",))
    with pytest.raises(Skip, match="fewer than two"):
        bad_source(Context(dataset), SETTINGS)
    sourced = Dataset(
        "t",
        "embedding",
        np.zeros((9, 1), np.float32),
        np.zeros(9, np.int32),
        ("a",),
        np.arange(9, dtype=np.int32) % 2,
        ("p", "q"),
    )
    with pytest.raises(Skip, match="no other method"):
        bad_source(Context(sourced), SETTINGS)


@pytest.mark.parametrize("score", [np.full(4000, -np.inf), np.zeros(4000), np.full(4000, np.nan)])
def test_scores_that_say_nothing_name_nobody(score: np.ndarray) -> None:
    case = Case(0)
    case.score = score
    with contextlib.suppress(Skip):
        assert case.audit().findings == ()
