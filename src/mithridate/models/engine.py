"""The torch training loop: seeded, one thread, float32, in batches; nothing of torch's global state is left changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError, MissingExtra
from mithridate.models.inputs import Floats

EXTRA = ("torch", "torch")  # the package and the extra that brings it
BATCH = 128
PREDICT_BATCH = 512
LEARNING_RATE = 2e-3
ROW_VISITS = 80_000  # rows seen in training when there are few; never fewer than MIN_EPOCHS passes
MIN_EPOCHS, MAX_EPOCHS = 5, 40
FITTED = 0.998  # training accuracy over an epoch at which a module has learnt its rows


def load_torch() -> ModuleType:
    """The torch module; `MissingExtra` when it isn't installed."""
    try:
        import torch
    except ImportError as error:
        what_for = "a torch module"
        raise MissingExtra(*EXTRA, what_for) from error
    return torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's generator seeded and torch held to one thread inside; both as they were after."""
    torch = load_torch()
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def epochs_for(n_rows: int) -> int:
    """Passes over the rows: more when there are few."""
    return int(np.clip(ROW_VISITS // max(n_rows, 1), MIN_EPOCHS, MAX_EPOCHS))


def fit_module(
    make: Callable[[], Any],
    x: Floats,
    codes: npt.NDArray[np.integer[Any]],
    *,
    n_classes: int,
    seed: int,
    epochs: int | None = None,
    learning_rate: float = LEARNING_RATE,
) -> Any:
    """The module that `make` returns, trained by Adam on cross-entropy, in evaluation mode.

    Parameters
    ----------
    x : (n, ...) float32, what the module takes; codes : (n,) in [0, n_classes).
    epochs : passes over the rows, >= 1; default by `epochs_for`. The learning rate falls to 0 along a half cosine.

    Raises
    ------
    InputError : the outputs are neither one for each class nor, with two classes, one.
    MissingExtra : torch isn't installed.

    References
    ----------
    Kingma, Ba (2015), Adam, ICLR.
    """
    torch = load_torch()
    passes = epochs if epochs is not None else epochs_for(len(x))
    with seeded(seed):
        module = make()
        rows, labels = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.asarray(codes, dtype=np.int64))
        module.eval()
        _run_batch(module, rows[:2], n_classes)  # lazy layers get their sizes before the optimiser asks for them
        module.train()
        optimiser = torch.optim.Adam(module.parameters(), lr=learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=passes)
        for _ in range(passes):
            if _one_epoch(module, optimiser, rows, labels, n_classes) >= FITTED:
                break
            schedule.step()
        return module.eval()


def fit_watched(
    make: Callable[[], Any],
    x: Floats,
    codes: npt.NDArray[np.integer[Any]],
    *,
    n_classes: int,
    seed: int,
    epochs: int,
) -> list[Floats]:
    """Train as `fit_module` does, at one learning rate; the module's outputs for all rows after each pass."""
    torch, after = load_torch(), []
    with seeded(seed):
        module = make()
        rows, labels = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.asarray(codes, dtype=np.int64))
        optimiser = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)
        for _ in range(epochs):
            module.train()
            _one_epoch(module, optimiser, rows, labels, n_classes)
            after.append(outputs(module.eval(), x))
        return after


def _one_epoch(module: Any, optimiser: Any, rows: Any, labels: Any, n_classes: int) -> float:
    """Share of rows predicted right, each before its own step."""
    torch = load_torch()
    right = 0
    for batch in torch.randperm(len(rows)).split(BATCH):
        if len(batch) == 1 < len(rows):
            continue  # a batch norm has no variance of one row
        scores = _run_batch(module, rows[batch], n_classes)
        loss = torch.nn.functional.cross_entropy(scores, labels[batch])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        right += int((scores.detach().argmax(dim=1) == labels[batch]).sum())
    return right / max(len(rows), 1)


def _run_batch(module: Any, rows: Any, n_classes: int) -> Any:
    """(b, c) scores; a single output means the second of two classes."""
    torch = load_torch()
    scores = module(rows)
    if scores.ndim == 1:
        scores = scores[:, None]
    if n_classes == 2 and scores.shape[1:] == (1,):  # noqa: PLR2004 - one output tells two classes apart
        scores = torch.cat([torch.zeros_like(scores), scores], dim=1)
    if scores.shape != (len(rows), n_classes):
        raise InputError(
            f"the module's output has shape {tuple(scores.shape)}, wanted ({len(rows)}, {n_classes}): one a class"
        )
    return scores


def outputs(module: Any, x: Floats) -> Floats:
    """What the module gives for (n, ...) float32 rows, in batches, without gradients, one thread."""
    torch = load_torch()
    rows = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    with seeded(0), torch.inference_mode():
        parts = [module(batch) for batch in rows.split(PREDICT_BATCH)]
        joined = torch.cat(parts) if len(rows) else module(rows)
    return np.asarray(joined.detach().cpu().numpy(), dtype=np.float32)
