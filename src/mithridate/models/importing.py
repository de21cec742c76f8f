"""Find the user's own function: `package.module:function`, the current folder included."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from mithridate.core.errors import Error, InputError


def is_path(text: str) -> bool:
    """Whether the text has the form `package.module:function`."""
    module, colon, function = text.partition(":")
    return bool(colon) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def load_function(path: str) -> Callable[..., Any]:
    """The function that `package.module:function` names; the folder in which the command runs is importable.

    Raises
    ------
    InputError : not of that form, no such module or function, or the module fails while it loads.
    """
    if not is_path(path):
        raise InputError(f"{path!r} is not of the form package.module:function, such as recipes:make_model")
    name, _, attribute = path.partition(":")
    try:
        with _folder_first():
            module = import_module(name)
    except Error:
        raise
    except Exception as error:  # the user's own code runs here, and anything can come out of it
        raise InputError(
            f"module {name!r} can't be loaded: {one_line(error)}; it is looked for in the folder in "
            "which the command runs and among the installed packages"
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise InputError(f"module {name!r} has no function {attribute!r}; name one that it defines")
    found: Callable[..., Any] = function
    return found


def one_line(error: Exception, most: int = 300) -> str:
    """An exception's type and message on one line, cut at `most` letters.

    Examples
    --------
    >>> one_line(ValueError("bad   shape"))
    'ValueError: bad shape'
    """
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return words if len(words) <= most else words[: most - 3] + "..."


def takes_nothing(function: Callable[..., Any]) -> bool:
    """Whether the function can be called without arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    optional = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return all(p.default is not inspect.Parameter.empty or p.kind in optional for p in parameters)


@contextmanager
def _folder_first() -> Iterator[None]:
    """The current folder before all others while the user's module loads, and after all others from then on."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)
