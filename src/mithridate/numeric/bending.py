"""The one warp that makes honest images of every kind, on average, into the images of a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.numeric.warp import warp

DETAILS = (4, 6, 8)  # waves a side that a field may be made of
STEPS = 4  # of Gauss and Newton; the fields looked for move pixels by one or two
PENALTY = 0.01  # of the finest waves' weight, as a share of the mean curvature

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


class Pair(NamedTuple):
    """Means (h, w, c) of `honest` images of one kind and of `odd` ones that look like it; `noise`: their distance
    squared, summed over the pixels, that chance alone explains.
    """  # noqa: D205 - a field list reads better in one piece

    honest: Doubles
    odd: Doubles
    noise: float


def pair_of(honest: npt.NDArray[Any], odd: npt.NDArray[Any]) -> Pair:
    """The pair of (n, h, w, c) and (m, h, w, c) images, n and m at least 1."""
    noise = float(honest.var(axis=0).sum() / len(honest) + odd.var(axis=0).sum() / len(odd))
    return Pair(honest.mean(axis=0, dtype=np.float64), odd.mean(axis=0, dtype=np.float64), max(noise, 1e-9))


def common_flow(pairs: Sequence[Pair], detail: int) -> Floats:
    """(h, w, 2) displacements (down, right, in pixels; see `warp`) that take the honest means closest to the odd ones.

    Parameters
    ----------
    pairs : one or more of the same shape; each counts by one over its noise.
    detail : waves a side of the smooth field.

    Notes
    -----
    Least squares on the image gradients, repeated from the field found so far. Only means are compared, so no odd image
    needs an original of its own. O(pairs h w detail^4) time.

    References
    ----------
    Lucas and Kanade (1981), an iterative image registration technique, IJCAI.
    """
    height, width = pairs[0].honest.shape[:2]
    waves = np.einsum("yi,xj->yxij", _waves(height, detail), _waves(width, detail)).reshape(height * width, -1)
    order = np.arange(detail)
    bent = np.tile((order[:, None] ** 2 + order**2 + 0.1).ravel(), 2)  # finer waves bend more
    flow = np.zeros((height, width, 2), np.float32)
    for _ in range(STEPS):
        gram, right = np.zeros((len(bent), len(bent))), np.zeros(len(bent))
        for one in pairs:
            now = warp(one.honest[None].astype(np.float32), flow)[0].astype(np.float64)
            for channel in range(now.shape[2]):
                down, across = np.gradient(now[..., channel])
                slopes = np.hstack([down.reshape(-1, 1) * waves, across.reshape(-1, 1) * waves])
                gram += slopes.T @ slopes / one.noise
                right += slopes.T @ (one.odd - now)[..., channel].ravel() / one.noise
        gram += np.diag(PENALTY * (np.trace(gram) / len(gram) + 1e-12) * bent)
        step = np.linalg.solve(gram, right)
        flow += np.stack([waves @ step[: len(step) // 2], waves @ step[len(step) // 2 :]], axis=-1).reshape(flow.shape)
    return flow


def _waves(side: int, detail: int) -> Doubles:
    place = (np.arange(side) + 0.5) / side
    return np.stack([np.cos(np.pi * wave * place) for wave in range(detail)], axis=1)


class Bending(NamedTuple):
    """A field (h, w, 2), and the share of the groups' distance that it explains on kinds it wasn't fitted to."""

    flow: Floats
    explained: float


def find_bending(pairs: Sequence[Pair]) -> Bending:
    """The common field at the detail that foretells best what images of other kinds look like.

    Parameters
    ----------
    pairs : at least 4, the largest group first.

    Notes
    -----
    Fitted to every second pair and tried on the others, and the other way round. What chance explains is taken off, so
    that 1 is all there is to explain; what is no warp has about 0, and some tenths by chance where images are few.
    """
    halves = (pairs[::2], pairs[1::2])
    best = max(DETAILS, key=lambda detail: _explained(halves, detail))
    return Bending(common_flow(pairs, best), _explained(halves, best))


def _explained(halves: Sequence[Sequence[Pair]], detail: int) -> float:
    won, there = 0.0, 0.0
    for known, asked in (halves, halves[::-1]):
        flow = common_flow(known, detail)
        for one in asked:
            foretold = warp(one.honest[None].astype(np.float32), flow)[0]
            apart = float(((one.odd - one.honest) ** 2).sum())
            won += (apart - float(((one.odd - foretold) ** 2).sum())) / one.noise
            there += (apart - one.noise) / one.noise
    return won / there if there > 0 else 0.0
