"""Posture: versions that projects ask for, downloads, pickled data, keys of tests, names that are no secrets."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path

import pytest

from mithridate.flows.posture import posture
from mithridate.supply.posture.secret_forms import hide

TORCH_LOAD = "import torch\ntorch.load('m.pt')\n"


@pytest.mark.parametrize(
    ("name", "body", "safe"),
    [
        ("requirements.txt", "numpy\ntorch==2.6.0\n", True),
        ("requirements.txt", "torch>=2.7 ; python_version > '3.8'\n", True),
        ("requirements.txt", "torch>=2.1\n", False),
        ("requirements.txt", "torch\n", False),
        ("requirements.txt", "torchvision==0.21\n", False),
        ("requirements.txt", "torch<3\n", False),
        ("pyproject.toml", '[project]\ndependencies = ["torch>=2.6,<3"]\n', True),
        ("pyproject.toml", '[tool.poetry.dependencies]\ntorch = "^2.2"\n', False),
        ("pyproject.toml", "[project\n", False),
        ("uv.lock", '[[package]]\nname = "torch"\nversion = "2.8.0"\n', True),
        ("environment.yml", "dependencies:\n  - pytorch=2.6\n", True),
        ("setup.py", "setup(install_requires=['torch>=1.10'])\n", False),
    ],
)
def test_a_plain_torch_load_is_judged_by_the_version_that_the_project_asks_for(
    tmp_path: Path,
    name: str,
    body: str,
    safe: bool,  # noqa: FBT001 - a column
) -> None:
    (tmp_path / name).write_text(body)
    (tmp_path / "train.py").write_text(TORCH_LOAD)
    (tmp_path / "old.py").write_text("import torch\ntorch.load('m.pt', weights_only=False)\n")
    kinds = {f.subject.extra["path"] for f in posture(tmp_path, offline=True).findings if f.method == "SUP425"}
    assert kinds == ({"old.py"} if safe else {"old.py", "train.py"})


def test_a_lock_decides_over_a_range_and_every_file_must_agree(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TORCH_LOAD)
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["torch>=2.0"]\n')
    (tmp_path / "poetry.lock").write_text('[[package]]\nname = "torch"\nversion = "2.6.0"\n')
    assert not [f for f in posture(tmp_path, offline=True).findings if f.method == "SUP425"]
    (tmp_path / "requirements-old.txt").write_text("torch==1.13.1\n")
    assert [f for f in posture(tmp_path, offline=True).findings if f.method == "SUP425"]


def test_a_download_without_a_revision_is_low_and_one_of_a_commit_or_a_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}")
    head = "from transformers import AutoModel\nfrom datasets import load_dataset\nfrom huggingface_hub import *\n"
    head += "import huggingface_hub as hub\n"
    open_ones = (
        "AutoModel.from_pretrained('a/b')",
        "load_dataset('a/b', split='x')",
        "hub.snapshot_download('a/b')",
        "hub.hf_hub_download(repo_id='a/b', filename='c')",
        "AutoModel.from_pretrained('a/b', revision='main')",
    )
    fixed = (
        f"AutoModel.from_pretrained('a/b', revision='{'0' * 40}')",
        "load_dataset('csv', data_files='x')",
        "AutoModel.from_pretrained('weights')",
        "AutoModel.from_pretrained(path)",
        "AutoModel.from_pretrained('./a')",
        "AutoModel.from_pretrained('a/b', local_files_only=True)",
        "AutoModel.from_pretrained('a/b', **options)",
    )
    for number, call in enumerate((*open_ones, *fixed)):
        (tmp_path / f"m{number}.py").write_text(f"{head}{call}\n")
    report = posture(tmp_path, offline=True)
    found = {str(f.subject.extra["path"]): f.severity.word for f in report.findings if f.method == "SUP422"}
    assert found == {f"m{number}.py": "low" for number in range(len(open_ones))}


def test_word_lists_and_histories_need_no_model_card(tmp_path: Path) -> None:
    data = {"stop_words.pkl": ["the"] * 2000, "lists.pkl": {str(n): n for n in range(2000)}}
    for name, content in data.items():
        (tmp_path / name).write_bytes(pickle.dumps(content, 2))
    (tmp_path / "punkt").mkdir()
    (tmp_path / "punkt" / "english.pickle").write_bytes(pickle.dumps([dt.date(2020, 1, 1)] * 2000, 0))
    assert not [f for f in posture(tmp_path, offline=True).findings if f.method in {"SUP428", "SUP440"}]
    (tmp_path / "model_words.pkl").write_bytes(pickle.dumps([dt.date(2020, 1, n % 28 + 1) for n in range(2000)]))
    assert {f.method for f in posture(tmp_path, offline=True).findings} >= {"SUP428", "SUP440"}


def test_a_key_among_fixtures_is_low_and_elsewhere_high(tmp_path: Path) -> None:
    for folder in ("tests/fixtures", "src/test/resources", "deploy"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "server.pem").write_text("-----BEGIN " + "PRIVATE KEY-----\n" + "MC4CAQAwBQ" * 5 + "\n")
        (tmp_path / folder / "server.pem").chmod(0o644)
    found = {str(f.subject.extra["path"]): f.severity.word for f in posture(tmp_path, offline=True).findings
             if f.method == "SUP423"}  # fmt: skip
    assert found == {"tests/fixtures/server.pem": "low", "src/test/resources/server.pem": "low",
                     "deploy/server.pem": "high"}  # fmt: skip


@pytest.mark.parametrize("text", ["access-token==2.0.1b3", "TokenTextSplitterV2==1.0.0rc1", "PyJWT-secret==2.8.0",
                                  "UNet2DConditionModel.from_pretrained(x)", "a[b]==1.0.post1"])  # fmt: skip
def test_names_and_versions_are_not_hidden(text: str) -> None:
    assert hide(text) == text
    assert hide(f"{text} --token 12345678") == f"{text} --token <hidden>"


def test_a_token_beside_a_version_stays_hidden() -> None:
    token = "aQ3wErTy7UiOpLkJh" + "GfDs9AzXcVbNm"
    for text in (f"pip install a==1.0 {token}", f"key={token}==", f"https://u:{token}@h/x a==1.0", f"{token}x=1.0"):
        assert token not in hide(text)
