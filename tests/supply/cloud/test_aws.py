"""Keys in AWS KMS sign and seal; tried over HTTP on moto's implementation of the service."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from hypothesis import given
from hypothesis import strategies as st

from mithridate.cli import main
from mithridate.core.errors import InputError, Refused
from mithridate.supply.cloud import aws
from mithridate.supply.cloud.addresses import cloud_key
from mithridate.supply.cloud.aws import AwsKey
from mithridate.supply.cloud.port import CloudSigner
from mithridate.supply.sealing import sealed as sealing
from mithridate.supply.sealing.kms import KmsKey, service
from mithridate.supply.signing.keys import load_public

Make = Callable[..., str]


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w.bin").write_bytes(b"weights")
    return tmp_path / "model"


@pytest.mark.parametrize(("spec", "name"), [("ECC_NIST_P256", "p256"), ("ECC_NIST_P384", "p384")])
def test_what_the_service_signed_holds_with_the_public_key_alone(
    spec: str, name: str, made: Make, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "awskms:" + made(spec)
    assert run("keygen", "--token", key, "-o", "k.pub") == 0
    assert load_public("k.pub").algorithm == name
    assert run("sign", "model", "--key", key, "-o", "model.sig") == 0
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")  # nobody is there: checking asks nobody
    assert run("verify", "model", "--signature", "model.sig", "--key", "k.pub") == 0
    if name == "p256":
        theirs = pytest.importorskip("model_signing.verifying")
        theirs.Config().use_elliptic_key_verifier(public_key=Path("k.pub")).verify(model, Path("model.sig"))
    (model / "w.bin").write_bytes(b"other")
    assert run("verify", "model", "--signature", "model.sig", "--key", "k.pub") == 1


def test_a_statement_over_the_service_s_limit_is_sent_as_its_digest(
    made: Make, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server signs what it is given as a message even where it is told that it's a digest: mended here."""
    theirs = pytest.importorskip("moto.kms.utils").ECDSAPrivateKey

    def sign(self: Any, message: bytes, signing_algorithm: str) -> bytes:
        assert (len(message), signing_algorithm) == (32, "ECDSA_SHA_256")
        return bytes(self.private_key.sign(message, ec.ECDSA(Prehashed(hashes.SHA256()))))

    made(name="large")
    for count in range(60):
        (model / f"shard-{count:03}.bin").write_bytes(bytes([count]))
    assert run("keygen", "--token", "awskms:alias/large", "-o", "k.pub") == 0
    monkeypatch.setattr(theirs, "sign", sign)
    assert run("sign", "model", "--key", "awskms:///alias/large", "-o", "model.sig") == 0
    assert Path("model.sig").stat().st_size > aws.MOST_RAW
    assert run("verify", "model", "--signature", "model.sig", "--key", "k.pub") == 0


def test_a_file_sealed_for_the_service_opens_by_alias_or_arn_and_by_no_other_key(made: Make, tmp_path: Path) -> None:
    arn, other = made("SYMMETRIC_DEFAULT", "seal"), made("SYMMETRIC_DEFAULT", "other")
    ours, theirs = service("awskms:alias/seal"), service(f"awskms:{other}")
    (tmp_path / "plain").write_bytes(b"content")
    sealing.seal(tmp_path / "plain", tmp_path / "s", [KmsKey(theirs), KmsKey(ours)])
    for address in ("awskms:alias/seal", f"awskms:{arn}", f"awskms:{arn.rpartition('/')[2]}"):
        sealing.open_sealed(tmp_path / "s", tmp_path / "opened", [KmsKey(service(address))])
        assert (tmp_path / "opened").read_bytes() == b"content"
    sealing.seal(tmp_path / "plain", tmp_path / "s2", [KmsKey(ours)])
    with pytest.raises(InputError, match="may not use it so"):  # what this server says of another key's
        sealing.SealedFile(tmp_path / "s2", KmsKey(theirs))
    with _Answers(400, b'{"__type": "IncorrectKeyException"}') as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_KMS", url)  # what the service itself says of it
        with pytest.raises(Refused, match="any of the 1 recipients \\(awskms:alias/seal among them\\)"):
            sealing.SealedFile(tmp_path / "s2", KmsKey(service(f"awskms:{other}")))
    wrapped = ours.wrap(bytes(32), b"context")
    assert ours.unwrap(wrapped, b"context") == bytes(32)
    for bad, context in ((wrapped, b"other"), (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"context"), (b"x", b"")):
        with pytest.raises(Refused):
            ours.unwrap(bad, context)


def test_an_ed25519_key_is_sent_the_message_itself_and_only_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Client:
        def sign(self, **given: Any) -> dict[str, bytes]:
            asked.append(given)
            return {"Signature": b"s"}

    pytest.importorskip("boto3", reason="needs boto3: pip install 'mithridate[kms]'")
    monkeypatch.setattr(aws, "_client", lambda _: Client())
    key = AwsKey.parse("awskms:alias/e")
    assert key.sign(b"message", "ed25519") == b"s"
    assert asked == [
        {"KeyId": "alias/e", "Message": b"message", "MessageType": "RAW", "SigningAlgorithm": "ED25519_SHA_512"}
    ]
    with pytest.raises(InputError, match="at most 4,096 bytes"):
        key.sign(bytes(aws.MOST_RAW + 1), "ed25519")


@pytest.mark.parametrize(("spec", "said"), [
    ("SYMMETRIC_DEFAULT", "no key whose signatures"), ("RSA_2048", "no key whose signatures"),
    ("ECC_SECG_P256K1", "no key whose signatures"), ("", "there is no such key"),
])  # fmt: skip
def test_another_kind_of_key_or_none_is_one_line_and_no_file(
    spec: str, said: str, made: Make, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del model
    key = "awskms:" + made(spec) if spec else "awskms:alias/nothing"
    assert ends("sign", key, capsys, said) == 2
    if not spec:
        assert ends("seal", key, capsys, said) == 2


def ends(verb: str, key: str, capsys: pytest.CaptureFixture[str], said: str) -> int:
    """The exit code of a verb that can't: one line that says so, and no file."""
    capsys.readouterr()
    code = run(verb, "model", "--key" if verb == "sign" else "--kms", key, "-o", "out")
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert "secret-of-the-test" not in err
    assert not Path("out").exists()
    return code


@pytest.mark.usefixtures("kms", "model")
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDeniedException", "allow kms:GetPublicKey"), ("DisabledException", "aws kms enable-key"),
        ("KMSInvalidStateException", "its state doesn't allow"), ("UnsupportedOperationException", "asymmetric key"),
        ("UnrecognizedClientException", "credentials aren't valid"), ("ExpiredTokenException", "sign in again"),
        ("Strange{0}Code", "it answered Strange{0}Code: no {x}"),
    ],
)  # fmt: skip
def test_a_refusal_by_the_service_says_what_to_do(
    code: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that the server never gives by itself, put on its wire."""
    with _Answers(400, json.dumps({"__type": code, "message": "no \x1b\n\x7f{x}"}).encode()) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", url)
        assert ends("sign", "awskms:alias/x", capsys, said) == 2


@pytest.mark.usefixtures("kms", "model")
@pytest.mark.parametrize("answer", [b"", b"no json", b"[]", b'{"PublicKey": 7}', b'{"PublicKey": "AAAA"}'])
def test_an_answer_that_is_none_is_one_line(
    answer: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with _Answers(200, answer) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", url)
        assert ends("sign", "awskms:alias/x", capsys, "awskms:alias/x") == 2


class _Answers:
    """A server that gives one answer to everything."""

    def __init__(self, status: int, body: bytes) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *said: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        import threading

        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.usefixtures("kms", "model")
def test_no_credentials_no_region_no_network_and_a_hung_service_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "CONNECT_S", 1)
    monkeypatch.setattr(aws, "READ_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert ends("sign", "awskms:alias/x", capsys, "can't be reached") == 2
    for url, said in (("http://127.0.0.1:9", "can't be reached"), ("no-address", "can't be asked")):
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", url)
        assert ends("sign", "awskms:alias/x", capsys, said) == 2
    monkeypatch.delenv("AWS_ENDPOINT_URL_KMS")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert ends("sign", "awskms:alias/x", capsys, "can't be asked") == 2
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert ends("seal", "awskms:alias/x", capsys, "there are no credentials") == 2
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert ends("sign", "awskms:alias/x", capsys, "no region is known") == 2
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert ends("sign", "awskms:alias/x", capsys, "nobody") == 2


@pytest.mark.usefixtures("model")
def test_an_answer_that_another_key_signed_is_never_written(
    made: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made(name="pair")
    theirs = pytest.importorskip("moto.kms.utils").ECDSAPrivateKey
    stranger = ec.generate_private_key(ec.SECP256R1())
    monkeypatch.setattr(theirs, "sign", lambda *_: stranger.sign(b"x", ec.ECDSA(hashes.SHA256())))
    assert ends("sign", "awskms:alias/pair", capsys, "no signature by awskms:alias/pair") == 2


@pytest.mark.parametrize(
    "address", ["awskms:", "awskms:name", "awskms:alias/", "awskms:alias/a b", "awskms://host:1/alias/x", "awskms:-x",
                "awskms:arn:aws:s3:::bucket", "awskms:arn:aws:kms:eu:1:key/x", "gcpkms:x"],
)  # fmt: skip
def test_an_address_of_no_key_is_refused_before_anything_is_asked(address: str) -> None:
    with pytest.raises(InputError, match="awskms:"):
        cloud_key(address)


@given(st.text(max_size=60))
def test_any_other_text_is_no_address_and_the_refusal_is_one_line(text: str) -> None:
    with pytest.raises(InputError) as said:
        cloud_key("awskms:" + text + "!")
    assert "\n" not in str(said.value)


def test_an_arn_names_its_region() -> None:
    key = AwsKey.parse("awskms:arn:aws-cn:kms:cn-north-1:123456789012:alias/a/b")
    assert key == AwsKey("arn:aws-cn:kms:cn-north-1:123456789012:alias/a/b", "cn-north-1")
    assert repr(CloudSigner(key)).startswith("CloudSigner(awskms:arn")


def test_without_boto3_the_error_names_the_extra_and_help_imports_none_of_it() -> None:
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from mithridate.supply.cloud.aws import AwsKey\n"
        "AwsKey.parse('awskms:alias/x').public_key()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "mithridate[kms]" in done.stderr
