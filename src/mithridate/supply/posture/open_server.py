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
from mithridate.supply.posture.lines import commands, is_configuration
from mithridate.supply.posture.say import Kind, Spot, finding
from mithridate.supply.posture.servers import SERVERS, exposed
from mithridate.supply.posture.walk import File

ID, SLUG = "SUP427", "open-server"
_ALL = {"0.0.0.0", "::", "*"}  # noqa: S104 - what is looked for
_JUPYTER = re.compile(
    r"^c\.(?:ServerApp|NotebookApp|JupyterHub|LabApp|IdentityProvider|PasswordIdentityProvider)\.(\w+)$"
)
_SCRIPT = re.compile(r"(?:\.(?:sh|bash|service|dockerfile)|(?:^|/)(?:procfile|[^/]*dockerfile[^/]*))$", re.IGNORECASE)
_MANIFEST = re.compile(r"(?m)^apiVersion:\s*\S")
_GRPC = re.compile(r"0\.0\.0\.0:|\[::\]:")
_HTTP = re.compile(r"http\.server\.(?:Threading)?HTTPServer")
_IMAGE = re.compile(r"(?:^|/)[^/]*(?:dockerfile|containerfile)[^/]*$", re.IGNORECASE)
_COMPOSE = re.compile(r"(?:^|/)(?:docker-)?compose[\w.-]*\.ya?ml$", re.IGNORECASE)
_BIND = (
    "bind it to 127.0.0.1 (in compose: 127.0.0.1:PORT:PORT), or put a proxy with TLS and authentication before it and "
    "name that in the baseline"
)
_WIDE = Kind(ID, SLUG, "server without authentication", Severity.HIGH, 0.85, _BIND)
_INSIDE = Kind(ID, SLUG, "container without authentication", Severity.MEDIUM, 0.7, _BIND)
_PLAIN = Kind(ID, SLUG, "server without TLS", Severity.MEDIUM, 0.7, _BIND)
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
    has, but everything goes over plain HTTP; or a Dockerfile starts it: a container must listen on all of its own
    addresses, and is open once its port is published; or a program that listens on all of them (vLLM, Triton) isn't
    told where to. Kubernetes' manifests are not judged. Blind to firewalls, and to a proxy that stands in another file:
    it can be right that the server is open, and then the baseline is the place to say so.

    References
    ----------
    CWE-306, Missing authentication for critical function; CVE-2023-43654 (TorchServe), CVE-2023-48022 (Ray).
    """
    del settings
    found: list[Finding] = []
    for file in context.files:
        body = context.text(file) if is_configuration(file) else None
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
        (_DEBUG, "{path} starts a debugger that everybody who reaches it can run code in ({where}): "),
    ):
        spots = [place.spot for place in every if place.kind is kind]
        if spots:
            yield finding(kind, file, claim + "; ".join(dict.fromkeys(spot.what[:120] for spot in spots)), spots)


def _in_text(file: File, body: str) -> Iterator[Open]:
    if _COMPOSE.search(file.name):
        for service in services(body):
            verdict = exposed(service.text, published=service.published)
            if verdict is not None:
                kind = _PLAIN if verdict.guarded else _WIDE
                yield Open(kind, Spot(f"line {service.line}", f"service {service.name}: {verdict.what}", service.line))
        return
    if _MANIFEST.search(body):
        return
    script = bool(_SCRIPT.search(file.name))
    whole = body if any(server.environment.search(body) for server in SERVERS) else ""
    for number, line in commands(body):
        verdict = exposed(line, published=False, script=script, around=whole)
        if verdict is not None:
            bare = _INSIDE if _IMAGE.search(file.name) or not verdict.told else _WIDE
            if verdict.told or not verdict.guarded:
                yield Open(_PLAIN if verdict.guarded else bare, Spot(f"line {number}", verdict.what, number))


def _in_python(module: Module) -> Iterator[Open]:
    yield from _jupyter([item for item in module.assigned if _JUPYTER.match(item.name)])
    for use in module.uses:
        if use.called:
            yield from _call(use, module)


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
    if use.name == "ray.init" and keys.get("dashboard_host") in _ALL:
        yield Open(_WIDE, Spot(use.where, "Ray's dashboard, which runs jobs for whoever asks", use.line))
    elif use.name == ".run" and "flask" in module.imports and keys.get("host") in _ALL:
        debug = keys.get("debug") is True
        what = "Flask's debugger on every address" if debug else "Flask's own server on every address"
        yield Open(_DEBUG if debug else _PLAIN, Spot(use.where, what, use.line))
    elif use.name == ".launch" and "gradio" in module.imports and keys.get("auth") is None and "**" not in keys:
        if keys.get("server_name") in _ALL or keys.get("share") is True:
            yield Open(_WIDE, Spot(use.where, "Gradio for everybody, without auth=", use.line))
    elif use.name == ".add_insecure_port" and any(map(_GRPC.search, use.arguments)):
        yield Open(_PLAIN, Spot(use.where, "gRPC on every address without TLS", use.line))
    elif _HTTP.fullmatch(use.name) and any("'0.0.0.0'" in part for part in use.arguments):
        yield Open(_PLAIN, Spot(use.where, "http.server on every address", use.line))
    elif use.name == "uvicorn.run" and keys.get("host") in _ALL and not {"ssl_keyfile", "**"} & set(keys):
        yield Open(_PLAIN, Spot(use.where, "Uvicorn on every address without ssl_keyfile", use.line))
