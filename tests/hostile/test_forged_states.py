"""Streams that name listed classes alone and lie in the state: compiled code would follow the lie out of its memory."""

from __future__ import annotations

import argparse
import fractions
import io
import pickle
import sys
import time
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from pandas._libs.internals import _unpickle_block
from pandas.core.internals.managers import BlockManager
from sklearn.cluster import KMeans
from sklearn.ensemble import GradientBoostingRegressor, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from mithridate.core.errors import InputError
from mithridate.supply.loading.safe_load import safe_load

RECONSTRUCT = np.zeros(0).__reduce__()[0]
X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


class Forge:
    """What pickles as any call of `function` with any state."""

    def __init__(self, function: Any, arguments: tuple[Any, ...] = (), state: Any = None) -> None:
        self.reduced = (function, arguments, state)


class Forger(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        return value.reduced if isinstance(value, Forge) else NotImplemented


def forged(value: Any) -> bytes:
    stream = io.BytesIO()
    Forger(stream, 4).dump(value)
    return stream.getvalue()


def sparse(kind: str, **changes: Any) -> Forge:
    made = getattr(scipy.sparse, kind)(np.diag([1.0, 2.0, 3.0]))
    return Forge(type(made), (), made.__dict__ | changes)


def estimator(fitted: Any, **changes: Any) -> Forge:
    return Forge(type(fitted), (), fitted.__getstate__() | changes)


def nodes(**changes: tuple[int, Any]) -> Forge:
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, Y).tree_
    function, arguments, state = tree.__reduce__()
    state = state | {"nodes": state["nodes"].copy()}
    for field, (place, value) in changes.items():
        state["nodes"][field][place] = value
    return Forge(function, arguments, state)


def array(shape: Any, dtype: Any, content: bytes) -> Forge:
    return Forge(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, shape, np.dtype(dtype), False, content))


def generator(kind: str, **changes: Any) -> Forge:
    bits = getattr(np.random, kind)(0)
    function, arguments, (state, seeds) = bits.__reduce__()
    inner = state["state"] | {key: one for key, one in changes.items() if key in state["state"]}
    outer = {key: one for key, one in changes.items() if key not in state["state"]}
    made = Forge(function, arguments, (state | outer | {"state": inner}, seeds))
    return Forge(np.random.Generator(bits).__reduce__()[0], (made,))


def frame(values: Any, places: Any, columns: int = 2, rows: int = 2) -> Forge:
    axes = [pd.RangeIndex(columns), pd.RangeIndex(rows)]
    manager = Forge(BlockManager, ((Forge(_unpickle_block, (values, places, 2)),), axes))
    return Forge(pd.DataFrame, (), {"_mgr": manager})


def arrow(offsets: list[int], content: bytes, length: int = 2) -> bytes:
    held = np.array(offsets, "<i8").tobytes()
    lib = b"cpyarrow.lib\n"
    return (
        b"\x80\x03" + lib + b"_restore_array\n(" + lib + b"type_for_alias\nX\x0c\0\0\0large_string\x85RK"
        + bytes([length]) + b"K\0K\0](N" + lib + b"py_buffer\nC" + bytes([len(held)]) + held + b"\x85R" + lib
        + b"py_buffer\nC" + bytes([len(content)]) + content + b"\x85Re]Nt\x85R."
    )  # fmt: skip


def with_itself() -> bytes:
    return b"\x80\x02cargparse\nNamespace\n)\x81q\0}X\x01\0\0\0ah\0sb."


def colliding(n_keys: int) -> bytes:
    prime = (1 << 61) - 1
    return b"\x80\x02}(" + b"".join(
        b"\x8a\x10" + (prime * ((1 << 61) + k)).to_bytes(16, "little") + b"N" for k in range(n_keys)
    ) + b"u."  # fmt: skip


FORGED: dict[str, tuple[Callable[[], Any], str]] = {
    "csr: a column that isn't there": (lambda: sparse("csr_matrix", indices=np.array([0, 1, 9], "i4")), "csr_matrix"),
    "csr: a negative column": (lambda: sparse("csr_array", indices=np.array([0, -7, 2], "i4")), "csr_array"),
    "csr: pointers that fall": (lambda: sparse("csr_matrix", indptr=np.array([0, 3, 1, 3], "i4")), "rise"),
    "csr: pointers beyond the data": (lambda: sparse("csr_matrix", indptr=np.array([0, 1, 2, 99], "i4")), "rise"),
    "csr: pointers of another shape": (lambda: sparse("csr_matrix", _shape=(9, 3)), "csr_matrix"),
    "csr: indices that are floats": (lambda: sparse("csr_matrix", indices=np.array([0.0, 1, 2])), "whole numbers"),
    "bsr: a block that isn't there": (lambda: sparse("bsr_matrix", indices=np.array([0, 1, 77], "i4")), "bsr_matrix"),
    "coo: a row that isn't there": (
        lambda: sparse("coo_array", coords=(np.array([0, 1, 8]), np.array([0, 1, 2]))), "leaves the matrix"
    ),
    "lil: a column that isn't there": (
        lambda: sparse("lil_matrix", rows=np.array([[0], [1], [8], None], object)[:3]), "leaves the matrix"
    ),
    "dok: a key that isn't there": (lambda: sparse("dok_array", _dict={(0, 99): 1.0}), "leaves the matrix"),
    "MT19937: a position beyond its words": (lambda: generator("MT19937", pos=10_000), "[0, 625)"),
    "MT19937: too few words": (lambda: generator("MT19937", key=np.zeros(3, "u4")), "624 words"),
    "Philox: a position beyond its buffer": (lambda: generator("Philox", buffer_pos=9), "[0, 5)"),
    "PCG64: a state of a million bits": (lambda: generator("PCG64", state=1 << 1_000_000), "whole number"),
    "tree: a child outside": (lambda: nodes(right_child=(0, 1000)), "outside of the tree"),
    "tree: a circle": (lambda: nodes(left_child=(0, 0)), "points back"),
    "tree: two parents": (lambda: nodes(right_child=(0, 1)), "of two"),
    "tree: a feature that isn't there": (lambda: nodes(feature=(0, 50)), "feature that isn't there"),
    "tree: its estimator expects fewer features": (
        lambda: estimator(DecisionTreeClassifier().fit(X, Y), n_features_in_=1), "other features"
    ),
    "tree: what is no tree": (lambda: estimator(DecisionTreeClassifier().fit(X, Y), tree_=1), "no tree"),
    "forest: fewer features than its trees": (
        lambda: estimator(RandomForestClassifier(2).fit(X, Y), n_features_in_=1), "other features"
    ),
    "forest: other things than trees": (
        lambda: estimator(RandomForestClassifier(2).fit(X, Y), estimators_=[LogisticRegression()]), "no tree"
    ),
    "boosting: more columns than it writes": (
        lambda: estimator(GradientBoostingRegressor(n_estimators=2).fit(X, Y), n_trees_per_iteration_=0), "no table"
    ),
    "isolation forest: features of others": (
        lambda: estimator(IsolationForest(n_estimators=1).fit(X), estimators_features_=[np.array([0, 1, 99])]),
        "feature isn't there",
    ),
    "SVC: too few coefficients": (lambda: estimator(SVC().fit(X, Y), _dual_coef_=np.zeros((1, 2))), "_dual_coef_"),
    "SVC: too few intercepts": (lambda: estimator(SVC().fit(X, Y), _intercept_=np.zeros(0)), "_intercept_"),
    "SVC: miscounted vectors": (
        lambda: estimator(SVC().fit(X, Y), _n_support=np.array([9999, 1], "i4")), "does not count"
    ),
    "SVC: another machine": (lambda: estimator(SVC().fit(X, Y), _impl="epsilon_svr"), "'_impl'"),
    "KMeans: narrow centres": (
        lambda: estimator(KMeans(2, n_init=1).fit(X), cluster_centers_=np.zeros((2, 1))), "centres"
    ),
    "neighbours: labels of no class": (
        lambda: estimator(KNeighborsClassifier().fit(X, Y), _y=np.full(40, 10**6)), "of no class"
    ),
    "one-hot: too few columns": (
        lambda: estimator(OneHotEncoder().fit(Y[:, None]), _n_features_outs=[1]), "as many as its categories"
    ),
    "words: a column that isn't there": (
        lambda: estimator(CountVectorizer().fit(["ab cd"]), vocabulary_={"ab": 10**9, "cd": 0}), "one column each"
    ),
    "estimator: an attribute in place of a method": (
        lambda: estimator(LogisticRegression().fit(X, Y), predict="x"), "'predict'"
    ),
    "estimator: an attribute of Python's own": (
        lambda: estimator(LogisticRegression().fit(X, Y), __class__="x"), "plain names"
    ),
    "pipeline: a folder of pickles": (
        lambda: estimator(make_pipeline(StandardScaler()), memory="/tmp/x"), "memory"  # noqa: S108 - never opened
    ),
    "threads: a billion": (lambda: estimator(RandomForestClassifier(2).fit(X, Y), n_jobs=10**9), "n_jobs"),
    "frame: a column of another length": (lambda: frame(np.zeros((2, 5)), slice(0, 2, 1)), "rows long"),
    "frame: a block outside": (lambda: frame(np.zeros((2, 2)), np.array([0, 7])), "outside"),
    "frame: two blocks in one place": (lambda: frame(np.zeros((2, 2)), np.array([0, 0])), "fill the frame"),
    "frame: columns without end": (lambda: frame(np.zeros((2, 2)), slice(0, 2, 1), columns=10**15), "fill|as many"),
    "categories: a code of none": (
        lambda: Forge(pd.Categorical(["a"]).__reduce__()[0], pd.Categorical(["a"]).__reduce__()[1],
                      (pd.CategoricalDtype(["a"]), np.array([9], "i1"))), "codes"
    ),
    "texts: offsets beyond the buffer": (lambda: arrow([0, 1, 99], b"ab"), "leave the buffer"),
    "texts: offsets that fall": (lambda: arrow([0, 2, 1], b"ab"), "do not rise"),
    "texts: too few offsets": (lambda: arrow([0, 1], b"ab", 9), "bytes of offsets"),
    "array: a boolean that is 7": (lambda: array((2,), bool, b"\1\7"), "neither 0 nor 1"),
    "array: what is no character": (lambda: array((1,), "U1", b"\xff\xff\xff\x7f"), "no character"),
    "array: a negative length": (lambda: array((-1, -8), "f8", b"\0" * 64), "is no shape"),
    "array: items of no byte without end": (lambda: array((1 << 40,), "V0", b""), "without a byte|for"),
    "array: objects among its bytes": (lambda: array((1,), "O", b"\1" * 8), "objects"),
    "list: made from a range without end": (lambda: Forge(list, (range(10**12),)), "from items"),
    "array: one value copied without end": (
        lambda: b"\x80\x03cnumpy._core.numeric\n_frombuffer\nq\0" + b"B" + (8 << 20).to_bytes(4, "little")
        + b"\0" * (8 << 20) + b"q\1cnumpy\ndtype\nX\2\0\0\0u1\x85Rq\2J\0\0\x80\0\x85q\3]("
        + b"h\0(h\1h\2h\3X\1\0\0\0CtR" * 100 + b"e.", "copies of one another"
    ),
    "list: one list copied without end": (
        lambda: b"\x80\x02](" + b"N" * 200_000 + b"eq\0](" + b"cbuiltins\nlist\nh\0\x85R" * 500 + b"e.", "copies"
    ),
    "namespace: it holds itself": (with_itself, "holds itself"),
    "instance: it holds the list that it is in": (
        lambda: b"\x80\x02]q\0cargparse\nNamespace\n)\x81}X\1\0\0\0ah\0sba.", "that it is in"
    ),
    "fraction: an exponent without end": (lambda: Forge(fractions.Fraction, ("1e999999999",)), "no ratio"),
    "keys: one hash for all": (lambda: colliding(3000), "one hash"),
    "zone: a path": (lambda: Forge(zoneinfo.ZoneInfo, ("../../etc/passwd",)), "no time zone"),
    "getattr: another method": (
        lambda: b"\x80\x02cbuiltins\ngetattr\nczoneinfo\nZoneInfo\nX\x0b\0\0\0clear_cache\x86R.", "builtins.getattr"
    ),
    "a second state": (lambda: b"\x80\x02cargparse\nNamespace\n)\x81}b}b.", "second state"),
    "keywords": (lambda: b"\x80\x04cargparse\nNamespace\n)}X\1\0\0\0aNs\x92.", "keywords"),
    "a name that stands in for a call": (lambda: b"\x80\x02X\2\0\0\0os)R.", "stands on no list"),
    "another factory": (
        lambda: b"\x80\x02ccollections\ndefaultdict\ncbuiltins\nbytearray\n\x85R.", "does not fit"
    ),
    "a dotted name through a listed one": (
        lambda: b"\x80\x04X\7\0\0\0pathlibX\x0c\0\0\0PosixPath.os\x93.", "pathlib.PosixPath.os"
    ),
    "a module that runs when it is imported": (lambda: b"\x80\x02cantigravity\nx\n.", "antigravity.x"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_state_is_refused_in_one_line_before_a_library_gets_it(name: str, tmp_path: Path) -> None:
    make, words = FORGED[name]
    made = make()
    (tmp_path / "x.pkl").write_bytes(made if isinstance(made, bytes) else forged(made))
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        safe_load(tmp_path / "x.pkl")
    assert time.process_time() - start < 5
    assert "\n" not in str(caught.value)
    assert any(word in str(caught.value) for word in words.split("|"))
    assert "antigravity" not in sys.modules


def test_values_that_double_are_made_once_each(tmp_path: Path) -> None:
    number = b"cnumpy._core.multiarray\nscalar\ncnumpy\ndtype\nX\2\0\0\0f8\x85RC\x08\0\0\0\0\0\0\0\0\x86R"
    for first in (b")", number):
        (tmp_path / "x.pkl").write_bytes(b"\x80\x03" + first + b"2\x86" * 200 + b".")
        found = safe_load(tmp_path / "x.pkl")
        assert len(found) == 2
        assert found[0] is found[1]


def test_the_honest_twins_of_the_forged_are_loaded(tmp_path: Path) -> None:
    twins: list[Any] = [
        sparse("csr_matrix"), nodes(), generator("MT19937"), generator("Philox"), frame(np.zeros((2, 2)), slice(0, 2)),
        array((2,), bool, b"\1\0"), arrow([0, 1, 2], b"ab"), estimator(SVC().fit(X, Y)),
        Forge(argparse.Namespace, (), {"a": 1}), Forge(fractions.Fraction, ("1/3",)), colliding(900),
    ]  # fmt: skip
    for twin in twins:
        (tmp_path / "x.pkl").write_bytes(twin if isinstance(twin, bytes) else forged(twin))
        safe_load(tmp_path / "x.pkl")
    (tmp_path / "x.pkl").write_bytes(forged(nodes()))
    assert type(safe_load(tmp_path / "x.pkl")) is Tree
