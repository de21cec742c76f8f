"""Training text is hostile: whatever stands in a field must reach the reader as text, in every format."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
import sample
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mithridate.reports.html import to_html
from mithridate.reports.junit import to_junit
from mithridate.reports.markdown import code, to_markdown
from mithridate.reports.safe import block, line
from mithridate.reports.sarif import to_sarif
from mithridate.reports.text import cells, to_text, wrap
from mithridate.reports.write import FORMATS, render

PAYLOADS = {
    "everything": sample.HOSTILE,
    "script": "<script>alert(1)</script>",
    "style": "</style><script>alert(1)</script>",
    "title": "</title><script>alert(1)</script>",
    "svg": '"/></svg><svg onload=alert(1)>',
    "attribute": "\" autofocus onfocus=alert(1) x='",
    "address": "javascript:alert(1)",
    "template": "{{ 7*7 }}{% raw %}{{ cycler.__init__ }}",
    "comment": "--><!-- <![CDATA[ ]]>",
    "direction": "abc\u202egpj.exe",
    "null": "a\0b",
    "escape": "\x1b[2J\x1b]52;c;aGk=\x07\x9b1m",
    "long": "W" * 5000,
    "wide": "漢" * 500,
    "fence": "``` \n````sh\n</details>",
    "surrogate": "\ud83d alone",
    "lines": "first\n## second\n| a | b |\r\n\r\n<h1>third",
}
ALLOWED_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "script", "header", "main", "section", "footer", "article"),
    *(
        "svg",
        "tspan",
        "symbol",
        "path",
        "circle",
        "rect",
        "text",
        "use",
        "div",
        "span",
        "p",
        "b",
        "br",
        "a",
        "code",
        "pre",
    ),
    *("h1", "h2", "h3", "h4", "h5", "ul", "li", "dl", "dt", "dd", "details", "summary", "figure", "figcaption", "img"),
    *("table", "colgroup", "col", "thead", "tbody", "tr", "th", "td"),
}


class Reader(HTMLParser):
    """Collects the tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]


def read(body: str) -> Reader:
    reader = Reader()
    reader.feed(body)
    reader.close()
    return reader


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_html_gains_no_tag_and_no_handler_from_hostile_text(payload: str) -> None:
    reader, harmless = read(to_html(sample.hostile(payload))), read(to_html(sample.hostile("plain")))
    assert set(reader.tags) <= ALLOWED_TAGS
    assert reader.tags.count("script") == harmless.tags.count("script") == 1
    assert reader.tags.count("style") == 1
    names = {key for key, _ in reader.attributes}
    assert not {
        name for name in names if name.startswith("on") or name in {"style", "srcdoc", "formaction", "autofocus"}
    }
    links = [value for key, value in reader.attributes if key in {"href", "src", "xlink:href"}]
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)


@pytest.mark.parametrize("fmt", [fmt for fmt in FORMATS if fmt != "json"])
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_format_for_people_holds_a_control_character(payload: str, fmt: str) -> None:
    body = render(sample.hostile(payload), fmt)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\ufeff\ud800-\udfff]", body)
    assert not re.search("[\U000e0000-\U000e007f]", body)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_markdown_gains_no_markup_from_hostile_text(payload: str) -> None:
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(to_markdown(sample.hostile(payload)))
    reader = read(shown)
    assert not set(reader.tags) & {"script", "img", "a", "svg", "iframe", "style", "title", "h1"}
    assert not {key for key, _ in reader.attributes if key.startswith("on")}
    assert [tag for tag in reader.tags if tag == "details"] == ["details", "details"]
    assert shown.count("<h2>") == 1


def test_markdown_names_nobody_and_links_nothing() -> None:
    body = to_markdown(sample.hostile("@everyone #1 http://evil.example www.evil.example"))
    outside = re.sub(r"(?s)(`+)(?!`).*?(?<!`)\1(?!`)", "", body)
    outside = re.sub(r"&#\d+;", "", outside)
    assert not re.search(r"@\w|#\d|http://|www\.", outside)


def test_code_spans_survive_backticks_and_pipes() -> None:
    assert code("a`b|c") == "``a`b¦c``"
    assert code("`") == "`` ` ``"


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_junit_stays_well_formed(payload: str) -> None:
    assert ET.fromstring(to_junit(sample.hostile(payload))).tag == "testsuites"  # noqa: S314  our own output


def test_sarif_addresses_never_become_a_scheme() -> None:
    run = json.loads(to_sarif(sample.hostile("javascript:alert(1)")))["runs"][0]
    assert run["artifacts"][0]["location"]["uri"] == "javascript%3Aalert%281%29"


def test_text_shows_unseen_characters_instead_of_obeying_them() -> None:
    assert "‹U+202E›" in to_text(sample.hostile("abc\u202egpj.exe"), width=120)
    assert "␛[2J" in to_text(sample.hostile("\x1b[2J"), width=120)


@pytest.mark.parametrize("fmt", [fmt for fmt in FORMATS if fmt not in {"json", "sarif"}])
def test_a_hundred_thousand_characters_make_no_giant_report(fmt: str) -> None:
    assert len(render(sample.huge(), fmt)) < 300_000


def test_safe_text_keeps_honest_writing() -> None:
    assert line("naïve 日本語 עברית العربية 👩\u200d💻 a\u00a0b") == "naïve 日本語 עברית العربية 👩\u200d💻 a\u00a0b"
    assert block("a\tb\r\nc") == "a    b\nc"
    assert line("x" * 10, limit=5) == "xxxx…"


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
def test_any_text_becomes_one_harmless_line(text: str) -> None:
    shown = line(text)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) <= 0x9F or 0xD800 <= ord(char) <= 0xDFFF for char in shown)
    assert line(shown) == shown
    shown.encode("utf-8")


@given(st.text(max_size=300).map(line), st.integers(2, 100))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cells(part) <= width for part in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
