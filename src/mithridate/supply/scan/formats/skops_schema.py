"""skops `schema.json`: the classes and functions that `skops.io.load` would build.

References
----------
skops.io._persist: node types. CVE-2025-54412 (OperatorFuncNode), CVE-2025-54413 (MethodNode), CVE-2025-54886 (Card).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.callables import capability, is_inert, is_standard_library
from mithridate.supply.scan.formats.reading import clip, words
from mithridate.supply.scan.issue import Issue

_TRUSTED = words("sklearn numpy scipy xgboost lightgbm catboost imblearn quantile_forest joblib")
_FUNCTIONS = frozenset(("FunctionNode", "OperatorFuncNode", "MethodNode", "PartialNode", "ReduceNode"))
_PLAIN = words(
    "dict list tuple set frozenset str int float bool bytes bytearray slice complex type NoneType object none"
)
_KINDS = words("function builtin_function_or_method ufunc method NoneType cython_function_or_method")
_HARMLESS = words(
    "collections.OrderedDict collections.defaultdict collections.Counter datetime.datetime datetime.date "
    "datetime.timedelta "
    "datetime.timezone decimal.Decimal fractions.Fraction types.MethodType functools.partial functools.cached_property "
    "typing.Any uuid.UUID random.Random io.BytesIO"
)
_OPERATORS = words(
    "add sub mul truediv floordiv neg pos abs eq ne lt le gt ge and_ or_ not_ xor mod pow matmul itemgetter"
)
_REMEDY = "Give skops.io.load no name of this list as trusted."


def is_node(node: dict[str, Any]) -> bool:
    """The object is a node of a skops tree."""
    return isinstance(node.get("__loader__"), str) and "__class__" in node


def examine_object(node: dict[str, Any], path: str) -> Iterator[Issue]:
    """What loading this one node would import."""
    loader, name, module = node["__loader__"], str(node.get("__class__")), str(node.get("__module__"))
    dotted = f"{module}.{name}"
    place = f"{path} {loader}".strip()
    if loader == "OperatorFuncNode":
        yield from _operator(node, module, name, place)
    elif loader == "MethodNode":
        yield from _method(node, place)
    yield from _name(dotted, loader, place)
    content = node.get("content")
    if loader in {"FunctionNode", "TypeNode"} and isinstance(content, dict):
        inner = f"{content.get('module_path')}.{content.get('function')}"
        if content.get("module_path"):
            yield from _name(inner, loader, place)


def _name(dotted: str, loader: str, place: str) -> Iterator[Issue]:
    module, _, name = dotted.rpartition(".")
    if (
        name in _KINDS
        or (module == "builtins" and name in _PLAIN)
        or dotted in _HARMLESS
        or is_inert(dotted)
        or (loader == "OperatorFuncNode" and module == "operator")
    ):
        return
    harm = capability(dotted)
    top = module.partition(".")[0]
    if top in _TRUSTED and top != "joblib" and not harm:
        return
    if harm:
        claim = f"loading it gets {clip(dotted)}, which can {harm}"
        yield Issue("skops-type", Severity.CRITICAL, claim, place, remedy=_REMEDY)
    elif is_standard_library(module) or loader in _FUNCTIONS:
        yield Issue(
            "skops-type", Severity.HIGH, f"loading it gets {clip(dotted)}, which is no model", place, remedy=_REMEDY
        )
    else:
        yield Issue("skops-type", Severity.LOW, f"it needs the class {clip(dotted)} of another package", place)


def _operator(node: dict[str, Any], module: str, name: str, place: str) -> Iterator[Issue]:
    if module != "operator" or name not in _OPERATORS:
        claim = f"a node for operators gets {clip(module)}.{clip(name)} (CVE-2025-54412)"
        yield Issue("skops-operator", Severity.CRITICAL, claim, place, {"attrs": clip(node.get("attrs"), 200)}, _REMEDY)


def _method(node: dict[str, Any], place: str) -> Iterator[Issue]:
    content = node.get("content")
    if not isinstance(content, dict):
        return
    method, owner = content.get("func"), content.get("obj")
    claimed = f"{node.get('__module__')}.{node.get('__class__')}"
    real = f"{owner.get('__module__')}.{owner.get('__class__')}" if isinstance(owner, dict) else "?"
    is_known = claimed in {real, "builtins.method", "types.MethodType"} or _is_alias(claimed, real)
    if not is_known or str(method).startswith("_"):
        claim = f"a method node says {clip(claimed)} and takes {clip(method)} of {clip(real)} (CVE-2025-54413)"
        yield Issue("skops-method", Severity.HIGH, claim, place, remedy=_REMEDY)


def _is_alias(claimed: str, real: str) -> bool:
    """One class of a trusted package under two names, as `numpy.random.RandomState` is one of `numpy.random.mtrand`."""
    first, second = claimed.split("."), real.split(".")
    return first[0] in _TRUSTED and (first[0], first[-1]) == (second[0], second[-1])
