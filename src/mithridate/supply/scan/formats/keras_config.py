"""Keras configurations (`config.json` of a `.keras` file, `model_config` of HDF5): what loading one would call.

References
----------
CVE-2024-3660 (Lambda), CVE-2025-1550 (any module and function), CVE-2025-8747 (`get_file`), CVE-2025-9905 (Lambda in
HDF5), CVE-2025-9906 (`enable_unsafe_deserialization`), CVE-2025-12058 (vocabulary paths), CVE-2025-49655 and
CVE-2026-12484 (TorchModuleWrapper), CVE-2026-1462 (TFSMLayer), CVE-2026-12479 (layer names as paths).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.callables import capability, is_standard_library
from mithridate.supply.scan.formats.keras_code import examine_code
from mithridate.supply.scan.formats.paths import leaves_the_folder
from mithridate.supply.scan.formats.reading import clip, words
from mithridate.supply.scan.issue import Issue

_FAMILY = words(
    "keras keras_core tf_keras keras_nlp keras_hub keras_cv keras_rs keras_tuner tensorflow_addons "
    "tensorflow_probability "
    "tensorflow_hub tensorflow_text tensorflow_model_optimization tensorflow tensorflow_recommenders tf_models "
    "official "
    "numpy jax ml_dtypes"
)
_PLAIN_BUILTINS = words(
    "function slice tuple list dict set int float str bool bytes type NoneType complex ellipsis range frozenset "
    "builtin_function_or_method"
)
_SWITCHES = words(
    "get_file enable_unsafe_deserialization load_model load_weights model_from_json model_from_config model_from_yaml "
    "deserialize_keras_object set_global_attribute clear_session extract_archive save_model func_load func_dump "
    "import_module load_img save_img audio_dataset_from_directory image_dataset_from_directory "
    "text_dataset_from_directory KerasFileEditor register_keras_serializable unpack_x_y_sample_weight"
)
_TOOLROOMS = re.compile(r"^(?:tf_keras|keras(?:_core)?|tensorflow(?:\.python)?\.keras)\.(?:src\.)?(?:api\.)?"
                        r"(?:utils|saving|config|models|export|backend\.common\.global_state|wrappers|tree|"
                        r"distribution)\b")  # fmt: skip
_TOOL_CLASSES = words("FeatureSpace Sequential Model Functional PyDataset Sequence CustomObjectScope")
_LOOKUPS = words("StringLookup IntegerLookup TextVectorization IndexLookup TextVectorizationV1 StringLookupV1")
_REMEDY = "Don't load it with Keras before 3.15; rebuild the model in code and load weights only."


def is_config(node: dict[str, Any]) -> bool:
    """The object names a class to be built."""
    return isinstance(node.get("class_name"), str)


def examine_object(node: dict[str, Any], path: str) -> Iterator[Issue]:
    """What building this one object would call; nested objects are examined on their own."""
    name, config = node["class_name"], node.get("config")
    base = re.split(r"[>.]", name)[-1]
    settings = config if isinstance(config, dict) else {}
    place = f"{path} {clip(settings.get('name') or name)}".strip()
    yield from _target(node, name, config, place)
    if base in {"Lambda", "__lambda__"}:
        yield from _lambda(settings, config, place)
    if base in _LOOKUPS:
        yield from _vocabulary(settings, place)
    if base == "TorchModuleWrapper":
        claim = "TorchModuleWrapper unpickles its module with torch.load while the model is built (CVE-2025-49655)"
        yield _issue("keras-unpickle", Severity.CRITICAL, claim, place)
    if base == "TFSMLayer":
        claim = f"TFSMLayer loads another SavedModel, from {clip(settings.get('filepath'))} (CVE-2026-1462)"
        yield _issue("keras-loads-model", Severity.HIGH, claim, place)
    if base == "KerasLayer" and isinstance(settings.get("handle"), str):
        yield _issue("keras-loads-model", Severity.MEDIUM, f"it loads a module from {clip(settings['handle'])}", place)
    yield from _layer_name(settings, node, place)


def _issue(code: str, severity: Severity, claim: str, place: str) -> Issue:
    return Issue(code, severity, claim, place, remedy=_REMEDY)


def _target(node: dict[str, Any], name: str, config: Any, place: str) -> Iterator[Issue]:
    """The module and the name that `deserialize_keras_object` imports and calls."""
    module = node.get("module")
    module = module if isinstance(module, str) else ""
    is_function = name == "function"
    called = config if is_function and isinstance(config, str) else name
    dotted = f"{module}.{called}" if module else called
    harm = capability(dotted) if module or is_function or "." in name else ""
    registered = node.get("registered_name")
    if not harm and isinstance(registered, str) and "." in registered and ">" not in registered:
        harm = capability(registered)
    if called in _SWITCHES and (is_function or _TOOLROOMS.match(module)):
        yield _issue("keras-gadget", Severity.CRITICAL, f"building the model calls {clip(dotted)}", place)
    elif harm and not _is_family_class(module, is_function):
        claim = f"building the model calls {clip(dotted)}, which can {harm}"
        yield _issue("keras-gadget", Severity.CRITICAL, claim, place)
    else:
        yield from _unknown(module, called, dotted, place, is_function=is_function)


def _is_family_class(module: str, is_function: bool) -> bool:  # noqa: FBT001 - a fact of the caller's, not a switch
    return not is_function and module.partition(".")[0] in _FAMILY - {"numpy", "jax"} and not _TOOLROOMS.match(module)


def _unknown(module: str, called: str, dotted: str, place: str, *, is_function: bool) -> Iterator[Issue]:
    top = module.partition(".")[0]
    if not module or (top == "builtins" and (is_function or called in _PLAIN_BUILTINS)):
        return
    if _TOOLROOMS.match(module) and called not in _TOOL_CLASSES:
        yield _issue(
            "keras-gadget", Severity.HIGH, f"building the model calls {clip(dotted)}, which is no layer", place
        )
    elif top in _FAMILY:
        return
    elif is_standard_library(module):
        yield _issue("keras-gadget", Severity.HIGH, f"building the model imports and calls {clip(dotted)}", place)
    elif is_function or called[:1].islower():
        claim = f"building the model imports {clip(module)} and calls its function {clip(called)}"
        yield _issue("keras-unknown-function", Severity.HIGH, claim, place)
    else:
        claim = f"it needs the class {clip(dotted)} of another package"
        yield _issue("keras-custom-class", Severity.LOW, claim, place)


def _lambda(settings: dict[str, Any], config: Any, place: str) -> Iterator[Issue]:
    code = settings.get("code")
    if code is not None:
        yield from examine_code(code, place)
        return
    packed = [settings.get(key) for key in ("function", "output_shape", "mask") if isinstance(settings.get(key), list)]
    texts = [value[0] for value in packed if value and isinstance(value[0], str) and len(value[0]) > 8]  # noqa: PLR2004 - shorter is no code
    for text in texts:
        yield from examine_code(text, place)
    function = settings.get("function")
    if isinstance(function, str):
        module = settings.get("module")
        dotted = (
            f"{module}.{function}" if isinstance(module, str) and module not in {"__main__", "builtins"} else function
        )
        harm = capability(dotted)
        severity = Severity.CRITICAL if harm else Severity.MEDIUM
        claim = f"a Lambda layer calls the function {clip(dotted)}" + (f", which can {harm}" if harm else "")
        yield _issue("keras-lambda", severity, claim, place)
    elif not texts and not isinstance(function, dict):
        yield _issue("keras-lambda", Severity.HIGH, f"a Lambda layer whose code is {clip(config)}", place)


def _vocabulary(settings: dict[str, Any], place: str) -> Iterator[Issue]:
    for key in ("vocabulary", "idf_weights", "input_vocabulary"):
        source = settings.get(key)
        if not isinstance(source, str) or not source:
            continue
        outside = leaves_the_folder(source)
        severity = Severity.HIGH if outside else Severity.MEDIUM
        claim = f"building the layer reads its vocabulary from {clip(source)} (CVE-2025-12058)"
        yield _issue("keras-reads-file", severity, claim, place)


def _layer_name(settings: dict[str, Any], node: dict[str, Any], place: str) -> Iterator[Issue]:
    for name in (settings.get("name"), node.get("name")):
        if isinstance(name, str) and (leaves_the_folder(name) or "\x00" in name):
            claim = f"the layer name {clip(name)} is a path out of the model's folder (CVE-2026-12479)"
            yield _issue("keras-path-name", Severity.HIGH, claim, place)
            return
