"""A method's page: its docstring and references, read from the source without importing it."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from pathlib import Path

from mithridate.core.errors import InternalError
from mithridate.core.method import Method
from mithridate.core.standards import meaning


def docstring(location: str) -> str:
    """The docstring of `module:function`; the module is parsed, not imported, so this stays quick."""
    module, _, name = location.partition(":")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise InternalError(f"the catalogue names {module}, which isn't there")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return inspect.cleandoc(ast.get_docstring(node, clean=False) or "")
    raise InternalError(f"the catalogue names {location}, which isn't there")


def _meaning(identifier: str) -> str:
    """What a standards id stands for; other packages may name ids that aren't on our list."""
    try:
        return meaning(identifier)
    except KeyError:
        return "not on this version's list"


def page(method: Method) -> str:
    """The page as Markdown: what `mithridate explain` prints and `docs/methods/` holds."""
    works = ", ".join(method.modalities) or "any data"
    needs = ", ".join(method.needs) or "nothing more"
    lines = [
        f"# {method.id} {method.slug}: {method.title}",
        "",
        f"Family: {method.family}. Threat: {method.threat}. Works on: {works}. Needs: {needs}.",
        "",
        docstring(method.function),
        "",
        "## Standards",
        "",
        *(f"- {identifier}: {_meaning(identifier)}" for identifier in method.standards),
        "",
        "## Read more",
        "",
        *(f"- {reference}" for reference in method.references),
        "",
    ]
    return "\n".join(lines)
