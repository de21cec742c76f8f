"""The attacker's own networks: trained on the rows given, asked for gradients and for last-layer features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import Rows, content_order
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.adapters import TorchModel, is_module
from mithridate.models.builtin.cnn import build
from mithridate.models.engine import load_torch
from mithridate.models.importing import load_function, takes_nothing
from mithridate.models.recipes import BuiltIn, Recipe, UserRecipe, recipe

Tensor: TypeAlias = Any  # a torch tensor; torch is imported when an attack runs
Loss: TypeAlias = Callable[[Tensor], Tensor]

DEFAULT = "cnn"
MOST_ROWS = 20_000  # a surrogate learns little from more rows, and pays for them
BATCH = 256  # rows crafted at a time


@dataclass(frozen=True, slots=True, eq=False)
class Surrogate:
    """A trained network; `scores` are logits of (b, channels, h, w) images in [0, 1]."""

    module: Any

    def scores(self, x: Tensor) -> Tensor:
        """(b, c) logits."""
        return self.module(x)

    def features(self, x: Tensor) -> Tensor:
        """(b, d) what the last linear layer is given.

        Raises
        ------
        InputError : the network has no linear layer.
        """
        linear = [part for part in self.module.modules() if isinstance(part, load_torch().nn.Linear)]
        if not linear:
            msg = "this attack reads the features before the last linear layer, and the recipe's network has none"
            raise InputError(msg)
        caught: list[Tensor] = []
        handle = linear[-1].register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
        try:
            self.module(x)
        finally:
            handle.remove()
        return caught[-1].flatten(1)


def read_recipe(read: Settings) -> Recipe:
    """The surrogate's recipe: the setting `recipe` (a name, `package.module:function` or a function), else `cnn`."""
    given = read.value("recipe", DEFAULT)
    return given if not isinstance(given, str) and not callable(given) else recipe(given)


def train_surrogates(dataset: Dataset, make: Recipe, rng: np.random.Generator, count: int = 1) -> list[Surrogate]:
    """`count` networks trained on the labelled rows, at most 20,000 of them.

    Raises
    ------
    InputError : the recipe makes no torch module, or one whose inputs aren't plain images.
    MissingExtra : torch isn't installed.
    """
    load_torch()
    rows = content_order(dataset)
    rows = rows[dataset.y[rows] >= 0]
    if len(rows) > MOST_ROWS:
        rows = rows[np.sort(rng.choice(len(rows), MOST_ROWS, replace=False))]
    return [_train(dataset.take(rows), make, int(rng.integers(2**31))) for _ in range(count)]


def _train(dataset: Dataset, make: Recipe, seed: int) -> Surrogate:
    fitted = make(dataset, seed)
    if not isinstance(fitted, TorchModel):
        raise InputError(
            f"this attack needs gradients, and the recipe gives a {type(fitted).__name__}; "
            "use --recipe cnn, or a function that returns a torch module"
        )
    for weight in fitted.module.parameters():
        weight.requires_grad_(True)
    return Surrogate(fitted.module.eval())


def tensor_of(dataset: Dataset, rows: Rows) -> Tensor:
    """(r, channels, h, w) float32 torch tensor in [0, 1] of these images."""
    images = cast("npt.NDArray[Any]", dataset.content)[rows].astype(np.float32)
    if cast("npt.NDArray[Any]", dataset.content).dtype == np.uint8:
        images /= np.float32(255)
    return load_torch().from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def images_of(x: Tensor, like: Dataset) -> npt.NDArray[Any]:
    """(r, h, w, channels) in the data set's own number type; bytes are rounded."""
    images = x.detach().clamp(0, 1).cpu().numpy().transpose(0, 2, 3, 1)
    dtype = cast("npt.NDArray[Any]", like.content).dtype
    out = np.rint(images * 255) if dtype == np.uint8 else images
    return np.ascontiguousarray(out.astype(dtype))


def signed_adam(
    start: Tensor, loss: Loss, *, epsilon: float, steps: int, step: float | None = None, delta: Tensor | None = None
) -> tuple[Tensor, float]:
    """Images within `epsilon` of `start` (largest change of a pixel) that make `loss` small, and that loss.

    Parameters
    ----------
    start : (b, channels, h, w) in [0, 1].
    loss : of images -> scalar with a gradient.
    step : first step length, default epsilon / 8; it falls to a tenth on the way.
    delta : perturbation to start from, default a random one.

    References
    ----------
    Geiping et al. (2021), Witches' Brew, ICLR: signed Adam with a falling step.
    """
    torch = load_torch()
    noise = (torch.rand_like(start) * 2 - 1) * epsilon if delta is None else delta.clone()
    noise = ((start + noise).clamp(0, 1) - start).requires_grad_(True)
    optimiser = torch.optim.Adam([noise], lr=epsilon / 8 if step is None else step)
    turns = [round(steps * share) for share in (0.375, 0.625, 0.875)]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, turns, gamma=0.45)
    last = float("inf")
    for _ in range(steps):
        value = loss(start + noise)
        (noise.grad,) = torch.autograd.grad(value, [noise])
        noise.grad.sign_()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            noise.clamp_(-epsilon, epsilon)
            noise.copy_((start + noise).clamp(0, 1) - start)
        last = float(value.detach())
    return (start + noise).detach(), last


def read_epsilon(read: Settings, default: str, name: str = "eps") -> float:
    """The largest change of a pixel, in (0, 1]: a number, or a fraction such as `8/255`.

    Raises
    ------
    InputError : it is neither, or out of range.
    """
    given = read.value(name, default)
    above, _, below = str(given).partition("/")
    try:
        value = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        value = float("nan")
    if not 0.0 < value <= 1.0:
        raise InputError(f"{name} must be a share of the pixel range in (0, 1], such as 8/255, got {given!r}")
    return value


def untrained(make: Recipe, dataset: Dataset) -> Any:
    """A fresh torch module of the recipe's kind for this data set's images, its weights from torch's generator.

    Raises
    ------
    InputError : the recipe doesn't return an untrained torch module.
    """
    images = cast("npt.NDArray[Any]", dataset.content)
    if isinstance(make, BuiltIn) and make.name == DEFAULT:
        return build(channels=int(images.shape[3]), n_classes=dataset.n_classes)
    function = getattr(make, "function", None) or (load_function(make.path) if isinstance(make, UserRecipe) else None)
    module = function() if function is not None and takes_nothing(function) else None
    if module is None or not is_module(module):
        raise InputError(
            "this attack trains the network itself; use --recipe cnn, or a function without parameters that returns an "
            "untrained torch module"
        )
    return module
