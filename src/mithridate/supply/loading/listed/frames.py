"""pandas' frames, series and indexes, put together from their blocks by pandas' own public constructors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mithridate.supply.loading.listed.arrays import VALUE
from mithridate.supply.loading.listed.columns import Rows
from mithridate.supply.loading.listed.plain import later


class Block(NamedTuple):
    """Columns of one type: their values, and where in the frame they stand."""

    values: Any
    places: Any


class Manager(NamedTuple):
    """The blocks of a frame or series, and its axes: columns and rows, or rows alone."""

    blocks: list[Block]
    axes: list[Any]


def _block(arguments: tuple[Any, ...], _: Any) -> Block:
    return Block(arguments[0], arguments[1])


def _manager(arguments: tuple[Any, ...], state: Any) -> Manager:
    if isinstance(state, tuple):
        kept = state[3]["0.14.1"]
        return Manager([Block(one["values"], one["mgr_locs"]) for one in kept["blocks"]], list(kept["axes"]))
    blocks, axes = arguments[:2]
    return Manager([one if isinstance(one, Block) else _wrong() for one in blocks], list(axes))


def _wrong() -> Any:
    raise TypeError("a block is none")


def _places(block: Block, width: int) -> list[int]:
    places = block.places
    if isinstance(places, slice):
        bounds = (places.start, places.stop, places.step)
        if any(one is not None and type(one) is not int for one in bounds):
            raise TypeError("the places of a block are no numbers")
        return list(range(*places.indices(width)))
    return [int(place) for place in places.tolist()]


def _parts(block: Block, height: int) -> list[Any]:
    """The columns of a block.

    Raises
    ------
    ValueError : one is not as long as the index.
    """
    import numpy as np

    values = block.values
    two_axes = isinstance(values, Rows) or (isinstance(values, np.ndarray) and values.ndim == 2)  # noqa: PLR2004 - columns and rows
    found = list(values) if two_axes else [values]
    if any(len(one) != height for one in found):
        raise ValueError(f"a column is not {height:,} rows long")
    return found


def _series(values: Any, index: Any, name: Any = None) -> Any:
    """A series of exactly this type: pandas would guess another for objects."""
    import numpy as np
    import pandas as pd

    dtype = object if isinstance(values, np.ndarray) and values.dtype.kind == "O" else None
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise ValueError("the values of a series are no row")
    return pd.Series(values, index=index, name=name, dtype=dtype, copy=False)


def _make_frame(_: tuple[Any, ...], state: Any) -> Any:
    import pandas as pd

    manager = _held(state, axes=2)
    columns, index = manager.axes
    found: dict[int, Any] = {}
    for block in manager.blocks:
        parts = _parts(block, len(index))
        places = _places(block, len(columns))
        if len(places) != len(parts):
            raise ValueError("the places of a block are not as many as its columns")
        found |= {place: _series(part, index) for place, part in zip(places, parts, strict=True)}
    if len(found) != len(columns) or sum(len(_parts(one, len(index))) for one in manager.blocks) != len(columns):
        raise ValueError("the blocks do not fill the frame")
    if any(not 0 <= place < len(columns) for place in found):
        raise ValueError("a block stands outside of the frame")
    made = pd.DataFrame({place: found[place] for place in range(len(columns))}, index=index, copy=False)
    made.columns = columns
    return _told(made, state)


def _make_series(_: tuple[Any, ...], state: Any) -> Any:
    manager = _held(state, axes=1)
    if len(manager.blocks) != 1:
        raise ValueError("a series has other than one block")
    name = state.get("_name", state.get("name"))
    return _told(_series(manager.blocks[0].values, manager.axes[0], name), state)


def _held(state: Any, axes: int) -> Manager:
    import pandas as pd

    manager = state["_mgr"] if "_mgr" in state else state["_data"]
    if not isinstance(manager, Manager) or len(manager.axes) != axes:
        raise TypeError("its blocks are none")
    if not all(isinstance(axis, pd.Index) for axis in manager.axes):
        raise TypeError("an axis is no index")
    return manager


def _told(made: Any, state: dict[str, Any]) -> Any:
    made.attrs = dict(state.get("attrs") or {})
    if (state.get("_flags") or {}).get("allows_duplicate_labels") is False:
        made.flags.allows_duplicate_labels = False
    return made


def _make_index(arguments: tuple[Any, ...], _: Any) -> Any:
    import numpy as np
    import pandas as pd

    kind, given = str(arguments[0]).rpartition(".")[2], dict(arguments[1])
    name = given.get("name")
    if kind == "RangeIndex":
        if not all(type(given[word]) is int for word in ("start", "stop", "step")):
            raise TypeError("a range is of no numbers")
        return pd.RangeIndex(given["start"], given["stop"], given["step"], name=name)
    if kind == "MultiIndex":
        return pd.MultiIndex(
            given["levels"], given["codes"], sortorder=given.get("sortorder"), names=given.get("names"),
            verify_integrity=True,
        )  # fmt: skip
    if kind == "IntervalIndex":
        return pd.IntervalIndex.from_arrays(given["left"], given["right"], given["closed"], name=name)
    data = given["data"]
    if isinstance(data, Rows) or (isinstance(data, np.ndarray) and data.ndim != 1):
        raise ValueError("the labels of an index are no row")
    dtype = object if isinstance(data, np.ndarray) and data.dtype.kind == "O" else data.dtype
    made: Any = pd.Index(data, dtype=dtype, name=name)
    freq = given.get("freq")
    if freq is not None and isinstance(made, pd.DatetimeIndex | pd.TimedeltaIndex):
        return type(made)(made, freq=freq, name=name)
    return made


_INDEXES = {
    "base": ("Index",), "range": ("RangeIndex",), "multi": ("MultiIndex",), "category": ("CategoricalIndex",),
    "datetimes": ("DatetimeIndex",), "timedeltas": ("TimedeltaIndex",), "period": ("PeriodIndex",),
    "interval": ("IntervalIndex",), "numeric": ("Int64Index", "UInt64Index", "Float64Index"),
}  # fmt: skip


def _all() -> dict[str, Callable[..., Any]]:
    found = {f"pandas.core.indexes.{module}.{kind}": VALUE for module, kinds in _INDEXES.items() for kind in kinds}
    found |= {f"pandas.{kind}": VALUE for kinds in _INDEXES.values() for kind in kinds}
    for name in ("base._new_Index", "datetimes._new_DatetimeIndex", "timedeltas._new_TimedeltaIndex",
                 "period._new_PeriodIndex", "interval._new_IntervalIndex"):  # fmt: skip
        found[f"pandas.core.indexes.{name}"] = later("pandas.Index", _make_index)
    for place in ("pandas", "pandas.core.frame"):
        found[f"{place}.DataFrame"] = later("pandas.DataFrame", _make_frame)
    for place in ("pandas", "pandas.core.series"):
        found[f"{place}.Series"] = later("pandas.Series", _make_series)
    for kind in ("BlockManager", "SingleBlockManager"):
        found[f"pandas.core.internals.managers.{kind}"] = later("pandas block manager", _manager)
    return found | {"pandas._libs.internals._unpickle_block": later("pandas block", _block)}


FRAMES = _all()
