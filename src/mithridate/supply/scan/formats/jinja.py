"""Jinja templates of chat models: expressions that climb out of the template, and instructions hidden in its text.

References
----------
CVE-2024-34359 (llama-cpp-python), CVE-2026-5760 (SGLang): a chat template rendered without a sandbox runs Python.
Jinja sandbox documentation: what `|attr`, `cycler`, `lipsum`, `namespace` and `self` reach.
"""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.instructions import examine_wording
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.formats.spans import between, without
from mithridate.supply.scan.issue import Issue

_LONGEST = 2 << 20
_LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)(?:'|\Z)|\"((?:[^\"\\]|\\.)*)(?:\"|\Z)", re.DOTALL)
_DUNDER = re.compile(
    r"__[a-zA-Z]\w*|\b_TemplateReference|\b(?:gi|cr|ag|tb|f)_(?:frame|code|back|globals|builtins)\b|func_globals"
)
_TREE, _MODULES = "an attribute of Python's object tree", "a way into Python's modules"
_BUILTIN, _STATEMENT = "a call of a Python builtin", "a statement that reads another template"
_HUGE = "a loop or a text too large to render"
# outside a chat template: pages include pages, playbooks put names together; only the object tree has no honest use
_ELSEWHERE: Mapping[str, Severity | None] = MappingProxyType(
    {_TREE: Severity.CRITICAL, _MODULES: Severity.MEDIUM, _BUILTIN: Severity.MEDIUM, _STATEMENT: None}
)
_RULES = (
    (re.compile(r"\|\s*attr\b|\bmap\s*\(\s*['\"]attr['\"]"), "the filter `attr`, which reaches any attribute by name"),
    (re.compile(r"\b(?:lipsum|cycler|joiner)\b"), ("a Jinja global that chat templates don't need and that leads to "
                                                  "Python's globals")),
    (re.compile(r"\bself\s*[.\[]|\b(?:request|g|session|url_for|get_flashed_messages)\s*\.\s*\w+\s*[.\[(]|"
                r"\bnamespace\s*\."),
     "an object of the template engine itself"),
    (re.compile(r"\bformat_map\b|\.\s*mro\s*\(|\bpopen\b|\bget_?attr\b\s*\(|\b(?:os|sys|subprocess|builtins|"
                r"importlib)\s*[.\[]"),
     _MODULES),
    (re.compile(r"(?<![\w.|'\"])(?:eval|exec|open|compile|__import__|breakpoint|globals|locals|vars|dir)\s*\("),
     _BUILTIN),
    (re.compile(r"^[\s\-+]*(?:include|import|from|extends)\b"), _STATEMENT),
    (re.compile(r"\|\s*(?:b64decode|pickle|shell|system|exec)\b"), "a filter that decodes or runs"),
)  # fmt: skip
_SUBSCRIPT = re.compile(r"\[([^\[\]]{1,400})\]\s*[.\[(]")
_TIED = re.compile(
    r"(?:[)\]'\"]|\b(?!(?:in|else|if|or|and|not|is|set)\b)\w+)\s*\[[^\[\]]{0,200}~[^\[\]]{0,200}\]"
    r"|(?<![\w\])])\(\s*\)\s*\||\bdict\s*\([^()]{0,200}\)\s*\||\bselect\s*\|\s*string\b"
)
_COMPUTED = re.compile(r"~|\|\s*(?:join|reverse|replace|format|string|lower|upper|urlize)\b|['\"]\s*[*%]")
_ASSEMBLED = re.compile(
    r"(?<![\w\])])\(\s*\)\s*\[|['\"]\s*\|\s*reverse\b|['\"]\s*\[\s*::\s*-1|\bdict\s*\([^()]{0,400}\)\s*\|\s*join|"
    r"['\"][^'\"]{0,80}%c"
)
_TOKENS = re.compile(r"\{[{%][^{}]{0,200}\b(?:add_generation_prompt|[be]os_token)\b")
_MESSAGES = re.compile(r"\{%[-+]?\s*(?:for|if|set)\b[^%{}]{0,200}\bmessages?\b|\{\{[^{}]{0,200}\bmessages?\s*[.\[]")
_ROLES = re.compile(r"\{[{%][^{}]{0,200}(?:\w\.|\[\s*['\"])(?:role|content)\b")
_HUGE_RANGE = re.compile(
    r"\brange\s*\(\s*(?:[^()]*,\s*)?(\d{7,}|\d+\s*\*\*\s*\d+|\d{3,}\s*\*\s*\d{4,})|\*\*\s*\d{3,}|['\"]\s*\*\s*\d{6,}"
)


def examine_template(text: str, place: str, *, chat: bool = True) -> Iterator[Issue]:
    """The issues of one template.

    Parameters
    ----------
    place : where it stands, for the report (`tokenizer.chat_template`).
    chat : it is rendered for a model, so that its wording counts, not its expressions alone. In a template of anything
        else (a web page, a playbook), what only an attack holds is grave; ordinary parts of such templates are not.

    Notes
    -----
    Reads the first 2 Mi characters, in linear time. What stands between `{{ }}` and `{% %}` is judged as code, after
    escapes in its literals are decoded and neighbouring literals are joined; comments are never rendered, so they are
    skipped.
    """
    text = without(text[:_LONGEST], "{#", "#}")
    found: dict[str, str] = {}
    for start, end in ("{{", "}}"), ("{%", "%}"):
        for begin, stop in between(text, start, end):
            code = text[begin:stop].strip("-+ \t\r\n")
            for what in _climbs(code):
                found.setdefault(what, clip(code, 300))
    for what, code in found.items():
        in_chat = Severity.HIGH if what == _HUGE else Severity.CRITICAL
        severity = in_chat if chat else _ELSEWHERE.get(what, Severity.LOW)
        if severity is not None:
            yield _issue(what, code, severity, place, chat=chat)
    if not chat:
        return
    if not found and "<html" not in text.lower() and (payload := payload_in(text)):
        yield _issue(payload, clip(text, 300), Severity.HIGH, place)
    yield from examine_wording(text, place)


def is_chat(text: str) -> bool:
    """Whether a text with Jinja in it is a chat template: it names a model's tokens, or the roles of messages.

    Examples
    --------
    >>> is_chat("{% for m in messages %}{{ m['role'] }}{% endfor %}"), is_chat("{% include 'head.html' %}")
    (True, False)
    """
    return _TOKENS.search(text) is not None or (_MESSAGES.search(text) is not None and _ROLES.search(text) is not None)


def _issue(what: str, code: str, severity: Severity, place: str, *, chat: bool = True) -> Issue:
    remedy = "Replace the template by the one of the model's authors before any server renders it."
    return Issue(
        "template-injection",
        severity,
        f"the {'chat ' * chat}template holds {what}: {clip(code, 120)}",
        place,
        {"expression": code},
        remedy if chat else "Read it before anything renders it, and render it in a sandbox.",
    )


def _climbs(code: str) -> Iterator[str]:
    """What in one expression climbs out of the template."""
    plain = _joined(code)
    bare = _LITERAL.sub("''", plain)
    if _DUNDER.search(bare) or _named_dunder(plain):
        yield _TREE
    for pattern, what in _RULES:
        if pattern.search(plain if "attr" in pattern.pattern[:12] else bare):
            yield what
    if (
        _ASSEMBLED.search(plain)
        or any(_COMPUTED.search(m.group(1)) for m in _SUBSCRIPT.finditer(plain))
        or _TIED.search(plain)
    ):
        yield "a name that is put together while it runs"
    if _HUGE_RANGE.search(bare) or _HUGE_RANGE.search(plain):
        yield _HUGE


def _joined(code: str) -> str:
    """The code with escapes in its literals decoded and neighbours joined, as Jinja joins `'__cla' ~ 'ss__'`."""
    parts: list[str] = []
    end, held = 0, None
    for match in _LITERAL.finditer(code):
        between = code[end : match.start()]
        if held is not None and between.strip() not in {"", "~", "+"}:
            parts.append(f"'{held}'")
            held = None
        if held is None:
            parts.append(between)
        held = (held or "") + _decoded(match)
        end = match.end()
    return "".join(parts) + ("" if held is None else f"'{held}'") + code[end:]


def _decoded(match: re.Match[str]) -> str:
    body = match.group(1) if match.group(1) is not None else match.group(2)
    if "\\" in body:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an escape that Python doesn't know stays as it is
                body = codecs.decode(body.encode("latin-1", "backslashreplace"), "unicode_escape")
        except UnicodeDecodeError:
            body = body.replace("\\", "")
    return body.replace("'", " ").replace('"', " ").replace("\\", " ")


def _named_dunder(plain: str) -> bool:
    """A literal that is a dunder name, or a half of one."""
    bodies = (match.group(1) or "" for match in _LITERAL.finditer(plain))
    return any(
        re.search(r"__(?:class|base|mro|subclasses|globals|builtins|import|init|dict|getattribute|self|func|code|"
                  r"module|"
                  r"call|reduce|loader|spec|name|doc|new|enter|del|weakref|wrapped)\w*", body)
        or re.fullmatch(r"__[a-z]{1,20}|[a-z]{1,20}__|_{1,2}|__[a-z]+__", body.strip())
        for body in bodies
    )  # fmt: skip
