"""The report as one HTML file: no network, a policy that forbids it, readable without a script."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from mithridate.core.report import Report
from mithridate.reports import svg, words
from mithridate.reports.page import page

if TYPE_CHECKING:
    from jinja2 import Template

MAX_FINDINGS = 300
OPEN_ALL = 6
OPEN_FEW = 3
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]{0,30}(?![\w-])")
_TEMPLATES = files("mithridate.reports") / "templates"


def to_html(report: Report) -> str:
    """The report as one self-contained HTML page; every text in it is escaped by the template engine."""
    style, script = _asset("style.css"), _asset("report.js")
    return _template().render(
        page=page(report, limit=MAX_FINDINGS),
        style=Markup(style),  # noqa: S704  our own file, hashed into the policy
        script=Markup(script),  # noqa: S704  our own file, hashed into the policy
        policy=_policy(style, script),
        open_findings=OPEN_ALL if len(report.findings) <= OPEN_ALL else OPEN_FEW,
    )


def _policy(style: str, script: str) -> str:
    """The content security policy: nothing but this style, this script and inlined pictures."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(body: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(body.encode()).digest()).decode("ascii")


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8").strip()


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined  # not for reports of other formats

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals.update(
        draw_bars=svg.bars,
        draw_histogram=svg.histogram,
        draw_interval=svg.interval,
        draw_trigger=svg.trigger,
        draw_meter=svg.meter,
        draw_coverage=svg.coverage,
        share=words.share,
        many=words.many,
        count=words.count,
    )
    environment.filters.update(glue=_glue, tight=_tight, capitalize_first=_capitalize_first)
    return environment.from_string(_asset("report.html.j2"))


def _glue(text: str) -> Markup:
    """The text with figures and their units, and options such as `--power`, kept on one line; escaped."""
    return Markup(_OPTION.sub(r'<span class="option">\g<0></span>', str(escape(words.glue(text)))))  # noqa: S704  escaped


def _tight(text: str) -> str:
    """A figure and its unit, kept on one line by a no-break space."""
    return text.replace(" ", "\u00a0")


def _capitalize_first(text: str) -> str:
    return text[:1].upper() + text[1:]
