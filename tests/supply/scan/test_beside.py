"""Source beside a model, worker processes, names that promise another format."""

from __future__ import annotations

from pathlib import Path

from archives import HARMFUL, HARMLESS

import mithridate


def said(folder: Path, **options: int) -> dict[str, set[str]]:
    report = mithridate.scan(folder, **options)  # type: ignore[arg-type]
    return {Path(f.subject.extra["file"]).name: {piece.name for piece in f.evidence} for f in report.findings}  # type: ignore[arg-type]


def test_source_is_listed_in_the_folder_of_a_model_and_nowhere_else(tmp_path: Path) -> None:
    for name in ("model/modeling_a.py", "tools/tool.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("import os\n")
    assert said(tmp_path) == {}
    (tmp_path / "model" / "weights.bin").write_bytes(HARMLESS)
    assert said(tmp_path) == {"modeling_a.py": {"source-beside-model"}}


def test_worker_processes_say_the_same_as_one(tmp_path: Path) -> None:
    for position in range(12):
        (tmp_path / f"{position}.bin").write_bytes(HARMFUL if position % 3 else HARMLESS)
    alone, together = mithridate.scan(tmp_path), mithridate.scan(tmp_path, jobs=2)
    assert [f.to_json() for f in alone.findings] == [f.to_json() for f in together.findings]
    assert len(alone.findings) == 8


def test_a_pickle_under_the_name_of_a_passive_format_is_said(tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.json", "c.png", "d.bin", "e.pkl"):
        (tmp_path / name).write_bytes(HARMLESS)
    assert said(tmp_path) == {name: {"disguise"} for name in ("a.safetensors", "b.json", "c.png")}
