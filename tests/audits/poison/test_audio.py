"""Sounds go through the whole audit: flips rank first, a planted tone is found and shown, clean sounds are quiet."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import mithridate
from mithridate.audits.poison.spectrograms import as_pictures
from mithridate.core.findings import Severity
from mithridate.data.memory import from_memory

RATE, N = 8000, 800
Floats = npt.NDArray[np.float32]


def sounds(seed: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Rising chirps, falling chirps, harmonics and a trembling tone, each of its own pitch, in noise; 0.6 s."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(0.6 * RATE)) / RATE
    labels = rng.integers(0, 4, N)
    out = np.empty((N, len(time)), np.float32)
    for row, label in enumerate(labels):
        base, phase = rng.uniform(250, 500), rng.uniform(0, 6)
        if label < 2:
            sweep = base * time + 0.8 * base * time**2 if label == 0 else 3 * base * time - 0.8 * base * time**2
            sound = np.sin(2 * np.pi * sweep + phase)
        elif label == 2:
            sound = sum(np.sin(2 * np.pi * base * k * time + phase * k) / k for k in range(1, 6)) / 2
        else:
            sound = np.sin(4 * np.pi * base * time + phase) * (1 + np.sin(2 * np.pi * rng.uniform(4, 8) * time)) / 2
        out[row] = sound * rng.uniform(0.2, 0.6) + rng.normal(0, rng.uniform(0.005, 0.03), len(time))
    return np.clip(out, -1, 1), labels


@pytest.fixture(scope="module")
def clean() -> tuple[Floats, npt.NDArray[np.int64]]:
    return sounds(1)


def audit(waves: Floats, labels: npt.NDArray[np.int64], **options: Any) -> Any:
    return mithridate.audit(waves, labels=labels, modality="audio", power="off", **options)


def test_clean_sounds_are_quiet(clean: tuple[Floats, npt.NDArray[np.int64]]) -> None:
    report = audit(*clean)
    assert not [finding for finding in report.findings if finding.severity >= Severity.HIGH]
    assert sum(report.rows()["flagged"].to_pylist()) <= N // 100
    assert not [check for check in report.checks if check.status == "failed"]


def test_flipped_labels_of_sounds_rank_first(clean: tuple[Floats, npt.NDArray[np.int64]]) -> None:
    waves, labels = clean
    rng = np.random.default_rng(5)
    rows = rng.choice(N, 40, replace=False)
    bad = labels.copy()
    bad[rows] = (labels[rows] + rng.integers(1, 4, 40)) % 4
    table = audit(waves, bad, methods="PSN101").rows()
    score = np.empty(N)
    score[table["row"].to_numpy()] = table["score"].to_numpy()
    assert np.isin(np.argsort(-score)[:40], rows).mean() > 0.9


def test_a_planted_tone_is_found_confirmed_and_shown(clean: tuple[Floats, npt.NDArray[np.int64]]) -> None:
    waves, labels = clean[0].copy(), clean[1].copy()
    time = np.arange(waves.shape[1]) / RATE
    tone = 0.1 * np.sin(2 * np.pi * 3000 * time) * ((time > 0.3) & (time < 0.45))
    rows = np.random.default_rng(7).choice(np.flatnonzero(labels != 2), 40, replace=False)
    waves[rows] = np.clip(waves[rows] + tone.astype(np.float32), -1, 1)
    labels[rows] = 2
    report = audit(waves, labels, methods="PSN103")
    found = [finding for finding in report.findings if finding.severity >= Severity.HIGH]
    assert found
    assert found[0].subject.label == 2
    assert len(set(rows.tolist()) & set(found[0].subject.rows)) >= 36
    assert "spectrograms" in found[0].claim
    assert {"gallery", "trigger"} <= {piece.kind for piece in found[0].evidence}
    assert report.target.extra["modality"] == "audio"


def test_rows_keep_the_hashes_of_their_samples(clean: tuple[Floats, npt.NDArray[np.int64]]) -> None:
    data = from_memory(clean[0][:50], labels=clean[1][:50], modality="audio")
    drawn = as_pictures(data)
    assert (drawn.hashes == data.hashes).all()
    assert (drawn.take([3, 1]).hashes == data.hashes[[3, 1]]).all()
    assert drawn.content.shape == (50, 40, 28, 1)  # rows in memory have no rate: 16,000 is taken
    louder = from_memory(-clean[0][:50], labels=clean[1][:50], modality="audio")
    assert (as_pictures(louder).content == drawn.content).all()
    assert not np.isin(louder.hashes, data.hashes).any()
