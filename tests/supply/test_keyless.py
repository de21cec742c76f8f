"""A signature by an identity holds offline for its files, its identity and its issuer, and for nothing else."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mithridate.cli import main
from mithridate.core.errors import InputError, MissingExtra, Refused
from mithridate.supply.signing import keyless
from mithridate.supply.signing.keyless import Signatory, check, is_keyless

pytest.importorskip("sigstore", reason="needs sigstore: pip install 'mithridate[sigstore]'")

HERE = Path(__file__).parent / "sigstore"
WHO = Signatory("stefanb@us.ibm.com", "https://sigstore.verify.ibm.com/oauth2")
Ask = Callable[..., int]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs `verify` on a copy of the signed folder, with nothing of the user's home at hand."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(HERE / "model", tmp_path / "model")
    shutil.copy(HERE / "model.sig", tmp_path / "model.sig")
    monkeypatch.chdir(tmp_path)

    def run(identity: str = WHO.identity, issuer: str = WHO.issuer, *more: str, path: str = "model") -> int:
        words = ("--signature", "model.sig", "--sigstore", "--identity", identity, "--issuer", issuer)
        return said("verify", path, *words, *more)

    return run


def said(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)


def test_a_real_bundle_holds_offline_and_the_report_names_the_identity(
    ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask(WHO.identity, WHO.issuer, "-o", "r.json", "-o", "r.md") == 0
    out, err = capfd.readouterr()
    assert WHO.identity in out
    assert err == ""
    assert "Signed as model by identity stefanb@" in Path("r.md").read_text()
    assert json.loads(Path("r.json").read_text())["verdict"] == "clean"


def test_another_identity_or_issuer_a_changed_or_a_new_file_never_pass(ask: Ask) -> None:
    assert ask("someone@example.org") == 1
    assert ask(WHO.identity, "https://accounts.google.com") == 1
    Path("model/new").write_bytes(b"x")
    assert ask() == 1
    Path("model/new").unlink()
    Path("model/signme-1").write_bytes(b"signme-2")
    assert ask(WHO.identity, WHO.issuer, "-o", "r.json") == 1
    assert "signme-1 changed" in json.loads(Path("r.json").read_text())["findings"][0]["claim"]


@pytest.mark.parametrize("part", ["payload", "sig", "certificate", "canonicalizedBody", "integratedTime", "rootHash"])
def test_a_bundle_that_was_changed_anywhere_never_passes(part: str, ask: Ask) -> None:
    bundle = json.loads(Path("model.sig").read_text())
    place: Any = {
        "payload": bundle["dsseEnvelope"], "sig": bundle["dsseEnvelope"]["signatures"][0],
        "certificate": bundle["verificationMaterial"],
    }.get(part, bundle["verificationMaterial"]["tlogEntries"][0])  # fmt: skip
    if part == "certificate":
        place["certificate"]["rawBytes"] = _flipped(place["certificate"]["rawBytes"])
    elif part == "integratedTime":
        place[part] = str(int(place[part]) + 86_400)
    elif part == "rootHash":
        place["inclusionProof"][part] = _flipped(place["inclusionProof"][part])
    else:
        place[part] = _flipped(place[part])
    Path("model.sig").write_text(json.dumps(bundle))
    assert ask() in {1, 2}


def _flipped(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(raw).decode()


def test_damaged_bundles_are_refused_and_never_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng, raw = np.random.default_rng(0), (HERE / "model.sig").read_bytes()
    outcomes = [
        _outcome(tmp_path, raw, int(place), int(rng.integers(1, 256))) for place in rng.integers(0, len(raw), 40)
    ]
    assert outcomes.count("") <= 4  # a byte that doesn't count, such as the log's own hint
    assert not any("\n" in said for said in outcomes)


def _outcome(folder: Path, raw: bytes, place: int, change: int) -> str:
    """Why a bundle with one changed byte is refused; empty where it still says what was signed."""
    (folder / "bad.sig").write_bytes(raw[:place] + bytes([raw[place] ^ change]) + raw[place + 1 :])
    try:
        statement = check(folder / "bad.sig", HERE / "model", WHO)
    except (InputError, Refused) as error:
        return str(error)
    assert statement is not None
    assert statement.subjects[0].name == "v1.0.0-sigstore"
    return ""


def test_the_options_go_together_and_a_key_is_not_enough(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    assert said("verify", "model", "--signature", "model.sig", "--sigstore", "--identity", "x") == 2
    assert said("verify", "model", "--signature", "model.sig", "--identity", "x") == 2
    assert said("keygen", "-o", "k.pem") == 0
    assert said("verify", "model", "--signature", "model.sig", "--key", "k.pub") == 1
    assert "--sigstore" in capsys.readouterr().out
    assert said("sign", "model", "--sigstore", "--key", "k.pem", "-o", "s") == 2
    assert said("sign", "model", "-o", "s") == 2
    assert ask(WHO.identity, WHO.issuer, "--trust-root", "k.pub") == 2
    assert is_keyless(Path("model.sig"))
    assert not is_keyless(Path("k.pub"))


def test_signing_without_an_identity_is_one_line_and_writes_nothing(
    ask: Ask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del ask
    for name in ("GITHUB_ACTIONS", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITLAB_CI", "BUILDKITE", "CIRCLECI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sigstore.oidc.detect_credential", lambda: None)
    Path("token").write_text("not.a.token")
    for words in ((), ("--identity-token", "token"), ("--identity-token", "nothing")):
        assert said("sign", "model", "--sigstore", *words, "-o", "s") == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "token" in err
        assert "not.a.token" not in err
    assert not Path("s").exists()


def test_a_missing_library_says_how_to_install_it() -> None:
    code = (
        "import sys; sys.modules['sigstore'] = None\n"
        "from pathlib import Path; from mithridate.supply.signing.keyless import Signatory, check\n"
        f"check(Path({str(HERE / 'model.sig')!r}), Path('.'), Signatory('a', 'b'))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "MissingExtra" in done.stderr
    assert "mithridate[sigstore]" in done.stderr
    assert issubclass(MissingExtra, Exception)
    assert keyless.Signatory("a", "b").name == "identity a (b)"
