"""Values of real libraries, pickled by them, come back equal without one of their loaders being called."""

from __future__ import annotations

import argparse
import datetime as dt
import decimal
import fractions
import http
import pickle
import types
import uuid
import zoneinfo
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Lasso, LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from mithridate.core.errors import InputError
from mithridate.supply.loading.safe_load import safe_load

pytestmark = pytest.mark.filterwarnings("ignore")  # of fitting on next to nothing

FRAME = pd.DataFrame({
    "a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"], ordered=True), "t": pd.to_datetime(["2020", None]),
    "i": pd.array([1, None], "Int64"), "f": pd.array([True, None], "boolean"), "g": pd.array([1.5, None], "Float64"),
    "d": pd.to_timedelta([1, 2], "s"), "z": pd.to_datetime(["2020", "2021"]).tz_localize("Europe/Berlin"),
    "p": pd.period_range("2020", periods=2, freq="M"), "s": pd.Series(["a", None], dtype="string"),
    "o": pd.Series(["b", 1], dtype=object), "x": pd.arrays.SparseArray([0, 3]),
})  # fmt: skip
TABLES: list[Any] = [
    FRAME, FRAME.set_index(["a", "t"]), pd.DataFrame(), pd.DataFrame(np.eye(2), columns=["k", "k"]),
    pd.DataFrame(np.arange(6.0).reshape(2, 3)), FRAME.b, FRAME.z, pd.Series(["a"], dtype=object, name="n"),
    pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["p", "q"]), pd.date_range("2020", periods=3, name="t"),
    pd.CategoricalIndex(["a", "b"]), pd.IntervalIndex.from_breaks([0, 1, 2]), pd.TimedeltaIndex([1]),
    pd.period_range("2020", periods=2, freq="M"), pd.RangeIndex(3, name="r"), pd.Index(["a", None]),
]  # fmt: skip
CHECKED = {pd.DataFrame: pd.testing.assert_frame_equal, pd.Series: pd.testing.assert_series_equal}


def loaded(value: Any, path: Path, protocol: int = 4) -> Any:
    path.write_bytes(pickle.dumps(value, protocol))
    return safe_load(path)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pandas_comes_back_with_its_types(protocol: int, tmp_path: Path) -> None:
    for value in TABLES:
        found = loaded(value, tmp_path / "x", protocol)
        CHECKED.get(type(value), pd.testing.assert_index_equal)(found, value)
    assert loaded(pd.date_range("2020", periods=3), tmp_path / "x", protocol).freq == pd.offsets.Day()


def test_the_names_that_pandas_2_writes_are_known(tmp_path: Path) -> None:
    content = pickle.dumps(FRAME[["a", "c", "i"]], 2)
    for old, new in (("pandas\nDataFrame", "pandas.core.frame\nDataFrame"),
                     ("pandas\nRangeIndex", "pandas.core.indexes.range\nRangeIndex"),
                     ("pandas\nCategoricalDtype", "pandas.core.dtypes.dtypes\nCategoricalDtype"),
                     ("pandas\nCategorical\n", "pandas.core.arrays.categorical\nCategorical\n"),
                     ("pandas.arrays\nIntegerArray", "pandas.core.arrays.integer\nIntegerArray")):  # fmt: skip
        assert old.encode() in content
        content = content.replace(b"c" + old.encode(), b"c" + new.encode())
    (tmp_path / "x").write_bytes(content)
    pd.testing.assert_frame_equal(safe_load(tmp_path / "x"), FRAME[["a", "c", "i"]])


PLAIN: list[Any] = [
    pd.Timestamp("2020"), pd.Timestamp("2020", tz="Europe/Berlin"), pd.Timedelta(1), pd.NaT, pd.NA, pd.Interval(0, 1),
    pd.Period("2020"), pd.CategoricalDtype(["a"]), fractions.Fraction(1, 3), uuid.UUID(int=5), decimal.Decimal("NaN"),
    argparse.Namespace(a=[1], b=argparse.Namespace(c=np.float32(2))), types.SimpleNamespace(a=1), http.HTTPStatus.OK,
    complex(1, 2), frozenset({1, (2, 3)}), range(3), slice(1, 2), bytearray(b"a"), np.datetime64("2020"), np.True_,
    np.ma.array([1, 2], mask=[0, 1]), np.zeros(2, [("a", "i4")]).view(np.recarray), np.eye(2).view(np.matrix),
    {np.int64(3): 1, np.str_("a"): 2}, {np.float64(1)}, {(np.int64(1), "a"): [np.float32(1)]},
    dt.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")), dt.date(2020, 1, 1), dt.time(1, 2),
]  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_back_as_they_were(protocol: int, tmp_path: Path) -> None:
    for value in PLAIN:
        found = loaded(value, tmp_path / "x", protocol)
        assert repr(found) == repr(value)
        assert type(found) is type(value)


def test_many_small_containers_with_equal_keys_are_no_attack(tmp_path: Path) -> None:
    for protocol in (0, 2, 4):
        value = [(frozenset({(1, np.int64(2))}), {(0, 1): n}, {(0, 1)}) for n in range(1500)]
        assert loaded(value, tmp_path / "x", protocol) == value


@pytest.mark.parametrize("kind", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_generators_go_on_where_they_were(kind: str, tmp_path: Path) -> None:
    ours = np.random.Generator(getattr(np.random, kind)(3))
    ours.standard_normal(7)
    found = loaded(ours, tmp_path / "x")
    assert (found.standard_normal(9) == ours.standard_normal(9)).all()
    assert found.spawn(1)[0].random() == ours.spawn(1)[0].random()


def test_the_old_generator_keeps_its_spare_number(tmp_path: Path) -> None:
    ours = np.random.RandomState(0)
    ours.standard_normal(3)
    assert (loaded(ours, tmp_path / "x").standard_normal(9) == ours.standard_normal(9)).all()


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_sparse_matrices_come_back(kind: str, tmp_path: Path) -> None:
    for suffix in ("matrix", "array"):
        value = getattr(scipy.sparse, f"{kind}_{suffix}")(np.diag([1.0, 0, 2])[:2])
        found = loaded(value, tmp_path / "x")
        assert type(found) is type(value)
        assert found.dtype == value.dtype
        assert (found.toarray() == value.toarray()).all()


X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.digitize(X[:, 1], [-0.5, 0.5])
MODELS: list[Any] = [
    LogisticRegression(), Lasso(), SGDClassifier(), LinearSVC(), SVC(), SVR(), OneClassSVM(), GaussianNB(),
    KNeighborsClassifier(), KNeighborsRegressor(algorithm="ball_tree"), DecisionTreeClassifier(), KMeans(2),
    RandomForestClassifier(2), ExtraTreesRegressor(2), GradientBoostingClassifier(n_estimators=2), MLPClassifier((3,)),
    IsolationForest(n_estimators=2, max_features=2), LinearDiscriminantAnalysis(), AdaBoostClassifier(n_estimators=2),
    CalibratedClassifierCV(LogisticRegression(), cv=2), VotingClassifier([("a", LogisticRegression())]),
    make_pipeline(ColumnTransformer([("a", StandardScaler(), [0, 1]), ("b", MinMaxScaler(), slice(2, 4))]), Lasso()),
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_estimators_predict_as_before(model: Any, tmp_path: Path) -> None:
    model.fit(X, Y)
    joblib.dump(model, tmp_path / "x.joblib")
    for found in (loaded(model, tmp_path / "x"), safe_load(tmp_path / "x.joblib")):
        assert type(found) is type(model)
        assert (found.predict(X) == model.predict(X)).all()
        if hasattr(model, "predict_proba"):
            assert (found.predict_proba(X) == model.predict_proba(X)).all()


def test_transformers_give_the_same_columns(tmp_path: Path) -> None:
    texts = ["a bb ccc dd"] * 3 + ["dd ee"]
    for made, data in ((TfidfVectorizer(), texts), (OneHotEncoder(drop="first"), Y[:, None])):
        made.fit(data)
        assert (loaded(made, tmp_path / "x").transform(data).toarray() == made.transform(data).toarray()).all()


def test_a_class_that_is_not_listed_is_named_with_what_to_do(tmp_path: Path) -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor

    with pytest.raises(InputError, match=r"GaussianProcessRegressor is not on the list .* `mithridate scan`"):
        loaded(GaussianProcessRegressor(), tmp_path / "x")


def test_torch_tensors_of_every_kind_come_back(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    eye = torch.eye(3)
    values = {
        "coo": eye.to_sparse(), "csr": eye.to_sparse_csr(), "bsr": torch.eye(4).to_sparse_bsr((2, 2)),
        "q": torch.quantize_per_tensor(eye, 0.1, 3, torch.qint8),
        "channels": torch.quantize_per_channel(eye, torch.ones(3), torch.zeros(3), 0, torch.quint8),
        "conj": torch.tensor([1 + 2j]).conj(), "neg": torch.tensor([1 + 2j]).conj().imag,
        "buffer": torch.nn.Buffer(eye), "small": torch.ones(2).to(torch.float8_e8m0fnu), "u16": eye.to(torch.uint16),
    }  # fmt: skip
    torch.save(values, tmp_path / "x.pt")
    found = safe_load(tmp_path / "x.pt")
    for name, value in values.items():
        one = found[name]
        assert one.dtype == value.dtype
        assert one.layout == value.layout
        if value.is_quantized:
            assert one.q_scale() == value.q_scale() if name == "q" else one.q_per_channel_axis() == 0
            one, value = one.dequantize(), value.dequantize()  # noqa: PLW2901 - the same, as numbers
        one, value = (part.to_dense() if part.layout != torch.strided else part for part in (one, value))  # noqa: PLW2901 - as above
        assert (one.float() == value.float()).all() if not value.is_complex() else (one == value).all()


@pytest.mark.parametrize("layout", ["sparse_coo", "sparse_csr"])
def test_a_sparse_tensor_with_an_index_outside_is_refused(layout: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    eye = torch.eye(3)
    made = eye.to_sparse() if layout == "sparse_coo" else eye.to_sparse_csr()
    (made._indices() if layout == "sparse_coo" else made.col_indices())[..., 0] = 999  # noqa: SLF001 - the only way to lie
    torch.save(made, tmp_path / "x.pt")
    with pytest.raises(InputError, match="does not fit"):
        safe_load(tmp_path / "x.pt")
