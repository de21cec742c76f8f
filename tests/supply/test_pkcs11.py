"""A key on a PKCS#11 token, tried on SoftHSM2 where that is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mithridate.core.errors import InputError, Refused
from mithridate.supply.sealing import sealed as sealing
from mithridate.supply.sealing.kms import KmsKey
from mithridate.supply.sealing.pkcs11 import Pkcs11Kms
from mithridate.supply.token import TokenKey


def address(folder: Path, key: str = "seal", pin: str = "pin") -> str:
    module = (folder / "module").read_text()
    return f"pkcs11:token=mithridate;object={key}?module-path={module}&pin-source=file:{folder / pin}"


def test_a_file_sealed_for_the_token_opens_by_the_token_alone(token: Path, tmp_path: Path) -> None:
    ours, other = Pkcs11Kms.parse(address(token)), Pkcs11Kms.parse(address(token, "other"))
    with pytest.raises(InputError, match="no AES key"):
        ours.wrap(bytes(32), b"")
    ours.create_key()
    other.create_key()
    with pytest.raises(InputError, match="already"):
        ours.create_key()
    (tmp_path / "plain").write_bytes(b"content")
    sealing.seal(tmp_path / "plain", tmp_path / "s", [KmsKey(ours)])
    sealing.open_sealed(tmp_path / "s", tmp_path / "opened", [KmsKey(ours)])
    assert (tmp_path / "opened").read_bytes() == b"content"
    with pytest.raises(Refused):
        sealing.SealedFile(tmp_path / "s", KmsKey(other))
    wrapped = ours.wrap(bytes(32), b"context")
    for bad, context in ((wrapped, b"other"), (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"context"), (b"", b"context")):
        with pytest.raises(Refused):
            ours.unwrap(bad, context)
    (token / "bad").write_text("9999")
    with pytest.raises(InputError, match="PinIncorrect"):
        Pkcs11Kms.parse(address(token, pin="bad")).wrap(bytes(32), b"")


@pytest.mark.parametrize("uri", ["pkcs11:", "pkcs11:token=a;object=b", "pkcs11:token=a?module-path=x&pin-source=y"])
def test_an_address_that_lacks_a_part_says_which(uri: str) -> None:
    with pytest.raises(InputError, match="lacks"):
        Pkcs11Kms.parse(uri)


def test_an_address_is_read_as_the_standard_says() -> None:
    found = TokenKey.parse("pkcs11:object=my%20key;token=a%3Bb?pin-source=file:/p&module-path=/lib/x.so")
    assert found == TokenKey("a;b", "my key", Path("/lib/x.so"), Path("/p"))
    assert found.name == "pkcs11:token=a;b;object=my key"
