"""Small projects with one weakness each, and the same ones without it: written by seed, read by nobody but the checks.

The surroundings change with the seed (packaging, where in the file the code stands, names, ports, made-up keys); the
weakness and its harmless twin are those of `posture_secrets`, `posture_code`, `posture_servers` and of here.
"""

# ruff: noqa: E501 - tables of planted text: one spelling a line

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import NamedTuple

import posture_code
import posture_secrets
import posture_servers
from posture_tokens import fill

_HASH = " \\\n    --hash=sha256:<sha256>"
LOOSE = (
    ("requirements.txt", "torch\nnumpy>=1.26\n", f"numpy==1.26.4{_HASH}\ntorch==2.3.0{_HASH}\n"),
    ("requirements-dev.txt", "pytest~=8.0\n", f"pytest==8.2.0{_HASH}\n"),
    ("dev_requirements.txt", "black\n", f"black==24.4.0{_HASH}\n"),
    ("requirements/base.txt", "pandas>2,<3\n", f"pandas==2.2.2{_HASH}\n"),
    ("requirements/prod.txt", "fastapi[all]>=0.110 ; python_version > '3.8'\n", f"fastapi[all]==0.110.0 ; python_version > '3.8'{_HASH}\n"),
    ("requirements.txt", "git+https://github.com/acme/net.git\n", "net @ git+https://github.com/acme/net.git@<hex40>\n"),
    ("requirements.txt", "net @ git+https://github.com/acme/net@main\n", "net @ https://acme.dev/net-1.0-py3-none-any.whl#sha256=<sha256>\n"),
    ("requirements.txt", "torch==2.*\n", f"torch==2.3.0+cpu{_HASH}\n"),
    ("app/requirements.txt", "-e git+ssh://git@github.com/acme/net.git#egg=net\n", "-e .\n"),
    ("Dockerfile", "FROM python:3.12\nRUN pip install torch transformers\n", "FROM python:3.12\nCOPY requirements.txt .\nRUN pip install --require-hashes -r requirements.txt\n"),
    ("docker/Dockerfile.gpu", "FROM python:3.12\nRUN apt-get update && \\\n    pip3 install --no-cache-dir \\\n      flask gunicorn\n", "FROM python:3.12\nRUN pip3 install --no-cache-dir \\\n      flask==3.0.3 gunicorn==22.0.0\n"),
    ("environment.yml", "name: x\ndependencies:\n  - python=3.12\n  - numpy\n  - pip:\n    - transformers\n", "name: x\ndependencies:\n  - python=3.12.3\n  - numpy=1.26.4\n  - pip:\n    - transformers==4.41.0\n"),
    ("conda/env.yaml", "dependencies:\n  - pytorch>=2\n", "dependencies:\n  - pytorch=2.3.0=py3.12_cpu_0\n"),
    ("Pipfile", '[packages]\nrequests = "*"\n', '[packages]\nrequests = "==2.32.0"\n'),
    ("scripts/install.sh", "pip install -U vllm\n", "pip install vllm==0.5.0\n"),
)  # fmt: skip
BARE = (
    ("requirements.txt", "numpy==1.26.4\ntorch==2.3.0\n", f"numpy==1.26.4{_HASH}\n"),
    ("requirements/ci.txt", "pytest==8.2.0  # tests\n", f"pytest==8.2.0{_HASH}\n"),
    (
        "requirements.txt",
        "net @ https://acme.dev/net-1.0-py3-none-any.whl\n",
        "net @ https://acme.dev/net-1.0-py3-none-any.whl#sha256=<sha256>\n",
    ),
)
INDEX = (
    ("requirements.txt", f"--extra-index-url https://pypi.acme.dev/simple\nnumpy==1.26.4{_HASH}\n", f"--index-url https://pypi.acme.dev/simple\nnumpy==1.26.4{_HASH}\n"),
    ("requirements.txt", f"--trusted-host pypi.acme.dev\nnumpy==1.26.4{_HASH}\n", f"--only-binary :all:\nnumpy==1.26.4{_HASH}\n"),
    ("requirements.txt", f"-i http://pypi.acme.dev/simple\nnumpy==1.26.4{_HASH}\n", f"-i https://pypi.acme.dev/simple\nnumpy==1.26.4{_HASH}\n"),
    ("pip.conf", "[global]\nextra-index-url = https://pypi.acme.dev/simple\n", "[global]\nindex-url = https://pypi.acme.dev/simple\n"),
    ("Dockerfile", "FROM python:3.12\nRUN pip install --extra-index-url https://pypi.acme.dev/simple net==1.0\n", "FROM python:3.12\nRUN pip install --index-url https://pypi.acme.dev/simple net==1.0\n"),
)  # fmt: skip
MODES = (  # path, content, the mode that is too wide, the right one
    ("keys/server.pem", "<pem>\n", 0o644, 0o600), ("keys/server.key", "<pem-rsa>\n", 0o664, 0o640), ("id_ed25519", "<pem-ssh>\n", 0o644, 0o600),
    (".ssh/id_rsa", "<pem-rsa>\n", 0o755, 0o600), (".env", "APP_MODE=x\nAPI_KEY=${VAULT}\nDB_PASS=<word>\n", 0o644, 0o600),
    (".netrc", "machine a login b\n", 0o644, 0o600), ("certs/client.p12", "<b64>", 0o644, 0o600), (".pgpass", "db:5432:*:ml:<word>\n", 0o644, 0o600),
    ("key.enc.pem", "<pem-pkcs8>\n", 0o604, 0o400), ("train.py", "print(1)\n", 0o666, 0o644), ("run.sh", "echo 1\n", 0o777, 0o755),
    ("kubeconfig", "apiVersion: v1\n", 0o644, 0o600),
)  # fmt: skip
DATA = tuple(
    (f"data/rows{end}", "a,b\n1,2\n", 0o644, 0o640) for end in (".csv", ".parquet", ".jsonl", ".npz", ".h5", ".db")
)
MODELS = (
    "model.pt",
    "weights/net.safetensors",
    "out/model.onnx",
    "model.joblib",
    "m.gguf",
    "models/a/pytorch_model.bin",
    "clf.pkl",
    "net.keras",
)

SECURITY = "Found a flaw? Write to security@acme.dev; we answer in two days.\n"
CARD = "---\nlicense: mit\npipeline_tag: text-generation\n---\n# Model card\n## Intended use\nTests.\n## Training data\nNone.\n"
LOCKED = f"numpy==1.26.4{_HASH}\n"
PACKAGING: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "pip": {"requirements.txt": LOCKED, "setup.py": 'from setuptools import setup\nsetup(name="x", install_requires=["numpy>=1.26"])\n'},
    "setup.cfg": {"setup.cfg": "[metadata]\nname = x\n[options]\ninstall_requires =\n    numpy>=1.26\n"},
    "poetry": {"pyproject.toml": '[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\nnumpy = "^1.26"\n', "poetry.lock": '[[package]]\nname = "numpy"\nversion = "1.26.4"\nfiles = [{file = "n.whl", hash = "sha256:<sha256>"}]\n'},
    "pdm": {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["numpy>=1.26"]\n[tool.pdm]\n', "pdm.lock": '[[package]]\nname = "numpy"\nversion = "1.26.4"\n'},
    "uv": {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["numpy>=1.26"]\n', "uv.lock": 'version = 1\n[[package]]\nname = "numpy"\nsdist = { hash = "sha256:<sha256>" }\n'},
    "conda": {"environment.yml": "name: x\ndependencies:\n  - python=3.12.3\n  - numpy=1.26.4\n"},
})  # fmt: skip
AROUND = MappingProxyType({
    "README.md": "# x\nTrain with `python train.py --host 0.0.0.0`; never call pickle.load on strangers' files.\n", "SECURITY.md": SECURITY,
    "src/x/__init__.py": '"""X."""\n__version__ = "1.0.0"\n', "src/x/data.py": "import json\n\ndef rows(path):\n    with open(path) as f:\n        return json.load(f)\n",
    "tests/test_x.py": "from x.data import rows\n\ndef test_rows(tmp_path):\n    assert rows(tmp_path / 'a.json') == []\n", ".gitignore": "*.pyc\n.env\n",
    ".github/workflows/ci.yml": "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n    - uses: actions/checkout@<hex40>\n    - run: make test\n",
})  # fmt: skip


class Case(NamedTuple):
    """One weakness (`files` of path to text, `modes` by path) and its twin; `path` is where it must be found."""

    kind: str
    path: str
    bad: Mapping[str, str]
    good: Mapping[str, str]
    bad_mode: int = 0o640
    good_mode: int = 0o640


def _script(imports: str, body: str) -> str:
    return f"{imports}\n\n{body}\n"


def _function(imports: str, body: str) -> str:
    return f'{imports}\n\n\ndef work(path, f=None, blob=b\'\'):\n    """Work."""\n{textwrap.indent(body, "    ")}\n'


def _lazy(imports: str, body: str) -> str:
    whole = f"{imports}\n{body}" if "*" not in imports else body
    head = f"{imports}\n" if "*" in imports else ""
    return f"{head}class Work:\n    @classmethod\n    def run(cls, path):\n        try:\n{textwrap.indent(whole, ' ' * 12)}\n        finally:\n            pass\n"


def _main(imports: str, body: str) -> str:
    return f"#!/usr/bin/env python3\n{imports}\nimport sys\n\nif __name__ == '__main__':\n{textwrap.indent(body, '    ')}\n    sys.exit(0)\n"


def _route(imports: str, body: str) -> str:
    whole = textwrap.indent(body, "    ")
    return f"{imports}\nfrom litestar import post\n\n@post('/x')\nasync def route(data: bytes) -> None:\n{whole}\n    return None\n"


def _cells(imports: str, body: str) -> str:
    sources = ("%matplotlib inline\n# load", imports, body)
    cells = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": source.splitlines(keepends=True)}
        for source in sources
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


SHAPES: tuple[tuple[str, Callable[[str, str], str]], ...] = (
    ("train.py", _script), ("src/x/load.py", _function), ("src/x/work.py", _lazy), ("serve.py", _main), ("app/api.py", _route),
    ("nb/explore.ipynb", _cells),
)  # fmt: skip


def _code(kind: str, rows: tuple[tuple[str, str, str], ...], rng: Random, *, notebooks: bool) -> Iterator[Case]:
    for imports, bad, good in rows:
        path, shape = rng.choice(SHAPES if notebooks else SHAPES[:-1])
        yield Case(kind, path, {path: shape(imports, bad)}, {path: shape(imports, good)})


def _texts(kind: str, rows: tuple[tuple[str, str, str], ...]) -> Iterator[Case]:
    return (Case(kind, path, {path: bad}, {path: good}) for path, bad, good in rows)


def _papers() -> Iterator[Case]:
    for path in MODELS:
        body = {path: "\x01weights" * 400}
        card = {"MODEL_CARD.md": CARD} if "/" in path else {"README.md": CARD}
        signed = {f"{path}.sig": "x"}
        yield Case("model card", path, body | signed, body | signed | card)
        yield Case("unsigned model", path, body | card, body | card | signed)
    empty: dict[str, str] = {"SECURITY.md": ""}
    yield Case("contact", "", empty, {"SECURITY.md": SECURITY})
    yield Case(
        "contact", "", {"SECURITY.md": "We take security seriously.\n"}, {".github/SECURITY.md": SECURITY} | empty
    )
    yield Case("contact", "", {"SECURITY.md": "TODO\n"}, {"docs/security.md": "https://acme.dev/report\n"} | empty)
    yield Case("contact", "", empty, {".well-known/security.txt": "Contact: mailto:sec@acme.dev\n"} | empty)
    for path, body in (
        ("old.py", "import pickle\nprint 'x'\n"), ("nb/half.ipynb", '{"cells": [{"cell_type": "code", "source": ["import pi'),
        ("dump.sql", "-- row\n" * 500_000),
        ("deep.py", "import pickle\nx = " + "(" * 5000 + ")" * 5000 + "\n"),
    ):  # fmt: skip
        yield Case(
            "not looked at", path, {path: body}, {path: "# pickle\n" if path.endswith(".py") else '{"cells": []}'}
        )


def cases(seed: int, *, notebooks: bool = True) -> list[Case]:
    """All of a seed, filled."""
    rng = Random(seed)  # noqa: S311 - planted text to repeat by seed, no secrets
    made = [
        *_texts("secret", posture_secrets.SECRETS), *_code("pickle", posture_code.PICKLE, rng, notebooks=notebooks),
        *_code("torch.load", posture_code.TORCH, rng, notebooks=notebooks), *_code("yaml", posture_code.YAML, rng, notebooks=notebooks),
        *_code("remote code", posture_code.REMOTE, rng, notebooks=notebooks), *_texts("remote code", posture_code.REMOTE_FILES),
        *_texts("open server", posture_servers.SERVERS), *_code("open server", posture_servers.CALLS, rng, notebooks=notebooks),
        *_texts("unpinned", LOOSE), *_texts("no hash", BARE), *_texts("index", INDEX), *_papers(),
        *(Case("permissions", path, {path: body}, {path: body}, wide, right) for path, body, wide, right in MODES),
        *(Case("readable data", "", {path: body}, {path: body}, wide, right) for path, body, wide, right in DATA),
    ]  # fmt: skip
    return [case._replace(bad=_filled(case.bad, rng), good=_filled(case.good, rng)) for case in made]


def _filled(files: Mapping[str, str], rng: Random) -> dict[str, str]:
    return {path: fill(text, rng) for path, text in files.items()}


def write(case: Case, folder: Path, seed: int, *, bad: bool) -> None:
    """The project with the weakness, or with its twin."""
    rng = Random(f"{seed} {case.path}")  # noqa: S311 - surroundings to repeat by seed, no secrets
    around = {**AROUND, **rng.choice(list(PACKAGING.values()))}
    planted, mode = (case.bad, case.bad_mode) if bad else (case.good, case.good_mode)
    for name, text in {**_filled(around, rng), **planted}.items():
        path = folder / name
        if text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(mode if name in planted else 0o640)
