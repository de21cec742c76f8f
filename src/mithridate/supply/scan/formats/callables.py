"""What a dotted name can do when a configuration calls it: the names that harm, by capability."""

from __future__ import annotations

import sys

from mithridate.supply.scan.formats.reading import words

_WHOLE_MODULES = {
    "run a command": "subprocess _posixsubprocess pty commands popen2 posix nt pexpect sh plumbum invoke fabric",
    "run code": "code codeop runpy timeit trace bdb pdb cProfile profile pstats doctest idlelib lib2to3 test unittest "
    "pip ensurepip venv distutils setuptools pkg_resources importlib imp pkgutil zipimport zipapp "
    "multiprocessing concurrent asyncio threading _thread sched xmlrpc cython numexpr IPython ipykernel jupyter "
    "_pyrepl rlcompleter compileall py_compile site cgitb ast nose pytest _pytest execnet bytecode "
    "numpy.testing numpy.f2py numpy.distutils torch.utils.cpp_extension torch.utils.bottleneck torch._inductor "
    "torch._dynamo sympy.parsing sympy.utilities pandas.core.computation "
    "scipy._lib.doccer jinja2 mako fire hydra",
    "load native code": "ctypes _ctypes cffi llvmlite dl",
    "unpickle": "pickle _pickle cPickle dill cloudpickle joblib marshal shelve jsonpickle pickletools torch.hub "
    "torch.serialization sklearn.externals.joblib",
    "reach files": "shutil pathlib io _io tempfile glob fileinput linecache tarfile zipfile gzip bz2 lzma mmap dbm "
    "sqlite3 zoneinfo netrc",
    "reach the network": "socket _socket ssl urllib http ftplib smtplib poplib imaplib telnetlib nntplib socketserver "
    "requests httpx aiohttp urllib3 paramiko pycurl websocket websockets wsgiref webbrowser antigravity boto3 "
    "huggingface_hub wget",
    "reach into the interpreter": "sys gc inspect types atexit signal faulthandler tracemalloc logging.config "
    "_frozen_importlib _frozen_importlib_external functools _functools operator _operator",
}
_NAMES = {
    "run a command": "os.system os.popen os.execl os.execle os.execlp os.execlpe os.execv os.execve os.execvp "
    "os.execvpe "
    "os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve os.spawnvp os.spawnvpe os.posix_spawn "
    "os.posix_spawnp os.startfile os.fork os.forkpty os.kill os.killpg platform.popen",
    "run code": "eval exec execfile compile __import__ breakpoint getattr setattr delattr globals locals vars input "
    "help "
    "torch.ops torch.classes numpy.load_library pandas.eval numpy.vectorize map filter apply reload",
    "unpickle": "torch.load torch.jit.load yaml.load yaml.full_load yaml.unsafe_load yaml.load_all torch.save "
    "numpy.load pandas.read_pickle numpy.core.multiarray._pickle_loads "
    "keras.models.load_model keras.saving.load_model tensorflow.saved_model.load tensorflow.keras.models.load_model",
    "reach files": "open file os.remove os.unlink os.rmdir os.removedirs os.rename os.renames os.replace os.open "
    "os.write "
    "os.mkdir os.makedirs os.chmod os.chown os.link os.symlink os.truncate os.listdir os.scandir os.walk os.putenv "
    "os.environ os.chdir os.read os.mknod os.mkfifo numpy.fromfile numpy.loadtxt numpy.savetxt numpy.genfromtxt "
    "numpy.memmap numpy.save numpy.tofile keras.utils.get_file",
}
_BY_MODULE = {name: capability for capability, names in _WHOLE_MODULES.items() for name in names.split()}
_BY_NAME = {name: capability for capability, names in _NAMES.items() for name in names.split()}
_INERT = words(
    "functools.partial types.SimpleNamespace pathlib.Path pathlib.PosixPath pathlib.PurePath pathlib.PurePosixPath "
    "pathlib.WindowsPath pathlib.PureWindowsPath io.StringIO "
    "io.BytesIO operator.add operator.mul operator.sub hydra.utils.get_original_cwd"
)


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


def is_standard_library(dotted: str) -> bool:
    """The first part of the name is a module of Python itself."""
    return dotted.partition(".")[0] in sys.stdlib_module_names
