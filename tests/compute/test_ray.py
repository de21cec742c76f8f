from __future__ import annotations

import importlib.util
import logging
import os
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mithridate.audits.poison.context import AuditSettings
from mithridate.compute import Failed, ThisProcess
from mithridate.compute.ray import RayCluster
from mithridate.core.errors import InputError
from mithridate.core.progress import Silent
from mithridate.data.options import Options
from mithridate.data.shards import find_shards
from mithridate.flows.audit_shards import How, audit_shards

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray isn't installed: pip install '.[ray]'"),
    pytest.mark.filterwarnings("ignore"),  # Ray leaves sockets and processes to the interpreter's end
]

TASKS = """
    import os, time

    def node(folder):
        import ray
        name, end = ray.get_runtime_context().get_node_id(), time.monotonic() + 60
        open(os.path.join(folder, name), "w").close()
        while len(os.listdir(folder)) < 2 and time.monotonic() < end:
            time.sleep(0.02)  # a node has one processor: the other task must go to the other node
        return name

    def die_once(mark):
        if not os.path.exists(mark):
            open(mark, "w").close()
            os._exit(9)
        return "alive"

    def die_on_two(task):
        if task == 2:
            os._exit(9)
        return task * 10

    def fail(task):
        raise ValueError(f"not {task}")
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RayCluster, Any, str]]:
    """Two nodes of one processor each, as one machine sees them."""
    folder = tmp_path_factory.mktemp("ray")
    (folder / "ray_tasks.py").write_text(textwrap.dedent(TASKS))
    import mithridate

    paths = [str(folder), str(Path(mithridate.__file__).parent.parent)]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("PYTHONPATH", os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.syspath_prepend(folder)
        import ray
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
        logging.getLogger("ray").setLevel(logging.ERROR)
        nodes = Cluster(initialize_head=True, head_node_args=node)
        nodes.add_node(num_cpus=1, object_store_memory=80 << 20)
        try:
            yield RayCluster(nodes.address), __import__("ray_tasks"), str(folder)
        finally:
            ray.shutdown()
            nodes.shutdown()
            sys.modules.pop("ray_tasks", None)


def test_no_cluster_there_is_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"no Ray cluster answers at 127\.0\.0\.1:1 "):
        RayCluster("127.0.0.1:1")


def test_tasks_run_on_both_nodes_and_come_back_in_order(cluster: tuple[RayCluster, Any, str], tmp_path: Path) -> None:
    runner, tasks, _ = cluster
    assert runner.map(abs, [-3, 2, -1]) == [3, 2, 1]
    assert len(set(runner.map(tasks.node, [str(tmp_path)] * 2))) == 2


def test_a_dead_worker_costs_its_own_task_only_and_one_that_died_once_nothing(
    cluster: tuple[RayCluster, Any, str],
) -> None:
    runner, tasks, folder = cluster
    assert runner.map(tasks.die_once, [f"{folder}/mark"]) == ["alive"]
    done = runner.map(tasks.die_on_two, [1, 2, 3])
    assert done[::2] == [10, 30]
    assert isinstance(done[1], Failed)
    assert "the worker died" in done[1].reason
    failed = runner.map(tasks.fail, [5])[0]
    assert isinstance(failed, Failed)
    assert "not 5" in failed.reason


def test_the_audit_says_the_same_on_the_cluster_as_in_this_process(
    cluster: tuple[RayCluster, Any, str], tmp_path: Path
) -> None:
    runner, _, _ = cluster
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_400, 4))
    label = (x[:, 0] > 0).astype(int)
    x[5, 1], x[1_000:1_004], label[1_000:1_004] = 1e4, x[1_000], [0, 1, 0, 1]  # one wild value, copies that disagree
    columns = {f"n{j}": np.round(x[:, j], 2) for j in range(4)}
    pq.write_table(pa.table({**columns, "label": label}), tmp_path / "t.parquet", row_group_size=800)
    shards = find_shards(tmp_path / "t.parquet", Options("t"), shard_rows=800)
    reports = []
    for name, executor in (("here", ThisProcess()), ("there", runner)):
        how = How(AuditSettings(power="off"), None, tmp_path / name, Silent(), "test", ("PSN101", "PSN104", "PSN105"))
        report, rows = audit_shards(shards, how, runner=executor)
        reports.append([finding.to_json() for finding in report.findings])
        assert rows.context.fresh["shards: census"] == 3
    assert reports[0] == reports[1]
    assert {finding["method"] for finding in reports[0]} == {"PSN104", "PSN105"}
