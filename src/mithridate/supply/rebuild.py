"""Effects that rebuild values, for what is on the list of `constructors.py`; all else is refused by name."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.constructors import CONSTRUCTORS, WRAPPER, Name, Pending, settle
from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.reader import BrokenError
from mithridate.supply.scan.pickle.recorder import mapped

_FIX_IMPORTS = 3
_KEY_PARTS = 64
_PLAIN = (str, bytes, int, float, complex, bool, type(None))


def refused(path: str) -> InputError:
    """The one line for whatever isn't on the list."""
    return InputError(f"{path} is not on the list of what safe_load rebuilds; see `mithridate scan` for what it does")


class Rebuilder:
    """The unpickler's effects, done by the functions of `CONSTRUCTORS` alone.

    Parameters
    ----------
    persistent : what a persistent id stands for; None refuses them.
    """

    def __init__(self, persistent: Callable[[Any], Any] | None = None) -> None:
        self._persistent = persistent

    def make(self, kind: str, items: Sequence[Any]) -> Any:
        """A list, dict, set or frozenset."""
        if kind == "list":
            return list(items)
        if kind == "dict":
            return {_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}
        return (set if kind == "set" else frozenset)(map(_key, items))

    def make_tuple(self, items: Sequence[Any]) -> Any:
        """A tuple."""
        return tuple(items)

    def extend(self, machine: Machine, target: Any, items: Sequence[Any]) -> None:
        """More for a list or a deque."""
        del machine
        if not isinstance(target, list | deque | bytearray):
            raise BrokenError(f"a {type(target).__name__} takes no items")
        target.extend(items)

    def set_items(self, machine: Machine, target: Any, items: Sequence[Any]) -> None:
        """Keys and values for a dict, or one of its kinds."""
        del machine
        if not isinstance(target, dict):
            raise BrokenError(f"a {type(target).__name__} takes no keys")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = value

    def add_items(self, machine: Machine, target: Any, items: Sequence[Any]) -> None:
        """More for a set."""
        del machine
        if not isinstance(target, set):
            raise BrokenError(f"a {type(target).__name__} is no set")
        target.update(map(_key, items))

    def find(self, machine: Machine, module: Any, name: Any) -> Any:
        """A name of the list; nothing is imported."""
        if not (isinstance(module, str) and isinstance(name, str)):
            raise BrokenError("a name is no text")
        words = mapped(module, name) if machine.protocol < _FIX_IMPORTS else (module, name)
        path = ".".join(words)
        if path not in CONSTRUCTORS:
            raise refused(path)
        return Name(path)

    def call(self, machine: Machine, function: Any, arguments: Any) -> Any:
        """One of the constructors."""
        del machine
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise BrokenError("what is called stands on no list")
        return _made(function, arguments)

    def new(self, machine: Machine, cls: Any, arguments: Any, *keywords: Any) -> Any:
        """An instance of one of the constructors' classes."""
        if any(keywords):
            raise BrokenError("an instance is made with keywords")
        return self.call(machine, cls, arguments)

    def instantiate(self, machine: Machine, cls: Any, arguments: Sequence[Any]) -> Any:
        """INST, OBJ."""
        return self.call(machine, cls, tuple(arguments))

    def build(self, machine: Machine, instance: Any, state: Any) -> Any:
        """A state for what takes one."""
        if isinstance(instance, Pending):
            instance.state = state
            return _joblib_array(machine, instance) if instance.path == WRAPPER else instance
        if isinstance(instance, OrderedDict) and isinstance(state, dict):
            for key, value in state.items():
                if not isinstance(key, str) or key.startswith("__"):
                    raise BrokenError(f"an OrderedDict gets the attribute {key!r}")
                setattr(instance, key, value)
            return instance
        raise BrokenError(f"a {type(instance).__name__} takes no state")

    def persistent(self, machine: Machine, identity: Any) -> Any:
        """What the file's own table has under the id."""
        del machine
        if self._persistent is None:
            raise InputError(
                "the file refers to data outside of it, by a persistent id; give the archive it belongs to"
            )
        return self._persistent(identity)

    def extension(self, machine: Machine, code: int) -> Any:
        """Extension codes are the process's own: refused."""
        del machine
        raise refused(f"the extension code {code}")

    def buffer(self, machine: Machine) -> Any:
        """Bytes outside the stream: there are none."""
        del machine
        raise BrokenError("the bytes outside the stream are missing")

    def readonly(self, machine: Machine, value: Any) -> Any:
        """A view of bytes; they stay as they are."""
        del machine
        if not isinstance(value, bytes | bytearray):
            raise BrokenError("no buffer stands on the stack")
        return bytes(value)

    def short_frame(self, machine: Machine, error: BrokenError) -> None:
        """As the C unpickler."""
        del machine
        raise error


def _made(function: Name, arguments: tuple[Any, ...]) -> Any:
    try:
        return CONSTRUCTORS[function](*arguments)
    except (TypeError, ValueError, OverflowError, ArithmeticError, AttributeError, KeyError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise BrokenError(f"{function} does not take what it is given: {error}") from error


def _key(key: Any) -> Any:
    """A key whose hash is cheap: plain, or a short flat tuple."""
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) > _KEY_PARTS or not all(
        isinstance(part, _PLAIN) or type(part).__module__ in _KEYED for part in parts
    ):
        raise BrokenError(f"a {type(key).__name__} is no plain key")
    return key


_KEYED = {"datetime", "decimal", "fractions", "uuid", "pathlib"}


def _joblib_array(machine: Machine, wrapper: Pending) -> Any:
    """The array whose bytes joblib wrote behind its wrapper."""
    import numpy as np

    state = wrapper.state if isinstance(wrapper.state, dict) else {}
    dtype, shape = settle(state.get("dtype")), state.get("shape")
    if not isinstance(dtype, np.dtype) or not isinstance(shape, tuple):
        raise BrokenError("an array in the stream has no type or no shape")
    if dtype.hasobject:
        return Machine(machine.reader, Rebuilder(), machine.budget, keep=machine.keep).run(HANDLERS)
    if state.get("numpy_array_alignment_bytes") is not None:
        machine.reader.take(machine.reader.byte())
    count = 1
    for side in shape:
        count *= int(side)
    if count < 0:
        raise BrokenError(f"an array in the stream has the shape {shape}")
    array = np.frombuffer(machine.reader.take(count * dtype.itemsize), dtype, count).copy()
    return array.reshape(shape[::-1]).T if state.get("order") == "F" else array.reshape(shape)
