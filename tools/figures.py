"""The README's figures, drawn from benchmarks/results: no figure stands there without its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
START, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
MOST_ROWS = 10  # a longer list of promises is counted, and only what was missed stands by itself
WORDS = {
    "fashion-flip-5": "Fashion-MNIST, random flips 5 %",
    "fashion-badnets-1": "Fashion-MNIST, BadNets patch 1 %",
    "fashion-badnets-5": "Fashion-MNIST, BadNets patch 5 %",
    "fashion-moving-5": "Fashion-MNIST, moving patch 5 %",
    "fashion-blended-noise-5": "Fashion-MNIST, blended noise 5 %",
    "fashion-blended-smooth-5": "Fashion-MNIST, blended smooth 5 %",
    "fashion-six-to-zero-5": "Fashion-MNIST, shirts made T-shirts 5 %",
    "digits-badnets-5": "digits, BadNets patch 5 %",
    "adult-values-1": "Adult, two columns 1 %",
    "adult-flip-5": "Adult, random flips 5 %",
    "phishing-values-3": "phishing, two columns 3 %",
    "news-flip-5": "20 Newsgroups, random flips 5 %",
    "news-word-1": "20 Newsgroups, inserted word 1 %",
    "reuters-word-1": "Reuters, inserted word 1 %",
    "spam-word-1": "SpamAssassin extract, inserted word 1 %",
}


def block() -> str:
    """The Markdown between the two markers."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    parts = [_poison(found["poison"])] if "poison" in found else []
    parts += [_targets(name, raw) for name, raw in found.items()]
    return START + "\n".join(part for part in parts if part) + END


def readme(text: str) -> str:
    """The README with the block of today."""
    if START not in text or END not in text:
        raise SystemExit("README.md has lost the marks between which its figures stand")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return before + block() + after


def _poison(raw: dict[str, Any]) -> str:
    packages = raw["machine"]["packages"]
    peers = (
        f"cleanlab {packages['cleanlab']}, pyod {packages['pyod']}, ART {packages['adversarial-robustness-toolbox']}"
    )
    lead = (
        "Recall when flagging exactly the true number of poisoned rows; median [lowest, highest] of "
        f"{len(raw['seeds'])} "
        f"seeds, at most 10,000 rows; the best of {peers} and plain kNN on the same rows:"
    )
    lines = [lead, "", "| | Mithridate | best peer | which |", "| --- | --- | --- | --- |"]
    for row in (line for line in raw["summary"] if "best peer" in line):
        name = WORDS.get(row["case"], row["case"])
        lines.append(
            f"| {name} | {_spread(row.get('ours'))} | {_spread(row.get('best peer'))} | {row.get('which') or '-'} |"
        )
    return "\n".join([*lines, ""])


def _targets(name: str, raw: dict[str, Any]) -> str:
    rows = [f"| {t['what']} | {t['wanted']} | {_reached(t['reached'])} | {_met(t['met'])} |" for t in raw["targets"]]
    if not rows:
        return ""
    if len(rows) > MOST_ROWS:
        kept, silent = (sum(t["met"] is wanted for t in raw["targets"]) for wanted in (True, None))
        missed = [row for row, t in zip(rows, raw["targets"], strict=True) if t["met"] is False]
        counted = f"of {len(rows)} cases {kept} keep the promise, {silent} have nothing to judge, {len(missed)} miss it"
        rows = [f"| all | | {counted} | |", *missed]
    source = f"[`benchmarks/results/{name}.json`](benchmarks/results/{name}.json)"
    head = f"{name.capitalize()} ({source}, {raw['date'][:10]}, {raw['machine']['cores']} cores):"
    return "\n".join([head, "", "| promise | wanted | reached | kept |", "| --- | --- | --- | --- |", *rows, ""])


def _spread(value: dict[str, float] | None) -> str:
    return (
        "not run"
        if not value or value["median"] is None
        else f"{value['median']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
    )


def _reached(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _met(value: bool | None) -> str:  # noqa: FBT001 - as the JSON has it
    return "not measured" if value is None else "yes" if value else "**no**"
