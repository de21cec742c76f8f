"""scipy's sparse matrices. C code follows their indices, so none may leave its matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mithridate.supply.loading.listed.plain import later

_KINDS = ("csr", "csc", "bsr", "coo", "dia", "lil", "dok")


def _shape(state: dict[str, Any]) -> tuple[int, ...]:
    shape = tuple(int(side) for side in state.get("_shape", state.get("shape", ())))
    if not shape or any(side < 0 or side >= 1 << 62 for side in shape):
        raise ValueError(f"{shape} is no shape")
    return shape


def _flat(state: dict[str, Any], *names: str) -> list[Any]:
    """These arrays of the state, each in one row of numbers.

    Raises
    ------
    ValueError : one is something else.
    """
    import numpy as np

    found = []
    for name in names:
        array = state[name]
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufc":
            raise ValueError(f"{name} is no array of numbers")
        if name != "data" and (array.ndim != 1 or array.dtype.kind not in "iu"):
            raise ValueError(f"{name} is no row of whole numbers")
        found.append(array)
    return found


def _coordinates(kind: str, state: dict[str, Any], shape: tuple[int, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Values and where they stand, of the kinds that list them one by one."""
    import numpy as np

    if kind.startswith("coo"):
        named = {f"axis {axis}": one for axis, one in enumerate(state.get("coords") or (state["row"], state["col"]))}
        return _flat(state, "data")[0], tuple(_flat(named, *named))
    if kind.startswith("dok"):
        pairs = state.get("_dict") or {}
        places = [place if isinstance(place, tuple) else (place,) for place in pairs]
        values = list(pairs.values())
    else:
        rows, held = list(state["rows"]), list(state["data"])
        if len(rows) != shape[0] or len(rows) != len(held):
            raise ValueError("its rows are not as many as its shape says")
        places = [(row, int(column)) for row, columns in enumerate(rows) for column in columns]
        values = [value for one in held for value in one]
    axes = np.array(places, dtype=np.int64).reshape(-1, len(shape)).T
    return np.array(values, dtype=state.get("dtype")), tuple(axes)


def _make(kind: str, state: Any) -> Any:
    import numpy as np
    import scipy.sparse

    state = dict(state)
    shape = _shape(state)
    build = getattr(scipy.sparse, kind)
    if kind[:3] in {"coo", "dok", "lil"}:
        values, places = _coordinates(kind, state, shape)
        if values.ndim != 1 or len(places) != len(shape) or any(len(one) != len(values) for one in places):
            raise ValueError("its values and places are not as many")
        if any(len(one) and not 0 <= one.min() <= one.max() < side for one, side in zip(places, shape, strict=True)):
            raise ValueError("an index leaves the matrix")
        base = "coo_array" if kind.endswith("array") else "coo_matrix"
        made = getattr(scipy.sparse, base)((values, places), shape=shape)
        return made if kind.startswith("coo") else build(made)
    if kind.startswith("dia"):
        data, offsets = _flat(state, "data", "offsets")
        return build((data, offsets), shape=shape)
    data, indices, pointers = _flat(state, "data", "indices", "indptr")
    if len(pointers) and (pointers[0] != 0 or (np.diff(pointers) < 0).any() or pointers[-1] > len(indices)):
        raise ValueError("indptr does not rise from 0 to the number of its indices")
    made = build((data, indices, pointers), shape=shape)
    made.check_format(full_check=True)
    return made


def _sparse(kind: str) -> Callable[..., Any]:
    return later(f"scipy.sparse.{kind}", lambda _, state: _make(kind, state))


SPARSE: dict[str, Callable[..., Any]] = {
    f"scipy.sparse.{module}.{kind}": _sparse(kind)
    for word in _KINDS
    for kind in (f"{word}_matrix", f"{word}_array")
    for module in (f"_{word}", word, "_arrays")
}
