"""What each opcode of protocols 0 to 5 does to the machine: stack, memo, containers, effects."""

from __future__ import annotations

from mithridate.supply.scan.pickle.constants import CONSTANTS, SSIZE, Handler, length_of, text_line, until_nul
from mithridate.supply.scan.pickle.machine import Machine, StopError
from mithridate.supply.scan.pickle.reader import BrokenError

_HIGHEST = 5


def _index(text: bytes) -> int:
    try:
        return int(until_nul(text).decode("ascii"))
    except ValueError as error:
        raise BrokenError(f"{text[:40]!r} is no place in the memo") from error


def _proto(machine: Machine) -> None:
    protocol = machine.reader.byte()
    if protocol > _HIGHEST:
        raise BrokenError(f"there is no protocol {protocol}")
    machine.protocol = protocol


def _frame(machine: Machine) -> None:
    length = length_of(machine, 8)
    try:
        machine.reader.frame(length)
    except BrokenError as error:
        machine.effects.short_frame(machine, error)


def _stop(_machine: Machine) -> None:
    raise StopError


def _mark(machine: Machine) -> None:
    machine.fence = len(machine.stack)
    machine.marks.append(machine.fence)


def _pop(machine: Machine) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.pop_mark()
    else:
        machine.pop()


def _pop_to_mark(machine: Machine) -> None:
    del machine.stack[machine.pop_mark() :]


def _dup(machine: Machine) -> None:
    machine.stack.append(machine.top())


def _put(machine: Machine) -> None:
    text = text_line(machine)
    value = machine.top()
    place = _index(text)
    if not 0 <= place <= SSIZE:
        raise BrokenError(f"{place} is no place in the memo")
    machine.memo[place] = value


def _binput(machine: Machine) -> None:
    place = machine.reader.byte()
    machine.memo[place] = machine.top()


def _long_binput(machine: Machine) -> None:
    place = int.from_bytes(machine.reader.take(4), "little")
    machine.memo[place] = machine.top()


def _memoize(machine: Machine) -> None:
    machine.memo[len(machine.memo)] = machine.top()


def _recall(machine: Machine, place: int) -> None:
    if place not in machine.memo:
        raise BrokenError(f"nothing stands in the memo at {place}")
    machine.stack.append(machine.memo[place])


def _get(machine: Machine) -> None:
    _recall(machine, _index(text_line(machine)))


def _binget(machine: Machine) -> None:
    place = machine.reader.byte()
    if place not in machine.memo:
        raise BrokenError(f"nothing stands in the memo at {place}")
    machine.stack.append(machine.memo[place])


def _long_binget(machine: Machine) -> None:
    _recall(machine, int.from_bytes(machine.reader.take(4), "little"))


def _empty(kind: str) -> Handler:
    def push(machine: Machine) -> None:
        machine.stack.append(machine.effects.make(kind, ()))

    return push


def _empty_tuple(machine: Machine) -> None:
    machine.stack.append(machine.effects.make_tuple(()))


def _tuple(machine: Machine) -> None:
    items = machine.cut(machine.pop_mark())
    machine.stack.append(machine.effects.make_tuple(items))


def _tuple_of(length: int) -> Handler:
    def push(machine: Machine) -> None:
        if len(machine.stack) - machine.fence < length:
            for _ in range(length):
                machine.pop()
        machine.stack.append(machine.effects.make_tuple(machine.cut(len(machine.stack) - length)))

    return push


def _from_mark(kind: str) -> Handler:
    def push(machine: Machine) -> None:
        items = machine.cut(machine.pop_mark())
        if kind == "dict" and len(items) % 2:
            raise BrokenError("a dict has a key without a value")
        machine.stack.append(machine.effects.make(kind, items))

    return push


def _append(machine: Machine) -> None:
    _extend(machine, len(machine.stack) - 1)


def _appends(machine: Machine) -> None:
    _extend(machine, machine.pop_mark())


def _extend(machine: Machine, place: int) -> None:
    target = machine.below(place)
    if place < len(machine.stack):
        machine.effects.extend(machine, target, machine.cut(place))


def _set_item(machine: Machine) -> None:
    _set(machine, len(machine.stack) - 2)


def _set_items(machine: Machine) -> None:
    _set(machine, machine.pop_mark())


def _set(machine: Machine, place: int) -> None:
    target = machine.below(place)
    if place < len(machine.stack):
        items = machine.cut(place)
        if len(items) % 2:
            raise BrokenError("a key has no value")
        machine.effects.set_items(machine, target, items)


def _add_items(machine: Machine) -> None:
    place = machine.pop_mark()
    target = machine.below(place)
    if place < len(machine.stack):
        machine.effects.add_items(machine, target, machine.cut(place))


def _name(machine: Machine, encoding: str = "utf-8") -> str:
    text = text_line(machine)
    if not text:
        raise BrokenError("a line is empty")
    try:
        return text.decode(encoding)
    except UnicodeDecodeError as error:
        raise BrokenError("a name is no text") from error


def _global(machine: Machine) -> None:
    module = _name(machine)
    machine.stack.append(machine.effects.find(machine, module, _name(machine)))


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.stack.append(machine.effects.find(machine, module, name))


def _reduce(machine: Machine) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.stack.append(machine.effects.call(machine, function, arguments))


def _newobj(machine: Machine) -> None:
    arguments, cls = machine.pop(), machine.pop()
    machine.stack.append(machine.effects.new(machine, cls, arguments))


def _newobj_ex(machine: Machine) -> None:
    keywords, arguments, cls = machine.pop(), machine.pop(), machine.pop()
    machine.stack.append(machine.effects.new(machine, cls, arguments, keywords))


def _inst(machine: Machine) -> None:
    place = machine.pop_mark()
    module = _name(machine, "ascii")
    cls = machine.effects.find(machine, module, _name(machine, "ascii"))
    machine.stack.append(machine.effects.instantiate(machine, cls, machine.cut(place)))


def _obj(machine: Machine) -> None:
    place = machine.pop_mark()
    if len(machine.stack) - place < 1:
        raise BrokenError("OBJ has no class")
    cls, *arguments = machine.cut(place)
    machine.stack.append(machine.effects.instantiate(machine, cls, arguments))


def _build(machine: Machine) -> None:
    if len(machine.stack) - 2 < machine.fence:
        raise BrokenError("BUILD has no state or no instance")
    state = machine.pop()
    machine.stack[-1] = machine.effects.build(machine, machine.stack[-1], state)


def _persid(machine: Machine) -> None:
    text = text_line(machine)
    if not text.isascii():
        raise BrokenError("a persistent id is no ASCII")
    machine.stack.append(machine.effects.persistent(machine, text.decode()))


def _binpersid(machine: Machine) -> None:
    machine.stack.append(machine.effects.persistent(machine, machine.pop()))


def _extension(width: int) -> Handler:
    def push(machine: Machine) -> None:
        code = int.from_bytes(machine.reader.take(width), "little", signed=width == 4)  # noqa: PLR2004 - EXT4 alone
        if code <= 0:
            raise BrokenError(f"{code} is no extension code")
        machine.stack.append(machine.effects.extension(machine, code))

    return push


def _next_buffer(machine: Machine) -> None:
    machine.stack.append(machine.effects.buffer(machine))


def _readonly_buffer(machine: Machine) -> None:
    machine.stack[-1] = machine.effects.readonly(machine, machine.top())


HANDLERS: dict[int, Handler] = {
    ord(code): handler
    for code, handler in {
        **CONSTANTS,
        "\x80": _proto, "\x95": _frame, ".": _stop, "(": _mark, "0": _pop, "1": _pop_to_mark, "2": _dup,
        "p": _put, "q": _binput, "r": _long_binput, "\x94": _memoize, "g": _get, "h": _binget, "j": _long_binget,
        "]": _empty("list"), "}": _empty("dict"), "\x8f": _empty("set"), ")": _empty_tuple, "t": _tuple,
        "\x85": _tuple_of(1), "\x86": _tuple_of(2), "\x87": _tuple_of(3), "l": _from_mark("list"),
        "d": _from_mark("dict"), "\x91": _from_mark("frozenset"), "a": _append, "e": _appends, "s": _set_item,
        "u": _set_items, "\x90": _add_items, "c": _global, "\x93": _stack_global, "R": _reduce, "\x81": _newobj,
        "\x92": _newobj_ex, "i": _inst, "o": _obj, "b": _build, "P": _persid, "Q": _binpersid,
        "\x82": _extension(1), "\x83": _extension(2), "\x84": _extension(4), "\x97": _next_buffer,
        "\x98": _readonly_buffer,
    }.items()
}  # fmt: skip
