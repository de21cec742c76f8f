"""Other packages' methods are listed and explained by what their entry points say, and broken ones don't stop us."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = '''"""A plugin's table of methods."""
from mithridate.core.method import Method
METHOD = Method(id="ACM101", slug="odd-smell", family="poison", function="acme_rules.smell:smell",
                title="Odd smells", modalities=("text",), needs=("labels",), standards=("ACME-1",),
                references=("Nose (2020)",))
NOTHING = 7
'''
CODE = '''"""The method itself."""
import numpy
raise RuntimeError("explaining a method must not run it")
def smell(context, settings):
    """Rows that smell odd.

    Blind to colds.
    """
'''
POINTS = """[mithridate.methods]
smell = acme_table:METHOD
seven = acme_table:NOTHING
gone = acme_gone:METHOD
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages: one with a good entry point and two bad ones."""
    place = tmp_path_factory.mktemp("site")
    info = place / "acme_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(POINTS, encoding="utf-8")
    (place / "acme_table.py").write_text(MODULE, encoding="utf-8")
    (place / "acme_rules").mkdir()
    (place / "acme_rules" / "__init__.py").touch()
    (place / "acme_rules" / "smell.py").write_text(CODE, encoding="utf-8")
    return place


def run(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys\nfrom mithridate.cli import main\n"
        f"try:\n    main({list(words)!r})\nfinally:\n"
        "    heavy = {'numpy', 'torch', 'sklearn', 'scipy', 'pyarrow', 'pandas', 'rich', 'acme_rules.smell'}\n"
        "    assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    paths = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


def test_methods_of_other_packages_are_listed_last_with_their_package(site: Path) -> None:
    done = run(site, "methods")
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last == "ACM101  odd-smell          Odd smells (text; needs labels; from acme-rules)"
    assert "PSN101" in done.stdout
    told = done.stderr.splitlines()
    assert len(told) == 2
    assert any("seven of acme-rules is no Method" in line for line in told)
    assert any("gone of acme-rules can't be loaded: ModuleNotFoundError" in line for line in told)


@pytest.mark.parametrize("name", ["ACM101", "odd-smell"])
def test_a_method_of_another_package_is_explained_without_being_imported(site: Path, name: str) -> None:
    done = run(site, "explain", name)
    assert done.returncode == 0, done.stderr
    assert "# ACM101 odd-smell: Odd smells" in done.stdout
    assert "Blind to colds." in done.stdout
    assert "Nose (2020)" in done.stdout
    assert "ACME-1" in done.stdout


def test_an_unknown_method_is_still_one_clear_line(site: Path) -> None:
    done = run(site, "explain", "ACM999")
    assert done.returncode == 2
    assert "no method 'ACM999'" in done.stderr
