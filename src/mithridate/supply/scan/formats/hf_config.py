"""Hugging Face configurations: what makes a loader import code, fetch a repository, or render a template.

References
----------
transformers, `auto_map` and `trust_remote_code`; CVE-2025-66448 (vLLM loads `auto_map` without being asked),
CVE-2024-3568 and others; sentence-transformers `modules.json`; PEFT `auto_mapping`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.callables import capability, is_standard_library
from mithridate.supply.scan.formats.jinja import examine_template
from mithridate.supply.scan.formats.paths import leaves_the_folder
from mithridate.supply.scan.formats.reading import clip, words
from mithridate.supply.scan.issue import Issue

_TEMPLATES = ("chat_template", "default_chat_template", "prompt_template", "template")
_LOCAL_CLASS = re.compile(r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$")
_TRUST = "Read the code that it names, pin the revision, and set trust_remote_code only then."
_LIBRARIES = words(
    "transformers sentence_transformers diffusers peft timm torch setfit span_marker tokenizers model2vec "
    "sparse_encoder "
    "pylate adapters keras flair"
)
_PIPELINES = _LIBRARIES | words(
    "onnxruntime optimum flax stable_diffusion stable_diffusion_xl stable_diffusion_safe deepfloyd_if kandinsky "
    "kandinsky2_2 wuerstchen stable_cascade audioldm audioldm2 paint_by_example latent_diffusion unidiffuser shap_e "
    "spectrogram_diffusion alt_diffusion versatile_diffusion semantic_stable_diffusion blip_diffusion musicldm ltx "
    "pag controlnet k_diffusion timm"
)


def examine_object(node: dict[str, Any], path: str) -> Iterator[Issue]:
    """What this one object of a configuration makes a loader do."""
    if "auto_map" in node:
        yield from _auto_map(node["auto_map"], path)
    if node.get("trust_remote_code") is True:
        claim = "it switches trust_remote_code on, so a loader that obeys runs the repository's code"
        yield Issue("remote-code", Severity.HIGH, claim, path, remedy=_TRUST)
    for key in _TEMPLATES:
        yield from _template(node.get(key), f"{path}/{key}")
    for key in ("_attn_implementation", "attn_implementation", "_attn_implementation_internal", "custom_pipeline"):
        value = node.get(key)
        if isinstance(value, str) and ("/" in value or value.endswith(".py")):
            yield Issue("remote-code", Severity.HIGH, f"{key} loads code from {clip(value)}", path, remedy=_TRUST)
    yield from _named_classes(node, path)


def _auto_map(value: Any, path: str) -> Iterator[Issue]:
    entries = value.items() if isinstance(value, dict) else [("", value)]
    named = [(str(key), item) for key, items in entries for item in (items if isinstance(items, list) else [items])]
    foreign = [(key, item) for key, item in named if isinstance(item, str) and not _LOCAL_CLASS.match(item)]
    for key, item in foreign[:5]:
        claim = f"auto_map takes {clip(key)} from another repository or path, {clip(item)} (CVE-2025-66448)"
        yield Issue("remote-code", Severity.HIGH, claim, f"{path}/auto_map", remedy=_TRUST)
    local = sorted({clip(item) for _, item in named if isinstance(item, str) and _LOCAL_CLASS.match(item)})
    if local:
        claim = f"loading it with trust_remote_code runs Python beside it: {clip(', '.join(local), 120)}"
        yield Issue("remote-code", Severity.MEDIUM, claim, f"{path}/auto_map", {"classes": local[:50]}, _TRUST)


def _template(value: Any, place: str) -> Iterator[Issue]:
    """A template, or a list of named ones."""
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        yield from examine_template(value, place)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            text = entry.get("template") if isinstance(entry, dict) else entry
            if isinstance(text, str) and ("template" not in (entry if isinstance(entry, dict) else {})):
                yield from examine_template(text, f"{place}/{number}")
    elif isinstance(value, dict):
        for key, text in value.items():
            if isinstance(text, str) and key not in _TEMPLATES:
                yield from examine_template(text, f"{place}/{clip(key)}")


def _named_classes(node: dict[str, Any], path: str) -> Iterator[Issue]:
    """Dotted names that sentence-transformers, PEFT and diffusers import."""
    kind = node.get("type")
    if isinstance(kind, str) and "." in kind and {"idx", "path"} <= node.keys():
        yield from _imported(kind, f"{path}/type")
    mapping = node.get("auto_mapping")
    if isinstance(mapping, dict) and isinstance(library := mapping.get("parent_library"), str):
        yield from _imported(f"{library}.{mapping.get('base_model_class')}", f"{path}/auto_mapping")
    pipelines = node.get("custom_pipelines")
    if isinstance(pipelines, dict) and pipelines:
        yield Issue(
            "remote-code",
            Severity.MEDIUM,
            f"it brings pipelines of its own: {clip(', '.join(pipelines))}",
            path,
            remedy=_TRUST,
        )
    yield from _components(node, path)
    weights = node.get("weight_map")
    if isinstance(weights, dict):
        for target in {item for item in weights.values() if isinstance(item, str) and leaves_the_folder(item)}:
            yield Issue(
                "path-traversal", Severity.HIGH, f"weights are read from {clip(target)}, outside the folder", path
            )


def _components(node: dict[str, Any], path: str) -> Iterator[Issue]:
    """The parts of a diffusers pipeline: [library, class], where any other library is a file of the repository."""
    if "_class_name" not in node or ("_diffusers_version" not in node and not isinstance(node["_class_name"], list)):
        return
    for key, value in node.items():
        if not (isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)):  # noqa: PLR2004 - a pair
            continue
        library, name = value
        if key == "_class_name" or (name[:1].isupper() and library.partition(".")[0] not in _PIPELINES):
            claim = f"loading it with trust_remote_code runs Python beside it: {clip(f'{library}.{name}')}"
            yield Issue("remote-code", Severity.MEDIUM, claim, f"{path}/{clip(key)}", remedy=_TRUST)


def _imported(dotted: str, place: str) -> Iterator[Issue]:
    top = dotted.partition(".")[0]
    if top in _LIBRARIES and not capability(dotted):
        return
    harm = capability(dotted)
    severity = Severity.CRITICAL if harm else Severity.HIGH if is_standard_library(dotted) else Severity.MEDIUM
    claim = f"loading it imports {clip(dotted)}" + (f", which can {harm}" if harm else "")
    yield Issue("remote-code", severity, claim, place, remedy=_TRUST)
