"""The log: what was written is found unchanged, and every way to change it is told."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.core import ledger
from mithridate.core.errors import InputError, Refused

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
N_ENTRIES = 8


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "ledger.sqlite"
    for number in range(N_ENTRIES):
        ledger.append(path, "access", {"number": number, "role": "engineer"}, time=NOW)
    return path


def change(path: Path, *statements: str | tuple[Any, ...]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            words, *values = (statement,) if isinstance(statement, str) else statement
            database.execute(words, values)


def forge(path: Path) -> None:
    """Edit an entry and make every digest after it right again, the head's too: all that needs no key."""
    change(path, """UPDATE entry SET body = '{"role": "nobody"}' WHERE seq = 3""")
    previous = ledger.GENESIS
    for entry in list(ledger.entries(path)):
        previous = entry.expected(previous)
        change(path, ("UPDATE entry SET digest = ? WHERE seq = ?", previous, entry.seq))
    change(path, ("UPDATE head SET digest = ?", previous))


def test_an_untouched_log_holds_and_its_key_is_private(log: Path) -> None:
    found = ledger.verify(log)
    assert found.problems == ()
    assert found.head == ledger.head(log)
    assert found.head.count == N_ENTRIES
    assert [entry.facts()["number"] for entry in ledger.entries(log)] == list(range(N_ENTRIES))
    assert {path.stat().st_mode & 0o777 for path in log.parent.iterdir()} == {0o600}


def test_the_digest_is_the_hash_of_the_parts_worked_by_hand(log: Path) -> None:
    import hashlib

    first = next(iter(ledger.entries(log)))
    parts = [ledger.GENESIS, 1, "2026-01-02T03:04:05.000+00:00", "access", '{"number": 0, "role": "engineer"}']
    assert first.digest == hashlib.sha256(json.dumps(parts).encode()).hexdigest()


EDITS: dict[str, Callable[[Path], object]] = {
    "body": lambda p: change(p, """UPDATE entry SET body = '{}' WHERE seq = 4"""),
    "time": lambda p: change(p, "UPDATE entry SET time = '1999' WHERE seq = 1"),
    "kind": lambda p: change(p, "UPDATE entry SET kind = 'x' WHERE seq = 8"),
    "digest": lambda p: change(p, "UPDATE entry SET digest = 'x' WHERE seq = 4"),
    "type": lambda p: change(p, "UPDATE entry SET body = x'00ff' WHERE seq = 4"),
    "null": lambda p: change(p, "UPDATE entry SET body = NULL, digest = NULL WHERE seq = 4"),
    "first deleted": lambda p: change(p, "DELETE FROM entry WHERE seq = 1"
    ),
    "middle deleted": lambda p: change(p, "DELETE FROM entry WHERE seq IN (4, 5)"),
    "deleted and renumbered": lambda p: change(
        p, "DELETE FROM entry WHERE seq = 4", "UPDATE entry SET seq = seq - 1 WHERE seq > 4"
    ),
    "last deleted": lambda p: change(p, "DELETE FROM entry WHERE seq = 8"),
    "all deleted": lambda p: change(p, "DELETE FROM entry"),
    "last deleted and head moved": lambda p: change(
        p, "DELETE FROM entry WHERE seq > 5",
        "UPDATE head SET count = 5, digest = (SELECT digest FROM entry WHERE seq = 5)",
    ),
    "two swapped": lambda p: change(
        p, "UPDATE entry SET seq = 100 WHERE seq = 3", "UPDATE entry SET seq = 3 WHERE seq = 4",
        "UPDATE entry SET seq = 4 WHERE seq = 100",
    ),
    "one repeated": lambda p: change(
        p, "INSERT INTO entry SELECT 9, time, kind, body, digest FROM entry WHERE seq = 1"
    ),
    "one inserted": lambda p: change(p, "INSERT INTO entry VALUES (-3, 'a', 'b', '{}', 'd')"),
    "head count": lambda p: change(p, "UPDATE head SET count = count - 1"),
    "head gone": lambda p: change(p, "DELETE FROM head"),
    "head twice": lambda p: change(p, "INSERT INTO head SELECT 2, count, digest, seal FROM head"),
    "head types": lambda p: change(p, "UPDATE head SET seal = x'ff', count = 'a'"),
    "key": lambda p: p.with_suffix(".key").write_text("k" * 32),
    "key gone": lambda p: p.with_suffix(".key").unlink(),
    "forged": forge,
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_every_change_is_told(log: Path, edit: Callable[[Path], object]) -> None:
    edit(log)
    assert ledger.verify(log).problems != ()


@pytest.mark.parametrize("edit", ["last deleted", "middle deleted", "two swapped", "body"])
def test_further_entries_do_not_cover_up_what_was_changed(log: Path, edit: str) -> None:
    EDITS[edit](log)
    ledger.append(log, "access", {}, time=NOW)
    assert ledger.verify(log).problems != ()


@pytest.mark.parametrize("edit", ["head count", "head gone", "key", "key gone", "forged"])
def test_nothing_is_added_after_a_head_that_is_not_ours(log: Path, edit: str) -> None:
    EDITS[edit](log)
    with pytest.raises(Refused):
        ledger.append(log, "access", {}, time=NOW)


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a log of five entries."""
    path = tmp_path_factory.mktemp("five") / "l.sqlite"
    for number in range(5):
        ledger.append(path, "k", {"n": number}, time=NOW)
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(1, 6)))
def test_only_the_true_order_holds(
    tmp_path_factory: pytest.TempPathFactory, five: dict[str, bytes], order: list[int]
) -> None:
    path = tmp_path_factory.mktemp("order") / "l.sqlite"
    for name, content in five.items():
        (path.parent / name).write_bytes(content)
    moves = [("UPDATE entry SET seq = ? WHERE seq = ?", new, old + 100) for old, new in enumerate(order, 1)]
    change(path, "BEGIN", "UPDATE entry SET seq = seq + 100", *moves, "COMMIT")
    assert (ledger.verify(path).problems == ()) == (order == [1, 2, 3, 4, 5])


def test_an_anchor_tells_an_older_copy_and_a_rewrite_by_the_holder_of_the_key(log: Path, tmp_path: Path) -> None:
    old = {path: path.read_bytes() for path in log.parent.iterdir()}
    early = ledger.head(log)
    ledger.append(log, "access", {"last": True}, time=NOW)
    late = ledger.head(log)
    assert ledger.verify(log, early).problems == ()
    assert ledger.verify(log, late).problems == ()
    for path, content in old.items():
        path.write_bytes(content)
    assert ledger.verify(log).problems == ()  # what can't be seen without an anchor
    assert "older copy" in ledger.verify(log, late).problems[0]
    other = tmp_path / "other" / "ledger.sqlite"
    ledger.append(other, "access", {}, time=NOW)
    assert ledger.verify(other, early).problems != ()
    assert ledger.Head.parse(str(late)) == late


def test_a_log_that_is_gone_is_told(log: Path) -> None:
    anchor = ledger.head(log)
    log.unlink()
    with pytest.raises(Refused, match="gone"):
        ledger.verify(log)
    with pytest.raises(Refused, match="gone"):
        ledger.append(log, "access", {}, time=NOW)
    log.with_suffix(".key").unlink()
    with pytest.raises(Refused, match="gone"):
        ledger.verify(log, anchor)
    with pytest.raises(InputError, match="no log"):
        ledger.verify(log)


@pytest.mark.parametrize("content", [b"", b"junk" * 400, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_file_that_is_no_log_is_refused(log: Path, content: bytes) -> None:
    log.write_bytes(content)
    with pytest.raises(Refused):
        ledger.verify(log)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry WHERE seq = 1; END",
        "ALTER TABLE entry ADD COLUMN more",
        "CREATE VIEW v AS SELECT 1",
    ],
)
def test_a_log_with_a_trigger_or_other_tables_is_refused(log: Path, statement: str) -> None:
    change(log, statement)
    with pytest.raises(Refused, match="tables"):
        ledger.append(log, "access", {}, time=NOW)


def test_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime\n"
        "from mithridate.core import ledger\n"
        "for n in range(5): ledger.append(Path(sys.argv[1]), 'k', {'n': n}, time=datetime.now(UTC))\n"
    )
    path = tmp_path / "ledger.sqlite"
    running = [subprocess.Popen([sys.executable, "-c", code, path]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert ledger.verify(path) == ledger.Verified(ledger.head(path), ())
    assert ledger.head(path).count == 15


def test_an_entry_too_large_and_a_head_that_is_none_are_one_line(log: Path) -> None:
    with pytest.raises(InputError, match="at most"):
        ledger.append(log, "access", {"x": "y" * ledger.MOST_BYTES}, time=NOW)
    for words in ("", "3", "x:y", f"-1:{ledger.GENESIS}", f"1:{ledger.GENESIS}0"):
        with pytest.raises(InputError, match="N:DIGEST"):
            ledger.Head.parse(words)
