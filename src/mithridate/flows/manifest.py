"""Manifests from a source to an answer: build, verify, prove, compare, export."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mithridate.audits.poison.changed_since_manifest import METHOD, SLUG, STANDARDS, findings_of, numbers_of
from mithridate.core.errors import InputError
from mithridate.core.findings import Evidence, Finding, Json, Severity, Subject
from mithridate.core.progress import Progress
from mithridate.core.report import CheckResult, Report, Target
from mithridate.data.absence import Absence, prove_absent
from mithridate.data.building import build
from mithridate.data.changes import Since, changes
from mithridate.data.manifest import Head, Manifest
from mithridate.data.merkle import Proof, prove
from mithridate.data.records import Layout, Wish, records

LEAST_SALT, MOST_SALT = 16, 4096  # bytes
PROOF = "mithridate.proof/1"


def build_manifest(
    source: str | Path,
    output: str | Path,
    *,
    wish: Wish,
    salt_file: str | None = None,
    progress: Progress | None = None,
) -> Head:
    """Write the manifest of a source to `output`; what it says of the whole.

    Raises
    ------
    InputError : the source can't be read, the salt is too short, or the output can't be written.
    """
    return build(records(source, wish), output, salt=read_salt(salt_file), progress=progress)


def read_salt(path: str | None) -> bytes:
    """The secret salt in a file; empty without one.

    Raises
    ------
    InputError : no such file, or fewer than 16 or more than 4,096 bytes.
    """
    if path is None:
        return b""
    try:
        with Path(path).open("rb") as stream:
            salt = stream.read(MOST_SALT + 1)
    except OSError as error:
        raise InputError(f"the salt file can't be read ({error.strerror}); check --salt-file") from error
    if not LEAST_SALT <= len(salt) <= MOST_SALT:
        raise InputError(
            f"a salt has {LEAST_SALT} to {MOST_SALT} bytes, the file has {len(salt):,}"
            f"{' or more' * (len(salt) > MOST_SALT)}; make one with: head -c 32 /dev/urandom > salt"
        )
    return salt


def since_manifest(
    path: str | Path,
    source: str | Path,
    columns: Mapping[str, Any],
    *,
    salt_file: str | None = None,
    progress: Progress | None = None,
) -> Since:
    """What happened to a source's records since its manifest, for an audit; `columns` as `audit` takes them.

    Raises
    ------
    InputError : one of the two can't be read, the manifest was edited, or its records have other columns.
    """
    manifest = Manifest(path)
    if not manifest.holds_together():
        raise InputError(f"{manifest.path.name}: its record table doesn't lead to its root; it was edited")
    wish = Wish(
        columns.get("label"), columns.get("source_column"), columns.get("content"), columns.get("modality"),
        known=manifest.head.layout,
    )  # fmt: skip
    found = records(source, wish)
    other = layout_changes(manifest.head.layout, found.layout)
    if other:
        raise InputError(f"{other[0]}, so {manifest.path.name} can't be compared; name the columns as it was built")
    compared = manifest.compare(found, salt=read_salt(salt_file), progress=progress)
    return Since(compared.changes, manifest.path.name, manifest.head.root, manifest.sources)


def verify_manifest(
    path: str | Path,
    source: str | Path,
    *,
    wish: Wish,
    salt_file: str | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Report:
    """Whether a source's records are those of a manifest, as a report: no finding means that everything holds.

    Raises
    ------
    InputError : the manifest or the source can't be read.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    manifest = Manifest(path)
    manifest.check_salt(read_salt(salt_file))
    findings: list[Finding] = []
    if not manifest.holds_together():
        findings.append(_broken(manifest))
    found = records(source, wish)
    other = layout_changes(manifest.head.layout, found.layout)
    findings += [_of_layout(manifest, line) for line in other]
    numbers: tuple[Evidence, ...] = ()
    root = ""
    rows = 0
    if not other:
        compared = manifest.compare(found, salt=read_salt(salt_file), progress=progress)
        findings += findings_of(Since(compared.changes, manifest.path.name, manifest.head.root, manifest.sources))
        numbers, root, rows = numbers_of(compared.changes), compared.root, compared.changes.n_new
    check = CheckResult(
        METHOD, SLUG, "Rows that changed since the manifest", "found" if findings else "clean",
        seconds=time.perf_counter() - clock, numbers=numbers, wanted=True,
    )  # fmt: skip
    target = Target(
        "dataset", found.name, f"sha256:{root}" if root else "", rows,
        {"manifest": manifest.path.name, "root": manifest.head.root, "not_covered": list(found.layout.left_out)},
    )  # fmt: skip
    run: dict[str, Json] = {
        "command": command, "seed": 0, "version": version("mithridate"),
        "started": started.isoformat(timespec="seconds"), "seconds": round(time.perf_counter() - clock, 3),
    }  # fmt: skip
    return Report(target, (check,), tuple(findings), run)


def layout_changes(old: Layout, new: Layout) -> list[str]:
    """What makes records of these two layouts other records, in words; [] where they can be compared."""
    said = []
    for role in ("label", "source"):
        before, now = getattr(old, role), getattr(new, role)
        if (before is None) != (now is None):
            here = f"the source has a {role} in {now!r}" if now is not None else f"the source has no {role}"
            said.append(f"{here} and the manifest's records {'have none' if before is None else 'have one'}")
    before, now = (_folded(layout.shape) for layout in (old, new))
    if (
        len(before) > 1 and len(now) > 1 and before != now
    ):  # a flat row may stand for any shape: its values are compared
        said.append(f"a row has shape {new.shape} and had {old.shape}")
    if old.shape is None and new.shape is None and set(old.content) != set(new.content) and len(old.content) > 1:
        lost = sorted(set(old.content) - set(new.content))
        come = sorted(set(new.content) - set(old.content))
        said.append(f"columns {', '.join(map(repr, lost[:5])) or 'none'} are gone and {come[:5]} are new")
    return said


def _folded(shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """A row's shape without axes of length 1, which hold nothing."""
    return tuple(size for size in shape or () if size != 1)


def _broken(manifest: Manifest) -> Finding:
    claim = f"the record table of {manifest.path.name} doesn't lead to the root in its head: one of them was edited"
    return Finding(
        METHOD, SLUG, Severity.CRITICAL, 1.0, claim, Subject("file", extra={"path": manifest.path.name}),
        remedy="Take the manifest from whoever signed it, and check its signature.", standards=STANDARDS, place="root",
    )  # fmt: skip


def _of_layout(manifest: Manifest, line: str) -> Finding:
    return Finding(
        METHOD, SLUG, Severity.HIGH, 1.0, f"{line}: not one row is the record of {manifest.path.name}",
        Subject("dataset"), remedy="Name the columns with --label, --source and --content, or build a new manifest.",
        standards=STANDARDS, place="layout",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """Two manifests compared: rows of the second that are new or changed, rows of the first that are gone ..."""

    same: bool
    facts: Mapping[str, Any]


def diff_manifests(first: str | Path, second: str | Path) -> Difference:
    """What happened from one manifest to the other, as JSON.

    Raises
    ------
    InputError : one can't be read, or they were built with different salts, so that leaves can't be compared.
    """
    one, two = _comparable(first, second)
    found = changes(one.leaves(), two.leaves())
    facts: dict[str, Any] = {
        "schema": "mithridate.diff/1",
        "from": {"name": one.path.name, "root": one.head.root, "rows": one.head.rows},
        "to": {"name": two.path.name, "root": two.head.root, "rows": two.head.rows},
        "columns": layout_changes(one.head.layout, two.head.layout),
        "changed": found.changed.tolist(), "added": found.added.tolist(), "dropped": found.dropped.tolist(),
        "repeated": found.repeated.tolist(), "swapped": found.swapped.tolist(), "moved": found.moved.tolist(),
        "sources": _source_counts(one.head.sources, two.head.sources),
    }  # fmt: skip
    return Difference(found.none, facts)


def _source_counts(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, list[int]]:
    names = sorted({*one, *two})
    return {name: [one.get(name, 0), two.get(name, 0)] for name in names if one.get(name) != two.get(name)}


def _comparable(first: str | Path, second: str | Path) -> tuple[Manifest, Manifest]:
    one, two = Manifest(first), Manifest(second)
    for manifest in (one, two):
        if not manifest.holds_together():
            raise InputError(f"{manifest.path.name}: its record table doesn't lead to its root; it was edited")
    if one.head.salt_id != two.head.salt_id:
        raise InputError(
            f"{one.path.name} and {two.path.name} were built with different salts, so their leaves can't be compared; "
            "build both with the same --salt-file, or both without"
        )
    return one, two


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
    _, two = _comparable(path, other)
    try:
        proof = prove_absent(two.leaves(), leaf)
    except InputError as error:
        raise InputError(f"the record is still in {two.path.name}; it was not deleted") from error
    said: dict[str, Any] = {"manifest": two.head.name, "root": two.head.root, "rows": two.head.rows}
    return {**said, "index": two.head.index, "neighbours": proof.to_json()} if two.head.index else said


def check_proof(raw: Any, *, manifest: str | None = None, other: str | None = None) -> list[str]:
    """What doesn't hold in a proof, in words; [] when everything does.

    Parameters
    ----------
    manifest : checks that the root is this manifest's. other : the manifest that the record must not be in.

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
    if "absent" in raw:
        try:
            wrong += _check_absence(raw["absent"], proof, other)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"the absence proof is damaged ({type(error).__name__}); make it again") from error
    return wrong


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


def known(path: str | Path, wish: Wish) -> Wish:
    """The wish with the manifest's own layout, so that the source's columns are taken as they were."""
    return replace(wish, known=Manifest(path).head.layout)
