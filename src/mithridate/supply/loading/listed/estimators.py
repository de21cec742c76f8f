"""scikit-learn's estimators, by exact name: an instance without `__init__`, and plain attributes that were checked.

Listed are classes whose predictions are numpy's arithmetic, and those whose compiled code is told nothing that
`checks.py` didn't look at. No `__setstate__` of the library runs but the trees', on nodes that were checked first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mithridate.supply.loading.listed.checks import CHECKS, check_always
from mithridate.supply.loading.listed.plain import attributes, later
from mithridate.supply.loading.listed.trees import neighbour_tree, tree
from mithridate.supply.loading.settle import Name
from mithridate.supply.loading.tensors import DTYPES

_CLASSES = {
    "linear_model._logistic": "LogisticRegression LogisticRegressionCV",
    "linear_model._base": "LinearRegression",
    "linear_model._ridge": "Ridge RidgeCV RidgeClassifier RidgeClassifierCV",
    "linear_model._coordinate_descent": "Lasso LassoCV ElasticNet ElasticNetCV",
    "linear_model._bayes": "BayesianRidge ARDRegression",
    "linear_model._huber": "HuberRegressor",
    "linear_model._stochastic_gradient": "SGDClassifier SGDRegressor",
    "linear_model._perceptron": "Perceptron",
    "linear_model._passive_aggressive": "PassiveAggressiveClassifier PassiveAggressiveRegressor",
    "svm._classes": "LinearSVC LinearSVR SVC SVR NuSVC NuSVR OneClassSVM",
    "naive_bayes": "GaussianNB MultinomialNB BernoulliNB ComplementNB",
    "discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "neighbors._classification": "KNeighborsClassifier",
    "neighbors._regression": "KNeighborsRegressor",
    "neural_network._multilayer_perceptron": "MLPClassifier MLPRegressor",
    "neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "cluster._kmeans": "KMeans MiniBatchKMeans",
    "tree._classes": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
    "ensemble._forest": "RandomForestClassifier RandomForestRegressor ExtraTreesClassifier ExtraTreesRegressor",
    "ensemble._gb": "GradientBoostingClassifier GradientBoostingRegressor",
    "ensemble._iforest": "IsolationForest",
    "ensemble._weight_boosting": "AdaBoostClassifier AdaBoostRegressor",
    "ensemble._bagging": "BaggingClassifier BaggingRegressor",
    "ensemble._voting": "VotingClassifier VotingRegressor",
    "dummy": "DummyClassifier DummyRegressor",
    "calibration": "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration",
    "preprocessing._data": "StandardScaler MinMaxScaler MaxAbsScaler RobustScaler Normalizer Binarizer",
    "preprocessing._encoders": "OneHotEncoder OrdinalEncoder",
    "preprocessing._label": "LabelEncoder LabelBinarizer MultiLabelBinarizer",
    "impute._base": "SimpleImputer",
    "decomposition._pca": "PCA",
    "decomposition._truncated_svd": "TruncatedSVD",
    "feature_extraction.text": "CountVectorizer TfidfVectorizer TfidfTransformer",
    "feature_selection._variance_threshold": "VarianceThreshold",
    "pipeline": "Pipeline FeatureUnion",
    "compose._column_transformer": "ColumnTransformer",
}
_LOSSES = "HalfBinomialLoss HalfMultinomialLoss HalfSquaredError ExponentialLoss"
_ONLY_FITTED_WITH = {  # compiled helpers that predictions never ask; the attribute is None
    "_loss._loss": "CyHalfBinomialLoss CyHalfMultinomialLoss CyHalfSquaredError CyExponentialLoss",
    "_loss.link": "LogitLink HalfLogitLink IdentityLink MultinomialLogit Interval LogLink",
    "linear_model._sgd_fast": "Hinge SquaredHinge Log ModifiedHuber SquaredLoss Huber EpsilonInsensitive"
    " SquaredEpsilonInsensitive",
}
_CLASSES_AT_MOST = 1 << 16


def _class(module: str, name: str) -> Any:
    """The class, from the library's own module of that name; nothing is looked up that isn't in `_CLASSES`."""
    import sklearn

    found: Any = sklearn
    for part in module.split(".")[:1]:
        found = getattr(found, part)
    if name.startswith("_") or module.endswith("_stochastic_optimizers"):
        from sklearn import calibration
        from sklearn.neural_network import _stochastic_optimizers

        found = calibration if module == "calibration" else _stochastic_optimizers
    if module == "feature_extraction.text":
        found = found.text
    return getattr(found, name)


def _estimator(module: str, name: str) -> Callable[..., Any]:
    def finish(arguments: tuple[Any, ...], state: Any) -> Any:
        if arguments:
            raise ValueError("an estimator is made with arguments")
        kept = dict(attributes(state))
        version = kept.pop("_sklearn_version", None)
        kept = {key: _type(value) for key, value in kept.items()}
        cls = _class(module, name)
        _check_names(cls, kept)
        check_always(kept)
        if name in CHECKS:
            CHECKS[name](kept)
        made = cls.__new__(cls)
        made.__dict__.update(kept)
        _warn(name, version)
        return made

    return later(f"sklearn {name}", finish)


def _type(value: Any) -> Any:
    """Numpy's own class, where its name stands for one."""
    import numpy as np

    word = value.removeprefix("numpy.") if isinstance(value, Name) else ""
    return getattr(np, word) if word in DTYPES and hasattr(np, word) else value


def _check_names(cls: Any, kept: dict[str, Any]) -> None:
    """No attribute may stand before a method, or say of what kind the class is."""
    for key in kept:
        if key == "_impl" or callable(getattr(cls, key, None)):
            raise ValueError(f"the attribute {key!r:.60} would replace what the class does")


def _warn(name: str, version: Any) -> None:
    """As scikit-learn's own loading."""
    import warnings

    import sklearn
    from sklearn.exceptions import InconsistentVersionWarning

    if isinstance(version, str) and version != sklearn.__version__:
        warnings.warn(
            InconsistentVersionWarning(
                estimator_name=name, current_sklearn_version=sklearn.__version__, original_sklearn_version=version[:40]
            ),
            stacklevel=2,
        )


def _loss(name: str) -> Callable[..., Any]:
    def finish(_: tuple[Any, ...], state: Any) -> Any:
        from sklearn._loss import loss

        if name == "HalfMultinomialLoss":
            n_classes = int(state["n_classes"])
            if not 1 < n_classes <= _CLASSES_AT_MOST:
                raise ValueError(f"{n_classes} classes")
            return loss.HalfMultinomialLoss(n_classes=n_classes)
        return getattr(loss, name)()

    return later(f"sklearn {name}", finish)


def _bunch(arguments: tuple[Any, ...], state: Any) -> Any:
    from sklearn.utils import Bunch

    pairs = state[1] if isinstance(state, list) else []
    if arguments or not all(isinstance(key, str) and not key.startswith("__") for key, _ in pairs):
        raise ValueError("its names are no texts")
    return Bunch(**dict(pairs))


def _nothing(*_: Any) -> None:
    return None


def _all() -> dict[str, Callable[..., Any]]:
    found = {
        f"sklearn.{module}.{name}": _estimator(module, name)
        for module, names in _CLASSES.items()
        for name in names.split()
    }
    found |= {f"sklearn._loss.loss.{name}": _loss(name) for name in _LOSSES.split()}
    for module, names in _ONLY_FITTED_WITH.items():
        for word in names.split():
            for name in (word, f"__pyx_unpickle_{word}"):
                found[f"sklearn.{module}.{name}"] = later(f"sklearn {word}", _nothing)
    for place in ("sklearn.utils.Bunch", "sklearn.utils._bunch.Bunch"):
        found[place] = later("sklearn Bunch", _bunch)
    found["sklearn.tree._tree.Tree"] = later("sklearn Tree", tree)
    for module, kind in (("_kd_tree", "KDTree"), ("_ball_tree", "BallTree")):
        found[f"sklearn.neighbors.{module}.newObj"] = later(f"sklearn {kind}", neighbour_tree)
        found[f"sklearn.neighbors.{module}.{kind}"] = found[f"sklearn.neighbors.{module}.newObj"]
    found["sklearn.metrics._dist_metrics.newObj"] = later("sklearn distance", lambda arguments, _: str(arguments[0]))
    for kind in ("EuclideanDistance64", "ManhattanDistance64", "ChebyshevDistance64"):
        found[f"sklearn.metrics._dist_metrics.{kind}"] = found["sklearn.metrics._dist_metrics.newObj"]
    return found


ESTIMATORS = _all()
