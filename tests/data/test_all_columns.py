"""Every column of a record is covered, for every kind of source, and the same records hold in any file."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.core.errors import InputError
from mithridate.data.building import build
from mithridate.data.encoding import encode_columns, encode_row
from mithridate.data.joined import content_pieces, hashed, row_pieces
from mithridate.data.layout import Wish
from mithridate.data.leaves import Block, leaves_of
from mithridate.data.manifest import KEY, Manifest
from mithridate.data.records import records

N = 40


def texts(**changed: Any) -> dict[str, Any]:
    """Texts with columns of many types beside them; gaps in some."""
    return {
        "text": [f"a sentence of its own that is long enough, number {i}" for i in range(N)],
        "label": [i % 2 for i in range(N)],
        "url": [f"https://example.org/{i}" if i % 5 else None for i in range(N)],
        "score": [i / 7 if i % 3 else None for i in range(N)],
        "tags": [["a", None] if i % 2 else [] for i in range(N)],
        "turns": [[{"role": "user", "n": i, "note": None}] for i in range(N)],
        **changed,
    }


def write(path: Path, columns: dict[str, Any]) -> Path:
    table = pa.table(columns) if path.suffix != ".npz" else None
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        np.savez(path, **{name: np.asarray(values) for name, values in columns.items()})
    return path


def made(source: Path, wish: Wish | None = None) -> Manifest:
    build(records(source, wish), source.with_suffix(".manifest"))
    return Manifest(source.with_suffix(".manifest"))


def changed_rows(manifest: Manifest, source: Path) -> list[int]:
    found = records(source, Wish(known=manifest.head.layout))
    assert not found.layout.new
    changes = manifest.compare(found).changes
    assert len(changes.added) == len(changes.dropped) == 0
    return [int(row) for row in changes.changed[:, 1]]


def flat(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: values for name, values in columns.items() if name not in {"tags", "turns"}}


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_change_in_a_column_beside_the_text_is_named(suffix: str, tmp_path: Path) -> None:
    columns = texts() if suffix != ".csv" else flat(texts())
    manifest = made(write(tmp_path / f"a{suffix}", columns))
    assert set(manifest.head.layout.covered) == set(columns)
    assert changed_rows(manifest, tmp_path / f"a{suffix}") == []
    for name, values in columns.items():
        other = {"text": "other words", "label": 7, "url": "http://evil", "score": 9.5, "tags": ["b"], "turns": []}[
            name
        ]
        later = [other if i in {3, 17} else value for i, value in enumerate(values)]
        write(tmp_path / f"b{suffix}", {**columns, name: later})
        assert changed_rows(manifest, tmp_path / f"b{suffix}") == [3, 17], name


def test_the_same_records_hold_as_parquet_and_json_lines(tmp_path: Path) -> None:
    manifest = made(write(tmp_path / "a.parquet", texts()))
    assert changed_rows(manifest, write(tmp_path / "b.jsonl", texts())) == []
    moved = dict(reversed(texts().items()))
    assert changed_rows(manifest, write(tmp_path / "c.parquet", moved)) == []


def test_arrays_beside_x_and_y_are_covered_and_others_are_said_to_be_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(N, 3)), "y": np.arange(N) % 2, "url": np.array([f"u{i}" for i in range(N)]),
              "box": rng.normal(size=(N, 4)), "rate": np.array(16_000), "odd": np.zeros(N, complex)}  # fmt: skip
    manifest = made(write(tmp_path / "a.npz", arrays))
    assert manifest.head.layout.others == ("box", "url")
    assert set(manifest.head.layout.left_out) == {"rate", "odd"}
    box = arrays["box"].copy()
    box[5, 3] = np.nextafter(box[5, 3], 9)
    assert changed_rows(manifest, write(tmp_path / "b.npz", {**arrays, "box": box})) == [5]
    as_lists = {"x": list(arrays["x"]), "y": arrays["y"], "url": arrays["url"], "box": list(arrays["box"])}
    assert changed_rows(manifest, write(tmp_path / "c.parquet", as_lists)) == []


def test_a_folder_of_files_says_that_their_names_are_not_covered(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "1.png").write_bytes(label.encode())
    assert records(tmp_path / "set").layout.left_out == ("file names",)


def test_a_column_that_was_renamed_swapped_gone_or_new_never_passes(tmp_path: Path) -> None:
    base = {**flat(texts()), "chosen": [f"c{i}" for i in range(N)], "rejected": [f"r{i}" for i in range(N)]}
    manifest = made(write(tmp_path / "a.parquet", base))
    swapped = {**base, "chosen": base["rejected"], "rejected": base["chosen"]}
    assert len(changed_rows(manifest, write(tmp_path / "b.parquet", swapped))) == N
    more = write(tmp_path / "c.parquet", {**base, "answer": base["url"]})
    found = records(more, Wish(known=manifest.head.layout))
    assert found.layout.new == ("answer",)
    assert manifest.compare(found).changes.none
    del base["url"]
    less = records(write(tmp_path / "d.parquet", base), Wish(known=manifest.head.layout))
    assert "url" not in less.layout.others


def test_columns_left_out_by_name_may_change_and_the_time_too(tmp_path: Path) -> None:
    columns = {**flat(texts()), "when": list(range(N))}
    manifest = made(write(tmp_path / "a.parquet", columns), Wish(time="when", left_out=("score",)))
    assert set(manifest.head.layout.left_out) == {"when", "score"}
    later = {**columns, "when": [9] * N, "score": [1.0] * N}
    assert changed_rows(manifest, write(tmp_path / "b.parquet", later)) == []
    with pytest.raises(InputError, match="leave-out"):
        records(tmp_path / "a.parquet", Wish(left_out=("nothing",)))


def test_a_missing_an_empty_a_number_and_a_text_are_four_values() -> None:
    block = [Block((pa.array(["t"]),), None, None, {"c": column}) for column in (
        pa.array([None], pa.string()), pa.array([""]), pa.array(["1"]), pa.array([1]), pa.array([b"1"]),
        pa.array([[1]]), pa.array([["1"]]), pa.array([dt.date(2024, 1, 1)]), pa.array(["2024-01-01"]),
        pa.array([{"a": b"x"}]), pa.array([{"a": "x"}]), pa.array([{"a": "\x00bx"}]), pa.array([{"a": "b'x'"}]),
        pa.array([float("nan")]), pa.array([-0.0]), pa.array([0.0]),
    )]  # fmt: skip
    assert len({leaves_of(item).tobytes() for item in block}) == len(block)
    assert len({leaves_of(Block((pa.array(["t"]),), None, None, {n: pa.array([1])})).tobytes() for n in "ab"}) == 2


CELL = st.one_of(st.none(), st.text(max_size=5))
ROWS = st.lists(
    st.fixed_dictionaries({
        "a": CELL, "b": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), "c": st.floats(),
        "d": st.binary(max_size=4),
        "e": st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 300)), max_size=3)),
        "f": st.one_of(st.none(), st.datetimes()), "g": st.integers(0, 5),
        "h": st.one_of(st.none(), st.lists(st.fixed_dictionaries({"k": CELL, "v": st.one_of(st.none(), st.floats())}),
                                           max_size=2)),
        "i": st.one_of(st.none(), st.lists(CELL, max_size=2)),
        "j": st.one_of(st.none(), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3)),
    }), min_size=1, max_size=8,
)  # fmt: skip
SCHEMA = pa.schema([("a", pa.string()), ("b", pa.int64()), ("c", pa.float64()), ("d", pa.binary()),
                    ("e", pa.list_(pa.int64())), ("f", pa.timestamp("us")), ("g", pa.int32()),
                    ("h", pa.list_(pa.struct([("v", pa.float64()), ("k", pa.string())]))),
                    ("i", pa.list_(pa.string())), ("j", pa.large_list(pa.int64()))])  # fmt: skip


@given(ROWS)
@settings(max_examples=40, deadline=None)
def test_joined_bytes_are_the_encoded_ones_whatever_stands_beside(rows: list[dict[str, Any]]) -> None:
    class Kept(bytes):
        def digest(self) -> bytes:
            return bytes(self)

    table = pa.Table.from_pylist(rows, SCHEMA)
    columns = [column.combine_chunks() for column in table.columns]
    expected = encode_row(columns)
    assert hashed(b"", row_pieces(columns), len(rows), Kept) == expected
    assert hashed(b"h", content_pieces(columns), len(rows), Kept) == [b"h" + row for row in encode_columns(columns)]
    alone = [encode_row([column[i : i + 1] for column in columns])[0] for i in range(len(rows))]
    assert alone == expected
    sliced = [column[1:] for column in columns]
    assert hashed(b"", row_pieces(sliced), len(rows) - 1, Kept) == expected[1:]


def test_a_json_column_that_comes_late_or_looks_like_a_time_is_covered_as_it_is(tmp_path: Path) -> None:
    lines = [{"text": f"{'word ' * 400}{i}", "label": i % 2, "day": "2024-01-01 00:00:00"} for i in range(3000)]
    lines[-1] |= {"late": "x"}
    lines[5]["day"] = "no day"
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    manifest = made(path)
    assert manifest.head.layout.others == ("day", "late")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[1500:]))
    later = manifest.compare(records(tmp_path / "b.jsonl", Wish(known=manifest.head.layout))).changes
    assert (len(later.dropped), len(later.changed)) == (1500, 0)
    lines[-1]["late"] = "y"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert changed_rows(manifest, path) == [2999]


def test_shards_with_columns_of_their_own_are_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for number, columns in enumerate((flat(texts()), {**flat(texts()), "more": list(range(N))})):
        pq.write_table(pa.table(columns), tmp_path / "set" / f"train-0000{number}-of-00002.parquet")
    with pytest.raises(InputError, match="of its own"):
        build(records(tmp_path / "set"), tmp_path / "M")


def test_a_manifest_of_version_1_still_holds_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", flat(texts()))
    old = made(source, Wish(left_out=("url", "score")))  # which makes version 1's leaves
    head = json.loads(pq.read_metadata(old.path).metadata[KEY])
    head["schema"] = "mithridate.manifest/1"
    del head["layout"]["others"]
    pq.write_table(pq.read_table(old.path).replace_schema_metadata({KEY: json.dumps(head)}), tmp_path / "M1")
    manifest = Manifest(tmp_path / "M1")
    assert manifest.head.version == 1
    assert changed_rows(manifest, source) == []
    assert Manifest(tmp_path / "M1").head.to_json()["schema"] == "mithridate.manifest/1"
    nested = write(tmp_path / "b.parquet", {"text": texts()["turns"], "label": texts()["label"]})
    with pytest.raises(InputError, match="version 1"):
        manifest.compare(records(nested, Wish(known=manifest.head.layout)))
