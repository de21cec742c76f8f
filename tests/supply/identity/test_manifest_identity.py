"""manifest verify and manifest trace take signatures by an identity, offline, from a trusted root of the user's."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sigstore import SmallSigstore

from mithridate.cli import main
from mithridate.flows.sign import Run, statement_of

pytest.importorskip("sigstore", reason="needs sigstore: pip install 'mithridate[sigstore]'")

WHO = ("--identity", "release@example.org", "--issuer", "https://login.example.org")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallSigstore:
    """A data set, its manifest and a run on it, both signed by one identity; the services that vouch for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    x = np.arange(40, dtype=np.float32).reshape(20, 2)
    np.savez("d.npz", x=x, y=np.arange(20) % 2)
    assert run("manifest", "build", "d.npz", "-o", "M", "-q") == 0
    Path("model.bin").write_bytes(b"weights")
    services = SmallSigstore()
    Path("root.json").write_bytes(services.trusted_root())
    vouch(services, Path("M"), "M.bundle")
    vouch(services, Path("model.bin"), "run.bundle", kind="training-run", run=Run(data=("M",)))
    return services


def vouch(services: SmallSigstore, path: Path, output: str, *, identity: str = WHO[1], **more: Any) -> None:
    late = more.pop("late", timedelta())
    statement = statement_of(path, **({"kind": "auto"} | more)).to_bytes()
    Path(output).write_bytes(services.bundle(statement, identity, WHO[3], late=late))


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)


def verified(*more: str, who: tuple[str, ...] = WHO, root: str = "root.json") -> int:
    return run(
        "manifest", "verify", "M", "d.npz", "--signature", "M.bundle", "--sigstore", *who, "--trust-root", root, *more
    )


def traced(*more: str) -> tuple[int, dict[str, Any]]:
    code = run("manifest", "trace", "M", "--row", "3", *more, "-o", "t.json")
    return code, json.loads(Path("t.json").read_text())


def test_a_manifest_that_an_identity_signed_holds_and_for_nobody_else(lab: SmallSigstore) -> None:
    assert verified("-o", "r.json") == 0
    report = json.loads(Path("r.json").read_text())
    assert report["target"]["signed_by"] == ["dataset: identity release@example.org (https://login.example.org)"]
    assert verified(who=("--identity", "someone@example.org", *WHO[2:])) == 1
    assert verified(who=(*WHO[:2], "--issuer", "https://login.example.com")) == 1
    Path("other.json").write_bytes(SmallSigstore().trusted_root())
    assert verified(root="other.json") == 1
    assert verified(root="d.npz") == 2
    assert verified(root="nothing") == 2
    vouch(lab, Path("M"), "M.bundle", late=timedelta(hours=1))
    assert verified() == 1  # the certificate had run out when it signed
    vouch(SmallSigstore(), Path("M"), "M.bundle")
    assert verified() == 1  # another authority of the same name


def test_a_manifest_that_was_rebuilt_is_not_the_one_that_the_identity_signed(lab: SmallSigstore) -> None:
    del lab
    np.savez("d.npz", x=np.ones((20, 2), np.float32), y=np.arange(20) % 2)
    assert run("manifest", "build", "d.npz", "-o", "M", "-q") == 0
    assert verified("-o", "r.json") == 1
    claims = [finding["claim"] for finding in json.loads(Path("r.json").read_text())["findings"]]
    assert claims == ["M: its bytes aren't those that were signed as 'M'"]


def test_the_chain_holds_by_an_identity_and_is_claimed_without_its_root(
    lab: SmallSigstore, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = traced("--sigstore", *WHO, "--trust-root", "root.json")
    assert code == 0
    states = {link["link"]: link["state"] for link in found["links"]}
    assert states == {"data set": "holds", "training run": "holds", "model": "unsaid", "prediction": "unsaid"}
    assert found["datasets"][0]["signed_by"] == ["identity release@example.org (https://login.example.org)"]
    capsys.readouterr()
    assert run("manifest", "trace", "M", "--row", "3", "--sigstore", *WHO, "--trust-root", "root.json") == 0
    assert "(M.bundle; identity release@example.org (https://login.example.org))" in capsys.readouterr().out
    Path("other.json").write_bytes(SmallSigstore().trusted_root())
    for more in ((), ("--sigstore", *WHO, "--trust-root", "other.json"), ("--sigstore", *WHO)):
        code, found = traced(*more)
        assert (code, found["datasets"][0]["verified"], found["links"][0]["state"]) == (0, False, "claimed")
    vouch(lab, Path("M"), "M.bundle", identity="mallory@example.org")
    _, found = traced("--sigstore", *WHO, "--trust-root", "root.json")
    assert [link["state"] for link in found["links"][:2]] == ["claimed", "holds"]


@pytest.mark.parametrize(
    "part", ["payload", "sig", "rawBytes", "canonicalizedBody", "signedEntryTimestamp", "envelope"]
)
def test_a_bundle_with_a_changed_part_never_counts(part: str, lab: SmallSigstore) -> None:
    del lab
    assert verified() == 0
    bundle = json.loads(Path("M.bundle").read_text())
    assert _flip(bundle, part)
    Path("M.bundle").write_text(json.dumps(bundle))
    assert verified() in {1, 2}
    code, found = traced("--sigstore", *WHO, "--trust-root", "root.json")
    assert code in {0, 1}
    assert not any(item["verified"] for item in found["datasets"])


def _flip(node: Any, name: str) -> bool:
    """Change one letter in the middle of the first text of that name."""
    if isinstance(node, list):
        return any(_flip(item, name) for item in node)
    if not isinstance(node, dict):
        return False
    if isinstance(node.get(name), str):
        middle = len(node[name]) // 2
        new = "A" if node[name][middle] != "A" else "B"
        node[name] = node[name][:middle] + new + node[name][middle + 1 :]
        return True
    return any(_flip(item, name) for item in node.values())


def test_the_options_go_together_and_errors_are_one_line(
    lab: SmallSigstore, capsys: pytest.CaptureFixture[str]
) -> None:
    del lab
    for words in (
        ("verify", "M", "d.npz", "--sigstore", *WHO), ("verify", "M", "d.npz", "--signature", "M.bundle", *WHO),
        ("trace", "M", "--row", "1", "--sigstore"), ("trace", "M", "--row", "1", "--trust-root", "root.json"),
        ("trace", "M", "--row", "1", "--sigstore", *WHO, "--trust-root", "d.npz"),
    ):  # fmt: skip
        capsys.readouterr()
        assert run("manifest", *words) == 2
        err = capsys.readouterr().err
        assert (err.startswith("mithridate: "), err.count("\n")) == (True, 1)
