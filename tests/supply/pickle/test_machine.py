from __future__ import annotations

import importlib
import pickle
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.code_object import NotCodeError, read_code
from mithridate.supply.scan.pickle import looks_like_pickle, scan_pickle
from mithridate.supply.scan.pickle.opcodes import HANDLERS
from mithridate.supply.scan.pickle.reader import BrokenError, Reader, unescape

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@pytest.fixture
def equivalence(monkeypatch: pytest.MonkeyPatch) -> Any:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("scan_equivalence")
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == BENCHMARKS:
            del sys.modules[name]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning")
def test_imports_and_calls_are_those_of_the_c_unpickler_on_2000_random_streams(equivalence: Any) -> None:
    equivalence.registered()
    told = [equivalence.difference(seed) for seed in range(2000)]
    assert [(seed, what) for seed, what in enumerate(told) if what not in {"", "memory"}] == []
    assert told.count("memory") < 20


def test_every_opcode_of_python_has_a_handler() -> None:
    import pickletools

    assert {ord(opcode.code) for opcode in pickletools.opcodes} == set(HANDLERS)


@given(PLAIN, st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_plain_values_are_read_to_their_end_without_an_issue(value: Any, protocol: int) -> None:
    content = pickle.dumps(value, protocol)
    found = scan_pickle(MemoryBlob("x", content + b"rest"), Budget())
    assert (found.end, found.complete) == (len(content), True)
    assert found.issues == () or {issue.severity.word for issue in found.issues} == {"low"}
    assert looks_like_pickle(content[:4096])


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise_or_hang(content: bytes) -> None:
    found = scan_pickle(MemoryBlob("x", content), Budget())
    assert 0 <= found.end <= len(content)
    assert found.complete or found.issues
    looks_like_pickle(content)
    with suppress(NotCodeError):
        read_code(content)


@given(PLAIN, st.data())
@settings(max_examples=60, deadline=None)
def test_a_truncated_pickle_is_broken_not_clean(value: Any, data: Any) -> None:
    content = pickle.dumps(value, data.draw(st.integers(0, 5)))
    cut = data.draw(st.integers(0, len(content) - 1))
    found = scan_pickle(MemoryBlob("x", content[:cut]), Budget())
    assert not found.complete
    assert [issue.code for issue in found.issues if issue.code == "pickle-broken"]


def test_pickles_behind_one_another_are_read_by_their_ends() -> None:
    parts = [pickle.dumps(value, protocol) for protocol, value in enumerate([1, "a", [2.5], {"b": None}, (3,), b"c"])]
    blob, at = MemoryBlob("x", b"".join(parts)), 0
    for part in parts:
        found = scan_pickle(blob, Budget(), start=at)
        at += len(part)
        assert (found.end, found.complete) == (at, True)


def test_an_end_before_the_blobs_end_is_kept() -> None:
    content = pickle.dumps(["x" * 50, 7])
    assert not scan_pickle(MemoryBlob("x", content), Budget(), end=20).complete


class Counting:
    """A blob that counts what is read of it."""

    def __init__(self, content: bytes) -> None:
        self.name, self.size, self.content, self.read_bytes = "x", len(content), content, 0

    def read(self, offset: int, length: int) -> bytes:
        self.read_bytes += len(self.content[offset : offset + length])
        return self.content[offset : offset + length]


def test_long_bytes_are_stepped_over_unread() -> None:
    blob = Counting(pickle.dumps({"weights": b"\0" * 20_000_000, "n": 1}))
    found = scan_pickle(blob, Budget())
    assert found.complete
    assert blob.read_bytes < 1_500_000


@pytest.mark.parametrize("length", [1, 5_000, 300_000])
def test_a_line_is_found_wherever_the_window_ends(length: int) -> None:
    reader = Reader(MemoryBlob("x", b"a" * length + b"\nrest\n"), 0, length + 6)
    assert reader.line(1 << 20) == b"a" * length
    assert reader.line(1 << 20) == b"rest"
    assert reader.offset == length + 6


def test_escapes_are_undone_as_python_does() -> None:
    assert unescape(rb"a\x41\101\n\\\'\q\777") == b"aAA\n\\'\\q\xff"
    for broken in (b"\\x4", b"\\"):
        with pytest.raises(BrokenError):
            unescape(broken)


def test_an_argument_beyond_its_frame_is_read_both_ways() -> None:
    """Refused since CPython 3.13.15 and 3.14.7; before, it forgets the frame's rest when it reads from a plain file."""
    frame = b"\x80\x04\x95" + struct.pack("<Q", 3)
    evil = b"\x8c\x08ab" + b"\n0cos\nsystem\n" + b"(\x8c\x02idtR."
    found = scan_pickle(MemoryBlob("x", frame + evil), Budget())
    assert {"pickle-frame"} <= {issue.code for issue in found.issues}


def test_a_frame_that_goes_on_behind_stop_is_told_and_looked_into() -> None:
    content = b"\x80\x04\x95" + struct.pack("<Q", 30) + b"N." + b"cos\nsystem\n(S'id'\ntR." + b"N" * 40
    issues = scan_pickle(MemoryBlob("x", content), Budget()).issues
    assert "pickle-frame" in {issue.code for issue in issues}
    assert any("os.system" in issue.claim for issue in issues)
