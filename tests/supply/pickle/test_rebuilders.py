"""Functions and classes that nobody listed: ordinary by how pickling uses them, grave by what they reach."""

from __future__ import annotations

import functools
import operator
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.pickle import scan_pickle
from mithridate.supply.scan.pickle.rebuilders import rebuilds
from mithridate.supply.scan.pickle.values import Call, Container, Global, Tuple


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def named(path: str) -> bytes:
    module, _, name = path.partition(":")
    return text(module) + text(name) + b"\x93"


def worst(body: bytes) -> int:
    found = scan_pickle(MemoryBlob("x", b"\x80\x04" + body + b"."), Budget())
    return max((issue.severity for issue in found.issues), default=0)


ORDINARY = {
    "the class first": named("acme.dist:newObj") + b"(" + named("acme.dist:Euclidean") + b"tR",
    "data": named("acme.trees:_rebuild_tree") + b"(K\x01](K\x02K\x03etR",
    "its own class first": named("acme.nets:_make") + b"(" + named("acme.nets:Net") + b"K\x02tR",
    "an alternative constructor": named("acme.grid:Matrix.from_rows") + b"(](](K\x01eetR",
    "a member of an enumeration": named("torch.distributed.checkpoint.metadata:_MEM_FORMAT_ENCODING") + b"(K\x00tR",
    "a mapping of words": named("acme.maps:SortedDict") + b"(N}(" + text("a") + b"K\x01utR",
    "a private class": named("acme.state:_State") + b"(](K\x01e}tR",
    "a moment": named("acme.span:Span") + b"(" + named("datetime:timedelta") + b"(K\x01tRt" + b"R",
    "a layout of numbers": named("acme.tries:RecordTrie") + b"(" + text("<H2f") + b"tR",
    "a digest": named("acme.trees:_rebuild_tree") + b"(C\x08\x91\xa3q\xf07\xe2\x11\xc6tR",
    "bytes with a zero": named("acme.tries:Automaton") + b"(](C\x04\x06\x00\x00\x01eK\x02tR",
}
GRAVE = {
    "a pipe": named("acme.tries:RecordTrie") + b"(" + text("|reboot") + b"tR",
    "a redirection": named("acme.tries:RecordTrie") + b"(" + text(">crontab") + b"tR",
    "code as bytes": named("acme.tries:Automaton") + b"(](C\x06c\x00\x00\x00\x00\x00eK\x02tR",
    "marked code as bytes": named("acme.tries:Automaton") + b"(](C\x06\xe3\x00\x00\x00\x00\x00eK\x02tR",
    "native code as bytes": named("acme.tries:Automaton") + b"(C\x08\x7fELF\x02\x01\x01\x00tR",
    "a command as bytes": named("acme.tries:Automaton") + b"(C\x08rm -r /xtR",
    "a command as bytes of no text": named("acme.trees:_rebuild_tree") + b"(C\x0brm -r /x #\xfftR",
    "a path behind many numbers": named("acme.trees:_rebuild_tree") + b"(" + b"K\x01" * 300 + text("/etc/x.so") + b"tR",
    "attributes by a format": named("builtins:str.format") + b"(" + text("{0.__class__}") + b"K\x01tR",
    "a script by its name": named("trimesh.interfaces:MeshScript") + b"(" + text("id") + b"tR",
    "a command": named("acme.trees:_rebuild_tree") + b"(" + text("rm -r /x") + b"tR",
    "a word first": named("acme.trees:unpickle_it") + b"(" + text("model.pkl") + b"tR",
    "a pickle": named("acme.trees:_rebuild") + b"(C\x0c\x80\x02cos\nfork\n.tR",
    "a function": named("acme.trees:_reconstruct") + b"(" + named("os:system") + b"tR",
    "a class that runs": named("acme.dist:newObj") + b"(" + named("subprocess:Popen") + b"tR",
    "another's loader": named("gensim.utils:unpickle") + b"(" + text("x") + b"tR",
    "a place": named("acme.grid:Matrix.from_file") + b"(](K\x01etR",
    "a bridge": named("jnius:JavaClass") + b"(" + text("x") + b"tR",
    "a program": named("wexpect:SpawnPipe") + b"(" + text("x") + b"tR",
    "a command in a mapping": named("acme.run:Job") + b"(}(" + text("cmd") + text("rm -r /x") + b"utR",
    "a class for its own": named("acme.run:Job") + b"(" + named("acme.run:Job") + b"tR",
    "an unknown function": named("acme.run:go") + b"(K\x01tR",
}


@pytest.mark.parametrize("case", ORDINARY)
def test_how_packages_rebuild_their_objects_is_ordinary(case: str) -> None:
    assert worst(ORDINARY[case]) <= Severity.LOW


@pytest.mark.parametrize("case", GRAVE)
def test_what_only_sounds_like_it_stays_grave(case: str) -> None:
    assert worst(GRAVE[case]) >= Severity.HIGH


def test_functions_that_compute_are_settings_until_they_are_called() -> None:
    kept = {"key": operator.add, "by": functools.partial(np.clip, a_min=0)}
    found = scan_pickle(MemoryBlob("x", pickle.dumps(kept)), Budget())
    assert max((issue.severity for issue in found.issues), default=0) <= Severity.LOW
    assert worst(named("_operator:setitem") + b"(" + named("sys:modules") + text("os") + b"K\x01tR") >= Severity.HIGH
    assert worst(named("_operator:call") + b"(" + named("os:getcwd") + b"tR") >= Severity.HIGH


VALUES = st.recursive(
    st.none()
    | st.integers()
    | st.text()
    | st.binary(max_size=20)
    | st.sampled_from([Global("os", "system", ("", ""))]),
    lambda inner: (
        st.lists(inner, max_size=3).map(Tuple)
        | st.lists(inner, max_size=3).map(lambda items: Container("list", items))
        | inner.map(lambda item: Call("call", item, Tuple([item])))
    ),
)


@given(st.text(), st.lists(VALUES, max_size=3))
def test_any_call_is_judged(name: str, values: list[object]) -> None:
    assert rebuilds(Global("acme", name, ("acme", name)), Tuple(values)) in {True, False}
