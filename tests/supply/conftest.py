"""What several tests of this folder need: a fresh PKCS#11 token."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MODULES = [Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib64/pkcs11/libsofthsm2.so")]
MODULE = next((path for path in MODULES if path.exists()), None)


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a fresh token `mithridate` and its PIN."""
    pytest.importorskip("pkcs11", reason="needs python-pkcs11")
    if MODULE is None or shutil.which("softhsm2-util") is None:
        pytest.skip("needs SoftHSM2 (Debian: softhsm2)")
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    (folder / "pin").write_text("1234\n")
    (folder / "module").write_text(str(MODULE))
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
    made = ["softhsm2-util", "--init-token", "--free", "--label", "mithridate", "--pin", "1234", "--so-pin", "5678"]
    subprocess.run(made, check=True, capture_output=True)
    yield folder
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before
