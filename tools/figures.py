"""Figures drawn from benchmarks/results: a short table for the README, every promise for docs/figures.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
START, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
SETS = {"fashion": "Fashion-MNIST", "news": "20 Newsgroups", "spam": "SpamAssassin extract", "colour": "colour photos"}
HEADLINES = (  # the README's lines; docs/figures.md has them all
    "fashion-flip-5", "fashion-six-to-zero-5", "fashion-badnets-1", "fashion-moving-5", "fashion-blended-smooth-5",
    "fashion-low-frequency-5", "fashion-adaptive-blend-5", "fashion-sig-5", "fashion-wanet-10",
    "fashion-input-aware-10", "fashion-all-to-all-5", "colour-badnets-5", "adult-values-1", "news-word-1",
)  # fmt: skip
LEAD = (
    "Recall when flagging exactly the true number of poisoned rows; median [lowest, highest] over seeds (ours {ours}, "
    "with a recipe {recipe}, peers {peers}), at most 10,000 rows; the best of {names} and plain kNN on the same rows"
)


def block() -> str:
    """The Markdown between the README's two markers."""
    found = _results()
    parts = [_poison(found["poison"], HEADLINES)] if "poison" in found else []
    return START + "\n".join([*parts, _kept(found)]) + END


def page() -> str:
    """docs/figures.md: every case and every promise."""
    found = _results()
    parts = ["# Figures\n", "Written by `make docs` from `benchmarks/results/`; `make bench NAME=...` measures them.\n"]
    parts += [_poison(found["poison"])] if "poison" in found else []
    parts += [_targets(name, raw) for name, raw in found.items()]
    return "\n".join(part for part in parts if part)


def readme(text: str) -> str:
    """The README with the block of today."""
    if START not in text or END not in text:
        raise SystemExit("README.md has lost the marks between which its figures stand")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return before + block() + after


def _results() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}


def _poison(raw: dict[str, Any], chosen: tuple[str, ...] = ()) -> str:
    packages = raw["machine"]["packages"]
    named = {"cleanlab": "cleanlab", "pyod": "pyod", "adversarial-robustness-toolbox": "ART", "aegis-scan-ai": "aegis"}
    names = ", ".join(f"{name} {packages[package]}" for package, name in named.items() if package in packages)
    seeds = {
        key: _seeds(raw, name) for key, name in (("ours", "ours"), ("recipe", "with recipe"), ("peers", "best peer"))
    }
    lines = [LEAD.format(names=names, **seeds) + ":", ""]
    lines += ["| | Mithridate | with `--recipe cnn` | best peer | which |", "| --- | --- | --- | --- | --- |"]
    rows = {line["case"]: line for line in raw["summary"] if "best peer" in line}
    for case in chosen or rows:
        if case in rows:
            row = rows[case]
            cells = [_spread(row.get(key)) for key in ("ours", "with recipe", "best peer")]
            lines.append(f"| {_words(case)} | {' | '.join(cells)} | {row.get('which') or '-'} |")
    return "\n".join([*lines, ""])


def _seeds(raw: dict[str, Any], column: str) -> str:
    """Seeds behind the cases of that column, fewest to most."""
    counts = sorted({line[column]["n"] for line in raw["summary"] if line.get(column) and line[column]["n"]})
    return "none yet" if not counts else str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _words(case: str) -> str:
    """`fashion-badnets-0.5` in words."""
    data, _, rest = case.partition("-")
    attack, _, rate = rest.rpartition("-")
    return f"{SETS.get(data, data.capitalize())}, {attack.replace('-', ' ')} {rate} %"


def _kept(found: dict[str, dict[str, Any]]) -> str:
    """One line: how many promises are kept, and where the broken ones stand."""
    every = [goal for raw in found.values() for goal in raw["targets"] if goal["met"] is not None]
    missed = [goal["what"] for goal in every if not goal["met"]]
    told = f"{len(every) - len(missed)} of {len(every)} measured promises are kept"
    rest = f"; {len(missed)} are missed" if missed else ""
    return f"{told}{rest}. All of them, with seeds, machine and versions: [docs/figures.md](docs/figures.md).\n"


def _targets(name: str, raw: dict[str, Any]) -> str:
    rows = [f"| {t['what']} | {t['wanted']} | {_reached(t['reached'])} | {_met(t['met'])} |" for t in raw["targets"]]
    if not rows:
        return ""
    source = f"[`benchmarks/results/{name}.json`](../benchmarks/results/{name}.json)"
    head = f"## {name.capitalize()}\n\n{source}, {raw['date'][:10]}, {raw['machine']['cores']} cores"
    head += f", {len(raw['seeds'])} seeds or draws:"
    return "\n".join([head, "", "| promise | wanted | reached | kept |", "| --- | --- | --- | --- |", *rows, ""])


def _spread(value: dict[str, float] | None) -> str:
    return (
        "-"
        if not value or value["median"] is None
        else f"{value['median']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
    )


def _reached(value: object) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _met(value: bool | None) -> str:  # noqa: FBT001 - as the JSON has it
    return "not measured" if value is None else "yes" if value else "**no**"
