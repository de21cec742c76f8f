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


@dataclass(slots=True)
class _Seen:
    """What streamed past: per batch the hashes, labels, sources and sampled rows; per column the counted values."""

    hashes: list[npt.NDArray[np.uint64]]
    labels: list[pa.Array]
    sources: list[pa.Array]
    taken: list[pa.RecordBatch]
    taken_rows: list[npt.NDArray[np.int64]]
    columns: dict[str, list[Any]]


def census(settings: CensusSettings, shard: Shard) -> Result:
    """One pass over a shard.

    Returns
    -------
    arrays : `word` (n,) uint64 of each row's hash; `label`, `source` (n,) codes by the shard's own words; for each
        bucket `hash:b`, `row:b`, `label:b`, `source:b`; `sample` an Arrow stream of the rows in the sample,
        `sample_rows` their positions in the shard; `value:j`, `count:j` numbers that repeat.
    facts : the codes' words, names of each column with counts, `digest` of content, labels and sources.

    Raises
    ------
    InputError : the shard is damaged, or holds infinite values.
    """
    plan, seen = settings.plan, _stream_past(settings, shard)
    words_of = np.concatenate(seen.hashes)
    label = encode_labels(pa.chunked_array(seen.labels), str(plan.label))
    source = encode_sources(pa.chunked_array(seen.sources), plan.source) if plan.source else None
    codes = {"label": label.codes} | ({} if source is None else {"source": source.codes})
    arrays: dict[str, npt.NDArray[Any]] = {"word": words_of[:, 1], **codes}
    arrays |= _buckets(words_of[:, 0], codes, settings.buckets)
    arrays |= {"sample": write_stream(seen.taken), "sample_rows": np.concatenate(seen.taken_rows)}
    names: dict[str, Any] = {}
    for place, (name, parts) in enumerate(seen.columns.items()):
        if isinstance(parts[0], Counter):
            names[name] = _names(parts)
        else:
            arrays[f"value:{place}"], arrays[f"count:{place}"] = _values(parts)
    words_used = {"labels": list(label.values), "sources": [] if source is None else list(source.values)}
    digest = _digest(words_of, label, source)
    return Result(arrays, {**words_used, "names": names, "n_rows": len(words_of), "digest": digest})


def _stream_past(settings: CensusSettings, shard: Shard) -> _Seen:
    plan = settings.plan
    seen = _Seen([], [], [], [], [], {name: [] for name in plan.content} if plan.modality == "table" else {})
    start, limit = 0, np.uint64(min(int(settings.share * 2**64), 2**64 - 1))
    for batch in batches(shard, plan.columns):
        digests = hash_rows(pa.Table.from_batches([batch.select(list(plan.content))])).view(np.uint64).reshape(-1, 2)
        seen.hashes.append(digests)
        seen.labels.append(batch.column(str(plan.label)))
        if plan.source:
            seen.sources.append(batch.column(plan.source))
        chosen = np.flatnonzero(digests[:, 1] <= limit)
        seen.taken.append(batch.take(pa.array(chosen)))
        seen.taken_rows.append(chosen + start)
        for name, parts in seen.columns.items():
            parts.append(_counted(batch.column(name), name))
        start += batch.num_rows
    return seen


def _counted(column: pa.Array, name: str) -> Any:
    """Distinct numbers of a batch with counts, (2, m); or the counts of its names."""
    if is_numeric(column.type):
        values, counts = np.unique(numbers(column, name), return_counts=True)
        return np.stack([values, counts.astype(np.float64)])
    found = pc.value_counts(words(column))
    return Counter(dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)))


def _names(parts: list[Counter[str]]) -> list[list[Any]]:
    """The commonest names with their counts."""
    total: Counter[str] = sum(parts, Counter())
    return [[name, count] for name, count in total.most_common(MOST_VALUES) if name is not None]  # type: ignore[redundant-expr]


def _values(parts: list[npt.NDArray[np.float64]]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Numbers that repeat, sorted, and their counts."""
    values, place = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    counts = np.bincount(place.ravel(), weights=np.concatenate([part[1] for part in parts]), minlength=len(values))
    kept = np.flatnonzero((counts >= REPEATS) & ~np.isnan(values))
    kept = np.sort(kept[np.argsort(-counts[kept], kind="stable")][:MOST_VALUES])
    return values[kept], counts[kept].astype(np.float64)


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


def write_stream(parts: list[pa.RecordBatch]) -> npt.NDArray[np.uint8]:
    """Rows as bytes of an Arrow stream."""
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
