"""What is written can be read again, and the kept rows are the source's own."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mithridate.core.errors import InputError
from mithridate.data.memory import from_memory
from mithridate.data.read import read
from mithridate.data.write import write, write_dataset
from mithridate.data.writers.rows import csv_records

KEEP = [0, 2, 3, 7]
NASTY = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)
WORDS = NASTY.map(lambda text: f"w {text}.")


def test_npz_rows_are_kept_in_every_array_that_has_them(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((9, 4, 4)).astype(np.float16)
    arrays = {"x": x, "y": np.arange(9, dtype=np.int8), "weight": np.arange(9.0), "classes": np.array(["a", "b"])}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    write(tmp_path / "a.npz", KEEP, tmp_path / "b.npz", n_rows=9)
    with np.load(tmp_path / "b.npz") as kept:
        assert kept["x"].dtype == np.float16
        assert kept["y"].dtype == np.int8
        np.testing.assert_array_equal(kept["x"], x[KEEP])
        np.testing.assert_array_equal(kept["weight"], KEEP)
        assert kept["classes"].tolist() == ["a", "b"]


def test_parquet_keeps_schema_dictionary_metadata_and_codec(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            pa.field("a", pa.int8()),
            pa.field("b", pa.dictionary(pa.int8(), pa.string())),
            pa.field("label", pa.string(), nullable=False),
        ],
        metadata={"owner": "me"},
    )
    words = pa.array(list("xyxyxyxyx")).dictionary_encode().cast(schema.field("b").type)
    table = pa.table([pa.array(range(9), pa.int8()), words, pa.array(list("ababababa"))], schema=schema)
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", row_group_size=4)
    write(tmp_path / "a.parquet", KEEP, tmp_path / "b.parquet", n_rows=9)
    kept = pq.ParquetFile(tmp_path / "b.parquet")
    assert kept.schema_arrow.equals(schema)
    assert kept.schema_arrow.metadata[b"owner"] == b"me"
    assert kept.metadata.row_group(0).column(0).compression == "ZSTD"
    assert kept.read().column("a").to_pylist() == KEEP


def test_csv_records_are_kept_byte_by_byte(tmp_path: Path) -> None:
    header = b'\xef\xbb\xbfa,"text",label\r\n'
    records = [b'%d,"say ""x"",\r\n\r\nyes",%d\r\n' % (i, i % 2) for i in range(8)] + [b'08 , odd"quote,1']
    (tmp_path / "a.csv").write_bytes(header + records[0] + b"\r\n" + b"".join(records[1:]))
    assert len(read(tmp_path / "a.csv")) == 9
    write(tmp_path / "a.csv", [8, *KEEP], tmp_path / "b.csv", n_rows=9)
    assert (tmp_path / "b.csv").read_bytes() == header + b"".join(records[i] for i in [*KEEP, 8])


def test_jsonl_lines_are_kept_byte_by_byte(tmp_path: Path) -> None:
    lines = [b'{"text":  "caf\\u00e9 number %d", "label":%d}\n' % (i, i % 2) for i in range(9)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    write(tmp_path / "a.jsonl", KEEP, tmp_path / "b.jsonl", n_rows=9)
    assert (tmp_path / "b.jsonl").read_bytes() == b"".join(lines[i] for i in KEEP)


def test_image_folders_are_copied_into_class_folders(tmp_path: Path) -> None:
    for i in range(9):
        folder = tmp_path / "a" / ("even" if i % 2 == 0 else "odd")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (3, 3), i).save(folder / f"{i}.png")
    whole = read(tmp_path / "a")
    write(tmp_path / "a", KEEP, tmp_path / "b", n_rows=9)
    kept = read(tmp_path / "b")
    assert kept.content[:, 0, 0, 0].tolist() == whole.content[KEEP, 0, 0, 0].tolist()
    assert [kept.label_of(code) for code in kept.y] == [whole.label_of(code) for code in whole.y[KEEP]]


@pytest.mark.parametrize("target", ["b.parquet", "b"])
def test_hugging_face_folders_become_parquet(tmp_path: Path, target: str) -> None:
    table = pa.table({"text": [f"the mail number {i}" for i in range(9)], "label": [i % 2 for i in range(9)]})
    (tmp_path / "a").mkdir()
    with pa.ipc.new_stream(str(tmp_path / "a" / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    features = {"label": {"names": ["ham", "spam"], "_type": "ClassLabel"}}
    (tmp_path / "a" / "dataset_info.json").write_text(json.dumps({"features": features}))
    write(tmp_path / "a", KEEP, tmp_path / target, n_rows=9)
    kept = read(tmp_path / target)
    assert kept.x == [f"the mail number {i}" for i in KEEP]
    assert kept.class_names == ("ham", "spam")


def test_a_data_set_can_stand_for_its_source(tmp_path: Path) -> None:
    data = from_memory([f"text {i}" for i in range(9)], labels=list("ababababa"))
    write(data.canonical(), KEEP, tmp_path / "a.jsonl")
    assert read(tmp_path / "a.jsonl", modality="text").x == [f"text {i}" for i in KEEP]


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv", ".jsonl"])
def test_the_source_is_never_overwritten(tmp_path: Path, suffix: str) -> None:
    data = from_memory([f"text {i}" for i in range(9)], labels=list("ababababa"))
    path = tmp_path / f"a{suffix}"
    write_dataset(data, path)
    before = path.read_bytes()
    (tmp_path / f"link{suffix}").symlink_to(path)
    for target in (path, tmp_path / "." / f"a{suffix}", tmp_path / f"link{suffix}"):
        with pytest.raises(InputError, match="is the source itself"):
            write(path, KEEP, target)
    assert path.read_bytes() == before


def test_a_folder_is_not_written_into_itself_or_over_another(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("L", (3, 3)).save(tmp_path / "a" / "0.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").touch()
    with pytest.raises(InputError, match="lies in it"):
        write(tmp_path / "a", [0], tmp_path / "a" / "clean")
    with pytest.raises(InputError, match="is there already"):
        write(tmp_path / "a", [0], tmp_path / "b")


@pytest.mark.parametrize(
    ("rows", "n_rows", "words"), [([9], None, "rows must be in"), ([-1], None, "rows must"), ([0], 8, "rows now")]
)
def test_rows_that_are_not_there_leave_no_file(tmp_path: Path, rows: list[int], n_rows: int | None, words: str) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((9, 2, 2), np.uint8))
    with pytest.raises(InputError, match=words):
        write(tmp_path / "a.npz", rows, tmp_path / "b.npz", n_rows=n_rows)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_nothing_half_is_left_when_the_source_breaks_on_the_way(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((9, 2, 2), np.uint8), y=np.array([None] * 9, dtype=object))
    with pytest.raises(InputError, match="pickle"):
        write(tmp_path / "a.npz", [0], tmp_path / "b.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_missing_folder_and_a_wrong_suffix_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(InputError, match="give a folder that exists"):
        write(tmp_path / "a.npz", [0], tmp_path / "no" / "b.npz")
    with pytest.raises(InputError, match=r"suffix \.npz"):
        write(tmp_path / "a.npz", [0], tmp_path / "b.csv")
    with pytest.raises(InputError, match="can't be written as"):
        write_dataset(read(tmp_path / "a.npz"), tmp_path / "b.xlsx")
    with pytest.raises(InputError, match=r"write them as \.npz"):
        write_dataset(read(tmp_path / "a.npz"), tmp_path / "b.csv")


LABELS = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**31), 2**31)), min_size=3, max_size=12),
    st.lists(st.one_of(st.none(), WORDS), min_size=3, max_size=12),
    st.lists(st.booleans(), min_size=3, max_size=12),
)


@given(LABELS, st.sampled_from([".npz", ".parquet", ".csv", ".jsonl"]), st.data())
@settings(max_examples=60, deadline=None)
def test_texts_labels_and_sources_survive_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, labels: list[Any], suffix: str, draw: st.DataObject
) -> None:
    texts = draw.draw(st.lists(WORDS, min_size=len(labels), max_size=len(labels)))
    sources = draw.draw(
        st.lists(st.sampled_from(["alpha", "<script>", "bêta"]), min_size=len(labels), max_size=len(labels))
    )
    data = from_memory(texts, labels=labels, sources=sources)
    path = tmp_path_factory.mktemp("round") / f"a{suffix}"
    write_dataset(data, path)
    names = {"label": "y", "source_column": "source", "modality": "text"}
    again = read(path, **names)
    assert again.x == data.x
    assert again.classes == data.classes
    np.testing.assert_array_equal(again.y, data.y)
    assert again.source_names == data.source_names
    assert again.digest == data.digest


@given(st.data(), st.sampled_from(["uint8", "float32"]))
@settings(max_examples=25, deadline=None)
def test_arrays_survive_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject, kind: str
) -> None:
    shape = draw.draw(st.sampled_from([(5, 3), (4, 3, 2), (3, 2, 2, 3), (2, 5, 5, 1)]))
    rng = np.random.default_rng(draw.draw(st.integers(0, 99)))
    x = rng.integers(0, 256, shape).astype(kind) if kind == "uint8" else rng.random(shape, dtype=np.float32)
    data = from_memory(x, labels=rng.integers(0, 3, len(x)))
    path = tmp_path_factory.mktemp("round") / "a.npz"
    write_dataset(data, path)
    again = read(path)
    assert again.digest == data.digest
    assert again.modality == data.modality
    np.testing.assert_array_equal(again.content, data.content)


@given(st.lists(st.lists(NASTY, min_size=2, max_size=2), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=80, deadline=None)
def test_csv_is_split_where_a_csv_parser_splits_it(rows: list[list[str]], newline: str) -> None:
    held = io.StringIO(newline="")
    csv.writer(held, lineterminator=newline).writerows([["a", "b"], *rows])
    raw = held.getvalue().encode()
    records = list(csv_records(io.BytesIO(raw)))
    assert b"".join(records) == raw
    assert [next(csv.reader(io.StringIO(r.decode(), newline=""))) for r in records] == [["a", "b"], *rows]


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_tables_survive_parquet(tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
    cells = {
        "i": st.integers(-100, 100),
        "f": st.floats(-9, 9),
        "<b>": st.sampled_from(["x", "y", ""]),
        "label": st.integers(0, 2),
    }
    rows = draw.draw(st.lists(st.fixed_dictionaries(cells), min_size=2, max_size=9))
    data = from_memory(pd.DataFrame(rows))
    path = tmp_path_factory.mktemp("round") / "a.parquet"
    write_dataset(data, path)
    assert read(path).digest == data.digest
