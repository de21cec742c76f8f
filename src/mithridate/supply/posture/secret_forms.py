"""What secrets look like: the forms that issuers give them, and names that say that a value is one."""

from __future__ import annotations

import base64
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

FORMS = {
    "Hugging Face token": r"hf_[A-Za-z]{34}|api_org_[A-Za-z]{34}",
    "GitHub token": r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "GitLab token": r"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}",
    "OpenAI key": r"sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}",
    "Anthropic key": r"sk-ant-(?:api|admin|oat)\d\d-[A-Za-z0-9_-]{80,}",
    "OpenRouter key": r"sk-or-v1-[0-9a-f]{64}",
    "Langfuse key": r"sk-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "API key": r"sk-(?:[0-9a-f]{32}|[A-Za-z0-9]{48})",
    "AWS access key": r"(?:AKIA|ASIA)[A-Z2-7]{16}",
    "Google API key": r"AIza[A-Za-z0-9_-]{35}",
    "Google client secret": r"GOCSPX-[A-Za-z0-9_-]{28}",
    "Slack token": r"xox[abeprs]-\d{8,}-[A-Za-z0-9-]{20,}|xapp-\d-[A-Z0-9]+-\d+-[0-9a-f]{40,}",
    "Slack webhook": r"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{8,}/[A-Z0-9]{8,}/[A-Za-z0-9]{20,}",
    "Discord webhook": r"discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_-]{60,}",
    "Stripe live key": r"[rs]k_live_[A-Za-z0-9]{24,}",
    "npm token": r"npm_[A-Za-z0-9]{36}",
    "PyPI token": r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
    "Weights & Biases key": (
        r"(?<=wandb\.login\(key=[\"'])[0-9a-f]{40}|(?<=WANDB_API_KEY=)[0-9a-f]{40}|(?<=wandb login )[0-9a-f]{40}|"
        r"wandb_v1_[A-Za-z0-9_]{60,}"
    ),
    "Replicate token": r"r8_[A-Za-z0-9]{37}",
    "SendGrid key": r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "DigitalOcean token": r"do[opr]_v1_[0-9a-f]{64}",
    "Azure storage key": r"(?<=AccountKey=)[A-Za-z0-9+/]{86}==|(?<=SharedAccessKey=)[A-Za-z0-9+/]{43}=",
    "Groq key": r"gsk_[A-Za-z0-9]{52}",
    "Databricks token": r"dapi[0-9a-f]{32}(?:-\d)?",
    "NVIDIA key": r"nvapi-[A-Za-z0-9_-]{60,70}",
    "Pinecone key": r"pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{60,64}",
    "LangSmith key": r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",
    "Perplexity key": r"pplx-[A-Za-z0-9]{40,56}",
    "xAI key": r"xai-[A-Za-z0-9]{80}",
    "Telegram bot token": r"\d{8,10}:AA[A-Za-z0-9_-]{33}",
    "Vault token": r"hv[sbr]\.[A-Za-z0-9_-]{24,}",
    "Tailscale key": r"tskey-(?:auth|api|client|webhook)-[A-Za-z0-9]+-[A-Za-z0-9]{20,}",
    "New Relic key": r"NRAK-[A-Z0-9]{27}",
    "Grafana token": r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_eyJ[A-Za-z0-9+/=]{30,}",
    "Shopify token": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "Twilio key": r"SK[0-9a-f]{32}",
    "Mailgun key": r"key-[0-9a-f]{32}",
    "Atlassian token": r"AT[AC]TT3[A-Za-z0-9_\-=]{60,}",
    "Linear key": r"lin_api_[A-Za-z0-9]{40}",
    "Notion token": r"ntn_[A-Za-z0-9]{40,50}",
    "Tavily key": r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}",
    "Docker token": r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,32}",
    "age key": r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "Postman key": r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    "Supabase key": r"sb(?:p|_secret)_[A-Za-z0-9_-]{31,44}",
    "Jina key": r"jina_[0-9a-f]{32}[A-Za-z0-9_-]{20,}",
    "RunPod key": r"rpa_[A-Z0-9]{40,50}",
    "ElevenLabs key": r"sk_[0-9a-f]{48}",
    "Fly token": r"fo1_[A-Za-z0-9_-]{43}|FlyV1 fm\d_[A-Za-z0-9+/=,_]{100,}",
    "PlanetScale password": r"pscale_(?:pw|tkn)_[A-Za-z0-9_.=-]{32,64}",
    "Terraform token": r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}",
    "Doppler token": r"dp\.(?:pt|st|ct)\.[A-Za-z0-9._-]{40,}",
    "Figma token": r"figd_[A-Za-z0-9_-]{38,}",
    "Heroku key": r"HRKU-[A-Za-z0-9_-]{36,}",
    "Sentry token": r"sntry[su]_[A-Za-z0-9+/=_]{60,}",
    "Airtable token": r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}",
    "web token": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{27,}",
}
_FORM = tuple((title, re.compile(rf"(?<![A-Za-z0-9_-])(?:{form})(?![A-Za-z0-9])")) for title, form in FORMS.items())
_MARKS = {  # what must stand in a file for a form to be looked for: a plain search is a hundred times as quick
    "Hugging Face token": ("hf_", "api_org_"), "GitHub token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "GitLab token": ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-"), "OpenAI key": ("T3BlbkFJ",),
    "Anthropic key": ("sk-ant-",), "OpenRouter key": ("sk-or-",), "Langfuse key": ("sk-lf-",), "API key": ("sk-",),
    "AWS access key": ("AKIA", "ASIA"), "Google API key": ("AIza",), "Google client secret": ("GOCSPX-",),
    "Slack token": ("xox", "xapp-"), "Slack webhook": ("hooks.slack",), "Discord webhook": ("/webhooks/",),
    "Stripe live key": ("k_live_",), "npm token": ("npm_",), "PyPI token": ("pypi-AgEI",),
    "Weights & Biases key": ("wandb", "WANDB"), "Replicate token": ("r8_",), "SendGrid key": ("SG.",),
    "DigitalOcean token": ("_v1_",), "Azure storage key": ("AccountKey=", "AccessKey="), "Groq key": ("gsk_",),
    "Databricks token": ("dapi",), "NVIDIA key": ("nvapi-",), "Pinecone key": ("pcsk_",), "LangSmith key": ("lsv2_",),
    "Perplexity key": ("pplx-",), "xAI key": ("xai-",), "Telegram bot token": (":AA",),
    "Vault token": ("hvs.", "hvb.", "hvr."),
    "Tailscale key": ("tskey-",), "New Relic key": ("NRAK-",), "Grafana token": ("glsa_", "glc_"),
    "Shopify token": ("shpat_", "shpca_", "shppa_", "shpss_"), "Twilio key": ("SK",), "Mailgun key": ("key-",),
    "Atlassian token": ("ATATT3", "ATCTT3"), "Linear key": ("lin_api_",), "Notion token": ("ntn_",),
    "Tavily key": ("tvly-",),
    "Docker token": ("dckr_",), "age key": ("AGE-SECRET",), "Postman key": ("PMAK-",),
    "Supabase key": ("sbp_", "sb_secret_"),
    "Jina key": ("jina_",), "RunPod key": ("rpa_",), "ElevenLabs key": ("sk_",), "Fly token": ("fo1_", "FlyV1"),
    "PlanetScale password": ("pscale_",), "Terraform token": (".atlasv1.",), "Doppler token": ("dp.",),
    "Figma token": ("figd_",),
    "Heroku key": ("HRKU-",), "Sentry token": ("sntry",), "Airtable token": ("pat",), "web token": ("eyJ",),
}  # fmt: skip
_RUN = re.compile(r"[A-Za-z0-9+/=\\]{1000,}")  # pictures and weights written out, no secret of anybody's
_PREFIX = re.compile(
    r"^(?:hf_|gh[pousr]_|github_pat_|glpat-|sk-(?:proj-|svcacct-|ant-)?|AKIA|ASIA|AIza|xox[abprs]-|npm_|r8_)"
)

PRIVATE = re.compile(
    r"-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP )?PRIVATE KEY(?: BLOCK)?-----(?:\\n|\\r|[\s\"'+,])*"
    r"(?:[A-Za-z-]+: [^\n]*\n\s*)*[A-Za-z0-9+/=]{40,}"
)
_NAMED = re.compile(
    r"""(?ix) (?<![\w.-]) ["']? (?P<name> [\w.-]*? (?: passw(?:or)?d | passwd | secret | api_?key | access_?key |
    (?:auth|access|api|bot|bearer|refresh|hf|hub|github|gitlab|slack|wandb)_?token | private_?key | client_?secret |
    secret_?key | db_?pass | (?<![\w.-]) token )) ["']? \s*
    (?: \]? (?: \s* : \s* [A-Za-z_][\w\[\]|. ]{0,40} (?= \s* = ) )? \s* (?: := | =(?!=) | : ) | (?<= ["'] ) , ) \s*
    (?P<quote> ["'])? (?P<value> (?(quote) [^"'\n]{8,200} | [^\s"'#,;{}()\[\]]{8,200} )) (?(quote) ["'])"""
)
_ALONE = re.compile(  # a secret by where it stands: in an address, a header, a command, a file of logins
    r"""(?ix) (?: \b [a-z][a-z0-9+.-]{1,30}:// [^\s:/@"'<>{}$]{0,60} : (?P<url> [^\s:/@"'<>{}$]{6,100} ) @ [\w.-]+
    | authorization ["']? \s* [:=,]? \s* ["']? (?:bearer|basic|token) \s+ (?P<header> [A-Za-z0-9._~+/-]{16,300}=*)
    | \b curl \b .{0,200}? \s (?:-u|--user) [\s=]+ ["']? [^\s:"'$]{1,60} : (?P<user> [^\s"'$]{6,100})
    | \b machine \s+ \S+ \s+ login \s+ \S+ \s+ password \s+ (?P<netrc> \S{6,100}) )"""
)
_TITLES = {
    "url": "password in an address",
    "header": "key in a header",
    "user": "password of a command",
    "netrc": "password of a login",
}
_GETS = re.compile(r"(?:getenv|environ\.get|setdefault|setenv|putenv|\.get)\(\s*$", re.IGNORECASE)
_LINE_MARKS = (  # of what `_NAMED`, `_GUESSED` and `_ALONE` look for: searching for words is ten times as quick
    "passw", "secret", "apikey", "api_key", "access", "token", "private", "_pass", "://", "authorization", "curl",
    "machine",
)  # fmt: skip
_TELLS = re.compile(r"://|(?i:authorization|curl|machine)")
_REFERS = re.compile(r"(?i)existing|hash|name$|_?ref$|_?path$|_?file$|header$|_?url$|_?env(?:_?var)?$|_?id$")
_OBJECT = re.compile(r"[a-z][a-z0-9]*(?:[-_./][a-z0-9]+)+")  # the name of an object that holds the secret
_DOCKER = re.compile(r"\"auths?\"\s*:\s*\"(?P<pair>[A-Za-z0-9+/]{16,}={0,2})\"")
_KAGGLE = re.compile(r"\"username\"\s*:\s*\"[^\"]+\"\s*,\s*\"key\"\s*:\s*\"[0-9a-f]{32}\"")
_MANIFEST = re.compile(r"(?m)^kind:\s*[\"']?Secret\b")
_DOCUMENTS = re.compile(r"(?m)^---.*$")
_DATA = re.compile(r"(?m)^(?:data|stringData)\s*:\s*\n(?:(?:[ \t][^\n]*)?\n)*(?:[ \t][^\n]*)?")
_SEALED = re.compile(r"(?m)^kind:\s*[\"']?SealedSecret\b|^sops:\s*$")
_ENTRY = re.compile(r"(?m)^\s+[\w.-]+:\s*[\"']?(?P<value>[A-Za-z0-9+/]{12,}={0,2})[\"']?\s*$")
_GUESSED = re.compile(  # a password that is a word, also one for when no variable is set (compose `:-`, Spring `:`)
    r"""(?i)(?<![\w.-])["']?(?P<name>[\w.-]{0,60}(?:passw(?:or)?d|_pass|secret_key|jwt_secret))["']?[ \t]*[:=][ \t]*"""
    r"""["']?(?:\$\{\w{1,60}(?::-|-|:(?![?+])))?(?P<value>[A-Za-z0-9_!@#.-]{3,80})\}?["']?[ \t]*(?:#.*)?$"""
)
_NO_WORD = re.compile(
    r"(?i)(?:string|str|text|bool(?:ean)?|null|none|nil|true|false|required|optional|int|file|env|input|vault|secrets?|"
    r"your[-_].*|.*(?:_here|-here)|x{3,}|[-_.#]+|\d+\.\d+.*)"
)
_LEAST_LONE = 20  # characters of a value called `token` and nothing more: shorter ones are words of a text
_PLACEHOLDER = re.compile(
    r"(?i)example|sample|dummy|fake|change[-_ ]?me|placeholder|your[-_ ]|redact|insert|replace|xxxx|\*\*\*|\.\.\.|"
    r"(?<![a-z])(?:test|todo|get|foo|bar|default|empty|string|none|null|true|false|env|your)(?![a-z])|12345678|abcdef|"
    r"[<>{}$%]|os\.|^[a-z]+(?:[-_. ][a-z]+)*$|^/|://|\\"
)
MADE_UP = re.compile(r"(?i)example|xxxx|abcdef|12345|placeholder|your")
_NAMES = re.compile(r"(?i)passw|secret|api_?key|access_?key|token|private_?key|db_?pass")
LEAST_BITS = 3.0  # of Shannon entropy a character: words and runs lie below, keys of 20 and more above
EXAMPLES = re.compile(
    r"(?:^|/)(?:tests?|testing|examples?|fixtures?|docs?|mocks?|samples?|conftest\.py|test_[^/]*|[^/]*_test\.py)(?:/|$)|"
    r"\.(?:example|sample|template|dist)$"
)


LONGEST_LINE = 4000  # what is longer is made by a machine: no line that a person wrote a secret into


_HIDDEN = "<hidden>"
_GIVEN = re.compile(r"""(?i)(--?[\w-]*(?:token|key|passw(?:or)?d|secret|authkey)[= ]["']?)[^\s"']{6,}""")
_LOGIN = re.compile(r"://[^\s/@\"'<>]{3,}@")
_RANDOM = re.compile(r"[A-Za-z0-9_+/=-]{20,}")
_RANDOM_BITS = 3.5
_WORDS, _SPELT = re.compile(r"[A-Z]?[a-z]{3,}"), 0.6
_PIN = re.compile(  # a package and its version, which is no secret however much it looks like one
    r"(?<![\w.=/+@-])[A-Za-z][A-Za-z0-9]{0,30}(?:[-_.][A-Za-z0-9]{1,30}){0,8}(?:\[[\w,-]{0,60}\])?={2,3}"
    r"\d{1,4}(?:\.\d{1,8}){0,5}(?:(?:a|b|rc|c|\.?post|\.?dev)\d{0,12}){0,3}(?:\+[a-z0-9.]{1,20})?(?![\w=/+])"
)


def hide(text: str) -> str:
    """The text without what may be a secret: what stands in a finding is read by more people than the file is.

    Examples
    --------
    >>> hide("pip install git+https://ann:abc@host/x --token 12345678")
    'pip install git+https://<hidden>@host/x --token <hidden>'
    >>> hide("access-token==2.0.1b3")
    'access-token==2.0.1b3'
    """
    parts, at = [], 0
    for match in _PIN.finditer(text):
        parts += [_hidden(text[at : match.start()]), match[0]]
        at = match.end()
    return "".join([*parts, _hidden(text[at:])])


def _hidden(text: str) -> str:
    text = _GIVEN.sub(rf"\g<1>{_HIDDEN}", _LOGIN.sub(f"://{_HIDDEN}@", text))
    for _, form in _FORM:
        text = form.sub(_HIDDEN, text)
    for match in [*_NAMED.finditer(text), *_ALONE.finditer(text)]:
        value = match["value"] if "value" in match.re.groupindex else match[str(match.lastgroup)]
        text = text.replace(value, _HIDDEN) if _told(value) else text
    return _RANDOM.sub(lambda match: _HIDDEN if _is_random(match[0]) else match[0], text)


def _is_random(run: str) -> bool:
    """Whether digits, small and large letters are mixed as in no name; a token that was cut off is that still."""
    mixed = all(re.search(kind, run) for kind in ("[0-9]", "[a-z]", "[A-Z]"))
    spelt = sum(map(len, _WORDS.findall(run))) >= _SPELT * len(run)  # `UNet2DConditionModel`
    return mixed and not spelt and bits(run) >= _RANDOM_BITS


class Secret(NamedTuple):
    """One that was found: what it is, its 1-based line, and by what.

    how : `form`, `key`, `name`, `guessed` for a password that is a word, `example` for what only looks like one.
    """

    title: str
    line: int
    how: str


def bits(value: str) -> float:
    """Shannon entropy in bits a character.

    Examples
    --------
    >>> bits("aaaa"), bits("abcd")
    (0.0, 2.0)
    """
    counts = Counter(value).values()
    return sum(-n / len(value) * math.log2(n / len(value)) for n in counts) + 0.0 if value else 0.0


def by_form(body: str) -> Iterator[Secret]:
    """Tokens of a known issuer's form and private keys in PEM; one made up for documentation is an example."""
    body = _RUN.sub("", body) if len(body) > LONGEST_LINE else body
    for title, form in _FORM:
        if not any(mark in body for mark in _MARKS[title]):
            continue
        for match in form.finditer(body):
            core = _PREFIX.sub("", match[0])
            if bits(core) >= LEAST_BITS:
                how = "example" if MADE_UP.search(core) else "form"
                yield Secret(title, body.count("\n", 0, match.start()) + 1, how)
    if "PRIVATE KEY" in body:
        for match in PRIVATE.finditer(body):
            yield Secret("private key", body.count("\n", 0, match.start()) + 1, "key")


def by_name(body: str, name: str, *, bare: bool) -> Iterator[Secret]:
    """Values beside a name that says what they are, such as `api_key = "..."`; nothing in tests and examples.

    Parameters
    ----------
    name : the file's path. bare : values needn't stand in quotes, as in `.env`, INI and YAML files.
    """
    if EXAMPLES.search(name.lower()) or _SEALED.search(body):
        return
    low = body.lower()
    if any(mark in low for mark in _LINE_MARKS):
        for number, line in enumerate(body.splitlines(), 1):
            if len(line) <= LONGEST_LINE and any(map(line.lower().__contains__, _LINE_MARKS)):
                yield from _in_line(line, number, bare=bare)
    yield from _in_stores(body)


def _in_line(line: str, number: int, *, bare: bool) -> Iterator[Secret]:
    for match in _NAMED.finditer(line) if _NAMES.search(line) else ():
        name, value = match["name"], match["value"]
        comma = line[match.end("name") : match.start("value")].lstrip("\"' ").startswith(",")
        if comma and not _GETS.search(line[: match.start()]):
            continue
        refers = _REFERS.search(name) or (name.lower().endswith("secret") and _OBJECT.fullmatch(value))
        refers = refers or (not match["quote"] and line[match.end() : match.end() + 1] in {"(", "["})  # an expression
        lone = name.lower() == "token" and len(value) < _LEAST_LONE
        if _told(value) and not refers and not lone and (bare or match["quote"]):
            yield Secret(f"value of {name[-40:]}", number, "name")
    guessed = _GUESSED.search(line) if bare else None
    if guessed and not (
        _told(guessed["value"]) or _NO_WORD.fullmatch(guessed["value"]) or _REFERS.search(guessed["name"])
    ):
        yield Secret(f"value of {guessed['name'][-40:]}", number, "guessed")
    for match in _ALONE.finditer(line) if _TELLS.search(line) else ():
        group = str(match.lastgroup)
        if _told(match[group]):
            yield Secret(_TITLES[group], number, "name")


def _told(value: str) -> bool:
    """Whether the value is no word, no variable and no placeholder."""
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    return bool(mixed) and " " not in value and bits(value) >= LEAST_BITS and not _PLACEHOLDER.search(value)


def _in_stores(body: str) -> Iterator[Secret]:
    """What files that exist to hold logins hold: Docker's, Kaggle's, Secrets of Kubernetes."""
    found = [(match.start(), "Docker login") for match in _DOCKER.finditer(body) if _is_login(match["pair"])]
    found += [(match.start(), "Kaggle key") for match in _KAGGLE.finditer(body)]
    if _MANIFEST.search(body):
        found += [(start, "value of a Secret") for start in _in_manifests(body)]
    for start, title in found:
        yield Secret(title, body.count("\n", 0, start) + 1, "form" if title != "value of a Secret" else "name")


def _in_manifests(body: str) -> Iterator[int]:
    """Where values stand under `data:` of those documents of a manifest that are Secrets."""
    marks = [0, *(match.start() for match in _DOCUMENTS.finditer(body)), len(body)]
    for start, end in itertools.pairwise(marks):
        if not _MANIFEST.search(body, start, end):
            continue
        for part in _DATA.finditer(body, start, end):
            for match in _ENTRY.finditer(body, part.start(), part.end()):
                if bits(match["value"]) >= LEAST_BITS:
                    yield match.start("value")


def _is_login(pair: str) -> bool:
    try:
        return b":" in base64.b64decode(pair + "=" * (-len(pair) % 4), validate=True)
    except ValueError:
        return False
