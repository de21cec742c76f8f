"""Code that loads files which may run code: pickle and what is built on it."""

from __future__ import annotations

import re

from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.code import Module, Use
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.say import TESTS, Kind, Spot, finding
from mithridate.supply.posture.wanted_versions import asks_for_at_least

ID, SLUG = "SUP425", "unsafe-load"
_PICKLES = re.compile(
    r"(?:(?:\w+\.)*(?:_pickle|cPickle|pickle|dill|cloudpickle|pickle5)\.(?:loads?|Unpickler|_Unpickler|load_session|load_module)"
    r"|(?:\w+\.)*joblib\.load|shelve\.(?:open|DbfilenameShelf)|jsonpickle\.(?:decode|unpickler\.decode)"
    r"|pandas\.(?:io\.pickle\.)?read_pickle|marshal\.loads?|(?:\w+\.)*keras\.config\.enable_unsafe_deserialization)"
)
_TORCH_LOAD = re.compile(r"torch\.(?:serialization\.|_load_internal\.)?load")
_BY_URL = re.compile(r"torch\.(?:hub|utils\.model_zoo)\.(?:load_state_dict_from_url|load_url)")
_NUMPY_PLACE = 2  # of allow_pickle among numpy.load's positional arguments
_FLAGS = {"allow_dangerous_deserialization": True, "safe_mode": False, "allow_pickle": True}
_WRITES = re.compile(r"\.(?:save|dump|write|to_)\w*$")
_FROM_NETWORK = re.compile(
    r"\b(?:requests\.(?:get|post|request)|urllib|httpx\.|urlopen|aiohttp|recv(?:from|_bytes)?\()|"
    r"\b(?:r|res|resp|response)\.(?:content|read\()|\brequest\.(?:data|get_data|body|files|stream)"
)
_ROUND_TRIP = re.compile(r"^[\w.]*dumps\(")
_SAFE_TORCH = (2, 6)  # from here on torch.load has weights_only=True unless it is told otherwise
_TORCH_SAFE = "torch.load(path, weights_only=True)"

_KIND = Kind(
    ID, SLUG, "pickle", Severity.MEDIUM, 0.95,
    "write a format without code instead (safetensors, skops, JSON, Parquet), or load it with mithridate.safe_load; "
    "until then look into each file first: `mithridate scan FILE`",
)  # fmt: skip
_TORCH = Kind(ID, SLUG, "torch.load", Severity.MEDIUM, 0.9, f"write `{_TORCH_SAFE}`, or load safetensors instead")
_TORCH_CLAIM = (
    "{path} calls torch.load without weights_only=True at {where}: a model file can run code there, "
    "from torch 2.6 on only where it says weights_only=False"
)
_TEST = Kind(ID, SLUG, "pickle in a test", Severity.LOW, 0.9, _KIND.remedy)
_NETWORK = Kind(
    ID, SLUG, "pickle from the network", Severity.HIGH, 0.95,
    "never unpickle what comes over a network: send JSON, Arrow or safetensors, and check a signature first",
)  # fmt: skip


def unsafe_load(context: Context, settings: PostureSettings) -> Outcome:
    """Calls that unpickle: whoever can change the file runs code in the process that loads it.

    Notes
    -----
    Python is parsed, imports are followed inside the file, nothing is run; comments and strings say nothing. Found:
    `pickle`, `dill`, `cloudpickle`, `joblib`, `shelve`, `jsonpickle`, `marshal`, `pandas.read_pickle`, `numpy.load`
    with `allow_pickle=True`, `torch.load` and `torch.hub.load_state_dict_from_url` without `weights_only=True`, any
    call with `weights_only=False`, Keras' `safe_mode=False`, `skops.io.load(trusted=True)`, and
    `allow_dangerous_deserialization=True`; aliases, `functools.partial`, and `**options` made in the same file are
    followed. A plain `torch.load` is none where the project's requirements and locks ask for torch 2.6 or later, which
    is careful by itself. High where the same call reads from the network, else medium: whether the file is trusted,
    code can't show. Low in tests, and nothing where bytes made on the spot are read back. Blind to names built at run
    time and to libraries that unpickle inside.

    References
    ----------
    CWE-502, Deserialization of untrusted data.
    """
    del settings
    found = []
    safe_torch = asks_for_at_least(context, "torch", _SAFE_TORCH)
    for file, module in context.modules():
        spots = _sorted(module, test=bool(TESTS.search(file.name)), safe_torch=safe_torch)
        for kind, claim in (
            (_KIND, "{path} unpickles at {where}: a file that was tampered with runs code there"),
            (_TORCH, _TORCH_CLAIM),
            (_TEST, "{path}, a test, unpickles a file at {where}"),
            (_NETWORK, "{path} unpickles what came over the network at {where}: the sender runs code there"),
        ):
            if spots[kind.word]:
                found.append(finding(kind, file, claim, spots[kind.word]))
    return Outcome(tuple(found))


def _sorted(module: Module, *, test: bool, safe_torch: bool) -> dict[str, list[Spot]]:
    spots: dict[str, list[Spot]] = {kind.word: [] for kind in (_KIND, _TORCH, _NETWORK, _TEST)}
    for use in module.uses:
        word = _word(use, safe_torch=safe_torch)
        if word and test:
            word = "" if use.name.endswith("loads") else _TEST.word
        spot = Spot(use.where, use.source, use.line)
        if word and spot not in spots[word]:
            spots[word].append(spot)
    return spots


def _word(use: Use, *, safe_torch: bool) -> str:
    """The kind that the use is of; empty for a harmless one."""
    if _TORCH_LOAD.fullmatch(use.name) or (use.called and _BY_URL.fullmatch(use.name)):
        safe = use.keywords.get("weights_only") is True or "**" in use.keywords
        safe = safe or (safe_torch and "weights_only" not in use.keywords and not _BY_URL.fullmatch(use.name))
        return "" if safe or _is_variable(use) else _TORCH.word
    if use.keywords.get("weights_only") is False:
        return _TORCH.word
    writes = _WRITES.search(use.name) is not None  # numpy.save(..., allow_pickle=True)
    flagged = not writes and any(use.keywords.get(flag) is bad for flag, bad in _FLAGS.items())
    flagged = flagged or (use.name == "numpy.load" and use.arguments[_NUMPY_PLACE:] == ("True",))
    flagged = flagged or (use.name.startswith("skops.io.load") and use.keywords.get("trusted") is True)
    if not (flagged or _PICKLES.fullmatch(use.name)):
        return ""
    if not flagged and any(_ROUND_TRIP.match(argument) for argument in use.arguments[:1]):
        return ""  # a copy made by way of a pickle: nobody else's bytes
    network = use.called and any(_FROM_NETWORK.search(argument) for argument in use.arguments)
    return _NETWORK.word if network and not flagged else _KIND.word


def _is_variable(use: Use) -> bool:
    """Whether `weights_only` is given, but not as a constant: somebody decides it, and code can't show how."""
    return "weights_only" in use.keywords and not isinstance(use.keywords["weights_only"], (bool, type(None)))
