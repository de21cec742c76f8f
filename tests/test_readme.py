"""The README and the generated pages say what the code does today."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mithridate.cli import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "tools/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_help_block_of_the_readme_is_current() -> None:
    block = re.search(r"<!-- help -->\n```\n(.*?)```", README, re.DOTALL)
    assert block is not None
    told = CliRunner().invoke(cli, ["--help"], prog_name="mithridate", terminal_width=80).output
    assert block.group(1) == f"$ mithridate --help\n{told}"


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("mithridate ")])
def test_commands_of_the_readme_use_options_that_exist(line: str) -> None:
    words = line.split()
    told = CliRunner().invoke(cli, [words[1], "--help"], terminal_width=200).output
    options = [word for word in words if word.startswith("-")]
    assert all(re.search(rf"(^|[ ,]){re.escape(option)}\b", told) for option in options), line


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("make ")])
def test_make_targets_of_the_readme_exist(line: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE), line


def test_every_file_that_the_readme_links_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
