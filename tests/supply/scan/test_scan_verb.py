"""`mithridate scan`: one finding a file, honest exit codes, every format, and a light start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from archives import HARMFUL, HARMLESS, Part, make_zip
from click.testing import CliRunner

import mithridate
from mithridate.cli import cli
from mithridate.core.errors import InputError

EVIL_ZIP = make_zip([Part(b"readme.txt", b"hello\n"), Part(b"m/data.pkl", HARMFUL), Part(b"../up.txt", b"hello\n")])


def scanned(tmp_path: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    out = tmp_path / "out.json"
    result = CliRunner().invoke(cli, ["scan", str(tmp_path / "in"), "-o", str(out), *options])
    return result.exit_code, json.loads(out.read_text()) if out.exists() else {}, result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    (made / "good.pkl").write_bytes(HARMLESS)
    (made / "words.txt").write_bytes(b"hello\n")
    (made / "evil.bin").write_bytes(EVIL_ZIP)
    return made


def test_one_finding_a_file_with_its_member_digest_and_every_issue(tmp_path: Path, folder: Path) -> None:
    assert folder.is_dir()
    code, report, _ = scanned(tmp_path)
    assert code == 1
    assert report["verdict"] == "findings"
    (finding,) = report["findings"]
    assert (finding["method"], finding["severity"]) == ("SUP401", "critical")
    assert finding["subject"]["kind"] == "file"
    assert finding["subject"]["path"] == f"{folder / 'evil.bin'}!m/data.pkl"
    assert finding["subject"]["digest"].startswith("sha256:")
    assert {piece["name"] for piece in finding["evidence"]} >= {"path-traversal"}
    assert "os.system" in finding["claim"].replace("posix.", "os.").replace(" ", ".")
    assert finding["standards"] == ["AML.T0010", "AML.T0011.000", "ML06:2023"]


def test_the_fingerprint_follows_the_content_and_not_the_path(tmp_path: Path, folder: Path) -> None:
    _, before, _ = scanned(tmp_path)
    (folder / "evil.bin").rename(folder / "other.txt")
    _, after, _ = scanned(tmp_path)
    assert before["findings"][0]["fingerprint"] == after["findings"][0]["fingerprint"]
    (folder / "other.txt").write_bytes(EVIL_ZIP.replace(b"never", b"again"))
    _, changed, _ = scanned(tmp_path)
    assert changed["findings"][0]["fingerprint"] != after["findings"][0]["fingerprint"]


def test_exit_codes_follow_the_threshold_and_the_baseline(tmp_path: Path, folder: Path) -> None:
    assert scanned(tmp_path, "--fail-on", "never")[0] == 0
    assert scanned(tmp_path, "--fail-on", "critical")[0] == 1
    assert scanned(tmp_path, "--baseline", str(tmp_path / "out.json"))[0] == 0
    (folder / "evil.bin").unlink()
    code, report, text = scanned(tmp_path)
    assert (code, report["verdict"], report["findings"]) == (0, "clean", [])
    assert "Nothing found in 2 files" in text
    assert CliRunner().invoke(cli, ["scan", str(tmp_path / "gone")]).exit_code != 0


def test_every_format_is_written_and_the_terminal_stays_in_80_columns(tmp_path: Path, folder: Path) -> None:
    (folder / ("long" * 40)).write_bytes(HARMFUL)
    outputs = [str(tmp_path / f"r{suffix}") for suffix in (".html", ".sarif", ".xml", ".md", ".txt")]
    _, _, text = scanned(tmp_path, *(part for path in outputs for part in ("-o", path)))
    assert all(Path(path).stat().st_size > 500 for path in outputs)
    assert max(map(len, text.splitlines())) <= 80


def test_unknown_bytes_are_medium_and_never_clean(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(range(1, 256)) * 20)
    code, report, text = scanned(tmp_path)
    assert code == 0
    assert [(f["method"], f["severity"]) for f in report["findings"]] == [("SUP404", "medium")]
    assert "not analysed" in text


def test_python_gives_the_same_report(folder: Path) -> None:
    report = mithridate.scan(folder)
    assert [finding.severity.word for finding in report.findings] == ["critical"]
    assert len(report.files) == 3
    with pytest.raises(AssertionError, match=r"evil\.bin"):
        report.assert_clean()
    mithridate.scan(folder / "good.pkl").assert_clean()
    with pytest.raises(InputError, match="at least one"):
        mithridate.scan()


def test_digests_of_every_file_are_computed_when_asked(folder: Path) -> None:
    report = mithridate.scan(folder, digest=True)
    assert all(file.digest.startswith("sha256:") for file in report.files)
    assert report.target.digest.startswith("sha256:")
    assert report.target.digest == mithridate.scan(folder, digest=True).target.digest


def test_a_scan_imports_nothing_heavy(folder: Path) -> None:
    code = (
        "import sys, mithridate\n"
        f"report = mithridate.scan({str(folder)!r})\n"
        "assert report.findings\n"
        "heavy = {'numpy', 'torch', 'sklearn', 'scipy', 'pyarrow', 'pandas', 'google.protobuf', 'h5py', 'onnx', 'rich',"
        " 'jinja2', 'mithridate.data', 'mithridate.models'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_where_nothing_could_be_scanned_the_exit_code_is_2(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("pipe", "link"):
        done = CliRunner().invoke(cli, ["scan", str(tmp_path / name)])
        assert done.exit_code == 2
        assert "not analysed" in done.output
        assert "Every byte" not in done.output
    with pytest.raises(InputError, match="no file to scan"):
        mithridate.scan(tmp_path / "empty")
    (tmp_path / "nothing.bin").touch()
    assert CliRunner().invoke(cli, ["scan", "-q", str(tmp_path)]).exit_code == 0
