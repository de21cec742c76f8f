"""Effects that are written down and never happen: what a stream would import and call, in order."""

from __future__ import annotations

import _compat_pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mithridate.supply.scan.pickle.arrays import is_wrapper, skip_array
from mithridate.supply.scan.pickle.machine import Machine
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.reader import BrokenError
from mithridate.supply.scan.pickle.values import (
    HEAVY,
    Call,
    Chunk,
    Container,
    Global,
    Tuple,
    Value,
    View,
    abstract,
    items_of,
    unhashable,
)

_NAME_LIMIT = 1 << 16
_FIX_IMPORTS = 3  # protocols below it name modules as Python 2 did


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """One thing that loading does.

    kind : `import`, `call`, `new`, `build`, `extend`, `set`, `add`, `persistent`, `extension` or `buffer`.
    subject : what is called or changed. payload : arguments, state, items. result : what stands on the stack then.
    or_call : of a `new` by INST or OBJ: they make instances of classes and call all else.
    """

    kind: str
    offset: int
    subject: Value
    payload: Value
    result: Value = None
    or_call: bool = False


def mapped(module: str, name: str) -> tuple[str, str]:
    """Python 2's names as Python 3 has them."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        found: tuple[str, str] = _compat_pickle.NAME_MAPPING[module, name]
        return found
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


class Recorder:
    """The effects of a stream, one by one to `tell`.

    Parameters
    ----------
    exact : an unknown value has no type but that of a class, as under a recorder that stands in for every import; else
        it may be whatever the stream needs it to be, and the scan goes on.
    extensions : the registry of `copyreg`, code to (module, name).
    arrays : the loader is joblib's, and reads the bytes of arrays that stand behind a BUILD.
    """

    def __init__(
        self,
        tell: Callable[[Effect], None],
        *,
        exact: bool = False,
        extensions: Mapping[int, tuple[str, str]] | None = None,
        arrays: bool = True,
    ) -> None:
        self._tell, self._exact, self.arrays = tell, exact, arrays
        self._extensions = extensions or {}
        self._cache: dict[int, Value] = {}
        self.first_array: int | None = None
        self.failed_at: tuple[int, str] | None = None
        self.laughs = False  # a value that is small in the stream and endless for whoever walks through it

    def make(self, kind: str, items: Sequence[Value]) -> Value:
        """A list, dict, set or frozenset."""
        keys = items[::2] if kind == "dict" else items
        if kind != "list":
            _need_hashable(keys)
        made = Container(kind, items)
        self.laughs |= made.weight > HEAVY
        return made

    def make_tuple(self, items: Sequence[Value]) -> Value:
        """A tuple."""
        made = Tuple(items)
        if made.weight > HEAVY:
            self.laughs = True
        return made

    def _fill(self, target: Container, items: Sequence[Value]) -> None:
        target.extend(items)
        self.laughs |= target.weight > HEAVY

    def extend(self, machine: Machine, target: Value, items: Sequence[Value]) -> None:
        """More for a list, or for whatever has `extend`."""
        if isinstance(target, Container) and target.kind == "list":
            self._fill(target, items)
        elif _is_bytearray(target):
            for item in items:
                self._need_byte(item)
            if isinstance(target, bytearray):
                target.extend(item for item in items if isinstance(item, int))
        elif abstract(target):
            self._tell(Effect("extend", machine.opcode_at, target, Tuple(items)))
        else:
            raise BrokenError(f"{_what(target)} takes no items")

    def set_items(self, machine: Machine, target: Value, items: Sequence[Value]) -> None:
        """Keys and values for a dict, or for whatever has `__setitem__`."""
        if isinstance(target, Container) and target.kind == "dict":
            _need_hashable(items[::2])
            self._fill(target, items)
        elif isinstance(target, Container) and target.kind == "list":
            for key, value in zip(items[::2], items[1::2], strict=True):
                place = self._place(key, target.length)
                if place < len(target.items):
                    target.items[place] = value
        elif _is_bytearray(target):
            for key, value in zip(items[::2], items[1::2], strict=True):
                self._place(key, target.size if isinstance(target, Chunk) else len(target))
                self._need_byte(value)
        elif abstract(target):
            for key, value in zip(items[::2], items[1::2], strict=True):
                self._tell(Effect("set", machine.opcode_at, target, Tuple((key, value))))
        else:
            raise BrokenError(f"{_what(target)} takes no keys")

    def add_items(self, machine: Machine, target: Value, items: Sequence[Value]) -> None:
        """More for a set, or for whatever has `add`."""
        if isinstance(target, Container) and target.kind == "set":
            _need_hashable(items)
            self._fill(target, items)
        elif abstract(target):
            for item in items:
                self._tell(Effect("add", machine.opcode_at, target, Tuple((item,))))
        else:
            raise BrokenError(f"{_what(target)} is no set")

    def find(self, machine: Machine, module: Value, name: Value) -> Value:
        """An import."""
        words = tuple(self._text(machine, part) for part in (module, name))
        if machine.protocol < _FIX_IMPORTS:
            words = mapped(*words)
        found = Global(words[0], words[1], (str(module), str(name)))
        self._tell(Effect("import", machine.opcode_at, found, None, found))
        return found

    def call(self, machine: Machine, function: Value, arguments: Value) -> Value:
        """A call by REDUCE."""
        if not abstract(function):
            raise BrokenError(f"{_what(function)} can't be called")
        self._need(arguments, "tuple")
        return self._effect(machine, "call", function, arguments)

    def new(self, machine: Machine, cls: Value, arguments: Value, *keywords: Value) -> Value:
        """An instance by `__new__` alone."""
        if not abstract(cls):
            raise BrokenError(f"{_what(cls)} is no class")
        self._need(arguments, "tuple")
        for words in keywords:
            self._need(words, "dict")
            if isinstance(words, Container) and not all(map(self._is_text, words.items[::2])):
                raise BrokenError("a keyword is no text")
        return self._effect(machine, "new", cls, arguments, *keywords)

    def instantiate(self, machine: Machine, cls: Value, arguments: Sequence[Value]) -> Value:
        """An instance by INST or OBJ: `__new__` alone where there are no arguments."""
        if not abstract(cls):
            raise BrokenError(f"{_what(cls)} can't be called")
        kind, given = "call" if arguments else "new", Tuple(arguments)
        made = Call(kind, cls, given, None, machine.opcode_at)
        self._tell(Effect(kind, machine.opcode_at, cls, given, made, or_call=True))
        return made

    def build(self, machine: Machine, instance: Value, state: Value) -> Value:
        """A state for an instance."""
        if not abstract(instance):
            self._no_state(instance, state)
            return instance
        if isinstance(instance, Call):
            instance.state = state
        self._tell(Effect("build", machine.opcode_at, instance, state))
        if self.arrays and is_wrapper(instance):
            self.first_array = machine.opcode_at if self.first_array is None else self.first_array
            if not skip_array(machine.reader, state):
                self._nested(machine)
        return instance

    def _nested(self, machine: Machine) -> None:
        """An array of objects: joblib reads one more pickle from the stream, by the plain `pickle.load`."""
        self.arrays = False
        try:
            Machine(machine.reader, self, machine.budget, keep=machine.keep).run(HANDLERS)
        finally:
            self.arrays = True

    def persistent(self, machine: Machine, identity: Value) -> Value:
        """What the loader's `persistent_load` gives; of `("module", class, ...)`, torch's old one gives the class."""
        items = items_of(identity)
        if not self._exact and len(items) > 1 and items[0] == "module" and isinstance(items[1], Global):
            return items[1]
        return self._effect(machine, "persistent", None, identity)

    def extension(self, machine: Machine, code: int) -> Value:
        """What the registry has under the code."""
        if code in self._extensions:
            if code not in self._cache:
                self._cache[code] = self.find(machine, *self._extensions[code])
            return self._cache[code]
        if self._exact:
            raise BrokenError(f"nothing is registered under the code {code}")
        return self._effect(machine, "extension", None, code)

    def buffer(self, machine: Machine) -> Value:
        """Bytes that the caller passes."""
        if self._exact:
            raise BrokenError("the bytes outside the stream are missing")
        return self._effect(machine, "buffer", None, None)

    def readonly(self, machine: Machine, value: Value) -> Value:
        """A view of what stands on the stack."""
        del machine
        is_bytes = isinstance(value, bytes) or (isinstance(value, Chunk) and value.kind == "bytes")
        if not (is_bytes or isinstance(value, View) or _is_bytearray(value) or (abstract(value) and not self._exact)):
            raise BrokenError(f"{_what(value)} is no buffer")
        return View(value) if _is_bytearray(value) else value

    def short_frame(self, machine: Machine, error: BrokenError) -> None:
        """The C unpickler fails; Python's own, which joblib and dill use, reads on, and so does the scan."""
        if self._exact:
            raise error
        self.failed_at = self.failed_at or (machine.opcode_at, str(error))

    def _effect(self, machine: Machine, kind: str, subject: Value, payload: Value, *keywords: Value) -> Call:
        made = Call(kind, subject, payload, keywords[0] if keywords else None, machine.opcode_at)
        self._tell(Effect(kind, machine.opcode_at, subject, payload, made))
        return made

    def _text(self, machine: Machine, value: Value) -> str:
        if type(value) is str:
            return value
        if isinstance(value, Chunk) and value.kind == "str":
            length = min(value.size, _NAME_LIMIT)
            return machine.reader.blob.read(value.offset, length).decode("utf-8", "replace")
        if abstract(value) and not self._exact and not _is_instance(value):
            return "?"
        raise BrokenError(f"{_what(value)} is no name")

    def _need(self, value: Value, kind: str) -> None:
        fits = isinstance(value, Tuple) if kind == "tuple" else isinstance(value, Container) and value.kind == kind
        if not (fits or (abstract(value) and not self._exact)):
            raise BrokenError(f"{_what(value)} is no {kind}")

    def _is_text(self, value: Value) -> bool:
        is_chunk = isinstance(value, Chunk) and value.kind == "str"
        return isinstance(value, str) or is_chunk or (abstract(value) and not self._exact)

    def _need_byte(self, value: Value) -> None:
        if not ((isinstance(value, int) and 0 <= value < 256) or (abstract(value) and not self._exact)):  # noqa: PLR2004 - a byte
            raise BrokenError(f"{_what(value)} is no byte")

    def _place(self, key: Value, length: int) -> int:
        if isinstance(key, int) and -length <= key < length:
            return key % length
        if abstract(key) and not self._exact:
            return length
        raise BrokenError(f"{_what(key)} is no place in a list of {length:,}")

    def _no_state(self, instance: Value, state: Value) -> None:
        """What BUILD does to a value that has neither `__setstate__` nor attributes."""
        slots: Value = None
        if isinstance(state, Tuple) and len(state.items) == 2:  # noqa: PLR2004 - state and slots
            state, slots = state.items
            if not (isinstance(slots, Container) and slots.kind == "dict" and slots.length == 0):
                raise BrokenError(f"{_what(instance)} has no slots")
        if state is not None and (self._exact or not abstract(state)):
            raise BrokenError(f"{_what(instance)} takes no state")


def _is_bytearray(value: Value) -> bool:
    return isinstance(value, bytearray) or (isinstance(value, Chunk) and value.kind == "bytearray")


def _need_hashable(keys: Sequence[Value]) -> None:
    wrong = unhashable(keys)
    if wrong is not None:
        raise BrokenError(f"{_what(wrong)} can't be a key")


def _what(value: Value) -> str:
    """The value's type as a reader knows it."""
    if isinstance(value, Container | Chunk):
        return f"a {value.kind}"
    if isinstance(value, Global):
        return value.path
    if isinstance(value, Call):
        return "a call's result"
    return "None" if value is None else f"a {type(value).__name__.lower()}"


def _is_instance(value: Value) -> bool:
    """Whether this was made by a class of some package, and so is no exact str."""
    made = value.function if isinstance(value, Call) and value.kind == "new" else None
    return isinstance(made, Global) and not made.path.startswith("builtins.")
