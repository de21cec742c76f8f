"""Inert names used against their grain: pointers forged as arrays of objects, and loaders handed on as values."""

from __future__ import annotations

from collections.abc import Iterator

from mithridate.supply.scan.pickle.values import Call, Chunk, Container, Global, Tuple, Value, items_of

LOADER = "torch.storage._load_from_bytes"
"""It is inert where it is called with bytes that are known, which are scanned in their turn; nowhere else."""

_RECORDS = ("numpy", "numpy.rec", "numpy.core.records", "numpy._core.records")
_CHARS = ("numpy.char", "numpy.core.defchararray", "numpy._core.defchararray")
_ARRAYS = {"numpy.ndarray", *(f"{place}.recarray" for place in _RECORDS), *(f"{place}.chararray" for place in _CHARS)}
_PARTIALS = {"functools.partial", "_functools.partial"}
CARRIERS = {LOADER, *_PARTIALS}
"""Without one of these among its imports, a stream hands nothing on."""

_TYPES = {"numpy.dtype", "numpy.core.multiarray.dtype", "numpy._core.multiarray.dtype"}
_RECONSTRUCTS = ("._reconstruct", "._create_array")  # numpy's, and what dill wraps around it
_N_PLAIN = 2  # a shape and a type; what comes third is the memory
_DATA_AT = 4  # version, shape, dtype, order, data
_DEPTH = 6
_WIDTH = 256


def takes_memory(function: Value, arguments: Value, keywords: Value = None) -> bool:
    """Whether an array is made over given bytes, as no pickler does: of type `O`, these are pointers.

    References
    ----------
    numpy.ndarray: "buffer: used to fill the array with data"; object types are not refused there.
    """
    if not isinstance(function, Global):
        return False
    items = items_of(arguments)
    if function.path.startswith("copyreg.__newobj"):
        cls, *items = items or (None,)
        return isinstance(cls, Global) and cls.path in _ARRAYS and (len(items) > _N_PLAIN or "_ex" in function.name)
    return function.path in _ARRAYS and (len(items) > _N_PLAIN or bool(items_of(keywords)))


def has_raw_objects(instance: Value, state: Value) -> bool:
    """Whether BUILD gives an array of objects its pointers as raw bytes; picklers store a list."""
    function = instance.function if isinstance(instance, Call) else None
    if not isinstance(function, Global) or not function.path.endswith(_RECONSTRUCTS):
        return False
    items = items_of(state)
    if len(items) <= _DATA_AT or not isinstance(items[_DATA_AT], bytes | bytearray | str | Chunk | Call):
        return False
    return _holds_objects(items[2])


def _holds_objects(dtype: Value, depth: int = 0) -> bool:
    """Whether a dtype is `O`, or has a field that is."""
    if not isinstance(dtype, Call) or depth > _DEPTH:
        return False
    first = next(iter(items_of(dtype.arguments)), None)
    if isinstance(first, str) and first.lstrip("<>=|").startswith("O"):
        return True
    parts = (dtype.arguments, dtype.state)
    return any(_holds_objects(part, depth + 1) for held in parts for part in _within(held) if isinstance(part, Call))


_FLAGS_AT, _SIZE_AT, _FIELDS_AT = 7, 5, 4
_POINTERS = 0x01 | 0x04  # it counts references, its items are pointers
_LARGEST_ITEM = 1 << 31  # bytes
_SIZED = ("U", "S", "V", "a")


def forged_type(instance: Value, state: Value) -> str:
    """What a state lies about the dtype that it is given to, in words; empty where nothing is known against it.

    References
    ----------
    numpy, `arraydescr_setstate`: version, byte order, sub-array, names, fields, size (-1 where the code says it),
    alignment, flags; numpy takes the flags as they stand.
    """
    function = instance.function if isinstance(instance, Call) else instance
    items = items_of(state)
    if not isinstance(function, Global) or function.path not in _TYPES or len(items) <= _FLAGS_AT:
        return ""
    size, flags = items[_SIZE_AT], items[_FLAGS_AT]
    code = next(iter(items_of(instance.arguments)), None) if isinstance(instance, Call) else None
    code = code.lstrip("<>=|") if isinstance(code, str) else ""
    if isinstance(size, int) and (size < -1 or size > _LARGEST_ITEM):
        return f"items of {size:,} bytes"
    if isinstance(size, int) and size > 0 and code and not code.startswith(_SIZED) and code.strip(".") == code:
        fixed = code[1:].isdigit() and int(code[1:]) != size
        if fixed and code[0] != "O":
            return f"items of {size:,} bytes where its code is {code!r}"
    if isinstance(flags, int) and code and not _is_true_to(code, flags, instance, state):
        return f"flags ({flags}) that its code {code!r} doesn't have"
    return _forged_fields(items[_FIELDS_AT], size)


def _is_true_to(code: str, flags: int, instance: Value, state: Value) -> bool:
    """Whether the flags say that items are objects exactly where they are."""
    if code.startswith("O"):
        return bool(flags & _POINTERS)
    if not code.startswith("V"):
        return not flags & _POINTERS
    has_objects = _holds_objects(instance) or any(
        _holds_objects(part) for held in (state,) for part in _within(held) if isinstance(part, Call)
    )
    return has_objects == bool(flags & _POINTERS)


def _forged_fields(fields: Value, size: Value) -> str:
    """A field that lies outside of its item."""
    for placed in items_of(fields)[1::2] if isinstance(fields, Container) else ():
        offset = items_of(placed)[1:2]
        if not offset or not isinstance(offset[0], int):
            continue
        if offset[0] < 0 or (isinstance(size, int) and size >= 0 and offset[0] > size):
            return f"a field at byte {offset[0]:,} of items of {size} bytes"
    return ""


def hands_on(function: Value, given: Value) -> str:
    """The name that a call is given to call later, unseen: torch's loader by anything, an array by `partial`."""
    is_partial = isinstance(function, Global) and function.path in _PARTIALS
    for value in _within(given):
        name = value.alias if isinstance(value, Call) else value
        path = name.path if isinstance(name, Global) else ""
        if path == LOADER or (is_partial and path in _ARRAYS):
            return path
    return ""


def _within(value: Value, depth: int = 0) -> Iterator[Value]:
    """Everything in nested tuples and containers, itself included, as far as it is looked at."""
    yield value
    if depth < _DEPTH and isinstance(value, Tuple | Container):
        for item in value.items[:_WIDTH]:
            if isinstance(item, Global | Call):
                yield item
            elif isinstance(item, Tuple | Container):
                yield from _within(item, depth + 1)
