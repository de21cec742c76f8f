"""A manifest holds for the same records in any file, names what changed, and is refused where it was edited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from mithridate.core.errors import InputError
from mithridate.data.building import build
from mithridate.data.layout import Wish
from mithridate.data.manifest import KEY, Head, Manifest
from mithridate.data.records import records

N = 300


def rows(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(size=(N, 4)).astype(np.float32),
        "y": rng.integers(0, 3, N),
        "source": rng.choice(["shop", "web"], N),
    }


def as_npz(path: Path, data: dict[str, Any]) -> Path:
    np.savez(path, **data)
    return path


def as_table(data: dict[str, Any]) -> pa.Table:
    columns = {f"f{i}": data["x"][:, i] for i in range(data["x"].shape[1])}
    return pa.table({**columns, "y": data["y"], "source": data["source"]})


def made(source: Path, **options: Any) -> Manifest:
    target = source.with_name(f"{source.name}.manifest")
    build(records(source), target, **options)
    return Manifest(target)


def holds(manifest: Manifest, source: Path) -> bool:
    return manifest.compare(records(source, Wish(known=manifest.head.layout))).changes.none


@pytest.fixture
def everything(tmp_path: Path) -> list[Path]:
    """The same records in eight files."""
    data = rows()
    lists = pa.table({"x": list(data["x"]), "y": data["y"], "source": data["source"]})
    wide = as_table(data)
    files = [as_npz(tmp_path / "plain.npz", data), tmp_path / "packed.npz"]
    np.savez_compressed(
        files[1], y=data["y"].astype(np.uint8), x=np.asfortranarray(data["x"].astype(np.float64)),
        source=data["source"],
    )  # fmt: skip
    for name, table, options in (
        ("lists.parquet", lists, {"row_group_size": 7, "compression": "zstd"}),
        ("wide.parquet", wide, {"row_group_size": 101, "use_dictionary": False}),
        ("coded.parquet", wide.set_column(5, "source", wide["source"].dictionary_encode()), {}),
        ("other-order.parquet", wide.select(["source", "f3", "y", "f0", "f2", "f1"]), {}),
    ):
        pq.write_table(table, tmp_path / name, **options)
        files.append(tmp_path / name)
    pyarrow.csv.write_csv(wide, tmp_path / "text.csv")
    with (tmp_path / "lines.jsonl").open("w") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in lists.to_pylist())
    return [*files, tmp_path / "text.csv", tmp_path / "lines.jsonl"]


def test_one_root_for_every_layout_type_and_file(everything: list[Path]) -> None:
    singles = [file for file in everything if file.name != "other-order.parquet"]
    assert len({made(file).head.root for file in singles if file.suffix != ".csv"}) == 1


def test_each_manifest_holds_for_every_other_file(everything: list[Path]) -> None:
    manifests = [made(file) for file in everything if file.name in {"plain.npz", "wide.parquet"}]
    for file in everything:
        same = [holds(manifest, file) for manifest in manifests]
        if file.suffix == ".csv":  # short decimal text is read as the nearest double, not as the float32 it was
            continue
        assert same == ([False, True] if file.name.startswith("other-order") else [True, True]), file.name


def test_shards_of_a_folder_are_one_source(tmp_path: Path) -> None:
    table = as_table(rows())
    folder = tmp_path / "parts"
    folder.mkdir()
    pq.write_table(table.slice(0, 100), folder / "train-00000-of-00002.parquet")
    pq.write_table(table.slice(100), folder / "train-00001-of-00002.parquet")
    pq.write_table(table, tmp_path / "whole.parquet")
    assert holds(made(tmp_path / "whole.parquet"), folder)


def test_image_files_are_covered_byte_by_byte(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for i in range(3):
            (folder / label / f"{i}.png").write_bytes(f"{label} {i}".encode())
    manifest = made(folder)
    assert (manifest.head.rows, manifest.head.layout.label) == (6, "label")
    assert holds(manifest, folder)
    (folder / "cat" / "1.png").write_bytes(b"cat 2 ")
    found = manifest.compare(records(folder)).changes
    assert found.changed.tolist() == [[1, 1]]
    (folder / "cat" / "1.png").rename(folder / "dog" / "1x.png")
    assert not holds(manifest, folder)


def test_every_single_bit_of_content_label_and_source_is_watched(tmp_path: Path) -> None:
    data = {"x": np.random.default_rng(0).normal(size=(64, 3)), "y": np.arange(64), "source": np.array(["ab"] * 64)}
    manifest = made(as_npz(tmp_path / "clean.npz", data))
    rng = np.random.default_rng(1)
    for _ in range(40):
        changed = {key: value.copy() for key, value in data.items()}
        key = rng.choice(["x", "y", "source"], p=[0.7, 0.2, 0.1])
        row = int(rng.integers(64))
        raw = np.ascontiguousarray(changed[key]).reshape(64, -1)
        if key == "source":
            raw[row, 0] = "ac"
        else:
            raw.view(np.uint8)[row, rng.integers(raw.view(np.uint8).shape[1])] ^= np.uint8(1 << rng.integers(8))
        changed[key] = raw.reshape(data[key].shape)
        found = manifest.compare(records(as_npz(tmp_path / "other.npz", changed))).changes
        assert found.changed.tolist() == [[row, row]]


def test_a_secret_salt_is_needed_to_compare(tmp_path: Path) -> None:
    source = as_npz(tmp_path / "a.npz", rows())
    salted, plain = made(source, salt=b"k" * 32), made(as_npz(tmp_path / "b.npz", rows()))
    assert salted.head.root != plain.head.root
    assert b"k" * 8 not in salted.path.read_bytes()
    with pytest.raises(InputError, match="secret salt"):
        salted.compare(records(source))
    with pytest.raises(InputError, match="no salt"):
        plain.compare(records(source), salt=b"k" * 32)
    assert salted.compare(records(source), salt=b"k" * 32).changes.none


def test_the_head_counts_sources_and_names_what_is_not_covered(tmp_path: Path) -> None:
    table = pa.table({"text": [f"a sentence of its own, number {i}" for i in range(50)], "label": [0, 1] * 25,
                      "source": ["a"] * 20 + [None] * 30, "url": ["u"] * 50, "when": np.arange(50)})  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    build(records(tmp_path / "t.parquet", Wish(time="when")), tmp_path / "m")
    manifest = Manifest(tmp_path / "m")
    assert manifest.head.sources == {"a": 20, "(missing)": 30}
    assert (manifest.head.layout.others, manifest.head.layout.left_out) == (("url",), ("when",))
    assert manifest.entry(21) == {"row": 21, "source": "(missing)", "time": 21}
    assert manifest.sources([0, 30]) == ["a", "(missing)"]


def test_an_edited_record_table_no_longer_leads_to_its_root(tmp_path: Path) -> None:
    manifest = made(as_npz(tmp_path / "a.npz", rows()))
    table = pq.read_table(manifest.path)
    leaves = table["leaf"].to_pylist()
    leaves[3] = bytes(32)
    edited = table.set_column(1, "leaf", pa.array(leaves, pa.binary(32)))
    head = pq.read_metadata(manifest.path).metadata[KEY]
    pq.write_table(edited.replace_schema_metadata({KEY: head}), tmp_path / "edited")
    other = Manifest(tmp_path / "edited")
    assert manifest.own_root() == manifest.head.root
    assert other.own_root() != other.head.root


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "text", "cut", "parquet", "no-head", "no-content", "short", "folder"]
)
def test_what_is_no_manifest_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    manifest = made(as_npz(tmp_path / "a.npz", rows()))
    path = tmp_path / "bad"
    raw = manifest.path.read_bytes()
    table = pq.read_table(manifest.path)
    head = json.loads(pq.read_metadata(manifest.path).metadata[KEY])
    if kind == "folder":
        path.mkdir()
    elif kind in {"empty", "text", "cut"}:
        path.write_bytes({"empty": b"", "text": b"{}", "cut": raw[: len(raw) // 2]}[kind])
    elif kind != "missing":
        if kind == "no-head":
            del head["root"]
        if kind == "no-content":
            head["layout"]["content"] = []
        notes = {} if kind == "parquet" else {KEY: json.dumps(head)}
        part = table.slice(0, 10) if kind == "short" else table
        pq.write_table(part.replace_schema_metadata(notes), path)
    with pytest.raises(InputError) as caught:
        Manifest(path)
    assert "\n" not in str(caught.value)


def test_a_head_survives_json() -> None:
    for size in (1, 3):
        raw = {"schema": "mithridate.manifest/1", "name": "a", "rows": size, "root": "00", "salt_id": "",
               "layout": {"content": ["x"], "label": None, "source": "s", "shape": [2, 2]}}  # fmt: skip
        head = Head.from_json(raw)
        assert Head.from_json(head.to_json()) == head


@pytest.mark.parametrize("dtype", ["longdouble", "complex128"])
def test_numbers_without_a_known_form_are_refused(dtype: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((5, 2), dtype), y=np.arange(5))
    with pytest.raises(InputError, match="dtype"):
        made(tmp_path / "a.npz")


def complaint(manifest: Path, source: Path) -> str:
    """What is said where the two can't be compared; empty where they can."""
    try:
        opened = Manifest(manifest)
        opened.compare(records(source, Wish(known=opened.head.layout)))
    except InputError as error:
        return str(error)
    return ""


def test_columns_named_by_hand_keep_the_manifests_order(tmp_path: Path) -> None:
    table = as_table(rows())
    pq.write_table(table, tmp_path / "a.parquet")
    manifest = made(tmp_path / "a.parquet")
    other = table.select(["f2", "y", "f0", "source", "f1", "f3"]).rename_columns(
        ["f2", "cls", "f0", "from", "f1", "f3"]
    )
    pq.write_table(other, tmp_path / "b.parquet")
    wish = Wish(label="cls", source="from", known=manifest.head.layout)
    assert manifest.compare(records(tmp_path / "b.parquet", wish)).changes.none


def test_damaged_files_are_one_line_or_a_change_and_never_a_crash(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    manifest = made(as_npz(tmp_path / "a.npz", rows()))
    pq.write_table(as_table(rows()), tmp_path / "a.parquet")
    files = [(name, (tmp_path / name).read_bytes()) for name in ("a.npz.manifest", "a.npz", "a.parquet")]
    refused = 0
    for turn in range(150):
        name, raw = files[turn % 3]
        other = tmp_path / f"damaged{Path(name).suffix}"
        damaged = bytearray(raw)
        for _ in range(int(rng.integers(1, 6))):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        other.write_bytes(damaged[: rng.integers(len(damaged))] if turn % 5 == 0 else damaged)
        pair = (other, tmp_path / "a.npz") if name.endswith("manifest") else (manifest.path, other)
        said = complaint(*pair)
        assert "\n" not in said
        refused += bool(said)
    assert refused > 75


def test_a_crash_while_building_leaves_the_old_manifest(tmp_path: Path) -> None:
    manifest = made(as_npz(tmp_path / "a.npz", rows()))
    before = manifest.path.read_bytes()
    raw = bytearray((tmp_path / "a.npz").read_bytes())
    raw[500] ^= 1
    (tmp_path / "a.npz").write_bytes(raw)
    with pytest.raises(InputError, match="damaged"):
        made(tmp_path / "a.npz")
    assert manifest.path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.npz", "a.npz.manifest"]
