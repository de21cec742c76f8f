"""The table itself: light, complete, and each format knows its own bytes only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats import FORMATS
from mithridate.supply.scan.formats.callables import capability
from mithridate.supply.scan.formats.paths import leaves_the_folder


def test_the_formats_import_the_standard_library_alone() -> None:
    code = (
        "import sys, importlib\nfrom mithridate.supply.scan.formats import FORMATS\n"
        "before = {m for m in sys.modules if m.startswith('mithridate.supply.scan.formats.')}\n"
        "assert not before, before\n"
        "[importlib.import_module(f.module) for f in FORMATS]\n"
        "foreign = {m.partition('.')[0] for m in sys.modules} - sys.stdlib_module_names - {'mithridate', "
        "'__mp_main__'}\n"
        "assert not {m for m in foreign if m in {'numpy', 'yaml', 'h5py', 'onnx', 'google', 'jinja2', 'pyarrow'}}, "
        "foreign"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_names_and_modules_are_told_once() -> None:
    assert len({known.name for known in FORMATS}) == len({known.module for known in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("raw", [b"", b"\0", b"\x80\x04K\x01.", bytes(64), bytes(range(256)), b"\xff" * 40])
def test_bytes_of_no_format_are_claimed_by_none(raw: bytes, known_as: Callable[..., set[str]]) -> None:
    assert known_as(raw) == set()


@pytest.mark.parametrize(
    ("raw", "severity"),
    [
        (b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap", Severity.HIGH),
        (b"\x08\x00\x00\x00ET12" + bytes(40), Severity.MEDIUM),
        (b"ptrt" + bytes(40), Severity.MEDIUM),
        (b"RDX3\nX\n", Severity.MEDIUM),
        (b"\x08\x05\x12\x02\x0a\x00\xa2\x1f\x02\x08\x01", Severity.LOW),
        (b"\x0a\x08\x08\x00\x10\x00\x1a\x02\x0a\x00\x22\x00", Severity.LOW),
    ],
)
def test_what_is_recognised_and_not_analysed_is_said_so(
    raw: bytes, severity: Severity, worst: Callable[..., int]
) -> None:
    assert worst(raw) == severity


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "posix.system",
        "builtins.eval",
        "eval",
        "subprocess.Popen",
        "torch.load",
        "numpy.load",
        "a.os.system",
        "nt.system",
        "torch.hub.load",
        "operator.attrgetter",
        "x.__globals__",
        "builtins:exec",
        "pip._internal.main",
    ],
)
def test_harmful_names_have_a_capability(name: str) -> None:
    assert capability(name)


@pytest.mark.parametrize(
    "name",
    [
        "torch.nn.Linear",
        "sklearn.pipeline.Pipeline",
        "my.module.Net",
        "relu",
        "functools.partial",
        "torch.optim.AdamW",
        "transformers.AutoModel.from_pretrained",
        "hydra_plugins.x.Y",
        "codecs_x.y",
        "open_clip.create_model",
    ],
)
def test_ordinary_names_have_none(name: str) -> None:
    assert not capability(name)


@pytest.mark.parametrize("path", ["a/b.bin", "a..b", "..a/b", "x:y", "model.onnx_data", "sub\\x", "C", ""])
def test_paths_inside_stay_inside(path: str) -> None:
    assert not leaves_the_folder(path)
