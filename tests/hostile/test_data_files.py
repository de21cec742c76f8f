"""Damaged, hostile or hopeless data files: each is answered with one clear line, never a traceback or a full memory."""

from __future__ import annotations

import csv
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mithridate.core.errors import Error, InputError
from mithridate.data.read import read
from mithridate.data.readers.delimited import stream_csv
from mithridate.data.readers.quotes import refuse_open_quote

MARK = "TRAINING-DATA"


def refusal(source: Path, **options: Any) -> str:
    """The one line that `read` answers with."""
    with pytest.raises(InputError) as caught:
        read(source, **options)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    assert MARK not in line
    assert str(source.parent) not in line
    return line


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_paths_that_are_no_data(tmp_path: Path) -> None:
    assert "no such file or folder: 'a.npz'" in refusal(tmp_path / "a.npz")
    assert "no such file" in refusal(write(tmp_path / "f", "x") / "below")
    assert "NUL character" in refusal(Path("a\0b"))
    assert "pass one of" in refusal(write(tmp_path / "a.weird", "x"))
    os.mkfifo(tmp_path / "a.csv")
    assert "pipe" in refusal(tmp_path / "a.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    assert "can't be read" in refusal(tmp_path / "loop.csv")
    assert "can't be read" in refusal(tmp_path / ("x" * 300))


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv", ".tsv", ".jsonl"])
def test_empty_files(tmp_path: Path, suffix: str) -> None:
    assert "is empty" in refusal(write(tmp_path / f"a{suffix}", b""))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,label\n1,2\n")
    path.chmod(0)
    assert "permission denied" in refusal(path)


def test_permission_errors_become_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mithridate.data.read._dispatch", refuse)
    assert "permission denied" in refusal(tmp_path / "a.csv")


# npz


def test_an_npz_without_x_lists_its_arrays(tmp_path: Path) -> None:
    line = refusal(npz(tmp_path / "a.npz", x_train=np.zeros((2, 2)), y_train=np.zeros(2)))
    assert "'x_train', 'y_train'" in line
    assert "--content" in line
    assert "has no array 'z'" in refusal(npz(tmp_path / "b.npz", x=np.zeros((2, 2))), label="z")
    assert "--label" in refusal(npz(tmp_path / "c.npz", x=np.zeros((2, 2)), grade=np.zeros(2)))


class Bomb:
    """Unpickling this would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["x", "y", "source"])
def test_a_pickle_is_never_loaded(tmp_path: Path, key: str) -> None:
    arrays: dict[str, Any] = {"x": np.zeros((1, 2, 2), np.uint8), "y": np.zeros(1)}
    arrays[key] = np.array([Bomb(tmp_path / "owned")], dtype=object)
    assert "pickle" in refusal(npz(tmp_path / "a.npz", **arrays))
    assert not (tmp_path / "owned").exists()


def test_a_zip_bomb_is_refused_by_its_declared_size(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((2000, 100, 100), np.uint8), y=np.zeros(2000))
    line = refusal(tmp_path / "a.npz", max_bytes=10_000_000)
    assert "20.0 MB" in line
    assert "10.0 MB may be used" in line


def header(shape: str, descr: str = "|u1") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (header("(1000000000000, 28, 28)"), "may be used"),
        (header("(99999999999999999999999, 28, 28)"), "may be used"),
        (header("(10, 28, 28)") + b"\0" * 50, "damaged or cut short"),
        (header("(-5, 28, 28)"), "damaged|no rows"),
        (header("(2, 2)", "|V8") + b"\0" * 32, "dtype"),
        (header("(2, 2)", "<M8[D]") + b"\0" * 32, "dtype"),
        (header("()", "<f8") + b"\0" * 8, "no rows"),
        (header("(0, 28, 28)"), "no rows"),
        (header("(2, 0)", "<f8"), "without values"),
        (header("(2, 0, 3)"), "without pixels"),
        (b"\x93NUMPY\x09\x00" + b"\0" * 99, "damaged"),
        (b"not an array", "damaged"),
        (b"", "damaged"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535, "damaged"),
    ],
)
def test_damaged_arrays(tmp_path: Path, content: bytes, words: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    line = refusal(tmp_path / "a.npz")
    assert any(word in line for word in words.split("|"))


def test_an_npz_that_is_no_zip_or_is_cut_short(tmp_path: Path) -> None:
    assert ".npz" in refusal(write(tmp_path / "a.npz", "hello"))
    whole = npz(tmp_path / "b.npz", x=np.zeros((50, 9, 9), np.uint8)).read_bytes()
    assert ".npz" in refusal(write(tmp_path / "c.npz", whole[:-30]))
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF  # a flipped bit in the data: the checksum tells
    assert "damaged" in refusal(write(tmp_path / "d.npz", bytes(broken)))
    with zipfile.ZipFile(tmp_path / "e.npz", "w") as archive:
        archive.writestr("readme.txt", "no arrays")
    assert "it holds no arrays" in refusal(tmp_path / "e.npz")
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("x.npy", header("(1, 2)") + b"\0\0")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.npy", header("(1, 2)") + b"\1\1")
    assert "two arrays" in refusal(tmp_path / "f.npz")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((3, 2, 2)), "y": np.zeros(4)}, "3 rows but 4 values in 'y'"),
        ({"x": np.zeros((3, 2, 2)), "y": np.eye(3)}, "argmax"),
        ({"x": np.zeros((3, 2, 2)), "y": np.zeros(3), "source": np.zeros(2)}, "2 values in 'source'"),
        (
            {"x": np.array([[1.0, 2], [np.nan, 1], [np.inf, 0]])},
            "2 of 3 rows hold NaN or infinite values, the first is row 1",
        ),
        ({"x": np.full((2, 3, 3), np.nan)}, "2 of 2 rows"),
        ({"x": np.zeros((3, 2, 2)) - 1}, "values in [-1, -1]"),
        ({"x": np.zeros((3, 2, 2), int) + 256}, "values in [256, 256]"),
        ({"x": np.zeros((3, 7, 7, 7))}, "1, 3 or 4 channels"),
        ({"x": np.zeros((2, 2, 2, 2, 2))}, "images are (n, h, w)"),
        ({"x": np.zeros((2, 2), complex)}, "dtype complex128"),
        ({"x": np.array([["a", "b"]])}, "one string a row"),
        ({"x": np.zeros((2, 2)), "y": np.array([0.0, np.inf])}, "infinite"),
        ({"x": np.zeros((2, 2)), "y": np.zeros(2, complex)}, "dtype"),
    ],
)
def test_arrays_that_cannot_be_audited(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    assert words in refusal(npz(tmp_path / "a.npz", **arrays))


def test_modalities_that_do_not_fit(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.zeros((3, 5)))
    loud = npz(tmp_path / "b.npz", x=np.full((3, 5), 2.0))
    assert "sounds lie in [-1, 1]" in refusal(loud, modality="audio")
    assert "modality must be one of" in refusal(path, modality="smell")
    assert "no square image" in refusal(path, modality="image")
    assert "looks like embedding" in refusal(path, modality="text")


# csv and jsonl


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,label\n1,2\n1,2,TRAINING-DATA\n", "record 3 (the header is 1) has 3 values and the header has 2"),
        ("a,b,label\n1,2,3\nTRAINING-DATA\n", "record 3 (the header is 1) has 1 values and the header has 3"),
        ("a;label\n1;2\n", "separated by semicolons"),
        ("a\tlabel\n1\t2\n", "separated by tabs"),
        ("a|label\n1|2\n", "separated by bars"),
        ("a,b,a,label\n1,2,3,4\n", "more than one column named 'a'"),
        ("a,label\n", "no rows"),
        ("a,label", "nothing to audit"),
        ("\n\n\n", "is empty"),
        ("label\n1\n2\n", "no content"),
        (b"a,label\n1,TRAINING-DATA\0\n", "NUL byte at offset 23"),
        ("a,label\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"text,label\nTRAINING-DATA caf\xe9,1\n", "the byte at offset 28"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_broken_csv(tmp_path: Path, content: bytes | str, words: str) -> None:
    assert words in refusal(write(tmp_path / "a.csv", content))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('a,label\n1,x\n2,"y\n3,x\n4,y\n', 3),
        ('a,label\r\n"1\r\n1",x\r\n2,"y""\r\n', 4),
        ('a,label\r1,x\r2,"y\r', 3),
        ('\ufeff"a,label\n1,x\n', 1),
        ('a,label\n5" pipe,"x\nsix pipes,y\n', 2),
    ],
)
def test_a_quote_that_never_closes_is_named_by_its_line(tmp_path: Path, content: str, line: int) -> None:
    path = write(tmp_path / "a.csv", content.encode())
    assert f"a.csv: the quote that opens on line {line} never closes; close it" in refusal(path)
    with pytest.raises(InputError, match=f"line {line} never closes"):
        list(stream_csv(path))


@given(st.lists(st.lists(st.text('"a,\n\r\t ', max_size=4), min_size=2, max_size=2), min_size=1, max_size=6))
def test_no_written_csv_has_an_open_quote_and_a_cut_one_is_seen(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(out.getvalue().encode())
        refuse_open_quote(path, ",")
        path.write_bytes(out.getvalue().encode()[:-3])
        with pytest.raises(InputError, match="never closes"):
            refuse_open_quote(path, ",")


def test_a_quote_that_never_closes_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mithridate.data.readers.delimited.BLOCK", 1000)
    assert refusal(write(tmp_path / "a.csv", 'a,label\n1,"' + "x\n" * 5000))


def test_bytes_that_are_not_utf8_are_found_in_later_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mithridate.data.readers.delimited.BLOCK", 1000)
    good = b"text,label\n" + b"some words,1\n" * 500
    line = refusal(write(tmp_path / "a.csv", good + b"caf\xe9,1\n"), modality="text")
    assert f"offset {len(good) + 3:,}" in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": 1, "label": 2}\n{"a": 1, "label"\n', "line 2 is no JSON"),
        ('{"a": 1}\n\n\n[1, 2]\n', "line 4 is a list"),
        ('{"a": 1}\n"TRAINING-DATA"\n', "line 2 is a str"),
        (
            '{"a": 1, "label": 1}\n{"a": "TRAINING-DATA", "label": 1}\n',
            "column 'a' mixes types, number in line 1 and string in line 2",
        ),
        ('{"a": 1, "label": 1}\n{"a": 1, "label": "x"}\n', "column 'label' mixes types"),
        ('{"a": 1}{"a": 2}\n', "line 1 is no JSON"),
        ('{"a":\n1}\n', "line 1 is no JSON"),
        ("\n\n", "no rows"),
        ("{}\n{}\n", "no content"),
        ("[" * 100_000 + "\n", "line 1"),
        ('{"a": {"b": {"c": 1}}, "label": 1}\n', "is nested"),
        (b'{"text": "caf\xe9", "label": 1}\n', "offset 13"),
        (b'{"a": "\0"}\n', "NUL byte at offset 7"),
    ],
)
def test_broken_jsonl(tmp_path: Path, content: bytes | str, words: str) -> None:
    assert words in refusal(write(tmp_path / "a.jsonl", content))


@pytest.mark.parametrize("later", ['{"label": 1}', '{"v": null, "label": 1}', '{"v": [1], "label": 1}'])
def test_vectors_that_end_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: str) -> None:
    monkeypatch.setattr("mithridate.data.readers.json_lines.BLOCK", 64)
    lines = ['{"v": [1, 2], "label": 0}'] * 20 + [later] * 20
    line = refusal(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert "vector" in line or "shape" in line


def test_the_line_number_counts_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mithridate.data.readers.json_lines.BLOCK", 100)
    assert "line 91 " in refusal(write(tmp_path / "a.jsonl", '{"a": 1, "label": 0}\n' * 90 + "{\n" + '{"a": 1}\n' * 9))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_file_of_ten_gigabytes_is_refused_before_it_is_read(tmp_path: Path, suffix: str) -> None:
    path = write(
        tmp_path / f"a{suffix}", "a,label\n1,2\n" * 1000 if suffix == ".csv" else '{"a": 1, "label": 1}\n' * 1000
    )
    with path.open("r+b") as stream:
        stream.truncate(10_000_000_000)
    line = refusal(path, max_bytes=500_000_000)
    assert ("may be used" in line) or suffix == ".parquet"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_reading_stops_at_the_budget(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mithridate.data.readers.delimited.BLOCK", 4096)
    monkeypatch.setattr("mithridate.data.readers.json_lines.BLOCK", 4096)
    row = "1.5,1\n" if suffix == ".csv" else '{"a":1.5,"label":1}\n'
    path = write(tmp_path / f"a{suffix}", ("a,label\n" if suffix == ".csv" else "") + row * 20_000)
    assert "may be used" in refusal(path, max_bytes=200_000)


# parquet


def test_broken_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": range(5000), "label": [0, 1] * 2500}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for n, part in enumerate((whole[:-200], whole[:4], b"PAR1" * 5, b"hello world")):
        assert "no whole Parquet file" in refusal(write(tmp_path / f"{n}.parquet", part))
    garbled = bytearray(whole)
    garbled[60:4000] = bytes(3940)
    assert "damaged" in refusal(write(tmp_path / "g.parquet", bytes(garbled)))


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        ({"a": [{"b": 1}], "label": [1]}, {}, "column 'a' of a.parquet is nested"),
        ({"a": [["x"]], "label": [1]}, {}, "is nested"),
        ({"a": [b"\0"], "label": [1]}, {}, "is binary"),
        ({"a": [[1.0], [1.0, 2.0]], "label": [1, 1]}, {}, "row 0 has 1 values and row 1 has 2"),
        ({"a": [[1.0], None], "label": [1, 1]}, {}, "row 1 has 0"),
        ({"a": [[1.0], [None]], "label": [1, 1]}, {}, "first is row 1"),
        ({"a": [[1.0]], "b": [[1.0]], "label": [1]}, {}, "several columns of vectors"),
        ({"a": [1.0, float("inf")], "label": [1, 1]}, {}, "infinite values in column 'a', the first is row 1"),
        ({"a": [1], "label": [[1]]}, {}, "is nested"),
        ({"a": [1], "label": [1]}, {"label": "b"}, "has no column 'b' (--label)"),
        ({"a": [1], "label": [1]}, {"source_column": "b"}, "(--source)"),
        ({"a": [1], "label": [1]}, {"content": "b"}, "(--content)"),
        ({"a": [1], "label": [1]}, {"content": "a", "modality": "text"}, "which is no text"),
        ({"a": [1], "label": [1]}, {"content": "label", "label": "label"}, "label or source at once"),
        ({"a": [1], "label": [1]}, {"modality": "image"}, "no column of images"),
        ({"a": ["x"], "label": [1]}, {"modality": "embedding"}, "an embedding is numbers"),
        ({"a": pa.array([], pa.int64()), "label": pa.array([], pa.int64())}, {}, "no rows"),
        ({"a": pa.nulls(3), "b": [1, 1, 2]}, {}, "few distinct values: 'b'"),
        ({"image": [b"junk"], "label": [1]}, {}, "row 0, isn't an image"),
        ({"image": [{"bytes": None, "path": "x.png"}], "label": [1]}, {}, "embed the images"),
    ],
)
def test_tables_that_cannot_be_audited(tmp_path: Path, table: Any, options: Any, words: str) -> None:
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    assert words in refusal(tmp_path / "a.parquet", **options)


def test_repeated_column_names_in_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1], [2], [1]], names=["a", "a", "label"]), tmp_path / "a.parquet")
    assert "more than one column named 'a'" in refusal(tmp_path / "a.parquet")


def test_strange_column_names_are_quoted_and_work(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "naïve \U0001f9ea", "a\x1fb", "", "a.b"]
    pq.write_table(pa.table({name: [1, 2] for name in names} | {"label": [0, 1]}), tmp_path / "a.parquet")
    data = read(tmp_path / "a.parquet")
    assert data.content.column_names == names
    assert len(set(data.hashes.tolist())) == 2
    assert "'<script>alert(1)</script>'" in refusal(tmp_path / "a.parquet", label="no")


def test_one_row_and_one_class_can_be_read(tmp_path: Path) -> None:
    data = read(write(tmp_path / "a.csv", "a,label\n1,x\n"))
    assert (len(data), data.n_classes) == (1, 1)


# image folders


def picture(path: Path, size: tuple[int, int] = (4, 4), mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)
    return path


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


Damage = Callable[[Path], object]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda root: write(root / "b" / "z.png", b""), "b/z.png is an empty file"),
        (lambda root: write(root / "b" / "z.png", "hello"), "b/z.png isn't an image"),
        (lambda root: write(root / "b" / "z.jpg", "%!PS-Adobe-3.0 EPSF-3.0\n"), "isn't an image"),
        (lambda root: write(root / "b" / "z.png", png_of(100_000, 100_000)), "pixels"),
        (lambda root: write(root / "b" / "z.png", png_of(9_000, 9_000)), "pixels"),
        (lambda root: write(root / "b" / "z.png", png_of(4, 4)[:-30]), "image"),
        (lambda root: picture(root / "b" / "z.png", (5, 4)), "pets/a/x.png is 4x4 and pets/b/z.png is 5x4"),
        (lambda root: picture(root / "z.png"), "outside the class folders"),
        (lambda root: os.mkfifo(root / "b" / "z.png"), "pipe"),
        (lambda root: (root / "b" / "loop").symlink_to(root), "link back"),
        (lambda root: (root / "b" / "z.png").symlink_to(root / "b" / "z.png"), "can't be read"),
        (lambda root: (root / "b" / "z.png").symlink_to(root / "gone"), "can't be read"),
        (lambda root: picture(root / "/".join("abcdefghijklmnopqrst") / "z.png"), "nested deeper"),
        (lambda root: picture(root / "b" / "z.png", mode="I;16"), "8 bits"),
    ],
)
def test_folders_that_are_no_data_set(tmp_path: Path, damage: Damage, words: str) -> None:
    root = tmp_path / "pets"
    picture(root / "a" / "x.png")
    picture(root / "b" / "y.png")
    damage(root)
    assert words in refusal(root)


def test_empty_folders_and_wrong_modalities(tmp_path: Path) -> None:
    assert "holds no images" in refusal(tmp_path)
    picture(tmp_path / "a" / "x.png")
    assert "leave out --modality" in refusal(tmp_path, modality="text")
    assert "may be used" in refusal(tmp_path, max_bytes=3)


def test_a_picture_whose_text_chunk_is_a_bomb_is_refused(tmp_path: Path) -> None:
    held = io.BytesIO()
    Image.new("L", (4, 4)).save(held, "PNG")
    raw = held.getvalue()
    packed = b"k\0\0" + zlib.compress(b"x" * 100_000_000)
    bomb = struct.pack(">I", len(packed)) + b"zTXt" + packed + struct.pack(">I", zlib.crc32(b"zTXt" + packed))
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "x.png", raw[:33] + bomb + raw[33:])
    assert "a/x.png isn't an image" in refusal(tmp_path)


# Hugging Face folders


def test_broken_hugging_face_folders(tmp_path: Path) -> None:
    write(tmp_path / "dataset_info.json", "{}")
    assert "no Arrow or Parquet shards" in refusal(tmp_path)
    write(tmp_path / "state.json", '{"_data_files": [{"filename": "../../etc/passwd"}]}')
    assert "passwd is no whole Arrow file" in refusal(tmp_path)
    write(tmp_path / "state.json", "{")
    assert "state.json is damaged" in refusal(tmp_path)
    write(tmp_path / "state.json", "[]")
    write(tmp_path / "data-00000-of-00001.arrow", b"\xff\xff\xff\xff\x10\0\0\0junk")
    assert "no whole Arrow file" in refusal(tmp_path)
    write(tmp_path / "dataset_dict.json", "{}")
    assert "has splits" in refusal(tmp_path)


def test_splits_without_train_are_named(tmp_path: Path) -> None:
    for name in ("dev", "test"):
        pq.write_table(pa.table({"a": [1], "label": [1]}), tmp_path / f"{name}-00000-of-00001.parquet")
    assert "splits dev, test" in refusal(tmp_path)


# anything at all


SEEDS: dict[str, bytes] = {}


def seeds(folder: Path) -> dict[str, bytes]:
    if not SEEDS:
        npz(folder / "s.npz", x=np.zeros((3, 4, 4), np.uint8), y=np.arange(3))
        pq.write_table(pa.table({"a": [1, 2, 3], "label": list("xyz")}), folder / "s.parquet")
        SEEDS[".npz"] = (folder / "s.npz").read_bytes()
        SEEDS[".parquet"] = (folder / "s.parquet").read_bytes()
        SEEDS[".csv"] = b'a,text,label\n1,"x, ""y""",0\n2,z,1\n'
        SEEDS[".jsonl"] = b'{"a": 1, "text": "x", "label": 0}\n{"a": 2, "text": "y", "label": 1}\n'
    return SEEDS


@given(st.sampled_from([".npz", ".parquet", ".csv", ".jsonl"]), st.data())
@settings(max_examples=200, deadline=None)
def test_any_damage_gives_rows_or_one_clear_line(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, draw: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    raw = bytearray(seeds(folder)[suffix])
    for _ in range(draw.draw(st.integers(1, 4))):
        place = draw.draw(st.integers(0, len(raw) - 1))
        raw[place : place + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=4))
        if not raw:
            break
    path = write(folder / f"fuzz{suffix}", bytes(raw))
    try:
        answer = str(len(read(path, max_bytes=10_000_000)))
    except Error as error:
        answer = str(error)
    assert answer != "0"
    assert "\n" not in answer


def test_control_characters_in_names_are_written_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a\n\x1b[31m.csv", "a,b\n1\n")
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).isprintable()
    assert "a\\n\\x1b[31m.csv" in str(caught.value)
    assert read(write(path, "a,label\n1,2\n")).name == "a\\n\\x1b[31m.csv"
