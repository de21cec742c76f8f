"""What a dotted name can do when a configuration calls it: the names that harm, by capability."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from mithridate.supply.scan.formats.reading import words
from mithridate.supply.scan.pickle.table import HARMFUL_MODULES, HARMFUL_NAMES, INERT

_SAID = {"exec": "run code", "import": "run code", "load": "unpickle", "native": "load native code",
         "attribute": "reach into the interpreter", "network": "reach the network", "file": "reach files"}  # fmt: skip
_COMMANDS = words("subprocess _posixsubprocess pty commands popen2 posix nt os.system os.popen platform.popen")
_WHOLE_MODULES = {
    "run a command": "pexpect sh plumbum invoke fabric",
    "run code": "setuptools pkg_resources pip cython numexpr IPython ipykernel jupyter nose pytest _pytest execnet "
    "bytecode numpy.testing numpy.f2py numpy.distutils torch.utils.cpp_extension torch.utils.bottleneck "
    "torch._inductor torch._dynamo sympy.parsing sympy.utilities pandas.core.computation scipy._lib.doccer jinja2 "
    "mako fire hydra pstats",
    "load native code": "cffi llvmlite dl",
    "unpickle": "cPickle dill cloudpickle joblib jsonpickle torch.hub torch.serialization sklearn.externals.joblib",
    "reach the network": "requests httpx aiohttp urllib3 paramiko pycurl websocket websockets boto3 "
    "huggingface_hub wget",
    "reach files": "pathlib zoneinfo",
}
"""Of other packages: a configuration may call their functions in the ordinary way, unlike a pickle, so the list is its
own."""

_NAMES = {
    "run code": "execfile apply reload torch.ops torch.classes numpy.load_library pandas.eval numpy.vectorize",
    "unpickle": "torch.load torch.jit.load yaml.load yaml.full_load yaml.unsafe_load yaml.load_all torch.save "
    "numpy.load pandas.read_pickle numpy.core.multiarray._pickle_loads "
    "keras.models.load_model keras.saving.load_model tensorflow.saved_model.load tensorflow.keras.models.load_model",
    "reach files": "file numpy.fromfile numpy.loadtxt numpy.savetxt numpy.genfromtxt numpy.memmap numpy.save "
    "numpy.tofile keras.utils.get_file",
}


def _of_python(tables: Mapping[str, str]) -> dict[str, str]:
    """What the table of pickles says of Python's own modules and builtins, in a configuration's words."""
    found: dict[str, str] = {}
    for kind, names in tables.items():
        for name in names.split():
            if (is_standard_library(name) or name in _FORMER) and name not in _BARE:
                found[name.removeprefix("builtins.")] = "run a command" if name in _COMMANDS else _SAID[kind]
    return found


def is_standard_library(dotted: str) -> bool:
    """The first part of the name is a module of Python itself."""
    return dotted.partition(".")[0] in sys.stdlib_module_names


_FORMER = words("commands popen2 popen3 httplib urllib2 imp distutils lib2to3 _pyrepl test")
_BARE = words("builtins builtins.type builtins.property builtins.super builtins.dir builtins.exit builtins.quit")
_BY_MODULE = _of_python(HARMFUL_MODULES) | {
    name: kind for kind, names in _WHOLE_MODULES.items() for name in names.split()
}
_BY_NAME = _of_python(HARMFUL_NAMES) | {name: kind for kind, names in _NAMES.items() for name in names.split()}
_INERT = {f"{module}.{name}" for module, names in INERT.items() for name in names.split()} | words(
    "operator.add operator.mul operator.sub os.path.join os.getcwd os.cpu_count hydra.utils.get_original_cwd"
)


def is_inert(dotted: str) -> bool:
    """The table of pickles knows the name as harmless, whatever it is given."""
    return dotted.replace(":", ".") in _INERT


def capability(dotted: str) -> str:
    """What the name can do (`run a command`), or the empty string when nothing is known against it.

    Notes
    -----
    `builtins.` before a name, and the aliases that `os` has on Linux and Windows, mean the same. A name that stands in
    a module of which everything can do harm, such as `subprocess`, counts whatever its last part is.
    """
    name = dotted.strip().replace(":", ".").removeprefix("builtins.").removeprefix("__builtin__.")
    if name in _INERT:
        return ""
    if name in _BY_NAME:
        return _BY_NAME[name]
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in _BY_MODULE:
            return _BY_MODULE[prefix]
        if prefix in _BY_NAME:
            return _BY_NAME[prefix]
    return _inside(parts)


def _inside(parts: list[str]) -> str:
    """`torch._utils.os.system`: a module that another has imported is the same module."""
    for start in range(1, len(parts) - 1):
        rest = ".".join(parts[start:])
        if rest in _BY_NAME:
            return _BY_NAME[rest]
        if parts[start] in {"os", "subprocess", "sys", "builtins", "__builtins__", "importlib", "ctypes", "posix"}:
            return "reach into the interpreter"
    return "reach into the interpreter" if any(part.startswith("__") for part in parts) else ""
