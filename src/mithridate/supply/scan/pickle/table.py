"""What is known about names: what they can do, which are inert, which packages models come from. Data, no code.

Built from Python's documentation, from what pickling ordinary objects emits under every protocol, and from the
published gadgets (the security advisories of picklescan and fickling, and arXiv 2508.19774).
"""

from __future__ import annotations

CAPABILITIES = {
    "exec": "runs code or a command",
    "import": "imports whatever module it is told to",
    "load": "loads another pickle or serialised object",
    "native": "loads or runs native code",
    "attribute": "reaches any attribute or changes objects that others use",
    "network": "opens a connection",
    "file": "reads or writes files",
}
"""Capability -> what it means, gravest first."""

HARMFUL_MODULES = {
    "exec": """
        os posix nt subprocess _posixsubprocess pty commands popen2 popen3 code codeop runpy pdb bdb profile
        cProfile _lsprof trace timeit doctest pydoc pydoc_data idlelib lib2to3 test venv ensurepip pip setuptools
        pkg_resources distutils _distutils_hack multiprocessing concurrent asyncio _asyncio threading _thread
        dummy_threading sched signal _signal atexit _pyrepl _osx_support _aix_support pipes cmd crypt site
        sitecustomize usercustomize antigravity this turtledemo unittest pytest _pytest nose wsgiref cgi cgitb
        compileall py_compile marshal dis symtable ast tokenize _ast xdrlib rlcompleter readline pexpect invoke
        fabric sh plumbum paramiko IPython ipykernel jupyter_client nbconvert jinja2 mako RestrictedPython
        cloudpickle dill numpy.f2py numpy.distutils numpy.testing numpy._utils torch._dynamo torch._inductor
        torch.jit torch.fx torch.utils.bottleneck torch.utils.collect_env torch.utils.benchmark
        torch.utils._config_module torch.testing torch._export torch.compiler torch.export torch.multiprocessing
        torch.distributed.elastic torch.distributed.rpc torch.distributed.launch torch.distributed.run
        torch._functorch torch.onnx torch.utils.hipify torch._lazy torch._appdirs torch.fx.experimental functorch
        pandas._testing pandas.testing pandas.core.computation pandas.util._tester sklearn.utils._testing
        sklearn.externals scipy._lib._testutils scipy.weave scipy.io.arff joblib.externals joblib.parallel
        joblib.test joblib.testing joblib.func_inspect joblib.executor hydra fsspec ray celery dask.delayed
        distributed billiard loky numba.core.serialize numba.pycc cffi matplotlib.testing tensorflow.python.platform
        tensorflow.python.debug tensorflow.python.autograph _sitebuiltins _bootsubprocess _interpreters
        _xxsubinterpreters _interpqueues interpreters pyflakes mypy nltk.internals nltk.app
        transformers.utils.import_utils transformers.dynamic_module_utils transformers.testing_utils """,
    "import": """
        importlib _frozen_importlib _frozen_importlib_external imp _imp pkgutil modulefinder zipimport zipapp
        importlib_metadata importlib_resources """,
    "load": """
        pickle _pickle cPickle pickletools shelve pickle5 _compat_pickle copyreg joblib.numpy_pickle_compat
        jsonpickle yaml ruamel torch.package numpy.lib.format pandas.io.pickle sklearn.datasets torch.serialization
        torch.hub skops klepto zodbpickle marshmallow """,
    "native": """
        ctypes _ctypes numpy.ctypeslib torch.utils.cpp_extension torch.ops torch.classes torch._ops torch._classes
        torch.cuda.nvrtc torch.utils._triton triton pycuda cupy numba.cuda gc faulthandler mmap _testcapi
        _testinternalcapi tensorflow.python.framework.load_library """,
    "attribute": """
        sys operator _operator inspect types codecs _codecs linecache builtins __builtin__ __builtins__ functools
        _functools contextlib _collections_abc mock tracemalloc warnings _warnings sre_constants dataclasses
        contextvars """,
    "network": """
        socket _socket ssl _ssl http urllib httplib urllib2 urllib3 urlparse requests aiohttp httpx httpcore
        websockets websocket ftplib smtplib smtpd imaplib poplib nntplib telnetlib xmlrpc socketserver SocketServer
        select selectors asyncore asynchat webbrowser boto boto3 botocore s3fs gcsfs google.cloud azure
        huggingface_hub twisted tornado zmq grpc dns psycopg2 pymysql pymongo redis
        tensorflow.python.training.server_lib torch.utils.tensorboard wandb mlflow.tracking flask django fastapi
        starlette """,
    "file": """
        shutil tempfile glob fileinput io _io _pyio filecmp zipfile tarfile gzip bz2 lzma netrc dbm sqlite3 _sqlite3
        mailbox fcntl resource syslog plistlib configparser csv logging linecache genericpath posixpath ntpath
        getpass pwd grp spwd platform _winapi winreg msvcrt termios tty curses readline tkinter turtle nturl2path
        h5py joblib.disk joblib._memmapping_reducer joblib._store_backends torch.utils.data.datapipes
        torch.utils.model_zoo pandas.io numpy.lib._npyio_impl numpy.lib.npyio numpy.lib._datasource
        matplotlib.pyplot matplotlib.image matplotlib.animation matplotlib.backends matplotlib.font_manager
        matplotlib.texmanager matplotlib.dviread matplotlib.style matplotlib.tests matplotlib.sphinxext
        PIL.ImageShow PIL.ImageGrab PIL.ImageFile PIL.Image tensorflow.python.lib tensorflow.io """,
}
"""Capability -> modules in which every name that isn't in `INERT` has it, sub-modules included."""

HARMFUL_NAMES = {
    "exec": """
        builtins.eval builtins.exec builtins.compile builtins.execfile builtins.apply builtins.breakpoint
        builtins.input builtins.map builtins.filter builtins.help builtins.exit builtins.quit builtins.reduce
        functools.reduce _functools.reduce itertools.starmap itertools.accumulate itertools.imap itertools.ifilter
        itertools.groupby itertools.takewhile itertools.dropwhile itertools.filterfalse types.FunctionType
        types.LambdaType types.CodeType types.ModuleType types.MethodType types.CellType types.new_class
        types.coroutine types.DynamicClassAttribute uuid._get_command_stdout uuid._popen uuid._find_mac
        uuid._ifconfig_getter uuid.getnode imaplib.IMAP4_stream pandas.eval pandas.core.frame.DataFrame.eval
        pandas.core.frame.DataFrame.query numpy.apply_along_axis numpy.apply_over_axes
        numpy.fromfunction numpy.frompyfunc numpy.piecewise numpy.source numpy.info torch.compile torch.vmap
        torch.utils.checkpoint.checkpoint collections.namedtuple typing.NamedTuple typing.get_type_hints
        typing._eval_type typing.ForwardRef typing.ForwardRef._evaluate logging.config.dictConfig
        logging.config.fileConfig logging.config.listen enum.EnumMeta.__call__ string.Formatter.vformat
        smtpd.DebuggingServer ctypes.util.find_library platform.popen platform._syscmd_file keras.layers.Lambda
        keras.src.layers.core.lambda_layer.Lambda keras.layers.core.lambda_layer.Lambda
        tensorflow.python.ops.script_ops.py_func tensorflow.python.ops.script_ops.eager_py_func
        tensorflow.py_function sympy.sympify sympy.parsing networkx.drawing scipy.optimize._optimize.brute
        scipy.LowLevelCallable sklearn.utils.parallel joblib.Parallel joblib.delayed statsmodels.formula patsy.build
        patsy.eval patsy.highlevel nltk.load nltk.data """,
    "import": """
        builtins.__import__ inspect.getmodule pydoc.locate pkgutil.resolve_name xmlrpc.client.loads
        unittest.mock._importer logging.config.BaseConfigurator.resolve numpy._import_tools
        pandas.util._test_decorators torch._utils_internal torch.package.PackageImporter
        django.utils.module_loading.import_string werkzeug.utils.import_string tensorflow.python.util.lazy_loader """,
    "load": """
        torch.load torch._C.import_ir_module torch.jit.load numpy.load numpy.loads numpy.lib.npyio.load
        numpy.loadtxt numpy.genfromtxt pandas.read_pickle pandas.read_hdf pandas.compat.pickle_compat.load
        joblib.load joblib.dump joblib.numpy_pickle.load joblib.numpy_pickle.load_temporary_memmap
        joblib.numpy_pickle._unpickle cloudpickle.loads cloudpickle.load dill.loads dill.load
        keras.models.load_model keras.saving tensorflow.keras.models.load_model tensorflow.saved_model.load
        xgboost.core._deserialize multiprocessing.reduction.rebuild_connection
        torch.utils.data.datapipes.utils.decoder.basichandlers sklearn.utils._joblib.load transformers.pipeline
        transformers.pipelines.pipeline keras.layers.TFSMLayer keras.src.export.tfsm_layer.TFSMLayer """,
    "attribute": """
        builtins.getattr builtins.setattr builtins.delattr builtins.vars builtins.globals builtins.locals
        builtins.dir builtins.super builtins.property builtins.classmethod builtins.staticmethod builtins.hasattr
        builtins.type gc.get_objects gc.get_referrers weakref.finalize weakref.ref weakref.proxy
        abc.update_abstractmethods copyreg.pickle copyreg.constructor copyreg.add_extension copyreg.remove_extension
        torch.library torch.overrides torch._C._set_worker_pids torch.manual_seed numpy.core._ufunc_reconstruct
        numpy._core._ufunc_reconstruct random.seed """,
    "file": """
        builtins.open io.open io.open_code io.FileIO _io.FileIO _io.open _io.open_code pathlib.Path.read_text
        pathlib.Path.write_text pathlib.Path.unlink pathlib.Path.open numpy.fromfile numpy.memmap numpy.save
        numpy.savez numpy.savetxt numpy.DataSource numpy.core.records.fromfile numpy.rec.fromfile
        numpy.lib.format.open_memmap pandas.read_csv pandas.read_table pandas.read_json pandas.read_excel
        pandas.read_html pandas.read_xml pandas.read_parquet pandas.read_sql pandas.read_clipboard
        pandas.read_feather pandas.read_orc pandas.read_stata pandas.read_sas pandas.read_spss pandas.to_pickle
        pandas.HDFStore pandas.ExcelFile pandas.ExcelWriter pandas.core.generic.NDFrame.to_pickle
        pandas.core.generic.NDFrame.to_csv torch.save torch.from_file torch.UntypedStorage.from_file
        torch.PyTorchFileReader torch.PyTorchFileWriter
        torch._C.PyTorchFileReader torch._C.PyTorchFileWriter joblib.Memory
        joblib.memory.Memory pyarrow.memory_map pyarrow.OSFile pyarrow.fs pyarrow.csv pyarrow.parquet
        pyarrow.dataset xgboost.DMatrix lightgbm.Dataset.save_binary matplotlib.pyplot.savefig
        matplotlib.font_manager.json_dump numpy.lib.npyio.DataSource scipy.io networkx.readwrite logging.FileHandler
        logging.handlers """,
    "network": """
        torch.distributed.TCPStore torch.distributed.FileStore torch.distributed.init_process_group
        torch._C._distributed_c10d
        sentence_transformers.SentenceTransformer sentence_transformers.CrossEncoder
        ultralytics.YOLO ultralytics.models.yolo.model.YOLO torch_geometric.datasets torchaudio.datasets
        torchtext.datasets datasets.DownloadManager datasets.download
        pandas.read_gbq torch.hub.load_state_dict_from_url torchvision.datasets
        transformers.utils.hub pyarrow.flight polars.scan_csv polars.read_csv logging.handlers.SocketHandler
        logging.handlers.HTTPHandler logging.handlers.SMTPHandler """,
    "native": """
        torch._C._load_for_lite_interpreter scipy._lib._ccallback xgboost.core._load_lib lightgbm.libpath
        numpy.ctypeslib.load_library """,
}
"""Capability -> dotted names that have it, with all that stands below them."""

INERT = {
    "builtins": """
        object list dict set frozenset tuple bytes bytearray str int float complex bool range slice enumerate
        reversed zip iter len abs min max sum sorted round repr hash id ord chr any all divmod bin hex oct
        str.lower str.upper str.strip str.lstrip str.rstrip str.split str.casefold str.title str.capitalize str.swapcase
        str.splitlines str.isalpha str.isdigit str.isnumeric str.startswith str.endswith
        callable isinstance issubclass memoryview print long unicode basestring
        xrange Ellipsis NotImplemented None True False """,
    "copyreg": "_reconstructor __newobj__ __newobj_ex__",
    "_codecs": "encode",
    "collections": "OrderedDict defaultdict Counter deque ChainMap UserDict UserList UserString",
    "datetime": "datetime date time timedelta timezone tzinfo UTC",
    "decimal": "Decimal Context DecimalTuple",
    "_decimal": "Decimal Context",
    "fractions": "Fraction",
    "uuid": "UUID SafeUUID",
    "pathlib": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
    "pathlib._local": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
    "ipaddress": "IPv4Address IPv6Address IPv4Network IPv6Network IPv4Interface IPv6Interface",
    "io": "BytesIO StringIO",
    "_io": "BytesIO StringIO",
    "array": "array _array_reconstructor",
    "argparse": "Namespace",
    "types": """
        SimpleNamespace GenericAlias UnionType NoneType EllipsisType NotImplementedType MappingProxyType
        BuiltinFunctionType BuiltinMethodType """,
    "operator": "itemgetter or_",
    "_operator": "itemgetter getitem or_",
    "itertools": "count repeat chain cycle islice product permutations combinations zip_longest izip pairwise tee",
    "functools": "partial cached_property",
    "_functools": "partial",
    "enum": "Enum IntEnum Flag IntFlag StrEnum auto",
    "http": "HTTPStatus HTTPMethod",
    "http.cookies": "SimpleCookie BaseCookie Morsel",
    "re": "_compile Pattern compile RegexFlag template",
    "random": "Random",
    "logging": """
        getLogger Logger RootLogger LogRecord Formatter BufferingFormatter Filter PercentStyle StrFormatStyle
        StringTemplateStyle """,
    "inspect": "Signature Parameter _ParameterKind _empty BoundArguments",
    "os": "stat_result terminal_size",
    "time": "struct_time",
    "string": "Template",
    "statistics": "NormalDist",
    "zoneinfo": "ZoneInfo ZoneInfo._unpickle",
    "_zoneinfo": "ZoneInfo ZoneInfo._unpickle",
    "typing": """
        Any Union Optional List Dict Set FrozenSet Tuple Callable Type Iterable Iterator Sequence Mapping Literal
        ClassVar Generic TypeVar ParamSpec NoReturn Text AnyStr _GenericAlias """,
    "weakref": "WeakKeyDictionary WeakValueDictionary WeakSet",
    "contextlib": "nullcontext suppress",
    "math": """
        acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh degrees dist erf erfc exp exp2 expm1 fabs
        floor fmod frexp fsum gamma gcd hypot isclose isfinite isinf isnan ldexp lgamma log log10 log1p log2 modf
        radians remainder sin sinh sqrt tan tanh trunc """,
    "urllib.parse": "ParseResult ParseResultBytes SplitResult SplitResultBytes DefragResult DefragResultBytes",
    "dataclasses": "_MISSING_TYPE MISSING _HAS_DEFAULT_FACTORY_CLASS Field",
    "numbers": "Number Real Integral Complex Rational",
    "calendar": "Day Month TextCalendar",
    "queue": "Empty Full",
    "configparser": """
        ConfigParser RawConfigParser SectionProxy ConverterMapping Interpolation BasicInterpolation
        ExtendedInterpolation LegacyInterpolation """,
    "ssl": "TLSVersion VerifyMode VerifyFlags Options Purpose AlertDescription",
    "socket": "AddressFamily SocketKind",
    "signal": "Signals Handlers Sigmasks",
    "_struct": "Struct",
    "struct": "Struct",
    "pytz": "_UTC _p UTC",
    "pytz.tzinfo": "StaticTzInfo DstTzInfo",
    "dateutil.tz.tz": "tzutc tzoffset tzlocal",
    "dateutil.relativedelta": "relativedelta",
    "bson.objectid": "ObjectId",
    "pendulum.tz.timezone": "Timezone._unpickle Timezone FixedTimezone UTC",
    "frozendict": "frozendict",
    "frozendict._frozendict_py": "frozendict",
    "immutables._map": "Map",
    "pyrsistent._pmap": "pmap",
    "pyrsistent._pvector": "pvector python_pvector",
    "pvectorc": "pvector",
    "pyrsistent._pset": "pset",
    "pyrsistent._plist": "plist",
    "pyrsistent._pdeque": "pdeque",
    "pyrsistent._pbag": "pbag",
    "multidict._multidict": "MultiDict istr",
    "bitarray": "bitarray _bitarray_reconstructor",
    "numpy": """
        ndarray dtype matrix recarray record poly1d void generic bool_ bool int8 int16 int32 int64 uint8 uint16
        uint32 uint64 intp uintp int_ uint intc uintc short ushort byte ubyte longlong ulonglong float16 float32
        float64 float128 longdouble half single double float_ complex64 complex128 complex256 csingle cdouble
        clongdouble complex_ str_ string_ bytes_ unicode_ object_ datetime64 timedelta64 nan inf number integer
        signedinteger unsignedinteger inexact floating complexfloating flexible character float96 random ma long
        ulong """,
    "numpy.core.multiarray": "_reconstruct scalar dtype ndarray",
    "numpy._core.multiarray": "_reconstruct scalar dtype ndarray",
    "numpy.core.numeric": "_frombuffer",
    "numpy._core.numeric": "_frombuffer",
    "numpy.core._multiarray_umath": "_reconstruct scalar",
    "numpy._core._multiarray_umath": "_reconstruct scalar",
    "numpy.core.defchararray": "chararray",
    "numpy._core.defchararray": "chararray",
    "numpy.char": "chararray",
    "numpy.core.records": "recarray record",
    "numpy._core.records": "recarray record",
    "numpy.rec": "recarray record",
    "numpy.core._internal": "_convert_to_stringdtype_kwargs _reconstruct",
    "numpy._core._internal": "_convert_to_stringdtype_kwargs",
    "numpy.dtypes": "StringDType",
    "numpy.ma.core": "_mareconstruct MaskedArray MaskedConstant _mvoid mvoid",
    "numpy.ma": "MaskedArray",
    "numpy.ma.mrecords": "_mrreconstruct MaskedRecords mrecarray",
    "numpy.matrixlib.defmatrix": "matrix",
    "numpy.lib.polynomial": "poly1d",
    "numpy.lib._polynomial_impl": "poly1d",
    "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
    "numpy.random": "__RandomState_ctor",
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64 PCG64DXSM",
    "numpy.random._philox": "Philox",
    "numpy.random._sfc64": "SFC64",
    "numpy.random.bit_generator": "SeedSequence ISeedSequence SeedlessSeedSequence",
    "scipy.sparse.csr": "csr_matrix",
    "scipy.sparse.csc": "csc_matrix",
    "scipy.sparse.coo": "coo_matrix",
    "scipy.sparse.bsr": "bsr_matrix",
    "scipy.sparse.dia": "dia_matrix",
    "scipy.sparse.lil": "lil_matrix",
    "scipy.sparse.dok": "dok_matrix",
    "scipy.sparse._csr": "csr_matrix csr_array",
    "scipy.sparse._csc": "csc_matrix csc_array",
    "scipy.sparse._coo": "coo_matrix coo_array",
    "scipy.sparse._bsr": "bsr_matrix bsr_array",
    "scipy.sparse._dia": "dia_matrix dia_array",
    "scipy.sparse._lil": "lil_matrix lil_array",
    "scipy.sparse._dok": "dok_matrix dok_array",
    "scipy.sparse._arrays": "csr_array csc_array coo_array bsr_array dia_array lil_array dok_array",
    "scipy.spatial._ckdtree": "cKDTree cKDTreeNode",
    "scipy.spatial.ckdtree": "cKDTree cKDTreeNode",
    "scipy.interpolate._interpolate": "interp1d interp1d._call_linear_np",
    "pandas": "NA NaT Timestamp Timedelta Index Series DataFrame offsets",
    "pandas._libs.internals": "_unpickle_block BlockPlacement",
    "pandas._libs.missing": "NAType NA",
    "pandas._libs.tslibs.nattype": "_nat_unpickle __nat_unpickle NaTType",
    "pandas._libs.tslibs.timedeltas": "_timedelta_unpickle Timedelta",
    "pandas._libs.tslibs.timestamps": "_unpickle_timestamp Timestamp",
    "pandas._libs.tslibs.period": "_unpickle_period Period",
    "pandas._libs.tslibs.offsets": "_offset_unpickle",
    "pandas.core.indexes.base": "_new_Index Index",
    "pandas.core.indexes.datetimes": "_new_DatetimeIndex DatetimeIndex",
    "pandas.core.indexes.period": "_new_PeriodIndex PeriodIndex",
    "pandas.indexes.base": "_new_Index Index",
    "pandas.tseries.index": "_new_DatetimeIndex DatetimeIndex",
    "pandas.core.internals.blocks": "new_block new_block_2d make_block",
    "pandas.core.internals.managers": "BlockManager SingleBlockManager",
    "pyarrow.lib": """
        _reconstruct_table _reconstruct_record_batch _restore_array chunked_array field py_buffer scalar schema
        type_for_alias list_ large_list struct dictionary timestamp duration decimal128 decimal256 map_ binary
        fixed_size_binary time32 time64 union _reconstruct_buffer string large_string int8 int16 int32 int64 uint8
        uint16 uint32 uint64 float16 float32 float64 bool_ null date32 date64 large_binary string_view binary_view """,
    "sklearn.neighbors._kd_tree": "newObj",
    "sklearn.neighbors._ball_tree": "newObj",
    "sklearn.neighbors.kd_tree": "newObj",
    "sklearn.neighbors.ball_tree": "newObj",
    "sklearn.neighbors._dist_metrics": "newObj",
    "sklearn.neighbors.dist_metrics": "newObj",
    "sklearn.metrics._dist_metrics": "newObj",
    "torch": """
        Size device dtype layout Tensor Generator FloatStorage DoubleStorage HalfStorage BFloat16Storage LongStorage
        IntStorage ShortStorage CharStorage ByteStorage BoolStorage ComplexFloatStorage ComplexDoubleStorage
        QUInt8Storage QInt8Storage QInt32Storage QUInt4x2Storage QUInt2x4Storage UntypedStorage TypedStorage float16
        float32 float64 bfloat16 half float double int8 int16 int32 int64 uint8 uint16 uint32 uint64 short int long
        bool complex32 complex64 complex128 cfloat cdouble chalf quint8 qint8 qint32 quint4x2 quint2x4 float8_e4m3fn
        float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz strided sparse_coo sparse_csr sparse_csc sparse_bsr sparse_bsc
        jagged contiguous_format channels_last channels_last_3d preserve_format per_tensor_affine per_channel_affine
        per_tensor_symmetric per_channel_symmetric per_channel_affine_float_qparams float8_e8m0fnu float4_e2m1fn_x2
        bits8 bits16 bits1x8 bits2x4 bits4x2 """,
    "torch._utils": """
        _rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter _rebuild_parameter_with_state
        _rebuild_sparse_tensor _rebuild_sparse_csr_tensor _rebuild_qtensor _rebuild_device_tensor_from_numpy
        _rebuild_device_tensor_from_cpu_tensor _rebuild_meta_tensor_no_storage _rebuild_wrapper_subclass
        _rebuild_nested_tensor _rebuild_xla_tensor """,
    "torch._tensor": "_rebuild_from_type _rebuild_from_type_v2 Tensor",
    "torch.tensor": "_rebuild_from_type Tensor",
    "torch.nn.parameter": "Parameter Buffer UninitializedParameter UninitializedBuffer",
    "torch.serialization": "_get_layout",
    "torch.storage": "_load_from_bytes UntypedStorage TypedStorage _TypedStorage _UntypedStorage",
    "torch.jit._pickle": """
        build_intlist build_tensorlist build_doublelist build_boollist build_tensor_from_id restore_type_tag """,
    "torch._C": "Generator _VariableFunctionsClass",
    "joblib.numpy_pickle": "NumpyArrayWrapper",
    "sklearn.externals.joblib.numpy_pickle": "NumpyArrayWrapper",
    "statsmodels.tsa.statespace._initialization": """
        sInitialization dInitialization cInitialization zInitialization """,
    "statsmodels.tsa.statespace._representation": "sStatespace dStatespace cStatespace zStatespace",
    "statsmodels.tsa.statespace._kalman_filter": "sKalmanFilter dKalmanFilter cKalmanFilter zKalmanFilter",
    "statsmodels.tsa.statespace._kalman_smoother": "sKalmanSmoother dKalmanSmoother cKalmanSmoother zKalmanSmoother",
    "matplotlib.font_manager": "FontProperties",
    "catboost.core": "_CatBoostBase",
    "xgboost.core": "Booster",
    "lightgbm.basic": "Booster",
}
"""Module -> names that do no harm, whatever they are given; builtin exceptions are inert too."""

LIBRARIES = """
        numpy pandas sklearn scipy torch torchvision torchaudio torchtext xgboost lightgbm catboost joblib
        statsmodels imblearn category_encoders transformers tokenizers datasets diffusers timm ultralytics
        keras tensorflow jax jaxlib flax haiku optax spacy thinc gensim nltk fastai skorch pytorch_lightning
        lightning shap lime interpret umap hdbscan pynndescent numba pyarrow polars networkx econml causalml
        prophet pmdarima sktime tslearn pyod river optuna skopt hyperopt bayes_opt dask onnx
        sentence_transformers faiss annoy implicit surprise lightfm torch_geometric torch_sparse torch_scatter
        dgl deepspeed accelerate peft bitsandbytes apex mmcv mmengine mmdet detectron2 omegaconf addict
        easydict yacs pydantic attr attrs dateutil pytz lifelines mlxtend eli5 sklearn_pandas tabpfn
        pytorch_tabnet autogluon tpot feature_engine dirty_cat skrub cuml cudf kneed gpytorch botorch pyro
        numpyro pymc arviz sympy sksurv skbase formulaic patsy threadpoolctl cloudpathlib PIL cv2 skimage
        albumentations open_clip clip whisper stable_baselines3 gym gymnasium ray mlflow sacrebleu
        sentencepiece tiktoken flair allennlp fairseq espnet nemo einops safetensors evaluate torchmetrics
        ignite neptune matplotlib cycler kiwisolver plotly shapely geopandas pyproj rasterio fiona seaborn
        bokeh altair tqdm sortedcontainers frozendict immutables pyrsistent bidict intervaltree portion pint
        uncertainties astropy rdkit Bio ase pymatgen cvxpy deap pymoo cma GPy GPyOpt emukee sklearn_crfsuite
        pycrfsuite hmmlearn pomegranate pgmpy dowhy gluonts neuralforecast statsforecast mlforecast
        utilsforecast darts orbit stumpy tsfresh kats pytorch_forecasting librosa mne nilearn nibabel pydicom
        monai trimesh rapidfuzz textblob stanza simpletransformers keras_tuner autokeras keras_nlp keras_cv
        keras_hub tf_keras tensorflow_probability mxnet paddle mindspore torchio kornia
        segmentation_models_pytorch efficientnet_pytorch x_transformers trl optimum setfit bertopic top2vec
        tomotopy pycaret flaml alibi alibi_detect art cleanlab snorkel aif360 fairlearn dice_ml captum ngboost
        sklearn_extra sklego scikeras linearmodels arch filterpy pykalman recbole lenskit cornac equinox chex
        distrax xarray zarr awkward modin msgpack ConfigSpace smac optunahub ml_collections munch dotmap
        rich array_api_compat narwhals quantile_forest xgbse pygam autograd autograd_gamma aeon fastcluster
        leidenalg igraph graph_tool pykeen ampligraph node2vec gudhi ripser giotto ot geomloss ivy tensorly
        sparse gmr bambi blackjax dynesty emcee zeus nolds antropy """
"""Top-level packages that models come from: an instance of one of their classes is ordinary."""

UNMISTAKABLE = """
        os sys subprocess builtins importlib shutil socket ctypes posix nt runpy pty marshal pickle _posixsubprocess
        multiprocessing __builtins__ _io _socket _ctypes """
"""Modules that are harmful even as an attribute of another one: `pathlib` has `os`."""

CONVERTERS = "str int float bool complex len abs ord chr hex repr round"
"""Builtins that `map` may be given: each computes from one item."""

DATA_METHODS = """
        abs all any argmax argmin argsort astype bfill clip clone cpu cumsum cumprod detach diff div drop
        drop_duplicates droplevel dropna dt eq explode ffill fillna first flatten float gt half head idxmax idxmin
        interpolate isin isna isnull item last le long lt max mean median min mode mul ne normalize notna nunique
        pct_change permute pow prod quantile rank ravel rename replace reset_index reshape rolling round sample
        set_index shift size sort_index sort_values squeeze std stack str sub sum swapaxes tail toarray todense todict
        to_dense to_dict to_frame to_list to_numpy tolist transpose unique unsqueeze unstack value_counts var view
        where """
"""Methods of tables, arrays and tensors that compute from data alone, as `query`, `eval`, `apply` and `pipe` do not."""
