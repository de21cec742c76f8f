"""Servers that everybody can reach, without authentication or TLS, in the common serving configurations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mithridate.core.findings import Finding, Severity
from mithridate.core.method import Outcome
from mithridate.supply.posture.code import Assigned, Module, Use
from mithridate.supply.posture.compose import services
from mithridate.supply.posture.context import Context, PostureSettings
from mithridate.supply.posture.lines import DOCKERFILE, commands, is_configuration
from mithridate.supply.posture.say import Kind, Spot, finding
from mithridate.supply.posture.server_files import docker_run, in_own_file, reaches_outside
from mithridate.supply.posture.servers import SERVERS, exposed
from mithridate.supply.posture.walk import File

ID, SLUG = "SUP427", "open-server"
_ALL = {"0.0.0.0", "::", "*"}  # noqa: S104 - what is looked for
_JUPYTER = re.compile(
    r"^c\.(?:ServerApp|NotebookApp|JupyterHub|LabApp|IdentityProvider|PasswordIdentityProvider)\.(\w+)$"
)
_SCRIPT = re.compile(rf"(?:\.(?:sh|bash|service)|(?:^|/)(?:procfile|{DOCKERFILE}))$", re.IGNORECASE)
_MANIFEST = re.compile(r"(?m)^apiVersion:\s*\S")
_GRPC = re.compile(r"0\.0\.0\.0:|\[::\]:")
_SOCKET = re.compile(r"(?:HTTP|TCP|UDP)Server$")
_STARTS = re.compile(
    r"(?:^|\.)(?:run(?:_server|_app|_simple|_async)?|serve|start(?:_server)?|launch|listen|create_server|Config|Server|"
    r"WSGIServer|make_server|TCPSite|Granian|DeploymentHandle)$|(?:HTTP|TCP|UDP)Server$"
)
_ADDRESS = re.compile(r"host|hostname|server_name|address|ip|interface|bind|bind_addr(?:ess)?|listen|addr|http_options")
_OPTION = re.compile(r"\.add_argument|(?:\w+\.)*click\.option|(?:\w+\.)*add_option")
_HOST = re.compile(
    r"(?:--?)?(?:server|listen|bind|api|http|controller|worker|gradio)?[-_]?(?:host|hostname|host_?ip|bind|listen)",
    re.IGNORECASE,
)
_LISTENING = ("0.0.0.0", "::")  # noqa: S104 - what is looked for
_SERVING = frozenset(
    {"uvicorn", "fastapi", "flask", "starlette", "gradio", "aiohttp", "tornado", "sanic", "bottle", "waitress",
     "hypercorn", "gunicorn", "socketserver", "websockets", "dash", "quart", "litestar", "falcon", "cherrypy"}
)  # fmt: skip
_EVERYWHERE = re.compile(  # the value itself, an entry of a dict, or what is taken where a variable isn't set
    r"""^["'](?:0\.0\.0\.0|::|\*)(?::\d+)?["']$|["']host["']: ["']0\.0\.0\.0["']|"""
    r"""(?:getenv|environ\.get)\([^()]*,\s*["'](?:0\.0\.0\.0|::)["']\)|\bor ["']0\.0\.0\.0["']$"""
)
_PLACE = re.compile(r"""["'](?:0\.0\.0\.0|::)["']|\{["']host["']: ["']0\.0\.0\.0["'].*""")
_PAIR = re.compile(r"""^\(["'](?:0\.0\.0\.0|::|)["'],""")
_SHELLS = re.compile(r"subprocess\.(?:run|Popen|call|check_call|check_output|getoutput)|os\.(?:system|popen|execvp?)")
_TLS = {"ssl_keyfile", "ssl_certfile", "ssl_context", "certfile", "keyfile", "ssl", "ssl_options", "ssl_key", "**"}
_PROXIED = re.compile(  # started by a platform, or in a cluster, that stands before it
    rf"(?:^|/)(?:{DOCKERFILE}|procfile|(?:railway|fly|nixpacks|render)\.(?:toml|json|ya?ml))$|\.ya?ml$", re.IGNORECASE
)
_COMPOSE = re.compile(r"(?:^|/)(?:[\w.-]+[.-])?compose[\w.-]*\.ya?ml$", re.IGNORECASE)
_BIND = (
    "bind it to 127.0.0.1 (in compose: 127.0.0.1:PORT:PORT), or put a proxy with TLS and authentication before it and "
    "name that in the baseline"
)
_WIDE = Kind(ID, SLUG, "server without authentication", Severity.HIGH, 0.85, _BIND)
_INSIDE = Kind(ID, SLUG, "container without authentication", Severity.MEDIUM, 0.7, _BIND)
_PLAIN = Kind(ID, SLUG, "server without TLS", Severity.MEDIUM, 0.7, _BIND)
_BOXED = Kind(ID, SLUG, "container without TLS", Severity.LOW, 0.6, _BIND)
_DEBUG = Kind(ID, SLUG, "debugger", Severity.HIGH, 0.95, "never start a server that others reach with debug=True")


class Open(NamedTuple):
    """One server that is open: which kind of finding, and where."""

    kind: Kind
    spot: Spot


def open_server(context: Context, settings: PostureSettings) -> Outcome:
    """Servers bound to every address, or published by compose, that ask for no key.

    Notes
    -----
    Read: compose files, Dockerfiles, shell scripts, unit files, Procfiles, `.env`, TorchServe properties, Jupyter's
    configuration and Python. High: the program has no authentication, or has it switched off, at this place. Medium: it
    has, but everything goes over plain HTTP; or a Dockerfile, a platform or a chart starts it: a container must listen
    on all of its own addresses, and is open once its port is published; or a program that listens on all of them
    (vLLM, Triton) isn't told where to. Of Kubernetes' manifests those are judged that bring their own LoadBalancer,
    NodePort or host port; also read are `docker run` and the own files of Redis, MongoDB, PostgreSQL, Ray Serve,
    BentoML, Streamlit. Blind to firewalls, and to a proxy that stands in another file: it can be right that the server
    is open, and then the baseline is the place to say so.

    References
    ----------
    CWE-306, Missing authentication for critical function; CVE-2023-43654 (TorchServe), CVE-2023-48022 (Ray).
    """
    del settings
    found: list[Finding] = []
    for file in context.files:
        known = is_configuration(file) or file.path.name.startswith("gunicorn")
        body = context.text(file) if known else None
        if body is not None:
            found += _findings(file, _in_text(file, body))
    for file, module in context.modules():
        found += _findings(file, _in_python(module))
    return Outcome(tuple(found))


def _findings(file: File, places: Iterator[Open]) -> Iterator[Finding]:
    every = list(places)
    for kind, claim in (
        (_WIDE, "{path} opens a server to everybody without authentication ({where}): "),
        (_INSIDE, "{path} starts a server that is open to whoever reaches its port ({where}): "),
        (_PLAIN, "{path} opens a server to everybody without TLS ({where}): "),
        (_BOXED, "{path} starts a server without TLS: put a proxy before it when its port is published ({where}): "),
        (_DEBUG, "{path} starts a debugger that everybody who reaches it can run code in ({where}): "),
    ):
        spots = [place.spot for place in every if place.kind is kind]
        if spots:
            yield finding(kind, file, claim + "; ".join(dict.fromkeys(spot.what[:120] for spot in spots)), spots)


def _in_text(file: File, body: str) -> Iterator[Open]:
    for place in in_own_file(file.name, body):
        yield Open(_WIDE if place.bare else _PLAIN, Spot(f"line {place.line}", place.what, place.line))
    if _COMPOSE.search(file.name):
        for service in services(body):
            verdict = exposed(service.text, published=True) if service.published else None
            if verdict is not None:
                kind = _PLAIN if verdict.guarded else _WIDE
                yield Open(kind, Spot(f"line {service.line}", f"service {service.name}: {verdict.what}", service.line))
    elif _MANIFEST.search(body):
        yield from _in_manifest(body)
    else:
        yield from _in_commands(file, body)


def _in_manifest(body: str) -> Iterator[Open]:
    """Containers of a manifest that lets in what is outside of the cluster."""
    verdict = exposed(body, published=True) if reaches_outside(body) else None
    if verdict is not None and "image:" in body:
        image = body.count("\n", 0, body.index("image:")) + 1
        yield Open(
            _PLAIN if verdict.guarded else _WIDE,
            Spot(f"line {image}", f"{verdict.what}, outside of the cluster", image),
        )


def _in_commands(file: File, body: str) -> Iterator[Open]:
    script = bool(_SCRIPT.search(file.name))
    whole = body if any(server.environment.search(body) for server in SERVERS) else ""
    for number, line in commands(body):
        container = docker_run(line)
        if container is not None:
            verdict = exposed(container, published=True)
        else:
            verdict = exposed(line, published=False, script=script, around=whole)
        if verdict is not None:
            image = bool(_PROXIED.search(file.name))
            bare = _INSIDE if image or not verdict.told else _WIDE
            plain = _BOXED if image and container is None else _PLAIN
            if verdict.told or not verdict.guarded:
                yield Open(plain if verdict.guarded else bare, Spot(f"line {number}", verdict.what, number))


def _in_python(module: Module) -> Iterator[Open]:
    yield from _jupyter([item for item in module.assigned if _JUPYTER.match(item.name)])
    found = [place for use in module.uses if use.called for place in _call(use, module)]
    yield from found or _by_default(module)


def _by_default(module: Module) -> Iterator[Open]:
    """Programs that serve, and listen on every address by an option's or a function's default."""
    if not module.imports & _SERVING:
        return
    for use in module.uses:
        option = use.arguments[0] if use.arguments else ""
        named = use.called and _OPTION.fullmatch(use.name) and _HOST.fullmatch(option.strip("\"'"))
        if named and use.keywords.get("default") in _LISTENING:
            yield Open(_PLAIN, Spot(use.where, f"{option} is every address by default, without TLS", use.line))
    for item in module.assigned:
        if _HOST.fullmatch(item.name.rpartition(".")[2]) and item.value in _LISTENING:
            yield Open(_PLAIN, Spot(item.where, f"{item.name} is every address by default, without TLS", item.line))


def _jupyter(items: list[Assigned]) -> Iterator[Open]:
    values = {item.name.rpartition(".")[2]: item for item in items}
    address = values.get("ip")
    if address is None or address.value not in _ALL:
        return
    empty = [values[key] for key in ("token", "password") if key in values and values[key].value in {"", None}]
    guarded = not any(item.name.endswith(".token") for item in empty) or _is_set(values, "password", "hashed_password")
    if not guarded:
        yield Open(_WIDE, Spot(address.where, "Jupyter on every address with an empty token", address.line))
    elif "certfile" not in values:
        yield Open(_PLAIN, Spot(address.where, "Jupyter on every address without a certificate", address.line))


def _is_set(values: dict[str, Assigned], *names: str) -> bool:
    return any(name in values and values[name].value not in {"", None} for name in names)


def _call(use: Use, module: Module) -> Iterator[Open]:
    keys = use.keywords
    if use.name == "ray.init":
        if keys.get("dashboard_host") in _ALL:
            yield Open(_WIDE, Spot(use.where, "Ray's dashboard, which runs jobs for whoever asks", use.line))
    elif use.name == ".launch" and "gradio" in module.imports:
        if keys.get("auth") is None and "**" not in keys and (_address(use) or keys.get("share") is True):
            yield Open(_WIDE, Spot(use.where, "Gradio for everybody, without auth=", use.line))
    elif use.name == ".add_insecure_port":
        if any(map(_GRPC.search, use.arguments)):
            yield Open(_PLAIN, Spot(use.where, "gRPC on every address without TLS", use.line))
    elif _SHELLS.fullmatch(use.name):
        words = re.sub(r"""[\[\]"',]+""", " ", use.arguments[0]) if use.arguments else ""
        verdict = exposed(words, published=False, script=True)
        if verdict is not None and verdict.told:
            yield Open(_PLAIN if verdict.guarded else _WIDE, Spot(use.where, verdict.what, use.line))
    elif _address(use) and _STARTS.search(use.name) and not _TLS & set(keys):
        debug = keys.get("debug") is True or "'debug': True" in str(use.written)
        who = "Flask" if "flask" in module.imports and use.name in {".run", "flask.run"} else f"{use.name.strip('.')}()"
        what = f"{who}'s debugger on every address" if debug else f"{who} on every address without TLS"
        yield Open(_DEBUG if debug else _PLAIN, Spot(use.where, what, use.line))


def _address(use: Use) -> bool:
    """Whether the call says: listen on every address."""
    named = (value for key, value in use.written.items() if _ADDRESS.fullmatch(key))
    own = any(_EVERYWHERE.search(value) for value in named)
    pair = any(map(_PAIR.match, use.arguments[:2] if _SOCKET.search(use.name) else ()))
    return own or pair or any(_PLACE.fullmatch(part) for part in use.arguments[:2])
