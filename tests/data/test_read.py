"""Every form that `read` takes, and what it makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mithridate.core.errors import InputError
from mithridate.data.read import read

Images = npt.NDArray[np.uint8]


@pytest.fixture
def images() -> Images:
    return np.random.default_rng(0).integers(0, 256, (12, 6, 5), dtype=np.uint8)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, 60),
            "pay": rng.normal(size=60),
            "work": rng.choice(["private", "state", "none"], 60),
            "label": rng.choice(["no", "yes"], 60),
            "source": rng.choice(["a", "b"], 60),
        }
    )


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_npz_bytes_become_images_with_labels_and_sources(tmp_path: Path, images: Images) -> None:
    y = np.arange(12) % 3
    data = read(save(tmp_path / "a.npz", x=images, y=y, source=np.array(["s", "t"] * 6)))
    assert (data.name, data.modality, len(data)) == ("a.npz", "image", 12)
    assert data.content.shape == (12, 6, 5, 1)
    assert data.content.dtype == np.uint8
    assert data.classes == (0, 1, 2)
    np.testing.assert_array_equal(data.y, y)
    assert data.source_names == ("s", "t")
    np.testing.assert_array_equal(data.ids, np.arange(12))


@pytest.mark.parametrize(
    "stored",
    [
        lambda x: x.astype(np.float32) / 255,
        lambda x: x.astype(np.float64) / 255,
        lambda x: (x / 255).astype(np.float32),
        lambda x: x * np.float32(1 / 255),
        lambda x: x.astype(np.float32),
        lambda x: x.astype(np.int64),
        lambda x: x[..., None],
        lambda x: x[:, None],
        lambda x: (x.astype(np.float32) / 255).astype(">f4"),
        np.asfortranarray,
    ],
)
def test_the_same_picture_has_the_same_digest_however_it_was_stored(
    tmp_path: Path, images: Images, stored: Any
) -> None:
    plain = read(save(tmp_path / "a.npz", x=images, y=np.zeros(12)))
    other = read(save(tmp_path / "b.npz", x=stored(images), y=np.zeros(12)))
    assert other.content.dtype == np.uint8
    assert other.digest == plain.digest


def test_floats_that_bytes_cannot_hold_stay_floats(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((4, 3, 3), dtype=np.float32)
    data = read(save(tmp_path / "a.npz", x=x, y=np.zeros(4)))
    assert data.content.dtype == np.float32
    np.testing.assert_array_equal(data.content[..., 0], x)


def test_fractional_floats_up_to_255_are_scaled_to_one(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((4, 3, 3)) * 255
    data = read(save(tmp_path / "a.npz", x=x, y=np.zeros(4)))
    np.testing.assert_allclose(data.content[..., 0], x / 255, rtol=1e-6)


def test_channels_first_images_are_turned(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 8, 9), dtype=np.uint8)
    data = read(save(tmp_path / "a.npz", x=x))
    np.testing.assert_array_equal(data.content, x.transpose(0, 2, 3, 1))
    assert data.codes is None


def test_two_dimensional_floats_are_an_embedding_or_what_modality_says(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x=np.arange(32, dtype=np.float64).reshape(8, 4), y=np.zeros(8))
    assert read(path).modality == "embedding"
    assert read(path).content.dtype == np.float32
    table = read(path, modality="table")
    assert table.content.column_names == ["x0", "x1", "x2", "x3"]
    assert read(path, modality="image").content.shape == (8, 2, 2, 1)


def test_string_arrays_are_texts(tmp_path: Path) -> None:
    data = read(save(tmp_path / "a.npz", x=np.array(["good day", "", "ünïcode"]), y=np.array(["a", "", "b"])))
    assert data.modality == "text"
    assert data.x == ["good day", "", "ünïcode"]
    np.testing.assert_array_equal(data.y, [0, -1, 1])


@pytest.mark.parametrize(
    ("stored", "classes", "codes"),
    [
        ([3.0, 1.0, np.nan, 1.0], (1, 3), [1, 0, -1, 0]),
        ([0.5, 1.5, 0.5, 1.5], (0.5, 1.5), [0, 1, 0, 1]),
        ([True, False, True, True], (False, True), [1, 0, 1, 1]),
        (["b", "a", "", "b"], ("a", "b"), [1, 0, -1, 1]),
        (np.array([200, 7, 7, 200], dtype=np.uint8), (7, 200), [1, 0, 0, 1]),
        (np.array([[1], [0], [1], [0]]), (0, 1), [1, 0, 1, 0]),
        ([-1, 5, -1, 5], (-1, 5), [0, 1, 0, 1]),
    ],
)
def test_labels_of_any_type_become_codes(tmp_path: Path, stored: Any, classes: Any, codes: Any) -> None:
    data = read(save(tmp_path / "a.npz", x=np.zeros((4, 2, 2), np.uint8), y=np.asarray(stored)))
    assert data.classes == classes
    np.testing.assert_array_equal(data.y, codes)


def test_other_arrays_are_chosen_by_name(tmp_path: Path, images: Images) -> None:
    path = save(tmp_path / "a.npz", train=images, who=np.arange(12), kind=np.arange(12) % 2)
    data = read(path, content="train", label="kind", source_column="who")
    assert (data.label_name, data.source_name, data.content_name) == ("kind", "who", "train")
    assert len(data.source_names) == 12


def test_a_table_has_one_digest_in_every_form(tmp_path: Path, frame: pd.DataFrame) -> None:
    frame.loc[3, "pay"] = np.nan
    frame.to_parquet(tmp_path / "a.parquet")
    frame.assign(work=frame["work"].astype("category")).to_parquet(tmp_path / "b.parquet", row_group_size=7)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True, double_precision=15)
    sets = [read(tmp_path / name) for name in ("a.parquet", "b.parquet", "a.csv", "a.tsv")]
    assert {data.digest for data in sets} == {sets[0].digest}
    for data in [*sets, read(tmp_path / "a.jsonl")]:
        assert data.modality == "table"
        assert data.content.column_names == ["age", "pay", "work"]
        assert data.classes == ("no", "yes")
        assert data.source_names == ("a", "b")
        assert list(data.frame().columns) == ["age", "pay", "work"]


def test_a_column_of_sentences_makes_a_text_set(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"id": range(50), "body": [f"this is the mail number {i}" for i in range(50)], "y": [0, 1] * 25}
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    for name in ("a.csv", "a.parquet", "a.jsonl"):
        data = read(tmp_path / name)
        assert (data.modality, data.content_name, len(data)) == ("text", "body", 50)
        assert data.x[7] == "this is the mail number 7"


def test_the_longest_string_column_is_the_text_when_none_has_a_usual_name(tmp_path: Path) -> None:
    rows = {"title": [f"t{i}" for i in range(30)], "essay": [f"{i} " + "many words here " * 4 for i in range(30)]}
    pd.DataFrame(rows | {"label": [0, 1] * 15}).to_csv(tmp_path / "a.csv", index=False)
    assert read(tmp_path / "a.csv").content_name == "essay"
    assert read(tmp_path / "a.csv", content="title").content_name == "title"
    assert read(tmp_path / "a.csv", modality="table").content.column_names == ["title", "essay"]


def test_a_column_of_short_categories_stays_a_table(tmp_path: Path) -> None:
    pd.DataFrame({"colour": ["red", "blue"] * 20, "label": [0, 1] * 20}).to_csv(tmp_path / "a.csv", index=False)
    assert read(tmp_path / "a.csv").modality == "table"


def test_text_with_newlines_quotes_and_commas_survives_csv(tmp_path: Path) -> None:
    texts = ['he said "no",\nthen\r\nleft', "plain words", ",,,", 'a""b', "tab\there"] * 3
    pd.DataFrame({"text": texts, "label": range(15)}).to_csv(tmp_path / "a.csv", index=False)
    assert read(tmp_path / "a.csv", modality="text").x == texts


def test_csv_columns_are_widened_when_later_rows_need_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mithridate.data.readers.delimited.BLOCK", 256)
    rows = [f"{i},{i},,{i % 2}" for i in range(100)] + ["0.5,word,7,1"]
    (tmp_path / "a.csv").write_text("a,b,c,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    data = read(tmp_path / "a.csv")
    assert len(data) == 101
    assert data.content.schema.field("a").type == pa.float64()
    assert data.content.column("b").to_pylist()[-1] == "word"


def test_jsonl_blocks_with_different_fields_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mithridate.data.readers.json_lines.BLOCK", 64)
    rows = [{"a": i, "label": "x"} for i in range(20)] + [{"a": i + 0.5, "label": None} for i in range(20)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    data = read(tmp_path / "a.jsonl")
    assert len(data) == 40
    assert (data.y[20:] == -1).all()


def test_jsonl_columns_that_come_later_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mithridate.data.readers.json_lines.BLOCK", 64)
    rows = [{"a": i, "label": 0} for i in range(20)] + [{"a": i, "b": 1.5, "label": 1} for i in range(20)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    data = read(tmp_path / "a.jsonl")
    assert data.content.column_names == ["a", "b"]
    assert data.content.column("b").to_pylist() == [None] * 20 + [1.5] * 20


def test_a_list_column_is_an_embedding(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).random((9, 4), dtype=np.float32)
    table = pa.table({"input": vectors.tolist(), "y": list(range(9))})
    pq.write_table(table, tmp_path / "a.parquet")
    data = read(tmp_path / "a.parquet")
    assert data.modality == "embedding"
    np.testing.assert_array_equal(data.content, vectors)


def test_a_folder_of_images_is_read_in_path_order(tmp_path: Path, images: Images) -> None:
    root = tmp_path / "pets"
    for i in range(6):
        folder = root / ("dog" if i % 2 else "cat") / ("sub" if i == 5 else ".")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[i]).save(folder / f"{i}.{'bmp' if i == 2 else 'png'}")
    (root / "README.txt").write_text("not an image")
    (root / ".hidden").mkdir()
    data = read(root)
    assert data.classes == ("cat", "dog")
    np.testing.assert_array_equal(data.y, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(data.content[..., 0], images[[0, 2, 4, 1, 3, 5]])
    assert (data.name, data.label_name) == ("pets", "label")


def test_grey_and_colour_images_are_read_as_colour_and_alpha_is_kept(tmp_path: Path) -> None:
    for i, mode in enumerate(("L", "RGB", "P")):
        (tmp_path / "a" / str(i)).mkdir(parents=True)
        Image.new("RGB", (4, 4), (10, 20, 30)).convert(mode).save(tmp_path / "a" / str(i) / "x.png")
    assert read(tmp_path / "a").content.shape == (3, 4, 4, 3)
    Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "a" / "0" / "y.png")
    data = read(tmp_path / "a")
    assert data.content.shape == (4, 4, 4, 4)
    assert data.content[1, 0, 0].tolist() == [10, 20, 30, 0]


def test_images_without_class_folders_have_no_labels(tmp_path: Path) -> None:
    Image.new("L", (3, 3)).save(tmp_path / "x.png")
    assert read(tmp_path).codes is None


def test_of_a_folder_of_splits_the_train_images_are_read(tmp_path: Path) -> None:
    for place in ("train/cat", "train/dog", "test/cat"):
        (tmp_path / "pets" / place).mkdir(parents=True)
        Image.new("L", (3, 3)).save(tmp_path / "pets" / place / "x.png")
    data = read(tmp_path / "pets")
    assert (data.name, len(data), data.classes) == ("pets (train)", 2, ("cat", "dog"))


def hugging_table(images: Images, *, notes: bool) -> pa.Table:
    import io

    files = []
    for image in images:
        held = io.BytesIO()
        Image.fromarray(image).save(held, "PNG")
        files.append({"bytes": held.getvalue(), "path": None})
    table = pa.table(
        {
            "image": pa.array(files, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            "label": pa.array([i % 3 - 1 for i in range(len(images))], pa.int64()),
        }
    )
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    return table.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})} if notes else None
    )


@pytest.mark.parametrize("as_file", [False, True])
def test_a_folder_from_save_to_disk_is_read_in_shard_order(tmp_path: Path, images: Images, *, as_file: bool) -> None:
    table = hugging_table(images, notes=False)
    root = tmp_path / "set" / "train"
    root.mkdir(parents=True)
    for i, part in enumerate((table.slice(0, 7), table.slice(7))):
        path = root / f"data-0000{i}-of-00002.arrow"
        writer = (pa.ipc.new_file if as_file else pa.ipc.new_stream)(str(path), table.schema)
        with writer:
            writer.write_table(part, max_chunksize=3)
    state = {"_data_files": [{"filename": f"data-0000{i}-of-00002.arrow"} for i in (0, 1)]}
    (root / "state.json").write_text(json.dumps(state))
    info = {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}
    (root / "dataset_info.json").write_text(json.dumps(info))
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    data = read(tmp_path / "set")
    np.testing.assert_array_equal(data.content[..., 0], images)
    assert data.classes == (0, 1)
    assert data.class_names == ("cat", "dog")
    assert data.y[:4].tolist() == [-1, 0, 1, -1]
    assert read(root).digest == data.digest


def test_a_hub_folder_of_parquet_shards_gives_its_train_split(tmp_path: Path, images: Images) -> None:
    table = hugging_table(images, notes=True)
    (tmp_path / "set" / "data").mkdir(parents=True)
    for name, part in (
        ("train-00000-of-00002", table.slice(0, 5)),
        ("train-00001-of-00002", table.slice(5)),
        ("test-00000-of-00001", table),
    ):
        pq.write_table(part, tmp_path / "set" / "data" / f"{name}.parquet")
    data = read(tmp_path / "set")
    assert (len(data), data.name) == (12, "set (train)")
    assert data.class_names == ("cat", "dog")
    np.testing.assert_array_equal(data.content[..., 0], images)


def test_images_inside_one_parquet_file_are_decoded(tmp_path: Path, images: Images) -> None:
    pq.write_table(hugging_table(images, notes=True), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").content.shape == (12, 6, 5, 1)


def test_labels_are_asked_for_only_when_a_column_might_be_them(tmp_path: Path) -> None:
    pd.DataFrame({"a": np.arange(40.0), "grade": [0, 1] * 20}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match=r"--label.*'grade'"):
        read(tmp_path / "a.csv")
    assert read(tmp_path / "a.csv", label="").codes is None
    pd.DataFrame({"a": np.arange(40.0)}).to_csv(tmp_path / "b.csv", index=False)
    assert read(tmp_path / "b.csv").codes is None


def test_label_names_are_found_in_any_case_and_in_order(tmp_path: Path) -> None:
    pd.DataFrame({"Target": [0, 1], "Label": [1, 1], "a": [1.5, 2.5]}).to_csv(tmp_path / "a.csv", index=False)
    data = read(tmp_path / "a.csv")
    assert data.label_name == "Label"
    assert data.content.column_names == ["Target", "a"]


def test_names_can_be_given(tmp_path: Path, images: Images) -> None:
    assert read(save(tmp_path / "a.npz", x=images), name="mine").name == "mine"
