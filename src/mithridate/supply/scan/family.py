"""The methods that look at files: one scan for all, one finding a file under the method that says the worst."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from mithridate.core.findings import number
from mithridate.core.method import Combined, Outcome
from mithridate.core.progress import Progress
from mithridate.supply.scan.beside import with_source_beside
from mithridate.supply.scan.budget import Budget
from mithridate.supply.scan.dispatch import Area
from mithridate.supply.scan.files import Scanned, scan_entry
from mithridate.supply.scan.raw_data import with_raw_data_known
from mithridate.supply.scan.walk import Entry, walk

OVERHEAD = 20_000  # bytes that would take as long as opening a file does


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """What a scan may cost for each file, whether files without a finding get a digest too, and worker processes."""

    seconds: float = 60.0
    digest: bool = False
    jobs: int = 1
    seed: int = 0


@dataclass(slots=True)
class ScanContext:
    """Every file that was scanned, and what each method said."""

    files: tuple[Scanned, ...]
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def has(self, need: str) -> bool:
        """Whether the target has a part: files are all there is."""
        return need == "files"

    def learn(self, method: str, outcome: Outcome) -> None:
        """Keep what a method said."""
        self.outcomes[method] = outcome

    def leading(self, area: Area) -> list[Scanned]:
        """The files whose worst issue is of that kind."""
        return [file for file in self.files if file.located and file.located[0].area == area]


def prepare(*, paths: Sequence[str | Path], settings: ScanSettings, progress: Progress) -> ScanContext:
    """Scan every file under the paths once."""
    progress.step("listing", 0.0)
    entries = walk([Path(path) for path in paths])
    total = sum(entry.size + OVERHEAD for entry in entries) or 1
    scanned: list[Scanned] = []
    done = 0
    with _workers(settings.jobs) as work:
        for entry, file in zip(entries, work(partial(_scan, settings=settings), entries), strict=True):
            done += entry.size + OVERHEAD
            progress.step(f"scanned {entry.path.name[:40]}", done / total)
            scanned.append(file)
    return ScanContext(tuple(with_source_beside(with_raw_data_known(scanned))))


def _scan(entry: Entry, settings: ScanSettings) -> Scanned:
    return scan_entry(entry, Budget(seconds=settings.seconds), digest=settings.digest)


@contextmanager
def _workers(jobs: int) -> Iterator[Callable[..., Iterator[Scanned]]]:
    """`map` in this process, or over worker processes."""
    if jobs == 1:
        yield map
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield partial(pool.map, chunksize=8)


def combine(context: ScanContext, outcomes: Mapping[str, Outcome]) -> Combined:
    """All findings, worst first, and how much was scanned."""
    findings = [finding for outcome in outcomes.values() for finding in outcome.findings]
    findings.sort(key=lambda finding: (-finding.severity, str(finding.subject.extra.get("path"))))
    numbers = (
        number("files", len(context.files)),
        number("bytes", sum(file.size for file in context.files), unit="bytes"),
    )
    return Combined(tuple(findings), numbers, context.files)
