"""Reports of every shape for tests: the demo's, an empty one, failed ones, 200 findings, huge and hostile text."""

import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

from mithridate.core.findings import (
    Evidence,
    Finding,
    Json,
    Severity,
    Subject,
    Tile,
    bars,
    gallery,
    histogram,
    image,
    number,
    table,
    text,
)
from mithridate.core.report import CheckResult, Report, Target
from mithridate.core.trigger import Trigger

HOSTILE = (
    "<script>alert(1)</script></style></svg><img src=x onerror=alert(2)>"
    "\" onload='alert(3)' javascript:alert(4) \u202egpj.exe\u202c \x00\x07\x1b[2J\x1b]0;own\x07\x9b31m"
    " a|b `c` **d** [e](javascript:f) @everyone #1 http://evil.example ]]> --> {{ 7*7 }} {% x %} \ud800\u2028\U000e0041"
    + "W"
    * 300
)


def png(shade: Callable[[int, int], int], side: int = 28) -> bytes:
    """A grey PNG of `side` x `side` pixels with `shade(y, x)` in 0..255."""
    rows = b"".join(b"\0" + bytes(max(0, min(255, shade(y, x))) for x in range(side)) for y in range(side))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + body


def garment(kind: int, seed: int, *, patch: bool = False) -> bytes:
    """A drawn garment: 0 shirt, 1 trousers, 2 boot; `patch` puts a white square in the corner."""

    def shade(y: int, x: int) -> int:
        if patch and 24 <= y <= 26 and 24 <= x <= 26:
            return 255
        wave = 24 * math.sin(seed + x / 2.3) + 16 * math.cos(seed * 1.7 + y / 3.1)
        return int(150 + 30 * math.sin(seed) + wave) if _inside(kind, y, x) else 0

    return png(shade)


def _inside(kind: int, y: int, x: int) -> bool:
    middle = abs(x - 13.5)
    if kind == 0:
        return 3 <= y <= 25 and (middle < 7 or (y < 12 and middle < 12 - (y - 6) / 4)) and not (y < 5 and middle < 3)
    if kind == 1:
        return 2 <= y <= 26 and middle < 7 and (y < 9 or middle > 1.5)
    return (4 <= y <= 24 and 12 <= x <= 19) or (17 <= y <= 25 and 3 <= x <= 19)


def _pictures() -> list[Tile]:
    flagged = [Tile(garment(1 + i % 2, i, patch=True), 17 + 97 * i, "flagged", "label 0") for i in range(8)]
    return flagged + [Tile(garment(0, 40 + i), 5 + 211 * i, "clean", "label 0") for i in range(8)]


def trigger_finding() -> Finding:
    pixels = [[y, x, 0] for y in (24, 25, 26) for x in (24, 25, 26)]
    trigger = Trigger("patch", 0, {"pixels": pixels, "values": [1.0] * 9})
    edges = [i / 20 for i in range(21)]
    honest = [3, 8, 30, 99, 260, 540, 900, 1300, 1600, 1500, 1200, 900, 620, 400, 250, 140, 70, 40, 20, 10]
    suspect = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3, 5, 9, 16, 28, 35]
    return Finding(
        method="PSN104",
        slug="shared-trigger",
        severity=Severity.CRITICAL,
        confidence=0.9995,
        claim="100 rows labelled 0 share a 3 × 3 patch that moves 76 % of other images to class 0 "
        "(confirmed by the causal test)",
        subject=Subject("rows", tuple(range(17, 9917, 99)), 0, {"vendor-b": 96, "vendor-a": 4}),
        evidence=(
            image(
                "trigger",
                png(lambda y, x: 255 if 24 <= y <= 26 and 24 <= x <= 26 else 40),
                caption="The nine pixels, on a grey ground.",
            ),
            trigger.as_evidence(),
            gallery(
                "rows",
                _pictures(),
                caption="Left: rows that carry the patch. Right: rows of the same label that don’t.",
            ),
            histogram(
                "surprise",
                edges,
                {"other rows": honest, "rows with the patch": suspect},
                caption="How surprising each row’s label is to a model that can’t see the patch.",
            ),
            bars(
                "sources",
                ["vendor-a", "vendor-b", "vendor-c", "crowd", "archive"],
                [0.002, 0.048, 0, 0, 0],
                unit="share",
                caption="Share of each source’s rows that carry the patch.",
                marked=["vendor-b"],
            ),
            number(
                "flip_rate",
                0.76,
                low=0.73,
                high=0.79,
                unit="share",
                note="interval over the 1,000 images of other classes",
            ),
            number("p_value", 3.2e-41, note="binomial, rows with the patch against all rows, after Holm"),
            number("lift", 18.4, low=15.1, high=22.6, note="interval over rows"),
            text(
                "why", "A model trained without these rows no longer follows the patch: the flip rate falls to 0.4 %."
            ),
        ),
        remedy="Leave these rows out: mithridate audit train.npz --clean clean.npz",
        standards=("AML.T0020", "AML.T0018", "ML02:2023"),
        place="pixels 24-26,24-26",
    )


def source_finding() -> Finding:
    return Finding(
        method="PSN106",
        slug="bad-source",
        severity=Severity.HIGH,
        confidence=0.97,
        claim="Source crowd has 3.1 times as many wrong labels as the others (14.9 % against 4.8 %)",
        subject=Subject("rows", tuple(range(3, 2003, 7)), None, {"crowd": 286}),
        evidence=(
            bars(
                "error rates",
                ["archive", "crowd", "vendor-a", "vendor-b", "vendor-c"],
                [0.047, 0.149, 0.051, 0.046, 0.049],
                unit="share",
                caption="Estimated share of wrong labels in each source.",
                marked=["crowd"],
            ),
            number("error_rate", 0.149, low=0.131, high=0.168, unit="share", note="interval over rows of the source"),
        ),
        remedy="Ask the source how it labels, and weigh its rows down until it answers.",
        standards=("AML.T0020",),
        place="crowd",
    )


def label_finding() -> Finding:
    rows = [
        [17, "flagged", 39.0, "Private", 13, 40, ">50K"],
        [802, "flagged", 50.0, "Self-emp-not-inc", 13, 13, ">50K"],
        [911, "flagged", 38.0, "Private", 9, 40, "<=50K"],
        [23, "clean", 52.0, "Self-emp-inc", 14, 50, ">50K"],
        [24, "clean", 31.0, "Private", 14, 45, ">50K"],
    ]
    return Finding(
        method="PSN101",
        slug="label-error",
        severity=Severity.MEDIUM,
        confidence=0.95,
        claim="412 rows have a label that their neighbours contradict",
        subject=Subject(
            "rows", tuple(range(0, 8240, 20)), None, {"crowd": 288, "vendor-a": 60, "vendor-b": 34, "vendor-c": 30}
        ),
        evidence=(
            table(
                "rows",
                ["row", "role", "age", "workclass", "education-num", "hours-per-week", "income"],
                rows,
                caption="The three most contradicted rows, beside two of the same labels.",
                marked=["income"],
            ),
            number(
                "expected_false_flags",
                20.6,
                low=12.0,
                high=30.2,
                unit="rows",
                note="at the chosen false-discovery rate of 5 %",
            ),
            number("checked_rows", 10_000, unit="rows"),
        ),
        remedy="mithridate audit train.npz --scores scores.parquet",
        standards=("AML.T0020",),
    )


def duplicate_finding() -> Finding:
    return Finding(
        method="PSN103",
        slug="conflicting-duplicates",
        severity=Severity.LOW,
        confidence=0.84,
        claim="12 rows are exact copies of others that carry another label",
        subject=Subject("rows", (5, 90, 177, 1201, 1202, 1340, 2000, 2001, 4410, 7000, 7001, 9120)),
        evidence=(number("conflicting_pairs", 6.0, unit="pairs"),),
        remedy="Keep one row of each pair, the one whose label its neighbours share.",
    )


def outlier_finding() -> Finding:
    return Finding(
        method="PSN102",
        slug="outlier",
        severity=Severity.LOW,
        confidence=0.6,
        claim="31 rows are unlike every other row of their class",
        subject=Subject("rows", tuple(range(40, 9340, 300))),
        evidence=(text("what they are", "Most are nearly empty images."),),
        remedy="Look at them before training.",
    )


def _power() -> tuple[Evidence, ...]:
    note = "40 rows planted"
    return (
        number("power:badnets", 1.0, low=0.912, high=1.0, unit="share", note=note),
        number("power:blended", 0.9, low=0.769, high=0.96, unit="share", note=note),
        number("power:label-flip", 0.825, low=0.68, high=0.913, unit="share", note="40 labels flipped"),
        number(
            "expected_false_flags",
            20.6,
            low=12.0,
            high=30.2,
            unit="rows",
            note="at the chosen false-discovery rate of 5 %",
        ),
    )


def checks() -> tuple[CheckResult, ...]:
    return (
        CheckResult(
            "PSN101", "label-error", "Labels that neighbours contradict", "found", None, 0.81, 21_000_000, _power()
        ),
        CheckResult("PSN102", "outlier", "Rows unlike their class", "found", None, 0.42, 12_000_000),
        CheckResult("PSN103", "conflicting-duplicates", "Copies that conflict", "found", None, 0.12, 9_000_000),
        CheckResult("PSN104", "shared-trigger", "A pattern that forces a label", "found", None, 1.9, 94_371_840),
        CheckResult("PSN105", "near-copy-burst", "Bursts of near-copies", "clean", None, 0.3, 11_000_000),
        CheckResult("PSN106", "bad-source", "Sources worse than the rest", "found", None, 0.05, 1_000_000),
        CheckResult(
            "PSN107", "model-gap", "Content and model disagree", "skipped", "needs a model: pass --model or --recipe"
        ),
    )


def run() -> dict[str, object]:
    return {
        "command": "mithridate audit train.npz --source source --seed 0 -o report.html",
        "seed": 0,
        "version": "0.1.0",
        "started": "2026-11-22T15:30:00Z",
        "seconds": 3.14,
        "peak_bytes": 180_000_000,
        "fdr": 0.05,
        "versions": {"python": "3.11.2", "numpy": "2.3.1", "scikit-learn": "1.7.0"},
    }


def target() -> Target:
    extra = {"modality": "image", "classes": 10, "sources": 5}
    return Target("dataset", "train.npz", "sha256:" + "3fa9c0de" * 8, 10_000, extra)


def demo() -> Report:
    findings = (label_finding(), trigger_finding(), source_finding(), duplicate_finding(), outlier_finding())
    return Report(target(), checks(), findings, run())


def clean() -> Report:
    done = tuple(replace(check, status="clean") if check.status == "found" else check for check in checks())
    return Report(
        target(),
        (replace(done[0], numbers=(*_power()[:3], number("expected_false_flags", 0.0, unit="rows"))), *done[1:]),
        (),
        run(),
    )


def lesser() -> Report:
    return Report(target(), checks(), (label_finding(), outlier_finding()), run())


def failed() -> Report:
    some = list(clean().checks)
    some[3] = replace(
        some[3], status="failed", reason="ran out of memory at 2.9 GB; pass fewer rows or raise the limit", wanted=True
    )
    some[6] = replace(some[6], wanted=True)
    bare = replace(some[0], numbers=())
    return Report(target(), (bare, *some[1:]), (), run())


def failed_with_findings() -> Report:
    return replace(failed(), findings=(trigger_finding(), label_finding()))


def nothing() -> Report:
    return Report(Target("dataset", "empty.csv", "sha256:" + "0" * 64), (), (), {})


def many(n: int = 200) -> Report:
    found = [
        Finding(
            f"PSN10{1 + i % 6}",
            ("label-error", "outlier", "conflicting-duplicates", "shared-trigger", "near-copy-burst", "bad-source")[
                i % 6
            ],
            Severity(1 + i % 4),
            (i % 100) / 100,
            f"Finding number {i}: {i + 3} rows of class {i % 10} stand apart from the rest",
            Subject("rows", tuple(range(i, i + 300 * (1 + i % 3), 3)), i % 10),
            (number("p_value", 10.0 ** -(1 + i % 9)),),
            remedy="mithridate audit train.npz --clean clean.npz",
            place=str(i),
        )
        for i in range(n)
    ]
    return Report(target(), checks(), tuple(found), run())


def odd() -> Report:
    """Numbers that aren't, empty evidence, evidence of unknown shape."""
    nan, inf = float("nan"), float("inf")
    found = Finding(
        "PSN101",
        "label-error",
        Severity.LOW,
        0.5,
        "",
        Subject("rows", (), None, {}, {"rows_file": "rows.parquet", "n_rows": 25_000}),
        (
            number("nan", nan, low=-inf, high=inf),
            bars("bars", ["a", "b"], [nan, -3.0], caption="nan"),
            bars("none", [], [], caption="none"),
            histogram("flat", [1.0, 1.0, 1.0], {"a": [nan, 0.0], "b": []}, caption="flat"),
            histogram("empty", [], {}, caption="empty"),
            table("empty", [], [], caption="empty"),
            gallery("empty", [], caption="empty"),
            image("broken", b"GIF89a", caption="not a PNG"),
            Evidence("hologram", "unknown", {"x": [1, {"y": nan}]}),
            Evidence("gallery", "wrong", {"items": "no list"}),
            Evidence("plot", "wrong", {"form": "bars", "x": {"a": 1}, "y": "no"}),
            Evidence(
                "trigger",
                "wrong",
                {"trigger": {"kind": "patch", "pattern": {"pixels": [["a"], 3, [1]], "values": "x"}}},
            ),
            Evidence("number", "bare"),
        ),
    )
    return Report(target(), checks(), (found,), {**run(), "seconds": nan, "weird": inf})


def hostile(payload: str = HOSTILE) -> Report:
    """The payload in every field that holds text."""
    evil = Finding(
        payload,
        payload,
        Severity.HIGH,
        0.9,
        payload,
        Subject(payload, (1, 2), payload, {payload: 2}, {"path": payload, "rows_file": payload, payload: payload}),
        (
            number(payload, 0.5, low=0.1, high=0.9, unit=payload, note=payload),
            image(payload, garment(0, 1), caption=payload),
            Evidence("image", payload, {"png": payload, "caption": payload}),
            gallery(
                payload, [Tile(garment(1, 1), 1, "flagged", payload), Tile(b"x", 2, payload, payload)], caption=payload
            ),
            table(payload, [payload, "b"], [[payload, 1], [None, payload]], caption=payload, marked=[payload]),
            bars(payload, [payload, "b"], [1, 2], caption=payload, unit=payload, marked=[payload]),
            histogram(payload, [0, 1, 2], {payload: [1, 2], "b": [2, 1]}, caption=payload, unit=payload),
            text(payload, payload),
            Trigger("words", payload, {"words": [payload]}).as_evidence(payload),
            Trigger("values", payload, {"columns": {payload: payload}}).as_evidence(payload),
            Trigger(payload, payload, {payload: payload}).as_evidence(payload),
            Evidence(payload, payload, {payload: payload}),
            issue(payload, payload, payload),
        ),
        remedy=f"{payload} mithridate {payload}",
        standards=(payload,),
        place=payload,
        fingerprint=payload,
    )
    numbers = (number(f"power:{payload}", 0.5, note=payload), number(payload, 1.0, unit=payload, note=payload))
    fates = tuple(
        CheckResult(f"{status}{payload}", payload, payload, status, payload, 1.0, 1, numbers, wanted=True)
        for status in ("found", "clean", "skipped", "failed")
    )
    strange = {"command": payload, "seed": payload, "version": payload, "started": payload, payload: {payload: payload}}
    return Report(Target(payload, payload, payload, 2, {payload: payload}), fates, (evil,), strange)


def issue(severity: str, claim: str, place: str, **facts: Json) -> Evidence:
    """One thing wrong in a file."""
    said = {"severity": severity, "claim": claim, "path": place, "place": place, "facts": facts, "remedy": claim}
    return Evidence("issue", claim, {**said, "facts": {claim: claim, **facts}})


def hostile_scan() -> Report:
    """The payload in every field of a report about files."""
    report, file = hostile(), {"path": f"{HOSTILE}!{HOSTILE}", "file": HOSTILE, "digest": HOSTILE}
    found = tuple(replace(one, subject=Subject("file", extra=file)) for one in report.findings)
    return replace(report, target=Target("files", HOSTILE, HOSTILE, 0, {"files": HOSTILE, "bytes": -1}), findings=found)


def scan() -> Report:
    """Three files: one harmful, one that nobody knows, one clean."""
    files = [
        ("SUP401", "pickle-code", Severity.CRITICAL, "models/a.pt!a/data.pkl", "calls os.system('id')"),
        ("SUP404", "not-analysed", Severity.MEDIUM, "models/b.bin", "nobody analysed these bytes: no kind known here"),
    ]
    found = tuple(
        Finding(
            method, slug, severity, 0.99, f"{path.rpartition('/')[2]}: {claim}",
            Subject("file", extra={"path": path, "digest": "sha256:" + "ab12" * 16, "file": path.partition("!")[0]}),
            (
                replace(issue(severity.word, claim, path, arguments="id"), name=slug),
                replace(issue("medium", "a member's checksum is wrong", path), name="broken-checksum"),
            ),
            remedy="Don't load it; ask for the weights as safetensors.", place="sha256:ab12",
            standards=("AML.T0010", "ML06:2023"),
        )
        for method, slug, severity, path, claim in files
    )  # fmt: skip
    numbers = (number("files", 3), number("bytes", 181_000, unit="bytes"))
    ran = (
        CheckResult("SUP401", "pickle-code", "Pickles that run code", "found", None, 0.1, 21_000_000, numbers),
        CheckResult("SUP404", "not-analysed", "Bytes that nobody analysed", "found", None, 0.1, 21_000_000),
    )
    typed = {**run(), "command": "mithridate scan models -o report.html"}
    return Report(Target("files", "models", "", 0, {"files": 3, "bytes": 181_000}), ran, found, typed)


def project() -> Report:
    """A project with a secret, a pickle from the network, a file that nobody read, and a check that didn't run."""
    told = (
        ("SUP420", "leaked-secret", Severity.HIGH, "conf/a.env", (12, 30), "holds a secret at line 12: AWS access key"),
        ("SUP425", "unsafe-load", Severity.HIGH, "serve.py", (7,), "unpickles what came over the network at line 7"),
        ("SUP441", "not-looked-at", Severity.LOW, "big.py", (), "not looked at (text of more than 4 MiB)"),
    )
    found = tuple(
        Finding(
            method, slug, severity, 0.95, f"{path} {claim}",
            Subject("file", extra={"path": path, "lines": list(lines)}),
            (table("places", ["where", "what"], [["line 7", "pickle.loads(r.content)"]], caption=f"1 in {path}"),),
            remedy="take it out, and run this again", place=slug, standards=("AML.T0010",),
        )
        for method, slug, severity, path, lines, claim in told
    )  # fmt: skip
    contact = Finding(
        "SUP429", "no-incident-contact", Severity.LOW, 0.9, "nothing says whom to tell of an incident",
        Subject("project"), remedy="write SECURITY.md", place="contact",
    )  # fmt: skip
    ran = tuple(CheckResult(f.method, f.slug, f.slug, "found", None, 0.1, 21_000_000) for f in (*found, contact))
    ran += (CheckResult("SUP421", "vulnerable-dependency", "Dependencies", "skipped", "offline: no database"),)
    typed = {**run(), "command": "mithridate posture lab --offline -o report.html"}
    return Report(Target("project", "lab", "", 0, {"files": 5, "left_out": "2 links"}), ran, (*found, contact), typed)


def proof(kind: str, *, holds: bool) -> Report:
    """The answer of a verb that says yes or no."""
    broken = Finding(
        "SUP430", "signature-does-not-hold", Severity.CRITICAL, 1.0, "m.bin: changed since it was signed",
        Subject("file", extra={"path": "m.bin"}), remedy="Don't load it.", place="changed",
    )  # fmt: skip
    found = () if holds else (broken,)
    check = CheckResult("SUP430", "signature-does-not-hold", "Signatures", "clean" if holds else "found", wanted=True)
    facts: dict[str, Json] = {"signed_by": ["model: ab12"], "manifest": "m.parquet", "not_covered": ["note"]}
    return Report(Target(kind, "m.bin", "", 40 * (kind == "records"), facts), (check,), found, {"command": "x"})


def huge() -> Report:
    """A hundred thousand characters where there should be a sentence."""
    return hostile("long word " * 10_000)


SHAPES: dict[str, Callable[[], Report]] = {
    "demo": demo,
    "clean": clean,
    "lesser": lesser,
    "failed": failed,
    "failed_with_findings": failed_with_findings,
    "nothing": nothing,
    "many": many,
    "odd": odd,
    "hostile": hostile,
    "huge": huge,
    "scan": scan,
    "hostile_scan": hostile_scan,
    "project": project,
    "hostile_project": lambda: replace(
        hostile_scan(), target=Target("project", HOSTILE, HOSTILE, 0, {"files": HOSTILE})
    ),
    "signed": lambda: proof("signed", holds=False),
    "sealed": lambda: proof("sealed", holds=False),
    "records": lambda: proof("records", holds=True),
}
