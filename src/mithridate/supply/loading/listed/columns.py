"""pandas' types, the arrays that stand in its columns, and its points in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mithridate.supply.loading.listed.arrays import VALUE
from mithridate.supply.loading.listed.plain import later
from mithridate.supply.loading.settle import Constant

_UNITS: dict[Any, Any] = {7: "s", 8: "ms", 9: "us", 10: "ns"}
_STATE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A block of columns of one type that numpy lacks. values : (columns, rows). dtype : pandas'."""

    values: Any
    dtype: Any

    def __iter__(self) -> Any:
        return (column(row, self.dtype) for row in self.values)

    def __len__(self) -> int:
        return len(self.values)


def column(row: Any, dtype: Any) -> Any:
    """An array of pandas' over the numbers that it keeps.

    Raises
    ------
    ValueError, TypeError : type and numbers don't fit.
    """
    import numpy as np
    import pandas as pd

    if isinstance(dtype, pd.CategoricalDtype):
        if row.dtype.kind != "i":
            raise ValueError("the codes of categories are no whole numbers")
        return pd.Categorical.from_codes(row, dtype=dtype)
    if isinstance(dtype, pd.PeriodDtype):
        return pd.arrays.PeriodArray(row.astype(np.int64), dtype=dtype)
    if isinstance(dtype, pd.StringDtype):
        return texts(list(row), dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        instants = row.view(f"M8[{dtype.unit}]") if row.dtype.kind == "i" else row
        return pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(dtype.tz).array
    if row.dtype.kind not in "mM":
        raise ValueError(f"{row.dtype} is no type of times")
    return (pd.DatetimeIndex if row.dtype.kind == "M" else pd.TimedeltaIndex)(row).array


def texts(items: list[Any], dtype: Any) -> Any:
    """An array of texts; whatever is no text is missing."""
    import pandas as pd

    return pd.array([item if isinstance(item, str) else None for item in items], dtype=dtype)


def _backed(arguments: tuple[Any, ...], state: Any) -> Any:
    import numpy as np

    parts = state if isinstance(state, tuple) else arguments[2]
    if isinstance(parts, tuple) and parts and isinstance(parts[0], dict):
        parts = tuple(parts[0].values())
    values = next(part for part in parts if isinstance(part, np.ndarray))
    dtype = next((part for part in parts if not isinstance(part, np.ndarray | dict | type(None))), values.dtype)
    if isinstance(dtype, np.dtype):
        dtype = values.dtype
    if str(arguments[0]).endswith(".StringArray") and isinstance(dtype, np.dtype):
        import pandas as pd

        dtype = pd.StringDtype("python")
    return column(values, dtype) if values.ndim == 1 else Rows(values, dtype)


def _masked(kind: str) -> Callable[..., Any]:
    def finish(_: tuple[Any, ...], state: Any) -> Any:
        import pandas as pd

        return getattr(pd.arrays, kind)(state["_data"], state["_mask"].astype(bool))

    return later(f"pandas.arrays.{kind}", finish)


def _from_arrow(_: tuple[Any, ...], state: Any) -> Any:
    import pandas as pd

    dtype = state.get("_dtype", None) or pd.StringDtype("pyarrow")
    held = state["_pa_array"] if "_pa_array" in state else state["_data"]
    return texts(held, dtype)


def _sparse_array(_: tuple[Any, ...], state: Any) -> Any:
    import pandas as pd

    index, values = state["_sparse_index"], state["_sparse_values"]
    if values.ndim != 1 or len(values) != index.npoints:
        raise ValueError("its values and places are not as many")
    return pd.arrays.SparseArray(values, sparse_index=index, dtype=state["_dtype"])


def _sparse_index(arguments: tuple[Any, ...], _: Any) -> Any:
    from pandas._libs import sparse

    length, indices = arguments[:2]
    if indices.ndim != 1 or indices.dtype.kind != "i" or type(length) is not int or not 0 <= length < 1 << 31:
        raise ValueError("its places are no row of whole numbers")
    make: Any = sparse.IntIndex
    return make(length, indices.astype("i4"), check_integrity=True)


def _sparse_dtype(_: tuple[Any, ...], state: Any) -> Any:
    import pandas as pd

    return pd.SparseDtype(state["_dtype"], state["_fill_value"])


def _categories(_: tuple[Any, ...], state: Any) -> Any:
    import pandas as pd

    return pd.CategoricalDtype(state["categories"], bool(state["ordered"]))


def _zoned(arguments: tuple[Any, ...], state: Any) -> Any:
    import pandas as pd

    unit, zone = (state["unit"], state["tz"]) if isinstance(state, dict) else arguments[:2]
    return pd.DatetimeTZDtype(unit, zone)


def _string_dtype(arguments: tuple[Any, ...], state: Any) -> Any:
    import pandas as pd

    kept = state if isinstance(state, dict) else {}
    storage = kept.get("storage", kept.get("_storage", arguments[0] if arguments else "python"))
    if storage not in {"python", "pyarrow"}:
        raise ValueError(f"{storage!r:.40} is no storage of texts")
    missing = kept.get("_na_value", arguments[1] if len(arguments) > 1 else pd.NA)
    return pd.StringDtype(storage, na_value=pd.NA if missing is pd.NA else float("nan"))


def _simple(kind: str) -> Callable[..., Any]:
    def finish(arguments: tuple[Any, ...], _: Any) -> Any:
        import pandas as pd

        if not all(isinstance(one, str) for one in arguments):
            raise ValueError("it is made from something else than a text")
        return getattr(pd, kind)(*arguments)

    return later(f"pandas.{kind}", finish)


def _timestamp(arguments: tuple[Any, ...], _: Any) -> Any:
    import numpy as np
    import pandas as pd

    value, _, zone, unit = (*arguments, 10)[:4]
    made = pd.Timestamp(np.datetime64(int(value), _UNITS[unit]))
    return made if zone is None else made.tz_localize("UTC").tz_convert(zone)


def _timedelta(arguments: tuple[Any, ...], _: Any) -> Any:
    import numpy as np
    import pandas as pd

    value, unit = (*arguments, 10)[:2]
    return pd.Timedelta(np.timedelta64(int(value), _UNITS[unit]))


def _period(arguments: tuple[Any, ...], _: Any) -> Any:
    import pandas as pd

    _, freq, ordinal = arguments[:3]
    return pd.Period(ordinal=int(ordinal), freq=freq)


def _interval(arguments: tuple[Any, ...], _: Any) -> Any:
    import pandas as pd

    return pd.Interval(*arguments[:3])


def _offset(kind: str) -> Callable[..., Any]:
    def finish(arguments: tuple[Any, ...], _: Any) -> Any:
        import pandas as pd

        if not all(isinstance(one, int | None) and abs(one or 0) < 1 << 31 for one in arguments):
            raise ValueError("it is made from something else than small numbers")
        return getattr(pd.offsets, kind)(*arguments)

    return later(f"pandas.offsets.{kind}", finish)


def _missing(kind: str) -> Callable[[], Any]:
    def make() -> Any:
        import pandas as pd

        return getattr(pd, kind)

    return make


_OFFSETS = ("Day", "Hour", "Minute", "Second", "Milli", "Micro", "Nano", "MonthEnd", "MonthBegin", "QuarterEnd",
            "QuarterBegin", "YearEnd", "YearBegin", "Week")  # fmt: skip
_INTEGERS = [f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64)]
_BACKED = {"datetimes": "DatetimeArray", "timedeltas": "TimedeltaArray", "period": "PeriodArray",
           "categorical": "Categorical", "string_": "StringArray"}  # fmt: skip
_MASKED = {"integer": "IntegerArray", "boolean": "BooleanArray", "floating": "FloatingArray"}


def _all() -> dict[str, Any]:
    found: dict[str, Any] = {"pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": later("pandas array", _backed)}
    for module, kind in _BACKED.items():
        found |= {f"{place}.{kind}": VALUE for place in ("pandas", "pandas.arrays", f"pandas.core.arrays.{module}")}
    for module, kind in _MASKED.items():
        found |= {f"{place}.{kind}": _masked(kind) for place in ("pandas.arrays", f"pandas.core.arrays.{module}")}
    for kind in [*_INTEGERS, "Float32Dtype", "Float64Dtype", "BooleanDtype"]:
        module = "boolean" if "Bool" in kind else "floating" if "Float" in kind else "integer"
        found |= {f"{place}.{kind}": _simple(kind) for place in ("pandas", f"pandas.core.arrays.{module}")}
    for place in ("pandas", "pandas.core.dtypes.dtypes", "pandas.core.arrays.string_", "pandas.arrays"):
        found |= {
            f"{place}.CategoricalDtype": later("pandas.CategoricalDtype", _categories),
            f"{place}.DatetimeTZDtype": later("pandas.DatetimeTZDtype", _zoned),
            f"{place}.PeriodDtype": _simple("PeriodDtype"),
            f"{place}.SparseDtype": later("pandas.SparseDtype", _sparse_dtype),
            f"{place}.StringDtype": later("pandas.StringDtype", _string_dtype),
        }
    for place in ("pandas.arrays", "pandas.core.arrays.string_arrow"):
        for kind in ("ArrowStringArray", "ArrowStringArrayNumpySemantics"):
            found[f"{place}.{kind}"] = later("pandas.arrays.ArrowStringArray", _from_arrow)
    for place in ("pandas.arrays", "pandas.core.arrays.sparse.array"):
        found[f"{place}.SparseArray"] = later("pandas.arrays.SparseArray", _sparse_array)
    found |= {f"pandas._libs.tslibs.offsets.{kind}": _offset(kind) for kind in _OFFSETS}
    return found | {
        "pandas._libs.sparse.IntIndex": later("pandas sparse index", _sparse_index),
        "pandas._libs.tslibs.timestamps._unpickle_timestamp": later("pandas.Timestamp", _timestamp),
        "pandas._libs.tslibs.timedeltas._timedelta_unpickle": later("pandas.Timedelta", _timedelta),
        "pandas._libs.tslibs.nattype._nat_unpickle": later("pandas.NaT", lambda *_: _missing("NaT")()),
        "pandas.NA": Constant(_missing("NA")), "pandas._libs.missing.NA": Constant(_missing("NA")),
        "pandas.Period": later("pandas.Period", _period), "pandas.Interval": later("pandas.Interval", _interval),
        "pandas._libs.tslibs.period.Period": later("pandas.Period", _period),
        "pandas._libs.interval.Interval": later("pandas.Interval", _interval),
    }  # fmt: skip


COLUMNS = _all()
