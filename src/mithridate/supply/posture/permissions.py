"""Files that others on the machine can read or change: keys, secrets, data."""

from __future__ import annotations

import re
from collections import defaultdict

from mithridate.core.findings import Finding, Json, Severity, Subject, table
from mithridate.core.method import Outcome
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.say import Kind, Spot, finding
from mithridate.supply.posture.walk import File

ID, SLUG = "SUP423", "open-permissions"
_KEYS = re.compile(
    r"(?:^|/)(?:id_(?:rsa|dsa|ecdsa|ed25519)|[^/]*\.(?:pem|key|p12|pfx|jks|keystore|ppk|kdbx)|\.env(?:\.(?!example|sample|"
    r"template|dist)[\w-]+)?|\.netrc|\.pgpass|\.pypirc|credentials(?:\.json)?|kubeconfig|\.htpasswd)$"
)
_DATA = frozenset(
    {".csv", ".tsv", ".parquet", ".jsonl", ".npz", ".npy", ".h5", ".hdf5", ".sqlite", ".sqlite3", ".db", ".feather",
     ".arrow", ".avro", ".tfrecord", ".xlsx", ".duckdb"}
)  # fmt: skip
_PRIVATE = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_VALUE = re.compile(
    r"""(?m)^[ \t]{0,40}(?:export[ \t]{1,40})?(?P<name>\w{1,200})[ \t]{0,40}=[ \t]{0,40}["']?[^\s"'$#]"""
)
_SECRET = re.compile("pass|secret|token|key|pwd", re.IGNORECASE)
_TEXT_KEYS = frozenset({".pem", ".key"})
_MOST_KEY = 1 << 16

_KEY = Kind(
    ID,
    SLUG,
    "key",
    Severity.HIGH,
    0.95,
    "make a new key, since the old one was open, and keep it to yourself: `chmod 600 FILE`",
)
_TEST_KEY = Kind(
    ID, SLUG, "key in a test", Severity.LOW, 0.8, "use it in tests alone: whoever reads the project has it"
)
_TRIED = re.compile(
    r"(?:^|/)(?:(?:[\w.-]*[-_.])?tests?|testing|test[-_]?data|fixtures?|mocks?|examples?)(?:/|$)", re.IGNORECASE
)
_WRITE = Kind(ID, SLUG, "writable", Severity.MEDIUM, 0.95, "take the right to write away: `chmod o-w FILE`")


def permissions(context: Context, settings: PostureSettings) -> Outcome:
    """Private keys and files of secrets that every user of the machine can read, and files that all can change.

    Notes
    -----
    High: a key or a file of secrets readable by others; a `.pem` or `.key` counts only when a private key stands in
    it, and is low among tests and fixtures, where keys are made to be shown. Medium: a file that others can write.
    Data that others can read is one finding of low severity, since on a machine of one user it is no harm. Git keeps
    no permissions but the execute bit: what counts is where it is run.

    References
    ----------
    CWE-732, Incorrect permission assignment for critical resource.
    """
    del settings
    found: list[Finding] = []
    readable: dict[str, list[File]] = defaultdict(list)
    for file in context.files:
        mode = f"mode {file.mode:04o}"
        if file.mode & 0o004 and _is_key(context, file):
            found.append(
                finding(
                    _TEST_KEY if _TRIED.search(file.name) else _KEY,
                    file,
                    "{path} holds a key or secrets, and every user can read it",
                    [Spot(mode, file.path.name)],
                )
            )
        elif file.mode & 0o002:
            found.append(finding(_WRITE, file, "{path} can be changed by every user", [Spot(mode, file.path.name)]))
        elif file.mode & 0o004 and file.suffix in _DATA and file.size:
            readable[file.path.parent.relative_to(context.root).as_posix()].append(file)
    if readable:
        found.append(_data(readable))
    return Outcome(tuple(found))


def _is_key(context: Context, file: File) -> bool:
    if not _KEYS.search(file.name) or not file.size:
        return False
    if file.path.name.startswith(".env"):
        return any(_SECRET.search(match["name"]) for match in _VALUE.finditer(context.text(file) or ""))
    if file.suffix not in _TEXT_KEYS:
        return True
    return file.size <= _MOST_KEY and bool(_PRIVATE.search(context.text(file) or ""))


def _data(readable: dict[str, list[File]]) -> Finding:
    count = sum(map(len, readable.values()))
    rows: list[list[Json]] = [[folder, len(files), files[0].path.name] for folder, files in sorted(readable.items())]
    shown = table("folders", ["folder", "files", "such as"], rows[:20], caption="data that every user can read")
    return Finding(
        method=ID, slug=SLUG, severity=Severity.LOW, confidence=0.9,
        claim=f"{count} data files can be read by every user of this machine",
        subject=Subject("file", extra={"path": min(readable), "files": count, "kind_of": "data"}),
        evidence=(shown,), remedy="where it isn't public, seal it, or close the folder: `chmod -R o-rwx FOLDER`",
        place="data",
    )  # fmt: skip
