"""Signatures made on a PKCS#11 token hold with the exported public key, and elsewhere; tried on SoftHSM2."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mithridate.cli import main
from mithridate.core.errors import InputError
from mithridate.supply.signing import pkcs11 as ours
from mithridate.supply.signing.keys import PublicKey, load_public
from mithridate.supply.signing.pkcs11 import Pkcs11Signer


def address(folder: Path, key: str, pin: str = "pin") -> str:
    module = (folder / "module").read_text()
    return f"pkcs11:token=mithridate;object={key}?module-path={module}&pin-source=file:{folder / pin}"


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)


@pytest.mark.parametrize("algorithm", ["p256", "ed25519"])
def test_what_the_token_signed_holds_with_the_exported_key(algorithm: str, token: Path, tmp_path: Path) -> None:
    key, public = address(token, f"sign-{algorithm}"), str(tmp_path / "k.pub")
    assert run("keygen", "--token", key, "-o", public, "--algorithm", algorithm) == 0
    assert run("keygen", "--token", key, "-o", str(tmp_path / "again.pub")) == 0
    assert (tmp_path / "again.pub").read_bytes() == (tmp_path / "k.pub").read_bytes()
    assert load_public(public).algorithm == algorithm
    model = tmp_path / "model"
    model.mkdir()
    (model / "w.bin").write_bytes(b"weights")
    signature = str(tmp_path / "model.sig")
    assert run("sign", str(model), "--key", key, "-o", signature) == 0
    assert run("verify", str(model), "--signature", signature, "--key", public) == 0
    if algorithm == "p256":
        theirs = pytest.importorskip("model_signing.verifying")
        theirs.Config().use_elliptic_key_verifier(public_key=Path(public)).verify(model, Path(signature))
    (model / "w.bin").write_bytes(b"other")
    assert run("verify", str(model), "--signature", signature, "--key", public) == 1


def test_what_a_token_can_not_do_is_one_line(
    token: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (token / "wrong").write_text("9999")
    for key, said in (
        (address(token, "nothing"), "no public key nothing"), (address(token, "x", "wrong"), "PinIncorrect"),
        (address(token, "x", "none"), "PIN file"), ("pkcs11:object=x", "lacks token"),
        (address(token, "x").replace("libsofthsm2", "nolib"), "can't open the token"),
    ):  # fmt: skip
        assert run("sign", str(tmp_path / "f"), "--key", key, "-o", str(tmp_path / "s")) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
        assert "1234" not in err
    assert not (tmp_path / "s").exists()
    signer = Pkcs11Signer.parse(address(token, "pair"))
    signer.create_key("p256")
    with pytest.raises(InputError, match="already"):
        signer.create_key("ed25519")
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    monkeypatch.setattr(ours, "_public", lambda *_: PublicKey(_pem(stranger), "p256"))
    with pytest.raises(InputError, match="no pair"):
        signer.sign(b"message")


def _pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(ours.Encoding.PEM, ours.PublicFormat.SubjectPublicKeyInfo)


def test_a_point_is_read_bare_or_in_its_octet_string() -> None:
    point = b"\x04" + bytes(range(64))
    assert ours.bare_point(point, 65) == ours.bare_point(b"\x04\x41" + point, 65) == point
    raw = bytes(range(32))
    assert ours.bare_point(raw, 32) == ours.bare_point(b"\x04\x20" + raw, 32) == raw
