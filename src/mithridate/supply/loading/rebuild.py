"""Effects that rebuild values, for what is on the list of `constructors.py`; all else is refused by name."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.loading.listed.arrays import from_bytes
from mithridate.supply.loading.settle import Allowance, Constant, Name, Pending, Settler, cost, finished
from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.reader import BrokenError
from mithridate.supply.scan.pickle.recorder import mapped
from mithridate.supply.scan.pickle.verdict import judge

_FIX_IMPORTS = 3
WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
GETATTR = "builtins.getattr"
_METHODS = {("zoneinfo.ZoneInfo", "_unpickle")}
_COPYREG = "copyreg._reconstructor"

Constructors = Mapping[str, Callable[..., Any] | Constant]


def refused(path: str) -> InputError:
    """The one line for whatever isn't on the list."""
    verdict = judge(*path.rpartition(".")[::2])
    more = "" if verdict.kind == "harmful" else ", and `mithridate convert` takes a model's tensors out"
    return InputError(
        f"{path} is not on the list of what safe_load rebuilds; `mithridate scan` says what it does{more}"
    )


class Rebuilder:
    """The unpickler's effects, done by listed functions alone.

    Parameters
    ----------
    constructors : dotted name -> what makes the value. allowance : what calls may copy.
    persistent : what a persistent id stands for; None refuses them.
    """

    def __init__(
        self, constructors: Constructors, allowance: Allowance, persistent: Callable[[Any], Any] | None = None
    ) -> None:
        self._constructors, self.allowance, self._persistent = constructors, allowance, persistent

    def make(self, kind: str, items: Sequence[Any]) -> Any:
        """A list, dict, set or frozenset."""
        if kind == "list":
            return list(items)
        keys = items[::2] if kind == "dict" else items
        self.allowance.check_keys(None, keys)
        if kind == "dict":
            return dict(zip(keys, items[1::2], strict=True))
        return (set if kind == "set" else frozenset)(keys)

    def make_tuple(self, items: Sequence[Any]) -> Any:
        """A tuple."""
        return tuple(items)

    def extend(self, machine: Machine, target: Any, items: Sequence[Any]) -> None:
        """More for a list or a deque."""
        del machine
        if isinstance(target, Pending):
            target.items.extend(items)
        elif isinstance(target, list | deque | bytearray):
            target.extend(items)
        else:
            raise BrokenError(f"a {type(target).__name__} takes no items")

    def set_items(self, machine: Machine, target: Any, items: Sequence[Any]) -> None:
        """Keys and values for a dict, or one of its kinds."""
        del machine
        if isinstance(target, Pending):
            target.items.extend(zip(items[::2], items[1::2], strict=True))
            return
        if not isinstance(target, dict):
            raise BrokenError(f"a {type(target).__name__} takes no keys")
        self.allowance.check_keys(target, items[::2])
        target.update(zip(items[::2], items[1::2], strict=True))

    def add_items(self, machine: Machine, target: Any, items: Sequence[Any]) -> None:
        """More for a set."""
        del machine
        if not isinstance(target, set):
            raise BrokenError(f"a {type(target).__name__} is no set")
        self.allowance.check_keys(target, items)
        target.update(items)

    def find(self, machine: Machine, module: Any, name: Any) -> Any:
        """A name of the list; nothing is imported."""
        if not (isinstance(module, str) and isinstance(name, str)):
            raise BrokenError("a name is no text")
        words = mapped(module, name) if machine.protocol < _FIX_IMPORTS else (module, name)
        path = ".".join(words)
        if isinstance(found := self._constructors.get(path), Constant):
            make = found.make
            return Pending(path, lambda *_: make())
        if found is not None or path in {GETATTR, _COPYREG}:
            return Name(path)
        return self.unlisted(*words)

    def unlisted(self, module: str, name: str) -> Any:
        """What stands for a name that isn't listed: nothing."""
        raise refused(f"{module}.{name}")

    def call(self, machine: Machine, function: Any, arguments: Any) -> Any:
        """One of the constructors."""
        del machine
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise BrokenError("what is called stands on no list")
        if function == GETATTR:
            if len(arguments) == 2 and tuple(map(str, arguments)) in _METHODS and isinstance(arguments[0], Name):  # noqa: PLR2004 - an owner and a name
                return Name(".".join(arguments))
            raise refused(GETATTR)
        if function == _COPYREG:
            if len(arguments) != 3 or not isinstance(arguments[0], Name):  # noqa: PLR2004 - class, base, the base's state
                raise refused(_COPYREG)
            function, arguments = arguments[0], () if arguments[2] is None else (arguments[2],)
        return self._made(function, arguments)

    def _made(self, function: Name, arguments: tuple[Any, ...]) -> Any:
        if function not in self._constructors:
            raise refused(function)
        self.allowance.spend(16 + cost(arguments))
        make = self._constructors[function]
        if isinstance(make, Constant):
            raise BrokenError(f"{function} can't be called")
        return finished(function, lambda given, _: make(*given), arguments, None)

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
            if instance.state is not None:
                raise BrokenError(f"a {instance.path} gets a second state")
            instance.state = state
            return self._joblib_array(machine, instance) if instance.path == WRAPPER else instance
        if type(instance) is OrderedDict and isinstance(state, dict):
            for key, value in state.items():
                if key != "_metadata":
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

    def _joblib_array(self, machine: Machine, wrapper: Pending) -> Any:
        """The array whose bytes joblib wrote behind its wrapper."""
        import numpy as np

        state = wrapper.state if isinstance(wrapper.state, dict) else {}
        dtype, shape = Settler(self.allowance).settle(state.get("dtype")), state.get("shape")
        if not isinstance(dtype, np.dtype) or not isinstance(shape, tuple) or not _is_shape(shape):
            raise BrokenError("an array in the stream has no type or no shape")
        if dtype.hasobject:
            return Machine(machine.reader, self, machine.budget, keep=machine.keep).run(HANDLERS)
        if state.get("numpy_array_alignment_bytes") is not None:
            machine.reader.take(machine.reader.byte())
        count = 1
        for side in shape:
            count *= side
        content = machine.reader.take(count * dtype.itemsize)
        order = "F" if state.get("order") == "F" else "C"
        return finished("numpy.ndarray", lambda given, _: from_bytes(*given), (content, dtype, shape, order), None)


def _is_shape(shape: tuple[Any, ...]) -> bool:
    return all(type(side) is int and side >= 0 for side in shape)
