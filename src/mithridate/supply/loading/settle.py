"""Values that stand in a file before their states do: noted while the stream is read, made when all is there."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable
from typing import Any

from mithridate.core.errors import InputError
from mithridate.supply.loading.tensors import StoredTensor

_ATOMS = {int, float, str, bytes, bool, complex, type(None), bytearray}
_DEPTH = 10_000
_FREE, _SHARE = 64 << 20, 16  # bytes that calls may copy: so many, and so many for each byte of the file
_LOOKED_INTO = 64
_ALIKE = 1024  # keys of one hash in one container
_KEY_PARTS = 64
_KEYED = {"datetime", "decimal", "fractions", "uuid", "pathlib", "numpy", "pandas", "http", "re", "zoneinfo"}
_HASHED_BITS = 64

Finish = Callable[[tuple[Any, ...], Any], Any]
"""Arguments and state, both made; gives the value or raises what it likes."""


class Name(str):
    """A class or function of the list; where it stands as a value, it stays its dotted name."""

    __slots__ = ()


class Pending:
    """An instance whose state comes after it was referred to. path : its dotted name. finish : makes it."""

    __slots__ = ("arguments", "finish", "items", "path", "state")

    def __init__(self, path: str, finish: Finish, arguments: tuple[Any, ...] = ()) -> None:
        self.path, self.finish, self.arguments = path, finish, arguments
        self.state: Any = None
        self.items: list[Any] = []


class Unlisted:
    """A note of an instance that is never made. path : its dotted name. parts : arguments, states and items."""

    __slots__ = ("parts", "path")

    def __init__(self, path: str, *parts: Any) -> None:
        self.path = path
        self.parts: list[Any] = list(parts)


class Constant:
    """A listed name that stands for a value of its own. make : gives it."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class Allowance:
    """How many bytes calls may copy, so that one long value, named often, fills no memory."""

    def __init__(self, size: int) -> None:
        self.left = _FREE + _SHARE * size
        self._alike: dict[tuple[int, int], int] = {}

    def spend(self, n_bytes: int) -> None:
        """Take these off.

        Raises
        ------
        InputError : too few are left.
        """
        self.left -= n_bytes
        if self.left < 0:
            raise InputError("its values are copies of one another, far larger than the file; it is not loaded")

    def check_keys(self, target: object, keys: Iterable[Any]) -> None:
        """Refuse keys whose hashes are dear or were chosen to collide; `target` is None where it is yet to be made.

        Raises
        ------
        InputError : a key is none that files have, or too many of one container have one hash.
        """
        alike = {} if target is None else self._alike
        for key in keys:
            kind = type(key)
            if kind is str or kind is bytes or key is None or isinstance(key, Pending):
                continue
            if kind in {int, bool} and key.bit_length() <= _HASHED_BITS:
                continue
            _plain_key(key)
            place = (id(target), hash(key))
            alike[place] = alike.get(place, 0) + 1
            if alike[place] > _ALIKE:
                raise InputError("more than a thousand keys have one hash, as only chosen ones do; it is not loaded")


def _plain_key(key: Any) -> None:
    parts = key if isinstance(key, tuple | frozenset) else (key,)
    if len(parts) > _KEY_PARTS or not all(_is_plain(part) for part in parts):
        raise InputError(f"a {type(key).__name__} is no plain key; it is not loaded")


def _is_plain(part: Any) -> bool:
    module = type(part).__module__.partition(".")[0]
    if module == "numpy":
        return type(part).__name__ != "void" and getattr(part, "shape", None) == () and not hasattr(part, "fill_value")
    return type(part) in _ATOMS - {bytearray} or module in _KEYED or isinstance(part, Pending | Name)


def cost(value: Any, *, deep: bool = True) -> int:
    """The bytes of a value that a call may copy, and of what it directly holds."""
    kind = type(value)
    if kind is int:
        return int(value.bit_length()) // 8
    if kind in {str, bytes, bytearray}:
        return len(value)
    if kind in {list, tuple, dict, set, frozenset, deque, OrderedDict}:
        inside: Iterable[Any] = value.values() if isinstance(value, dict) else value
        more = sum(cost(item, deep=False) for item in inside) if deep and len(value) <= _LOOKED_INTO else 0
        return 8 * len(value) + more
    size = getattr(value, "nbytes", 0)
    return size if type(size) is int else 0


class Settler:
    """Makes every `Pending` that a value holds; lists, dicts and sets are changed in place, tuples made anew.

    Parameters
    ----------
    allowance : what may be copied meanwhile.
    leaf : makes a tensor of what the file stores of it; None leaves it.
    """

    def __init__(self, allowance: Allowance, leaf: Callable[[StoredTensor], Any] | None = None) -> None:
        self._allowance, self._leaf = allowance, leaf
        self._done: dict[int, tuple[Any, Any]] = {}
        self._busy: set[int] = set()
        self._open: dict[int, int] = {}  # containers being gone through -> instances being made when they were entered
        self._making = 0

    def settle(self, root: Any) -> Any:
        """The value, made.

        Raises
        ------
        InputError : a state does not fit, refers to its own instance, or all is nested too deep.
        """
        steps = [self._steps(root)]
        result: Any = None
        while steps:
            try:
                child = steps[-1].send(result)
            except StopIteration as stop:
                steps.pop()
                result = stop.value
                continue
            if len(steps) > _DEPTH:
                raise InputError(f"the values are nested deeper than {_DEPTH}; it is not loaded")
            steps.append(self._steps(child))
            result = None
        return result

    def _steps(self, value: Any) -> Generator[Any, Any, Any]:
        if type(value) in _ATOMS:
            return value
        if id(value) in self._done:
            if self._open.get(id(value), self._making) < self._making:
                raise InputError(f"an instance holds the {type(value).__name__} that it is in; it is not rebuilt")
            return self._done[id(value)][1]
        result = value
        if isinstance(value, Pending):
            result = yield from self._finished(value)
        elif isinstance(value, StoredTensor):
            result = value if self._leaf is None else self._leaf(value)
        elif isinstance(value, tuple | frozenset):
            result = yield from self._anew(value)
        elif isinstance(value, Unlisted):
            self._done[id(value)] = value, value
            yield value.parts
        elif isinstance(value, dict | list | deque | set):
            self._done[id(value)] = value, value
            self._open[id(value)] = self._making
            yield from self._in_place(value)
            del self._open[id(value)]
        self._done[id(value)] = value, result
        return result

    def _finished(self, value: Pending) -> Generator[Any, Any, Any]:
        self._enter(value, value.path)
        self._making += 1
        arguments = yield value.arguments
        state = yield value.state
        if value.items:
            state = [state, (yield value.items)]
        self._making -= 1
        self._busy.discard(id(value))
        self._allowance.spend(64 + cost(arguments) + cost(state))
        if value.path in {"set", "frozenset"} and arguments:
            self._allowance.check_keys(value, arguments[0])
        return finished(value.path, value.finish, arguments, state)

    def _enter(self, value: Any, name: str) -> None:
        if id(value) in self._busy:
            raise InputError(f"a {name} holds itself; such values are not rebuilt")
        self._busy.add(id(value))

    def _anew(self, value: tuple[Any, ...] | frozenset[Any]) -> Generator[Any, Any, Any]:
        if all(type(item) in _ATOMS for item in value):
            return value
        if id(value) in self._busy:
            return value
        self._busy.add(id(value))
        items = []
        for item in value:
            made = item if type(item) in _ATOMS else (yield item)
            items.append(made)
        self._busy.discard(id(value))
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        if isinstance(value, frozenset):
            self._allowance.check_keys(None, items)
            return frozenset(items)
        return tuple(items)

    def _in_place(self, value: Any) -> Generator[Any, Any, None]:
        if isinstance(value, dict):
            yield from self._keys(value)
            for key, item in value.items():
                if type(item) not in _ATOMS:
                    value[key] = yield item
            if type(value) is OrderedDict and value.__dict__:
                yield value.__dict__
        elif isinstance(value, set):
            items = list(value)
            made = yield items[:]
            if any(new is not old for new, old in zip(made, items, strict=True)):
                self._allowance.check_keys(value, made)
                value.clear()
                value.update(made)
        else:
            for place, item in enumerate(value):
                if type(item) not in _ATOMS:
                    value[place] = yield item

    def _keys(self, value: dict[Any, Any]) -> Generator[Any, Any, None]:
        if all(type(key) in _ATOMS for key in value):
            return
        keys = list(value)
        made = yield keys[:]
        if all(new is old for new, old in zip(made, keys, strict=True)):
            return
        self._allowance.check_keys(value, made)
        held = list(value.values())
        value.clear()
        value.update(zip(made, held, strict=True))


def finished(path: str, finish: Finish, arguments: tuple[Any, ...], state: Any) -> Any:
    """What `finish` makes, every error of it in one line.

    Raises
    ------
    InputError : it fails.
    """
    try:
        return finish(arguments, state)
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"a {path} needs {error.name or 'a library'}, which is not installed; install it") from error
    except MemoryError as error:
        raise InputError(f"a {path} needs more memory than there is; split the file") from error
    except Exception as error:  # a forged state makes libraries raise whatever they like
        text = " ".join(str(error).split())[:200]
        raise InputError(f"the state of a {path} does not fit: {text}; get the file anew from its source") from error
