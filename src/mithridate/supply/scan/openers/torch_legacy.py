"""`torch.save` before version 1.6: five pickles in a row, then the storages as raw numbers.

References
----------
torch/serialization.py, `_legacy_save`: magic number, protocol, system, the object, the storages' keys; then for each
storage its length (8 bytes, in elements) and its bytes.
"""

from __future__ import annotations

from mithridate.supply.scan.blob import Blob

MAGIC_PICKLE = bytes.fromhex("6cfc9c46f9206aa85019")  # 0x1950a86a20f9469cfc6c, as every protocol from 1 on writes it
N_PICKLES = 5
_ITEM_SIZES = (4, 8, 2, 1, 16)
_MOST_STORAGES = 1_000_000


def is_storages(blob: Blob, start: int) -> bool:
    """Whether everything from `start` on is storages: lengths and elements that end exactly with the file.

    Notes
    -----
    Element sizes aren't known here; the one used last is tried first. A wrong size gives a length that doesn't fit,
    almost at once, so that the search doesn't branch.
    """
    trail: list[tuple[int, list[int]]] = [(start, list(_ITEM_SIZES))]
    steps, dead = 0, set[int]()
    while trail:
        at, sizes = trail[-1]
        if at == blob.size:
            return True
        steps += 1
        if steps > _MOST_STORAGES:
            return False
        raw = blob.read(at, 8)
        count = int.from_bytes(raw, "little") if len(raw) == 8 else -1  # noqa: PLR2004 - the length of a length
        if not sizes or count < 0:
            dead.add(trail.pop()[0])
            continue
        size = sizes.pop(0)
        after = at + 8 + count * size
        if after <= blob.size and after not in dead:
            trail.append((after, [size, *(other for other in _ITEM_SIZES if other != size)]))
    return False
