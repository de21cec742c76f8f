"""Coordinates for rows: a pretrained extractor by name, or the user's own array, file or function."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import Error, InputError
from mithridate.data.dataset import Dataset, Modality
from mithridate.models.importing import is_path, load_function, one_line

BUILT_IN: Mapping[str, Modality] = MappingProxyType({"efficientnet-lite0": "image", "minilm": "text"})


def extract(given: Any, dataset: Dataset) -> npt.NDArray[np.float32]:
    """(n, d) coordinates of the data set's rows, in its order.

    Parameters
    ----------
    given : `efficientnet-lite0` (images) or `minilm` (texts), from optional packages; an (n, d) array in reading
        order; an `.npy` file of one, or an `.npz` whose first array it is; or `package.module:function`, called with
        the content as recipes get it (`Dataset.x`), for an extractor of one's own.

    Raises
    ------
    InputError : no such name, file or function, the function fails, or what it gives isn't (n, d) finite numbers.
    MissingExtra : the named extractor's packages aren't installed; the message has the line that installs them.

    Notes
    -----
    Coordinates that judge labels must never have been trained on those labels: a model trained on poison hides it.
    """
    if isinstance(given, str) and given in BUILT_IN:
        return _checked(_built_in(given, dataset), dataset, given)
    if isinstance(given, (str, Path)) and is_path(str(given)):
        return _checked(_called(str(given), dataset), dataset, str(given))
    what = Path(given).name if isinstance(given, (str, Path)) else "the embedding"
    rows = _checked(_read(Path(given)) if isinstance(given, (str, Path)) else given, dataset, what)
    return rows[np.argsort(np.argsort(dataset.ids, kind="stable"), kind="stable")]


def _built_in(name: str, dataset: Dataset) -> npt.NDArray[np.float32]:
    if dataset.modality != BUILT_IN[name]:
        raise InputError(
            f"--embedding {name} is made for {BUILT_IN[name]} data, and {dataset.name} is {dataset.modality}"
        )
    if name == "minilm":
        from mithridate.models.pretrained import minilm

        return minilm.embed(dataset.x)
    from mithridate.models.pretrained import efficientnet_lite0

    return efficientnet_lite0.embed(dataset.x)


def _read(path: Path) -> Any:
    if path.suffix.lower() not in {".npy", ".npz"} or not path.is_file():
        names = " or ".join(BUILT_IN)
        raise InputError(
            f"the embedding {path.name!r} is no .npy or .npz file, no package.module:function, not {names}"
        )
    try:
        loaded = np.load(path, allow_pickle=False)
        return loaded[loaded.files[0]] if hasattr(loaded, "files") else loaded
    except (ValueError, OSError, EOFError, IndexError, KeyError) as error:
        raise InputError(
            f"{path.name} can't be read as an array ({one_line(error)}); write it with numpy.save"
        ) from error


def _called(spec: str, dataset: Dataset) -> Any:
    function = load_function(spec)
    try:
        return function(dataset.x)
    except Error:
        raise
    except Exception as error:  # the user's own code runs here, and anything can come out of it
        raise InputError(f"the extractor {spec} failed: {one_line(error)}") from error


def _checked(given: Any, dataset: Dataset, what: str) -> npt.NDArray[np.float32]:
    try:
        rows = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} holds no numbers: {one_line(error)}") from error
    if rows.ndim != 2 or len(rows) != len(dataset):  # noqa: PLR2004 - rows and coordinates
        raise InputError(f"{what} must be ({len(dataset)}, d), one vector a row, got {rows.shape}")
    if not np.isfinite(rows).all():
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        raise InputError(f"{what} has {len(bad):,} rows that aren't finite (first: row {int(bad[0])})")
    return rows
