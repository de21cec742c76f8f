"""numpy's random generators. Their states are read by C code that trusts them, so every position is checked first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mithridate.supply.loading.listed.arrays import VALUE
from mithridate.supply.loading.listed.plain import later
from mithridate.supply.loading.settle import Pending

_MODULES = {"MT19937": "_mt19937", "PCG64": "_pcg64", "PCG64DXSM": "_pcg64", "Philox": "_philox", "SFC64": "_sfc64"}
_WORDS = {  # field -> words and bits of each; C reads as many whatever is there
    "MT19937": {"key": (624, 32)},
    "Philox": {"counter": (4, 64), "key": (2, 64)},
    "SFC64": {"state": (4, 64)},
}
_MT_WORDS, _PHILOX_WORDS = 624, 4
_BITS, _WIDE = 64, 128
_POOLS = 64


def _whole(value: Any, below: int) -> int:
    number = int(value)
    if number != value or not 0 <= number < below:
        raise ValueError(f"a number of its state is not a whole number in [0, {below})")
    return number


def _words(kind: str, inner: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    found = {}
    for name, (count, bits) in _WORDS.get(kind, {}).items():
        words = np.asarray(inner[name])
        if words.shape != (count,) or words.dtype.kind != "u" or words.dtype.itemsize * 8 != bits:
            raise ValueError(f"{name} is not {count} words of {bits} bits")
        found[name] = words.copy()
    return found


def checked_state(kind: str, state: Any) -> dict[str, Any]:
    """A bit generator's state, each number within what its C code may meet.

    Raises
    ------
    ValueError, KeyError, TypeError : it isn't.
    """
    inner = state["state"]
    found: dict[str, Any] = {"bit_generator": kind, "state": _words(kind, inner)}
    if kind == "MT19937":
        found["state"]["pos"] = _whole(inner["pos"], _MT_WORDS + 1)
        return found
    if kind.startswith("PCG64"):
        found["state"] = {name: _whole(inner[name], 1 << _WIDE) for name in ("state", "inc")}
    if kind == "Philox":
        buffer_ = _words("Philox", {"counter": state["buffer"], "key": inner["key"]})["counter"]
        found |= {"buffer": buffer_, "buffer_pos": _whole(state["buffer_pos"], _PHILOX_WORDS + 1)}
    return found | {"has_uint32": _whole(state["has_uint32"], 2), "uinteger": _whole(state["uinteger"], 1 << 32)}


def _seed_sequence(arguments: tuple[Any, ...], state: Any) -> Any:
    import numpy as np

    if not isinstance(state, tuple):
        state = arguments[2]
    entropy, spawned, _, pool_size, spawn_key = state[:5]
    entropies = entropy if isinstance(entropy, list | tuple) else [entropy]
    if len(entropies) > _POOLS or any(one is not None and int(one).bit_length() > 1 << 12 for one in entropies):
        raise ValueError("the entropy is no short row of numbers")
    if entropy is None:
        return None
    key = tuple(_whole(one, 1 << 32) for one in spawn_key)
    return np.random.SeedSequence(
        entropy, spawn_key=key, pool_size=_whole(pool_size, _POOLS), n_children_spawned=_whole(spawned, 1 << 32)
    )


def _bit_generator(arguments: tuple[Any, ...], state: Any) -> Any:
    import numpy as np

    kind = str(arguments[0] if arguments else "MT19937").rpartition(".")[2]
    if kind not in _MODULES:
        raise ValueError(f"{kind!r:.40} is no generator of numpy's")
    seeds = state[1] if isinstance(state, tuple) else None
    state = state[0] if isinstance(state, tuple) else state
    if seeds is not None and not isinstance(seeds, np.random.SeedSequence):
        raise TypeError("its seeds are no sequence of seeds")
    made = getattr(np.random, kind)(0 if seeds is None else seeds)
    if state is not None:
        made.state = checked_state(kind, state)
    return made


def _outer(kind: str) -> Callable[..., Pending]:
    def finish(arguments: tuple[Any, ...], state: Any) -> Any:
        import numpy as np

        given = arguments[0]
        if isinstance(given, str):
            given = _bit_generator((given,), None)
        if not isinstance(given, np.random.BitGenerator):
            raise TypeError("it is made from no bit generator")
        made = np.random.Generator(given) if kind == "Generator" else np.random.RandomState(given)
        if isinstance(state, dict):
            given.state = checked_state(type(given).__name__, state)
            if isinstance(made, np.random.RandomState):
                _set_gauss(made, state)
        return made

    return later(f"numpy.random.{kind}", finish)


def _set_gauss(made: Any, state: dict[str, Any]) -> None:
    whole = made.get_state(legacy=False)
    made.set_state(
        {**whole, "has_gauss": _whole(state.get("has_gauss", 0), 2), "gauss": float(state.get("gauss", 0.0))}
    )


GENERATORS: dict[str, Callable[..., Any]] = {
    "numpy.random._pickle.__generator_ctor": _outer("Generator"),
    "numpy.random._pickle.__randomstate_ctor": _outer("RandomState"),
    "numpy.random._pickle.__bit_generator_ctor": later("numpy.random.BitGenerator", _bit_generator),
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": later("numpy.random.SeedSequence", _seed_sequence),
    "numpy.random.bit_generator.SeedSequence": VALUE,
    **{f"numpy.random.{module}.{kind}": VALUE for kind, module in _MODULES.items()},
}
