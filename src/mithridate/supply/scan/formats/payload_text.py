"""Text that runs if something evaluates it: Python that executes, pickles in base64, scripts for a page."""

from __future__ import annotations

import base64
import binascii
import re

from mithridate.supply.scan.formats.searched import Searched

_PATTERNS = (
    Searched(("__import__", "import_module"), re.compile(r"__import__\s*\(|\bimportlib\s*\.\s*import_module\s*\("),
             "Python code that imports"),
    Searched(("os",), re.compile(r"\bos\s*\.\s*(?:system|popen|exec[lv]\w*|"
                                 r"spawn\w+)\s*\("), "Python code that runs a command"),
    Searched(("subprocess",), re.compile(r"\bsubprocess\s*\.\s*(?:run|call|Popen|check_\w+|getoutput|"
                                         r"getstatusoutput)\s*\("),
             "Python code that runs a command"),
    Searched(("eval", "exec"), re.compile(r"\b(?:eval|exec)\s*\(\s*(?:compile|base64|bytes|codecs|zlib|marshal|open|"
                                          r"requests|urllib|__|"
                                          r"\w+\.b64|input|'|\")"), "Python code that evaluates text"),
    Searched(("pickle", "dill", "marshal", "joblib"),
             re.compile(r"\b(?:pickle|cPickle|dill|cloudpickle|marshal|"
                        r"joblib)\s*\.\s*loads?\s*\("), "Python code that unpickles"),
    Searched(("__",), re.compile(r"(?:\.|\[\s*['\"]|attr\(\s*['\"])__(?:class|subclasses|globals|builtins|mro|base|"
                                 r"bases)__"),
             "a walk through Python's object tree"),
    Searched(("<script", "javascript:", "onerror", "onload"),
             re.compile(r"<script\b|javascript:|\bonerror\s*=|\bonload\s*=", re.IGNORECASE), "a script for a page"),
    Searched(("curl", "wget"), re.compile(r"\b(?:curl|wget)\b[^\n|;&]{0,300}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"),
             "a download piped into a shell"),
    Searched(("/dev/tcp/", "nc -", "bash -i", "powershell"),
             re.compile(r"/dev/tcp/|\bnc -\w*e\b|\bbash -i\b|"
                        r"powershell(?:\.exe)?\s+-e", re.IGNORECASE), "a remote shell"),
)  # fmt: skip
_PACKED = ("gAJ", "gAM", "gAQ", "gASV", "gAWV", "4wEAAAA", "4QEAAAA")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])(?:gA[JMQ]|gASV|gAWV|4[wQ]EAAAA)[A-Za-z0-9+/_-]{12,}={0,2}")
_LONGEST = 16 << 20


def payload_in(text: str) -> str:
    """What dangerous thing the text holds, in words, or the empty string.

    Notes
    -----
    Linear in the text, of which the first 16 Mi characters are read. Base64 counts only when it decodes to a pickle's
    or a code object's first and last bytes.
    """
    text = text[:_LONGEST]
    lowered = text.lower()
    for entry in _PATTERNS:
        if entry.find(text, lowered):
            return entry.what
    if not any(start in text for start in _PACKED):
        return ""
    for match in _BASE64.finditer(text):
        if found := packed_code(match.group()):
            return found
    return ""


def packed_code(text: str) -> str:
    """What a base64 text decodes to: `a pickle in base64`, `a code object in base64`, or nothing."""
    try:
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return ""
    if raw[:1] == b"\x80" and raw[1:2] in b"\x02\x03\x04\x05" and raw[-1:] == b".":
        return "a pickle in base64"
    if raw[:1] in {b"\xe3", b"\xe4"} and raw[1:5] in {b"\x01\x00\x00\x00", b"\x00\x00\x00\x00", b"\x02\x00\x00\x00"}:
        return "a code object in base64"
    return ""
