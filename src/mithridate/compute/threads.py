"""One thread for numerical libraries: a worker's share, and what makes a fit the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

VARIABLES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "BLIS_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS",
            "NUMEXPR_NUM_THREADS",
            "ARROW_IO_THREADS",
        ),
        "1",
    )
)


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the BLAS and OpenMP libraries loaded by now to one thread, and let them go again after."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        yield
