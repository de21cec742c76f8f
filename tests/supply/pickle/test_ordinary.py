from __future__ import annotations

import collections
import datetime as dt
import decimal
import functools
import io
import pathlib
import pickle
import re
import uuid
import zipfile
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.pickle import PickleScan, looks_like_pickle, scan_pickle

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)

PLAIN: dict[str, Any] = {
    "array": np.arange(6.0).reshape(2, 3), "objects": np.array(["a", None], object), "scalar": np.float32(3),
    "record": np.zeros(2, [("a", "i4"), ("b", "f8")]), "dates": np.zeros(2, "M8[ns]"), "dtype": np.dtype("<f4"),
    "generator": np.random.default_rng(0), "masked": np.ma.array([1, 2], mask=[0, 1]),  # type: ignore[no-untyped-call]
    "ordered": collections.OrderedDict(a=1), "default": collections.defaultdict(list, a=[1]),
    "counter": collections.Counter("aab"), "deque": collections.deque([1, 2], 3), "set": {1, 2},
    "frozen": frozenset("ab"),
    "time": dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "delta": dt.timedelta(1), "decimal": decimal.Decimal("1.5"),
    "uuid": uuid.UUID(int=7), "path": pathlib.PurePosixPath("a/b"), "complex": 1j, "range": range(3),
    "slice": slice(1, 2),
    "pattern": re.compile("a+"), "partial": functools.partial(int, base=2), "type": int, "none": type(None),
    "error": ValueError("x"), "bound": "a".join, "csr": scipy.sparse.csr_matrix(np.eye(3)),
}  # fmt: skip


def scanned(content: bytes) -> PickleScan:
    return scan_pickle(MemoryBlob("x", content), Budget())


def worst(found: PickleScan) -> int:
    return max((int(issue.severity) for issue in found.issues), default=0)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", PLAIN)
def test_plain_values_give_no_issue_under_any_protocol(name: str, protocol: int) -> None:
    content = pickle.dumps(PLAIN[name], protocol)
    found = scanned(content)
    assert (found.issues, found.complete, found.end) == ((), True, len(content))
    assert looks_like_pickle(content[:4096])


def models() -> list[Any]:
    vectors = TfidfVectorizer().fit(["a b cc", "dd ee"])
    pipe = make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), SGDClassifier(random_state=0))
    made = [RandomForestClassifier(3, random_state=0), GradientBoostingClassifier(n_estimators=3, random_state=0), pipe,
            KNeighborsClassifier(algorithm="kd_tree"), KNeighborsClassifier(algorithm="ball_tree")]  # fmt: skip
    return [vectors, *(model.fit(np.abs(X), Y) for model in made)]


@pytest.mark.parametrize("protocol", range(6))
def test_models_are_class_instances_and_no_more(protocol: int) -> None:
    for model in models():
        found = scanned(pickle.dumps(model, protocol))
        assert worst(found) == Severity.LOW
        assert {issue.code for issue in found.issues} <= {"pickle-class", "pickle-import-unknown"}
        assert any("sklearn" in issue.claim for issue in found.issues)


def test_joblib_arrays_between_the_opcodes_are_followed() -> None:
    joblib = pytest.importorskip("joblib")
    objects = np.array(["a", [1]], object)
    for value in ([np.arange(3), np.asfortranarray(np.ones((2, 2))), objects, "end"], models()[1], {"x": np.zeros(0)}):
        file = io.BytesIO()
        joblib.dump(value, file)
        found = scanned(file.getvalue())
        assert (found.complete, found.end) == (True, len(file.getvalue()))
        assert worst(found) <= Severity.LOW


def test_an_array_in_the_stream_hides_nothing_from_a_plain_loader() -> None:
    """These bytes are an array to joblib, and opcodes to `pickle.load`."""
    evil = b"0cos\nsystem\n(S'id'\ntR."
    wrapper = (
        b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(U\x05shape" + b"K" + bytes([len(evil)]) + b"\x85"
        b"U\x05dtypecnumpy\ndtype\n(U\x02u1\x89\x88tRU\x05orderU\x01Cub"
    )
    found = scanned(wrapper + evil + b".")
    assert any("os.system" in issue.claim for issue in found.issues)


def test_an_array_of_unknown_length_breaks_the_reading_and_says_so() -> None:
    content = b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}b."
    found = scanned(content)
    assert (found.complete, found.issues[0].code) == (False, "pickle-broken")


@pytest.mark.parametrize("legacy", [False, True])
def test_torch_state_dicts_and_tensors_give_no_issue(*, legacy: bool) -> None:
    torch = pytest.importorskip("torch")
    state = {**torch.nn.Linear(2, 2).state_dict(), "half": torch.ones(2, dtype=torch.bfloat16), "size": torch.Size([1])}
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=not legacy)
    if not legacy:
        with zipfile.ZipFile(file) as archive:
            assert scanned(archive.read("archive/data.pkl")).issues == ()
        return
    blob, at = MemoryBlob("x", file.getvalue()), 0
    for _ in range(5):
        found = scan_pickle(blob, Budget(), start=at)
        assert (found.issues, found.complete) == ((), True)
        at = found.end
    assert scanned(pickle.dumps(state)).issues == ()


def test_what_loading_would_do_is_told_in_order() -> None:
    calls = scanned(pickle.dumps(collections.OrderedDict(a=1))).calls
    assert [(step.kind, step.name) for step in calls] == [
        ("import", "collections.OrderedDict"), ("call", "collections.OrderedDict"), ("set", "collections.OrderedDict"),
    ]  # fmt: skip


def test_a_function_of_somebodys_own_that_is_only_named_is_low_unless_its_name_says_more() -> None:
    assert worst(scanned(b"\x80\x02c__main__\nprepare\n.")) == Severity.LOW
    assert worst(scanned(b"\x80\x02cmine.own\nrun_command\n.")) == Severity.MEDIUM
    assert worst(scanned(b"\x80\x02cos\nsystem\n.")) >= Severity.HIGH
    assert worst(scanned(b"\x80\x02c__main__\nNet\n)\x81}b.")) == Severity.LOW


def test_a_member_of_an_unknown_enumeration_is_no_gadget() -> None:
    assert worst(scanned(b"\x80\x02cmypkg\nColour\nK\x01\x85R.")) == Severity.LOW
    assert worst(scanned(b"\x80\x02cmypkg\nColour\nU\x03red\x85R.")) == Severity.LOW
    for reach in (b"U\x07/etc/x1", b"U\x05rm -r", b"U\x04x.sh", b"cmypkg\nColour\n"):
        assert worst(scanned(b"\x80\x02cmypkg\nColour\n" + reach + b"\x85R.")) == Severity.HIGH


def test_an_exception_of_somebodys_own_keeps_its_sentence() -> None:
    for message in (b"U\x07bad one", b"U\x07a/b.txt"):
        assert worst(scanned(b"\x80\x02cmypkg\nLossError\n" + message + b"\x85R.")) == Severity.LOW
    assert worst(scanned(b"\x80\x02cmypkg\nLossError\ncmypkg\nf\n)R\x85R.")) == Severity.HIGH


def test_a_class_of_somebodys_own_named_for_a_family_is_judged_by_what_it_is_told() -> None:
    assert worst(scanned(b"\x80\x02cmypkg\nTracker\n)R.")) == Severity.LOW
    for call in (b"cmypkg\nTracker\nU\x01x\x85R", b"cmypkg\nShell\n)R", b"cmlflow\nMlflowClient\n)R"):
        assert worst(scanned(b"\x80\x02" + call + b".")) == Severity.HIGH


def test_a_scan_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom mithridate.supply.scan.pickle import scan_pickle\n"
        "heavy = {'numpy', 'torch', 'sklearn', 'scipy', 'pyarrow', 'pandas', 'rich', 'click'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
