"""Programs that serve models, data and notebooks: how each is told to listen to everybody, and to ask for a key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_EVERY = r"(?:0\.0\.0\.0|::|\[::\]|\*)"
_LOCAL = re.compile(r"127\.0\.0\.1|localhost|--host\b|--hostname\b|-address\b|--help|--version|\bunix:")
_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Server:
    """How one program is recognised and judged, by regular expressions over a command or a compose service.

    program : its command or image. wide : listens on every address. guard : asks for a key. off : switches that off.
    always : authentication is there unless it is switched off. listens : on every address unless told otherwise.
    bare : a command of a script that is open where it says nothing of addresses. secured : brings TLS itself.
    kept : what elsewhere in the file binds it to this machine.
    """

    name: str
    program: re.Pattern[str]
    wide: re.Pattern[str]
    guard: re.Pattern[str] = _NEVER
    off: re.Pattern[str] = _NEVER
    environment: re.Pattern[str] = _NEVER
    always: bool = False
    listens: bool = False
    bare: re.Pattern[str] = _NEVER
    secured: re.Pattern[str] = _NEVER
    kept: re.Pattern[str] = _NEVER
    switched: str = "with authentication switched off"


class Verdict(NamedTuple):
    """A server that everybody reaches: what it is, whether it asks for a key, and whether it was told to listen so."""

    what: str
    guarded: bool
    told: bool = True


def _starts(command: str) -> re.Pattern[str]:
    """The command where a shell, a Dockerfile or a unit starts it, and not where it is spoken of."""
    before = r"(?:^|&&|;)\s*(?:CMD|ENTRYPOINT|ExecStart=|exec|nohup|sudo)?\s*(?:\S+=\S+\s+)*"
    return re.compile(rf"{before}(?:{command})(?:\s|$)")


def _host(*flags: str) -> re.Pattern[str]:
    names = "|".join(map(re.escape, flags))
    return re.compile(rf"(?:{names})(?:[= ]|\s*:\s*)+{_EVERY}(?![\w.])")


def _words(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


SERVERS = (
    Server(
        "Jupyter",
        _words(r"\bjupyter(?:-lab|-notebook|hub)?\b", r"image:\s*\S*(?:jupyter|scipy-notebook|pytorch-notebook)"),
        _words(
            rf"--(?:ServerApp\.|NotebookApp\.)?ip[= ]{_EVERY}",
            r"image:\s*\S*(?:jupyter/|scipy-notebook|pytorch-notebook)",
        ),
        off=_words(r"\.token=(?:\s|$|''|\"\")", r"JUPYTER_TOKEN=(?:\s|$)"), always=True,
    ),
    Server(
        "MLflow", _words(r"\bmlflow (?:server|ui|models serve)\b"), _host("--host", "-h"),
        _words(r"--app-name[= ]basic-auth"),
    ),
    Server(
        "Ray", _words(r"\bray start\b", r"image:\s*\S*rayproject/ray"), _host("--dashboard-host"),
        _words(r"RAY_AUTH_MODE\W+token"), environment=_words(r"RAY_AUTH_MODE"),
    ),
    Server("TensorBoard", _words(r"\btensorboard\b"), _words(rf"--bind_all\b|--host[= ]{_EVERY}")),
    Server(
        "vLLM", _words(r"\bvllm serve\b", r"vllm\.entrypoints", r"image:\s*\S*vllm"), _host("--host"),
        _words(r"--api-key\b", r"VLLM_API_KEY"), environment=_words(r"VLLM_API_KEY"), listens=True,
        bare=_starts(r"vllm serve|python3? -m vllm\.entrypoints\S*"),
    ),
    Server("SGLang", _words(r"sglang\.launch_server", r"image:\s*\S*sglang"), _host("--host"), _words(r"--api-key\b")),
    Server(
        "llama.cpp", _words(r"\bllama-server\b", r"image:\s*\S*llama\.cpp"), _host("--host"), _words(r"--api-key\b"),
    ),
    Server(
        "Ollama",
        _words(
            rf"\bOLLAMA_HOST\W+(?:http://)?{_EVERY}", r"\bollama serve\b",
            r"image:\s*[\"']?(?:docker\.io/)?ollama/ollama",
        ),
        _words(rf"OLLAMA_HOST\W+(?:http://)?{_EVERY}"), listens=True,
    ),
    Server(
        "Triton", _words(r"\btritonserver\b", r"image:\s*\S*tritonserver"),
        _host("--http-address", "--grpc-address"), listens=True, bare=_starts("tritonserver"),
    ),
    Server(
        "TorchServe, which asks for a token from 0.11.1 on only",
        _words(r"^\s*(?:management|inference)_address\s*=", r"\btorchserve\b"),
        _words(rf"(?:management|inference|metrics)_address\s*=\s*https?://{_EVERY}", r"--disable-token-auth\b"),
        off=_words(r"disable_token_authorization\s*=\s*true"),
        environment=_words(r"management_address"),
        kept=_words(
            r"(?s:\A(?!.*_address\s*=\s*https?://(?!127\.|localhost)).*management_address\s*=\s*https?://(?:127\.|localhost))"
        ),
    ),
    Server(
        "TGI", _words(r"text-generation-(?:launcher|inference)"), _host("--hostname"),
        _words(r"--api-key\b", r"API_KEY"), listens=True, bare=_starts("text-generation-launcher"),
    ),
    Server("BentoML", _words(r"\bbentoml serve(?:-\w+)?\b"), _host("--host")),
    Server("Streamlit", _words(r"\bstreamlit run\b"), _host("--server.address")),
    Server(
        "Flask's debugger", _words(r"\bflask\b.*\brun\b.*--debug\b", r"\bflask\b.*--debug\b.*\brun\b"),
        _host("--host", "-h"),
    ),
    Server(
        "an application server without TLS",
        _words(
            r"\b(?:uvicorn|gunicorn|hypercorn|daphne|granian|waitress-serve|litestar run|fastapi (?:run|dev)|litellm|"
            r"flask\b.*\brun|manage\.py runserver|panel serve|bokeh serve|voila|marimo (?:run|edit)|chainlit run|"
            r"langflow run|open-webui serve|fastchat\.serve\.\w+|lmdeploy serve|tgi|aphrodite run|"
            r"xinference(?:-local)?|dask[- ](?:scheduler|worker)|prefect server start|airflow webserver|"
            r"dagster-webserver|dagit|python3? -m http\.server|cog serve|nim|infinity_emb v2|serve run)\b"
        ),
        _words(
            rf"(?:--(?:host|bind|address|listen|ip|interface|bind[-_]address|web-address)|-[bhHi])"
            rf"(?:[= ]|\s*:\s*)*{_EVERY}(?![\w.])",
            rf"runserver {_EVERY}",
        ),
        off=_NEVER, always=True, secured=_words(r"--ssl-keyfile|--keyfile|--certfile|--ssl-certificate|--cert\b"),
    ),
    Server(
        "Redis",
        _words(r"\bredis-server\b"), _words(rf"--bind {_EVERY}", r"--protected-mode no"), _words("requirepass"),
    ),
    Server(
        "MongoDB", _words(r"\bmongod\b"), _words(rf"--bind_ip_all\b|--bind_ip[= ]{_EVERY}"),
        _words(r"--auth\b", "--keyFile"),
    ),
    Server(
        "PostgreSQL", _words(r"image:\s*\S*(?:postgres|postgis|pgvector|timescale)"), _NEVER,
        off=_words(r"POSTGRES_HOST_AUTH_METHOD\W+trust"), always=True, listens=True,
    ),
    Server(
        "MinIO", _words(r"image:\s*\S*minio/minio"), _NEVER,
        off=_words(r"MINIO_ROOT_PASSWORD\W+(?:[A-Z_]+\W+)?minioadmin(?!\w)"), always=True, listens=True,
        switched="with the password that it comes with",
    ),
    Server("Label Studio", _words(r"\blabel-studio start\b"), _host("--host"), always=True),
    Server(
        "Chroma", _words(r"\bchroma run\b", r"image:\s*\S*chromadb/chroma"), _host("--host"),
        _words(r"CHROMA_SERVER_AUTHN"), listens=True,
    ),
    Server("Qdrant", _words(r"image:\s*\S*qdrant/qdrant"), _NEVER, _words(r"QDRANT__SERVICE__API_KEY"), listens=True),
    Server(
        "Weaviate", _words(r"image:\s*\S*weaviate"), _NEVER,
        _words(r"APIKEY_ENABLED\W+true", r"OIDC_ENABLED\W+true"), listens=True,
    ),
    Server(
        "Redis", _words(r"image:\s*[\"']?(?:docker\.io/)?(?:library/)?redis(?:[:/\"'-]|\s|$)"), _NEVER,
        _words("requirepass", r"REDIS_PASSWORD", "redis.conf"), listens=True,
    ),
    Server(
        "Elasticsearch", _words(r"image:\s*\S*elasticsearch"), _NEVER,
        off=_words(r"xpack\.security\.enabled\W+false"), always=True, listens=True,
    ),
    Server(
        "MongoDB", _words(r"image:\s*[\"']?(?:docker\.io/)?(?:library/)?mongo(?:[:\"']|\s|$)"), _NEVER,
        _words("MONGO_INITDB_ROOT_PASSWORD", "--auth"), listens=True,
    ),
)  # fmt: skip


def exposed(text: str, *, published: bool, script: bool = False, around: str = "") -> Verdict | None:
    """What a command or a compose service opens to everybody; None where it opens nothing that is known.

    Parameters
    ----------
    text : the command, or the service's lines. published : whether a port of it is reachable from outside the machine.
    script : whether the text is a command as a script starts it.
    around : the rest of the file, where a variable may ask for a key.
    """
    flat = _flat(text)
    for server in SERVERS:
        if not server.program.search(text if "image:" in text else flat):
            continue
        wide = bool(server.wide.search(flat))
        anyway = script and server.bare.search(flat) and not _LOCAL.search(flat)
        if not (published and (wide or server.listens) if "image:" in text or published else wide or anyway):
            continue
        if server.secured.search(flat) or server.kept.search(around):
            return None
        off = bool(server.off.search(flat))
        guarded = not off and (server.always or bool(server.guard.search(f"{flat} {around}")))
        how = f" {server.switched}" if off else ""
        return Verdict(f"{server.name}{how}", guarded, told=wide or published)
    return None


def _flat(text: str) -> str:
    """The words of the text in one line: list marks, quotes, brackets and commas of the exec form gone."""
    joined = re.sub(r"(?m)^\s*-\s+", " ", text)
    bare = re.sub(r"[\[\]\"',]+(?=\s|$)|(?<=\s)[\[\"',]+", " ", f" {joined} ")
    return " ".join(bare.split())
