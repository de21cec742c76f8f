"""A log of what was decided, each entry chained to the one before by its hash; SQLite, standard library only.

What `verify` detects: an entry that was edited, moved, inserted or removed, the last ones included, by whoever can
write the database and can't read the key beside it. What it can't detect without an anchor: a rewrite by whoever holds
the key too, and the whole folder put back to an older state or deleted. So keep heads elsewhere (`N:DIGEST`, in a
commit, a mail, another machine): `verify` with an anchor shows that the log still holds, unchanged, all it held then.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
import time as clock
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError, Refused
from mithridate.core.findings import Json

PLACE = Path(".mithridate") / "ledger.sqlite"  # in the project's folder
GENESIS = hashlib.sha256(b"mithridate/ledger/1").hexdigest()
MOST_BYTES = 1 << 16  # of an entry's body
_WAIT_S = 10.0  # for others that append
_SCHEMA = {
    "entry": "CREATE TABLE entry (seq INTEGER PRIMARY KEY, time TEXT, kind TEXT, body TEXT, digest TEXT)",
    "head": "CREATE TABLE head (id INTEGER PRIMARY KEY, count INTEGER, digest TEXT, seal TEXT)",
}


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries there are, and the last one's digest: the whole log in one line."""

    count: int
    digest: str

    def __str__(self) -> str:
        return f"{self.count}:{self.digest}"

    @classmethod
    def parse(cls, words: str) -> Head:
        """The head that `N:DIGEST` spells; `InputError` when it isn't one."""
        count, _, digest = words.strip().partition(":")
        if not (count.isascii() and count.isdigit() and len(count) < 16 and len(digest) == len(GENESIS)):  # noqa: PLR2004 - below 2^53
            raise InputError(f"a head is N:DIGEST as `mithridate ledger head` prints it, got {words[:80]!r}")
        return cls(int(count), digest.lower())


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log: 1-based `seq`, UTC time, what kind of event, and its facts."""

    seq: int
    time: str
    kind: str
    body: str
    digest: str

    def expected(self, previous: str) -> str:
        """The digest that this entry has after the one with the digest `previous`."""
        parts = [previous, self.seq, self.time, self.kind, self.body]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """The body as the object it was."""
        return dict(json.loads(self.body))


@dataclass(frozen=True, slots=True)
class Verified:
    """The head, and what is wrong with the log, in order; nothing wrong: `problems` is empty."""

    head: Head
    problems: tuple[str, ...]


def append(path: Path, kind: str, body: Mapping[str, Json], *, time: datetime) -> Entry:
    """Add an entry; the log and its key (`.key` beside it, 0600) are made when they aren't there.

    Raises
    ------
    InputError : the folder can't be written, or another process holds the log for longer than 10 s.
    Refused : the head isn't the one that was written last; nothing is added, so that no damage is covered up.
    """
    text = json.dumps(body, sort_keys=True, ensure_ascii=True)
    if len(text) > MOST_BYTES:
        raise InputError(f"an entry of the log holds at most {MOST_BYTES} bytes, got {len(text)}; shorten it")
    if not path.exists():
        _create(path)
    key = _key(path)
    with _open(path) as database:
        database.execute("BEGIN IMMEDIATE")
        head = _head(database, key)
        draft = Entry(head.count + 1, time.isoformat(timespec="milliseconds"), kind, text, "")
        entry = Entry(draft.seq, draft.time, kind, text, draft.expected(head.digest))
        database.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", (entry.seq, entry.time, kind, text, entry.digest))
        _store(database, Head(entry.seq, entry.digest), key)
        database.execute("COMMIT")
    return entry


def head(path: Path) -> Head:
    """The head as it is stored, after its seal was checked.

    Raises
    ------
    InputError : there is no log.
    Refused : the head was changed.
    """
    with _open(path) as database:
        return _head(database, _key(path))


def entries(path: Path) -> Iterator[Entry]:
    """Every entry in order, not verified.

    Raises
    ------
    InputError : there is no log. Refused : it is damaged.
    """
    with _open(path) as database:
        yield from _entries(database)


def verify(path: Path, anchor: Head | None = None) -> Verified:
    """Follow the chain from the first entry to the head, and hold it against an anchor kept elsewhere.

    Raises
    ------
    InputError : there is no log, and no sign that there ever was one.
    Refused : it is no database any more, or the log itself is gone.
    """
    if not path.exists() and (anchor is not None or _key_path(path).exists()):
        raise Refused(f"the log {path} is gone: its key or an anchor says that there was one")
    problems: list[str] = []
    seen, anchored = Head(0, GENESIS), anchor is None or anchor == Head(0, GENESIS)
    with _open(path) as database:
        database.execute("BEGIN")  # one state of the log, whoever appends meanwhile
        for entry in _entries(database):
            problems += _follows(entry, seen)
            seen = Head(entry.seq, entry.digest)
            anchored = anchored or seen == anchor
        try:
            stored = _head(database, _key(path))
        except Refused as refusal:
            return Verified(seen, (*problems, str(refusal)))
    if stored.count > seen.count:
        problems.append(f"the last {stored.count - seen.count} of {stored.count} entries were removed")
    elif stored != seen:
        problems.append(f"the last entry, {seen.count}, isn't the one that the head was sealed for, {stored.count}")
    if not anchored:
        problems.append("the anchor isn't in the log: entries before it were rewritten, or an older copy was put back")
    return Verified(stored, tuple(problems))


def _entries(database: sqlite3.Connection) -> Iterator[Entry]:
    for row in database.execute("SELECT seq, time, kind, body, digest FROM entry ORDER BY seq"):
        yield Entry(*row)


def _follows(entry: Entry, previous: Head) -> list[str]:
    """What is wrong with an entry after the one before it."""
    if type(entry.seq) is not int or entry.seq <= previous.count:
        return [f"the entry {entry.seq!r} is out of order"]
    missing = entry.seq - previous.count - 1
    if missing:
        return [f"{missing} entries are missing before the entry {entry.seq}"]
    texts = (entry.time, entry.kind, entry.body, entry.digest)
    if not all(isinstance(part, str) for part in texts) or entry.expected(previous.digest) != entry.digest:
        return [f"the entry {entry.seq} was changed, or stands where another stood"]
    return []


def _head(database: sqlite3.Connection, key: bytes) -> Head:
    rows = database.execute("SELECT count, digest, seal FROM head").fetchall()
    if len(rows) == 1:
        count, digest, seal = rows[0]
        if type(count) is int and isinstance(digest, str) and isinstance(seal, str):
            found = Head(count, digest)
            if hmac.compare_digest(_seal(found, key).encode(), seal.encode(errors="replace")):
                return found
    raise Refused("the head of the log was changed, or its key was: the number of entries can't be trusted")


def _store(database: sqlite3.Connection, new: Head, key: bytes) -> None:
    row = (new.count, new.digest, _seal(new, key))
    database.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)", row)


def _seal(of: Head, key: bytes) -> str:
    return hmac.new(key, f"mithridate/ledger/1/head {of}".encode(), hashlib.sha256).hexdigest()


def _key_path(path: Path) -> Path:
    return path.with_suffix(".key")


def _key(path: Path) -> bytes:
    try:
        key = _key_path(path).read_bytes()
    except OSError as error:
        raise Refused(f"the key of the log, {_key_path(path)}, can't be read: {error.strerror or error}") from error
    if len(key) != hashlib.sha256().digest_size:
        raise Refused(f"the key of the log, {_key_path(path)}, was changed")
    return key


def _create(path: Path) -> None:
    """An empty log and its key; of several processes that try, one makes it."""
    if _key_path(path).exists():
        _wait_for(path)
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't make the folder {path.parent} for the log: {error.strerror or error}") from error
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        key = os.urandom(hashlib.sha256().digest_size)
        with closing(sqlite3.connect(draft, isolation_level=None)) as database:
            for statement in _SCHEMA.values():
                database.execute(statement)
            _store(database, Head(0, GENESIS), key)
        handle = os.open(_key_path(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(handle)
        draft.replace(path)
    except FileExistsError:
        _wait_for(path)
    except (OSError, sqlite3.Error) as error:
        raise InputError(f"can't write the log {path}: {error}; give it a folder that is yours") from error
    finally:
        draft.unlink(missing_ok=True)


def _wait_for(path: Path) -> None:
    """Until the process that made the key has put the log in its place."""
    for _ in range(100):
        if path.exists():
            return
        clock.sleep(0.01)
    raise Refused(f"the log {path} is gone, but its key is there; bring it back, or remove the key to begin anew")


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise InputError(f"no log {path}; run in the project's folder, or name it with --ledger")
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as database:
            found = dict(database.execute("SELECT name, sql FROM sqlite_master"))
            if found != _SCHEMA:
                raise Refused(f"{path} is no log of ours: its tables were changed")
            yield database
    except sqlite3.OperationalError as error:
        raise InputError(f"can't use the log {path}: {error}; look at who else writes it, and at its mode") from error
    except (sqlite3.DatabaseError, UnicodeError) as error:
        raise Refused(f"the log {path} is damaged: {error}") from error
