"""Manifests from a source to an answer: build, verify, prove, compare, export."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mithridate.audits.poison.changed_since_manifest import METHOD, SLUG, STANDARDS, findings_of, numbers_of
from mithridate.core.errors import InputError
from mithridate.core.findings import Evidence, Finding, Json, Severity, Subject
from mithridate.core.progress import Progress
from mithridate.core.report import CheckResult, Report, Target
from mithridate.data.building import build
from mithridate.data.changes import Changes, Since, changes
from mithridate.data.layout import Layout, Wish
from mithridate.data.manifest import Compared, Head, Manifest
from mithridate.data.records import Records, records

LEAST_SALT, MOST_SALT = 16, 4096  # bytes


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
    return Since(compared.changes, manifest.path.name, manifest.head.root, manifest.sources, found.layout.new)


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
    manifest, salt = Manifest(path), read_salt(salt_file)
    manifest.check_salt(salt)
    findings = [] if manifest.holds_together() else [_broken(manifest)]
    found = records(source, wish)
    other = [_of_layout(manifest, line) for line in layout_changes(manifest.head.layout, found.layout)]
    compared = None if other else manifest.compare(found, salt=salt, progress=progress)
    numbers: tuple[Evidence, ...] = ()
    if compared is not None:
        since = Since(compared.changes, manifest.path.name, manifest.head.root, manifest.sources, found.layout.new)
        other, numbers = list(findings_of(since)), numbers_of(compared.changes)
    findings += other
    seconds = time.perf_counter() - clock
    check = CheckResult(
        METHOD, SLUG, "Rows that changed since the manifest", "found" if findings else "clean",
        seconds=seconds, numbers=numbers, wanted=True,
    )  # fmt: skip
    run: dict[str, Json] = {
        "command": command, "seed": 0, "version": version("mithridate"),
        "started": started.isoformat(timespec="seconds"), "seconds": round(seconds, 3),
    }  # fmt: skip
    return Report(_records(manifest, found, compared), (check,), tuple(findings), run)


def _records(manifest: Manifest, found: Records, compared: Compared | None) -> Target:
    """The source as a report names it; without a root where its records couldn't be compared."""
    root, rows = ("", 0) if compared is None else (f"sha256:{compared.root}", compared.changes.n_new)
    facts: dict[str, Json] = {
        "manifest": manifest.path.name, "root": manifest.head.root, "manifest_version": manifest.head.version,
        "not_covered": [name for name in found.layout.left_out if name not in found.layout.new],
    }  # fmt: skip
    return Target("records", found.name, root, rows, facts)


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
    lost, come = (sorted(set(one) - set(other)) for one, other in ((old.others, new.others), (new.others, old.others)))
    said += [f"column{'s' * (len(lost) > 1)} {_few(lost)} {'are' if len(lost) > 1 else 'is'} gone"] if lost else []
    said += [f"column{'s' * (len(come) > 1)} {_few(come)} {'are' if len(come) > 1 else 'is'} new"] if come else []
    return said


def _few(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _folded(shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """A row's shape without axes of length 1, which hold nothing."""
    return tuple(size for size in shape or () if size != 1)


def _broken(manifest: Manifest) -> Finding:
    claim = f"the record table of {manifest.path.name} isn't the one that its head describes: one of them was edited"
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
    """What happened from one manifest to the other, as JSON; where they cover other columns, no row is compared.

    Raises
    ------
    InputError : one can't be read, or they were built with different salts, so that leaves can't be compared.
    """
    one, two = comparable(first, second)
    other = layout_changes(one.head.layout, two.head.layout)
    found = changes(one.leaves(), two.leaves()) if not other else Changes(one.head.rows, two.head.rows)
    facts: dict[str, Any] = {
        "schema": "mithridate.diff/1",
        "from": {"name": one.path.name, "root": one.head.root, "rows": one.head.rows},
        "to": {"name": two.path.name, "root": two.head.root, "rows": two.head.rows},
        "columns": other, "compared": not other,
        "changed": found.changed.tolist(), "added": found.added.tolist(), "dropped": found.dropped.tolist(),
        "repeated": found.repeated.tolist(), "swapped": found.swapped.tolist(), "moved": found.moved.tolist(),
        "sources": _source_counts(one.head.sources, two.head.sources),
    }  # fmt: skip
    return Difference(found.none and not other, facts)


def _source_counts(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, list[int]]:
    names = sorted({*one, *two})
    return {name: [one.get(name, 0), two.get(name, 0)] for name in names if one.get(name) != two.get(name)}


def comparable(first: str | Path, second: str | Path) -> tuple[Manifest, Manifest]:
    """Both manifests, if their leaves can be compared; `InputError` for an edited one, or another salt."""
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


def known(path: str | Path, wish: Wish) -> Wish:
    """The wish with the manifest's own layout, so that the source's columns are taken as they were."""
    return replace(wish, known=Manifest(path).head.layout)
