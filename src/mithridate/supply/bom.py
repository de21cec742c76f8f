"""What a manifest and a model say, in the formats of others: CycloneDX 1.6 (ML-BOM) and Croissant 1.0."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

from mithridate.data.manifest import Head

FORMATS = ("cyclonedx", "croissant")
_NAMESPACE = uuid.UUID("6d697468-7269-5461-8465-6d616e696665")  # "mithridate manife": serial numbers are made from it

CROISSANT_CONTEXT: Mapping[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/", "recordSet": "cr:recordSet", "references": "cr:references",
    "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "samplingRate": "cr:samplingRate", "sc": "https://schema.org/",
    "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """A data file as it is handed out: its name, SHA-256 (hex), size in bytes, and media type."""

    name: str
    sha256: str
    size_bytes: int
    media: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model trained on the data: its name and its files' SHA-256 (relative path -> hex)."""

    name: str
    files: Mapping[str, str]
    root: str


def cyclonedx(head: Head, manifest_sha256: str, *, now: datetime, models: Sequence[Model] = ()) -> dict[str, Any]:
    """The data set, and the models trained on it, as a CycloneDX 1.6 bill of materials.

    Notes
    -----
    The root isn't the hash of a file, so it stands among the properties, and the manifest's own hash at the reference
    to it. A model of several files has them as components of its own.
    """
    data_ref = f"dataset:{head.root}"
    tool = {"type": "application", "name": "mithridate", "version": version("mithridate")}
    described = [_model(model, data_ref) for model in models]
    parts = sorted([head.root, *(model.root for model in models)])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, ' '.join(parts))}", "version": 1,
        "metadata": {"timestamp": now.isoformat(timespec="seconds"), "tools": {"components": [tool]}},
        "components": [_data(head, manifest_sha256, data_ref), *described],
        "dependencies": [
            {"ref": data_ref}, *({"ref": item["bom-ref"], "dependsOn": [data_ref]} for item in described)
        ],
    }  # fmt: skip


def _data(head: Head, manifest_sha256: str, ref: str) -> dict[str, Any]:
    layout = head.layout
    facts = {
        "root": head.root, "rows": str(head.rows), "content": ", ".join(layout.content), "label": layout.label,
        "source": layout.source, "others": ", ".join(layout.others) or None,
        "not-covered": ", ".join(layout.left_out) or None, "salt-id": head.salt_id or None,
        **{f"rows-from:{name}": str(count) for name, count in head.sources.items()},
    }  # fmt: skip
    properties = [{"name": f"mithridate:{key}", "value": value} for key, value in facts.items() if value is not None]
    return {
        "type": "data", "bom-ref": ref, "name": head.name, "properties": properties,
        "data": [{"type": "dataset", "name": head.name}],
        "externalReferences": [
            {"type": "attestation", "url": f"{head.name}.manifest", "comment": "the manifest of every record",
             "hashes": [{"alg": "SHA-256", "content": manifest_sha256}]}
        ],
    }  # fmt: skip


def _model(model: Model, data_ref: str) -> dict[str, Any]:
    ref = f"model:{model.root}"
    single = list(model.files) == ["."]
    said: dict[str, Any] = {
        "type": "machine-learning-model", "bom-ref": ref, "name": model.name,
        "modelCard": {"modelParameters": {"datasets": [{"ref": data_ref}]}},
        "properties": [{"name": "mithridate:model-signing-root", "value": model.root}],
    }  # fmt: skip
    if single:
        return {**said, "hashes": [_hash(model.files["."])]}
    files = [
        {"type": "file", "bom-ref": f"{ref}/{name}", "name": name, "hashes": [_hash(digest)]}
        for name, digest in model.files.items()
    ]
    return {**said, "components": files}


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def croissant(head: Head, file: File, kinds: Mapping[str, str], *, url: str = "", licence: str = "") -> dict[str, Any]:
    """The data set as Croissant 1.0 JSON-LD: one file, one record set, a field a column.

    Parameters
    ----------
    kinds : column -> Croissant data type, such as `sc:Float`. url, licence : what the manifest can't know.
    """
    layout = head.layout
    columns = layout.covered
    said: dict[str, Any] = {
        "@context": dict(CROISSANT_CONTEXT), "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": head.name, "version": "1.0.0",
        "description": f"{head.rows:,} records; every one is a leaf of the manifest with root sha256:{head.root}.",
        "identifier": f"sha256:{head.root}",
        "distribution": [
            {"@type": "cr:FileObject", "@id": file.name, "name": file.name, "contentUrl": file.name,
             "contentSize": f"{file.size_bytes} B", "encodingFormat": file.media, "sha256": file.sha256}
        ],
        "recordSet": [
            {"@type": "cr:RecordSet", "@id": "records", "name": "records",
             "field": [_field(name, kinds.get(name, "sc:Text"), file.name) for name in columns]}
        ],
    }  # fmt: skip
    return {**said, **({"url": url} if url else {}), **({"license": licence} if licence else {})}


def _field(name: str, kind: str, file: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field", "@id": f"records/{name}", "name": name, "dataType": kind,
        "source": {"fileObject": {"@id": file}, "extract": {"column": name}},
    }  # fmt: skip
