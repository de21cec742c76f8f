"""Posture on what real projects are made of: spellings, files and encodings that no planted weakness has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mithridate.core.report import Report
from mithridate.flows.posture import posture
from mithridate.reports.text import to_text

HASH = "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"


def look(folder: Path, files: dict[str, str | bytes]) -> Report:
    """The report on a folder of these files."""
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        path.chmod(0o640)
    return posture(folder, offline=True)


def found(report: Report, method: str) -> list[tuple[str, str]]:
    """Severity and path of each finding of that check."""
    assert [check.reason for check in report.checks if check.status == "failed"] == []
    return sorted(
        (f.severity.word, str(f.subject.extra.get("path", ""))) for f in report.findings if f.method == method
    )


def test_values_outside_of_a_secrets_data_are_none_of_it(tmp_path: Path) -> None:
    many = (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: webhook-server-certificate\n---\n"
        "apiVersion: v1\nkind: Service\nspec:\n  serviceAccountName: controllermanagerXyZ12\n"
    )
    real = "kind: Secret\nmetadata:\n  name: some-certificate-Of-9\ndata:\n  key: cDhaazJMbVAweFd2N1J0WQ==\n"
    report = look(tmp_path, {"many.yaml": many, "real.yaml": real})
    assert found(report, "SUP420") == [("medium", "real.yaml")]
    assert report.findings[0].subject.extra["lines"] == [5]


def test_hashes_expressions_and_cell_ids_are_no_secrets(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "metadata": {"id": "APBdPcihmFBa"}, "source": "x = 1"}]
    report = look(tmp_path, {
        ".secrets.baseline": json.dumps({"hashed_secret": HASH}), "a.yaml": f"hashed_secret: {HASH}\n",
        "n.ipynb": json.dumps({"cells": cells}),
        "run.sh": 'python - <<EOF\npassword = base64.b64decode(available["DB_PASSWORD"])\nEOF\n',
    })  # fmt: skip
    assert found(report, "SUP420") == []


@pytest.mark.parametrize(
    ("name", "line", "severity"),
    [
        ("compose.yml", "POSTGRES_PASSWORD: postgres", "low"),
        ("compose.yml", "POSTGRES_PASSWORD: ${DB_PASSWORD:-minivess_secret}", "low"),
        ("compose.yml", "- MINIO_ROOT_PASSWORD=minioadmin", "low"),
        (".env", "MYSQL_ROOT_PASSWORD=toor", "low"),
        (".env", "JWT_SECRET=change-me", "low"),
        ("application.yaml", "  password: ${OPERATOR_PASSWORD:change-operator}", "low"),
        ("pod.yaml", "  secretKey: apikey", None),
        (".env", "MYSQL_ROOT_PASSWORD=kJ8fQ2mZx9Lw4R", "medium"),
        ("compose.yml", "POSTGRES_PASSWORD: ${DB_PASSWORD}", None),
        ("compose.yml", "POSTGRES_PASSWORD: ${DB_PASSWORD:?set it}", None),
        ("compose.yml", "POSTGRES_PASSWORD_FILE: /run/secrets/db", None),
        (".env", "DB_PASSWORD=", None),
        (".env.example", "DB_PASSWORD=postgres", None),
        ("api.yaml", "  password: string", None),
        (".github/workflows/ci.yml", "POSTGRES_PASSWORD: postgres", None),
        ("run.sh", "password=secretname", None),
    ],
)
def test_a_password_that_everybody_guesses_is_low(tmp_path: Path, name: str, line: str, severity: str | None) -> None:
    report = look(tmp_path, {name: f"{line}\n"})
    assert found(report, "SUP420") == ([] if severity is None else [(severity, name)])


def test_programs_and_texts_about_dockerfiles_are_none(tmp_path: Path) -> None:
    body = "RUN pip install torch\nCMD uvicorn a:b --host 0.0.0.0\n"
    names = ["test_dockerfile_mlflow.py", "dockerfile.md", "dockerfile_lexer.go"]
    bad = ["Dockerfile", "Dockerfile_amd", "gpu.Dockerfile", "docker/Dockerfile.cuda", "Dockerfile.before"]
    report = look(tmp_path, dict.fromkeys(names + bad, body))
    assert {path for _, path in found(report, "SUP422") + found(report, "SUP427")} == set(bad)


def test_installs_of_notebooks_and_workflows_are_low_and_of_containers_medium(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": "!pip install seen"},
        {"cell_type": "code", "source": ["import os\n", "!pip install -q torch # any\n", "%pip install a==1.0\n"]},
        {"cell_type": "code", "source": "print('pip install x')\n!python -m pip install git+https://a.b/c.git"},
    ]
    report = look(tmp_path, {
        "n.ipynb": json.dumps({"cells": cells}),
        ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: pip install pytest\n",
        "compose.yml": "services:\n  a:\n    command: bash -c 'pip install psycopg2 && mlflow server'\n",
        "fine.yml": "run: pip install a==1.0\n", "Makefile": "lint:\n\tpip install black\n",
    })  # fmt: skip
    assert found(report, "SUP422") == [
        ("low", ".github/workflows/ci.yml"), ("low", "Makefile"), ("low", "n.ipynb"), ("medium", "compose.yml"),
    ]  # fmt: skip
    claim = next(f.claim for f in report.findings if f.subject.extra.get("path") == "n.ipynb")
    assert "cell 2, line 2, cell 3, line 2" in claim


def test_a_client_of_ollama_is_no_ollama(tmp_path: Path) -> None:
    body = "services:\n  web:\n    build: .\n    ports:\n      - '80:80'\n    environment:\n      - OLLAMA_HOST={}\n"
    report = look(tmp_path, {
        "a/compose.yml": body.format("http://ollama:11434"), "b/compose.yml": body.format("0.0.0.0"),  # noqa: S104 - looked for
    })  # fmt: skip
    assert found(report, "SUP427") == [("high", "b/compose.yml")]


def test_a_password_that_only_starts_like_minios_own_is_another(tmp_path: Path) -> None:
    body = "services:\n  s3:\n    image: minio/minio\n    ports: ['9000:9000']\n    environment:\n      {}\n"
    report = look(tmp_path, {
        "a/compose.yml": body.format("MINIO_ROOT_PASSWORD: ${MINIO_ROOT_PASSWORD:-minioadmin_K8x}"),
        "b/compose.yml": body.format("MINIO_ROOT_PASSWORD: ${MINIO_ROOT_PASSWORD:-minioadmin}"),
    })  # fmt: skip
    assert found(report, "SUP427") == [("high", "b/compose.yml"), ("medium", "a/compose.yml")]


def test_charts_and_platforms_stand_before_what_they_start(tmp_path: Path) -> None:
    line = "uvicorn a:b --host 0.0.0.0\n"
    report = look(tmp_path, {"values.yaml": f"command: {line}", "railway.toml": f"start = '{line.strip()}'\n",
                             "Procfile": f"web: {line}", "run.sh": line})  # fmt: skip
    assert found(report, "SUP427") == [
        ("low", "Procfile"), ("low", "railway.toml"), ("low", "values.yaml"), ("medium", "run.sh"),
    ]  # fmt: skip


def test_loads_by_address_are_found_in_both_modules(tmp_path: Path) -> None:
    report = look(tmp_path, {
        "a.py": "import torch\nx = torch.utils.model_zoo.load_url(url)\n",
        "b.py": "from torch.hub import load_state_dict_from_url\nx = load_state_dict_from_url(url)\n",
    })  # fmt: skip
    assert found(report, "SUP425") == [("medium", "a.py"), ("medium", "b.py")]


def test_pickles_that_are_only_written_are_left_alone(tmp_path: Path) -> None:
    code = "import numpy as np\nnp.save('x', y, allow_pickle=True)\nstore.numpy.save(f, y, allow_pickle=True)\n"
    assert found(look(tmp_path, {"a.py": code}), "SUP425") == []


def test_remote_code_of_a_test_is_low(tmp_path: Path) -> None:
    code = "M.from_pretrained('x', trust_remote_code=True)\n"
    report = look(
        tmp_path, {"integration-tests/models/test_a.py": code, "a.py": code, "tests/c.sh": "x --trust-remote-code\n"}
    )
    assert found(report, "SUP424") == [
        ("high", "a.py"), ("low", "integration-tests/models/test_a.py"), ("low", "tests/c.sh"),
    ]  # fmt: skip


def test_byte_order_marks_are_read_and_other_encodings_are_said(tmp_path: Path) -> None:
    report = look(tmp_path, {
        "requirements.txt": "\ufefftorch\nnumpy\n".encode("utf-16-le"),
        "a.py": b"\xef\xbb\xbfimport pickle\npickle.load(f)\n",
        "b.py": "import pickle\npickle.load(f)\n".encode("utf-16-le"),
        "c.py": "# -*- coding: latin-1 -*-\nx = '\xe9'\nimport pickle\npickle.load(f)\n".encode("latin-1"),
    })  # fmt: skip
    assert found(report, "SUP422") == [("medium", "requirements.txt")]
    assert found(report, "SUP425") == [("medium", "a.py"), ("medium", "c.py")]
    assert [(f.subject.extra["path"], f.subject.extra["kind_of"]) for f in report.findings if f.method == "SUP441"] == [
        ("b.py", "code with NUL bytes")
    ]


def test_what_many_files_share_is_said_once_in_words_and_kept_whole_in_json(tmp_path: Path) -> None:
    report = look(tmp_path, {f"m{n:03}.py": "import pickle\npickle.load(f)\n" for n in range(400)})
    text = to_text(report)
    assert len(found(report, "SUP425")) == 400
    assert len(text.splitlines()) < 60
    assert "the same (pickle) in 397 more files" in " ".join(text.split())
    assert len(json.dumps(report.to_json())) > 100_000


def test_large_projects_say_how_far_they_are(tmp_path: Path) -> None:
    class Told:
        """What was said, in order."""

        def __init__(self) -> None:
            self.steps: list[tuple[str, float]] = []

        def step(self, what: str, done: float) -> None:
            self.steps.append((what, done))

    look(tmp_path, {f"{n}.py": "import pickle\n" for n in range(200)})
    told = Told()
    posture(tmp_path, offline=True, progress=told)
    assert any(what.startswith("reading: file 100 of 200") for what, _ in told.steps)
    assert all(0 <= done <= 1 for _, done in told.steps)


def test_one_line_of_megabytes_and_a_notebook_of_none_end_soon(tmp_path: Path) -> None:
    (tmp_path / "app.min.js").write_bytes(b"var a=1;" * (6 << 20))
    report = look(tmp_path, {"n.ipynb": "not json", "b.js": "x='a';" * 300_000, "empty.ipynb": "", "list.ipynb": "[1]"})
    said = {str(f.subject.extra["kind_of"]): f.subject.extra["files"] for f in report.findings if f.method == "SUP441"}
    assert said == {"text of more than 2 MiB": 1, "no Python 3 that can be parsed": 3}


def test_what_follows_pips_list_in_a_conda_file_is_condas_again(tmp_path: Path) -> None:
    body = "dependencies:\n  - python=3.10\n  - pip:\n    - a==1.0\n    - b=1\n\n  # more\n  - attrs=20.3\n  - six\n"
    report = look(tmp_path, {"environment.yml": body})
    assert [f.subject.extra["lines"] for f in report.findings if f.method == "SUP422"] == [[5, 9]]


def test_what_only_tests_install_is_low(tmp_path: Path) -> None:
    report = look(tmp_path, {"tests/e2e/requirements.txt": "flask\n", "tests/Dockerfile": "RUN pip install x\n"})
    assert found(report, "SUP422") == [("low", "tests/Dockerfile"), ("low", "tests/e2e/requirements.txt")]


@pytest.mark.parametrize(
    ("code", "open_"),
    [
        ("import uvicorn\np.add_argument('--host', default='0.0.0.0')\nuvicorn.run(app, host=args.host)", True),
        ("import click, flask\n@click.option('--host', default='0.0.0.0')\ndef f(host): app.run(host=host)", True),
        ("from fastapi import FastAPI\ndef serve(host: str = '0.0.0.0'): uvicorn.run(app, host=host)", True),
        ("import fastapi\nclass Settings:\n    host: str = '0.0.0.0'", True),
        ("import requests\np.add_argument('--host', default='0.0.0.0')\nrequests.get(args.host)", False),
        ("import uvicorn\np.add_argument('--host', default='127.0.0.1')\nuvicorn.run(app, host=args.host)", False),
        ("import uvicorn\np.add_argument('--url', default='0.0.0.0')", False),
    ],
)
def test_a_server_open_by_default_is_open(tmp_path: Path, code: str, open_: bool) -> None:  # noqa: FBT001 - a column
    assert found(look(tmp_path, {"a.py": code}), "SUP427") == [("medium", "a.py")] * open_


def test_modules_that_others_hand_on_are_known(tmp_path: Path) -> None:
    report = look(tmp_path, {
        "a.py": "try:\n    import joblib\nexcept ImportError:\n    from sklearn.utils._joblib import joblib\n"
        "joblib.load(f)\n",
        "b.py": "from .compat import torch\ntorch.load(f)\n", "c.py": "from . import pickle\npickle.load(f)\n",
    })  # fmt: skip
    assert found(report, "SUP425") == [("medium", "a.py"), ("medium", "b.py")]


def test_cells_with_shell_commands_are_read_and_broken_ones_are_said(tmp_path: Path) -> None:
    code = "#@title\nfiles = !ls\nif True:\n  !A=1 \\\n  B=2 ./run.sh\n  %cd x\nlen?\nimport pickle\npickle.load(f)\n"
    html = "# a\n%%html\n<a>"
    cells = [{"cell_type": "code", "source": source} for source in (code, html, "print 'two'")]
    report = look(tmp_path, {"n.ipynb": json.dumps({"cells": cells})})
    assert next(f.claim for f in report.findings if f.method == "SUP425").startswith(
        "n.ipynb unpickles at cell 1, line 9"
    )
    assert [f.subject.extra["kind_of"] for f in report.findings if f.method == "SUP441"] == [
        "cells that are no Python 3"
    ]


def test_a_server_named_in_a_mounted_path_is_not_started(tmp_path: Path) -> None:
    mounted = "docker run -it --network host -v/b:/opt/tritonserver/backends -v /c:/opt/tritonserver -w /x $IMAGE\n"
    real = "docker run -v /m:/models --network host nvcr.io/nvidia/tritonserver:24.01-py3\n"
    assert found(look(tmp_path, {"shell.sh": mounted, "real.sh": real}), "SUP427") == [("high", "real.sh")]


def test_torchserve_that_its_own_file_binds_to_this_machine_is_not_open(tmp_path: Path) -> None:
    start = "torchserve --start --ts-config c --disable-token-auth\n"
    local = "cat > c <<E\ninference_address=https://127.0.0.1:8080\nmanagement_address=https://127.0.0.1:8081\nE\n"
    mixed = local.replace("inference_address=https://127.0.0.1", "inference_address=http://0.0.0.0")
    report = look(tmp_path, {"bare.sh": start, "local.sh": local + start, "mixed.sh": mixed + start})
    assert {path for _, path in found(report, "SUP427")} == {"bare.sh", "mixed.sh"}


def test_a_full_loader_says_from_which_version_on_it_is_harmless(tmp_path: Path) -> None:
    report = look(tmp_path, {
        "a.py": "import yaml\nyaml.load(f, Loader=yaml.FullLoader)\nyaml.full_load(f)\n",
        "b.py": "import yaml\nyaml.load(f)\nyaml.unsafe_load(f)\n",
    })  # fmt: skip
    said = {f.subject.extra["path"]: f.claim for f in report.findings if f.method == "SUP426"}
    assert ("5.4" in said["a.py"], "5.4" in said["b.py"], len(said)) == (True, False, 2)
