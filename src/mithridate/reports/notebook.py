"""The report inside a notebook: the same page in a frame that shares nothing with its host."""

from __future__ import annotations

from markupsafe import escape

from mithridate.core.report import Report
from mithridate.reports.html import to_html


def to_notebook(report: Report) -> str:
    """HTML for `_repr_html_`: the whole page in a sandboxed frame, so neither style reaches the other.

    Notes
    -----
    Notebooks set output as `innerHTML`, which leaves a declarative shadow root unopened; a frame with `srcdoc`
    works in all of them, and `sandbox` without any permission keeps even a bypass of our escaping harmless.
    """
    body = escape(to_html(report))
    return (
        f'<iframe title="Mithridate report" sandbox="" srcdoc="{body}" width="100%" height="720"'
        ' style="border:1px solid #8884;border-radius:8px;resize:vertical;width:100%;min-height:320px"></iframe>'
    )
