"""What the sharded methods share: the shards that could be read, the sample, the fitted model, and passes over all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.sharded.census import CensusSettings, census, read_stream
from mithridate.audits.poison.sharded.learn import Drawn, Learnt, learn
from mithridate.audits.poison.sharded.score import Part, folds_of, score
from mithridate.compute.port import Executor, Failed, TaskFailed
from mithridate.compute.process import ThisProcess
from mithridate.compute.store import Keyed, Result, Stored, key_of, run_kept
from mithridate.core.errors import Error
from mithridate.core.method import Outcome
from mithridate.core.progress import Progress, Silent
from mithridate.data.changes import Since
from mithridate.data.dataset import Dataset
from mithridate.data.shards import Shards, as_dataset, digest
from mithridate.numeric.noise_table import BINS, Counts, NoiseTable, noise_table

T = TypeVar("T")

FORM = 1  # of the stored results: raise it when what a function stores changes
SAMPLE_ROWS = 50_000
BUCKET_ROWS = 4_000_000  # hashes that are searched for copies at a time
REFERENCE_ROWS = 300_000  # that the values of odd rows are compared with


@dataclass(eq=False)
class ShardContext:
    """The shards, what is known of them, and the executor that works on them.

    store : folder of kept results. lost : place -> reason of shards that no worker could finish. fresh : by pass, how
    many results were not in the store yet. manifest : what happened to the rows since it was built. triggers, guilty :
    what the trigger and the source method found.
    """

    source: Shards
    settings: AuditSettings
    executor: Executor
    store: Path
    progress: Progress = field(default_factory=Silent)
    manifest: Since | None = None
    lost: dict[int, str] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    triggers: list[Any] = field(default_factory=list)
    guilty: list[Any] = field(default_factory=list)
    _done: dict[str, Any] = field(default_factory=dict)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """The value under `key`, made at the first call and kept."""
        if key not in self._done:
            self._done[key] = make()
        value: T = self._done[key]
        return value

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator that depends on the seed and the purpose alone."""
        return np.random.default_rng([self.settings.seed, *purpose.encode()])

    def has(self, need: str) -> bool:
        """Whether the source has this part."""
        plan = self.source.plan
        parts = {"labels": plan.label, "sources": plan.source, "manifest": self.manifest}
        return bool(parts.get(need))

    def learn(self, method: str, outcome: Outcome) -> None:
        """Nothing to keep: methods leave what others need in `once`."""

    def pass_over(
        self, function: Callable[[Any], Result], tasks: Sequence[Any], keys: Sequence[str], what: str
    ) -> list[Stored | Failed]:
        """The stored result of each task; those that an earlier run left are not computed again."""
        keyed = [Keyed(task, key_of(version("mithridate"), FORM, key)) for task, key in zip(tasks, keys, strict=True)]
        done = run_kept(self.executor, function, keyed, self.store, progress=self.progress, what=what)
        self.fresh[what] = sum(isinstance(result, Stored) and result.fresh for result in done)
        return done

    def over_parts(self, function: Callable[[Any], Result], extra: str, what: str) -> list[Stored]:
        """A function over all shards that are left, in order; a shard that is lost here is left out from now on."""
        parts = self.parts
        results = self.pass_over(function, parts, [f"{self.basis} {part.census.path} {extra}" for part in parts], what)
        return self._kept(results, [self._place(part) for part in parts])

    def over_all(self, function: Callable[[Any], Result], tasks: Sequence[Any], extra: str, what: str) -> list[Stored]:
        """A function over tasks that each need all shards; any failure ends the method."""
        results = self.pass_over(function, tasks, [f"{self.basis} {extra} {task}" for task in tasks], what)
        out = [result for result in results if isinstance(result, Stored)]
        if len(out) < len(results):
            raise TaskFailed(next(result.reason for result in results if isinstance(result, Failed)))
        return out

    def _place(self, part: Part) -> int:
        return self.source.shards.index(part.shard)

    def _kept(self, results: Sequence[Stored | Failed], places: Sequence[int]) -> list[Stored]:
        for place, result in zip(places, results, strict=True):
            if isinstance(result, Failed):
                if isinstance(result.error, Error):
                    raise result.error
                self.lost[place] = result.reason
        out = [result for result in results if isinstance(result, Stored)]
        if not out:
            raise TaskFailed(next(iter(self.lost.values()), "no shard could be read"))
        return out

    @property
    def parts(self) -> list[Part]:
        """The shards that are left, each with its census."""
        found = self.once("census", self._census)
        return [part for place, part in found.items() if place not in self.lost]

    @property
    def basis(self) -> str:
        """What every result rests on: all shards' contents and the settings."""
        return self.once("basis", lambda: key_of([part.census.path for part in self.parts], self.settings.seed))

    def _census(self) -> dict[int, Part]:
        source = self.source
        share = min(1.0, SAMPLE_ROWS / source.n_rows)
        settings = CensusSettings(source.plan, share, -(-source.n_rows // BUCKET_ROWS))
        told = [
            list(source.plan.content),
            source.plan.label,
            source.plan.source,
            source.plan.modality,
            share,
            settings.buckets,
        ]
        keys = [f"{digest(shard)} {told}" for shard in source.shards]
        results = self.pass_over(partial(census, settings), source.shards, keys, "shards: census")
        self._kept(results, range(len(results)))
        return {
            place: Part(source.shards[place], result)
            for place, result in enumerate(results) if isinstance(result, Stored)
        }  # fmt: skip

    @property
    def labels(self) -> tuple[Any, ...]:
        """The stored labels of all shards, sorted."""
        return self.once("labels", lambda: _words(self.parts, "labels"))

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of all shards, sorted."""
        return self.once("sources", lambda: _words(self.parts, "sources"))

    @property
    def n_rows(self) -> int:
        """Rows of the shards that are left."""
        return sum(part.shard.n_rows for part in self.parts)

    @property
    def sample(self) -> Context:
        """The sample as rows in memory, for methods that need no more: rows in content-hash order."""
        data = self.drawn.data
        return self.once("sample", lambda: Context(dataset=data, settings=self.settings, progress=self.progress))

    @property
    def drawn(self) -> Drawn:
        """The sample's rows in content-hash order, with all columns."""
        return self.once("drawn", self._draw)

    def _draw(self) -> Drawn:
        tables = [read_stream(part.census.array("sample")) for part in self.parts]
        ids = np.concatenate([part.census.array("sample_rows") + part.shard.start for part in self.parts])
        words = np.concatenate([part.census.array("word")[part.census.array("sample_rows")] for part in self.parts])
        order = np.argsort(words, kind="stable")
        table = pa.concat_tables(tables).take(pa.array(order))
        return Drawn(in_memory(self, tables, ids).take(order), table, folds_of(words[order]))

    @property
    def learnt(self) -> Learnt:
        """The model and the codes, fitted to the sample."""
        return self.once("learnt", self._learn)

    def _learn(self) -> Learnt:
        return learn(
            self.drawn,
            [part.census for part in self.parts],
            self.source.plan,
            sources=self.sources,
            n_rows=self.n_rows,
            reference=min(1.0, REFERENCE_ROWS / self.n_rows),
            rng=self.rng("shards"),
        )

    @property
    def scores(self) -> list[tuple[Part, Stored]]:
        """Each shard with its scores."""
        return self.once("scores", self._scores)

    def _scores(self) -> list[tuple[Part, Stored]]:
        results = self.over_parts(partial(score, self.learnt), "score", "shards: scores")
        return list(zip(self.parts, results, strict=True))

    def total(self, name: str) -> npt.NDArray[np.int64]:
        """The sum of one of the shards' counts."""
        found = self.scores
        whole = found[0][1].array(name).astype(np.int64)
        for _, stored in found[1:]:
            whole += stored.array(name)
        return whole

    @property
    def noise(self) -> tuple[NoiseTable, Counts]:
        """Odds and p-values of every noise cell, from all shards' counts, and these counts."""
        return self.once("noise", self._noise)

    def _noise(self) -> tuple[NoiseTable, Counts]:
        filled = self.total("filled")
        width = int(np.sqrt(len(filled) / (BINS + 1)))
        counts = Counts(self.total("cells").reshape(width, width, BINS), filled.reshape(width, width, BINS + 1))
        return noise_table(counts, n_classes=len(self.labels), rng=self.rng("label-noise")), counts


def _words(parts: Sequence[Part], kind: str) -> tuple[Any, ...]:
    return tuple(sorted({word for part in parts for word in part.census.facts[kind]}))


def in_memory(context: ShardContext, tables: Sequence[pa.Table], ids: npt.NDArray[np.int64]) -> Dataset:
    """Rows taken from shards as a data set with the whole's labels and sources, `ids` their positions in the whole."""
    from dataclasses import replace

    rows = as_dataset(tables, context.source.plan, context.source.name)
    lookup = np.array([*(context.labels.index(word) for word in rows.classes), -1], np.int32)
    codes = None if rows.codes is None else lookup[rows.codes]
    sources = None
    if rows.source_codes is not None:
        place = np.array([context.sources.index(name) for name in rows.source_names] or [0], np.int32)
        sources = place[rows.source_codes]
    return replace(
        rows, codes=codes, classes=context.labels, source_codes=sources, source_names=context.sources, row_ids=ids
    )


def prepare(
    *,
    shards: Shards,
    settings: AuditSettings,
    progress: Progress,
    store: Path,
    executor: Executor | None = None,
    manifest: Since | None = None,
) -> ShardContext:
    """The context of an audit by shards; the census of all shards is taken here.

    Raises
    ------
    InputError : a shard is damaged, or its columns can't be read.
    """
    context = ShardContext(shards, settings, executor or ThisProcess(), store, progress, manifest)
    _ = context.parts
    return context
