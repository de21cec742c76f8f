"""The house: arrows point down, no cycles, quiet and safe code, a light start."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "mithridate"
FLOORS = {
    "cli": 10, "flows": 9, "run": 8, "serving": 7, "supply": 7, "audits": 7, "defences": 6, "attacks": 5,
    "models": 4, "compute": 3, "data": 3, "reports": 3, "numeric": 2, "catalogue": 1, "core": 0,
}  # fmt: skip
FILES = sorted(SRC.rglob("*.py"))
MAY_IMPORT = {
    "core": set(sys.stdlib_module_names),
    "catalogue": set(sys.stdlib_module_names),
    "numeric": {*sys.stdlib_module_names, "numpy", "scipy", "sklearn"},
    "reports": {*sys.stdlib_module_names, "jinja2", "markupsafe", "rich"},
}


def unit(path: Path) -> str:
    return path.relative_to(SRC).with_suffix("").parts[0]


def imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(node.lineno, name) for name in names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_arrows_point_down(path: Path) -> None:
    here = unit(path)
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] != "mithridate" or here in {"__init__", "__main__"} or len(parts) < 2:
            continue
        there = parts[1]
        assert there == here or FLOORS[there] < FLOORS[here], f"{path.name}:{line}: {here} -> {there}"


def test_the_scan_is_standard_library_and_core_alone() -> None:
    for path in (SRC / "supply" / "scan").rglob("*.py"):
        for line, name in imports(path):
            ours = name.startswith(("mithridate.core.", "mithridate.supply.scan"))
            assert ours or name.split(".")[0] in {*sys.stdlib_module_names, "__future__"}, f"{path.name}:{line}: {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_rooms_import_only_what_they_may(path: Path) -> None:
    allowed = MAY_IMPORT.get(unit(path))
    for line, name in imports(path):
        top = name.split(".")[0]
        if allowed is not None and top not in {"mithridate", "__future__"}:
            assert top in allowed, f"{path.name}:{line}: {unit(path)} imports {top}"


def test_no_import_cycle_anywhere() -> None:
    modules = {
        ".".join(["mithridate", *p.relative_to(SRC).with_suffix("").parts]).removesuffix(".__init__"): p for p in FILES
    }
    graph = {}
    for name, path in modules.items():
        reached = {".".join(n.split(".")[:k]) for _, n in imports(path) for k in range(2, len(n.split(".")) + 1)}
        graph[name] = {
            other for other in reached if other in modules and other != name and not name.startswith(other + ".")
        }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_library_never_prints_evaluates_or_unpickles(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        assert name not in {"eval", "exec", "print", "input", "pickle.load", "pickle.loads", "joblib.load"}, (
            f"{path.name}:{node.lineno}: {name}"
        )
        if name.endswith("torch.load"):
            assert any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords), (
                f"{path.name}:{node.lineno}"
            )
        if name in {"np.load", "numpy.load"}:
            assert any(k.arg == "allow_pickle" and ast.unparse(k.value) == "False" for k in node.keywords), (
                f"{path.name}:{node.lineno}"
            )


def test_only_run_resolves_catalogue_strings() -> None:
    users = [p for p in FILES if "importlib.import_module" in p.read_text(encoding="utf-8")]
    named = {str(p.relative_to(SRC)) for p in users}
    lazy_doors = {"__init__.py", "cli/__init__.py", "run.py"}
    assert named - lazy_doors <= {
        "attacks/poisoning/__init__.py",
        "audits/poison/shared_trigger.py",
        "data/__init__.py",
        "models/recipes.py",
        "models/loading.py",
        "supply/scan/dispatch.py",
    }


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["methods"],
        ["explain", "PSN103"],
        ["explain", "SUP401"],
        ["audit", "--help"],
        ["attack", "--list"],
        ["scan", "--help"],
    ],
)
def test_light_verbs_import_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom mithridate.cli import cli\n"
        f"cli.main({words!r}, standalone_mode=False)\n"
        "heavy = {'numpy', 'torch', 'sklearn', 'scipy', 'pyarrow', 'pandas', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_audit_imports_no_torch_and_no_pandas() -> None:
    code = "import sys, mithridate; mithridate.audit; assert not {'torch', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_no_machine_path_or_registry_address_is_tracked() -> None:
    root = SRC.parent.parent
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split()
    stray = re.compile(r"(?<![\w.$}/])/(?:work|root|home|Users)/\w|pypi\.org/simple|registry\.npmjs")
    for name in tracked:
        path = root / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".json", ".yml", ".yaml", ".sh", ""} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert path.name == "test_architecture.py" or not stray.search(text), name
