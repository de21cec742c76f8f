from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mithridate.compute import Workers
from mithridate.core.errors import InputError, MissingExtra
from mithridate.data.dataset import Dataset
from mithridate.models import recipes
from mithridate.models.evaluate import clean_accuracy, probabilities
from mithridate.models.out_of_sample import out_of_sample
from mithridate.models.recipes import BUILTIN, recipe

FITS = [
    ("mlp", "images", 0.9),
    ("cnn", "images", 0.9),
    ("logistic", "images", 0.9),
    ("gbdt", "images", 0.85),
    ("gbdt", "table", 0.75),
    ("logistic", "table", 0.75),
    ("mlp", "table", 0.75),
    ("text-linear", "texts", 0.9),
    ("logistic", "texts", 0.9),
    ("mlp", "texts", 0.9),
    ("gbdt", "texts", 0.7),
    ("mlp", "embedding", 0.9),
    ("logistic", "embedding", 0.9),
]


def split(data: Dataset, share: float = 0.6) -> tuple[Dataset, Dataset]:
    order = np.random.default_rng(0).permutation(len(data))
    cut = int(share * len(data))
    return data.take(order[:cut]), data.take(order[cut:])


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the command runs, with the user's own recipes."""
    body = """
        import numpy as np
        from sklearn.linear_model import LogisticRegression
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.pipeline import make_pipeline

        def fitted(dataset, seed):
            x = np.asarray(dataset.x).reshape(len(dataset.y), -1)
            return LogisticRegression(max_iter=50).fit(x, dataset.y)

        def estimator():
            return LogisticRegression(max_iter=50)

        def pipeline():
            return make_pipeline(CountVectorizer(), LogisticRegression())

        def module():
            from torch import nn
            return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))

        def one_output():
            from torch import nn
            return nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, 1))

        def broken(dataset, seed):
            raise KeyError("weights")

        def nothing():
            return 3
    """
    name = f"user_recipes_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(body))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def spec(user: Path, function: str) -> str:
    return f"user_recipes_{user.name}:{function}"


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
@pytest.mark.parametrize(("name", "fixture", "least"), FITS)
def test_a_built_in_recipe_learns(request: pytest.FixtureRequest, name: str, fixture: str, least: float) -> None:
    data: Dataset = request.getfixturevalue(fixture)
    data = data.take(np.arange(min(len(data), 1000 if name == "gbdt" else 3000)))
    train, test = split(data)
    model = recipe(name)(train, 0)
    assert clean_accuracy(model, train).value >= least
    assert clean_accuracy(model, test).value >= least - 0.05
    outputs = probabilities(model, test)
    assert outputs.dtype == np.float32
    assert outputs.shape == (len(test), data.n_classes)
    assert np.allclose(outputs.sum(axis=1), 1, atol=1e-4)
    assert np.allclose(outputs, model.predict_proba(test.x), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "fixture"),
    [("mlp", "images"), ("cnn", "images"), ("gbdt", "table"), ("logistic", "table"), ("text-linear", "texts")],
)
def test_the_same_seed_gives_the_same_model_whatever_the_row_order(
    request: pytest.FixtureRequest, name: str, fixture: str
) -> None:
    data: Dataset = request.getfixturevalue(fixture).take(np.arange(400))
    shuffled = data.take(np.random.default_rng(1).permutation(len(data)))
    first, second = (probabilities(recipe(name)(rows, 3), data) for rows in (data, shuffled))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", BUILTIN)
def test_a_missing_class_has_its_column_and_one_class_is_a_constant(request: pytest.FixtureRequest, name: str) -> None:
    data: Dataset = request.getfixturevalue("texts" if name == "text-linear" else "images").take(np.arange(200))
    without = data.take(np.flatnonzero(data.y != 1))
    outputs = probabilities(recipe(name)(without, 0), data)
    assert outputs.shape == (len(data), data.n_classes)
    assert outputs[:, 1].mean() < 0.1
    only = probabilities(recipe(name)(data.take(np.flatnonzero(data.y == 2)), 0), data)
    assert (only.argmax(axis=1) == 2).all()


def test_missing_labels_are_left_out_and_no_label_is_an_error(images: Dataset) -> None:
    rows = images.take(np.arange(300))
    codes = rows.y.copy()
    codes[::2] = -1
    holes = Dataset("holes", "image", rows.content, codes=codes, classes=rows.classes)
    assert recipe("logistic")(holes, 0).predict_proba(rows.x).shape == (300, 10)
    none = Dataset("none", "image", rows.content, codes=np.full(300, -1, np.int32), classes=rows.classes)
    with pytest.raises(InputError, match="no labelled row"):
        recipe("logistic")(none, 0)


def test_cells_that_are_missing_or_new_do_not_stop_a_table_model(table: Dataset) -> None:
    train, test = split(table.take(np.arange(600)))
    frame = test.frame().astype({"job": object})
    frame.loc[:5, "job"], frame.loc[:5, "pay"] = "astronaut", np.nan
    frame.loc[6:9, "town"] = None
    for name in ("gbdt", "logistic", "mlp"):
        assert np.isfinite(recipe(name)(train, 0).predict_proba(frame)).all()
    with pytest.raises(InputError, match="lack"):
        recipe("gbdt")(train, 0).predict_proba(frame.drop(columns=["town"]))


@pytest.mark.parametrize(
    ("name", "fixture", "words"),
    [("cnn", "table", "takes images"), ("text-linear", "images", "takes texts"), ("cnn", "texts", "takes images")],
)
def test_a_recipe_says_what_it_takes(request: pytest.FixtureRequest, name: str, fixture: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        recipe(name)(request.getfixturevalue(fixture), 0)


def test_texts_without_words_or_letters() -> None:
    marks = np.array(["!!", "??"] * 20, dtype=object)
    codes = np.array([0, 1] * 20, np.int32)
    data = Dataset("marks", "text", marks, codes=codes, classes=("a", "b"))
    assert clean_accuracy(recipe("text-linear")(data, 0), data).value == 1
    empty = Dataset("empty", "text", np.array([""] * 40, dtype=object), codes=codes, classes=("a", "b"))
    with pytest.raises(InputError, match="every text is empty"):
        recipe("text-linear")(empty, 0)


@pytest.mark.parametrize("function", ["fitted", "estimator", "module"])
def test_the_users_own_function_makes_the_model(images: Dataset, user: Path, function: str) -> None:
    train, test = split(images)
    assert clean_accuracy(recipe(spec(user, function))(train, 0), test).value > 0.88


def test_an_estimator_that_takes_no_words_gets_numbers(table: Dataset, texts: Dataset, user: Path) -> None:
    assert clean_accuracy(recipe(spec(user, "estimator"))(table, 0), table).value > 0.75
    assert clean_accuracy(recipe(spec(user, "estimator"))(texts, 0), texts).value > 0.9
    assert clean_accuracy(recipe(spec(user, "pipeline"))(texts, 0), texts).value > 0.9
    assert clean_accuracy(recipe(spec(user, "one_output"))(table, 0), table).value > 0.75


def test_a_recipe_trains_in_a_worker_too(images: Dataset, user: Path) -> None:
    rows = images.take(np.arange(200))
    make = recipe(spec(user, "fitted"))
    here = out_of_sample(rows, make, folds=2)
    there = out_of_sample(rows, make, folds=2, executor=Workers(2))
    assert np.allclose(here, there, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("forest", "no recipe 'forest'"),
        ("no_such_module_here:make", "can't be loaded"),
        ("math:no_such_function", "has no function"),
        ("a b:c", "no recipe"),
    ],
)
def test_an_unknown_recipe_is_a_clear_error(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        recipe(text)


def test_a_recipe_that_fails_or_gives_no_model_is_a_clear_error(images: Dataset, user: Path) -> None:
    with pytest.raises(InputError, match="failed: KeyError"):
        recipe(spec(user, "broken"))(images, 0)
    with pytest.raises(InputError, match="must return an untrained"):
        recipe(spec(user, "nothing"))(images, 0)
    with pytest.raises(InputError, match="one a class"):
        recipe(spec(user, "one_output"))(images.take(np.arange(50)), 0)


def test_cnn_without_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'mithridate\[torch\]'"):
        recipe("cnn")


def test_naming_a_recipe_loads_nothing_heavy() -> None:
    code = (
        "import sys; from mithridate.models.recipes import recipe; recipe('mlp')\n"
        "print([m for m in ('torch', 'sklearn', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
