"""Claim: a record's proof costs about as much as its hash, signing next to nothing, and no changed bit goes unseen."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from common import Cell, Options, Result, judges, product_stamp, publish, show, spread, target
from mithridate.data.building import build
from mithridate.data.changes import changes
from mithridate.data.layout import Wish
from mithridate.data.leaves import Block, leaves_of
from mithridate.data.manifest import Manifest
from mithridate.data.merkle import root
from mithridate.data.records import records
from mithridate.flows.sign import sign_path, verify_path
from mithridate.supply.signing.keys import load_private, load_public, new_key
from mithridate.supply.signing.model_bundle import hash_artefact

RECORDS, RECORD_BYTES = 1_000_000, 200
TREE_BYTES, TREE_FILES = 1 << 30, 4
TRIALS, TRIAL_ROWS = 10_000, 64
FILE_TRIALS = 200
CHANGES = ("swapped", "dropped", "repeated", "moved", "changed")
REPEATS = 5
_BLOCK = 1 << 20


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that the work takes on this clock."""
    start = clock()
    work()
    return clock() - start


def of_records(seed: int, options: Options) -> Result:
    """CPU seconds of leaves and tree over records in memory, beside a bare SHA-256 of each; in turn, five times."""
    n_rows = options.rows(RECORDS)
    content = np.random.default_rng(seed).integers(0, 256, (n_rows, RECORD_BYTES), dtype=np.uint8)
    labels = np.random.default_rng(seed).integers(0, 10, n_rows)
    items = content.view(f"V{RECORD_BYTES}").ravel().tolist()
    sha256, clock = hashlib.sha256, time.process_time
    found: dict[str, list[float]] = {"bare": [], "leaves_and_tree": [], "with_labels": [], "tree": []}
    for _ in range(REPEATS):
        found["bare"].append(timed(lambda: [sha256(item).digest() for item in items], clock))
        found["leaves_and_tree"].append(timed(lambda: root(leaves_of(Block((content,)), b"salt" * 8)), clock))
        found["with_labels"].append(timed(lambda: root(leaves_of(Block((content,), labels))), clock))
        leaves = leaves_of(Block((content,)))
        found["tree"].append(timed(partial(root, leaves), clock))
    ratios = [ours / bare for ours, bare in zip(found["leaves_and_tree"], found["bare"], strict=True)]
    return {"rows": n_rows, "record_bytes": RECORD_BYTES, "ratio": spread(ratios),
            **{name: spread(values) for name, values in found.items()}}  # fmt: skip


def of_columns(seed: int, options: Options) -> Result:
    """The same of texts with five other columns beside text, label and source, in Arrow as a reader gives them."""
    n_rows = options.rows(RECORDS // 4)
    block, items = texts(n_rows, np.random.default_rng(seed))
    sha256, clock = hashlib.sha256, time.process_time
    found: dict[str, list[float]] = {"bare": [], "all_columns": [], "text_label_source": []}
    few = Block(block.content, block.label, block.source)
    for _ in range(REPEATS):
        found["bare"].append(timed(lambda: [sha256(item).digest() for item in items], clock))
        found["all_columns"].append(timed(lambda: root(leaves_of(block)), clock))
        found["text_label_source"].append(timed(lambda: root(leaves_of(few)), clock))
    ratios = [ours / bare for ours, bare in zip(found["all_columns"], found["bare"], strict=True)]
    return {"rows": n_rows, "record_bytes": sum(map(len, items)) // n_rows, "ratio": spread(ratios),
            **{name: spread(values) for name, values in found.items()}}  # fmt: skip


def of_lists(seed: int, options: Options) -> Result:
    """The same of token ids, 20 to 80 and 128 to 512 a record, in Arrow's lists of int32 as a reader gives them."""
    rng, sha256, clock = np.random.default_rng(seed), hashlib.sha256, time.process_time
    found: dict[str, list[float]] = {"short": [], "long": []}
    for name, low, high in (("short", 20, 80), ("long", 128, 512)):
        ends = np.cumsum(rng.integers(low, high, options.rows(RECORDS // 4) * 20 // low)).astype(np.int32)
        starts, ids = np.concatenate([[0], ends]).astype(np.int32), rng.integers(0, 50_000, ends[-1]).astype(np.int32)
        raw = ids.tobytes()
        items = [raw[4 * start : 4 * end] for start, end in pairwise(starts.tolist())]
        block = Block((pa.ListArray.from_arrays(pa.array(starts), pa.array(ids)),))
        for _ in range(REPEATS):
            bare = timed(lambda items=items: [sha256(item).digest() for item in items], clock)
            found[name].append(timed(lambda block=block: root(leaves_of(block)), clock) / bare)
    return {"rows": options.rows(RECORDS // 4), **{f"ratio_{name}": spread(values) for name, values in found.items()}}


def texts(n_rows: int, rng: np.random.Generator) -> tuple[Block, list[bytes]]:
    """Records of 150 letters with a link, language, score, number and time, and each one's values end to end."""
    letters = rng.integers(97, 123, (n_rows, 150), dtype=np.uint8).view("S150").ravel().astype(str)
    links = np.char.add("https://example.org/", rng.integers(0, 10**9, n_rows).astype(str))
    columns = {
        "link": pa.array(links), "language": pa.array(rng.choice(["en", "de"], n_rows)).dictionary_encode(),
        "score": pa.array(rng.normal(size=n_rows)), "number": pa.array(rng.integers(0, 10**6, n_rows)),
        "time": pa.array(rng.integers(0, 2**31, n_rows), pa.timestamp("s")),
    }  # fmt: skip
    label, source = pa.array(rng.integers(0, 10, n_rows)), pa.array(rng.choice(["a", "b"], n_rows)).dictionary_encode()
    items = [(text + link).encode() + bytes(2 + 4 * 8 + 1) for text, link in zip(letters, links, strict=True)]
    return Block((pa.array(letters),), label, source, columns), items


def of_tree(seed: int, options: Options) -> Result:
    """Wall seconds to hash a tree of files and to sign and verify it, beside the fastest ways at hand; in turn."""
    size = int(TREE_BYTES * min(1.0, options.scale)) // TREE_FILES
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folder = place / "model"
        files = write_tree(folder, size, seed)
        new_key(place / "k.pem")
        signer, public = load_private(place / "k.pem"), load_public(place / "k.pub")
        ways: dict[str, Callable[[], Any]] = {
            "sha256_one_thread": lambda: [plain_sha256(file) for file in files],
            "sha256_workers": lambda: workers(files),
            "ours_sha256": lambda: hash_artefact(folder),
            "ours_sign": lambda: sign_path(folder, [signer], place / "sig"),
            "ours_verify": lambda: verify_path(folder, [place / "sig"], [public]),
        }
        ways |= {"blake3_direct": lambda: [direct(file) for file in files],
                 "ours_blake3": lambda: hash_artefact(folder, algorithm="blake3")} if blake3 else {}  # fmt: skip
        found: dict[str, list[float]] = {way: [] for way in ways}
        write_tree(place / "tiny", 0, seed)
        cpu_ways = {"hash": ways["ours_sha256"], "sign_tiny": lambda: sign_path(place / "tiny", [signer], place / "s")}
        cpu: dict[str, list[float]] = {way: [] for way in cpu_ways}
        for _ in range(REPEATS):
            for way, work in ways.items():
                found[way].append(timed(work))
            for way, spent in cpu.items():
                spent.append(timed(cpu_ways[way], time.process_time))
    return {"bytes": size * TREE_FILES, "files": TREE_FILES, "cores": os.cpu_count(), "blake3": installed("blake3"),
            **{name: spread(values) for name, values in found.items()},
            "sha256_ratio": _ratio(found, "ours_sha256", "sha256_workers"),
            "blake3_ratio": _ratio(found, "ours_blake3", "blake3_direct"),
            "signing_share": spread(signing_share(cpu))}  # fmt: skip


def write_tree(folder: Path, size: int, seed: int) -> list[Path]:
    """Files of `size` bytes each, none equal to another."""
    folder.mkdir()
    block = np.random.default_rng(seed).integers(0, 256, _BLOCK, dtype=np.uint8).tobytes()
    files = [folder / f"{number}.bin" for number in range(TREE_FILES)]
    for number, file in enumerate(files):
        with file.open("wb") as stream:
            stream.write(number.to_bytes(8, "little"))
            for _ in range(size // _BLOCK):
                stream.write(block)
    return files


def installed(package: str) -> str | None:
    """The package's version; None where it isn't installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def signing_share(cpu: dict[str, list[float]]) -> list[float]:
    """What signing costs beside hashing, in CPU time: signing as many files of 8 bytes, over hashing this tree.

    The difference of two times of a gigabyte would be lost in their spread.
    """
    return [ours / plain for ours, plain in zip(cpu["sign_tiny"], cpu["hash"], strict=True)]


def _ratio(found: dict[str, list[float]], ours: str, theirs: str) -> Result:
    pairs = zip(found.get(ours, ()), found.get(theirs, ()), strict=True)
    return spread([one / other for one, other in pairs])


def plain_sha256(path: Path) -> str:
    """The file's SHA-256 as the standard library hashes a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def workers(files: Sequence[Path]) -> list[str]:
    """SHA-256 of files, one thread a core."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(plain_sha256, files))


try:
    from blake3 import blake3
except ImportError:
    blake3 = None


def direct(path: Path) -> bytes:
    """The file's BLAKE3 by the package's own fastest way."""
    digest: bytes = blake3(max_threads=blake3.AUTO).update_mmap(path).digest()
    return digest


def of_detection(seed: int, options: Options) -> Result:
    """Of random single-bit changes in content, label or source, how many are named as that row and nothing else."""
    rng = np.random.default_rng(seed)
    clean = draw(rng)
    before = leaves_of(clean)
    trials, seen, exact = options.rows(TRIALS), 0, 0
    for _ in range(trials):
        other, row = flipped(clean, rng)
        found = changes(before, leaves_of(other))
        seen += not found.none
        exact += found.changed.tolist() == [[row, row]] and len(found.added) == len(found.dropped) == 0
    kinds = dict.fromkeys(CHANGES, 0)
    for kind in CHANGES:
        for _ in range(max(1, trials // 10)):
            found = changes(before, before[reordered(kind, rng)])
            kinds[kind] += len(getattr(found, kind)) > 0
    return {"trials": trials, "seen": seen, "named_exactly": exact, "trials_a_kind": max(1, trials // 10),
            "kinds": kinds, "files": in_files(rng, options)}  # fmt: skip


def draw(rng: np.random.Generator) -> Block:
    """Records of ten doubles, a label and a source."""
    source = np.frombuffer(rng.bytes(4 * TRIAL_ROWS), "S4").copy()
    return Block((rng.normal(size=(TRIAL_ROWS, 10)),), rng.integers(0, 2**40, TRIAL_ROWS), source)


def flipped(clean: Block, rng: np.random.Generator) -> tuple[Block, int]:
    """The block with one bit of one record changed, and that record's row."""
    parts = [clean.content[0].copy(), clean.label.copy(), clean.source.copy()]  # type: ignore[union-attr]
    place, row = int(rng.choice(3, p=[0.8, 0.1, 0.1])), int(rng.integers(TRIAL_ROWS))
    raw = parts[place].view(np.uint8).reshape(TRIAL_ROWS, -1)
    raw[row, rng.integers(raw.shape[1])] ^= np.uint8(1 << rng.integers(8))
    return Block((parts[0],), parts[1], parts[2]), row


def reordered(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Rows of the clean records after one change of this kind."""
    order = np.arange(TRIAL_ROWS)
    one, other = rng.choice(TRIAL_ROWS, 2, replace=False)
    if kind == "swapped":
        order[[one, other]] = order[[other, one]]
    elif kind == "dropped":
        order = np.delete(order, one)
    elif kind == "repeated":
        order = np.insert(order, one, order[other])
    elif kind == "changed":
        order[one] = order[other]
    else:
        low, high = sorted((int(one), int(other)))
        high = min(high + 2, TRIAL_ROWS - 1) if high - low < 2 else high
        low = max(low - 2, 0) if high - low < 2 else low
        order = np.concatenate([order[:low], np.roll(order[low : high + 1], -1), order[high + 1 :]])
    return order


def in_files(rng: np.random.Generator, options: Options) -> Result:
    """The same through files: one bit of an array changed, saved, read and compared with the manifest's file."""
    clean, seen = draw(rng), 0
    trials = max(10, round(FILE_TRIALS * min(1.0, options.scale)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save(clean, folder / "clean.npz")
        build(records(folder / "clean.npz"), folder / "manifest")
        manifest = Manifest(folder / "manifest")
        for _ in range(trials):
            other, row = flipped(clean, rng)
            save(other, folder / "other.npz")
            found = manifest.compare(records(folder / "other.npz", Wish(known=manifest.head.layout))).changes
            seen += found.changed.tolist() == [[row, row]]
    return {"trials": trials, "named_exactly": seen}


def save(block: Block, path: Path) -> None:
    """The block as an npz."""
    np.savez(path, x=block.content[0], y=block.label, source=block.source)


PARTS: dict[str, Callable[[int, Options], Result]] = {
    "records": of_records,
    "columns": of_columns,
    "lists": of_lists,
    "tree": of_tree,
    "detection": of_detection,
}


def cells(options: Options) -> list[Cell]:
    """One cell a part; detection with its own seeds."""
    stamp = f"{judges('provenance.py')} {product_stamp()} {options.scale}"
    return [
        Cell(part, seed, "ours", partial(work, seed, options), lambda: stamp)
        for part, work in PARTS.items()
        for seed in range(options.seeds if part == "detection" else 1)
    ]


def report(results: Sequence[Result], options: Options) -> None:
    """Print the table and write the JSON."""
    found: dict[str, list[Result]] = {part: [] for part in PARTS}
    for cell in results:
        if "result" in cell:
            found[cell["case"]].append(cell["result"])
    lines = [{"part": part, "what": key, "value": value} for part, items in found.items() for item in items[:1]
             for key, value in item.items() if isinstance(value, dict | int | float)]  # fmt: skip
    show("Seconds and ratios (medians of five runs in turn)", lines)
    publish("provenance", results, lines, goals(found), options)


def goals(found: dict[str, list[Result]]) -> list[Result]:
    """Each bar beside what was reached."""
    out = []
    for item in found["records"]:
        seconds, ratio = item["leaves_and_tree"]["median"], item["ratio"]["median"]
        out.append(target("1,000,000 records of 200 B: CPU seconds, or times a bare SHA-256 of each",
                          "at most 1 s, or 3 times", ratio, met=seconds <= 1 or ratio <= 3))  # fmt: skip
    for item in found["columns"]:
        ratio = item["ratio"]["median"]
        out.append(target("texts with five other columns: times a bare SHA-256 of each", "at most 3 times", ratio,
                          met=ratio <= 3))  # fmt: skip
    for item in found["lists"]:
        ratio = max(item["ratio_short"]["median"], item["ratio_long"]["median"])
        out.append(target("lists of token ids: times a bare SHA-256 of each", "at most 3 times", ratio, met=ratio <= 3))
    for item in found["tree"]:
        best = "blake3_ratio" if item["blake3_ratio"]["median"] is not None else "sha256_ratio"
        ratio, share = item[best]["median"], item["signing_share"]["median"]
        out.append(target(f"1 GiB in 4 files: times the fastest hash at hand ({best})", "at most 1.15", ratio,
                          met=ratio <= 1.15))  # fmt: skip
        out.append(target("signing beyond hashing, share", "under 0.02", share, met=share < 0.02))
    for item in found["detection"]:
        missed = item["trials"] - item["seen"] + sum(item["trials_a_kind"] - n for n in item["kinds"].values())
        missed += item["files"]["trials"] - item["files"]["named_exactly"]
        out.append(target("changes that verify didn't see", "none", missed, met=missed == 0))
    return out
