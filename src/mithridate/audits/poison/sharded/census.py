"""First look at a shard: hashes, labels, sources, values that repeat, and the rows that fall into the sample."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.audits.poison.sharded.columns import is_numeric, numbers, words
from mithridate.compute.store import Result
from mithridate.data.columns import Plan
from mithridate.data.hashing import hash_rows
from mithridate.data.labels import Encoded, encode_labels, encode_sources
from mithridate.data.shards import Shard, batches

REPEATS = 3  # a number that a shard holds less often is not kept
MOST_VALUES = 5_000  # of a column and shard, the commonest


@dataclass(frozen=True, slots=True)
class CensusSettings:
    """`share` of the rows for the sample, by content hash; `buckets` that hashes are parted into."""

    plan: Plan
    share: float
    buckets: int


def census(settings: CensusSettings, shard: Shard) -> Result:
    """One pass over a shard.

    Returns
    -------
    arrays : `word` (n,) uint64 of each row's hash; `label`, `source` (n,) codes by the shard's own words; for each
        bucket `hash:b`, `row:b`, `label:b`, `source:b`; `sample` an Arrow stream of the rows in the sample, `sample_rows` their positions in
        the shard; `value:j`, `count:j` numbers that repeat.
    facts : the codes' words, names of each column with counts, `digest` of content, labels and sources.
    """
    plan = settings.plan
    hashes, labels, sources, taken, taken_rows = [], [], [], [], []
    columns: dict[str, list[Any]] = {name: [] for name in plan.content} if plan.modality == "table" else {}
    start, limit = 0, np.uint64(min(settings.share, 1.0) * (2**64 - 1))
    for batch in batches(shard, plan.columns):
        digests = hash_rows(pa.Table.from_batches([batch.select(list(plan.content))])).view(np.uint64).reshape(-1, 2)
        hashes.append(digests)
        labels.append(batch.column(str(plan.label)))
        sources.append(batch.column(plan.source) if plan.source else None)
        chosen = np.flatnonzero(digests[:, 1] <= limit)
        taken.append(batch.take(pa.array(chosen)))
        taken_rows.append(chosen + start)
        for name, parts in columns.items():
            parts.append(_counted(batch.column(name), name))
        start += batch.num_rows
    words_of = np.concatenate(hashes)
    label = encode_labels(pa.chunked_array(labels), str(plan.label))
    source = encode_sources(pa.chunked_array(sources), plan.source) if plan.source else None
    arrays: dict[str, npt.NDArray[Any]] = {"word": words_of[:, 1], "label": label.codes}
    arrays |= {} if source is None else {"source": source.codes}
    arrays |= _buckets(words_of[:, 0], {"label": label.codes} | ({} if source is None else {"source": source.codes}), settings.buckets)
    arrays |= {"sample": _stream(taken), "sample_rows": np.concatenate(taken_rows)}
    facts, names = {"labels": list(label.values), "sources": [] if source is None else list(source.values)}, {}
    for place, (name, parts) in enumerate(columns.items()):
        found = _values(parts)
        if found.dtype.kind == "f":
            arrays |= {f"value:{place}": found[0], f"count:{place}": found[1]}
        else:
            names[name] = found.tolist()
    return Result(arrays, {**facts, "names": names, "n_rows": start, "digest": _digest(words_of, label, source)})


def _counted(column: pa.Array, name: str) -> Any:
    """Distinct numbers of a batch with counts, (2, m); or the counts of its names."""
    if is_numeric(column.type):
        values, counts = np.unique(numbers(column, name), return_counts=True)
        return np.stack([values, counts.astype(np.float64)])
    found = pc.value_counts(words(column))
    return Counter(dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)))


def _values(parts: list[Any]) -> npt.NDArray[Any]:
    """(2, m) float64 numbers that repeat with their counts; or an object array of (name, count)."""
    if isinstance(parts[0], Counter):
        total: Counter[str] = sum(parts, Counter())
        return np.array([[name, count] for name, count in total.most_common(MOST_VALUES) if name is not None], object)
    values, place = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    counts = np.bincount(place.ravel(), weights=np.concatenate([part[1] for part in parts]), minlength=len(values))
    kept = np.flatnonzero((counts >= REPEATS) & ~np.isnan(values))
    kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")][:MOST_VALUES])
    return np.stack([values[kept], counts[kept]])


def _buckets(
    hashes: npt.NDArray[np.uint64], codes: dict[str, npt.NDArray[np.int32]], count: int
) -> dict[str, npt.NDArray[Any]]:
    bucket = hashes % np.uint64(count)
    out: dict[str, npt.NDArray[Any]] = {}
    for number in range(count):
        rows = np.flatnonzero(bucket == number)
        out |= {f"hash:{number}": hashes[rows], f"row:{number}": rows.astype(np.uint32)}
        out |= {f"{kind}:{number}": own[rows] for kind, own in codes.items()}
    return out


def _stream(parts: list[pa.RecordBatch]) -> npt.NDArray[np.uint8]:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, parts[0].schema) as writer:
        for part in parts:
            writer.write_batch(part)
    return np.frombuffer(sink.getvalue(), np.uint8)


def read_stream(raw: npt.NDArray[np.uint8]) -> pa.Table:
    """The rows that a census or a gathering kept."""
    return pa.ipc.open_stream(pa.py_buffer(raw)).read_all()


def _digest(hashes: npt.NDArray[np.uint64], label: Encoded, source: Encoded | None) -> str:
    total = hashlib.sha256(np.ascontiguousarray(hashes).tobytes())
    for encoded in (label, source):
        if encoded is not None:
            total.update(repr(encoded.values).encode() + encoded.codes.tobytes())
    return total.hexdigest()
