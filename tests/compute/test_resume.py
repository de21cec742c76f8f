from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import pytest

import mithridate
from mithridate.compute import Failed, Workers
from mithridate.compute.store import Keyed, Stored, key_of, run_kept

SHARDS = 6
MODULE = """
    import os, sys, time
    from functools import partial
    from pathlib import Path

    from mithridate.compute import ThisProcess
    from mithridate.compute.store import Keyed, Result, key_of, run_kept

    def shard(folder, place):
        if place >= 3:
            while not os.path.exists(f"{folder}/go"):  # the run is killed while these shards are at work
                time.sleep(0.01)
        return Result(facts={"place": place})

    def tasks():
        return [Keyed(place, key_of("shard", place)) for place in range(6)]

    def die_on_four(folder, place):
        if place == 4:
            os._exit(9)
        return Result(facts={"place": place})

    if __name__ == "__main__":
        import resume_tasks
        folder = sys.argv[1]
        run_kept(ThisProcess(), partial(resume_tasks.shard, folder), resume_tasks.tasks(), Path(folder, "store"))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "resume_tasks.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "resume_tasks", raising=False)
    return tmp_path


def test_a_killed_run_is_taken_up_where_it_stopped(folder: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(mithridate.__file__).parents[1])]),
    }
    run = subprocess.Popen([sys.executable, str(folder / "resume_tasks.py"), str(folder)], env=environment)
    try:
        end = time.monotonic() + 60
        while len(list(folder.rglob("*.npz"))) < 3 and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        run.kill()
        run.wait()
    tasks = importlib.import_module("resume_tasks")
    (folder / "go").touch()
    done = run_kept(Workers(2), partial(tasks.shard, str(folder)), tasks.tasks(), folder / "store")
    assert [result.facts["place"] for result in done if isinstance(result, Stored)] == list(range(SHARDS))
    assert [result.fresh for result in done if isinstance(result, Stored)] == [False] * 3 + [True] * 3


def test_a_worker_that_dies_costs_its_shard_only(folder: Path) -> None:
    tasks = importlib.import_module("resume_tasks")
    keyed = [Keyed(place, key_of("die", place)) for place in range(SHARDS)]
    done = run_kept(Workers(2), partial(tasks.die_on_four, str(folder)), keyed, folder / "store")
    assert [place for place, result in enumerate(done) if isinstance(result, Failed)] == [4]
    lost = done[4]
    assert isinstance(lost, Failed)
    assert "the worker died" in lost.reason
