"""Made-up keys of each issuer's form, drawn by seed: `<hf>` in a planted text becomes one. None was ever issued."""

# ruff: noqa: E501, Q000 - tables of planted text: one spelling a line

from __future__ import annotations

import base64
import json
import re
import string
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

HEX = "0123456789abcdef"
ALNUM = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
URL = ALNUM + "-_"
BASE64 = ALNUM + "+/"
BASE32 = string.ascii_uppercase + "234567"
WORDS = ("tulip", "Harbor", "quartz", "Maple", "otter", "Violet", "cinder", "Falcon", "willow", "Ember")


def drawn(alphabet: str, n: int, before: str = "", after: str = "") -> Callable[[Random], str]:
    """`before`, n characters of the alphabet, `after`."""
    return lambda rng: before + "".join(rng.choice(alphabet) for _ in range(n)) + after


def several(*parts: Callable[[Random], str] | str) -> Callable[[Random], str]:
    """Parts in a row."""
    return lambda rng: "".join(part if isinstance(part, str) else part(rng) for part in parts)


def password(rng: Random) -> str:
    """As people choose one: two words, a number, a sign."""
    return f"{rng.choice(WORDS)}{rng.choice('-!_.')}{rng.choice(WORDS)}{rng.randint(10, 9999)}"


def jwt(rng: Random) -> str:
    """A signed web token with a subject."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": str(rng.randint(10**6, 10**7)), "role": "service_role"})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*texts, drawn(URL, 43)(rng)])


def pem(kind: str = "") -> Callable[[Random], str]:
    """A private key's armour around random bytes that are no key."""

    def make(rng: Random) -> str:
        body = "\n".join(drawn(BASE64, 64)(rng) for _ in range(6))
        return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"

    return make


def once(kind: Callable[[Random], str]) -> Callable[[Random], str]:
    """The same in one line, as JSON and .env files hold it."""
    return lambda rng: kind(rng).replace("\n", "\\n")


def basic(rng: Random) -> str:
    """`user:password` as registries store it."""
    return base64.b64encode(f"builder:{password(rng)}{drawn(ALNUM, 12)(rng)}".encode()).decode()


def uuid(rng: Random) -> str:
    """A random UUID."""
    return "-".join(drawn(HEX, n)(rng) for n in (8, 4, 4, 4, 12))


TOKENS: Mapping[str, Callable[[Random], str]] = MappingProxyType({
    "hf": drawn(string.ascii_letters, 34, "hf_"), "github": drawn(ALNUM, 36, "ghp_"), "github-app": drawn(ALNUM, 36, "ghs_"),
    "github-fine": several(drawn(ALNUM, 22, "github_pat_"), drawn(ALNUM, 59, "_")), "gitlab": drawn(URL[:-2], 20, "glpat-"),
    "openai": several(drawn(ALNUM, 74, "sk-proj-"), "T3Blbk" + "FJ", drawn(ALNUM, 74)),
    "openai-old": several(drawn(ALNUM, 20, "sk-"), "T3Blbk" + "FJ", drawn(ALNUM, 20)),
    "anthropic": drawn(ALNUM, 93, "sk-ant-" + "api03-", "AA"), "aws": drawn(BASE32, 16, "AK" + "IA"), "aws-secret": drawn(BASE64, 40),
    "google": drawn(ALNUM, 35, "AI" + "za"), "slack": several("xo" + "xb-", drawn("123456789", 12), "-", drawn("123456789", 12), "-", drawn(ALNUM, 24)),
    "slack-hook": several("https://hooks.slack.com/" + "services/", drawn(BASE32, 9, "T"), "/", drawn(BASE32, 10, "B"), "/", drawn(ALNUM, 24)),
    "discord-hook": several("https://discord.com/api/" + "webhooks/", drawn("123456789", 18), "/", drawn(ALNUM, 68)),
    "stripe": drawn(ALNUM, 24, "sk_" + "live_"), "npm": drawn(ALNUM, 36, "npm_"), "pypi": drawn(ALNUM, 150, "pypi-" + "AgEIcHlwaS5vcmc"),
    "wandb": drawn(HEX, 40), "replicate": drawn(ALNUM, 37, "r8_"), "sendgrid": several("SG.", drawn(ALNUM, 22), ".", drawn(ALNUM, 43)),
    "digitalocean": drawn(HEX, 64, "dop_" + "v1_"), "azure": drawn(BASE64, 86, after="=="), "groq": drawn(ALNUM, 52, "gs" + "k_"),
    "databricks": drawn(HEX, 32, "da" + "pi"), "nvidia": drawn(ALNUM, 64, "nv" + "api-"), "openrouter": drawn(HEX, 64, "sk-or-" + "v1-"),
    "pinecone": several("pc" + "sk_", drawn(ALNUM, 6), "_", drawn(ALNUM, 63)), "langsmith": several("lsv2_" + "pt_", drawn(HEX, 32), "_", drawn(HEX, 10)),
    "langfuse": several("sk-" + "lf-", uuid), "perplexity": drawn(ALNUM, 48, "pp" + "lx-"), "xai": drawn(ALNUM, 80, "xa" + "i-"),
    "deepseek": drawn(HEX, 32, "s" + "k-"), "telegram": several(drawn("123456789", 10), ":" + "AA", drawn(ALNUM, 33)),
    "vault": drawn(ALNUM, 92, "hv" + "s."), "tailscale": several("tskey-" + "auth-", drawn(ALNUM, 12), "CNTRL-", drawn(ALNUM, 32)),
    "newrelic": drawn(BASE32, 27, "NR" + "AK-"), "grafana": several("gl" + "sa_", drawn(ALNUM, 32), "_", drawn(HEX, 8)),
    "shopify": drawn(HEX, 32, "sh" + "pat_"), "twilio": drawn(HEX, 32, "S" + "K"), "mailgun": drawn(HEX, 32, "ke" + "y-"),
    "atlassian": drawn(ALNUM, 180, "ATA" + "TT3xFfGF0", "=" + "1A2B3C4D"), "linear": drawn(ALNUM, 40, "lin_" + "api_"),
    "notion": drawn(ALNUM, 46, "nt" + "n_"), "tavily": drawn(ALNUM, 32, "tv" + "ly-"), "docker": drawn(ALNUM, 27, "dckr_" + "pat_"),
    "age": drawn("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58, "AGE-SECRET-" + "KEY-1"), "postman": several("PM" + "AK-", drawn(HEX, 24), "-", drawn(HEX, 34)),
    "jwt": jwt, "password": password, "hex32": drawn(HEX, 32), "hex40": drawn(HEX, 40), "hex64": drawn(HEX, 64), "alnum": drawn(ALNUM, 40),
    "lower": drawn(LOWER, 32), "uuid": uuid, "pem": pem(), "pem-line": once(pem()), "pem-rsa": pem("RSA "), "pem-ssh": pem("OPENSSH "),
    "pem-ec": pem("EC "), "pem-pkcs8": pem("ENCRYPTED "), "basic": basic, "b64": drawn(BASE64, 44), "word": lambda rng: rng.choice(WORDS).lower(),
    "port": lambda rng: str(rng.randint(5000, 9999)), "int": lambda rng: str(rng.randint(2, 512)), "sha256": drawn(HEX, 64),
    "model": lambda rng: f"{rng.choice(WORDS).lower()}-labs/{rng.choice(WORDS).lower()}-{rng.choice((1, 3, 7, 13))}b",
    "b64k": drawn(BASE64, 1200),
})  # fmt: skip
_PLACE = re.compile("<(" + "|".join(TOKENS) + ")>")


def fill(text: str, rng: Random) -> str:
    """The text with each place filled."""
    return _PLACE.sub(lambda match: TOKENS[match[1]](rng), text)
