"""Every format: pure, golden, valid, and honest about what did not run."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import sample

from mithridate.core.errors import InputError
from mithridate.core.findings import Json, Severity, Subject
from mithridate.core.report import Report
from mithridate.reports.html import to_html
from mithridate.reports.json_format import read_report, to_json
from mithridate.reports.junit import to_junit
from mithridate.reports.notebook import to_notebook
from mithridate.reports.patterns import canvas
from mithridate.reports.sarif import MAX_ROWS, to_sarif
from mithridate.reports.text import cells, to_text
from mithridate.reports.verdict import tone
from mithridate.reports.write import FORMATS, SUFFIXES, render, write_report

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
GOLDEN_SHAPES = ("demo", "clean", "failed", "odd", "scan", "project")
SUFFIX = {fmt: suffix for suffix, fmt in SUFFIXES.items()}


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("shape", GOLDEN_SHAPES)
def test_output_equals_the_golden_file(shape: str, fmt: str, *, regenerate: bool) -> None:
    """After a change on purpose: REGENERATE=1 pytest tests/reports, then read the diff."""
    path = GOLDEN / f"{shape}{SUFFIX[fmt]}"
    body = render(sample.SHAPES[shape](), fmt)
    if regenerate:
        path.write_text(body, encoding="utf-8")
    assert body == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("shape", sample.SHAPES)
def test_every_format_is_a_pure_function_of_the_json(shape: str, fmt: str) -> None:
    report = sample.SHAPES[shape]()
    once = render(report, fmt)
    again = render(read_report(to_json(report)), fmt)
    assert once == again
    once.encode("utf-8")


@pytest.mark.parametrize("shape", sample.SHAPES)
def test_json_comes_back_as_the_same_report(shape: str) -> None:
    text = to_json(sample.SHAPES[shape]())
    assert "NaN" not in text
    assert "Infinity" not in text
    assert to_json(read_report(text)) == text
    assert text.isascii()


def test_a_json_file_is_read_back(tmp_path: Path) -> None:
    path = write_report(sample.demo(), tmp_path / "r.json")
    assert to_json(read_report(path)) == to_json(sample.demo())


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[1]",
        "{}",
        '{"schema": "mithridate.report/1"}',
        "[" * 100_000,
        '{"schema": "mithridate.report/2"}',
    ],
)
def test_what_is_no_report_is_refused_in_one_line(body: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(body)
    with pytest.raises(InputError) as caught:
        read_report(path)
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can't read gone\.json"):
        read_report(tmp_path / "gone.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_report(tmp_path / "b.json")


@pytest.mark.parametrize("shape", sample.SHAPES)
def test_sarif_is_valid_against_the_official_schema(shape: str) -> None:
    schema = json.loads((HERE / "schema" / "sarif-2.1.0.json").read_text())
    jsonschema.Draft4Validator(schema).validate(json.loads(to_sarif(sample.SHAPES[shape]())))


def test_sarif_names_the_row_the_fingerprint_and_the_gaps() -> None:
    report = sample.demo()
    run = json.loads(to_sarif(report))["runs"][0]
    trigger = next(r for r in run["results"] if r["ruleId"] == "PSN104")
    assert trigger["locations"][0]["physicalLocation"]["region"] == {"startLine": 18}
    assert trigger["level"] == "error"
    assert trigger["partialFingerprints"] == {"mithridate/v1": sample.trigger_finding().fingerprint}
    assert run["tool"]["driver"]["rules"][trigger["ruleIndex"]]["id"] == "PSN104"
    assert "needs a model" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    assert all(len(r["properties"]["rows"]) <= MAX_ROWS for r in run["results"])


def test_sarif_points_at_the_first_line_and_at_the_file_below_the_project() -> None:
    results = json.loads(to_sarif(sample.project()))["runs"][0]["results"]
    places = [result["locations"][0]["physicalLocation"] for result in results]
    assert [(p["artifactLocation"]["uri"], p.get("region")) for p in places] == [
        ("lab/conf/a.env", {"startLine": 12}),
        ("lab/serve.py", {"startLine": 7}),
        ("lab/big.py", None),
        ("lab", None),
    ]


@pytest.mark.parametrize("line", [0, -3, 1.5e300, "7", True, None, float("nan")])
def test_sarif_takes_no_line_that_is_none(line: object) -> None:
    report = sample.project()
    odd = replace(report.findings[0], subject=Subject("file", extra={"path": "a.py", "lines": [line]}))
    said = json.loads(to_sarif(replace(report, findings=(odd,))))["runs"][0]["results"][0]
    assert "region" not in said["locations"][0]["physicalLocation"]


@pytest.mark.parametrize("fmt", ["text", "md", "html"])
def test_a_report_about_a_project_speaks_of_files_and_never_of_rows_or_poison(fmt: str) -> None:
    body = render(sample.project(), fmt).replace("\u00a0", " ").replace("\n  ", " ")
    for word in ("power", "poison", "training data", "train on", "false flags", "--digest", "this audit"):
        assert word not in body.partition("<main")[2 if "<main" in body else 0].lower()
    assert "Don’t deploy this project yet." in body
    assert "2 serious findings in 2 of 5 files." in body
    assert "1 file could not be looked at." in body


@pytest.mark.parametrize(
    ("kind", "holds", "said"),
    [
        ("signed", True, "It is what was signed. Signed as model by key ab12."),
        ("signed", False, "a signature doesn’t hold"),
        ("sealed", True, "All of it is authentic, and was written."),
        ("sealed", False, "Refused: nothing was written."),
        ("records", True, "Every record is the one in the manifest."),
        ("records", False, "Don’t trust this manifest"),
    ],
)
def test_a_proof_says_yes_or_no_in_its_own_words(kind: str, said: str, *, holds: bool) -> None:
    body = render(sample.proof(kind, holds=holds), "text").replace("\n  ", " ")
    assert said in body
    assert "POWER" not in body
    assert "audit" not in body


@pytest.mark.parametrize(
    ("place", "said"),
    [("changed", "These are not the records of the manifest."), ("root", "Don’t trust this manifest"),
     ("policy", "the policy isn’t met")],
)  # fmt: skip
def test_records_and_their_manifest_are_doubted_apart(place: str, said: str) -> None:
    report = sample.proof("records", holds=False)
    found = replace(report.findings[0], slug="changed-since-manifest", place=place)
    assert said in render(replace(report, findings=(found,)), "text")


def test_a_proof_that_could_not_be_told_is_never_a_yes() -> None:
    report = sample.proof("signed", holds=True)
    failed = replace(report, checks=(replace(report.checks[0], status="failed"),))
    assert "Incomplete" in render(failed, "text")
    assert "It is what was signed" not in render(failed, "text")


def test_sarif_fingerprints_stay_when_rows_and_scores_change() -> None:
    first, second = (json.loads(to_sarif(r)) for r in (sample.demo(), sample.failed_with_findings()))
    prints = [{r["partialFingerprints"]["mithridate/v1"] for r in log["runs"][0]["results"]} for log in (first, second)]
    assert prints[1] < prints[0]


def test_junit_counts_failures_errors_and_skips() -> None:
    suites = ET.fromstring(to_junit(sample.failed_with_findings()))  # noqa: S314  our own output
    assert {key: suites.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }


@pytest.mark.parametrize(("threshold", "failures"), [(Severity.LOW, 5), (Severity.HIGH, 2), (None, 0)])
def test_junit_fails_at_the_threshold(threshold: Severity | None, failures: int) -> None:
    suites = ET.fromstring(to_junit(sample.demo(), fail_on=threshold))  # noqa: S314  our own output
    assert len(suites.findall(".//failure")) == failures


def test_nothing_found_is_no_all_clear_when_a_check_failed() -> None:
    for fmt in ("html", "text", "md"):
        body = render(sample.failed(), fmt)
        assert "Incomplete" in body
        assert "Nothing found by" not in body
        assert "ran out of memory" in body
    assert "Incomplete" in render(sample.nothing(), "html")


def test_a_clean_report_says_what_the_power_was() -> None:
    for fmt in ("html", "text"):
        body = render(sample.clean(), fmt).replace("\u00a0", " ").replace("\n  ", " ")
        assert "Nothing found by the 6 checks that ran" in body
        assert "82.5 %" in body
        assert "1 check did not run" in body


def test_a_clean_report_is_not_green_where_all_planted_poison_was_missed() -> None:
    report = sample.clean()
    first, *others = report.checks
    none = {"value": 0.0, "low": 0.0}
    numbers = (replace(n, data={**n.data, **none}) if n.name == "power:label-flip" else n for n in first.numbers)
    report = replace(report, checks=(replace(first, numbers=tuple(numbers)), *others))
    assert (tone(sample.clean()), tone(report)) == ("clean", "incomplete")
    body = " ".join(render(report, "text").split())
    assert "checks that ran, and they miss label-flip." in body
    assert "none of the planted label-flip was seen either" in body


def test_the_worst_finding_comes_first_and_its_remedy_is_the_first_step() -> None:
    body = render(sample.demo(), "text")
    assert (
        body.index("First: Leave these rows out")
        < body.index("■ critical")
        < body.index("▲ high")
        < body.index("● low")
    )


def test_a_demo_page_stays_small_and_asks_for_nothing() -> None:
    body = render(sample.demo(), "html")
    assert len(body.encode()) < 300_000
    for word in ("http://", "https://", "@import", "url(", "<link", "style=", 'src="//'):
        assert word not in body


def test_long_row_lists_are_folded_and_then_counted() -> None:
    body = render(sample.demo(), "html")
    assert "180 more" in body
    assert "… and 212 more in <code>--scores</code>" in body


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("shape", sample.SHAPES)
def test_no_line_of_text_is_wider_than_the_terminal(shape: str, width: int) -> None:
    assert max(map(cells, to_text(sample.SHAPES[shape](), width=width).split("\n"))) <= width


def test_text_has_no_colour_unless_asked() -> None:
    assert "\x1b" not in to_text(sample.hostile())
    assert "\x1b[1;31m" in to_text(sample.demo(), colour=True)


def test_a_notebook_frame_holds_the_page_and_runs_nothing() -> None:
    body = to_notebook(sample.hostile())
    assert body.startswith("<iframe")
    assert 'sandbox=""' in body
    assert body.count("<") == 2


@pytest.mark.parametrize("name", ["r.pdf", "r", "r.json.gz"])
def test_an_unknown_suffix_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.json, \.html, \.sarif"):
        write_report(sample.demo(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError, match="no format 'pdf'"):
        render(sample.demo(), "pdf")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_written_whole_and_replaced(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"r{suffix.upper()}"
    write_report(sample.clean(), path)
    write_report(sample.demo(), str(path))
    assert path.read_text(encoding="utf-8") == render(sample.demo(), SUFFIXES[suffix])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(sample.clean(), tmp_path / "r.json")
    before = path.read_bytes()

    def broken(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(InputError, match="No space left"):
        write_report(sample.demo(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't write"):
        write_report(sample.demo(), tmp_path / "gone" / "r.json")


def test_a_report_without_anything_is_drawn() -> None:
    report = Report(sample.target(), (), (), {})
    for fmt in FORMATS:
        assert render(report, fmt)


def test_a_trigger_without_a_picture_is_drawn_from_its_pixels() -> None:
    finding = sample.trigger_finding()
    bare = replace(finding, evidence=tuple(piece for piece in finding.evidence if piece.kind != "image"))
    report = replace(sample.demo(), findings=(bare,))
    assert to_html(report).count('fill="#ffffff"') == 9
    assert 'fill="#ffffff"' not in to_html(sample.demo())


def test_a_coloured_patch_that_moves_is_drawn_in_its_colours() -> None:
    local = {"height": 1, "width": 2, "values": [1.0, 0.0, 0.0, 0.0, 0.0, 1.0], "mask": [1, 1, 1, 0, 0, 0]}
    drawn = canvas({"kind": "local-patch", "pattern": local})
    assert drawn is not None
    assert [(pixel.row, pixel.column, pixel.colour) for pixel in drawn.pixels] == [(0, 0, "#ff0000")]


@pytest.mark.parametrize(
    "pattern", [{}, {"pixels": [[0, 0, 0]] * 5000, "values": [1.0] * 5000}, {"pixels": [[-9, 9]], "values": [1]}]
)
def test_what_is_no_patch_of_some_size_is_not_drawn(pattern: dict[str, object]) -> None:
    drawn = canvas({"kind": "patch", "pattern": pattern})
    assert drawn is None or len(drawn.pixels) == 1


def test_a_thousand_findings_are_cut_and_counted() -> None:
    report = sample.many(1000)
    assert "… and 700 lesser findings, all in the JSON report" in to_html(report)
    assert "… and 950 lesser findings" in render(report, "text")
    assert "… and 980 lesser findings" in render(report, "md")
    assert len(json.loads(to_json(report))["findings"]) == 1000


def test_a_report_about_files_speaks_of_files_and_never_of_rows_or_power() -> None:
    for fmt in ("text", "html", "md"):
        body = render(sample.scan(), fmt)
        assert "Don’t load these files yet." in body
        assert "1 of 3 files harmful" in body
        assert "power cheap" not in body
        assert "false flags" not in body.lower()


def test_sarif_places_a_member_in_its_file_with_the_file_s_digest() -> None:
    run = json.loads(to_sarif(sample.scan()))["runs"][0]
    place = run["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "models/a.pt", "index": 0}
    assert place["logicalLocations"] == [{"fullyQualifiedName": "models/a.pt!a/data.pkl"}]
    assert run["artifacts"][0] == {"location": {"uri": "models/a.pt"}, "hashes": {"sha-256": "ab12" * 16}}


def test_bytecode_stands_line_by_line() -> None:
    facts: dict[str, Json] = {"disassembly": ["f:", "     2 LOAD_NAME os", "     4 RETURN_VALUE"]}
    report = sample.scan()
    issue = sample.issue("critical", "runs code", "offset 3", **facts)
    report = replace(report, findings=(replace(report.findings[0], evidence=(issue,)),))
    assert "<pre>f:\n     2 LOAD_NAME os\n     4 RETURN_VALUE</pre>" in to_html(report)


@pytest.mark.parametrize("shape", ["clean", "demo", "failed", "scan", "project"])
def test_a_report_of_chosen_checks_says_that_nothing_else_was_looked_for(shape: str) -> None:
    whole = sample.SHAPES[shape]()
    part = replace(whole, checks=tuple(replace(check, wanted=True) for check in whole.checks[:1]))
    said = f"Only {part.checks[0].method} was asked for; nothing else was looked for."
    for fmt in ("text", "html", "md"):
        body = " ".join(render(part, fmt).split())
        assert said in body
        assert "Every check ran" not in body
        assert said not in " ".join(render(whole, fmt).split())


def test_commands_and_options_break_at_spaces_alone_in_html() -> None:
    body = to_html(replace(sample.clean(), run={"command": "mithridate audit a.csv --power cheap <b>"}))
    assert "<span>--power</span> <span>cheap</span> <span>&lt;b&gt;</span>" in body
    reason = replace(sample.checks()[-1], status="skipped", reason="name one with --recipe <i>, not x--b")
    body = to_html(replace(sample.clean(), checks=(reason,)))
    assert 'with <span class="option">--recipe</span> &lt;i&gt;, not x--b' in body
