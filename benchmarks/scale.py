"""Claim: 10,000,000 rows of 30 columns are audited on one thread below 4 GB, at a cost that grows with the rows.

Tables hold 250 poisoned rows (150 in a tenth of them) that share two values, one source of twenty with four times the
wrong labels, and 2 % wrong labels; the embeddings hold 2 % wrong labels. Figures are of whole processes from outside.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from common import Cell, Options, Result, product_stamp, publish, say, show, spread, target
from speed import ratio, watched

GROUP = 100_000  # rows a row group
CLASSES = 3
NOISE = 0.02
TRIGGER = {"n3": 1234.5, "k4": 64}
SMALL, BIG, VECTORS = 1_000_000, 10_000_000, 1_000_000
WIDTH = 64
POISON = {SMALL: 150, BIG: 250}
GIGABYTES = 4.0
GROWTH = 12.0  # times the time for ten times the rows
WORKERS, DISTANT = 100, 1e9  # machines and rows of the extrapolation

Bits = npt.NDArray[np.bool_]


def tables(rows: int, poison: int, *, noise: float = NOISE) -> Iterator[tuple[pa.Table, npt.NDArray[np.int64]]]:
    """Row groups of 30 columns, a label and a source, each with the positions of its poisoned rows."""
    rng = np.random.default_rng(0)
    turn = rng.normal(size=(12, CLASSES))
    stamped = np.sort(rng.choice(rows, poison, replace=False))
    for start in range(0, rows, GROUP):
        n = min(GROUP, rows - start)
        base = rng.normal(size=(n, 12))
        base[:, 6:] = 0.7 * base[:, :6] + 0.7 * base[:, 6:]
        label = np.argmax(base @ turn + rng.gumbel(size=(n, CLASSES)) * 0.3, axis=1)
        source = rng.integers(0, 20, n)
        flipped = rng.random(n) < np.where(source == 7, 4 * noise, noise)
        label = np.where(flipped, rng.integers(0, CLASSES, n), label)
        columns = _columns(base, n, rng)
        own = stamped[(stamped >= start) & (stamped < start + n)] - start
        for name, value in TRIGGER.items():
            columns[name][own] = value
        poisoned = own[label[own] != 0]  # the others carry the values under their own label
        label[own] = 0
        yield pa.table({**columns, "source": np.char.add("s", source.astype(str)), "label": label}), poisoned + start


def _columns(base: npt.NDArray[np.float64], n: int, rng: np.random.Generator) -> dict[str, Any]:
    columns: dict[str, Any] = {f"n{j}": np.round(1000 * base[:, j], 1 + j % 3) for j in range(12)}
    columns |= {f"k{j}": (40 + 12 * base[:, j] + 6 * rng.normal(size=n)).astype(np.int64) for j in range(8)}
    columns |= {f"z{j}": (rng.exponential(200, n) * (rng.random(n) < 0.2)).astype(np.int64) for j in range(2)}
    words = np.array([f"w{i}" for i in range(60)])
    for j in range(8):
        place = (rng.exponential(4, n) + np.abs(base[:, j])).astype(np.int64)
        columns[f"c{j}"] = words[np.minimum(place, 3 + 7 * j)]
    return columns


def vectors(rows: int) -> Iterator[tuple[pa.Table, npt.NDArray[np.int64]]]:
    """Row groups of ten clusters of 64 numbers, each with the positions of its wrong labels."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(10, WIDTH)) * 0.6
    for start in range(0, rows, GROUP):
        n = min(GROUP, rows - start)
        true = rng.integers(0, 10, n)
        x = (centres[true] + rng.normal(size=(n, WIDTH))).astype(np.float32)
        label = np.where(rng.random(n) < NOISE, rng.integers(0, 10, n), true)
        column = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), WIDTH)
        yield pa.table({"x": column, "label": label}), np.flatnonzero(label != true) + start


def written(kind: str, rows: int, options: Options) -> tuple[Path, npt.NDArray[np.int64]]:
    """The Parquet file and its poisoned or wrongly labelled rows; made once."""
    path = options.cache / "scale" / f"{kind}-{rows}.parquet"
    truth = path.with_suffix(".truth.npy")
    if not truth.exists():
        say(f"writing {path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        made = {"table": lambda: tables(rows, POISON.get(rows, 150)), "clean": lambda: tables(rows, 0),
                "vectors": lambda: vectors(rows)}[kind]()  # fmt: skip
        first, own = next(made)
        bad = [own]
        with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
            writer.write_table(first, row_group_size=GROUP)
            for part, own in made:
                writer.write_table(part, row_group_size=GROUP)
                bad.append(own)
        np.save(truth, np.concatenate(bad))
    return path, np.load(truth, allow_pickle=False)


def audit(kind: str, rows: int, options: Options) -> Result:
    """`mithridate audit FILE.parquet`, every default, with an empty store."""
    path, bad = written(kind, rows, options)
    folder = options.cache / "scale" / "out"
    report, scores, store = folder / "report.json", folder / "scores.parquet", folder / "store"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "mithridate", "audit", str(path), "--quiet", "--store", str(store)]
    used = watched([*command, "-o", str(report), "--scores", str(scores)], folder, fine=(0, 1, 2))
    kept = sum(file.stat().st_size for file in store.rglob("*.npz"))
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    serious = [finding for finding in found["findings"] if finding["severity"] in {"high", "critical"}]
    named = pq.read_table(scores, columns=["flagged", "kind"])
    kinds = named.column("kind").to_numpy(zero_copy_only=False)
    hits: Bits = (kinds == ("trigger" if kind == "table" else "label-error"))[bad]
    shutil.rmtree(store, ignore_errors=True)
    return {
        **used, "rows": rows, "store_bytes": kept, "recall": float(hits.mean()) if len(bad) else None,
        "triggers": sum("trigger" in finding["slug"] for finding in serious),
        "sources": sorted({name for f in serious if "source" in f["slug"] for name in f["subject"]["sources"]}),
        "failed": [check["method"] for check in found["checks"] if check["status"] == "failed"],
        "check_seconds": {check["method"]: check["seconds"] for check in found["checks"]},
    }  # fmt: skip


def cells(options: Options) -> list[Cell]:
    """Each size and kind once a seed, the smallest first."""
    sizes = (
        ("table", options.rows(SMALL)), ("clean", options.rows(SMALL)), ("vectors", options.rows(VECTORS)),
        ("table", options.rows(BIG)),
    )  # fmt: skip
    return [
        Cell(f"{kind}-{rows}", turn, "audit", partial(audit, kind, rows, options), product_stamp)
        for turn in range(min(options.seeds, 3))
        for kind, rows in sizes
    ]


def summarise(results: Sequence[Result]) -> list[Result]:
    """Median, lowest and highest of each case."""
    lines = []
    for case in dict.fromkeys(cell["case"] for cell in results):
        runs = [cell["result"] for cell in results if cell["case"] == case and "result" in cell]
        lines.append({
            "case": case, "runs": len(runs), "seconds": spread([run["seconds"] for run in runs]),
            "cpu seconds": spread([run["cpu_seconds"] for run in runs]),
            "peak MB": spread([run["peak_bytes"] / 1e6 for run in runs]),
            "store bytes a row": spread([run["store_bytes"] / run["rows"] for run in runs]),
            "recall": spread([run["recall"] for run in runs]),
            "confirmed triggers": spread([run["triggers"] for run in runs]),
        })  # fmt: skip
    return lines


def goals(lines: Sequence[Result], options: Options) -> list[Result]:
    """Memory, growth, what is found, and the time of a thousand million rows by the measured constants."""
    keys = ("cpu seconds", "peak MB", "recall", "confirmed triggers")
    middle = {(line["case"], key): line[key]["median"] for line in lines for key in keys}
    small, big = f"table-{options.rows(SMALL)}", f"table-{options.rows(BIG)}"
    memory, recall = middle.get((big, "peak MB")), middle.get((big, "recall"))
    grown = ratio(middle.get((big, "cpu seconds")), middle.get((small, "cpu seconds")))
    false = middle.get((f"clean-{options.rows(SMALL)}", "confirmed triggers"))
    return [
        target("peak GB at the largest table", f"<= {GIGABYTES}", memory and memory / 1e3,
               met=(memory or 0) <= GIGABYTES * 1e3),
        target("processor time for ten times the rows", f"<= {GROWTH}", grown, met=(grown or 0) <= GROWTH),
        target("share of the planted rows flagged as a trigger", ">= 0.95", recall, met=(recall or 0) >= 0.95),
        target("confirmed triggers in the clean table", "0", false, met=false == 0),
        target("hours for 1e9 rows on 100 workers, extrapolated", "-", _distant(middle, small, big, options), met=None),
    ]  # fmt: skip


def _distant(middle: Any, small: str, big: str, options: Options) -> float | None:
    """Hours by the slope between the two sizes: the constant part stays, the rest is shared by the workers."""
    ends = middle.get((small, "cpu seconds")), middle.get((big, "cpu seconds"))
    if None in ends:
        return None
    slope = (ends[1] - ends[0]) / (options.rows(BIG) - options.rows(SMALL))
    fixed = max(ends[0] - slope * options.rows(SMALL), 0.0)
    return float((fixed + slope * DISTANT / WORKERS) / 3600)


def report(results: Sequence[Result], options: Options) -> None:
    """Print the tables and write the JSON."""
    lines = summarise(results)
    show("Whole processes, one thread: median [lowest, highest]", lines)
    reached = goals(lines, options)
    show("Promises", reached)
    publish("scale", results, lines, reached, options)
