"""Proofs about single records: that one is in a manifest, that it no longer is, and the check of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mithridate.core.errors import InputError
from mithridate.data.absence import Absence, prove_absent
from mithridate.data.layout import Layout, Wish
from mithridate.data.leaves import leaves_of
from mithridate.data.manifest import Manifest, salt_id
from mithridate.data.merkle import Proof, prove
from mithridate.data.records import records
from mithridate.flows.manifest import comparable, read_salt

PROOF = "mithridate.proof/1"


def row_of(path: str | Path, record: str | Path, *, salt_file: str | None = None) -> int | None:
    """The first row of a manifest that is this record; None when it has none.

    Parameters
    ----------
    record : a file with one record, in the columns that the manifest covers.

    Raises
    ------
    InputError : the file doesn't hold exactly one record, or has other columns; another salt.
    """
    manifest, salt = Manifest(path), read_salt(salt_file)
    manifest.check_salt(salt)
    wanted, start = leaf_of(record, manifest.head.layout, salt), 0
    bits = np.frombuffer(wanted, np.uint8)
    for block in manifest.blocks():
        found = np.flatnonzero((block == bits).all(axis=1))
        if len(found):
            return start + int(found[0])
        start += len(block)
    return None


def leaf_of(record: str | Path, layout: Layout, salt: bytes) -> bytes:
    """The leaf of the one record in a file, as a manifest of this layout makes it.

    Raises
    ------
    InputError : the file doesn't hold exactly one record, or lacks a column of the layout.
    """
    found = records(record, Wish(known=layout))
    for role in ("label", "source"):
        if (getattr(found.layout, role) is None) != (getattr(layout, role) is None):
            raise InputError(f"{found.name} must have a {role} just as the manifest's records do; name it as they do")
    lost = sorted(set(layout.others) - set(found.layout.others))
    if lost:
        raise InputError(f"{found.name} has no column {lost[0]!r}, which the manifest's records have; add it")
    leaves = np.concatenate([leaves_of(block, salt) for block, _ in found.blocks])
    if len(leaves) != 1:
        raise InputError(f"{found.name} holds {len(leaves):,} records; pass a file with the one that is meant")
    leaf: bytes = leaves[0].tobytes()
    return leaf


def prove_row(path: str | Path, row: int, *, not_in: str | None = None) -> dict[str, Any]:
    """The proof that a record is in a manifest, and with `not_in` also that it isn't in another.

    Raises
    ------
    InputError : no such row, a manifest can't be read, or the record is still in the other.
    """
    manifest = Manifest(path)
    proof = prove(manifest.leaves(), row)
    if proof.root().hex() != manifest.head.root:
        raise InputError(f"{manifest.path.name}: its record table doesn't lead to its root; it was edited")
    said: dict[str, Any] = {
        "schema": PROOF, "manifest": manifest.head.name, "root": manifest.head.root, "salt_id": manifest.head.salt_id,
        "layout": manifest.head.layout.to_json(), "entry": _plain(manifest.entry(row)), "proof": proof.to_json(),
    }  # fmt: skip
    if not_in is not None:
        said["absent"] = _absent(path, not_in, bytes.fromhex(proof.leaf))
    return said


def _absent(path: str | Path, other: str, leaf: bytes) -> dict[str, Any]:
    """That no leaf of the other manifest is this one: by two neighbours in its index, where it has one."""
    _, two = comparable(path, other)
    try:
        proof = prove_absent(two.leaves(), leaf)
    except InputError as error:
        raise InputError(f"the record is still in {two.path.name}; it was not deleted") from error
    said: dict[str, Any] = {"manifest": two.head.name, "root": two.head.root, "rows": two.head.rows}
    return {**said, "index": two.head.index, "neighbours": proof.to_json()} if two.head.index else said


def check_proof(
    raw: Any,
    *,
    manifest: str | None = None,
    other: str | None = None,
    record: str | None = None,
    salt_file: str | None = None,
) -> list[str]:
    """What doesn't hold in a proof, in words; [] when everything does.

    Parameters
    ----------
    manifest : checks that the root is this manifest's. other : the manifest that the record must not be in. record : a
        file with the record that the proof must be of; `salt_file`: the manifest's salt.

    Raises
    ------
    InputError : it isn't a proof.
    """
    if not isinstance(raw, dict) or raw.get("schema") != PROOF or not isinstance(raw.get("proof"), dict):
        raise InputError("this is no proof; make one with `mithridate manifest prove`")
    proof = Proof.from_json(raw["proof"])
    wrong = _leads_to(proof.root, raw.get("root"), "root")
    if manifest is not None and Manifest(manifest).head.root != raw.get("root"):
        wrong.append(f"the proof's root is not that of {Path(manifest).name}")
    try:
        wrong += _check_record(raw, proof, record, read_salt(salt_file)) if record is not None else []
        wrong += _check_absence(raw["absent"], proof, other) if "absent" in raw else []
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the proof is damaged ({type(error).__name__}); make it again") from error
    return wrong


def _check_record(raw: Mapping[str, Any], proof: Proof, record: str, salt: bytes) -> list[str]:
    if salt_id(salt) != raw.get("salt_id", ""):
        raise InputError("the proof's manifest was built with another salt; pass it with --salt-file")
    leaf = leaf_of(record, Layout.from_json(raw["layout"]), salt)
    return [] if leaf.hex() == proof.leaf else [f"the proof is of another record than that in {Path(record).name}"]


def _leads_to(make: Callable[[], bytes], stated: Any, what: str) -> list[str]:
    """What is wrong with a proof that should lead to this root or index."""
    try:
        return [] if make().hex() == stated else [f"the proof doesn't lead to the {what} that it states"]
    except InputError as error:
        return [str(error)]


def _check_absence(said: Any, proof: Proof, other: str | None) -> list[str]:
    if not isinstance(said, dict):
        return ["what the proof says of the record's absence can't be read"]
    leaf, wrong = bytes.fromhex(proof.leaf), []
    if "neighbours" in said:
        found, rows = Absence.from_json(said["neighbours"]), int(said["rows"])
        wrong += _leads_to(lambda: found.index(leaf, rows), said.get("index"), "index")
    elif other is None:
        wrong.append("that the record is absent can only be checked against the other manifest: pass it with --not-in")
    if other is None:
        return wrong
    two = Manifest(other)
    stated = (said.get("root"), said.get("index", two.head.index), said.get("rows"))
    if stated != (two.head.root, two.head.index, two.head.rows) or not two.holds_together():
        return [*wrong, f"{two.path.name} is not the manifest that the proof says the record is absent from"]
    bits = np.frombuffer(leaf, np.uint8)
    there = any((block == bits).all(axis=1).any() for block in two.blocks())
    return [*wrong, *([f"the record is in {two.path.name}"] if there else [])]


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, int | float | str | None) else str(value) for key, value in entry.items()}
