"""Log-mel bands: the right pitch at the right time, loudness in decibels, and pictures that show both."""

from __future__ import annotations

import numpy as np
import pytest

from mithridate.core.errors import InputError
from mithridate.numeric.log_mel import BANDS, log_mel, mel_bands, pictures


def tone(hertz: float, rate: int, *, loud: float = 1.0, start: float = 0.0, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return (loud * np.sin(2 * np.pi * hertz * time) * (time >= start)).astype(np.float32)[None]


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_a_tone_is_loudest_in_the_band_that_holds_it(rate: int) -> None:
    hertz = 1000.0
    edges = 2595 * np.log10(1 + rate / 2 / 700) / (BANDS + 1)
    wanted = 2595 * np.log10(1 + hertz / 700) / edges - 1  # band k has its middle at k + 1 steps
    found = log_mel(tone(hertz, rate), rate=rate)[0, 50].argmax()
    assert abs(found - wanted) <= 0.6


def test_half_the_amplitude_is_six_decibels_less_and_silence_is_the_floor() -> None:
    full, half = (log_mel(tone(500, 8000, loud=loud), rate=8000).max() for loud in (0.8, 0.4))
    assert full - half == pytest.approx(6.02, abs=0.05)
    np.testing.assert_allclose(log_mel(np.zeros((2, 800), np.float32), rate=8000), -80, atol=1e-3)


def test_frames_follow_the_hop_and_short_sounds_have_one() -> None:
    assert log_mel(np.zeros((1, 16_000), np.float32), rate=16_000).shape == (1, 98, BANDS)
    assert log_mel(np.zeros((3, 10), np.float32), rate=16_000).shape == (3, 1, BANDS)


def test_no_band_is_empty_and_none_hears_a_steady_offset() -> None:
    for rate in (1000, 8000, 48_000):
        size = 1 << (round(0.025 * rate) - 1).bit_length()
        bands = mel_bands(size, rate=rate)
        assert (bands.max(axis=1) > 0).all()
        assert (bands[:, 0] == 0).all()


def test_pictures_put_time_to_the_right_and_pitch_upwards() -> None:
    drawn = pictures(log_mel(tone(3500, 8000, start=0.5), rate=8000))
    assert drawn.shape == (1, BANDS, 49, 1)
    row, column = np.unravel_index(drawn[0, :, :, 0].argmax(), drawn.shape[1:3])
    assert row < 5
    assert column > 24
    assert (drawn[0, :, :20] == 0).all()
    assert pictures(log_mel(np.zeros((1, 80_000), np.float32), rate=8000)).shape[2] <= 64


@pytest.mark.parametrize(
    ("shape", "rate", "told"), [((3,), 8000, "n, samples"), ((1, 0), 8000, "n, samples"), ((1, 9), 10, "1000")]
)
def test_what_is_no_sound_is_refused(shape: tuple[int, ...], rate: float, told: str) -> None:
    with pytest.raises(InputError, match=told):
        log_mel(np.zeros(shape, np.float32), rate=rate)
