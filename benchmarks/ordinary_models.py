"""Ordinary models: estimators, networks and trees of several libraries, saved as their libraries save them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ordinary_files import Maker

ROWS = 120
ALL = range(6)  # every pickle protocol


def estimators(make: Maker) -> None:
    """scikit-learn: every estimator that fits plain data, by pickle and joblib in turn, and pipelines."""
    import joblib
    import numpy as np
    from sklearn import compose, ensemble, feature_extraction, linear_model, model_selection, pipeline, preprocessing
    from sklearn.utils import all_estimators

    rng = np.random.default_rng(0)
    x, y = np.abs(rng.normal(size=(ROWS, 6))), rng.integers(0, 2, ROWS)
    packers: list[Any] = [0, 3, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)]
    for position, (name, cls) in enumerate(all_estimators()):
        try:
            fitted = cls().fit(x, y)
        except Exception:  # noqa: BLE001, S112 - wants other data than these
            continue
        make.pickled(f"sklearn-{name}", fitted, range(position % 6, position % 6 + 1))
        pack = packers[position % len(packers)]
        make.write(f"sklearn-{name}.joblib", lambda path, m=fitted, p=pack: joblib.dump(m, path, compress=p))  # type: ignore[misc]
    forest = ensemble.RandomForestClassifier(5).fit(x, y)
    columns = compose.ColumnTransformer(
        [("a", preprocessing.StandardScaler(), [0, 1]), ("b", preprocessing.FunctionTransformer(np.log1p), [2])]
    )
    joined = pipeline.make_pipeline(columns, linear_model.LogisticRegression()).fit(x, y)
    words = pipeline.make_pipeline(feature_extraction.text.TfidfVectorizer(), linear_model.SGDClassifier()).fit(
        ["red sky", "blue sea"] * 20, [0, 1] * 20
    )
    split = feature_extraction.text.TfidfVectorizer(tokenizer=str.split, token_pattern=None).fit(["red sky"])
    search = model_selection.GridSearchCV(linear_model.Ridge(), {"alpha": [1, 2]}).fit(x, y)
    for name, model in {"forest": forest, "pipeline": joined, "words": words, "search": search, "split": split}.items():
        make.pickled(f"sklearn-{name}", model, ALL)
        for pack in packers:
            make.write(
                f"sklearn-{name}.{pack if isinstance(pack, int) else pack[0]}.joblib",
                lambda path, m=model, p=pack: joblib.dump(m, path, compress=p),
            )  # type: ignore[misc]
    make.write(
        "joblib-arrays.joblib",
        lambda path: joblib.dump({"x": x, "y": [y, y.astype("U3")], "o": np.array([1, "a"], dtype=object)}, path),
    )
    try:
        import skops.io as skops
    except ImportError:
        return
    for name, model in {"forest": forest, "pipeline": joined, "words": words, "search": search}.items():
        make.write(f"skops-{name}.skops", lambda path, m=model: skops.dump(m, path))  # type: ignore[misc]


def networks(make: Maker) -> None:
    """PyTorch: tensors, modules, optimisers, checkpoints, scripts, exported programs; new and old files."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    small = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 2))
    larger = {
        "conv": nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 13 * 13, 2)),
        "rnn": nn.LSTM(4, 5, 2),
        "attention": nn.TransformerEncoderLayer(8, 2),
        "embedding": nn.ModuleDict({"e": nn.Embedding(9, 3), "l": nn.ModuleList([nn.GELU(), nn.LayerNorm(3)])}),
        "parametrised": nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)),
    }
    optimiser = torch.optim.AdamW(small.parameters())
    small(torch.randn(9, 6)).sum().backward()
    optimiser.step()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 5)
    things: dict[str, Any] = {
        "tensor": torch.randn(5, 5),
        "half": torch.randn(5).half(),
        "bfloat": torch.randn(5).bfloat16(),
        "int": torch.arange(9),
        "bool": torch.tensor([True]),
        "complex": torch.randn(3, dtype=torch.complex64),
        "sparse": torch.eye(4).to_sparse(),
        "quantised": torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8),
        "parameter": nn.Parameter(torch.randn(2)),
        "size": [torch.Size([1]), torch.float32, torch.device("cpu")],
        "state": small.state_dict(),
        "module": small,
        "optimiser": optimiser.state_dict(),
        "checkpoint": {
            "epoch": 3,
            "model": small.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
            "loss": 0.1,
        },
        "random": torch.get_rng_state(),
        "noise": torch.randint(0, 256, (50_000,), dtype=torch.uint8),
        **larger,
        **{f"{k}-state": v.state_dict() for k, v in larger.items()},
    }
    for name, thing in things.items():
        make.write(f"torch-{name}.pt", lambda path, t=thing: torch.save(t, path))  # type: ignore[misc]
        make.write(
            f"torch-{name}.old.pth", lambda path, t=thing: torch.save(t, path, _use_new_zipfile_serialization=False)
        )  # type: ignore[misc]
        make.pickled(f"torch-{name}", thing, range(2, 6))
        make.write(f"torch-{name}.p4.pt", lambda path, t=thing: torch.save(t, path, pickle_protocol=4))  # type: ignore[misc]
    make.write("torch-script.pt", lambda path: torch.jit.script(small.eval()).save(str(path)))
    make.write("torch-trace.pt", lambda path: torch.jit.trace(small.eval(), torch.randn(2, 6)).save(str(path)))
    make.write(
        "torch-export.pt2",
        lambda path: torch.export.save(torch.export.export(small.eval(), (torch.randn(2, 6),)), path),
    )
    from safetensors.torch import save_file

    make.write("torch.safetensors", lambda path: save_file(small.state_dict(), path, metadata={"format": "pt"}))


def trees(make: Maker) -> None:
    """XGBoost, LightGBM, CatBoost: estimators by pickle and joblib, boosters in their own formats."""
    import joblib
    import lightgbm
    import numpy as np
    import xgboost

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(ROWS, 6)), rng.integers(0, 2, ROWS)
    models: dict[str, Any] = {
        "xgboost": xgboost.XGBClassifier(n_estimators=4).fit(x, y),
        "xgboost-regressor": xgboost.XGBRegressor(n_estimators=4).fit(x, y),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=4, verbose=-1).fit(x, y),
        "lightgbm-ranker": lightgbm.LGBMRanker(n_estimators=4, verbose=-1).fit(x, y, group=[ROWS]),
    }
    boosters = {"xgboost-booster": models["xgboost"].get_booster(), "lightgbm-booster": models["lightgbm"].booster_}
    try:
        import catboost

        models["catboost"] = catboost.CatBoostClassifier(iterations=4, verbose=False, allow_writing_files=False).fit(
            x, y
        )
    except ImportError:
        pass
    for name, model in {**models, **boosters}.items():
        make.pickled(f"{name}", model, ALL)
        make.write(f"{name}.joblib", lambda path, m=model: joblib.dump(m, path))  # type: ignore[misc]
        make.write(f"{name}.xz.joblib", lambda path, m=model: joblib.dump(m, path, compress="xz"))  # type: ignore[misc]
    for suffix in ("json", "ubj"):
        make.write(f"xgboost.{suffix}", boosters["xgboost-booster"].save_model)
    make.write("lightgbm.txt", boosters["lightgbm-booster"].save_model)
    if "catboost" in models:
        make.write("catboost.cbm", lambda path: models["catboost"].save_model(str(path)))
        make.write("catboost.json", lambda path: models["catboost"].save_model(str(path), format="json"))
