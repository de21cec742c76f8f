"""The walk: every file once, whatever links, loops, pipes and permissions are in the way."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from archives import HARMFUL

from mithridate.core.errors import InputError
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.files import scan_entry
from mithridate.supply.scan.walk import Entry, walk


def told(*paths: Path) -> dict[str, str]:
    """Path below the first root -> code of what is wrong, or `file`."""
    root = paths[0]
    return {str(e.path.relative_to(root)): e.issue.code if e.issue else "file" for e in walk(paths)}


def test_a_folder_is_walked_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b/z", "b/a", "a", "c/d/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert list(told(tmp_path)) == ["a", "b/a", "b/z", "c/d/e"]


def test_a_path_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no_such"):
        walk([tmp_path / "no_such"])


def test_a_loop_of_links_ends_and_each_file_comes_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_text("x")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a" / "f")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert told(tmp_path) == {"a/f": "file", "self": "broken-link"}
    assert len(walk([tmp_path, tmp_path / "a", tmp_path / "a" / "f"])) == 2


def test_links_that_leave_the_root_are_said_files_read_and_folders_not(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (other / "f").write_text("x")
    (root / "file").symlink_to(other / "f")
    (root / "folder").symlink_to(other)
    (root / "nowhere").symlink_to(other / "gone")
    found = [(e.path.name, e.issue.code if e.issue else "file") for e in walk([root])]
    assert sorted(found) == [
        ("file", "file"), ("file", "link-outside"), ("folder", "not-analysed"), ("nowhere", "broken-link"),
    ]  # fmt: skip


def test_a_hugging_face_cache_is_scanned_once_each_from_either_end(tmp_path: Path) -> None:
    model = tmp_path / "models--a--b"
    for name in ("blobs", "snapshots/one", "snapshots/two"):
        (model / name).mkdir(parents=True)
    (model / "blobs" / "ab12").write_bytes(HARMFUL)
    for snapshot in ("one", "two"):
        (model / "snapshots" / snapshot / "model.bin").symlink_to("../../blobs/ab12")
    assert [entry.issue for entry in walk([model])] == [None]
    (entry,) = walk([model / "snapshots" / "one"])
    assert (entry.path.name, entry.issue) == ("model.bin", None)


def test_pipes_sockets_and_locked_files_are_said_and_never_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    assert told(tmp_path) == {"pipe": "special-file", "socket": "special-file"}
    assert [entry.issue.code for entry in walk([tmp_path / "pipe"]) if entry.issue] == ["special-file"]


def test_what_can_not_be_opened_or_vanishes_is_not_analysed(tmp_path: Path) -> None:
    found = scan_entry(Entry(tmp_path / "gone", 5), Budget())
    assert [one.issue.code for one in found.located] == ["not-analysed"]
    locked = tmp_path / "locked"
    locked.write_bytes(HARMFUL)
    locked.chmod(0)
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0)
    try:
        if os.access(locked, os.R_OK):
            pytest.skip("this user may read everything")
        assert told(tmp_path) == {"closed": "not-analysed", "locked": "file"}
        assert [one.issue.code for one in scan_entry(Entry(locked, 5), Budget()).located] == ["not-analysed"]
    finally:
        folder.chmod(0o700)


def test_a_pipe_put_in_a_file_s_place_after_the_walk_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = scan_entry(Entry(tmp_path / "pipe", 5), Budget())
    assert found.located


def test_a_sparse_file_of_ten_gigabytes_takes_no_memory_and_says_what_was_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "huge.bin"
    with path.open("wb") as file:
        file.write(b"\x07\x01\x02\x03")
        file.truncate(10 << 30)
    found = scan_entry(Entry(path, 10 << 30), Budget())
    assert {one.issue.code for one in found.located} == {"not-analysed"}
    assert found.digest == ""
