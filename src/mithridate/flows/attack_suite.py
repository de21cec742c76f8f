"""Every attack that fits a source, one file each with its truth, and an index: `mithridate attack --all`."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mithridate.attacks.poisoning import MODALITIES
from mithridate.attacks.poisoning.protocol import target_code
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import Error, InputError
from mithridate.core.files import write_atomic
from mithridate.core.progress import Progress, Silent
from mithridate.data.read import read
from mithridate.flows.attack import attack_file
from mithridate.flows.audit_inputs import Columns

INDEX = "suite.json"
RATE = 0.05  # share of rows that every attack poisons unless told otherwise


@dataclass(frozen=True, slots=True)
class Suite:
    """The index of a suite, as it stands in `suite.json`: what was asked, and one entry for each attack.

    An entry has `name`, `status` (`made`, `skipped`, or `begun` while it is being made); when made also `file`,
    `truth`, `settings`, `rows`, `poisoned` and `seconds`; when skipped the `reason`.
    """

    asked: Mapping[str, Any]
    attacks: tuple[Mapping[str, Any], ...]


def attack_suite(
    source: str | Path,
    folder: str | Path,
    *,
    rate: float = RATE,
    target: Any = None,
    seed: int = 0,
    columns: Columns | None = None,
    progress: Progress | None = None,
) -> Suite:
    """Poison `source` by every attack that fits its kind of data, each with its own defaults, into `folder`.

    Each poisoned copy is `folder/NAME` with the suffix of `source`, its truth lies beside it, and `suite.json` says
    what was made, what was skipped and why. A suite that was interrupted goes on where it stopped.

    Raises
    ------
    InputError : `source` can't be read, `rate` or `target` can't be used, or `folder` holds something else: a suite of
        other rows or settings.
    """
    given, place = Path(source), Path(folder)
    Settings({"rate": rate}).rate()
    data = read(given, **(columns or Columns()))
    if target is not None and data.codes is not None:
        target_code(data, target)
    asked = {
        "source": data.name, "digest": data.digest, "modality": data.modality, "rows": len(data), "rate": rate,
        "target": target, "seed": seed,
    }  # fmt: skip
    del data
    done = _begin(place, given, asked)
    for position, name in enumerate(MODALITIES):
        (progress or Silent()).step(name, position / len(MODALITIES))
        if done.get(name, {}).get("status") == "made":
            continue
        if asked["modality"] not in MODALITIES[name]:
            done[name] = _skipped(name, f"made for {' and '.join(MODALITIES[name])} data")
        else:
            _clear(place, done.get(name))
            file = name + ("" if given.is_dir() else given.suffix.lower())
            done[name] = {"name": name, "status": "begun", "file": file}
            _save(place, asked, done)
            done[name] = _make(name, given, place, file, rate=rate, target=target, seed=seed, columns=columns)
        _save(place, asked, done)
    return Suite(asked, tuple(done[name] for name in MODALITIES))


def _begin(place: Path, source: Path, asked: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The entries that are there already, once it is certain that they belong to this suite."""
    if source.is_dir() and (source.resolve() == place.resolve() or source.resolve() in place.resolve().parents):
        raise InputError(f"{place.name} is the source itself, or lies in it; name another folder")
    if not place.exists():
        if not place.parent.is_dir():
            raise InputError(f"the folder {place.parent} for {place.name} isn't there; make it first")
        place.mkdir()
    if not place.is_dir():
        raise InputError(f"{place.name} is a file; a suite needs a folder of its own")
    index = place / INDEX
    if not index.is_file():
        if any(place.iterdir()):
            raise InputError(f"{place.name} holds files and no {INDEX}; name a new folder for the suite")
        return {}
    return _entries(index, asked)


def _entries(index: Path, asked: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    try:
        raw = json.loads(index.read_text(encoding="utf-8"))
        entries = {str(entry["name"]): dict(entry) for entry in raw["attacks"]}
        before = {key: raw[key] for key in asked}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{index.name} in {index.parent.name} is damaged; name a new folder for the suite") from error
    other = [key for key in asked if key != "source" and before[key] != asked[key]]
    if other:
        raise InputError(
            f"{index.parent.name} holds a suite with another {other[0]} ({before[other[0]]}, not {asked[other[0]]}); "
            "name a new folder"
        )
    return {name: entry for name, entry in entries.items() if name in MODALITIES and _whole(index.parent, name, entry)}


def _whole(place: Path, name: str, entry: Mapping[str, Any]) -> bool:
    """Whether an entry may stand: what it made is there. Names of files are ours alone, whatever the index says."""
    file = str(entry.get("file", name))
    if not file.startswith(name) or Path(file).name != file:
        return False
    made = entry.get("status") == "made"
    return not made or ((place / file).exists() and (place / f"{file}.truth.parquet").is_file())


def _clear(place: Path, entry: Mapping[str, Any] | None) -> None:
    """Remove what an interrupted run left of a folder; a file is simply written again."""
    if entry is not None and entry.get("status") == "begun" and (place / str(entry["file"])).is_dir():
        shutil.rmtree(place / str(entry["file"]))


def _make(name: str, source: Path, place: Path, file: str, **options: Any) -> Mapping[str, Any]:
    clock = time.perf_counter()
    try:
        written = attack_file(name, source, place / file, **options)
    except Error as error:
        return _skipped(name, str(error))
    return {
        "name": name, "status": "made", "file": file, "truth": written.truth.name,
        "settings": {key: options[key] for key in ("rate", "target", "seed")},
        "rows": written.n_rows, "poisoned": written.n_poisoned, "seconds": round(time.perf_counter() - clock, 3),
    }  # fmt: skip


def _skipped(name: str, reason: str) -> Mapping[str, Any]:
    return {"name": name, "status": "skipped", "reason": reason}


def _save(place: Path, asked: Mapping[str, Any], done: Mapping[str, Mapping[str, Any]]) -> None:
    entries = [done[name] for name in MODALITIES if name in done]
    text = json.dumps({**asked, "attacks": entries}, ensure_ascii=False, indent=2, default=str)
    write_atomic(place / INDEX, text.encode("utf-8") + b"\n")
