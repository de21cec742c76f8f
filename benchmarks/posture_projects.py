"""Posture on checkouts of real projects: findings by check and kind, seconds, memory, and a sample to judge by reading.

    python benchmarks/posture_projects.py FOLDER --commits commits.txt --judged judged.csv --how WHO -o results.json
    python benchmarks/posture_projects.py FOLDER --sample 20

FOLDER holds one checkout a project; nothing of it is run. `commits.txt` has `owner/name commit` a line. `judged.csv`
holds what a person found by reading a sample, a place a line: kind, project@commit, path:line, verdict (true, false,
arguable: so, but harmless or guarded where the file can't show it), reason.
What nobody found can't be counted in projects that nobody labelled: recall is the subject of `posture.py`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common import SOURCE, machine, show, target

MOST_OF_A_PROJECT = 4  # of a sample: one project with a thousand places of one kind would be all of it
TIMEOUT_S = 900
WANTED = 0.8  # below, a kind needs a better rule or a lower severity


def looked_at(folder: Path) -> dict[str, Any]:
    """The report of one project in a process of its own, so that memory is its own."""
    code = (
        "import json, resource, sys, time\nfrom mithridate.flows.posture import posture\n"
        "start = time.process_time()\nreport = posture(sys.argv[1], offline=True).to_json()\n"
        "cost = {'cpu_s': time.process_time() - start, 'peak_bytes': 1024 * "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\njson.dump({**report, 'cost': cost}, sys.stdout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True, timeout=TIMEOUT_S,
        cwd=SOURCE.parent,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def kind_of(finding: dict[str, Any]) -> str:
    """The check and the kind within it; reasons and data folders are one kind each."""
    kind = "not looked at" if finding["method"] == "SUP441" else finding["subject"].get("kind_of", "")
    return f"{finding['method']} {kind}".strip()


def counted(report: dict[str, Any]) -> dict[str, Any]:
    """Findings and places by kind, and what they cost."""
    findings: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for finding in report["findings"]:
        findings[kind_of(finding)] += 1
        places[kind_of(finding)] += max(1, len(finding["subject"].get("lines") or ()))
    failed = [check["reason"] for check in report["checks"] if check["status"] == "failed"]
    return {
        "files": report["target"].get("files"), "findings": dict(sorted(findings.items())),
        "places": dict(sorted(places.items())), "failed": failed,
        **report.get("cost", {"wall_s": report["run"].get("seconds"), "peak_bytes": report["run"].get("peak_bytes")}),
    }  # fmt: skip


def sampled(reports: dict[str, dict[str, Any]], n: int, seed: int) -> dict[str, list[str]]:
    """Up to `n` places of each kind, at most four of a project, drawn by `seed`."""
    every: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, report in reports.items():
        for finding in report["findings"]:
            path = finding["subject"].get("path", "")
            rows = [row for piece in finding["evidence"][:1] for row in piece.get("rows", ())]
            for row in rows or [["", finding["claim"]]]:
                every[kind_of(finding)].append((name, f"{name}/{path} {row[0]}: {row[-1]}"))
    rng, drawn = random.Random(seed), dict[str, list[str]]()  # noqa: S311 - a sample, no secret
    for kind, places in sorted(every.items()):
        rng.shuffle(places)
        taken: Counter[str] = Counter()
        drawn[kind] = []
        for name, place in places:
            taken[name] += 1
            if taken[name] <= MOST_OF_A_PROJECT and len(drawn[kind]) < n:
                drawn[kind].append(place)
    return drawn


def verdicts(file: Path) -> dict[str, dict[str, Any]]:
    """How many places of each kind were judged, and how."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: {"n": 0, "true": 0, "false": 0, "arguable": 0})
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found[row["kind"]]["n"] += 1
            found[row["kind"]][row["verdict"]] += 1
    return dict(found)


def worst_severity(reports: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The highest severity of each kind."""
    order = ("info", "low", "medium", "high", "critical")
    found: dict[str, str] = {}
    for finding in (finding for report in reports.values() for finding in report["findings"]):
        kind = kind_of(finding)
        found[kind] = max(found.get(kind, "info"), finding["severity"], key=order.index)
    return found


def summary(
    projects: dict[str, dict[str, Any]], judged: dict[str, Any], severity: dict[str, str]
) -> list[dict[str, Any]]:
    """One row a kind: findings, places, projects, and what reading a sample of the places said."""
    rows = []
    for kind in sorted({kind for project in projects.values() for kind in project["findings"]}):
        some = [project for project in projects.values() if kind in project["findings"]]
        row = {
            "kind": kind, "findings": sum(project["findings"][kind] for project in some),
            "places": sum(project["places"][kind] for project in some), "projects": len(some),
            "severity": severity[kind],
        }  # fmt: skip
        read = judged.get(kind, {})
        certain = read.get("true", 0) + read.get("false", 0)
        rows.append({**row, **read, "precision": read["true"] / certain if certain else None})
    return rows


def main() -> None:
    """Count, and write or print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("folder", type=Path)
    made.add_argument("--reports", type=Path, help="NAME.json of `mithridate posture --offline -o`, made before")
    made.add_argument("--commits", type=Path)
    made.add_argument("--judged", type=Path)
    made.add_argument("--how", default="", help="who judged what, and what to know of it")
    made.add_argument("--sample", type=int, metavar="N", help="print N places of each kind to judge")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("-o", "--output", type=Path)
    given = made.parse_args()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    lines = given.commits.read_text(encoding="utf-8").splitlines() if given.commits else []
    commits = {line.split()[0].rpartition("/")[2]: "@".join(line.split()[:2]) for line in lines if line.strip()}
    reports, projects = {}, {}
    for folder in sorted(path for path in given.folder.iterdir() if path.is_dir()):
        stored = given.reports / f"{folder.name}.json" if given.reports else None
        if stored is not None and not stored.exists():
            continue
        reports[folder.name] = looked_at(folder) if stored is None else json.loads(stored.read_text(encoding="utf-8"))
        projects[commits.get(folder.name, folder.name)] = counted(reports[folder.name])
    if given.sample:
        print(json.dumps(sampled(reports, given.sample, given.seed), indent=1, ensure_ascii=False))
    rows = summary(projects, verdicts(given.judged) if given.judged else {}, worst_severity(reports))
    show("Findings on real projects", rows)
    serious = [row["precision"] for row in rows if row["precision"] is not None and row["severity"] != "low"]
    worst = min(serious, default=None)
    goals = [
        target("medium and high kinds, worst precision of a sample", ">= 0.8", worst,
               met=worst is not None and worst >= WANTED),
    ]  # fmt: skip
    if given.output:
        content = {
            "benchmark": "posture_projects", "date": started, "machine": machine(), "seeds": [given.seed],
            "command": "benchmarks/posture_projects.py FOLDER --commits F --judged F --how TEXT -o F", "options": {},
            "how": given.how, "summary": rows, "targets": goals,
            "cells": [{"project": name, **project} for name, project in projects.items()],
        }  # fmt: skip
        given.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
