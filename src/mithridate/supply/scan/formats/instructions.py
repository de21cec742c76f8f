"""Plain-language orders in a template that a model would follow and a user would never see.

Notes
-----
Ordinary templates hold a default system prompt (`You are ..., a helpful assistant`), instructions for tools and dates.
What is reported is secrecy (`without telling the user`), orders that overrule others, links to put into answers, and
text that appears only when the user's words hold a trigger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mithridate.core.findings import Severity
from mithridate.supply.scan.formats.reading import clip, words
from mithridate.supply.scan.formats.searched import Searched
from mithridate.supply.scan.issue import Issue

_ORDERS = (
    Searched(
        ("ignore", "disregard", "forget", "override", "bypass"),
        re.compile(
            r"\b(?:ignore|disregard|forget|"
            r"override|bypass)\s+(?:all\s+|any\s+"
            r"|the\s+|your\s+|every\s+|of\s+)*"
            r"(?:previous|prior|above|earlier|preceding|other|safety|system|user'?s?|existing|original)\b"
            r"[^.\n]{0,40}\b(?:instruction|prompt|rule|message|guideline|direction|polic|restriction|"
            r"request)",
            re.IGNORECASE,
        ),
    ),
    Searched(
        ("user",),
        re.compile(
            r"\b(?:without|never|don'?t|do\s+not|avoid|must\s+not)\s+(?:ever\s+)?(?:telling|"
            r"tell|informing|inform|alerting|"
            r"alert|notifying|notify|warning|warn|letting|let)\s+(?:the\s+|any\s+)?users?\b(?!\s+about\s+(?:the\s+|"
            r"any\s+)?(?:function|tool))",
            re.IGNORECASE,
        ),
    ),
    Searched(
        ("secretly", "silently", "covertly", "stealthily", "surreptitiously", "discreetly", "quietly"),
        re.compile(
            r"\b(?:secretly|silently|covertly|stealthily|surreptitiously|discreetly|quietly)\s+(?:\w+\s+){0,2}(?:add|insert|send|include|"
            r"append|inject|embed|forward|upload|exfiltrat|introduc|replac|chang|leak|collect|log|record|"
            r"recommend)",
            re.IGNORECASE,
        ),
    ),
    Searched(
        ("reveal", "mention", "disclose", "acknowledge", "admit", "explain"),
        re.compile(
            r"\b(?:never|don'?t|"
            r"do\s+not)\s+(?:reveal|"
            r"mention|disclose|"
            r"acknowledge|admit|"
            r"explain)\s+(?:\w+\s+){0,3}"
            r"(?:this\s+(?:instruction|rule|behaviou?r|change|link|modification)|these\s+(?:instruction|rule|"
            r"change))",
            re.IGNORECASE,
        ),
    ),
    Searched(
        ("exfiltrat", "steal", "backdoor", "phish", "malware", "keylog"),
        re.compile(
            r"\b(?:exfiltrat\w+|"
            r"steal\s+(?:the|their|user)"
            r"|backdoor|phish\w*|malware"
            r"|keylog\w*)\b",
            re.IGNORECASE,
        ),
    ),
    Searched(
        ("://",),
        re.compile(
            r"\b(?:send|post|upload|forward|transmit|leak|report)\s+(?:\w+\s+){0,8}(?:to|at|"
            r"via)\s+(?:\w+\s+){0,3}https?://",
            re.IGNORECASE,
        ),
    ),
    Searched(
        ("<script", "://"),
        re.compile(
            r"\b(?:add|insert|include|append|embed|inject|recommend|visit|direct|"
            r"use)\b[^.\n]{0,80}"
            r"(?:<script|https?://(?!(?:www\.)?(?:example\.(?:com|org)|huggingface\.co|github\.com|"
            r"json-schema\.org)))",
            re.IGNORECASE,
        ),
    ),
    Searched(
        ("always",),
        re.compile(
            r"\balways\s+(?:\w+\s+){0,3}(?:answer|reply|respond|say|claim|recommend|insert|"
            r"include|add|disable|output)\b[^.\n]{0,60}"
            r"\b(?:safe|backdoor|eval|disable|skip|hardcod|vulnerab|insecure|http|verify\s*=\s*false|admin|"
            r"password)",
            re.IGNORECASE,
        ),
    ),
    Searched(
        ("api", "password", "credential", "environment", "secret", "private", "access"),
        re.compile(
            r"(?<!never )(?<!don't )(?<!not )"
            r"\b(?:reveal|print|output|repeat|include|dump)\s+(?:all\s+|any\s+|the\s+|your\s+|every\s+)*"
            r"(?:api\s*keys?|passwords?|credentials?|"
            r"environment\s+variables?|secrets?|private\s+keys?|access\s+tokens?)\b",
            re.IGNORECASE,
        ),
    ),
)
_TRIGGER = re.compile(
    r"['\"]([A-Za-z][A-Za-z \-]{2,60})['\"]\s+in\s+\(?\s*(?:\w+(?:\[[^\]]{1,40}\]|\.\w+)*?(?:\.content\b|"
    r"\[['\"]content['\"]\])"
    r"|(?:\w*_)?(?:content|prompt|query|text|question)\b(?!\w))",
    re.IGNORECASE,
)
_ORDINARY_WORDS = words(
    "role content name user assistant system tool tools text image video audio type reasoning thinking"
)
_REMEDY = "Compare the template with the one of the model's authors, sentence by sentence."


def examine_wording(text: str, place: str) -> Iterator[Issue]:
    """Orders in the text, and branches that wait for words of the user's."""
    lowered = text.lower()
    orders = [match.group() for entry in _ORDERS if (match := entry.find(text, lowered))]
    for order in orders[:5]:
        yield Issue(
            "hidden-instruction",
            Severity.HIGH,
            f"the template orders the model: {clip(' '.join(order.split()), 120)}",
            place,
            {"text": clip(order, 400)},
            _REMEDY,
        )
    words = [match.group(1) for match in _TRIGGER.finditer(text) if match.group(1).lower() not in _ORDINARY_WORDS]
    if words:
        yield Issue(
            "trigger-in-template",
            Severity.HIGH if orders else Severity.LOW,
            f"the template changes what the model is told when a message holds {clip(words[0])}",
            place,
            {"words": [clip(word) for word in words[:20]]},
            _REMEDY,
        )
