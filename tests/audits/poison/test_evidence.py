"""Thumbnails, cells and excerpts: small, JSON, and the right rows."""

import base64
import json

import numpy as np
import pyarrow as pa
import pytest

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.evidence import rows_evidence, trigger_image
from mithridate.core.method import RowScores
from mithridate.core.trigger import Trigger
from mithridate.data.dataset import Dataset


def images(shape: tuple[int, ...], n_rows: int = 60) -> Dataset:
    rng = np.random.default_rng(0)
    codes = (np.arange(n_rows) % 3).astype(np.int32)
    return Dataset("t", "image", rng.integers(0, 256, (n_rows, *shape)).astype(np.uint8), codes, ("a", "b", "c"))


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8, 1), (32, 32, 3), (224, 224, 3), (3, 200, 1), (1, 1, 1)])
def test_a_gallery_of_any_images_stays_under_forty_kilobytes(shape: tuple[int, ...]) -> None:
    dataset = images(shape)
    (piece,) = rows_evidence(dataset, np.arange(0, 60, 3), 0, Context(dataset))
    assert len(json.dumps(piece.to_json())) < 45_000
    items = piece.data["items"]
    assert [item["role"] for item in items].count("flagged") == 8
    for item in items:
        assert base64.b64decode(item["png"]).startswith(b"\x89PNG")


def test_clean_rows_have_the_label_and_nothing_is_held_against_them() -> None:
    dataset = images((8, 8, 1))
    context = Context(dataset)
    suspect = np.arange(60) < 50
    context.evidence["PSN101"] = RowScores("label-error", np.zeros(60), np.ones(60), suspect)
    (piece,) = rows_evidence(dataset, [0], 1, context)
    clean = [item["row"] for item in piece.data["items"] if item["role"] == "clean"]
    assert clean
    assert all(row >= 50 and row % 3 == 1 for row in clean)


def test_rows_are_named_by_reading_order_not_by_position() -> None:
    dataset = images((8, 8, 1)).take(np.arange(60)[::-1])
    (piece,) = rows_evidence(dataset, [0], None, Context(dataset))
    assert piece.data["items"][0]["row"] == 59


def test_table_cells_show_the_guilty_columns_first_and_any_value() -> None:
    columns = {f"c{i}": list(range(30)) for i in range(20)}
    columns["<script>"] = [float("nan")] * 30
    columns["when"] = [None] * 30
    dataset = Dataset("t", "table", pa.table(columns), np.zeros(30, np.int32), ("x",))
    (piece,) = rows_evidence(dataset, [3, 4], 0, Context(dataset), marked=("<script>",))
    assert piece.data["columns"][3] == "<script>"
    assert piece.data["marked"] == ["<script>"]
    json.dumps(piece.to_json(), allow_nan=False)


def test_excerpts_are_short_and_survive_odd_text() -> None:
    texts = np.array(["x" * 10_000, "\ud800 broken \x00", "line\nbreak"] * 5, dtype=object)
    dataset = Dataset("t", "text", texts, np.zeros(15, np.int32), ("x",))
    (piece,) = rows_evidence(dataset, [0, 1, 2], 0, Context(dataset))
    assert max(len(row[3]) for row in piece.data["rows"]) <= 200
    json.dumps(piece.to_json()).encode("utf-8")


def test_embeddings_and_no_rows_show_nothing() -> None:
    dataset = Dataset("t", "embedding", np.zeros((5, 2), np.float32), np.zeros(5, np.int32), ("x",))
    assert rows_evidence(dataset, [0], 0, Context(dataset)) == ()
    assert rows_evidence(images((8, 8, 1)), [], 0, Context(images((8, 8, 1)))) == ()


def test_every_kind_of_trigger_has_a_picture_or_words() -> None:
    dataset = images((8, 8, 3))
    blend = {"delta": {"shape": [8, 8, 3], "values": [0.1] * 192}}
    patch = {"pixels": [[0, 0, 0], [7, 7, 2]], "values": [1.0, 0.0]}
    local = {"height": 2, "width": 2, "values": [1.0] * 12, "mask": [1] * 12}
    for kind, pattern in (("patch", patch), ("blend", blend), ("local-patch", local)):
        piece = trigger_image(Trigger(kind, "a", pattern), dataset)
        assert piece.kind == "image"
        assert base64.b64decode(piece.data["png"]).startswith(b"\x89PNG")
    values = trigger_image(Trigger("values", "a", {"columns": {"age": 7}}), dataset)
    words = trigger_image(Trigger("words", "a", {"words": ["cf", "<b>"]}), dataset)
    assert values.data["text"].endswith("age = 7")
    assert words.data["text"].endswith("cf <b>")
