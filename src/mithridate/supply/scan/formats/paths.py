"""Paths inside files: whether a loader that joins one to its folder would leave that folder."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*://|^(?:file|data|ftp|http|https|s3|gs|smb):", re.IGNORECASE)
_DRIVE = re.compile(r"^[A-Za-z]:(?:[\\/]|[^\\/:]*\.\.)")


def leaves_the_folder(path: str) -> bool:
    r"""Absolute on any system, with a `..` part, with a scheme, a home (`~`), a variable, or a NUL byte.

    Examples
    --------
    >>> [leaves_the_folder(path) for path in ("weights.bin", "a/../../b", "/etc/passwd", "http://h/x", "a..b")]
    [False, True, True, True, False]
    """
    if path.startswith(("/", "\\", "~")) or "\x00" in path or _DRIVE.match(path) or _SCHEME.match(path):
        return True
    parts = re.split(r"[\\/]", path)
    return any(part.strip() == ".." for part in parts) or (path.startswith(("$", "%")) and len(parts) > 1)
