"""Coordinates, neighbours and out-of-sample class probabilities of the rows: computed once, shared by every method."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.trusted import joint
from mithridate.core.errors import Skip
from mithridate.data.dataset import Dataset
from mithridate.numeric import embed
from mithridate.numeric import out_of_fold as models
from mithridate.numeric.neighbours import Neighbours, nearest
from mithridate.numeric.out_of_fold import Joined
from mithridate.numeric.patch_features import DENSE, patch_features

MIN_ROWS = 30
NEIGHBOURS = 20
ROWS_A_CLASS = 4  # on average, below which class models can't be fitted
FOLDS = 5
LEAST_GIVEN = 1e-6  # probabilities below this, of which a network may be all too sure, say no more
SECOND_ROWS = 20_000  # with more rows than this a second view adds time, not insight


class Columns(NamedTuple):
    """A table as two matrices: `numbers` (n, p) float64 with NaN, `codes` (n, q) value ids with -1 for missing."""

    numbers: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int64]


def features(context: Context) -> npt.NDArray[np.float32]:
    """(n, d) coordinates in which near rows have like content; never made with labels.

    Raises
    ------
    Skip : fewer than 30 rows, too few to have neighbours.
    """
    if len(context.dataset) < MIN_ROWS:
        msg = f"{len(context.dataset)} rows; at least {MIN_ROWS} are needed to compare a row with its neighbours"
        raise Skip(msg)
    return context.once("embedding", lambda: _embed(context))


def graph(context: Context) -> Neighbours:
    """The 20 nearest rows of each row in `features` (fewer for fewer than 21 rows); one graph for all methods."""
    rows = features(context)
    return context.once("graph", lambda: nearest(rows, k=min(NEIGHBOURS, len(rows) - 1)))


def word_counts(context: Context) -> sparse.csr_matrix:
    """(n, v) hashed TF-IDF of a text data set."""
    texts = cast("npt.NDArray[Any]", context.dataset.content)
    return context.once("word-counts", lambda: embed.text_counts([str(text) for text in texts]))


def columns(context: Context) -> Columns:
    """A table's columns as numbers and value ids."""
    return context.once("columns", lambda: split_columns(context.dataset))


def _embed(context: Context) -> npt.NDArray[np.float32]:
    dataset, rng = context.dataset, context.rng("embedding")
    if context.embedding is not None:
        return embed.embed_vectors(context.embedding, rng=rng)
    if dataset.modality == "image":
        return embed.embed_images(cast("npt.NDArray[Any]", dataset.content), rng=rng)
    if dataset.modality == "text":
        return embed.embed_texts(word_counts(context), rng=rng)
    if dataset.modality == "table":
        parts = columns(context)
        return embed.embed_table(parts.numbers, parts.codes, rng=rng)
    return embed.embed_vectors(cast("npt.NDArray[Any]", dataset.content), rng=rng)


def split_columns(dataset: Dataset) -> Columns:
    """Numeric columns as float64, everything else as value ids (strings, booleans, dates as their text)."""
    table = cast("pa.Table", dataset.content)
    numbers: list[npt.NDArray[np.float64]] = []
    codes: list[npt.NDArray[np.int64]] = []
    for column in table.columns:
        kind = column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            numbers.append(np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64))
        elif not pa.types.is_null(kind):
            codes.append(_value_ids(column))
    empty = np.zeros((len(dataset), 0))
    return Columns(
        np.stack(numbers, axis=1) if numbers else empty,
        np.stack(codes, axis=1) if codes else empty.astype(np.int64),
    )


def _value_ids(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Ids by sorted value, so that they don't depend on the order of the rows."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    try:
        words = pc.cast(column, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        words = pa.chunked_array(
            [pa.array([None if x is None else repr(x) for x in column.to_pylist()], pa.large_string())]
        )
    words = words.combine_chunks() if isinstance(words, pa.ChunkedArray) else words
    encoded = words.dictionary_encode()
    values = [str(value) for value in encoded.dictionary.to_pylist()]
    rank = np.empty(len(values) + 1, np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    rank[-1] = -1
    places = pc.fill_null(encoded.indices, len(values)).to_numpy(zero_copy_only=False).astype(np.int64)
    return cast("npt.NDArray[np.int64]", rank[places])


def labelled(context: Context) -> npt.NDArray[np.int32]:
    """(n,) class codes of a data set that class models can be fitted to.

    Raises
    ------
    Skip : no labels, a single class, or so many classes that most have no second row.
    """
    codes = context.dataset.codes
    if codes is None:
        msg = "no labels; name the column with --label (Python: labels=...)"
        raise Skip(msg)
    counts = np.bincount(codes[codes >= 0], minlength=1)
    n_used = int(np.count_nonzero(counts))
    if n_used < 2:  # noqa: PLR2004 - two classes are the least that can be confused
        msg = f"{n_used} class; at least 2 are needed to find a wrong label"
        raise Skip(msg)
    if counts.sum() < MIN_ROWS or counts.sum() < ROWS_A_CLASS * n_used:
        msg = f"{counts.sum()} labelled rows in {n_used} classes; at least {MIN_ROWS}, and {ROWS_A_CLASS} a class"
        raise Skip(msg)
    return codes


def out_of_fold(context: Context) -> npt.NDArray[np.float32]:
    """(n, c) class probabilities from models that never saw the row's own label, the user's own among them."""
    return np.exp(opinions(context).log_probabilities)


def opinions(context: Context) -> Joined:
    """Joined log probabilities and the estimated share of random labels; made once, with trusted rows to learn from.

    Probabilities that the user gave, or their recipe made, are one opinion more, weighed by how well it does.

    Raises
    ------
    Skip : too few rows or classes, see `features` and `labelled`.
    """
    codes = labelled(context)
    if context.probabilities is None and (both := joint(context)) is not None:
        found, n = opinions(both), len(codes)
        return Joined(found.log_probabilities[:n], found.noise)
    return context.once("out-of-fold", lambda: _opinions(context, codes))


def _opinions(context: Context, codes: npt.NDArray[np.int32]) -> Joined:
    dataset, n_classes = context.dataset, context.dataset.n_classes
    rows, folds, few = features(context), dataset.folds(FOLDS), context.size <= SECOND_ROWS
    if few and _in_pieces(context):
        scores = _image_views(context, codes)
    else:
        near = models.neighbour_scores(graph(context).indices, codes, n_classes=n_classes)
        scores = [near, _kernel_scores(context, rows, codes, "random-features")]
        if few and dataset.modality in {"image", "embedding"}:
            even = embed.even_out(rows)
            scores += [_near_scores(context, even, codes), _kernel_scores(context, even, codes, "second-view")]
    if context.probabilities is not None:
        scores.append(np.log(np.maximum(context.probabilities, LEAST_GIVEN)).astype(np.float32))
    if dataset.modality == "text":
        scores.append(models.word_scores(word_counts(context), codes, folds, n_classes=n_classes))
    if dataset.modality == "table":
        grown = _tree_scores(context, codes)
        scores += [] if grown is None else [grown]
    return models.join_scores(scores, codes, rng=context.rng("join"))


def _tree_scores(context: Context, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.float32] | None:
    parts, dataset = columns(context), context.dataset
    return models.tree_scores(
        np.concatenate([parts.numbers, parts.codes], axis=1),
        codes,
        dataset.folds(FOLDS),
        n_classes=dataset.n_classes,
        seed=context.settings.seed,
        n_ids=parts.codes.shape[1],
    )


def _in_pieces(context: Context) -> bool:
    """Whether the rows are images, not vectors that an encoder made of them, and large beside a piece."""
    if context.dataset.modality != "image" or context.embedding is not None:
        return False
    return bool(min(np.shape(context.dataset.content)[1:3]) >= DENSE)


def _image_views(context: Context, codes: npt.NDArray[np.int32]) -> list[npt.NDArray[np.float32]]:
    """Neighbours and kernel models by shape, in evened coordinates, and by the small pieces that images are made of."""
    even = embed.even_out(features(context))
    pieces = patch_features(cast("npt.NDArray[Any]", context.dataset.content), rng=context.rng("patches"))
    return [
        _near_scores(context, even, codes),
        _kernel_scores(context, even, codes, "second-view"),
        _near_scores(context, pieces, codes),
        _kernel_scores(context, pieces, codes, "pieces"),
    ]


def _near_scores(
    context: Context, rows: npt.NDArray[np.float32], codes: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    near = nearest(rows, k=min(NEIGHBOURS, len(rows) - 1))
    return models.neighbour_scores(near.indices, codes, n_classes=context.dataset.n_classes)


def _kernel_scores(
    context: Context, rows: npt.NDArray[np.float32], codes: npt.NDArray[np.int32], purpose: str
) -> npt.NDArray[np.float32]:
    n_classes, folds = context.dataset.n_classes, context.dataset.folds(FOLDS)
    return models.random_feature_scores(rows, codes, folds, n_classes=n_classes, rng=context.rng(purpose))
