"""Metadata of Arrow and Parquet files: extension types that unpickle, objects packed into texts."""

from __future__ import annotations

from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.issue import Issue

_UNPICKLED = {
    b"arrow.py_extension_type": "pyarrow before 14.0.1 unpickles its metadata (CVE-2023-47248)",
    b"ray.data.arrow_pickled_object": "Ray unpickles its values",
    b"ray.data.arrow_variable_shaped_tensor": "",
    b"arrow_pickled": "its values are unpickled",
    b"petastorm.unischema": "Petastorm unpickles the schema in its metadata",
    b"dataset-toolkit.unischema": "Petastorm unpickles the schema in its metadata",
}
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04\x95", b"\x80\x05\x95")
_JAVA = (b"java-class", b"avro.java.string", b"java-key-class", b"java-element-class")


def examine_metadata(name: str, value: bytes) -> Iterator[Issue]:
    """The issues of one key and value of a schema's metadata."""
    both = name.encode("utf-8", "replace") + b"\0" + value
    for marker, what in _UNPICKLED.items():
        if what and marker in both:
            claim = f"the schema has the type {marker.decode()}: {what}"
            yield Issue(
                "unpickled-type", Severity.CRITICAL, claim, clip(name), remedy="Don't read it with that library."
            )
    if any(value.startswith(magic) and value.rstrip(b"\n\0").endswith(b".") for magic in _PICKLES):
        yield Issue("packed-pickle", Severity.HIGH, f"the metadata {clip(name)} is a pickle", clip(name))
    if name.startswith(("parquet.avro", "avro.schema")) and any(marker in value for marker in _JAVA[:1] + _JAVA[2:]):
        claim = f"the Avro schema in {clip(name)} names Java classes to build (CVE-2025-30065)"
        yield Issue("avro-class", Severity.HIGH, claim, clip(name))
    if what := payload_in(value.decode("utf-8", "replace")):
        yield Issue("payload-in-metadata", Severity.HIGH, f"the metadata {clip(name)} holds {what}", clip(name))
