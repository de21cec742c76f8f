"""What dill and cloudpickle write: arrays are judged by the function that makes them, functions are read out.

Neither package is needed: modules of their names stand in, so that the streams are the ones they write.
"""

from __future__ import annotations

import os
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.issue import Issue
from mithridate.supply.scan.pickle import scan_pickle


class Made:
    """An object that pickles as one call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Callable[..., Any]]:
    def named(module: str, name: str) -> Callable[..., Any]:
        def function() -> None: ...

        function.__module__, function.__qualname__ = module, name
        for path in (module.partition(".")[0], module):
            monkeypatch.setitem(sys.modules, path, sys.modules.get(path) or types.ModuleType(path))
        monkeypatch.setattr(sys.modules[module], name, function, raising=False)
        return function

    return named


def issues(value: Any, protocol: int = 4) -> list[Issue]:
    return list(scan_pickle(MemoryBlob("x", pickle.dumps(value, protocol=protocol)), Budget()).issues)


def worst(value: Any, protocol: int = 4) -> int:
    return max((int(issue.severity) for issue in issues(value, protocol)), default=0)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("array", [np.eye(2), np.array(["a", None], dtype=object), np.zeros(3, "M8[s]")], ids=str)
def test_an_array_of_dill_is_as_quiet_as_one_of_pickle(stand_in: Any, array: np.ndarray, protocol: int) -> None:
    function, arguments, state = array.__reduce__()  # type: ignore[misc]
    create = stand_in("dill._dill", "_create_array")
    assert worst(array, protocol) == 0
    assert worst(Made(create, function, arguments, state, None), protocol) == 0


def test_what_else_an_array_of_dill_calls_counts_as_called(stand_in: Any) -> None:
    create = stand_in("dill._dill", "_create_array")
    function, arguments, state = np.eye(2).__reduce__()  # type: ignore[misc]
    found = issues(Made(create, os.system, ("id",), None, None))
    assert any("system('id')" in issue.claim and issue.severity == Severity.CRITICAL for issue in found)
    assert worst(Made(create, np.load, ("a.npy",), None, None)) == Severity.CRITICAL
    assert worst(Made(create, function, arguments, state, {"__setstate__": len})) == Severity.CRITICAL
    assert worst(Made(create)) == Severity.CRITICAL


def test_pointers_forged_in_an_array_of_dill_are_grave(stand_in: Any) -> None:
    create = stand_in("dill._dill", "_create_array")
    function, arguments, _ = np.array([None]).__reduce__()  # type: ignore[misc]
    raw = (1, (1,), np.dtype("O"), False, b"\x01" * 8)
    assert worst(Made(create, function, arguments, raw, None)) == Severity.HIGH


def test_memory_without_end_for_an_array_of_dill_is_grave(stand_in: Any) -> None:
    create = stand_in("dill._dill", "_create_array")
    function, _, state = np.eye(2).__reduce__()  # type: ignore[misc]
    assert worst(Made(create, function, (np.ndarray, (1 << 40,), b"d"), state, None)) == Severity.HIGH


def _payload(code: types.CodeType) -> tuple[Any, ...]:
    return (
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_nlocals, code.co_stacksize,
        code.co_flags, code.co_code, code.co_consts, code.co_names, code.co_varnames, code.co_filename, code.co_name,
        code.co_qualname, code.co_firstlineno, code.co_linetable, code.co_exceptiontable, (), (),
    )  # fmt: skip


def _called(function: Made, arguments: tuple[Any, ...], protocol: int) -> bytes:
    """A stream that calls what a call gives, as pickle itself doesn't write it for a function that isn't known."""
    return pickle.dumps(function, protocol)[:-1] + pickle.dumps(arguments, protocol)[2:-1] + b"R."


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_lambda_of_dill_and_of_cloudpickle_is_disassembled(stand_in: Any, protocol: int) -> None:
    parts = _payload((lambda: os.system("id")).__code__)  # noqa: S605 - only ever read
    by_dill = pickle.dumps(Made(stand_in("dill._dill", "_create_code"), b"", *parts), protocol)
    by_cloudpickle = _called(Made(stand_in("cloudpickle.cloudpickle", "_builtin_type"), "CodeType"), parts, protocol)
    for content in (by_dill, by_cloudpickle):
        first = scan_pickle(MemoryBlob("x", content), Budget()).issues[0]
        assert first.severity == Severity.CRITICAL
        assert "the code names os, system, id" in first.claim
        assert "'id'" in str(first.facts["disassembly"])
