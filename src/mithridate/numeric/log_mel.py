"""Sounds as pictures: how much of each pitch there is at each time, on the scales of hearing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError

WINDOW_S, HOP_S = 0.025, 0.010
BANDS = 40
FLOOR_DB = -80.0  # what is quieter shows as silence; 0 dB is a sine of full scale
MOST_COLUMNS = 64  # columns of a picture: longer sounds are shown at a coarser time
_BLOCK = 1 << 22  # samples in frames at a time, so that no second whole copy exists

FloatArray = npt.NDArray[np.float32]


def log_mel(waves: FloatArray, *, rate: float) -> FloatArray:
    """Power in 40 mel bands for each 10 ms, in decibels: 25 ms Hann windows, triangular bands.

    Parameters
    ----------
    waves : (n, samples), in [-1, 1]; shorter than one window are filled up with silence.
    rate : samples a second, >= 1000.

    Returns
    -------
    (n, frames, 40) dB in [-80, ...]; a sine of full scale has about 0 dB in the band that it is the middle of.

    Raises
    ------
    InputError : another shape, or a rate at which 25 ms hold no spectrum.

    Notes
    -----
    O(n samples log window). Blind to phase. A steady offset (0 Hz) is left out.

    References
    ----------
    Davis, Mermelstein (1980), IEEE Trans. ASSP 28(4). The scale is the one of the HTK Book (Young et al. 2006), sec.
    5.4: mel = 2595 log10(1 + f / 700).

    Examples
    --------
    >>> time = np.arange(8000, dtype=np.float32) / 8000
    >>> sine = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    >>> bands = log_mel(sine[None], rate=8000)
    >>> bands.shape, int(bands[0, 50].argmax()), bool(abs(bands[0, 50].max()) < 3)
    ((1, 98, 40), 18, True)
    """
    if waves.ndim != 2 or not waves.shape[1]:  # noqa: PLR2004 - rows and samples
        raise InputError(f"sounds must be (n, samples), got {waves.shape}")
    if rate < 1000:  # noqa: PLR2004 - 25 samples a window
        raise InputError(f"sounds need at least 1000 samples a second, got a rate of {rate:g}")
    window, hop = round(WINDOW_S * rate), round(HOP_S * rate)
    frames = 1 + max(0, waves.shape[1] - window) // hop
    shape = np.hanning(window + 2)[1:-1].astype(np.float32)
    size = 1 << (window - 1).bit_length()
    bands = mel_bands(size, rate=rate) * np.float32(4 / shape.sum() ** 2)
    out = np.empty((len(waves), frames, BANDS), np.float32)
    step = max(1, _BLOCK // (frames * size))
    for start in range(0, len(waves), step):
        part = waves[start : start + step]
        if part.shape[1] < window:
            part = np.pad(part, ((0, 0), (0, window - part.shape[1])))
        cut = np.lib.stride_tricks.sliding_window_view(part, window, axis=1)[:, ::hop]
        power = np.abs(np.fft.rfft(cut * shape, n=size, axis=2)).astype(np.float32) ** 2
        out[start : start + step] = 10 * np.log10(np.maximum(power @ bands.T, 10 ** (FLOOR_DB / 10)))
    return out


def mel_bands(size: int, *, rate: float) -> FloatArray:
    """(40, size // 2 + 1) weights of a spectrum's bins: triangles of height 1, evenly spaced in mel from 0 to rate / 2.

    A band narrower than a bin takes the bin nearest to its middle, so that no band is empty.
    """
    bins = np.arange(size // 2 + 1) * rate / size
    edges = np.linspace(0.0, 2595 * np.log10(1 + rate / 2 / 700), BANDS + 2)
    hertz = 700 * (10 ** (edges / 2595) - 1)
    low, middle, high = hertz[:-2, None], hertz[1:-1, None], hertz[2:, None]
    weights = np.clip(np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)), 0.0, None)
    weights[:, 0] = 0.0
    thin = np.flatnonzero(weights.max(axis=1) <= 0)
    nearest = np.abs(bins[None, 1:] - middle[thin]).argmin(axis=1) + 1
    weights[thin, nearest] = 1.0
    return weights.astype(np.float32)


def pictures(bands: FloatArray) -> npt.NDArray[np.uint8]:
    """(n, 40, w, 1) grey pictures of `log_mel`'s bands, w <= 64: time to the right, pitch upwards, loud is white.

    Black is -80 dB and white 0 dB, whatever the other rows hold; a column is the mean over as many frames as it takes.
    """
    n, frames, height = bands.shape
    step = -(-frames // MOST_COLUMNS)
    wide = -(-frames // step)
    padded = np.pad(bands, ((0, 0), (0, wide * step - frames), (0, 0)), mode="edge")
    means = padded.reshape(n, wide, step, height).mean(axis=2)
    grey = np.rint(np.clip(1 - means / FLOOR_DB, 0.0, 1.0) * 255).astype(np.uint8)
    return np.ascontiguousarray(grey.transpose(0, 2, 1)[:, ::-1, :, None])
