"""age files: ours open with age's library and its own open with ours; nothing of one that doesn't hold is written."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mithridate.cli import main
from mithridate.supply.sealing.age import MOST_BYTES, is_age
from mithridate.supply.sealing.bech32 import bech32


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, our own pair of keys, and an age identity."""
    pyrage = pytest.importorskip("pyrage", reason="needs pyrage: pip install 'mithridate[age]'")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_bytes(os.urandom(200_000))
    assert run("keygen", "-o", "box.pem", "--for", "sealing") == 0
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "age.key").write_text(f"# made for a test\n{identity}\n")
    (tmp_path / "age.pub").write_text(f"# a reader\n{identity.to_public()}\n")
    return tmp_path


def test_our_keys_and_age_keys_both_open_what_was_sealed_for_them(lab: Path) -> None:
    import pyrage

    word = (lab / "age.pub").read_text().split()[-1]
    for recipient in ("age.pub", word):
        assert (
            run("seal", "plain", "-o", "s", "--format", "age", "--recipient", "box.pub", "--recipient", recipient) == 0
        )
        assert is_age(lab / "s")
        for identity in ("box.pem", "age.key"):
            assert run("open", "s", "-o", "out", "--identity", identity) == 0
            assert (lab / "out").read_bytes() == (lab / "plain").read_bytes()
            assert (lab / "out").stat().st_mode & 0o777 == 0o600
    theirs = pyrage.x25519.Identity.from_str((lab / "age.key").read_text().split()[-1])
    assert pyrage.decrypt((lab / "s").read_bytes(), [theirs]) == (lab / "plain").read_bytes()
    (lab / "armoured").write_bytes(pyrage.encrypt(b"content", [theirs.to_public()], armored=True))
    assert run("open", "armoured", "-o", "out", "--identity", "age.key") == 0
    assert (lab / "out").read_bytes() == b"content"


def test_what_does_not_hold_leaves_nothing_and_the_old_file_as_it_was(lab: Path) -> None:
    assert run("seal", "plain", "-o", "s", "--format", "age", "--recipient", "age.pub") == 0
    whole = (lab / "s").read_bytes()
    (lab / "old").write_bytes(b"old")
    before = {file.name for file in lab.iterdir()}
    assert run("open", "s", "-o", "out", "--identity", "box.pem") == 1
    places = (3, 40, 120, 200, 70_000, len(whole) - 1)
    changed = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places]
    for raw in (*changed, whole[:-1], whole[:70_000], whole + b"x", whole[:30]):
        (lab / "s").write_bytes(raw)
        for target in ("out", "old"):
            assert run("open", "s", "-o", target, "--identity", "age.key") in {1, 2}
    assert {file.name for file in lab.iterdir()} == before
    assert (lab / "old").read_bytes() == b"old"


def scrypt_file(content: bytes, passphrase: bytes, log_n: int = 4) -> bytes:
    """An age file under a passphrase, made by the letter of its specification."""

    def encode(raw: bytes) -> bytes:
        return base64.b64encode(raw).rstrip(b"=")

    def derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
        return HKDF(SHA256(), 32, salt, info).derive(secret)

    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    wrap = hashlib.scrypt(passphrase, salt=b"age-encryption.org/v1/scrypt" + salt, n=1 << log_n, r=8, p=1, dklen=32)
    body = encode(ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None))
    head = b"age-encryption.org/v1\n-> scrypt %s %d\n%s\n---" % (encode(salt), log_n, body)
    mac = encode(hmac.digest(derive(file_key, b"", b"header"), head, "sha256"))
    payload = ChaCha20Poly1305(derive(file_key, nonce, b"payload")).encrypt(bytes(11) + b"\x01", content, None)
    return head + b" " + mac + b"\n" + nonce + payload


def test_a_file_under_a_passphrase_opens_by_it_alone(lab: Path) -> None:
    (lab / "s").write_bytes(scrypt_file(b"content", b"correct horse"))
    (lab / "right").write_text("correct horse\n")
    (lab / "wrong").write_text("battery staple\n")
    assert run("open", "s", "-o", "out", "--passphrase-file", "wrong") == 1
    assert run("open", "s", "-o", "out", "--identity", "age.key") == 1
    assert not (lab / "out").exists()
    assert run("open", "s", "-o", "out", "--passphrase-file", "right") == 0
    assert (lab / "out").read_bytes() == b"content"
    (lab / "s").write_bytes(scrypt_file(b"content", b"correct horse").replace(b" 4\n", b" 40\n"))
    assert run("open", "s", "-o", "other", "--passphrase-file", "right") == 1
    assert not (lab / "other").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("folder", "--recipient", "box.pub"), ("plain",), ("plain", "--recipient", "box.pub", "--label", "x"),
        ("plain", "--recipient", "box.pub", "--passphrase-file", "plain"), ("plain", "--recipient", "age1zzz"),
        ("plain", "--recipient", "box.pem"), ("plain", "--recipient", "nothing"), ("nothing", "--recipient", "box.pub"),
        ("plain", "--recipient", "box.pub", "--kms", "file:k"), ("huge", "--passphrase-file", "age.pub"),
    ],
)  # fmt: skip
def test_what_age_can_not_do_is_one_line(words: tuple[str, ...], lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lab / "folder").mkdir()
    with (lab / "huge").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert run("seal", words[0], "-o", "s", "--format", "age", *words[1:]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (lab / "s").exists()


def test_a_missing_library_is_one_line_that_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"age-encryption.org/v1\n")
    (tmp_path / "k").write_text("AGE-SECRET-KEY-1X\n")
    code = (
        "import sys; sys.modules['pyrage'] = None; from mithridate.cli import main; "
        f"main(['open', {str(tmp_path / 's')!r}, '-o', {str(tmp_path / 'o')!r}, '--identity', {str(tmp_path / 'k')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "mithridate[age]" in done.stderr


def test_bech32_is_the_standards() -> None:
    assert bech32("a", b"") == "a12uel5l"
    assert bech32("split", base64.b16decode("C5F38B70305F519BF66D85FB6CF03058F3DDE463ECD7918F2DC743918F2D")) == (
        "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"
    )
