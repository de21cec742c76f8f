"""Claim: posture finds at least 95 % of planted weaknesses and flags at most 2 % of their harmless twins, in seconds.

Projects are written by `posture_planted.py`, one weakness or its twin in each. A finding counts when it is of the right
check, about the planted file, and at least medium (low for papers, hashes and data, which are never more). A twin is
flagged by such a finding, or by any of at least medium. bandit and detect-secrets, in an environment of their own, run
over the same files of the kinds that they are made for; bandit reads no notebooks, so its kinds are planted in scripts
only. pip-audit is not measured: it needs its database.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import posture_planted
from common import Cell, Options, Result, judges, product_stamp, publish, show, target
from scan import environment

PEERS = ("detect-secrets==1.5.0", "bandit==1.9.4")
METHODS = {
    "secret": "SUP420", "unpinned": "SUP422", "no hash": "SUP422", "index": "SUP422", "permissions": "SUP423",
    "readable data": "SUP423", "remote code": "SUP424", "pickle": "SUP425", "torch.load": "SUP425", "yaml": "SUP426",
    "open server": "SUP427", "model card": "SUP428", "contact": "SUP429", "unsigned model": "SUP440",
    "not looked at": "SUP441",
}  # fmt: skip
LOW = {"no hash", "readable data", "model card", "contact", "unsigned model", "not looked at"}
BANDIT = {  # what of bandit's is about the kind, wherever it stands
    "pickle": {"B301", "B302"}, "torch.load": {"B614", "B301"}, "yaml": {"B506"}, "open server": {"B104", "B201"},
}  # fmt: skip
N_FILES = 5000


def ours(seed: int, options: Options) -> Result:
    """Mithridate over every project of a seed, one at a time."""
    from mithridate.flows.posture import posture

    folder, counts, wrong = _fresh(options, f"ours-{seed}"), {}, []
    for place, case in enumerate(posture_planted.cases(seed)):
        count = counts.setdefault(case.kind, {"planted": 0, "found": 0, "twins_flagged": 0})
        count["planted"] += 1
        for bad in (True, False):
            project = folder / f"{place}-{bad}"
            posture_planted.write(case, project, seed, bad=bad)
            least = 1 if case.kind in LOW else 2
            findings = posture(project, offline=True).findings
            right = [f for f in findings if f.method == METHODS[case.kind] and int(f.severity) >= least]
            if bad:
                hit = any(not case.path or f.subject.extra.get("path") == case.path for f in right)
                count["found"] += hit
            else:
                hit = not right and all(int(f.severity) < 2 for f in findings)
                count["twins_flagged"] += not hit
            if not hit:
                wrong.append(f"{case.kind} {case.path} {'missed' if bad else 'twin'}")
            shutil.rmtree(project)
    return {"kinds": counts, "wrong": wrong}


def peer(tool: str, seed: int, options: Options) -> Result:
    """A peer over the same files in one run: whether it names the planted file, and its twin."""
    kinds = {"secret"} if tool == "detect-secrets" else set(BANDIT)
    cases = [case for case in posture_planted.cases(seed, notebooks=tool != "bandit") if case.kind in kinds]
    cases = [case for case in cases if tool != "bandit" or case.path.endswith(".py")]
    folder = _fresh(options, f"{tool}-{seed}")
    for place, case in enumerate(cases):
        for bad in (True, False):
            for name, text in (case.bad if bad else case.good).items():
                path = folder / f"{place}-{bad}" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    named = _named(tool, folder, environment(options, "posture", PEERS))
    counts: dict[str, Result] = {}
    for place, case in enumerate(cases):
        count = counts.setdefault(case.kind, {"planted": 0, "found": 0, "twins_flagged": 0})
        wanted = BANDIT.get(case.kind, {""})
        count["planted"] += 1
        count["found"] += bool(named.get(f"{place}-True/{case.path}", set()) & wanted)
        count["twins_flagged"] += bool(named.get(f"{place}-False/{case.path}", set()) & wanted)
    shutil.rmtree(folder)
    return {"kinds": counts}


def _named(tool: str, folder: Path, python: Path) -> dict[str, set[str]]:
    """The tests that each file failed; detect-secrets' have no name here."""
    if tool == "bandit":
        command = [str(python), "-m", "bandit", "-r", str(folder), "-f", "json", "-q"]
    else:
        command = [str(python), "-m", "detect_secrets", "scan", "--all-files", "--no-verify", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=folder)
    raw = json.loads(done.stdout)["results"]
    named: dict[str, set[str]] = {}
    pairs = [(item["filename"], item["test_id"]) for item in raw] if tool == "bandit" else [(name, "") for name in raw]
    for name, test in pairs:
        named.setdefault((folder / name).relative_to(folder).as_posix(), set()).add(test)
    return named


def speed(options: Options) -> Result:
    """A project of 5,000 files: process seconds, the checks' modules loaded."""
    from mithridate.flows.posture import posture

    folder, cases = _fresh(options, "speed"), [c for c in posture_planted.cases(0) if c.kind != "not looked at"]
    for place in range(N_FILES):
        case = cases[place % len(cases)]
        for name, text in case.good.items():
            path = folder / f"{place:04}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                text + "\n# more\nx = {'a': [1, 2, 3]}\n" * (40 if name.endswith(".py") else 0), encoding="utf-8"
            )
    posture(folder / "0000", offline=True)
    clock = time.process_time()
    report = posture(folder, offline=True)
    cpu = time.process_time() - clock
    shutil.rmtree(folder)
    return {"files": N_FILES, "cpu_s": cpu, "findings": len(report.findings)}


def _fresh(options: Options, name: str) -> Path:
    folder = options.cache / "posture-files" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.resolve()


def cells(options: Options) -> list[Cell]:
    """Ours and both peers for each seed, then the speed."""
    made = []
    for seed in range(options.seeds):
        made.append(Cell("planted", seed, "ours", partial(ours, seed, options), partial(_stamp, "ours")))
        made += [
            Cell("planted", seed, tool, partial(peer, tool, seed, options), partial(_stamp, tool))
            for tool in ("detect-secrets", "bandit")
        ]
    return [*made, Cell("speed", 0, "ours", partial(speed, options), partial(_stamp, "ours"))]


def _stamp(tool: str) -> str:
    files = (
        "posture.py",
        "posture_planted.py",
        "posture_tokens.py",
        "posture_secrets.py",
        "posture_code.py",
        "posture_servers.py",
    )
    judged = f"{product_stamp()} {_checks()}" if tool == "ours" else f"{' '.join(PEERS)} "
    return f"{judges(*files)} {judged}"


def _checks() -> str:
    """Hash of the checks themselves, which the product's stamp leaves out."""
    from common import SOURCE, code_stamp

    return code_stamp(*sorted((SOURCE / "supply" / "posture").glob("*.py")))


def report(results: Sequence[Result], options: Options) -> None:
    """Print recall and false findings by kind, beside the peers', and write the JSON."""
    totals: dict[tuple[str, str], Result] = {}
    for cell in results:
        for kind, count in cell.get("result", {}).get("kinds", {}).items():
            total = totals.setdefault((cell["part"], kind), {"planted": 0, "found": 0, "twins_flagged": 0})
            for key, value in count.items():
                total[key] += value
    lines = [
        {
            "tool": tool,
            "kind": kind,
            **total,
            "recall": total["found"] / total["planted"],
            "false": total["twins_flagged"] / total["planted"],
        }
        for (tool, kind), total in totals.items()
    ]
    show("Planted weaknesses and their harmless twins", lines)
    own = [line for line in lines if line["tool"] == "ours"]
    planted = sum(line["planted"] for line in own)
    recall = sum(line["found"] for line in own) / planted if planted else None
    false = sum(line["twins_flagged"] for line in own) / planted if planted else None
    worst = min((line["recall"] for line in own), default=None)
    cpu = next((cell["result"]["cpu_s"] for cell in results if cell["case"] == "speed" and "result" in cell), None)
    goals = [
        target("planted weaknesses found", ">= 0.95", recall, met=recall is not None and recall >= 0.95),
        target("of the worst kind", ">= 0.95", worst, met=worst is not None and worst >= 0.95),
        target("harmless twins flagged", "<= 0.02", false, met=false is not None and false <= 0.02),
        target("process seconds for 5,000 files", "<= 60", cpu, met=cpu is not None and cpu <= 60),
    ]
    show("Targets", goals)
    publish("posture", results, lines, goals, options)


if __name__ == "__main__":
    sys.exit("python benchmarks/run.py posture")
