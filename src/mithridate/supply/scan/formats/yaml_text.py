"""YAML read as text: tags that construct objects, and hydra targets; nothing is parsed.

References
----------
PyYAML, `yaml.unsafe_load` and the `python/` tags; CVE-2017-18342, CVE-2020-1747, CVE-2020-14343 (loaders thought safe).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from urllib.parse import unquote

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.callables import capability, is_standard_library
from mithridate.supply.scan.formats.reading import clip
from mithridate.supply.scan.formats.targets import FINDERS, examine_target
from mithridate.supply.scan.issue import Issue

_COMMENT_LINE = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
_DIRECTIVE = re.compile(r"^%TAG[ \t]+(!\w*!?)[ \t]+(\S{1,300})", re.MULTILINE)
_TAG = re.compile(r"!(?:<[^>\s]{1,300}>|[\w\-]*!?[^\s,\[\]{}\"'`]{1,300})")
_ANCHOR = re.compile(r"&[^\s,\[\]{}]{1,100}\Z")
_TARGET = re.compile(r"[\"']?(?<![\w\-])(_target_|__target__|class_path|target)[\"']?[ \t]*(?::|\n[ \t]*:)[ "
                     r"\t\n]*(?:[>|"
                     r"][\-+\d]{0,3}[ \t]*\n[ \t]*)?(?:!!?\w+[ \t]+)?(?:&\w+[ \t]+)?"
                     r"[\"']?([A-Za-z_$][\w.:${}\-]{0,300})")  # fmt: skip
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_LOADER_MODULE = re.compile(r"^[ \t]*loader_module[ \t]*:[ \t]*[\"']?([\w.]{1,200})", re.MULTILINE)
_INERT = re.compile(
    r"^python/(?:tuple|none|bool|bytes|str|unicode|int|long|float|complex|list|dict)$|"
    r"^python/(?:object(?:/apply|/new)?|name):(?:numpy\.(?:dtype|core\.multiarray\.(?:scalar|_reconstruct)|"
    r"_core\.multiarray\.(?:scalar|_reconstruct)|ndarray|"
    r"float\d+|int\d+|uint\d+|bool_?)|collections\.(?:OrderedDict|defaultdict|Counter)|pathlib\.\w+|datetime\.\w+|"
    r"uuid\.UUID|decimal\.Decimal|fractions\.Fraction|"
    r"argparse\.Namespace|easydict\.EasyDict|yacs\.config\.CfgNode|omegaconf\.\w+\.\w+|torch\.(?:Size|device|dtype)|"
    r"enum\.\w+)$"
)
_ALIAS = re.compile(r"(?<![^\s,\[{:-])([&*])([A-Za-z_][\w-]{0,60})(?![^\s,\]}])")
_MODEL_CODE = re.compile(r"^[ \t]*model_code_path[ \t]*:[ \t]*[\"']?([^\s\"'#]{1,300})", re.MULTILINE)
_PATH = re.compile(r"\bpath[\"']?[ \t]*:[ \t]*[\"']?([\w.:]{1,200})")
_NEAR = 400  # characters between a target and the path beside it
_FEW_ALIASES, _LARGEST = 3, 1_000_000
_SMALL_YAML = "Load it with a limit on aliases, or not at all."
_MOST_TAGS, _MOST_TARGETS = 500, 50_000
_CORE = frozenset(
    [
        "null",
        "bool",
        "int",
        "float",
        "str",
        "seq",
        "map",
        "set",
        "omap",
        "pairs",
        "binary",
        "timestamp",
        "merge",
        "value",
        "yaml",
    ]
)
_REMEDY = "Load it with yaml.safe_load only."
_FENCE = re.compile(r"^(?:```|~~~)", re.MULTILINE)


def examine_yaml(text: str) -> Iterator[Issue]:
    """Tags where YAML would see one, and `_target_` entries, in linear time.

    Notes
    -----
    Lines that are comments are skipped. A tag between code fences of a Markdown text, where YAML would fail, is MEDIUM.
    """
    if (
        "!" in text
        or "target" in text
        or "class_path" in text
        or "\\" in text
        or "loader_module" in text
        or "model_code" in text
    ):
        text = _COMMENT_LINE.sub("", text)
        plain = _ESCAPE.sub(_character, text) if "\\" in text else text
        yield from _tags(text)
        yield from _targets(plain)
    if text.count("*") >= _FEW_ALIASES <= text.count("&"):
        yield from _aliases(text)


def _aliases(text: str) -> Iterator[Issue]:
    """Anchors that hold aliases that hold aliases: what they come to when a program writes or walks them."""
    sizes: dict[str, int] = {}
    current = ""
    for match in _ALIAS.finditer(text):
        mark, name = match.group(1), match.group(2)
        if mark == "&":
            current = name
            sizes[current] = 1
        elif name != current and current in sizes:
            sizes[current] = min(_LARGEST, sizes[current] + sizes.get(name, 0))
            if sizes[current] == _LARGEST:
                claim = f"its aliases stand for more than {_LARGEST:,} values"
                yield Issue("alias-bomb", Severity.HIGH, claim, f"anchor {clip(current)}", remedy=_SMALL_YAML)
                return


def _character(match: re.Match[str]) -> str:
    try:
        return codecs.decode(match.group(), "unicode_escape")
    except UnicodeDecodeError:
        return match.group()


def _targets(text: str) -> Iterator[Issue]:
    seen: set[str] = set()
    for match in _TARGET.finditer(text):
        if match.group(1) in {"target", "class_path"} and not _DOTTED.fullmatch(match.group(2)):
            continue
        if (match.group(2) not in seen or match.group(2) in FINDERS) and len(seen) < _MOST_TARGETS:
            seen.add(match.group(2))
            for target in _found_near(text, match) or [match.group(2)]:
                yield from examine_target(target, f"character {match.start()}")
    for match in _LOADER_MODULE.finditer(text):
        if not match.group(1).startswith(("mlflow.", "mlflow")):
            claim = f"MLflow imports {clip(match.group(1))} to load the model"
            yield Issue("config-target", Severity.HIGH, claim, f"character {match.start()}")
    for match in _MODEL_CODE.finditer(text):
        claim = f"MLflow runs {clip(match.group(1))} to load the model"
        yield Issue(
            "config-target", Severity.MEDIUM, claim, f"character {match.start()}", remedy="Read that file first."
        )


def _found_near(text: str, match: re.Match[str]) -> list[str]:
    """What Hydra's finders (`hydra.utils.get_method`) may be told to find; empty for any other target."""
    if match.group(2) not in FINDERS:
        return []
    return _PATH.findall(text[max(0, match.start() - _NEAR) : match.end() + _NEAR])


def _tags(text: str) -> Iterator[Issue]:
    handles = {match.group(1): match.group(2) for match in _DIRECTIVE.finditer(text)}
    seen: set[str] = set()
    for match in _TAG.finditer(text):
        tag = _resolved(match.group(), handles)
        if tag in seen or not _starts_a_node(text[max(0, match.start() - 256) : match.start()]):
            continue
        seen.add(tag)
        if len(seen) > _MOST_TAGS:
            return
        place = f"character {match.start()}"
        for issue in _judge(tag, place):
            if issue.severity > Severity.MEDIUM and len(_FENCE.findall(text[: match.start()])) % 2:
                yield Issue(issue.code, Severity.MEDIUM, f"{issue.claim}, in an example", place)
            else:
                yield issue


def _starts_a_node(before: str) -> bool:
    """YAML reads a tag here: at a line's start, behind a dash, a colon, a bracket or a comma, or behind an anchor."""
    close = before.rstrip(" \t")
    if anchor := _ANCHOR.search(close):
        before, close = close[: anchor.start()], close[: anchor.start()].rstrip(" \t")
    return not close or close[-1] in "\n\r,[{" or (close[-1] in ":-?" and len(close) < len(before))


def _resolved(tag: str, handles: dict[str, str]) -> str:
    """`!!python/name:x`, `!<tag:yaml.org,2002:python/name:x>` and `!y!name:x` as `python/name:x`."""
    if tag.startswith("!<"):
        whole = tag[2:-1]
    else:
        handle = next((h for h in sorted(handles, key=len, reverse=True) if tag.startswith(h)), "")
        if handle:
            whole = handles[handle] + tag[len(handle) :]
        else:
            whole = "tag:yaml.org,2002:" + tag[2:] if tag.startswith("!!") else tag
    return unquote(whole).removeprefix("tag:yaml.org,2002:")


def _judge(tag: str, place: str) -> Iterator[Issue]:
    if tag.startswith("python/"):
        if not _INERT.match(tag):
            yield from _python(tag, place)
    elif tag.lstrip("!").startswith(
        ("ruby/", "java", "perl/", "php/", "com.sun", "org.apache", "javax.", "js/function")
    ):
        yield Issue(
            "yaml-tag", Severity.HIGH, f"the tag {clip(tag)} builds an object of a program", place, remedy=_REMEDY
        )
    elif not tag.startswith("!") and tag not in _CORE:
        yield Issue("yaml-tag", Severity.LOW, f"the tag {clip(tag)} is not YAML's own", place)


def _python(tag: str, place: str) -> Iterator[Issue]:
    kind, _, target = tag.partition(":")
    harm = capability(target)
    if harm and target:
        claim = f"the tag {clip(tag)} gets what can {harm}"
        yield Issue("yaml-tag", Severity.CRITICAL, claim, place, remedy=_REMEDY)
    elif kind == "python/name" and not is_standard_library(target):
        yield Issue("yaml-tag", Severity.LOW, f"the tag {clip(tag)} imports a name", place, remedy=_REMEDY)
    else:
        verb = "calls a function" if "apply" in kind or "new" in kind else "builds an object or imports a module"
        yield Issue("yaml-tag", Severity.HIGH, f"the tag {clip(tag)} {verb} while it loads", place, remedy=_REMEDY)
