"""Results that outlive a run: arrays and facts kept under the hash of what they were computed from."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from mithridate.compute.port import Executor, Failed
from mithridate.core.errors import InputError
from mithridate.core.files import atomic
from mithridate.core.progress import Progress, Silent

Task = TypeVar("Task")

_FACTS = "facts.json"


@dataclass(frozen=True, slots=True)
class Result:
    """What a task made: named arrays, and facts as JSON. Small to send, since `Kept` leaves the arrays in the store."""

    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """A result in the store, its arrays read one by one when asked for; not `fresh` when an earlier run left it."""

    path: str
    facts: Mapping[str, Any]
    fresh: bool

    def array(self, name: str) -> npt.NDArray[Any]:
        """One array; `KeyError` when the result has none of that name."""
        with np.load(self.path, allow_pickle=False) as arrays:
            return np.asarray(arrays[name])

    def names(self) -> tuple[str, ...]:
        """The arrays' names."""
        with np.load(self.path, allow_pickle=False) as arrays:
            return tuple(name for name in arrays.files if name != _FACTS)


@dataclass(frozen=True, slots=True)
class Keyed(Generic[Task]):
    """A task and the digest of all that its result depends on."""

    task: Task
    key: str


@dataclass(frozen=True, slots=True)
class Kept(Generic[Task]):
    """A function whose results are kept: computed where none is stored yet, in whatever process asks.

    The store must be a folder that every worker sees; on several machines that's a shared file system.
    """

    function: Callable[[Task], Result]
    folder: str

    def __call__(self, keyed: Keyed[Task]) -> Stored:
        """The stored result of the task."""
        path = self.place(keyed.key)
        found = read_facts(path)
        if found is not None:
            return Stored(str(path), found, fresh=False)
        result = self.function(keyed.task)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary, temporary.open("wb") as stream:
            facts = np.frombuffer(json.dumps(dict(result.facts)).encode(), np.uint8)
            np.savez(stream, allow_pickle=False, **{_FACTS: facts, **result.arrays})
        return Stored(str(path), json.loads(json.dumps(dict(result.facts))), fresh=True)

    def place(self, key: str) -> Path:
        """Where the result of that key lies."""
        function: Any = getattr(self.function, "func", self.function)  # what a partial is of
        named = f"{function.__module__}.{function.__qualname__}".removeprefix("mithridate.")
        return Path(self.folder) / named / key[:2] / f"{key}.npz"


def read_facts(path: Path) -> dict[str, Any] | None:
    """The facts of a whole result; None where there is none, or what is there was cut short."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            facts: dict[str, Any] = json.loads(arrays[_FACTS].tobytes())
            return facts
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def key_of(*parts: Any) -> str:
    """Hex digest of JSON parts: what a result depends on.

    Examples
    --------
    >>> key_of("a", 1) == key_of("a", 1) != key_of("a", 2)
    True
    """
    return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def run_kept(
    executor: Executor,
    function: Callable[[Task], Result],
    tasks: Sequence[Keyed[Task]],
    folder: Path,
    *,
    progress: Progress | None = None,
    what: str = "tasks",
) -> list[Stored | Failed]:
    """The stored result of each task, in order; only those that aren't there yet are computed.

    Raises
    ------
    InputError : the store's folder can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't keep results in {folder}: {error.strerror or error}; give another --store") from error
    kept = Kept(function, str(folder.absolute()))
    found = {place: read_facts(kept.place(keyed.key)) for place, keyed in enumerate(tasks)}
    missing = [place for place, facts in found.items() if facts is None]
    listener = progress or Silent()
    made = executor.map(kept, [tasks[place] for place in missing], progress=listener, what=what) if missing else []
    fresh = dict(zip(missing, made, strict=True))
    return [
        fresh[place] if facts is None else Stored(str(kept.place(tasks[place].key)), facts, fresh=False)
        for place, facts in found.items()
    ]
