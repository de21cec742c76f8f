"""Harmless names used for harm: functions handed on, memory and time without end, families of callables.

The streams are those of `benchmarks/hostile_uses.py`; they are only ever read.
"""

from __future__ import annotations

import collections
import functools
import importlib
import operator
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.pickle import PickleScan, looks_like_pickle, scan_pickle
from mithridate.supply.scan.pickle.reach import reach
from mithridate.supply.scan.pickle.regexes import backtracks

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield dict(importlib.import_module("hostile_uses").uses())
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == BENCHMARKS:
            del sys.modules[name]


def scanned(content: bytes) -> PickleScan:
    return scan_pickle(MemoryBlob("x", content), Budget())


def worst(found: PickleScan) -> int:
    return max((int(issue.severity) for issue in found.issues), default=0)


def test_every_harmful_use_of_a_harmless_name_is_grave(streams: dict[str, bytes]) -> None:
    assert len(streams) > 90
    for key, content in streams.items():
        found = scanned(content)
        least = Severity.MEDIUM if key == "bomb-regex" else Severity.HIGH
        assert worst(found) >= least, key
        assert found.complete, key
        assert looks_like_pickle(content[:4096]), key


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("handed-sorted-by-key", "helpers.tools.run_it"),
        ("handed-own-setstate", "helpers.tools.run_it('echo never')"),
        ("bomb-list-of-range", "countless items"),
        ("bomb-bytearray", "1,000,000,000,000 items of memory"),
        ("bomb-fraction", "999,999,999 digits"),
        ("bomb-laughing-keys", "billion laughs"),
        ("bomb-type-with-flags", "flags (63)"),
        ("bomb-type-of-negative-size", "items of -8 bytes"),
        ("family-mlflow.MlflowClient", "opens a connection"),
    ],
)
def test_the_claim_says_what_it_would_do(streams: dict[str, bytes], key: str, said: str) -> None:
    assert any(said in issue.claim for issue in scanned(streams[key]).issues)


ORDINARY: dict[str, Any] = {
    "getter of an attribute": operator.attrgetter("a"),
    "getter of two": operator.attrgetter("a", "b"),
    "getter of items": operator.itemgetter(0, "a"),
    "sorted by an item": functools.partial(sorted, key=operator.itemgetter(1)),
    "a library's function, bound": functools.partial(np.mean, axis=0),
    "a dict of dicts": collections.defaultdict(functools.partial(collections.defaultdict, list), {1: {}}),
    "methods of text": [str.split, str.lower, "a".join, dict.fromkeys],
    "a token pattern": re.compile(r"(?u)\b\w\w+\b|(\d+\.?)+|[A-Za-z]+(?:-[A-Za-z]+)*"),
    "a long range": [range(10**12), list(range(1000)), 10**50],
    "one list many times": [[("a", 1)] * 1000] * 1000,
    "types": [np.dtype(code) for code in ("f8", ">i4", "U7", "S3", "O", "M8[ns]", "?", "V12")],
    "records": np.zeros(3, [("x", "f4", (2, 2)), ("y", [("z", "O"), ("w", "i2")])]),
    "aligned": np.dtype([("a", "i1"), ("b", "f8")], align=True),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("key", ORDINARY)
def test_their_ordinary_use_is_not_accused(key: str, protocol: int) -> None:
    assert worst(scanned(pickle.dumps(ORDINARY[key], protocol))) <= Severity.LOW


def test_a_getter_of_dotted_or_hidden_names_stays_suspicious() -> None:
    for name in (b"os.system", b"a._os", b"a.sys.modules", b"__class__", b"a.__globals__", b"a..b"):
        assert worst(scanned(b"coperator\nattrgetter\n(S'" + name + b"'\ntR.")) >= Severity.HIGH


def test_a_foreign_function_bound_and_not_called_is_no_more_than_named() -> None:
    assert worst(scanned(b"\x80\x02cfunctools\npartial\nc__main__\ncollate\n\x85R.")) == Severity.LOW
    assert worst(scanned(b"\x80\x02cfunctools\npartial\ncmine.own\nrun_shell\n\x85R.")) == Severity.MEDIUM


def test_a_method_to_call_later_is_inert_where_it_computes_from_data() -> None:
    for name in (b"lower", b"fillna", b"astype"):
        assert worst(scanned(b"coperator\nmethodcaller\n(S'" + name + b"'\ntR.")) <= Severity.LOW
    for name in (b"system", b"query", b"eval", b"pipe", b"format", b"__reduce__", b"load_library", b"frobnicate"):
        assert worst(scanned(b"coperator\nmethodcaller\n(S'" + name + b"'\ntR.")) >= Severity.HIGH
    assert worst(scanned(b"coperator\nmethodcaller\n(S'get'\ncos\nsystem\ntR.")) >= Severity.HIGH


def test_a_map_over_converters_is_inert_and_over_anything_else_is_grave() -> None:
    assert worst(scanned(b"c__builtin__\nmap\n(c__builtin__\nstr\n(lp0\nI1\natR.")) <= Severity.LOW
    for name in (b"c__builtin__\neval\n", b"ccopyreg\n__newobj__\n", b"cmine.own\nf\n"):
        assert worst(scanned(b"c__builtin__\nmap\n(" + name + b"(lp0\nI1\natR.")) >= Severity.HIGH


def test_a_tower_that_doubles_at_each_of_many_levels_costs_nothing() -> None:
    laughs = b"\x80\x04)" + b"2\x86" * 100_000 + b"."
    assert "billion laughs" in scanned(laughs).issues[0].claim


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(.*)*x", r"(\w+|\d)*", r"(?:(?:a*))*b"])
def test_a_pattern_that_backtracks_without_end_is_known(pattern: str) -> None:
    assert backtracks(pattern)


@pytest.mark.parametrize("pattern", [r"(\w+,)*", r"\s+", r"(a|b)*", r"((((", r"(?:[A-Z]\.)+", "(" * 2000])
def test_other_patterns_are_let_be(pattern: str) -> None:
    assert not backtracks(pattern)


@pytest.mark.parametrize(
    ("module", "name"), [("torch.nn", "Linear"), ("sklearn.svm", "SVC"), ("pandas", "StringDtype"), ("numpy", "mean")]
)
def test_ordinary_names_belong_to_no_family(module: str, name: str) -> None:
    assert not reach(module, name, ("python",) if name == "StringDtype" else ())
