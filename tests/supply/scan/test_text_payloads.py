"""Pickles that lie in texts as base64 or hexadecimal digits. Nothing here is ever unpickled."""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
import random
import zlib

import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.dispatch import Located, analyse
from mithridate.supply.scan.openers.text_payloads import members

TEXT_CALL = b"cos\nsystem\n(S'id'\ntR."
CALL = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."
PAYLOADS = {
    "protocol 0": TEXT_CALL,
    "protocol 4": CALL,
    "zlib": zlib.compress(CALL),
    "long": pickle.dumps([b"x" * 5000])[:-1] + b"0" + TEXT_CALL,
}


def cell(output: str) -> dict[str, object]:
    return {"cell_type": "code", "outputs": [{"data": {"x": output}}], "source": ["a"], "metadata": {}}


FORMS = {
    "text": lambda raw: f"model = {base64.b64encode(raw).decode()}\n",
    "after a word": lambda raw: "some words\n" * 50 + f"key: '{base64.b64encode(raw).decode()}' # end",
    "JSON": lambda raw: json.dumps({"a": [1, {"w": base64.b64encode(raw).decode()}]}),
    "wrapped in JSON": lambda raw: json.dumps({"a": base64.encodebytes(raw).decode()}),
    "slashes escaped": lambda raw: json.dumps({"a": base64.b64encode(raw).decode()}).replace("/", "\\/"),
    "XML attribute": lambda raw: f'<?xml version="1.0"?><PMML a="{base64.b64encode(raw).decode()}"/>',
    "XML text": lambda raw: f'<?xml version="1.0"?><PMML><x>\n{base64.encodebytes(raw).decode()}</x></PMML>',
    "hexadecimal": lambda raw: f"hex: {raw.hex()}",
    "capitals": lambda raw: f"hex: {raw.hex().upper()}",
    "for addresses": lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="),
    "notebook": lambda raw: json.dumps({"cells": [cell(base64.b64encode(raw).decode())], "nbformat": 4}),
}


def worst(content: bytes) -> int:
    found = analyse(MemoryBlob("file", content), Budget())
    return max((int(one.issue.severity) for one in found if isinstance(one, Located)), default=0)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("form", FORMS)
def test_a_pickle_in_a_text_is_found_and_judged(form: str, payload: str) -> None:
    assert worst(FORMS[form](PAYLOADS[payload]).encode()) == Severity.CRITICAL


def test_it_is_found_behind_megabytes_and_across_a_block() -> None:
    text = base64.b64encode(PAYLOADS["long"])
    for ahead in (3 << 20, (8 << 20) - 100):
        content = (b"words and words\n" * (ahead // 16 + 1))[:ahead] + b"\n" + text + b"\nmore"
        assert [len(member.blob.read(0, 1 << 20)) for member in members(MemoryBlob("x", content), Budget())]


def test_digests_keys_pictures_and_plain_pickles_are_let_be() -> None:
    rng = random.Random(0)  # noqa: S311 - bytes for a test
    digests = "\n".join(hashlib.sha256(bytes([k % 256, k // 256])).hexdigest() for k in range(3000))
    keys = "\n".join(base64.b64encode(rng.randbytes(48)).decode() for _ in range(3000))
    plain = base64.b64encode(pickle.dumps({"weights": [1.0] * 99})).decode()
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + rng.randbytes(3000)).decode()
    packed = base64.b64encode(zlib.compress(rng.randbytes(3000))).decode()
    for text in (digests, keys, plain, picture, packed, json.dumps([digests, keys, picture, packed])):
        assert worst(text.encode()) == 0
