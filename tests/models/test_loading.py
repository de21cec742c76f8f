from __future__ import annotations

import io
import pickle
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.loading import fitted_model
from mithridate.models.skops_file import _check_tree

torch = pytest.importorskip("torch")
skops = pytest.importorskip("skops.io")


class Bomb:
    def __reduce__(self) -> Any:
        return (open, ("exploded", "w"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    body = """
        import numpy as np

        def module():
            from torch import nn
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

        class Own:
            def predict_proba(self, x):
                assert x.shape[1:] == (64,) and x.dtype == np.float32
                return np.eye(10)[np.zeros(len(x), int)]

        def own():
            return Own()

        def wrong():
            return "a model"

        def needs(path):
            return None
    """
    (tmp_path / f"own_models_{tmp_path.name}.py").write_text(textwrap.dedent(body))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def spec(folder: Path, function: str) -> str:
    return f"own_models_{folder.name}:{function}"


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_state_dict_fills_the_module_of_the_recipe(images: Dataset, folder: Path, suffix: str) -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    path = folder / f"model{suffix}"
    if suffix == ".pt":
        torch.save(module.state_dict(), path)
    else:
        pytest.importorskip("safetensors.torch").save_file(module.state_dict(), path)
    outputs = fitted_model(str(path), images, spec(folder, "module")).predict_proba(images.x)
    with torch.inference_mode():
        wanted = module(torch.from_numpy(images.x.transpose(0, 3, 1, 2).copy())).softmax(dim=1).numpy()
    assert np.allclose(outputs, wanted, atol=1e-5)
    with pytest.raises(InputError, match="weights alone"):
        fitted_model(str(path), images)
    with pytest.raises(InputError, match="doesn't fit"):
        fitted_model(str(path), images, "cnn")


@pytest.mark.parametrize("labels", ["codes", "stored"])
@pytest.mark.parametrize("kind", [LogisticRegression, RandomForestClassifier, HistGradientBoostingClassifier])
def test_a_skops_file_predicts_in_label_order(embedding: Dataset, folder: Path, kind: Any, labels: str) -> None:
    y = embedding.y if labels == "codes" else np.array(embedding.classes)[embedding.y]
    rows = embedding.y != 2  # a model that never saw a class, so that its columns must be matched by label
    model = kind(max_iter=10) if kind is HistGradientBoostingClassifier else kind()
    model.fit(embedding.x[rows], y[rows])
    skops.dump(model, folder / "model.skops")
    if labels == "codes":
        labels_known = {str(label) for label in embedding.classes}
        assert not {"0"} <= labels_known
    outputs = fitted_model(str(folder / "model.skops"), embedding).predict_proba(embedding.x)
    assert outputs.shape == (len(embedding), 4)
    assert (outputs[:, 2] == 0).all()
    assert (outputs[rows].argmax(axis=1) == embedding.y[rows]).mean() > 0.9


def test_a_skops_file_with_an_untrusted_type_is_refused(images: Dataset, folder: Path) -> None:
    model = LogisticRegression().fit(images.x.reshape(len(images), -1)[:100], images.y[:100])
    model.hook = np.random.default_rng  # a function that skops doesn't know
    model.extra = Path("secret")
    skops.dump(model, folder / "model.skops")
    with pytest.raises(InputError, match="aren't trusted"):
        fitted_model(str(folder / "model.skops"), images)


def test_a_tree_that_points_outside_itself_is_refused() -> None:
    class Tree:
        children_left, children_right = np.array([1, -1, -1]), np.array([2, -1, -1])
        feature, n_features, node_count = np.array([0, -2, -2]), 3, 3

    _check_tree(Tree(), "good.skops", 3)
    for name, values in (("children_right", [7, -1, -1]), ("children_left", [0, -1, -1]), ("feature", [3, -2, -2])):
        bad = type("Tree", (Tree,), {name: np.array(values)})()
        with pytest.raises(InputError, match="damaged tree"):
            _check_tree(bad, "bad.skops", 3)


def test_a_pickle_is_never_loaded(images: Dataset, folder: Path) -> None:
    for name in ("model.pkl", "model.joblib", "model.pt", "model.skops", "model.safetensors"):
        (folder / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(InputError, match=name):
            fitted_model(name, images, spec(folder, "module"))
    torch.save({"weight": Bomb()}, folder / "zipped.pt")
    with pytest.raises(InputError, match="plain state dict"):
        fitted_model("zipped.pt", images, spec(folder, "module"))
    assert not (folder / "exploded").exists()


@pytest.mark.parametrize("suffix", [".pt", ".skops", ".safetensors"])
def test_a_damaged_file_is_a_clear_error(images: Dataset, folder: Path, suffix: str) -> None:
    empty_zip = io.BytesIO()
    zipfile.ZipFile(empty_zip, "w").close()
    for body in (b"", b"nonsense", empty_zip.getvalue()):
        (folder / f"model{suffix}").write_bytes(body)
        with pytest.raises(InputError, match="model"):
            fitted_model(f"model{suffix}", images, spec(folder, "module"))
    with pytest.raises(InputError, match="no file"):
        fitted_model(f"absent{suffix}", images, spec(folder, "module"))


def test_the_users_object_gets_flat_rows(images: Dataset, folder: Path) -> None:
    assert (fitted_model(spec(folder, "own"), images).predict_proba(images.x).argmax(axis=1) == 0).all()
    assert fitted_model(spec(folder, "module"), images).predict_proba(images.x).shape == (len(images), 10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model.onnx", "can't be loaded yet"),
        ("model.pt2", "can't be loaded yet"),
        ("http://host/v2/models/m", "can't be asked yet"),
        ("model.bin", "is no model"),
    ],
)
def test_forms_that_come_later_say_so(images: Dataset, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fitted_model(text, images)


def test_a_function_that_gives_no_model_is_a_clear_error(images: Dataset, folder: Path) -> None:
    with pytest.raises(InputError, match="str is neither"):
        fitted_model(spec(folder, "wrong"), images)
    with pytest.raises(InputError, match="no arguments"):
        fitted_model(spec(folder, "needs"), images)
