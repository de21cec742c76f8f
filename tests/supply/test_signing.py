"""Signatures hold for exactly what was signed, by exactly those who signed, and fail in one clear line."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.core.errors import InputError
from mithridate.core.report import Report
from mithridate.flows.sign import Run, sign_path, verify_path
from mithridate.supply.signing import keys as keys_module
from mithridate.supply.signing import predicates
from mithridate.supply.signing.dsse import Envelope, pae, read_envelope, seal
from mithridate.supply.signing.keys import FileKey, PublicKey, load_private, load_public, new_key
from mithridate.supply.signing.model_bundle import hash_artefact
from mithridate.supply.signing.policy import read_policy
from mithridate.supply.signing.statement import Statement, Subject, canonical

TOOL = shutil.which("model_signing", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three private keys by name; the public ones lie beside them."""
    folder = tmp_path_factory.mktemp("keys")
    for name, algorithm in (("a", "p256"), ("b", "ed25519"), ("c", "p256")):
        new_key(folder / f"{name}.pem", algorithm=algorithm)
    return {name: folder / f"{name}.pem" for name in "abc"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with the traps of the format: names that sort by part, a folder, git's files."""
    folder = tmp_path / "model"
    for name, content in {
        "weights.safetensors": b"\x00" * 3000, "config.json": b"{}", "sub/a-b": b"1", "sub.txt": b"2",
        "sub-x/c": b"3", ".git/HEAD": b"ref", "ümlaut": b"4", "empty": b"",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def sign(path: Path, key: Path, output: Path, **options: Any) -> Path:
    sign_path(path, [load_private(key)], output, **options)
    return output


def check(path: Path, signature: Path, *names: Path, policy: Path | None = None) -> Report:
    trusted = [load_public(name.with_suffix(".pub")) for name in names]
    return verify_path(path, [signature], trusted, policy=None if policy is None else read_policy(policy))


def claims(report: Report) -> str:
    return " | ".join(finding.claim for finding in report.findings)


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_was_signed_holds_for_its_key_and_for_no_other(
    name: str, keys: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    signature = sign(model, keys[name], tmp_path / "sig")
    assert not check(model, signature, keys[name]).findings
    assert not check(model, signature, keys["c"], keys[name]).findings
    assert "none of the keys" in claims(check(model, signature, keys["c"]))


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: _flip(m / "weights.safetensors"), "weights.safetensors changed"),
        (lambda m: (m / "sub/a-b").unlink(), "sub/a-b was signed and is missing"),
        (lambda m: (m / "extra.py").write_bytes(b""), "extra.py isn't covered"),
        (lambda m: (m / "sub.txt").rename(m / "sub2.txt"), "missing"),
        (lambda m: os.truncate(m / "weights.safetensors", 2999), "weights.safetensors changed"),
    ],
)
def test_a_folder_that_changed_in_any_way_no_longer_holds(
    change: Callable[[Path], object], said: str, keys: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    signature = sign(model, keys["a"], tmp_path / "sig")
    change(model)
    report = check(model, signature, keys["a"])
    assert said in claims(report)
    assert all(finding.severity.word == "critical" for finding in report.findings)


def test_a_signature_may_lie_in_the_folder_and_be_made_again(
    keys: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    inside = sign(model, keys["a"], model / "model.sig")
    assert not check(model, inside, keys["a"]).findings
    sign(model, keys["c"], inside)
    assert not check(model, inside, keys["c"]).findings
    moved = model.rename(tmp_path / "renamed")
    assert not check(moved, moved / "model.sig", keys["c"]).findings


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json"])
def test_a_signature_never_overwrites_what_is_no_signature(name: str, keys: dict[str, Path], model: Path) -> None:
    before = (model / name).read_bytes()
    with pytest.raises(InputError, match="no signature"):
        sign(model, keys["a"], model / name)
    with pytest.raises(InputError, match="itself"):
        sign(model / name, keys["a"], model / name)
    assert (model / name).read_bytes() == before


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_one_flipped_bit_anywhere_in_what_was_signed_is_noticed(data: st.DataObject) -> None:
    key = FileKey(_KEY)
    statement = Statement((Subject("m", {"sha256": "ab" * 32}),), predicates.MODEL, {"resources": [1, 2]})
    envelope = seal(statement, [key])
    target = data.draw(st.sampled_from(["payload", "signature", "type"]))
    raw = {"payload": envelope.payload, "signature": envelope.signatures[0].raw, "type": b"application/vnd.x"}[target]
    place, bit = data.draw(st.integers(0, 100_000)) % len(raw), data.draw(st.integers(0, 7))
    changed = raw[:place] + bytes([raw[place] ^ (1 << bit)]) + raw[place + 1 :]
    parts = {
        "payload": Envelope(changed, envelope.signatures),
        "signature": Envelope(envelope.payload, (type(envelope.signatures[0])("", changed),)),
        "type": Envelope(envelope.payload, envelope.signatures, changed.decode("latin-1")),
    }
    assert envelope.signers([key.public_key()])
    assert not parts[target].signers([key.public_key()])


_KEY = ec.generate_private_key(ec.SECP256R1())


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_bytes_that_are_no_bundle_are_refused_in_one_line(raw: bytes) -> None:
    with pytest.raises(InputError):
        Envelope.from_bytes(raw).statement()


@pytest.mark.parametrize(
    "bundle",
    [
        {}, [], "x", {"dsseEnvelope": None}, {"dsseEnvelope": {"payload": "!", "payloadType": "t", "signatures": [1]}},
        {"payload": "", "payloadType": "t", "signatures": {}}, {"payload": 3, "payloadType": "", "signatures": [[]]},
    ],
)  # fmt: skip
def test_a_damaged_bundle_is_refused_in_one_line(bundle: Any) -> None:
    with pytest.raises(InputError, match="no signature bundle"):
        Envelope.from_bytes(json.dumps(bundle).encode())


def signed_payload(payload: dict[str, Any], tmp_path: Path) -> Path:
    """A bundle with a true signature over any payload: what a careless or hostile signer may have made."""
    key = FileKey(_KEY)
    raw = json.dumps(payload).encode()
    signature = base64.b64encode(key.sign(pae("application/vnd.in-toto+json", raw))).decode()
    envelope = {"payload": base64.b64encode(raw).decode(), "payloadType": "application/vnd.in-toto+json",
                "signatures": [{"sig": signature}]}  # fmt: skip
    (tmp_path / "odd.sig").write_text(json.dumps(envelope))
    return tmp_path / "odd.sig"


RESOURCE = {"name": ".", "algorithm": "sha256", "digest": "00" * 32}
HOW = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "other"}, {"subject": []}, {"subject": [{"name": "m"}]}, {"predicate": 3}, {"predicate": {}},
        {"predicate": {"serialization": HOW, "resources": [RESOURCE]}},
        {"predicate": {"serialization": HOW, "resources": [RESOURCE, RESOURCE]}},
        {"predicate": {"serialization": {**HOW, "method": "shards"}, "resources": [RESOURCE]}},
        {"predicate": {"serialization": {**HOW, "hash_type": "md5"}, "resources": [RESOURCE]}},
        {"predicate": {"serialization": HOW, "resources": [{"name": ".", "digest": "zz"}]}},
    ],
)  # fmt: skip
def test_a_true_signature_over_nonsense_is_refused_in_one_line(change: dict[str, Any], model: Path) -> None:
    statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "m", "digest": {"sha256": "ab"}}],
                 "predicateType": predicates.MODEL, "predicate": {}}  # fmt: skip
    signature = signed_payload({**statement, **change}, model.parent)
    with pytest.raises(InputError) as caught:
        verify_path(model, [signature], [FileKey(_KEY).public_key()])
    assert "\n" not in str(caught.value)


def test_a_key_that_stands_twice_in_a_statement_is_refused() -> None:
    with pytest.raises(InputError, match="no JSON"):
        Statement.from_bytes(b'{"_type":"https://in-toto.io/Statement/v1","_type":"x"}')


def test_signed_json_has_one_spelling() -> None:
    assert canonical({"b": [1.5, "ü"], "a": None}) == '{"a":null,"b":[1.5,"ü"]}'.encode()
    with pytest.raises(InputError):
        canonical({"a": float("nan")})


def test_a_link_or_a_pipe_in_a_folder_is_never_followed(keys: dict[str, Path], model: Path, tmp_path: Path) -> None:
    signature = sign(model, keys["a"], tmp_path / "sig")
    (model / "config.json").unlink()
    (model / "config.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is a link"):
        check(model, signature, keys["a"])
    (model / "config.json").unlink()
    os.mkfifo(model / "config.json")
    with pytest.raises(InputError, match="pipe"):
        check(model, signature, keys["a"])


def test_private_keys_are_private_from_the_first_byte_and_never_overwritten(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        new_key(tmp_path / "k.pem")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600
    before = (tmp_path / "k.pem").read_bytes()
    for name in ("k.pem", "k.key"):  # the second would take the place of k.pub
        with pytest.raises(InputError, match="never overwritten"):
            new_key(tmp_path / name)
    assert (tmp_path / "k.pem").read_bytes() == before
    assert not (tmp_path / "k.key").exists()
    secret = before.splitlines()[1].decode()
    assert secret not in repr(load_private(tmp_path / "k.pem"))


def test_a_key_with_a_passphrase_needs_it(tmp_path: Path) -> None:
    new_key(tmp_path / "k.pem", passphrase=b"correct horse")
    for wrong in (None, b"another one"):
        with pytest.raises(InputError, match="passphrase"):
            load_private(tmp_path / "k.pem", passphrase=wrong)
    assert load_private(tmp_path / "k.pem", passphrase=b"correct horse").public_key().algorithm == "p256"
    with pytest.raises(InputError, match="at least"):
        new_key(tmp_path / "short.pem", passphrase=b"abc")


def test_keys_of_other_kinds_are_refused(keys: dict[str, Path], tmp_path: Path) -> None:
    curve = ec.generate_private_key(ec.SECP256K1())
    others = (x25519.X25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048), curve)
    for key in others:
        raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / "k.pem").write_bytes(raw)
        with pytest.raises(InputError, match="no signing key"):
            load_private(tmp_path / "k.pem")
        (tmp_path / "k.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        with pytest.raises(InputError, match="no key that checks"):
            load_public(tmp_path / "k.pub")
    with pytest.raises(InputError, match="private key"):
        load_public(keys["a"])
    (tmp_path / "noise.pem").write_bytes(b"\x00" * 99)
    for load in (load_private, load_public):
        with pytest.raises(InputError):
            load(tmp_path / "noise.pem")


def test_any_keeper_of_keys_fits_behind_the_port(model: Path, tmp_path: Path) -> None:
    class Token:
        """Stands for a PKCS#11 token or a key service: bytes in, signature out."""

        asked = 0

        def sign(self, message: bytes) -> bytes:
            self.asked += 1
            return FileKey(_KEY).sign(message)

        def public_key(self) -> PublicKey:
            return FileKey(_KEY).public_key()

    token: keys_module.Signer = Token()
    sign_path(model, [token], tmp_path / "sig")
    assert not verify_path(model, [tmp_path / "sig"], [token.public_key()]).findings


def policy(tmp_path: Path, keys: dict[str, Path], rules: str) -> Path:
    names = "".join(f'{name} = "{path.with_suffix(".pub")}"\n' for name, path in keys.items())
    (tmp_path / "p.toml").write_text(f'schema = "mithridate.policy/1"\n[keys]\n{names}{rules}')
    return tmp_path / "p.toml"


RULE = '[[rule]]\ntype = "model"\n'


@pytest.mark.parametrize(
    ("rules", "signers", "met"),
    [
        (f'{RULE}all_of = ["a", "b"]', "ab", True), (f'{RULE}all_of = ["a", "b"]', "a", False),
        (f'{RULE}any_of = ["a", "b"]', "b", True), (f'{RULE}any_of = ["a", "b"]', "c", False),
        (f'{RULE}threshold = 2\nof = ["a", "b", "c"]', "ac", True),
        (f'{RULE}threshold = 2\nof = ["a", "b", "c"]', "c", False),
        (f'{RULE}all_of = ["a", {{any_of = ["b", "c"]}}]', "ac", True),
        (f'{RULE}all_of = ["a", {{any_of = ["b", "c"]}}]', "bc", False),
        (f'{RULE}any_of = ["a"]\n[[rule]]\ntype = "audit"\nany_of = ["a"]', "a", False),
        ('[[rule]]\nany_of = ["a"]', "a", True),
    ],
)  # fmt: skip
def test_a_policy_is_met_by_the_right_signers_alone(
    rules: str, signers: str, *, met: bool, keys: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    sign_path(model, [load_private(keys[name]) for name in signers], tmp_path / "sig")
    report = check(model, tmp_path / "sig", policy=policy(tmp_path, keys, rules))
    assert (not report.findings) == met
    assert met or "policy" in claims(report)


def test_one_key_that_signs_twice_counts_once(keys: dict[str, Path], model: Path, tmp_path: Path) -> None:
    one = load_private(keys["a"])
    sign_path(model, [one, one], tmp_path / "sig")
    rules = f'{RULE}threshold = 2\nof = ["a", "b"]'
    assert check(model, tmp_path / "sig", policy=policy(tmp_path, keys, rules)).findings
    two_names = {"a": keys["a"], "again": keys["a"]}
    with pytest.raises(InputError, match="count twice"):
        read_policy(policy(tmp_path, two_names, f'{RULE}all_of = ["a", "again"]'))


@pytest.mark.parametrize(
    "rules",
    [
        "", "[[rule]]\n", f"{RULE}all_of = []", f'{RULE}all = ["a"]', f'{RULE}any_of = ["stranger"]',
        f'{RULE}any_of = ["a"]\nall_of = ["b"]', f'{RULE}threshold = 3\nof = ["a", "b"]', f'{RULE}of = ["a"]',
        f'{RULE}threshold = 0\nof = ["a"]', f'{RULE}all_of = ["a", "a"]', '[[rule]]\ntype = "modle"\nany_of = ["a"]',
        f'{RULE}threshold = true\nof = ["a"]', f'{RULE}any_of = ["a"]\nthreshold = 1', "rule = 3", "[[[",
    ],
)  # fmt: skip
def test_a_policy_that_could_be_misread_is_refused(rules: str, keys: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_policy(policy(tmp_path, keys, rules))
    assert "\n" not in str(caught.value)


def test_a_policy_may_be_json_with_key_ids(keys: dict[str, Path], model: Path, tmp_path: Path) -> None:
    key = load_public(keys["a"].with_suffix(".pub"))
    rule = {"type": "model", "any_of": ["release"]}
    (tmp_path / "p.json").write_text(
        json.dumps({"schema": "mithridate.policy/1", "keys": {"release": key.id}, "rule": [rule]})
    )
    signature = sign(model, keys["a"], tmp_path / "sig")
    assert not check(model, signature, keys["a"], policy=tmp_path / "p.json").findings


def test_a_training_run_names_data_code_and_seed(keys: dict[str, Path], model: Path, tmp_path: Path) -> None:
    run = Run(settings={"lr": 0.1}, code=str(model / "config.json"), seed=7)
    statement = sign_path(model, [load_private(keys["a"])], tmp_path / "sig", kind="training-run", run=run)
    assert statement.predicate["seed"] == 7
    assert statement.predicate["config"] == {"lr": 0.1}
    assert not check(model, tmp_path / "sig", keys["a"]).findings
    _flip(model / "config.json")
    assert "bytes" in claims(check(model, tmp_path / "sig", keys["a"]))


def test_a_file_counts_as_itself_and_not_by_its_name(keys: dict[str, Path], model: Path, tmp_path: Path) -> None:
    signature = sign(model / "config.json", keys["a"], tmp_path / "sig")
    copy = tmp_path / "copy.json"
    copy.write_bytes(b"{}")
    assert not check(copy, signature, keys["a"]).findings
    copy.write_bytes(b"{ }")
    assert check(copy, signature, keys["a"]).findings


def test_resources_are_sorted_part_by_part_as_the_format_asks(model: Path) -> None:
    names = list(hash_artefact(model).digests)
    assert names == ["config.json", "empty", "sub/a-b", "sub-x/c", "sub.txt", "weights.safetensors", "ümlaut"]


def tool(*words: str | Path) -> int:
    done = subprocess.run([str(TOOL), *map(str, words)], capture_output=True, check=False)
    return done.returncode


@pytest.mark.skipif(TOOL is None, reason="model_signing isn't installed: pip install model-signing pyopenssl")
def test_the_openssf_tool_accepts_our_bundles_and_we_accept_its(
    keys: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    public = keys["a"].with_suffix(".pub")
    for path, signature in ((model, model / "model.sig"), (model / "config.json", tmp_path / "file.sig")):
        sign(path, keys["a"], signature)
        verify = ("verify", "key", path, "--signature", signature, "--public_key")
        assert tool(*verify, public) == 0
        assert tool(*verify, keys["c"].with_suffix(".pub")) != 0
    theirs = tmp_path / "theirs.sig"
    (model / "model.sig").unlink()
    assert tool("sign", "key", model, "--signature", theirs, "--private_key", keys["a"]) == 0
    assert not check(model, theirs, keys["a"]).findings
    ours = sign(model, keys["a"], tmp_path / "ours.sig")
    _flip(model / "weights.safetensors")
    assert tool("verify", "key", model, "--signature", ours, "--public_key", public) != 0
    assert check(model, theirs, keys["a"]).findings


def test_read_envelope_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't read"):
        read_envelope(tmp_path / "nothing")
