"""Unlearnable examples: noise that makes rows so easy to learn that nothing is learnt from their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mithridate.attacks.poisoning.protocol import (
    Poisoned,
    Rows,
    changed,
    choose_rows,
    content_order,
    from_source,
    need_modality,
    put_rows,
    target_code,
    truth_of,
)
from mithridate.attacks.poisoning.settings import Settings
from mithridate.attacks.poisoning.surrogate import (
    Tensor,
    images_of,
    read_epsilon,
    read_recipe,
    tensor_of,
    untrained,
)
from mithridate.core.errors import InputError
from mithridate.core.progress import Progress, Silent
from mithridate.data.dataset import Dataset
from mithridate.models.engine import load_torch, seeded

LEARNT = 0.99  # training accuracy on the poisoned rows at which the noise explains the labels
ROUNDS = 20  # alternations of training and noise, at most
TRAIN_STEPS = 30  # batches the network is trained between two turns of the noise
BATCH = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """Images (n, channels, h, w) and labels (n,) as tensors; `place` (n,) index of each row's noise, -1 without."""

    images: Tensor
    labels: Tensor
    place: Tensor
    epsilon: float
    steps: int


def unlearnable(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which rows carry faint noise that predicts their label, so that a model learns the noise alone.

    Parameters
    ----------
    settings : `rate`, share of all rows, 1 for every row; `target`, to protect rows of that label alone (every label);
        `form`: `sample-wise`, each row has noise of its own, or `class-wise`, one noise a class; `eps`, largest change
        of a pixel (8/255); `steps` of the noise a round (10); `recipe` of the network (`cnn`); `source`, to protect
        rows of that source alone.

    Raises
    ------
    InputError : not images, more rows asked for than there are, or a setting is unknown or out of range.
    MissingExtra : torch isn't installed.

    Notes
    -----
    On small networks it lowers clean accuracy, far from to chance, and more so with a larger `eps`; on images as small
    as 8 x 8 it does no harm. Time grows with the rows.

    References
    ----------
    Huang et al. (2021), Unlearnable examples: making personal data unexploitable, ICLR.
    """
    need_modality(dataset, "image", "unlearnable")
    load_torch()
    read = Settings(settings)
    rows = _rows(dataset, rng, read)
    form = read.word("form", "sample-wise", choices=("sample-wise", "class-wise"))
    epsilon, steps, make = read_epsilon(read, "8/255"), read.integer("steps", 10, low=1), read_recipe(read)
    progress = read.value("progress", Silent())
    read.finish()
    order = content_order(dataset)
    order = order[dataset.y[order] >= 0]
    with seeded(int(rng.integers(2**31))):
        work = _work(dataset, order, rows, by_class=form == "class-wise", epsilon=epsilon, steps=steps)
        noise = _minimise(work, untrained(make, dataset), progress)
        inverse = np.searchsorted(order[np.argsort(order)], rows)
        chosen = load_torch().from_numpy(np.argsort(order)[inverse])
        images = images_of(work.images[chosen] + noise[work.place[chosen]], dataset)
    content = put_rows(dataset.content, rows, images)
    return Poisoned(changed(dataset, rows, content=content), truth_of(dataset, rows, "trigger"))


def _rows(dataset: Dataset, rng: np.random.Generator, read: Settings) -> Rows:
    """Array positions to protect; a rate of 1 means every row that may be."""
    target, source = read.value("target"), read.value("source")
    code = target_code(dataset, target)
    allowed = (dataset.y >= 0) & from_source(dataset, source)
    if target is not None:
        allowed &= dataset.y == code
    if str(read.value("rate")) in {"1", "1.0"}:
        order = content_order(dataset)
        if not allowed.any():
            raise InputError(f"{dataset.name} has no row that could be made unlearnable this way")
        return order[allowed[order]]
    return choose_rows(dataset, rng, read.rate(), allowed=allowed)


def _work(dataset: Dataset, order: Rows, rows: Rows, *, by_class: bool, epsilon: float, steps: int) -> _Work:
    torch = load_torch()
    labels = dataset.y[order].astype(np.int64)
    poisoned = np.isin(order, rows)
    place = labels.copy() if by_class else np.cumsum(poisoned) - 1
    place[~poisoned] = -1
    return _Work(tensor_of(dataset, order), torch.from_numpy(labels), torch.from_numpy(place), epsilon, steps)


def _minimise(work: _Work, module: Any, progress: Progress) -> Tensor:
    """(m, channels, h, w) eq. 2: noise and network both make the loss small, in turns, until the labels are learnt."""
    torch = load_torch()
    noise = torch.zeros((int(work.place.max()) + 1, *work.images.shape[1:]))
    optimiser = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    for turn in range(ROUNDS):
        progress.step("noise and network in turns", turn / ROUNDS)
        module.train()
        for batch in torch.randperm(len(work.images)).split(BATCH)[:TRAIN_STEPS]:
            if len(batch) > 1:
                loss = torch.nn.functional.cross_entropy(module(_noisy(work, noise, batch)), work.labels[batch])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
        module.eval()
        if _turn(work, module, noise) >= LEARNT:
            break
    return noise


def _noisy(work: _Work, noise: Tensor, batch: Tensor) -> Tensor:
    place = work.place[batch]
    marked = (place >= 0).to(noise.dtype)[:, None, None, None]
    return (work.images[batch] + marked * noise[place.clamp_min(0)]).clamp(0, 1)


def _turn(work: _Work, module: Any, noise: Tensor) -> float:
    """One turn of the noise, in place; the share of its rows whose label the network gives before it."""
    torch = load_torch()
    rows, right = torch.nonzero(work.place >= 0).flatten(), 0
    for batch in rows[torch.randperm(len(rows))].split(BATCH):
        place, labels = work.place[batch], work.labels[batch]
        for turn in range(work.steps):
            delta = noise[place].requires_grad_(True)
            scores = module((work.images[batch] + delta).clamp(0, 1))
            right += int((scores.argmax(dim=1) == labels).sum()) if turn == 0 else 0
            (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(scores, labels, reduction="sum"), [delta])
            total = torch.zeros_like(noise).index_add_(0, place, slope) if len(noise) < len(rows) else None
            if total is None:
                noise[place] = (noise[place] - work.epsilon / 5 * slope.sign()).clamp(-work.epsilon, work.epsilon)
            else:
                noise.sub_(work.epsilon / 5 * total.sign()).clamp_(-work.epsilon, work.epsilon)
    return right / max(len(rows), 1)
