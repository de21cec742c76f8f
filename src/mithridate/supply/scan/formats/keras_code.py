"""The Python code inside a Keras Lambda: decoded, and what it uses told."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import Any

from mithridate.core.findings import Json, Severity
from mithridate.supply.scan.code_object import Code, NotCodeError, read_code
from mithridate.supply.scan.disassembly import disassembled
from mithridate.supply.scan.formats.payload_text import payload_in
from mithridate.supply.scan.formats.reading import clip, words
from mithridate.supply.scan.issue import Issue

_HARMFUL = words(
    "__import__ eval exec compile open getattr setattr globals locals vars breakpoint input __builtins__ builtins "
    "system "
    "popen Popen check_output check_call getoutput spawn subprocess os sys socket urllib request requests urlopen http "
    "urlretrieve httpx ctypes CDLL importlib import_module pickle marshal loads dill cloudpickle base64 b64decode zlib "
    "decompress codecs shutil rmtree environ getenv pty posix nt execv execve fork remove unlink tempfile "
    "get_file load_model enable_unsafe_deserialization write_file read_file py_function numpy_function py_func io "
    "pathlib Path __class__ __subclasses__ __globals__ __base__ __bases__ __mro__ __dict__ __getattribute__ __code__ "
    "webbrowser threading Thread multiprocessing asyncio platform runpy pip signal kill load_library load_op_library"
)
_OF_CLASSES = words(
    "__name__ __module__ __qualname__ __doc__ __firstlineno__ __static_attributes__ __classcell__ __file__"
)
_REMEDY = "Ask for the model without Lambda layers (a registered layer class); load it with safe_mode only."


def examine_code(text: Any, place: str) -> Iterator[Issue]:
    """The issue of one serialised function, as Keras `func_load` takes it.

    Notes
    -----
    Base64 is read as Keras reads it: characters outside the alphabet are skipped, and what is no base64 is taken as raw
    text. Code is never harmless: without a harmful name it is MEDIUM, since it runs whenever the model does.
    """
    try:
        code = read_code(_packed(text))
    except NotCodeError as error:
        claim = f"a Lambda layer holds Python code that can't be decoded: {error}"
        yield Issue("keras-lambda", Severity.HIGH, claim, place, {"code": clip(text, 400)}, _REMEDY)
        return
    facts = code_facts(code)
    if what := harm_in(code):
        yield Issue("keras-lambda", Severity.CRITICAL, f"a Lambda layer's Python code {what}", place, facts, _REMEDY)
        return
    names = dict.fromkeys(name for part in code.walk() for name in part.names)
    claim = f"a Lambda layer holds Python code (it uses {clip(', '.join(names)) or 'no names'})"
    yield Issue("keras-lambda", Severity.MEDIUM, claim, place, facts, _REMEDY)


def harm_in(code: Code, harmless: frozenset[str] = _OF_CLASSES) -> str:
    """What in the code can do harm: `uses os, system`, `holds a pickle in base64`; empty where nothing is known.

    Parameters
    ----------
    harmless : names with two underscores on both sides that the code may have.
    """
    names = [name for part in code.walk() for name in part.names]
    bad = sorted({name for name in names if name in _HARMFUL or (_is_dunder(name) and name not in harmless)})
    if bad:
        return f"uses {clip(', '.join(bad))}"
    payload = next(filter(None, (payload_in(text) for part in code.walk() for text in part.texts)), "")
    return f"holds {payload}" if payload else ""


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _packed(text: Any) -> bytes:
    raw = str(text)
    try:
        return binascii.a2b_base64(raw.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return raw.encode("raw_unicode_escape")


def code_facts(code: Code) -> dict[str, Json]:
    """Names, texts and instructions of some code, for a report."""
    parts = list(code.walk())
    version, lines = disassembled(code)
    return {
        "python": version or code.layout,
        "disassembly": [*lines],
        "names": [clip(name) for part in parts for name in part.names][:200],
        "texts": [clip(text, 200) for part in parts for text in part.texts if text][:100],
        "functions": len(parts),
    }
