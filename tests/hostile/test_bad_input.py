"""`mithridate audit` on hopeless input: exit code 2, one clear line of what, where and what next, and no file left."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mithridate.cli import main

N = 60
CELLS = [f"{row * 0.5},{row % 5},{row % 2}" for row in range(N)]
TABLE = pa.table({"a": np.arange(N) * 0.5, "b": np.arange(N) % 5, "label": np.arange(N) % 2})
PIXELS = np.random.default_rng(0).integers(0, 255, (N, 8, 8), dtype=np.uint8)
HUGE = 10 * 2**30  # bytes, sparse: no disk is taken

Build = Callable[[Path], object]


def lines(rows: list[str], header: str = "a,b,label") -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


def whole_parquet() -> bytes:
    held = io.BytesIO()
    pq.write_table(TABLE, held)
    return held.getvalue()


def whole_npz(**arrays: Any) -> bytes:
    held = io.BytesIO()
    np.savez(held, **(arrays or {"x": PIXELS, "y": np.arange(N) % 3}))
    return held.getvalue()


def put(name: str, content: bytes | str) -> Build:
    return lambda root: (root / name).write_bytes(content.encode() if isinstance(content, str) else content)


def sparse(name: str, head: bytes) -> Build:
    def build(root: Path) -> None:
        (root / name).write_bytes(head)
        os.truncate(root / name, HUGE)

    return build


def pictures(name: str, content: bytes) -> Build:
    """A folder of two classes, and one file more."""

    def build(root: Path) -> None:
        for row in range(4):
            (root / "f" / "ab"[row % 2]).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), row).save(root / "f" / "ab"[row % 2] / f"{row}.png")
        (root / "f" / "b" / name).write_bytes(content)

    return build


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * (height * (width + 1) if width < 99 else 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def arrow(root: Path) -> None:
    held = io.BytesIO()
    with pa.ipc.new_stream(held, TABLE.schema) as writer:
        writer.write_table(TABLE)
    (root / "f").mkdir()
    (root / "f" / "data-00000-of-00001.arrow").write_bytes(held.getvalue()[:500])


class Owned:
    """Unpickling this would leave a file behind."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("owned",)


def objects(root: Path) -> None:
    np.save(root / "a.npy", np.array([Owned()], dtype=object), allow_pickle=True)


GOOD = put("a.npz", whole_npz())
TABULAR = put("a.csv", lines(CELLS))
WIDE = ",".join(f"c{column}" for column in range(20_000))

CASES: dict[str, tuple[Build, list[str], str]] = {
    "no such file": (lambda _: None, ["a.csv"], "no such file or folder: 'a.csv'; check the path"),
    "no such label": (GOOD, ["a.npz", "--label", "nope"], "no array 'nope'; its arrays are 'x', 'y'"),
    "no such content": (TABULAR, ["a.csv", "--content", "nope"], "no column 'nope' (--content); its columns"),
    "no such source": (TABULAR, ["a.csv", "--source", "nope"], "no column 'nope' (--source); its columns"),
    "ragged images": (pictures("z.png", png(9, 8)), ["f"], "f/a/0.png is 8x8 and f/b/z.png is 9x8 pixels; resize"),
    "ragged arrays": (
        put("a.npz", whole_npz(x=np.array([np.zeros(2), np.zeros(3)], dtype=object))),
        ["a.npz"],
        "pickles are never loaded; save it with one",
    ),
    "labels longer than rows": (put("a.npz", whole_npz(x=PIXELS, y=np.arange(N + 1))), ["a.npz"], "61 values in 'y'"),
    "mixed types": (put("a.jsonl", '{"a": 1}\n{"a": "s"}\n'), ["a.jsonl"], "number in line 1 and string in line 2"),
    "nested labels": (
        lambda root: pq.write_table(pa.table({"a": [1.0], "label": [[1]]}), root / "a.parquet"),
        ["a.parquet"],
        "'label' is nested",
    ),
    "cut Parquet": (put("a.parquet", whole_parquet()[:300]), ["a.parquet"], "cut short or damaged); copy or write"),
    "cut Arrow": (arrow, ["f"], "no whole Arrow file"),
    "cut npz": (put("a.npz", whole_npz()[:900]), ["a.npz"], "write it again with numpy.savez"),
    "cut gz": (put("a.csv.gz", gzip.compress(lines(CELLS))[:50]), ["a.csv.gz"], "isn't read; unpack it first"),
    "cut zip": (put("a.zip", whole_npz()[:500]), ["a.zip"], "isn't read; unpack it first"),
    "gz named csv": (put("a.csv", gzip.compress(lines(CELLS))), ["a.csv"], "no text file, or damaged"),
    "no image": (pictures("z.png", b"hello"), ["f"], "f/b/z.png isn't an image; replace or remove it"),
    "bomb image": (pictures("z.png", png(10**5, 10**5)), ["f"], "more than 50,000,000 pixels; remove it or scale"),
    "empty file": (put("a.csv", b""), ["a.csv"], "is empty (0 bytes)"),
    "empty folder": (lambda root: (root / "f").mkdir(), ["f"], "holds no images"),
    "header alone": (put("a.csv", lines([])), ["a.csv"], "has no rows"),
    "20,000 columns": (
        put("a.csv", lines([",".join(["1"] * 20_000)] * 2, WIDE)),
        ["a.csv", "--label", "c0"],
        "19,999 columns, and a table may have 10,000; pass fewer",
    ),
    "repeated columns": (put("a.csv", lines(CELLS, "a,a,label")), ["a.csv"], "more than one column named 'a'; rename"),
    "repeated keys": (put("a.jsonl", '{"a": 1, "a": 2}\n'), ["a.jsonl"], "specified twice in row 0); mend"),
    "UTF-16": (put("a.csv", lines(CELLS).decode().encode("utf-16")), ["a.csv"], "is UTF-16; save it as UTF-8"),
    "Latin-1": (put("a.csv", lines(["caf\xe9,1,1"]).decode().encode("latin-1")), ["a.csv"], "save it as UTF-8"),
    "open quote": (
        put("a.csv", lines([*CELLS, '"x,1,2', *CELLS])),
        ["a.csv"],
        "opens on line 62 never closes; close",
    ),
    "semicolons": (put("a.csv", lines(["1;2;0"], "a;b;label")), ["a.csv"], "separated by semicolons, not commas; save"),
    "10 GB of CSV": (sparse("a.csv", lines(CELLS)), ["a.csv"], "in memory and"),
    "10 GB of nothing": (sparse("a.parquet", b"PAR1"), ["a.parquet"], "no whole Parquet file"),
    "broken line": (put("a.jsonl", '{"a": 1}\n{"a":\n'), ["a.jsonl"], "line 2 is no JSON"),
    "nested JSON": (put("a.jsonl", '{"a": {"b": {"c": 1}}, "label": 0}\n'), ["a.jsonl"], "is nested"),
    "deep JSON": (put("a.jsonl", '{"a":' + "[" * 100_000), ["a.jsonl"], "nested too deeply"),
    "one JSON list": (put("a.json", "[]"), ["a.json"], "write one object a line: .jsonl"),
    "an .npy of objects": (objects, ["a.npy"], "write arrays as .npz: numpy.savez"),
    "infinite": (put("a.csv", lines([*CELLS, "inf,1,1"])), ["a.csv"], "the first is row 60; drop or fill"),
    "a pipe": (lambda root: os.mkfifo(root / "a.csv"), ["a.csv"], "write it to a file first"),
    "no folder for the report": (TABULAR, ["a.csv", "-o", "no/r.json"], "no folder no to write no/r.json in; make it"),
    "report of no format": (TABULAR, ["a.csv", "-o", "a.csv"], "don't know the format of a.csv; use one of"),
    "clean copy over the source": (TABULAR, ["a.csv", "--clean", "a.csv"], "a.csv is the source itself"),
    "scores over the source": (
        put("a.parquet", whole_parquet()),
        ["a.parquet", "--scores", "a.parquet"],
        "is the source itself",
    ),
    "clean copy of another form": (TABULAR, ["a.csv", "--clean", "b.npz"], "must have the source's suffix .csv"),
    "reference of another kind": (GOOD, ["a.npz", "--reference", "a.csv"], "the reference: no such file"),
    "reference without a column": (
        lambda root: (TABULAR(root), put("b.csv", lines(CELLS, "z,b,label"))(root)),
        ["a.csv", "--reference", "b.csv"],
        "the reference has no column 'a'; pass rows with",
    ),
    "a rate of false flags over 1": (TABULAR, ["a.csv", "--fdr", "2"], "fdr must be in (0, 1), got 2.0"),
}


def tree(root: Path) -> list[tuple[str, int]]:
    return sorted((path.relative_to(root).as_posix(), path.lstat().st_size) for path in root.rglob("*"))


@pytest.mark.parametrize("case", CASES)
def test_hopeless_input_gets_one_clear_line_and_leaves_no_file(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build, words, told = CASES[case]
    build(tmp_path)
    before = tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["audit", *words, "--quiet", "--power", "off"])
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert told in said
    assert said.startswith("mithridate: ")
    assert said.endswith("\n")
    assert said[:-1].isprintable()
    assert len(said) < 400
    assert tree(tmp_path) == before


ODD: dict[str, bytes] = {
    "one class": lines([cell[:-1] + "0" for cell in CELLS]),
    "a class of one row": lines([*CELLS, "1,1,9"]),
    "rows all equal": lines(["1,2,0", "1,2,1"] * 40),
    "constant columns": lines([f"7,x,{row % 2}" for row in range(N)]),
    "labels all different": lines([f"{row},1,{row}" for row in range(N)]),
    "columns with escapes": lines(CELLS, '"a\n\x1b[31m","<script>\u202e",label'),
    "labels with escapes": lines([cell[:-1] + ('"x\n\x1b]0;h\x07"', "<b>")[row % 2] for row, cell in enumerate(CELLS)]),
    "a mark of byte order": b"\xef\xbb\xbf" + lines(CELLS),
    "labels partly missing": lines([cell[:-1] if row % 7 == 0 else cell for row, cell in enumerate(CELLS)]),
    "no label in any row": lines([cell[:-1] for cell in CELLS]),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_but_readable_input_is_audited_without_a_word_on_stderr(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_bytes(ODD[case])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["audit", "a.csv", "-o", "r.json", "--power", "off"])
    out = capsys.readouterr()
    assert left.value.code == 0
    assert out.err == ""
    assert all(line.isprintable() for line in out.out.splitlines())
    checks = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["checks"]
    assert "failed" not in {check["status"] for check in checks}
    assert all(check["reason"] for check in checks if check["status"] == "skipped")


def test_one_row_is_told_to_be_too_few_by_every_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_bytes(lines(CELLS[:1]))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["audit", "a.csv", "-o", "r.json"])
    assert left.value.code == 2
    checks = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["checks"]
    assert {check["status"] for check in checks} == {"skipped"}
    assert "Nothing" not in capsys.readouterr().out.split("\n")[2]


def small_files() -> None:
    """No file may grow beyond 300 bytes: what a full disk does to a writer."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    TABULAR(tmp_path)
    before = tree(tmp_path)
    words = [sys.executable, "-B", "-m", "mithridate", "audit", "a.csv", "-q", "--power", "off", "--method", "PSN105"]
    done = subprocess.run(
        [*words, "-o", "r.html", "--scores", "s.parquet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small_files,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("mithridate: can't write")
    assert "r.html: File too large; make room or write elsewhere" in done.stderr
    assert done.stderr.count("\n") == 1
    assert tree(tmp_path) == before


def test_an_interrupt_amid_a_write_leaves_no_part_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    TABULAR(tmp_path)
    before = tree(tmp_path)

    def half(_source: Path, _keep: object, target: Path) -> None:
        target.write_bytes(b"a,b,label\n0.0,")
        raise KeyboardInterrupt

    monkeypatch.setattr("mithridate.data.writers.rows.filter_csv", half)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["audit", "a.csv", "-q", "--power", "off", "--method", "PSN105", "--clean", "b.csv"])
    assert left.value.code == 130
    assert capsys.readouterr().err.lstrip() == "mithridate: interrupted; no file was left half written\n"
    assert tree(tmp_path) == before
