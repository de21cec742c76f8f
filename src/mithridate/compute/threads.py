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
def threads(count: int) -> Iterator[None]:
    """Hold the BLAS and OpenMP libraries loaded by now to so many threads, and let them go again after.

    Notes
    -----
    Two threads on two contended cores took four times the processor time of one for the same audit, spinning.
    """
    import scipy.linalg  # noqa: F401 - a library must be loaded to be held, and it brings a BLAS of its own
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=count):
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the BLAS and OpenMP libraries loaded by now to one thread, and let them go again after."""
    with threads(1):
        yield
