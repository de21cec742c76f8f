"""What names stand for in one Python file: imports, aliases, and what is given once and never changed."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Constant: TypeAlias = "str | int | float | bool | bytes | None"


class Unknown:
    """A value that isn't written out as a constant."""


UNKNOWN = Unknown()
_LOADERS = (
    "load",
    "loads",
    "Unpickler",
    "load_all",
    "unsafe_load",
    "full_load",
    "Loader",
    "FullLoader",
    "UnsafeLoader",
)
_STARRED = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "torch", "yaml", "marshal"}
_BY_NAME = "import_module"
_IMPORTERS = {"__import__", _BY_NAME, f"importlib.{_BY_NAME}"}  # looked for in what is read, never called here
_CHANGES = {"update", "setdefault", "pop", "clear", "popitem"}


@dataclass(frozen=True, slots=True)
class Names:
    """imported: dotted name by name. constants: value by name. mappings: entries by name, of dicts left as made.

    opens : whether an address of everybody stands somewhere in the file.
    """

    imported: Mapping[str, str]
    constants: Mapping[str, Constant]
    mappings: Mapping[str, Mapping[str, ast.expr]]
    opens: bool = False

    def dotted(self, node: ast.AST) -> str | None:
        """`torch.load` for what an import leads to; `.load` for a method of anything else; None for the rest."""
        parts: list[str] = []
        while True:
            if isinstance(node, ast.Attribute):
                parts.append(node.attr)
                node = node.value
            elif isinstance(node, ast.Call) and (got := _got(node)) is not None:
                parts.append(got)
                node = node.args[0]
            else:
                break
        base = self.imported.get(node.id) if isinstance(node, ast.Name) else self._module(node)
        if base:
            return ".".join([base, *reversed(parts)])
        return f".{parts[0]}" if parts else None

    def _module(self, node: ast.AST) -> str | None:
        """The module that `import_module("pickle")` gives, or `__import__("pickle")`."""
        if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
            return None
        name = ast.unparse(node.func) if isinstance(node.func, (ast.Name, ast.Attribute)) else ""
        value = node.args[0].value
        return value if name in _IMPORTERS and isinstance(value, str) else None

    def constant(self, node: ast.AST) -> Constant | Unknown:
        """The value where it is written out, there or under a name that is given once."""
        if isinstance(node, ast.Constant):
            return UNKNOWN if isinstance(node.value, (complex, type(...))) else node.value
        return self.constants.get(node.id, UNKNOWN) if isinstance(node, ast.Name) else UNKNOWN

    def keywords(self, node: ast.Call) -> dict[str, ast.expr | None]:
        """The call's keyword arguments, those of known mappings included; `**` when some come from an unknown one."""
        found: dict[str, ast.expr | None] = {}
        for key in node.keywords:
            if key.arg:
                found[key.arg] = key.value
                continue
            entries: Mapping[str, ast.expr] | None = _entries(key.value)
            if entries is None and isinstance(key.value, ast.Name):
                entries = self.mappings.get(key.value.id)
            found |= {"**": None} if entries is None else entries
        return found


def names_of(nodes: Iterable[ast.AST]) -> Names:
    """The names of a file; what is bound twice, or is a parameter, stands for nothing.

    Parameters
    ----------
    nodes : every node of the file.
    """
    every = list(nodes)
    imported = _imported(every)
    bound = Counter(node.id for node in every if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    bound.update(name for node in every if isinstance(node, ast.arg) for name in (node.arg, node.arg))
    once = [(target.id, node.value) for node in every if isinstance(node, ast.Assign) and len(node.targets) == 1
            and isinstance(target := node.targets[0], ast.Name) and bound[target.id] == 1]  # fmt: skip
    changed = {_changed(node) for node in every} | {None}
    constants = {
        name: value.value for name, value in once
        if isinstance(value, ast.Constant) and not isinstance(value.value, (complex, type(...)))
    }  # fmt: skip
    mappings = {name: found for name, value in once if name not in changed and (found := _entries(value)) is not None}
    for name, value in once:
        whole = Names(imported, {}, {}).dotted(value) if isinstance(value, (ast.Attribute, ast.Name)) else None
        if whole and not whole.startswith(".") and name not in imported:
            imported[name] = whole
    return Names(imported, constants, mappings)


def _imported(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """What each imported name stands for, wherever the import is."""
    names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.names[0].name == "*" and node.module in _STARRED:
                names = {name: f"{node.module}.{name}" for name in _LOADERS} | names
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:  # the project's own module hands a known one on
            names |= {alias.asname or alias.name: alias.name for alias in node.names if alias.name in _STARRED}
    return names


def _got(node: ast.Call) -> str | None:
    """The attribute of `getattr(x, "attribute")`."""
    if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) > 1:
        name = node.args[1]
        return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
    return None


def _entries(node: ast.AST) -> dict[str, ast.expr] | None:
    """Keys and values of `{"a": 1}` and `dict(a=1)`; None for anything less plain."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return None if any(key.arg is None for key in node.keywords) else {str(k.arg): k.value for k in node.keywords}
    if not isinstance(node, ast.Dict):
        return None
    found: dict[str, ast.expr] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            return None
        found[key.value] = value
    return found


def _changed(node: ast.AST) -> str | None:
    """The name whose entries the node sets or takes away."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return node.value.id if isinstance(node.value, ast.Name) else None
    if isinstance(node, ast.Attribute) and node.attr in _CHANGES and isinstance(node.value, ast.Name):
        return node.value.id
    return node.target.id if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) else None
