"""Pickles that lie as values in a database."""

from __future__ import annotations

import pickle
import sqlite3
import struct
from pathlib import Path

import pytest

from mithridate import scan
from mithridate.core.findings import Severity

_HOSTILE = b"\x80\x04cos\nsystem\n(X\x04\x00\x00\x00echotR."
_HONEST = pickle.dumps({"weights": [0.5] * 9, "name": "resnet"}, 4)


def _sqlite(path: Path, value: bytes) -> Path:
    with sqlite3.connect(path) as base:
        base.execute("create table models(name text, model blob)")
        base.execute("insert into models values('a', ?)", (value,))
    base.close()
    return path


def _lmdb(path: Path, value: bytes) -> Path:
    meta = struct.pack("<QHHHHIIQQ", 0, 0, 8, 16, 4096, 0xBEEFC0DE, 1, 0, 1 << 20).ljust(4096, b"\0")
    path.write_bytes(meta * 2 + b"\2".ljust(64, b"\0") + value.ljust(4032, b"\0"))
    return path


@pytest.mark.parametrize("store", [_sqlite, _lmdb])
def test_a_stored_call_is_told(tmp_path: Path, store: object) -> None:
    assert callable(store)
    found = scan(store(tmp_path / "a.db", _HOSTILE)).findings
    assert max(finding.severity for finding in found) >= Severity.HIGH
    assert any("os.system" in finding.claim for finding in found)


@pytest.mark.parametrize("store", [_sqlite, _lmdb])
@pytest.mark.parametrize("value", [_HONEST, _HONEST[:-9], b"\x80\x04\x95 no pickle at all"])
def test_stored_data_is_not_told(tmp_path: Path, store: object, value: bytes) -> None:
    assert callable(store)
    assert not [one for one in scan(store(tmp_path / "a.db", value)).findings if one.severity >= Severity.MEDIUM]
