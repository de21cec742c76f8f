"""Posture: what each check finds, what it leaves alone, and that nothing hostile stops it."""

from __future__ import annotations

import json
import os
import re
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.cli import cli, main
from mithridate.core.report import Report
from mithridate.flows.posture import posture
from mithridate.supply.posture import vulnerable_dependency as vulnerable
from mithridate.supply.posture.code import notebook, python
from mithridate.supply.posture.compose import services
from mithridate.supply.posture.requirements import parse
from mithridate.supply.posture.secret_forms import by_form, by_name
from mithridate.supply.posture.servers import exposed

TOKEN = "hf_" + "aQwErTyUiOpLkJhGfDsAzXcVbNmQpWoEiR"  # made up, of the issuer's form
KEY = "-----BEGIN " + "PRIVATE KEY-----\n" + "MC4CAQAwBQYDK2VuBCIEIAAAbBcCdDeEfFgGhHiIjJkKlLmMnNoO\n" * 2


def look(folder: Path, **files: str) -> Report:
    """The report on a folder of these files; `__` in a name is `/`, `_DOT_` a dot."""
    for name, body in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
        path.chmod(0o640)
    return posture(folder, offline=True)


def found(report: Report, method: str) -> list[tuple[str, str]]:
    """Severity and path of each finding of that check."""
    assert [check.reason for check in report.checks if check.status == "failed"] == []
    return [(f.severity.word, str(f.subject.extra.get("path", ""))) for f in report.findings if f.method == method]


UNSAFE = [
    "import pickle\npickle.load(open('m', 'rb'))",
    "import pickle as p\np.loads(data)",
    "from pickle import load as read\nread(f)",
    "def f():\n    import joblib\n    return joblib.load('m')",
    "import pickle\nread = pickle.load",
    "import torch\ntorch.load('m.pt')",
    "import torch\ntorch.load('m.pt', weights_only=False)",
    "import torch as t\nt.load('m.pt', map_location='cpu')",
    "import numpy as np\nnp.load('m.npy', allow_pickle=True)",
    "import dill\ndill.loads(x)",
    "import cloudpickle\ncloudpickle.load(x)",
    "import pandas as pd\npd.read_pickle('x')",
    "import shelve\nshelve.open('x')",
    "import pickle\npickle.Unpickler(f).load()",
    "import keras\nkeras.models.load_model('m', safe_mode=False)",
    "FAISS.load_local('x', e, allow_dangerous_deserialization=True)",
]
HARMLESS = [
    "# import pickle; pickle.load(f)",
    "'''import pickle\npickle.load(f)'''",
    "x = 'pickle.load(f)'",
    "import pickle\npickle.dumps(x)",
    "import json\njson.load(f)",
    "import torch\ntorch.load('m.pt', weights_only=True)",
    "import torch\ntorch.load('m.pt', weights_only=safe)",
    "import numpy as np\nnp.load('m.npy')\nnp.load('m.npy', allow_pickle=False)",
    "import pickle\ncopy = pickle.loads(pickle.dumps(x))",
    "import pickle\nclass Safe(pickle.Unpickler):\n    def find_class(self, m, n): raise ValueError",
    "from mypackage import load\nload('x')",
    "load = lambda f: f\nload('torch pickle')",
    "self.pickle.load(f)",
]


@pytest.mark.parametrize("code", UNSAFE)
def test_code_that_unpickles_is_found(tmp_path: Path, code: str) -> None:
    assert found(look(tmp_path, a_DOT_py=code), "SUP425") == [("medium", "a.py")]


@pytest.mark.parametrize("code", HARMLESS)
def test_code_that_does_not_unpickle_is_left_alone(tmp_path: Path, code: str) -> None:
    assert found(look(tmp_path, a_DOT_py=code), "SUP425") == []


def test_what_comes_over_the_network_is_high_and_a_test_is_low(tmp_path: Path) -> None:
    report = look(
        tmp_path, a_DOT_py="import pickle, requests\npickle.loads(requests.get(u).content)",
        tests__test_b_DOT_py="import pickle\npickle.load(f)\npickle.loads(x)",
    )  # fmt: skip
    assert found(report, "SUP425") == [("high", "a.py"), ("low", "tests/test_b.py")]


def test_one_finding_a_file_and_kind_with_all_its_lines(tmp_path: Path) -> None:
    code = "import pickle, torch\npickle.load(f)\npickle.load(g)\ntorch.load(h)\n"
    report = look(tmp_path, a_DOT_py=code)
    assert found(report, "SUP425") == [("medium", "a.py")] * 2
    assert [f.subject.extra["lines"] for f in report.findings if f.method == "SUP425"] == [[2, 3], [4]]
    moved = look(tmp_path, a_DOT_py="\n\n# more\n" + code)
    assert {f.fingerprint for f in moved.findings} == {f.fingerprint for f in report.findings}


def test_notebooks_are_read_cell_by_cell(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": "pickle.load(f)"},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install x\n", "import pickle\n"]},
        {"cell_type": "code", "source": "if x:\n    !ls\ny = pickle.load(f)"},
        {"cell_type": "code", "source": "%%bash\npickle.load(f)"},
        {"cell_type": "code", "source": f"token = '{TOKEN}'", "outputs": []},
        {"cell_type": "code", "source": ["db_password = 'SuperSecret123!'\n"], "outputs": []},
    ]
    report = look(tmp_path, n_DOT_ipynb=json.dumps({"cells": cells, "nbformat": 4}))
    assert found(report, "SUP425") == [("medium", "n.ipynb")]
    assert "cell 3, line 3" in next(f.claim for f in report.findings if f.method == "SUP425")
    assert found(report, "SUP420") == [("high", "n.ipynb"), ("medium", "n.ipynb")]


@pytest.mark.parametrize(
    ("code", "bad"),
    [
        ("yaml.load(f)", True), ("yaml.load(f, Loader=yaml.Loader)", True), ("yaml.load(f, yaml.FullLoader)", True),
        ("yaml.unsafe_load(f)", True), ("yaml.load_all(f, Loader=yaml.UnsafeLoader)", True),
        ("yaml.safe_load(f)", False), ("yaml.load(f, Loader=yaml.SafeLoader)", False),
        ("yaml.load(f, yaml.CSafeLoader)", False), ("yaml.load(f, Loader=MyLoader)", False),
        ("yaml.load(f, **options)", False), ("other.load(f)", False), ("'yaml.load(f)'", False),
    ],
)  # fmt: skip
def test_yaml_is_judged_by_its_loader(tmp_path: Path, code: str, bad: bool) -> None:  # noqa: FBT001 - a column
    assert bool(found(look(tmp_path, a_DOT_py=f"import yaml\n{code}\n"), "SUP426")) == bad


def test_remote_code_is_found_wherever_it_is_switched_on(tmp_path: Path) -> None:
    pin = "0123456789abcdef0123456789abcdef01234567"
    report = look(
        tmp_path,
        call_DOT_py="M.from_pretrained('x', trust_remote_code=True)",
        default_DOT_py="def f(trust_remote_code=True): ...",
        mapping_DOT_py="kw = {'trust_remote_code': True}",
        hub_DOT_py="import torch\ntorch.hub.load('a/b', 'c', trust_repo=True)",
        pinned_DOT_py=f"M.from_pretrained('x', trust_remote_code=True, revision='{pin}')",
        off_DOT_py="M.load('x', trust_remote_code=False)\n# trust_remote_code=True\n'trust_remote_code=True'\n",
        config_DOT_yaml="model:\n  trust_remote_code: true\n",
        run_DOT_sh="# --trust-remote-code\nvllm serve x \\\n  --trust-remote-code\n",
        fine_DOT_yaml="trust_remote_code: false\n# trust_remote_code: true\n",
    )
    assert sorted(found(report, "SUP424")) == sorted([
        ("high", "call.py"), ("high", "default.py"), ("high", "mapping.py"), ("high", "hub.py"), ("low", "pinned.py"),
        ("high", "config.yaml"), ("high", "run.sh"),
    ])  # fmt: skip


def test_secrets_are_found_by_form_and_never_shown(tmp_path: Path) -> None:
    report = look(
        tmp_path, a_DOT_py=f"# {TOKEN}\n", _DOT_env="DB_PASSWORD=kJ8fQ2mZx9Lw4R\n", key_DOT_json=json.dumps({"k": KEY}),
        conf_DOT_yaml="api_key: 'q8Zk2LmP0xWv7RtY'\n", b_DOT_py="api_key = 'q8Zk2LmP0xWv7RtY'\n",
    )  # fmt: skip
    assert sorted(found(report, "SUP420")) == [
        ("high", "a.py"), ("high", "key.json"), ("medium", ".env"), ("medium", "b.py"), ("medium", "conf.yaml"),
    ]  # fmt: skip
    text = json.dumps(report.to_json())
    assert not any(secret in text for secret in (TOKEN, "kJ8fQ2mZx9Lw4R", "q8Zk2LmP0xWv7RtY", "MC4CAQ"))


@pytest.mark.parametrize(
    "body",
    [
        "hf_" + "x" * 34, "AKIAIOSFODNN7EXAMPLE", "password = os.environ['PASSWORD1']", "api_key = '<your-key-123>'",
        "api_key = '${API_KEY_1}'", "password: changeme123", "secret = 'my-secret-name'", "token = get_token(x1)",
        "-----BEGIN " + "PRIVATE KEY-----\n...\n", "private_key = X25519PrivateKey.generate()", "password = ''",
        "AUTH_TOKEN_URL = 'https://a.b/c1d2e3f4'", "commit = 'da39a3ee5e6b4b0d3255bfef95601890afd80709'",
        "PASSWORD_HASH_ROUNDS1 = 12345678", "secret_key_file = '/run/secrets/key1'",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret_is_left_alone(body: str) -> None:
    assert {*by_form(body), *by_name(body, "a.py", bare=False)} <= {("AWS access key", 1, "example")}


def test_requirements_are_read_as_pip_reads_them(tmp_path: Path) -> None:
    pin = "a==1.0 --hash=sha256:" + "0" * 64
    report = look(
        tmp_path, requirements_DOT_txt=f"{pin}\n", requirements__dev_DOT_txt="numpy>=1\nflask\nrequests==2.0\n",
        requirements_more_DOT_txt="--extra-index-url https://x/simple\na @ git+https://x/y@main\n-e .\n",
        pyproject_DOT_toml="[project]\ndependencies = ['numpy>=1']\n",
    )  # fmt: skip
    assert sorted(found(report, "SUP422")) == [
        ("low", "requirements/dev.txt"), ("medium", "requirements/dev.txt"),
        ("medium", "requirements_more.txt"), ("medium", "requirements_more.txt"),
    ]  # fmt: skip
    lines = parse(
        "a==1.0; python_version<'4'\nb[x]~=2.0\nc===1\nd==1.*\n# e\n\n-r more.txt\nf @ git+https://x@" + "0" * 40
    )
    assert [(r.name, r.version) for r in lines][:4] == [("a", "1.0"), ("b", ""), ("c", "1"), ("d", "")]
    assert lines[-1].version == "commit"
    assert [r[3:] for r in parse("m @ https://x/m-3.8-py3-none-any.whl")] == [("archive", False)]


def test_keys_that_others_can_read_are_high_and_data_is_one_low_finding(tmp_path: Path) -> None:
    for name, body, mode in (
        ("k.pem", KEY, 0o644), ("mine.pem", KEY, 0o600), ("cert.pem", "-----BEGIN CERTIFICATE-----\n", 0o644),
        ("id_rsa", "x", 0o644), ("d/a.csv", "1", 0o644), ("d/b.parquet", "1", 0o644), ("e.csv", "1", 0o640),
        ("w.py", "", 0o666), ("a.py", "", 0o644), (".env.example", "A=", 0o644), (".env", "PORT=80\nTOKEN=\n", 0o644),
        ("x/.env", "PORT=80\nDB_PASSWORD=hunter\n", 0o644),
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(body)
        path.chmod(mode)
    report = posture(tmp_path, offline=True)
    assert sorted(found(report, "SUP423")) == [
        ("high", "id_rsa"), ("high", "k.pem"), ("high", "x/.env"), ("low", "d"), ("medium", "w.py"),
    ]  # fmt: skip
    assert next(f.claim for f in report.findings if f.subject.extra.get("kind_of") == "data").startswith("2 data files")


COMPOSE = """
services:
  {name}:
    image: {image}
    command: {command}
    ports:
      - "{port}"
"""


@pytest.mark.parametrize(
    ("image", "command", "port", "severity"),
    [
        ("ghcr.io/mlflow/mlflow", "mlflow server --host 0.0.0.0", "5000:5000", "high"),
        ("ghcr.io/mlflow/mlflow", "mlflow server --host 0.0.0.0", "127.0.0.1:5000:5000", None),
        ("ghcr.io/mlflow/mlflow", "mlflow server --host 0.0.0.0 --app-name basic-auth", "5000:5000", "medium"),
        ("vllm/vllm-openai", "--model x", "8000:8000", "high"),
        ("vllm/vllm-openai", "--model x --api-key $KEY", "8000:8000", "medium"),
        ("ollama/ollama", "serve", "11434:11434", "high"),
        ("ollama/ollama", "serve", "0.0.0.0:11434:11434", "high"),
        ("nvcr.io/nvidia/tritonserver:24.01-py3", '["tritonserver", "--model-repository=/m"]', "8000:8000", "high"),
        ("quay.io/jupyter/scipy-notebook", "start-notebook.sh --ip=0.0.0.0 --ServerApp.token=''", "8888:8888", "high"),
        ("quay.io/jupyter/scipy-notebook", "start-notebook.sh --ip=0.0.0.0", "8888:8888", "medium"),
        ("qdrant/qdrant", "x", "6333:6333", "high"),
        ("redis:7", "redis-server --requirepass x", "6379:6379", "medium"),
        ("nginx", "nginx", "443:443", None),
        ("mycompany/redis-exporter", "x", "9121:9121", None),
    ],
)
def test_compose_services_are_judged_by_port_and_key(
    tmp_path: Path, image: str, command: str, port: str, severity: str | None
) -> None:
    body = COMPOSE.format(name="it", image=image, command=command, port=port)
    said = found(look(tmp_path, docker_compose_DOT_yml=body.strip()), "SUP427")
    (tmp_path / "docker_compose.yml").rename(tmp_path / "docker-compose.yml")
    said = found(posture(tmp_path, offline=True), "SUP427")
    assert said == ([] if severity is None else [(severity, "docker-compose.yml")])


def test_servers_in_other_files_are_found(tmp_path: Path) -> None:
    report = look(
        tmp_path,
        triton_DOT_sh="tritonserver --model-repository=/m\n", there_DOT_sh="vllm serve m --host 127.0.0.1\n",
        rpc_DOT_py="s.add_insecure_port('[::]:50051')\nt.add_insecure_port('localhost:1')\n",
        plain_DOT_py="from http.server import HTTPServer\nHTTPServer(('0.0.0.0', 80), H)\n",
        serve_DOT_sh="torchserve --start --disable-token-auth\n",
        start_DOT_sh="mlflow ui --host 0.0.0.0\n",
        fine_DOT_sh="mlflow ui --host 127.0.0.1\n# mlflow ui --host 0.0.0.0\n",
        Dockerfile='CMD ["ray", "start", "--head", "--dashboard-host=0.0.0.0", "--block"]\n',
        config_DOT_properties="inference_address=http://0.0.0.0:8080\nmanagement_address=http://0.0.0.0:8081\n",
        ollama_DOT_service="[Service]\nEnvironment=OLLAMA_HOST=0.0.0.0:11434\n",
        jupyter_server_config_DOT_py="c = get_config()\nc.ServerApp.ip = '0.0.0.0'\nc.ServerApp.token = ''\n",
        app_DOT_py="from flask import Flask\napp = Flask('a')\napp.run(host='0.0.0.0', debug=True)\n",
        dash_DOT_py="import ray\nray.init(dashboard_host='0.0.0.0')\n",
        demo_DOT_py="import gradio as gr\ngr.Interface(f).launch(share=True)\n",
        auth_DOT_py="import gradio as gr\ngr.Interface(f).launch(share=True, auth=('a', p))\n",
        local_DOT_py="import ray\nray.init(dashboard_host='127.0.0.1')\n# 0.0.0.0\n",
        web_DOT_sh="uvicorn app:app --host 0.0.0.0\n",
        pod_DOT_yaml="apiVersion: v1\nkind: Pod\nspec: {args: ['mlflow server --host 0.0.0.0']}\n",
    )  # fmt: skip
    assert sorted(found(report, "SUP427")) == sorted([
        ("high", "serve.sh"), ("high", "start.sh"), ("medium", "Dockerfile"), ("high", "config.properties"),
        ("medium", "web.sh"), ("high", "ollama.service"), ("medium", "triton.sh"), ("medium", "rpc.py"),
        ("medium", "plain.py"), ("high", "jupyter_server_config.py"), ("high", "app.py"), ("high", "dash.py"),
        ("high", "demo.py"),
    ])  # fmt: skip


def test_compose_is_read_by_indentation() -> None:
    body = """
x-common: &common
  a: 1
services:
  one:
    ports: ["1:1", "127.0.0.1:2:2"]
  two:
    # ports: ["1:1"]
    ports:
    - 127.0.0.1:3:3
    environment:
    - A=9:9
  three:
    network_mode: host
  four:
    ports:
      - target: 80
        published: 80
        host_ip: 127.0.0.1
volumes:
  five: {}
"""
    said = [(service.name, service.published) for service in services(body)]
    assert said == [("one", True), ("two", False), ("three", True), ("four", False)]


def test_models_need_a_card_and_a_signature(tmp_path: Path) -> None:
    report = look(tmp_path, a__m_DOT_pt="x" * 2000, b__m_DOT_onnx="x" * 2000, tests__t_DOT_pt="x" * 2000)
    assert found(report, "SUP428") == [("low", "a/m.pt"), ("low", "b/m.onnx")]
    assert found(report, "SUP440") == [("low", "a/m.pt"), ("low", "b/m.onnx")]
    card = "# M\n## Intended use\nx\n## Training data\ny\n"
    report = look(
        tmp_path, a__README_DOT_md=card, b__model_card_DOT_md="x", a__m_DOT_pt_DOT_sig="s", b__model_DOT_sig="s"
    )
    assert found(report, "SUP428") == found(report, "SUP440") == []
    assert {check.method for check in look(tmp_path / "new", a_DOT_py="").checks if check.status == "skipped"} >= {
        "SUP428"
    }


def test_a_contact_is_an_address_in_security_md(tmp_path: Path) -> None:
    assert found(look(tmp_path, a_DOT_py=""), "SUP429") == [("low", "")]
    assert found(look(tmp_path, SECURITY_DOT_md="We care."), "SUP429") == [("low", "SECURITY.md")]
    assert found(look(tmp_path, SECURITY_DOT_md="Write to security@example.org"), "SUP429") == []


def test_known_flaws_are_found_and_no_answer_is_a_skip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text("Flask==0.5\nnumpy==2.0.0\n")

    class Done:
        stderr = "could not connect"
        stdout = json.dumps(
            {"dependencies": [{"name": "flask", "version": "0.5", "vulns": [{"id": "PYSEC-1"}]},
                              {"name": "numpy", "version": "2.0.0", "vulns": []}]}
        )  # fmt: skip

    monkeypatch.setattr(vulnerable.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(vulnerable.subprocess, "run", lambda *_, **__: Done)
    report = posture(tmp_path, methods=["SUP421"])
    assert next(f.claim for f in report.findings).endswith("at line 1")
    Done.stdout = json.dumps({"dependencies": [{"name": name, "skip_reason": "not found"} for name in "ab"]})
    check = posture(tmp_path, methods=["SUP421"]).checks[0]
    assert (check.status, "knew none of 2 packages" in str(check.reason)) == ("skipped", True)
    Done.stdout = ""
    check = posture(tmp_path, methods=["SUP421"]).checks[0]
    assert (check.status, check.reason) == ("skipped", "pip-audit could not ask its database: could not connect")
    assert posture(tmp_path, offline=True, methods=["SUP421"]).checks[0].status == "skipped"


def test_hostile_folders_are_walked_to_the_end(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "dangling.py").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "fifo.py")
    with (tmp_path / "sparse.py").open("wb") as file:
        file.truncate(10 << 30)
    (tmp_path / "binary.py").write_bytes(os.urandom(5000) + b"\0pickle.load")
    (tmp_path / "nul.yaml").write_bytes(b"\0" * 100)
    (tmp_path / "deep.py").write_text("import pickle\n" + "(" * 5000 + ")" * 5000)
    (tmp_path / "deep.ipynb").write_text("[" * 50_000)
    (tmp_path / "old.py").write_text("print 'x'\nimport pickle\n")
    (tmp_path / os.fsdecode(b"odd\xff\n.py")).write_text("import pickle\npickle.load(f)\n")
    (tmp_path / "chain.py").write_text("import pickle\nx = " + "+".join(["a"] * 20_000) + "\n")
    (tmp_path / "last.py").write_text("import pickle\npickle.load(f)\n")
    deep = tmp_path
    for _ in range(80):
        deep /= "d"
    deep.mkdir(parents=True)
    started = time.process_time()
    report = posture(tmp_path, offline=True)
    assert time.process_time() - started < 5
    assert ("medium", "last.py") in found(report, "SUP425")
    assert len(found(report, "SUP425")) == 2
    reasons = {str(f.subject.extra["kind_of"]) for f in report.findings if f.method == "SUP441"}
    assert reasons >= {"FIFO, socket or device", "text of more than 2 MiB", "no Python 3 that can be parsed"}
    json.dumps(report.to_json()).encode()


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=300), st.sampled_from(["import pickle\n", "services:\n", '{"cells": [', "api_key = '", ""]))
def test_any_text_is_read_without_an_exception(body: str, start: str) -> None:
    body = start + body
    python(body)
    notebook(body)
    parse(body)
    [*services(body), *by_form(body), *by_name(body, "a", bare=True)]
    exposed(body, published=True)


@pytest.mark.parametrize(
    "body", ["a" * 100_000, "password" * 10_000, "a.b:c," * 20_000, "key = " * 20_000, "\\t " * 40_000,
             "- " * 50_000, "'" * 50_000, "  ports:\n" * 10_000, "[,\"'" * 25_000,
             "-----BEGIN PRIVATE KEY-----" * 2500, "--host=" * 15_000, "x.y" * 30_000]
)  # fmt: skip
def test_no_text_takes_long(tmp_path: Path, body: str) -> None:
    started = time.process_time()
    look(tmp_path, a_DOT_yml="services:\n  a:\n    " + body, b_DOT_sh=body, requirements_DOT_txt=body, _DOT_env=body)
    assert time.process_time() - started < 30  # what is quadratic takes minutes


def test_the_verb_writes_reports_and_exits_by_severity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.py").write_text("import pickle\npickle.load(f)\n")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> int:
        with pytest.raises(SystemExit) as left:
            main(["posture", "--offline", *words])
        return int(left.value.code or 0)

    suffixes = ["json", "html", "sarif", "xml", "md", "txt"]
    outputs = [word for suffix in suffixes for word in ("-o", f"r.{suffix}")]
    assert run("p", *outputs) == 0
    assert run("p", "--fail-on", "medium", "-q") == 1
    assert run("p", "--fail-on", "low", "--baseline", "r.json", "-q") == 0
    assert run("none") == 2
    raw: dict[str, Any] = json.loads((tmp_path / "r.json").read_text())
    assert raw["target"]["kind"] == "project"
    assert all((tmp_path / f"r.{suffix}").stat().st_size > 200 for suffix in suffixes)
    assert stat.S_ISREG((tmp_path / "p" / "a.py").stat().st_mode)


def test_a_posture_speaks_of_no_poison(tmp_path: Path) -> None:
    (tmp_path / "SECURITY.md").write_text("Write to security@example.org.")
    said = CliRunner().invoke(cli, ["posture", "--offline", str(tmp_path)]).output
    assert "project" in said
    assert not {"poison", "audit", "POWER"} & set(re.findall(r"\w+", said))
