"""Python read by `ast` and never run: which calls a file makes, by the names that its imports give them."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Constant: TypeAlias = "str | int | float | bool | bytes | None"

# what any check looks for: a file without one of the first isn't parsed, a call without one of the second isn't kept
_MARKS = ("pickle", "joblib", "dill", "shelve", "yaml", "trust_re", "0.0.0.0", "dangerous", "safe_mode",  # noqa: S104 - looked for
          "unsafe", "hub.load", "gradio", "ServerApp", "NotebookApp", "marshal", "insecure_port")  # fmt: skip
_WORDS = re.compile(
    r"pickle|joblib|torch\.load|torch\.hub|dill|shelve|yaml|trust_re|dangerous|safe_mode|marshal|^ray\.init|^uvicorn\.run|^http\.server"
)
_METHODS = {".run", ".launch", ".add_insecure_port"}  # of objects whose class isn't known: a server's, perhaps
_FAILS = (SyntaxError, ValueError, RecursionError, MemoryError)


class Unknown:
    """A value that isn't written out as a constant."""


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Use:
    """A call, or a function handed on uncalled.

    name : dotted, as imports resolve it (`torch.load`); `.launch` for a method of something unknown.
    keywords : values of constant arguments, `UNKNOWN` for others; `**` when some come from a mapping.
    arguments : the positional ones, as source text. written : the keyword ones, likewise.
    """

    name: str
    where: str
    line: int
    source: str
    keywords: Mapping[str, Constant | Unknown] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)
    called: bool = True

    def source_of(self, keyword: str) -> str | None:
        """What is written for that keyword; None when it isn't given."""
        return self.written.get(keyword)


@dataclass(frozen=True, slots=True)
class Assigned:
    """A constant given a name: `c.ServerApp.ip = "0.0.0.0"`, a default, an entry of a dict."""

    name: str
    value: Constant
    where: str
    line: int


@dataclass(frozen=True, slots=True)
class Module:
    """What one file does: uses, named constants, and the packages it imports."""

    uses: tuple[Use, ...]
    assigned: tuple[Assigned, ...]
    imports: frozenset[str]


def python(source: str) -> Module | None:
    """The module; None when it isn't Python 3."""
    if not any(mark in source for mark in _MARKS) and not ("torch" in source and "load" in source):
        return Module((), (), frozenset())
    return _read([("", source)])


def notebook(source: str) -> Module | None:
    """The code cells of a notebook, `%` and `!` lines left out; None when it isn't one."""
    try:
        raw: Any = json.loads(source)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
        return None
    cells = [(f"cell {number}, ", _plain(_source(cell))) for number, cell in enumerate(raw["cells"], 1)
             if isinstance(cell, dict) and cell.get("cell_type") == "code"]  # fmt: skip
    return _read(cells)


def cell_text(source: str) -> str:
    """The code of a notebook's cells, one below the other; empty when it isn't one."""
    try:
        raw: Any = json.loads(source)
        cells = raw["cells"]
        return "\n".join(_source(cell) for cell in cells if cell.get("cell_type") == "code")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return ""


def _source(cell: Mapping[str, Any]) -> str:
    body = cell.get("source", "")
    return "".join(part for part in body if isinstance(part, str)) if isinstance(body, list) else str(body)


def _plain(body: str) -> str:
    """The cell as Python: magic and shell lines become `pass`; a cell of another language becomes nothing."""
    if body.lstrip().startswith("%%") and not body.lstrip().startswith(("%%time", "%%capture")):
        return ""
    return re.sub(r"(?m)^(\s*)[%!?].*$", r"\1pass", body)


def _read(parts: list[tuple[str, str]]) -> Module | None:
    try:
        return _module(parts)
    except _FAILS:  # nested deeper than the interpreter goes
        return None


def _module(parts: list[tuple[str, str]]) -> Module | None:
    trees = []
    for prefix, body in parts:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                trees.append((prefix, body.splitlines(), ast.parse(body)))
        except _FAILS:
            if len(parts) == 1:
                return None
    if parts and not trees:
        return None
    nodes = [(prefix, lines, node) for prefix, lines, tree in trees for node in ast.walk(tree)]
    names = _imported(node for _, _, node in nodes)
    named = [node.bases for _, _, node in nodes if isinstance(node, ast.ClassDef)]
    named += [[node.func] for _, _, node in nodes if isinstance(node, ast.Call)]
    known = {id(node) for several in named for node in several}  # called, or the base of a class: no mere mention
    uses: list[Use] = []
    assigned: list[Assigned] = []
    for prefix, lines, node in nodes:
        if isinstance(node, ast.Call):
            uses += _call(node, names, prefix, lines)
        elif isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in known:
            uses += _handed_on(node, names, prefix, lines)
        else:
            assigned += _constants(node, prefix)
    return Module(tuple(uses), tuple(assigned), frozenset(name.partition(".")[0] for name in names.values()))


def _imported(nodes: Iterator[ast.AST]) -> dict[str, str]:
    """What each imported name stands for, wherever the import is."""
    names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _dotted(node: ast.AST, names: Mapping[str, str]) -> str | None:
    """`torch.load` for an imported name; `.load` for a method of anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name) and node.id in names:
        return ".".join([names[node.id], *reversed(parts)])
    return f".{parts[0]}" if parts else None


def _call(node: ast.Call, names: Mapping[str, str], prefix: str, lines: list[str]) -> Iterator[Use]:
    name = _dotted(node.func, names) or (node.func.id if isinstance(node.func, ast.Name) else "")
    keywords = {key.arg or "**": _constant(key.value) for key in node.keywords}
    wanted = name in _METHODS if name.startswith(".") else _WORDS.search(name)
    if wanted or any(_WORDS.search(key) for key in keywords):
        small = _shallow(node)
        arguments = tuple(ast.unparse(part)[:200] if small else "?" for part in node.args[:3])
        written = {key.arg: ast.unparse(key.value)[:200] if small else "?" for key in node.keywords if key.arg}
        source = _line(lines, node.lineno)
        yield Use(name, f"{prefix}line {node.lineno}", node.lineno, source, keywords, arguments, written)


def _shallow(node: ast.Call) -> bool:
    """Whether the arguments are small enough to be written out."""
    return sum(1 for _ in zip(ast.walk(node), range(200), strict=False)) < 200  # noqa: PLR2004 - nodes


def _handed_on(node: ast.expr, names: Mapping[str, str], prefix: str, lines: list[str]) -> Iterator[Use]:
    name = _dotted(node, names)
    if name and not name.startswith(".") and _WORDS.search(name) and isinstance(getattr(node, "ctx", None), ast.Load):
        yield Use(name, f"{prefix}line {node.lineno}", node.lineno, _line(lines, node.lineno), called=False)


def _constants(node: ast.AST, prefix: str) -> Iterator[Assigned]:
    pairs: list[tuple[str, ast.AST]] = []
    if isinstance(node, ast.Assign):
        pairs = [(_path(target), node.value) for target in node.targets]
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        pairs = [(_path(node.target), node.value)]
    elif isinstance(node, ast.Dict):
        pairs = [(key.value, value) for key, value in zip(node.keys, node.values, strict=True)
                 if isinstance(key, ast.Constant) and isinstance(key.value, str)]  # fmt: skip
    elif isinstance(node, ast.arguments):
        every = [*node.posonlyargs, *node.args]
        pairs = [(arg.arg, value) for arg, value in zip(every[::-1], node.defaults[::-1], strict=False)]
        pairs += [(arg.arg, value) for arg, value in zip(node.kwonlyargs, node.kw_defaults, strict=True)
                  if value is not None]  # fmt: skip
    for name, value in pairs:
        if name and isinstance(value, ast.Constant) and not isinstance(value.value, (complex, type(...))):
            yield Assigned(name, value.value, f"{prefix}line {value.lineno}", value.lineno)


def _path(node: ast.AST) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return ".".join([*([node.id] if isinstance(node, ast.Name) else []), *reversed(parts)])


def _constant(node: ast.AST) -> Constant | Unknown:
    if isinstance(node, ast.Constant) and not isinstance(node.value, (complex, type(...))):
        return node.value
    return UNKNOWN


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""
