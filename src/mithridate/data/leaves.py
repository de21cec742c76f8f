"""Record leaves: one SHA-256 a record over salt, content, label, source and other columns, values alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mithridate.data.encoding import Column, Encoded, encode_cells, encode_columns, is_numeric
from mithridate.data.joined import cell_pieces, content_pieces, hashed, row_pieces
from mithridate.data.merkle import Digests, as_leaves
from mithridate.data.tags import MISSING

LEAF = b"\x00mithridate.leaf/1"  # of records that are content, label and source alone
WIDER = b"\x00mithridate.leaf/2"  # of records with other columns, whose names are bound
BLOCK = 4_096  # rows encoded at a time, so that their bytes stay in the processor's cache
_WIDE = 1 << 21  # bytes a block at most, for the same reason


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive records: content as columns of one length, labels and sources where the data has them, and others."""

    content: tuple[Column, ...]
    label: Column | None = None
    source: Column | None = None
    others: Mapping[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.content[0])

    def slice(self, start: int, stop: int) -> Block:
        """Records `start` to `stop`."""
        label = None if self.label is None else self.label[start:stop]
        source = None if self.source is None else self.source[start:stop]
        others = {name: column[start:stop] for name, column in self.others.items()}
        return Block(tuple(column[start:stop] for column in self.content), label, source, others)


def leaves_of(block: Block, salt: bytes = b"") -> Digests:
    """(n, 32) uint8: SHA-256 of head, salt, and the canonical bytes of all columns of each record.

    Parameters
    ----------
    salt : any bytes; with a secret one, nobody without it can test guesses of a record against its leaf.

    Notes
    -----
    SHA-256 and not a faster hash: collision resistance of 128 bits in every verifier's standard library, and on short
    records it's the fastest that Python calls. `benchmarks/provenance.py` measures it.
    """
    head = (WIDER if block.others else LEAF) + len(salt).to_bytes(4, "little") + salt
    if block.others:
        head += hashlib.sha256(json.dumps(sorted(block.others)).encode()).digest()
    rows = _rows_at_a_time(block)
    found = [_hashed(block.slice(start, start + rows), head) for start in range(0, len(block), rows)]
    return np.concatenate(found) if found else np.zeros((0, 32), np.uint8)


def _rows_at_a_time(block: Block) -> int:
    size = sum(int(column.nbytes) for column in (*block.content, *block.others.values())) // max(1, len(block))
    return max(1, min(BLOCK, _WIDE // max(1, size)))


def _hashed(block: Block, head: bytes) -> Digests:
    sha256 = hashlib.sha256
    if not all(map(is_numeric, block.content)) or block.others:
        others = row_pieces([block.others[name] for name in sorted(block.others)])
        pieces = [*content_pieces(block.content), *cell_pieces(block.label), *cell_pieces(block.source), *others]
        return as_leaves(hashed(head, pieces, len(block), sha256))
    content = encode_columns(block.content)
    label, source = _cells(block.label), _cells(block.source)
    if label is None and source is None:
        nothing = MISSING + MISSING
        return as_leaves([sha256(head + item + nothing).digest() for item in content])  # loops: hashlib has no batch
    label, source = label or [MISSING] * len(content), source or [MISSING] * len(content)
    return as_leaves([sha256(head + a + b + c).digest() for a, b, c in zip(content, label, source, strict=True)])


def _cells(column: Column | None) -> Encoded | None:
    return None if column is None else encode_cells(column)
