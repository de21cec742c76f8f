"""Writes replace plain files and nothing else: not a pipe, not a device, not even for root."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mithridate.core.errors import InputError
from mithridate.core.files import atomic, write_atomic


@pytest.mark.parametrize("through_link", [False, True])
def test_a_pipe_is_refused_as_an_output_and_stays_one(through_link: bool, tmp_path: Path) -> None:  # noqa: FBT001
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    target = tmp_path / ("link" if through_link else "pipe")
    with pytest.raises(InputError, match="no plain file"), atomic(target) as temporary:
        temporary.write_bytes(b"x")
    with pytest.raises(InputError, match="no plain file"):
        write_atomic(target, b"x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]
