"""Rows of a confirmed label: found by the warp or the lesson that suspects share, else by nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.learnt_content import Opinions
from mithridate.audits.poison.learnt_rows import Found, find_rows
from mithridate.data.dataset import Dataset
from mithridate.numeric.warp import elastic_flow, warp

SIDE, KINDS, EACH, BAD, TARGET = 16, 6, 90, 30, 2


def pictures(rng: np.random.Generator, kind: int, count: int) -> np.ndarray:
    """Blurred blobs at places that make the kind, each a little elsewhere and of another size."""
    at = np.random.default_rng(kind).uniform(3, SIDE - 3, size=(3, 2)) + rng.normal(0, 0.8, size=(count, 3, 2))
    grid = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), axis=-1)
    apart = ((grid[None, None] - at[:, :, None, None]) ** 2).sum(axis=-1)
    blobs = np.exp(-apart / rng.uniform(6, 12, size=(count, 3, 1, 1))).max(axis=1)
    return np.rint(200 * blobs).astype(np.uint8)[..., None]


def changed(images: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    if how == "warp":
        control = np.random.default_rng(5).uniform(-1, 1, size=(3, 3, 2))
        return warp(images, elastic_flow(1.5 * control / np.abs(control).mean(), SIDE, SIDE).astype(np.float32))
    if how == "stripes":  # of another phase in every row: no warp makes them
        phase = rng.integers(0, 4, len(images))
        stripes = (np.arange(SIDE)[None] + phase[:, None]) % 4 < 2
        return np.clip(images + 60 * stripes[:, None, :, None], 0, 255).astype(np.uint8)
    return images


class Knowing:
    """A recipe whose models know which rows are bad; or one that refuses to be taught two labels."""

    bad: frozenset[bytes] = frozenset()

    def __init__(self, *, able: bool = True) -> None:
        self.able = able

    def __call__(self, _rows: Dataset, _seed: int) -> Callable[[np.ndarray], np.ndarray]:
        if not self.able:
            raise ValueError("six labels are needed")
        return lambda x: np.array([[0.99, 0.01] if row.tobytes() in self.bad else [0.01, 0.99] for row in x])


@cache
def judged(
    how: str, modality: str, wrong: int = 0, recipe: Knowing | None = None
) -> tuple[Found | None, np.ndarray, np.ndarray, np.ndarray]:
    """What is found; bad rows, rows of the label, and the half of the bad ones that were suspects.

    Beside them, `wrong` honest rows of the label are suspects: their content was taken for another label's.
    """
    rng = np.random.default_rng(1)
    looks = np.r_[np.repeat(np.arange(KINDS), EACH), np.repeat([k for k in range(KINDS) if k != TARGET], BAD)]
    odd = [changed(pictures(rng, k, BAD), how, rng) for k in range(KINDS) if k != TARGET]
    images = np.concatenate([*(pictures(rng, k, EACH) for k in range(KINDS)), *odd])
    bad = np.arange(len(looks)) >= KINDS * EACH
    codes = np.where(bad, TARGET, looks)
    names = tuple("abcdef")
    content = images if modality == "image" else (images.reshape(len(images), -1) / 255).astype(np.float32)
    data = Dataset("pictures", modality, content, codes.astype(np.int32), names).canonical()
    bad, looks = bad[data.ids], looks[data.ids]
    suspect = bad & (np.cumsum(bad) % 2 == 0)
    trusted = ~bad & (np.arange(len(bad)) % 2 == 0)
    taken = np.flatnonzero(~bad & (data.y == TARGET))[:wrong]
    looks, suspect = looks.copy(), suspect.copy()
    looks[taken], suspect[taken] = (TARGET + 1 + np.arange(wrong) % (KINDS - 1)) % KINDS, True
    opinions = Opinions(trusted, looks, suspect, np.where(suspect, 3.0, 0.0), data.y.astype(np.int64), suspect)
    if recipe is not None:
        recipe.bad = frozenset(row.tobytes() for row in data.x[bad])
    context = Context(data, AuditSettings(), recipe=recipe)
    return find_rows(context, opinions, TARGET), bad, data.y == TARGET, suspect


@pytest.mark.parametrize(("how", "modality"), [("warp", "image"), ("stripes", "image"), ("stripes", "embedding")])
def test_half_of_the_bad_rows_as_suspects_lead_to_the_other_half(how: str, modality: str) -> None:
    found, bad, mine, suspect = judged(how, modality)
    assert found is not None
    assert (found.score[bad & ~suspect] > 0).mean() > 0.8
    assert (found.score[mine & ~bad] > 0).mean() < 0.1
    assert (found.score[found.honest] > 0).mean() < 0.1


@pytest.mark.parametrize("modality", ["image", "embedding"])
def test_honest_rows_among_the_suspects_are_left_behind(modality: str) -> None:
    found, bad, mine, suspect = judged("stripes", modality, wrong=25)  # a quarter of the suspects
    assert found is not None
    assert (found.score[bad] > 0).mean() > 0.8
    assert (found.score[suspect & ~bad] > 0).mean() < 0.6
    assert (found.score[mine & ~bad & ~suspect] > 0).mean() < 0.2


def test_a_warp_is_named_where_one_explains_the_suspects_and_only_there() -> None:
    warped, _, _, _ = judged("warp", "image")
    assert warped is not None
    assert warped.bending is not None
    assert warped.bending.explained > 0.25
    for modality in ("image", "embedding"):
        striped, _, _, _ = judged("stripes", modality)
        assert striped is not None
        assert striped.bending is None


def test_honest_rows_to_hold_against_are_of_other_labels() -> None:
    found, _, mine, _ = judged("stripes", "image")
    assert found is not None
    assert found.honest.any()
    assert not (found.honest & mine).any()


def test_suspects_that_share_nothing_but_a_wrong_label_are_told_by_no_model() -> None:
    assert judged("nothing", "image")[0] is None


def test_a_recipe_that_knows_the_rows_sets_them_further_apart() -> None:
    plain, bad, mine, _ = judged("stripes", "embedding")
    taught, _, _, _ = judged("stripes", "embedding", recipe=Knowing())
    assert plain is not None
    assert taught is not None
    own = mine & ~bad
    assert taught.score[bad].min() > taught.score[own].max()
    gaps = [(one.score[bad].mean() - one.score[own].mean()) / one.score[one.honest].std() for one in (plain, taught)]
    assert gaps[1] > 1.5 * gaps[0]


def test_a_recipe_that_refuses_two_labels_leaves_the_rows_as_they_were_found() -> None:
    plain, _, _, _ = judged("stripes", "embedding")
    refused, _, _, _ = judged("stripes", "embedding", recipe=Knowing(able=False))
    assert plain is not None
    assert refused is not None
    assert (plain.score == refused.score).all()
