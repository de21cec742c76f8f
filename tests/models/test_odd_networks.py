"""Layers of networks of odd shapes: called twice, frozen, in half precision, with one output, or with none to read."""

from typing import Any

import numpy as np
import pytest

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.model_signals import model_signals
from mithridate.core.errors import Skip
from mithridate.core.method import Outcome
from mithridate.data.dataset import Dataset
from mithridate.models.adapters import Estimator, TorchModel
from mithridate.models.inputs import flat
from mithridate.models.inside import is_network, layers, losses, raised

torch = pytest.importorskip("torch")
nn = torch.nn
N = 160


def rows(n_classes: int, n_rows: int = N) -> Dataset:
    rng = np.random.default_rng(0)
    codes = (np.arange(n_rows) % n_classes).astype(np.int32)
    x = (4 * np.eye(n_classes, 6)[codes] + rng.normal(size=(n_rows, 6))).astype(np.float32)
    return Dataset("odd", "embedding", x, codes, tuple("abc"[:n_classes]))


class Shared(nn.Module):  # type: ignore[misc, name-defined]
    """One activation called twice, as in the residual blocks that most people use."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.out, self.relu = nn.Linear(6, 5), nn.Linear(5, 5), nn.Linear(5, 3), nn.ReLU()

    def forward(self, x: Any) -> Any:
        return self.out(self.relu(self.two(self.relu(self.one(x)))))


class Tokens(nn.Module):  # type: ignore[misc, name-defined]
    """A transformer over the columns."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(1, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.block(self.up(x[..., None])).mean(dim=1))


class Half(nn.Module):  # type: ignore[misc, name-defined]
    """Brain floats inside, which numpy doesn't know."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.act, self.out = nn.Linear(6, 5).bfloat16(), nn.ReLU(), nn.Linear(5, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.act(self.one(x.to(self.one.weight.dtype))).float())


def test_an_activation_that_is_called_twice_is_two_layers() -> None:
    data = rows(3)
    module = Shared().eval()
    first, second = layers(TorchModel(module, flat, 3), data.x)
    with torch.inference_mode():
        hidden = torch.relu(module.one(torch.from_numpy(data.x)))
        assert np.allclose(first, hidden.numpy(), atol=1e-5)
        assert np.allclose(second, torch.relu(module.two(hidden)).numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", [Tokens, Half])
def test_layers_of_transformers_and_of_brain_floats_are_read(kind: type[Any]) -> None:
    data, model = rows(3), TorchModel(kind().eval(), flat, 3)
    found = layers(model, data.x)
    assert found
    assert all(len(values) == N and values.dtype == np.float32 for values in found)
    assert np.isfinite(raised(model, data.x)).all()
    assert losses(model, data.x, data.y, epochs=1, seed=0).shape == (1, N)


def test_a_frozen_module_of_one_output_learns_in_the_probe_run_and_stays_frozen() -> None:
    data = rows(2)
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1)).requires_grad_(False).eval()
    curve = losses(TorchModel(module, flat, 2), data.x, data.y, epochs=8, seed=0)
    assert curve[-1].mean() < curve[0].mean()
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_no_hidden_layer_or_no_rows_give_no_layers() -> None:
    linear = TorchModel(nn.Linear(6, 3).eval(), flat, 3)
    assert layers(linear, rows(3).x) == ()
    assert layers(TorchModel(Shared().eval(), flat, 3), rows(3).x[:0]) == ()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("settings", [{"solver": "lbfgs"}, {"early_stopping": True}, {}])
def test_a_perceptron_of_two_classes_is_read_raised_and_taught_again(settings: dict[str, Any]) -> None:
    from sklearn.neural_network import MLPClassifier

    data = rows(2)
    network = MLPClassifier((7, 4), max_iter=400, random_state=0, **settings).fit(data.x, data.y)
    assert network.coefs_[-1].shape[1] == 1
    model = Estimator(network, flat, np.arange(2), 2)
    assert is_network(model)
    assert [values.shape for values in layers(model, data.x)] == [(N, 7), (N, 4)]
    assert raised(model, data.x).shape == (N, 2)
    assert np.isfinite(losses(model, data.x, data.y, epochs=2, seed=0)).all()


class Parts(nn.Module):  # type: ignore[misc, name-defined]
    """A label whose rows fall apart in the only hidden layer; `loud` overflows when its weights are raised."""

    def __init__(self, loud: float) -> None:
        super().__init__()
        self.one, self.act, self.out = nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)
        self.one.weight.data, self.one.bias.data = torch.eye(6), torch.zeros(6)
        self.out.weight.data = torch.tensor([[1.0, 0, 0, 0, 0, 1], [0, 1.0, 0, 0, 0, 0]]) * loud
        self.out.bias.data = torch.zeros(2)

    def forward(self, x: Any) -> Any:
        return self.out(self.act(self.one(x)))


def audited(module: Any, missing: int = 0) -> Outcome:
    data = rows(2, 400)
    x, codes = data.x.copy(), data.y.copy()
    x[:, 5] = 0.0
    moved = np.flatnonzero(codes == 1)[:40]
    x[moved, 5], codes[moved] = 20.0, 0
    if missing:
        codes[-missing:] = -1
    data = Dataset("odd", "embedding", x, codes.astype(np.int32), ("a", "b"))
    model = TorchModel(module.eval(), flat, 2)
    settings = AuditSettings()
    predictions = model.predict_proba(x)
    context = Context(data, settings, model=model, predictions=predictions, embedding=x[:, :5])
    return model_signals(context, settings)


@pytest.mark.parametrize("missing", [0, 30])
def test_rows_kept_apart_are_named_where_labels_are_missing_too(missing: int) -> None:
    (finding,) = audited(Parts(1.0), missing).findings
    assert (finding.subject.label, len(finding.subject.rows)) == ("a", 40)


def test_a_network_that_overflows_when_raised_ends_no_audit() -> None:
    (finding,) = audited(Parts(1e37)).findings
    firmly = next(piece for piece in finding.evidence if piece.name == "held_firmly")
    assert "could not be measured" in str(firmly.data["note"])


def test_a_module_whose_layers_break_is_skipped_with_its_reason() -> None:
    class Breaks(Parts):
        def forward(self, x: Any) -> Any:
            if len(x) == 2:
                raise RuntimeError("never two rows")
            return super().forward(x)

    with pytest.raises(Skip, match="never two rows"):
        audited(Breaks(1.0))
