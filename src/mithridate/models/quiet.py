"""Keep a library's advice about its own fit out of the user's way."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings inside: that a fit stopped at its iteration limit is the recipe's business, not the user's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
