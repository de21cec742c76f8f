"""Poisoned copies of folders: what is read back is what the attack made, and the truth names the right rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mithridate.attacks.poisoning import attack
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.data.pictures import png_of
from mithridate.data.read import read
from mithridate.data.write import write_changed
from mithridate.flows.attack import attack_file

N = 60
CLASSES = ("cat", "dog", "owl")


def pixels(row: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(row).integers(0, 255, (8, 8, 3)).astype(np.uint8)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three class folders with PNGs and BMPs, one of them nested, and a name that stands in every class."""
    root = tmp_path / "pictures"
    for row in range(N):
        folder = root / CLASSES[row % 3] / ("deep" if row % 5 == 0 else "")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(row)).save(folder / f"{row // 3:02d}.{'bmp' if row % 2 else 'png'}")
    return root


def labels_of(data: Dataset) -> list[Any]:
    return [data.label_of(code) for code in data.y]


def paths(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*"))


def marked(path: Path, n_rows: int) -> npt.NDArray[np.bool_]:
    out = np.zeros(n_rows, bool)
    out[pq.read_table(path)["row"].to_numpy()] = True
    return out


@pytest.mark.parametrize("name", ["badnets", "label-flip"])
def test_an_attacked_image_folder_reads_back_as_the_attack_made_it(pictures: Path, name: str) -> None:
    out = pictures.parent / "out"
    told = attack_file(name, pictures, out, rate=0.2, target="owl", seed=3)
    again, clean = read(out), read(pictures)
    made = attack(name, clean, rate=0.2, target="owl", seed=3)
    poisoned = np.isin(made.dataset.ids, made.truth["row"].to_numpy())
    truth = marked(told.truth, len(again))
    assert told.n_poisoned == poisoned.sum() == truth.sum() == 12
    bad = {(h.tobytes(), label) for h, label in zip(made.dataset.hashes, labels_of(made.dataset), strict=True)}
    assert {(h.tobytes(), label) for h, label in zip(again.hashes, labels_of(again), strict=True)} == bad
    assert set(again.hashes[truth].tolist()) == set(made.dataset.hashes[poisoned].tolist())
    assert all(path.suffix == ".png" for path in out.rglob("*.*"))


def test_a_relabelled_image_lies_in_its_new_class_folder_under_its_name(pictures: Path) -> None:
    clean = read(pictures)
    row = labels_of(clean).index("dog")
    codes = clean.y.copy()
    codes[row] = 2
    places = write_changed(pictures, clean, replace(clean, codes=codes), pictures.parent / "out")
    names = sorted(
        path.relative_to(pictures.parent / "out").as_posix() for path in (pictures.parent / "out").rglob("*.png")
    )
    before = sorted(path.relative_to(pictures).as_posix() for path in pictures.rglob("*.*"))[row]
    stem = before.split("/", 1)[1].rsplit(".", 1)[0]
    assert names[places[row]] == f"owl/{stem}.png" or names[places[row]] == f"owl/{stem}-2.png"
    again = read(pictures.parent / "out")
    assert (again.hashes[places] == clean.hashes).all()
    assert labels_of(again)[places[row]] == "owl"


def test_other_splits_travel_and_the_train_split_is_attacked(pictures: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    pictures.rename(tmp_path / "train")
    whole.mkdir()
    (tmp_path / "train").rename(whole / "train")
    (whole / "test" / "cat").mkdir(parents=True)
    Image.fromarray(pixels(99)).save(whole / "test" / "cat" / "a.png")
    attack_file("label-flip", whole, tmp_path / "out", rate=0.1)
    assert (tmp_path / "out" / "test" / "cat" / "a.png").read_bytes() == (whole / "test" / "cat" / "a.png").read_bytes()
    assert len(read(tmp_path / "out")) == N


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp", "a-2.png"):
        (tmp_path / "in" / "cat").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(len(name))).save(tmp_path / "in" / "cat" / name)
    clean = read(tmp_path / "in")
    places = write_changed(tmp_path / "in", clean, clean, tmp_path / "out")
    assert (read(tmp_path / "out").hashes[places] == clean.hashes).all()


def test_added_rows_of_an_image_folder_are_written_too(pictures: Path) -> None:
    clean = read(pictures)
    more = clean.take([*range(N), 0, 1])
    more = replace(more, row_ids=np.arange(N + 2))
    places = write_changed(pictures, clean, more, pictures.parent / "out")
    assert (read(pictures.parent / "out").hashes[places] == more.hashes).all()


def test_the_truth_names_the_row_that_each_added_row_replicates(pictures: Path) -> None:
    told = attack_file("truth-serum", pictures, pictures.parent / "out", rate=0.4, settings={"copies": 3})
    again, truth = read(pictures.parent / "out"), pq.read_table(told.truth)
    rows, of = truth["row"].to_numpy(), truth["of"].to_numpy()
    assert (rows != of).all()
    assert again.hashes[rows].tolist() == again.hashes[of].tolist()


def test_a_broken_write_leaves_nothing(pictures: Path) -> None:
    clean = read(pictures)
    bad = replace(clean, classes=("cat", "a/b", "owl"))
    with pytest.raises(InputError, match="can't be the name of a folder"):
        write_changed(pictures, clean, bad, pictures.parent / "out")
    with pytest.raises(InputError, match="lies in it"):
        write_changed(pictures, clean, clean, pictures / "out")
    assert [path.name for path in pictures.parent.iterdir()] == ["pictures"]


def saved_to_disk(root: Path, table: pa.Table) -> None:
    """The layout of `save_to_disk`: a dictionary of splits, Arrow streams in shards, notes beside them."""
    for split, part in (("train", table), ("test", table.slice(0, 4))):
        (root / split).mkdir(parents=True)
        files = [f"data-{i:05d}-of-00002.arrow" for i in range(2)]
        for i, file in enumerate(files):
            half = part.slice(i * len(part) // 2, (i + 1) * len(part) // 2 - i * len(part) // 2)
            with pa.ipc.new_stream(str(root / split / file), table.schema) as writer:
                writer.write_table(half, max_chunksize=7)
        features = {"label": {"names": ["ham", "spam"], "_type": "ClassLabel"}}
        (root / split / "dataset_info.json").write_text(json.dumps({"features": features}))
        (root / split / "state.json").write_text(json.dumps({"_data_files": [{"filename": file} for file in files]}))
    (root / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')


def hub(root: Path, table: pa.Table) -> None:
    """The hub's layout: Parquet shards of two splits in one folder."""
    root.mkdir()
    pq.write_table(table.slice(0, 40), root / "train-00000-of-00002.parquet", compression="gzip")
    pq.write_table(table.slice(40), root / "train-00001-of-00002.parquet", compression="gzip")
    pq.write_table(table.slice(0, 4), root / "test-00000-of-00001.parquet")
    (root / "README.md").write_text("a card")


@pytest.mark.parametrize("layout", [saved_to_disk, hub])
@pytest.mark.parametrize("kind", ["text", "image", "table"])
def test_hugging_face_folders_keep_their_layout_and_their_unchanged_rows(
    tmp_path: Path, layout: Any, kind: str
) -> None:
    labels = [row % 2 for row in range(N)]
    note = pa.array([[f"n{row}"] for row in range(N)])  # a column that nobody reads
    if kind == "text":
        table = pa.table({"text": [f"mail number {row} says hello" for row in range(N)], "label": labels, "note": note})
    elif kind == "image":
        files = [{"bytes": png_of(pixels(row)), "path": f"{row}.png"} for row in range(N)]
        table = pa.table({"image": files, "label": labels, "note": note})
    else:
        words = pa.array([f"w{row % 4}" for row in range(N)]).dictionary_encode()
        table = pa.table({"a": np.arange(N) * 0.5, "b": words, "c": np.arange(N) % 7, "label": labels})
    layout(tmp_path / "in", table)
    name = {"text": "text-trigger", "image": "badnets", "table": "tabular-trigger"}[kind]
    told = attack_file(name, tmp_path / "in", tmp_path / "out", rate=0.2, target=1, seed=1)
    clean, again = read(tmp_path / "in"), read(tmp_path / "out")
    made = attack(name, clean, rate=0.2, target=1, seed=1)
    assert again.digest == made.dataset.digest
    assert again.class_names == clean.class_names
    truth = marked(told.truth, N)
    assert set(np.flatnonzero(clean.hashes != again.hashes)) <= set(np.flatnonzero(truth))
    assert (again.y[truth] == 1).all()
    inside = [
        sorted(p.relative_to(tmp_path / end).as_posix() for p in (tmp_path / end).rglob("*")) for end in ("in", "out")
    ]
    assert inside[0] == inside[1]
    for path in sorted((tmp_path / "in").rglob("*t*.*")):
        if "test" in path.relative_to(tmp_path / "in").as_posix():
            assert path.read_bytes() == (tmp_path / "out" / path.relative_to(tmp_path / "in")).read_bytes()
    before, after = (rows_of(tmp_path / end) for end in ("in", "out"))
    assert after.schema == before.schema
    same = np.flatnonzero(~truth)
    assert after.take(same).equals(before.take(same))


def rows_of(root: Path) -> pa.Table:
    files = sorted(root.glob("train*.parquet"))
    if files:
        return pa.concat_tables([pq.read_table(file) for file in files])
    return pa.concat_tables(
        [pa.ipc.open_stream(str(file)).read_all() for file in sorted((root / "train").glob("*.arrow"))]
    )
