"""Triggers made from the content: learnt rows far from their label, of every look, confirm; rows near it don't."""

import numpy as np
import pytest

from mithridate.audits.poison.learnt_alike import Alike, judge_alike
from mithridate.audits.poison.learnt_content import Opinions, far_rows

LABELS, TARGET, EACH = 10, 4, 60


def found(*, learnt: bool, everywhere: bool = True) -> tuple[Opinions, np.ndarray]:
    """60 honest rows of each look, and 10 of each other look (or of one alone) labelled as the target."""
    looks = [look for look in range(LABELS) if look != TARGET] if everywhere else [0] * 9
    codes = np.r_[np.repeat(np.arange(LABELS), EACH), np.full(90, TARGET)].astype(np.int32)
    look = np.r_[np.repeat(np.arange(LABELS), EACH), np.repeat(looks, 10)]
    odd = np.arange(len(codes)) >= LABELS * EACH
    says = codes.astype(np.int64) if learnt else look
    return Opinions(~odd, look, odd & (says == codes), np.zeros(len(codes)), says, odd), codes


def test_far_rows_of_every_look_that_models_learn_confirm() -> None:
    opinions, codes = found(learnt=True)
    alike = judge_alike(opinions, codes, TARGET, np.zeros(len(codes), bool), n_classes=LABELS)
    assert alike == Alike(1.0, 0.0, 0.0, alike.p_value, 90)
    assert alike.confirmed


@pytest.mark.parametrize(("learnt", "everywhere", "untaught"), [(False, True, False), (True, False, False),
                                                                (True, True, True)])  # fmt: skip
def test_wrong_labels_one_neighbour_and_what_models_know_anyway_do_not(
    *, learnt: bool, everywhere: bool, untaught: bool
) -> None:
    opinions, codes = found(learnt=learnt, everywhere=everywhere)
    said = np.full(len(codes), untaught)
    assert not judge_alike(opinions, codes, TARGET, said, n_classes=LABELS).confirmed


def test_a_label_without_far_rows_is_not_confirmed() -> None:
    opinions, codes = found(learnt=True)
    none = opinions._replace(far=np.zeros(len(codes), bool))
    assert not judge_alike(none, codes, TARGET, np.zeros(len(codes), bool), n_classes=LABELS).confirmed


def test_honest_rows_that_turn_too_refuse() -> None:
    assert not Alike(0.8, 0.01, 0.3, 1e-6, 100).confirmed
    assert Alike(0.8, 0.01, 0.1, 1e-6, 100).confirmed


def test_a_row_is_far_where_honest_rows_of_its_look_get_as_much_chance_for_the_label() -> None:
    chance = np.linspace(0.0, 0.2, 21)
    content = np.stack([1 - chance, chance], axis=1)
    content = np.concatenate([content, [[0.95, 0.05], [0.85, 0.15]]])
    codes = np.r_[np.zeros(21), 1, 1].astype(np.int32)
    honest = np.r_[np.ones(21, bool), False, False]
    assert far_rows(content, codes, honest)[-2:].tolist() == [True, False]
    assert not far_rows(content, codes, honest)[:21].any()
    few = honest & (np.arange(23) < 9)
    assert not far_rows(content, codes, few).any()
