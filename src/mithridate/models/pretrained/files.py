"""The files of an optional package: found without importing it, trusted only with the hash that is pinned here."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from mithridate.core.errors import InputError, MissingExtra


def package_file(package: str, member: str, *, sha256: str, what_for: str, install: str) -> Path:
    """A member of an installed package whose bytes are the pinned ones; the package's own code doesn't run.

    Raises
    ------
    MissingExtra : the package isn't installed; the message has the line that installs it.
    InputError : the member is missing, or isn't what was pinned.
    """
    found = find_spec(package)
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    if not folders:
        raise MissingExtra(package, "", what_for, install=install)
    path = Path(folders[0]) / member
    if not path.is_file():
        raise InputError(f"the package {package} has no file {member}; install it again: {install}")
    with path.open("rb") as stream:
        found_hash = hashlib.file_digest(stream, "sha256").hexdigest()
    if found_hash != sha256:
        raise InputError(
            f"{path.name} of {package} has sha256 {found_hash[:12]}..., not the pinned {sha256[:12]}...: another "
            f"version, or altered; install it again: {install}"
        )
    return path
