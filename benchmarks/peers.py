"""The peers: what a user can do today with cleanlab, pyod, ART, aegis-scan-ai and plain nearest neighbours.

Each is used as its documentation says, and kindly where there is a choice: pyod and ART's spectral defence are told the
true poison rate; ART gets the penultimate layer (it reads a model's last one), and so do aegis-scan-ai's detectors;
every one gives a score for all rows, so that all are judged alike. Out-of-fold probabilities come from 2 folds.
Training is timed apart from detection.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from metrics import Bools, Floats
from mithridate.data.dataset import Dataset
from networks import Network, penultimate, probabilities, train

WORDS = 5_000
WIDTH = 64  # of the label-free embedding
NEIGHBOURS = 20
LEVELS = 30  # most common values of a column that get a column of their own

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One peer's answer: (n,) score, higher = more suspect; its own flags if it gives any; seconds of its own work."""

    score: Floats
    flagged: Bools | None
    seconds: float
    fit_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """What a peer is given: the poisoned rows, and the true rate for those that ask for it."""

    dataset: Dataset
    rate: float
    seed: int
    scale: float = 1.0

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(n,) class codes; one class where there are no labels."""
        if self.dataset.codes is None:
            return np.zeros(len(self.dataset), dtype=np.int64)
        return self.dataset.y.astype(np.int64)


def flat(dataset: Dataset) -> Matrix:
    """(n, d) float32: pixels in [0, 1], standardised columns and 0/1 values, or TF-IDF of the commonest words."""
    if dataset.modality == "table":
        return columns(cast("pa.Table", dataset.content))
    if dataset.modality == "text":
        from sklearn.feature_extraction.text import TfidfVectorizer

        words = TfidfVectorizer(max_features=WORDS, sublinear_tf=True, dtype=np.float32)
        texts = dataset.x if not dataset.response_name else with_responses(dataset)
        return cast("Matrix", words.fit_transform(texts).toarray())
    return np.ascontiguousarray(dataset.x.reshape(len(dataset), -1))


def with_responses(dataset: Dataset) -> list[str]:
    """Prompt and response of each row as one text."""
    answers = cast("pa.Table", dataset.beside)[dataset.response_name].to_pylist()
    return [f"{prompt} {answer}" for prompt, answer in zip(dataset.x, answers, strict=True)]


def columns(table: pa.Table) -> Matrix:
    """Numbers standardised (missing: the mean), words and truth values one column for each common value."""
    parts = []
    for values in table.to_pandas().items():
        column = values[1]
        if column.dtype.kind in "iuf":
            number = column.to_numpy(dtype=np.float64)
            number = np.nan_to_num((number - np.nanmean(number)) / (np.nanstd(number) or 1.0))
            parts.append(number[:, None])
        else:
            named = column.astype(str).to_numpy()
            common = column.astype(str).value_counts().index[:LEVELS].to_numpy()
            parts.append(named[:, None] == common[None, :])
    return np.hstack(parts).astype(np.float32)


def embed(matrix: Matrix, modality: str) -> Matrix:
    """(n, at most 64): principal components; for text the truncated SVD of TF-IDF, rows of length 1."""
    from sklearn.decomposition import PCA, TruncatedSVD

    width = min(WIDTH, matrix.shape[1] - 1)
    if modality != "text":
        return cast("Matrix", PCA(width, svd_solver="randomized", random_state=0).fit_transform(matrix))
    reduced = TruncatedSVD(width, random_state=0).fit_transform(matrix)
    return cast("Matrix", reduced / np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-9))


def content(task: Task) -> dict[str, Verdict]:
    """Peers that need no network: neighbours, pyod on the content, cleanlab on a classical model."""
    clock = time.perf_counter()
    matrix = flat(task.dataset)
    embedded = embed(matrix, task.dataset.modality)
    ready = time.perf_counter() - clock
    strange = {
        f"pyod {kind} on content": timed(partial(outliers, kind, embedded, task), ready) for kind in ("IForest", "ECOD")
    }
    if task.dataset.codes is None:  # neighbours and cleanlab ask for labels
        return strange
    clock = time.perf_counter()
    out_of_fold = classical(matrix, embedded, task)
    fitted = time.perf_counter() - clock
    name = {"table": "gbdt"}.get(task.dataset.modality, "logistic")
    return {
        "knn on content": timed(lambda: neighbours(embedded, task), ready),
        **strange,
        **cleanlab(out_of_fold, fitted, task, name),
    }


def network(task: Task, kind: str) -> dict[str, Verdict]:
    """Peers on a network: ART and pyod on its features, cleanlab on its probabilities (of `mlp`; `cnn` did worse)."""
    matrix = flat(task.dataset)
    shape = task.dataset.content.shape[1:] if task.dataset.modality == "image" else None
    make = partial(train, kind=kind, shape=shape, n_classes=task.dataset.n_classes, seed=task.seed, scale=task.scale)
    clock = time.perf_counter()
    model = make(matrix, task.labels)
    features = penultimate(model, matrix)
    one = time.perf_counter() - clock
    return {
        **(cleanlab(*halves(matrix, task, make), task, kind) if kind == "mlp" else {}),
        **{f"ART activation {how} {kind}": timed(partial(activation, model, matrix, task, how), one)
           for how in ("smaller", "silhouette-scores")},
        f"ART spectral {kind}": timed(partial(spectral, model, matrix, features, task), one),
        f"aegis fused {kind}": timed(partial(aegis, features, task), one),
        **{f"pyod {name} on {kind}": timed(partial(outliers, name, features, task), one)
           for name in ("IForest", "ECOD")},
    }  # fmt: skip


def halves(matrix: Matrix, task: Task, make: Callable[..., Network]) -> tuple[Matrix, float]:
    """Out-of-fold probabilities of a network, and the seconds they took."""
    clock = time.perf_counter()
    out = folds(matrix, task, lambda rows: partial(probabilities, make(matrix[rows], task.labels[rows])))
    return out, time.perf_counter() - clock


def timed(work: Callable[[], tuple[Floats, Bools | None]], fit_seconds: float) -> Verdict:
    """The answer and how long it took, beside what had to be computed before."""
    clock = time.perf_counter()
    np.random.seed(0)  # noqa: NPY002 - ART's clustering draws from the global generator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score, flagged = work()
    return Verdict(score, flagged, time.perf_counter() - clock, fit_seconds)


def folds(matrix: Any, task: Task, fit: Callable[[npt.NDArray[np.int64]], Callable[[Any], Matrix]]) -> Matrix:
    """(n, c) out-of-fold probabilities from 2 stratified folds."""
    from sklearn.model_selection import StratifiedKFold

    out = np.zeros((len(task.labels), task.dataset.n_classes), dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for inside, outside in StratifiedKFold(2, shuffle=True, random_state=task.seed).split(task.labels, task.labels):
            out[outside] = fit(inside)(matrix[outside])
    return out


def classical(matrix: Matrix, embedded: Matrix, task: Task) -> Matrix:
    """Out-of-fold probabilities: logistic regression (images: PCA, text: TF-IDF) or boosted trees (tables)."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if task.dataset.modality == "table":
        return folds(matrix, task, lambda rows: HistGradientBoostingClassifier(random_state=task.seed)
                     .fit(matrix[rows], task.labels[rows]).predict_proba)  # fmt: skip
    from scipy.sparse import csr_array

    given: Any = csr_array(matrix) if task.dataset.modality == "text" else embedded
    return folds(given, task, lambda rows: LogisticRegression(C=10.0, max_iter=200)
                 .fit(given[rows], task.labels[rows]).predict_proba)  # fmt: skip


def neighbours(embedded: Matrix, task: Task) -> tuple[Floats, None]:
    """Share of a row's 20 nearest rows with another label."""
    import faiss

    index = faiss.IndexFlatL2(embedded.shape[1])
    index.add(np.ascontiguousarray(embedded, dtype=np.float32))
    _, near = index.search(np.ascontiguousarray(embedded, dtype=np.float32), NEIGHBOURS + 1)
    other = task.labels[near] != task.labels[:, None]
    other[near == np.arange(len(near))[:, None]] = False
    return other.sum(axis=1) / NEIGHBOURS, None


def cleanlab(out_of_fold: Matrix, fit_seconds: float, task: Task, model: str) -> dict[str, Verdict]:
    """Normalised margin, and self-confidence (what Datalab ranks label issues by); flags of `find_label_issues`."""
    safe = np.clip(out_of_fold, 1e-9, None)
    safe = safe / safe.sum(axis=1, keepdims=True)
    return {
        f"cleanlab {method} {model}": timed(partial(label_quality, safe, task, method), fit_seconds)
        for method in ("normalized_margin", "self_confidence")
    }


def label_quality(out_of_fold: Matrix, task: Task, method: str) -> tuple[Floats, Bools]:
    """1 - cleanlab's label quality, and its yes/no answer."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    quality = get_label_quality_scores(task.labels, out_of_fold, method=method)
    issues = find_label_issues(task.labels, out_of_fold, n_jobs=1)
    return 1.0 - np.asarray(quality, dtype=np.float64), np.asarray(issues, dtype=bool)


def outliers(kind: str, features: Matrix, task: Task) -> tuple[Floats, Bools]:
    """A pyod detector for each class, told the true share of poison."""
    from pyod.models.ecod import ECOD
    from pyod.models.iforest import IForest

    score, flagged = np.zeros(len(features)), np.zeros(len(features), dtype=bool)
    for code in np.unique(task.labels):
        rows = np.flatnonzero(task.labels == code)
        if len(rows) < 2:
            continue
        share = min(0.5, max(task.rate, 1e-3))
        detector = (
            IForest(contamination=share, random_state=task.seed) if kind == "IForest" else ECOD(contamination=share)
        )
        detector.fit(features[rows])
        score[rows], flagged[rows] = detector.decision_scores_, detector.labels_ == 1
    return score, flagged


def art_classifier(model: Network, n_columns: int, n_classes: int) -> Any:
    """ART's wrapper around the network up to its penultimate layer."""
    import torch
    from art.estimators.classification import PyTorchClassifier

    return PyTorchClassifier(
        model=model.body,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=(n_columns,),
        nb_classes=n_classes,
        device_type="cpu",
    )


def activation(model: Network, matrix: Matrix, task: Task, how: str) -> tuple[Floats, Bools]:
    """ART's activation clustering; the score of a row is one minus the share of its class that its cluster holds."""
    from art.defences.detector.poison import ActivationDefence

    one_hot = np.eye(task.dataset.n_classes, dtype=np.float32)[task.labels]
    defence = ActivationDefence(art_classifier(model, matrix.shape[1], task.dataset.n_classes), matrix, one_hot)
    _, clean = defence.detect_poison(nb_clusters=2, nb_dims=10, reduce="PCA", cluster_analysis=how)
    score = np.zeros(len(matrix))
    for code, clusters in enumerate(defence.clusters_by_class):
        rows = np.flatnonzero(task.labels == code)
        sizes = np.bincount(np.asarray(clusters, dtype=int), minlength=2)
        score[rows] = 1.0 - sizes[np.asarray(clusters, dtype=int)] / max(1, len(rows))
    return score, np.asarray(clean) == 0


def spectral(model: Network, matrix: Matrix, features: Matrix, task: Task) -> tuple[Floats, Bools]:
    """ART's spectral signatures, told the true rate; scores by ART's own formula, over each class's median."""
    from art.defences.detector.poison import SpectralSignatureDefense

    one_hot = np.eye(task.dataset.n_classes, dtype=np.float32)[task.labels]
    classifier = art_classifier(model, matrix.shape[1], task.dataset.n_classes)
    defence = SpectralSignatureDefense(classifier, matrix, one_hot, expected_pp_poison=task.rate)
    _, clean = defence.detect_poison()
    score = np.zeros(len(matrix))
    for code in range(task.dataset.n_classes):
        rows = np.flatnonzero(task.labels == code)
        if len(rows) > 1:
            own = defence.spectral_signature_scores(features[rows]).ravel()
            score[rows] = own / max(float(np.median(own)), 1e-12)
    return score, np.asarray(clean) == 0


def aegis(features: Matrix, task: Task) -> tuple[Floats, Bools]:
    """The fused score of aegis-scan-ai's detectors; flags where both agree, its headline."""
    from aegis_scan.detect.clustering import activation_clustering_flags
    from aegis_scan.detect.spectral import spectral_signature_scores
    from aegis_scan.fuse import fuse_scores

    spectral_scores = spectral_signature_scores(features, task.labels)
    fused = fuse_scores(spectral_scores, activation_clustering_flags(features, task.labels), task.labels)
    return np.asarray(fused.fused_scores, dtype=np.float64), np.asarray(fused.agreement, dtype=bool)


PARTS: Mapping[str, Callable[[Task], dict[str, Verdict]]] = MappingProxyType(
    {"content": content, "mlp": partial(network, kind="mlp"), "cnn": partial(network, kind="cnn")}
)
