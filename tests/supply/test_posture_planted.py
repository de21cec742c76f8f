"""Posture on weaknesses in other spellings than the plain ones, on their harmless twins, and what its reports show."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mithridate.core.report import Report
from mithridate.flows.posture import posture
from mithridate.reports.write import write_report
from mithridate.supply.posture.code import python
from mithridate.supply.posture.installs import loose
from mithridate.supply.posture.server_files import docker_run, in_own_file, reaches_outside
from mithridate.supply.posture.walk import File

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import posture_planted
from posture_tokens import TOKENS

FORMS = [
    name for name in TOKENS if name not in {"password", "port", "int", "word", "model", "uuid", "sha256", "b64", "b64k"}
]
N_CASES = 24
UNMARKED = ("hex", "pem", "aws-secret", "alnum", "lower", "basic", "azure", "wandb", "jwt")  # known by what is around
LOW = {"no hash", "readable data", "model card", "contact", "unsigned model", "not looked at"}


def judged(kind: str, folder: Path) -> tuple[list[str], list[str]]:
    """The planted ones that were missed and the twins that were flagged, in a sample: the benchmark judges them all."""
    missed, flagged = [], []
    every = [case for case in posture_planted.cases(7) if case.kind == kind]
    for place, case in enumerate(posture_planted.Random(7).sample(every, min(len(every), N_CASES))):
        for bad in (True, False):
            project = folder / f"{place}{bad}"
            posture_planted.write(case, project, 7, bad=bad)
            report = posture(project, offline=True)
            assert [check.reason for check in report.checks if check.status == "failed"] == []
            hits = [f for f in report.findings if int(f.severity) >= (1 if kind in LOW else 2) and f.method != "SUP441"]
            text = next(iter((case.bad if bad else case.good).values()))
            if bad and not hits:
                missed.append(text)
            if not bad and any(int(f.severity) > 1 for f in hits):
                flagged.append(text)
    return missed, flagged


@pytest.mark.parametrize("kind", ["pickle", "torch.load", "yaml", "remote code", "unpinned"])
def test_planted_weaknesses_are_found_and_their_twins_are_not(tmp_path: Path, kind: str) -> None:
    missed, flagged = judged(kind, tmp_path)
    assert (len(missed) <= (kind == "pickle"), flagged) == (True, [])  # what MLflow unpickles inside isn't seen


def test_no_report_shows_a_secret(tmp_path: Path) -> None:
    secrets = []
    for place, case in enumerate(case for case in posture_planted.cases(3) if case.kind == "secret"):
        posture_planted.write(case, tmp_path / "p" / str(place), 3, bad=True)
    for text in ("requirements.txt", "Dockerfile", "run.sh", "train.py"):  # the other checks show what stands in a line
        token = TOKENS["github"](posture_planted.Random(text))
        secrets.append(token)
        body = {
            "requirements.txt": f"git+https://{token}@github.com/a/b.git\n"
            f"--extra-index-url https://u:{token}@pypi.acme.dev/simple\n",
            "Dockerfile": f"FROM x\nRUN pip install git+https://{token}@github.com/a/b.git\n"
            f"RUN pip install --extra-index-url https://u:{token}@a.dev/s x\n",
            "run.sh": f"vllm serve x --trust-remote-code --hf-token {token}\n"
            f"vllm serve m --host 0.0.0.0 --token {token}\n",
            "train.py": f"m = AutoModel.from_pretrained('x', trust_remote_code=True, token='{token}')\n",
        }[text]
        (tmp_path / "p" / text).write_text(body, encoding="utf-8")
    report = posture(tmp_path / "p", offline=True)
    shown = _everywhere(report, tmp_path)
    assert {"SUP420", "SUP422", "SUP424"} <= {f.method for f in report.findings}
    assert [secret for secret in secrets if secret in shown] == []


def _everywhere(report: Report, folder: Path) -> str:
    names = [folder / f"r.{end}" for end in ("json", "html", "sarif", "xml", "md")]
    for name in names:
        write_report(report, name)
    return "".join(name.read_text(encoding="utf-8") for name in names)


@pytest.mark.parametrize("name", [name for name in FORMS if not name.startswith(UNMARKED)])
def test_every_issuers_form_is_known(tmp_path: Path, name: str) -> None:
    token = TOKENS[name](posture_planted.Random(name))
    (tmp_path / "a.py").write_text(f"x = '{token}'\n", encoding="utf-8")
    (tmp_path / "b.py").write_text(f"x = 'q{token}q'\ny = 'Zm9v{'Ab9+' * 300}'\n", encoding="utf-8")
    found = [f for f in posture(tmp_path, offline=True, methods=["SUP420"]).findings if int(f.severity) > 1]
    assert [f.subject.extra["path"] for f in found][:1] == ["a.py"]


@pytest.mark.parametrize(
    "code",
    [
        "from yaml import CSafeLoader as Loader\nimport yaml\nyaml.load(f, Loader=Loader)",
        "import torch, inspect\n'weights_only' in inspect.signature(torch.load).parameters",
        "import torch\nkw = {}\nkw['weights_only'] = True\ntorch.load(f, **kw)",
        "import torch\ndef f(safe=False):\n    torch.load(p, weights_only=safe)",
    ],
)
def test_code_that_decides_elsewhere_is_left_alone(tmp_path: Path, code: str) -> None:
    (tmp_path / "a.py").write_text(code, encoding="utf-8")
    assert [f for f in posture(tmp_path, offline=True).findings if int(f.severity) > 1] == []


def test_names_that_are_bound_twice_stand_for_nothing() -> None:
    module = python("import torch\nsafe = False\nsafe = True\ntorch.load(f, weights_only=safe)\n")
    assert module is not None
    assert not isinstance(module.uses[0].keywords["weights_only"], bool)


def test_docker_run_is_open_only_with_a_published_port() -> None:
    assert docker_run("docker run -d -p 6379:6379 redis") is not None
    assert docker_run("docker run --network host redis") is not None
    assert docker_run("docker run -d -p 127.0.0.1:6379:6379 redis") is None
    assert docker_run("docker run redis") is None


def test_a_servers_own_file_is_read_with_what_guards_it() -> None:
    assert [found.line for found in in_own_file("redis.conf", "# x\nprotected-mode no\n")] == [2]
    assert list(in_own_file("redis.conf", "protected-mode no\nrequirepass abc\n")) == []
    assert reaches_outside("spec:\n  type: LoadBalancer\n")
    assert not reaches_outside("spec:\n  type: ClusterIP\n")


def test_locks_and_tools_are_no_loose_installs() -> None:
    def read(name: str, body: str, *beside: str) -> list[str]:
        return [wanted.text for wanted in loose(File(Path(name), name, 1, 0o640), body, set(beside))]

    assert read("Dockerfile", 'RUN ["pip", "install", "torch"]\n') == ["torch"]
    assert read("Dockerfile", "RUN pip install -U pip pipenv && pip install -r r.txt -t /x\n") == []
    assert read("Pipfile", '[packages]\na = "*"\n') == ['a = "*"']
    assert read("Pipfile", '[packages]\na = "*"\n', "Pipfile.lock") == []
    assert read("environment.yml", "dependencies:\n- a=1\n- b\n- pip:\n  - c==1\n  - d=1\n") == ["b", "d=1"]


def test_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "dump.sql").open("wb") as file:
        file.write(b"-- x\n" * 4096)
        file.truncate(1 << 30)
    (tmp_path / "loop").symlink_to(tmp_path)
    claims = [f.claim for f in posture(tmp_path, offline=True).findings if f.method == "SUP441"]
    assert claims == ["not looked at: dump.sql (text of more than 2 MiB)"]
