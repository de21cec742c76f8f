"""Python read by `ast` and never run: which calls a file makes, by the names that its imports give them."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from mithridate.supply.posture.names import UNKNOWN, Constant, Names, Unknown, names_of

# what any check looks for: a file without one of the first isn't parsed, a call without one of the second isn't kept
_MARKS = ("pickle", "Pickle", "joblib", "dill", "shelve", "yaml", "trust_re", "trust-re", "TRUST_REMOTE",
          "0.0.0.0",  # noqa: S104 - looked for
          "dangerous", "safe_mode", "unsafe", "hub.load", "gradio", "ServerApp", "NotebookApp", "marshal",
          "insecure_port", "weights_only", "from_pretrained", "hf_hub_download", "snapshot_download",
          "load_dataset", "HTTPServer", "TCPServer", "skops", "flask", "gunicorn")  # fmt: skip
_BY_PLACE = re.compile(r"\bload\([^()\n]*,\s*True\b")  # numpy.load(path, None, True)
_LOADS = re.compile(
    r"\.load\b|\bload\s*[,()]|\b(?:load\s+as|import\s+load)\b|[\"']load[\"']|load_state_dict_from_url|load_url"
)
_WORDS = re.compile(
    r"^numpy\.load$|pickle|Pickle|joblib|torch\.(?:load|hub|serialization|utils\.model_zoo)|dill|shelve|yaml|trust[-_]re|dangerous|safe_mode|unsafe|"
    r"marshal|weights_only|^ray\.init|^uvicorn\.|^http\.server|(?:HTTP|TCP|UDP)Server$|^skops\.io\.load|\.run_simple$|from_pretrained|hf_hub_download|snapshot_download|load_dataset$"
)
_METHODS = {".run", ".launch", ".add_insecure_port", ".run_server"}  # of objects of no known class: a server's, perhaps
_NAMED_FIRST = {".setdefault", ".add_argument"}  # what they are about is their first argument
_PARTIAL = {"functools.partial", "functools.partialmethod", "partial", ".partial"}
_ASKS = re.compile(
    r"(?:^|\.)(?:signature|getsource|isinstance|hasattr|callable|getfullargspec|patch|wraps|issubclass)$"
)
_EVERY = re.compile(r"""["'](?:[\w ./-]*[ =/])?(?:0\.0\.0\.0|::)["':]|--bind_all|\[::\]""")
_OPENS = re.compile(r"0\.0\.0\.0|[\"']::|\[::|bind_all")
_SHELL = re.compile(r"(?m)^([ \t]*)[%!?](?:[^\n]*\\\n)*[^\n]*$")
_TAKEN = re.compile(r"(?m)^([ \t]*[\w, ]+=[ \t]*)[%!][^\n]*$")  # files = !ls
_HELP = re.compile(r"(?m)^[\w.]+\?{1,2}[ \t]*$")
_FAILS = (SyntaxError, ValueError, RecursionError, MemoryError)


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
    """What one file does: uses, named constants, the packages it imports; `unread` cells are no Python 3."""

    uses: tuple[Use, ...]
    assigned: tuple[Assigned, ...]
    imports: frozenset[str]
    unread: int = 0


def python(source: str) -> Module | None:
    """The module; None when it isn't Python 3."""
    loads = ("torch" in source and _LOADS.search(source)) or _BY_PLACE.search(source)
    if not loads and not any(mark in source for mark in _MARKS):
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
    return "\n".join(code for _, code in code_cells(source))


def code_cells(source: str) -> list[tuple[int, str]]:
    """The code of a notebook's cells, each with its 1-based number; empty when it isn't one."""
    try:
        raw: Any = json.loads(source)
        cells = enumerate(raw["cells"], 1)
        return [(number, _source(cell)) for number, cell in cells if cell.get("cell_type") == "code"]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return []


def _source(cell: Mapping[str, Any]) -> str:
    body = cell.get("source", "")
    return "".join(part for part in body if isinstance(part, str)) if isinstance(body, list) else str(body)


def _plain(body: str) -> str:
    """The cell as Python: magic and shell lines become `pass`; a cell of another language becomes nothing."""
    first = next((line for line in body.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    if first.lstrip().startswith("%%") and not first.lstrip().startswith(("%%time", "%%capture")):
        return ""
    body = _SHELL.sub(lambda match: f"{match[1]}pass" + "\n" * match[0].count("\n"), body)
    return _HELP.sub("pass", _TAKEN.sub(r"\1None", body))


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
    nodes = [(prefix, lines, node) for prefix, lines, tree in trees for node in _every(tree)]
    opens = any(_OPENS.search(body) for _, body in parts)
    names = replace(names_of(node for _, _, node in nodes), opens=opens)
    known = {id(node) for _, _, parent in nodes for node in _named(parent, names)}
    uses: list[Use] = []
    assigned: list[Assigned] = []
    for prefix, lines, node in nodes:
        if isinstance(node, ast.Call):
            uses += _call(node, names, prefix, lines)
        elif isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in known:
            uses += _handed_on(node, names, prefix, lines)
        else:
            assigned += _constants(node, prefix)
    imports = frozenset(name.partition(".")[0] for name in names.imported.values())
    return Module(tuple(uses), tuple(assigned), imports, len(parts) - len(trees))


def _every(tree: ast.AST) -> list[ast.AST]:
    """What `ast.walk` gives, in its order, in a third of its time: nobody needs the fields' names."""
    found = [tree]
    for node in found:  # grows as it goes
        for value in vars(node).values():
            if isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                found.append(value)
    return found


def _named(node: ast.AST, names: Names) -> list[ast.expr]:
    """What the node calls, inherits from, asks about or gives a second name: no mere mention."""
    if isinstance(node, ast.ClassDef):
        return node.bases
    if isinstance(node, ast.Attribute):
        return [node.value]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in names.imported:
        alias = names.imported[node.targets[0].id]
        return [node.value] if alias in {"torch.load", "torch.serialization.load"} or alias.startswith("yaml.") else []
    return _called(node, names) if isinstance(node, ast.Call) else []


def _called(node: ast.Call, names: Names) -> list[ast.expr]:
    """The function, and the arguments that are functions or questions themselves."""
    name = names.dotted(node.func) or (node.func.id if isinstance(node.func, ast.Name) else "")
    if name in _PARTIAL:
        return [node.func, *node.args[:1]]
    return [node.func, *node.args] if _ASKS.search(name) else [node.func]


def _call(node: ast.Call, names: Names, prefix: str, lines: list[str]) -> Iterator[Use]:
    name = names.dotted(node.func) or (node.func.id if isinstance(node.func, ast.Name) else "")
    given = node.args
    if name in _PARTIAL and given:
        name, given = names.dotted(given[0]) or name, given[1:]
    keys = names.keywords(node)
    keywords = {key: UNKNOWN if value is None else names.constant(value) for key, value in keys.items()}
    if name in _NAMED_FIRST and given and isinstance(given[0], ast.Constant):
        keywords.setdefault("", given[0].value if isinstance(given[0].value, str) else UNKNOWN)
    wanted = name in _METHODS if name.startswith(".") else _is_looked_for(name)
    wanted = wanted or any(map(_is_looked_for, keywords)) or _is_looked_for(str(keywords.get("", "")))
    if not (wanted or names.opens):
        return
    small = _shallow(node)
    arguments = tuple(_written(part, names) if small else "?" for part in given[:3])
    written = {key: _written(value, names) if small else "?" for key, value in keys.items() if value is not None}
    if wanted or any(map(_EVERY.search, (*arguments, *written.values()))):
        yield Use(
            name, f"{prefix}line {node.lineno}", node.lineno, _line(lines, node.lineno), keywords, arguments, written
        )


@lru_cache(1 << 14)
def _is_looked_for(name: str) -> bool:
    return bool(_WORDS.search(name))


def _written(node: ast.expr, names: Names) -> str:
    """The source of an argument, names that stand for something replaced by it."""
    value = names.constant(node)
    if not isinstance(value, Unknown):
        return repr(value)[:200]
    whole = names.dotted(node) if isinstance(node, (ast.Name, ast.Attribute)) else None
    return (whole if whole and not whole.startswith(".") else ast.unparse(node))[:200]


def _shallow(node: ast.Call) -> bool:
    """Whether the arguments are small enough to be written out."""
    return sum(1 for _ in zip(ast.walk(node), range(200), strict=False)) < 200  # noqa: PLR2004 - nodes


def _handed_on(node: ast.expr, names: Names, prefix: str, lines: list[str]) -> Iterator[Use]:
    name = names.dotted(node)
    if name and not name.startswith(".") and _is_looked_for(name) and isinstance(getattr(node, "ctx", None), ast.Load):
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


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""
