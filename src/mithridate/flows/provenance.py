"""From one record to everything that was made of it, and manifests in the formats of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mithridate.core.errors import InputError
from mithridate.core.report import Report
from mithridate.data.encoding import Column
from mithridate.data.layout import Wish
from mithridate.data.manifest import Manifest
from mithridate.data.merkle import prove
from mithridate.data.records import records
from mithridate.flows.manifest import read_salt
from mithridate.flows.sign import file_digest, verify_path
from mithridate.supply import bom
from mithridate.supply.signing.chain import chain, links, read_statements
from mithridate.supply.signing.keyless import Signatory
from mithridate.supply.signing.keys import PublicKey
from mithridate.supply.signing.model_bundle import hash_artefact
from mithridate.supply.signing.policy import SigningPolicy

TRACE = "mithridate.trace/1"
_MEDIA = {
    ".parquet": "application/x-parquet", ".csv": "text/csv", ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonlines", ".npz": "application/zip",
}  # fmt: skip


def trace_row(
    path: str | Path,
    row: int,
    *,
    statements: Sequence[str] = (),
    keys: Sequence[PublicKey] = (),
    signatory: Signatory | None = None,
) -> dict[str, Any]:
    """Record -> source -> data set -> training runs -> models -> predictions, and who signed what of it, as JSON.

    `links` says of each step whether it holds, is claimed by nobody trusted, is broken, or nothing was said of it.

    Parameters
    ----------
    statements : files and folders with signatures; the manifest's own folder when there are none.
    keys : that are trusted: a statement by none of them is listed as not verified.
    signatory : the identity that is trusted where a statement was signed with sigstore.

    Raises
    ------
    InputError : no such row, the manifest was edited, or a signature that was named can't be read.
    """
    manifest = Manifest(path)
    entry = manifest.entry(row)
    proof = prove(manifest.leaves(), row)
    if proof.root().hex() != manifest.head.root or not manifest.holds_together():
        raise InputError(f"{manifest.path.name}: its record table doesn't lead to its root; it was edited")
    places = list(statements) or [str(manifest.path.resolve().parent)]
    head = manifest.head
    found = chain(head.root, read_statements(places, keys, signatory), name=manifest.path.name)
    told = found.to_json()
    own = file_digest(manifest.path)
    for item, signed in zip(told["datasets"], found.datasets, strict=True):
        item["same_file"] = any(own in subject.digest.values() for subject in signed.statement.subjects)
    return {
        "schema": TRACE,
        "record": {**{key: _plain(value) for key, value in entry.items()}, "leaf": proof.leaf},
        "dataset": {"name": head.name, "root": head.root, "rows": head.rows, "source_rows": _of_source(head, entry)},
        **told,
        "links": [link.to_json() for link in links(found)],
        "apart": [item.to_json() for item in found.apart],
    }


def _of_source(head: Any, entry: Mapping[str, Any]) -> int | None:
    return head.sources.get(entry["source"]) if "source" in entry else None


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def with_signature(
    report: Report,
    manifest: str,
    signatures: Sequence[str],
    keys: Sequence[PublicKey],
    *,
    policy: SigningPolicy | None = None,
    signatory: Signatory | None = None,
) -> Report:
    """The report of a comparison with a manifest, and of the check of that manifest's own signatures."""
    signed = verify_path(manifest, signatures, keys, policy=policy, signatory=signatory)
    extra = {**report.target.extra, **signed.target.extra}
    return replace(
        report, target=replace(report.target, extra=extra), checks=(*report.checks, *signed.checks),
        findings=(*signed.findings, *report.findings),
    )  # fmt: skip


def export(
    path: str | Path,
    form: str,
    *,
    data: str | None = None,
    models: Sequence[str] = (),
    salt_file: str | None = None,
    url: str = "",
    licence: str = "",
) -> dict[str, Any]:
    """A manifest as CycloneDX or Croissant.

    Raises
    ------
    InputError : Croissant without the data file it describes, or with one that isn't the manifest's.
    """
    manifest = Manifest(path)
    if form == "cyclonedx":
        found = [hash_artefact(model) for model in models]
        described = [bom.Model(item.name, item.digests, item.root) for item in found]
        return bom.cyclonedx(manifest.head, file_digest(manifest.path), now=datetime.now(UTC), models=described)
    if data is None or not Path(data).is_file():
        raise InputError("Croissant describes a data file; pass the one that the manifest is of (--data SOURCE)")
    salt = read_salt(salt_file)
    wish = Wish(known=manifest.head.layout)
    if not manifest.compare(records(data, wish), salt=salt).changes.none:
        raise InputError(f"the records of {Path(data).name} aren't those of {manifest.path.name}; pass the file itself")
    place = Path(data)
    media = _MEDIA.get(place.suffix.lower(), "application/octet-stream")
    file = bom.File(place.name, file_digest(place), place.stat().st_size, media)
    return bom.croissant(manifest.head, file, _kinds(data, wish), url=url, licence=licence)


def _kinds(data: str, wish: Wish) -> dict[str, str]:
    found = records(data, wish)
    with closing(found.blocks) as blocks:
        block, _ = next(blocks)
    layout = found.layout
    columns = dict(zip(layout.content, block.content, strict=True))
    columns |= {
        name: column
        for name, column in ((layout.label, block.label), (layout.source, block.source))
        if name is not None and column is not None
    }
    columns |= block.others
    return {name: _kind(column) for name, column in columns.items()}


def _kind(column: Column) -> str:
    kind = pa.from_numpy_dtype(column.dtype) if isinstance(column, np.ndarray) else column.type
    if pa.types.is_dictionary(kind) or pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    tests = {
        "sc:Boolean": pa.types.is_boolean, "sc:Integer": pa.types.is_integer, "sc:Float": pa.types.is_floating,
        "sc:Date": pa.types.is_temporal,
    }  # fmt: skip
    return next((name for name, test in tests.items() if test(kind)), "sc:Text")
