"""A poisoned copy comes in the form of its source, reads back as the attack made it, and keeps what nobody read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from mithridate.attacks.poisoning import attack
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.data.instructions import responses
from mithridate.data.pictures import png_of
from mithridate.data.read import read
from mithridate.flows.attack import attack_file

N = 60
LABELS = [f"k{row % 3}" for row in range(N)]
PIXELS = np.random.default_rng(0).integers(0, 255, (N, 8, 8, 3)).astype(np.uint8)
TEXTS = pa.table({"text": [f"mail number {row} says hello" for row in range(N)], "label": LABELS})
CELLS = {"a": np.arange(N) * 0.5, "b": [f"w{row % 4}" for row in range(N)], "c": np.arange(N) % 7, "label": LABELS}
TABLE = pa.table(CELLS)
VECTORS = pa.table({"embedding": np.random.default_rng(1).normal(size=(N, 4)).tolist(), "label": LABELS})
IMAGES = pa.table({"image": [{"bytes": png_of(image), "path": None} for image in PIXELS], "label": LABELS})
ASKED = [
    [{"role": "user", "content": f"what is {row}"}, {"role": "assistant", "content": f"it is {row} and more"}]
    for row in range(N)
]
CHAT = pa.table({"messages": ASKED, "note": [[row] for row in range(N)]})
PAIRS = pa.table({"prompt": TEXTS["text"], "response": [f"answer {row}" for row in range(N)]})
ATTACKS = {"image": "badnets", "text": "text-trigger", "table": "tabular-trigger", "embedding": "label-flip"}

Save = Callable[[pa.Table, Path], object]


def lines(table: pa.Table, path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()), encoding="utf-8")


def tabs(table: pa.Table, path: Path) -> None:
    csv.write_csv(table, path, csv.WriteOptions(delimiter="\t"))


def shards(table: pa.Table, path: Path) -> None:
    path.mkdir()
    pq.write_table(table.slice(0, 40), path / "s0.parquet")
    pq.write_table(table.slice(40), path / "s1.parquet")


def arrays(table: pa.Table, path: Path) -> None:
    kind = table.column_names[0]
    x = PIXELS if kind == "image" else np.array(table[kind].to_pylist())
    np.savez(path, x=x, y=np.array(LABELS))


def same_rows(again: Dataset, made: Dataset) -> None:
    rows = made.take(np.argsort(made.ids, kind="stable"))
    assert again.hashes.tobytes() == rows.hashes.tobytes()
    assert again.classes == rows.classes
    np.testing.assert_array_equal(again.y, rows.y)
    assert again.digest == made.digest


@pytest.mark.parametrize(
    ("table", "name", "save"),
    [
        *(
            (table, f"a{suffix}", pq.write_table)
            for table in (TEXTS, TABLE, VECTORS, IMAGES)
            for suffix in (".parquet",)
        ),
        (TEXTS, "a.pq", pq.write_table),
        *((table, "a.csv", csv.write_csv) for table in (TEXTS, TABLE)),
        *((table, "a.tsv", tabs) for table in (TEXTS, TABLE)),
        *((table, "a.jsonl", lines) for table in (TEXTS, TABLE, VECTORS)),
        (TEXTS, "a.ndjson", lines),
        *((table, "a.npz", arrays) for table in (TEXTS, VECTORS, IMAGES)),
        *((table, "a", shards) for table in (TEXTS, TABLE, VECTORS, IMAGES)),
    ],
)
def test_a_poisoned_copy_has_the_form_of_its_source(tmp_path: Path, table: pa.Table, name: str, save: Save) -> None:
    source, out = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    save(table, source)
    clean = read(source)
    chosen = ATTACKS[clean.modality]
    told = attack_file(chosen, source, out, rate=0.2, target="k2", seed=3)
    made = attack(chosen, clean, rate=0.2, target="k2", seed=3)
    assert out.is_dir() == source.is_dir()
    same_rows(read(out), made.dataset)
    assert pq.read_table(told.truth)["row"].to_pylist() == sorted(made.truth["row"].to_pylist())


def test_numbers_that_were_read_as_a_table_go_back_into_an_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(N, 4)), y=np.array(LABELS))
    attack_file(
        "tabular-trigger", tmp_path / "a.npz", tmp_path / "b.npz", rate=0.2, columns={"modality": "table"}, seed=1
    )
    clean, again = (read(tmp_path / name, modality="table") for name in ("a.npz", "b.npz"))
    assert again.content.schema == clean.content.schema
    same_rows(again, attack("tabular-trigger", clean, rate=0.2, seed=1).dataset)


def test_a_table_of_words_names_the_forms_that_hold_it(tmp_path: Path) -> None:
    csv.write_csv(TABLE, tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"more than numbers; write it as \.parquet, \.csv or \.jsonl"):
        attack_file("label-flip", tmp_path / "a.csv", tmp_path / "b.npz", rate=0.2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("kind", ["text", "image"])
def test_a_parquet_file_keeps_the_columns_that_nobody_read(tmp_path: Path, kind: str) -> None:
    note = pa.array([[f"n{row}"] for row in range(N)])
    table = (TEXTS if kind == "text" else IMAGES).append_column("note", note)
    pq.write_table(table, tmp_path / "a.parquet", compression="gzip")
    told = attack_file(ATTACKS[kind], tmp_path / "a.parquet", tmp_path / "b.parquet", rate=0.2, target="k1")
    written = pq.ParquetFile(tmp_path / "b.parquet")
    assert written.schema_arrow == table.schema
    assert written.metadata.row_group(0).column(0).compression == "GZIP"
    untouched = np.setdiff1d(np.arange(N), pq.read_table(told.truth)["row"].to_numpy())
    assert written.read().take(untouched).equals(table.take(untouched))
    assert written.read()["note"].equals(table["note"])


def test_rows_added_to_a_parquet_file_of_images_are_written_too(tmp_path: Path) -> None:
    pq.write_table(IMAGES, tmp_path / "a.parquet")
    attack_file("truth-serum", tmp_path / "a.parquet", tmp_path / "b.parquet", rate=0.4, settings={"copies": 3})
    again = read(tmp_path / "b.parquet")
    made = attack("truth-serum", read(tmp_path / "a.parquet"), rate=0.4, copies=3)
    assert len(again) > N
    same_rows(again, made.dataset)


@pytest.mark.parametrize("table", [CHAT, PAIRS], ids=["messages", "pairs"])
@pytest.mark.parametrize(("name", "save"), [("a.parquet", pq.write_table), ("a.jsonl", lines), ("a", shards)])
def test_poisoned_answers_reach_every_form_of_instructions(
    tmp_path: Path, table: pa.Table, name: str, save: Save
) -> None:
    source, out = tmp_path / name, tmp_path / f"out{Path(name).suffix}"
    save(table, source)
    clean = read(source)
    attack_file("fine-tuning", source, out, rate=0.2, seed=1)
    made, again = attack("fine-tuning", clean, rate=0.2, seed=1).dataset, read(out)
    made = made.take(np.argsort(made.ids, kind="stable"))
    assert (responses(made) != responses(clean)).sum() == 12
    assert again.x == made.x
    assert responses(again).tolist() == responses(made).tolist()


def test_images_finer_than_bytes_are_not_rounded_into_a_parquet_file(tmp_path: Path) -> None:
    fine: Any = np.random.default_rng(0).random((N, 8, 8, 3), dtype=np.float32)
    np.savez(tmp_path / "a.npz", x=fine, y=np.array(LABELS))
    with pytest.raises(InputError, match=r"finer than 8 bits .* \.npz"):
        attack_file("label-flip", tmp_path / "a.npz", tmp_path / "b.parquet", rate=0.2)
