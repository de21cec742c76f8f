"""A key service over HTTP on this machine: moto's implementation of AWS KMS, and a client to make keys with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mithridate.supply.cloud import aws

REGION = "eu-central-1"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a moto server in a thread."""
    pytest.importorskip("boto3", reason="needs boto3: pip install 'mithridate[kms]'")
    moto = pytest.importorskip("moto.server", reason="needs moto, flask and flask-cors")
    running = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(scope="session")
def client(server: str) -> Any:
    """A client of the server, to make keys with."""
    import boto3

    return boto3.session.Session("AKIATEST", "secret", region_name=REGION).client("kms", endpoint_url=server)


@pytest.fixture
def kms(server: str, client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The client; the environment leads boto3 to the server and to nothing of the user's."""
    empty = tmp_path_factory.mktemp("aws")
    for name, value in {
        "AWS_ENDPOINT_URL_KMS": server, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test",
        "AWS_CONFIG_FILE": str(empty / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(empty / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setattr(aws, "TRIES", 1)
    return client


@pytest.fixture
def made(kms: Any) -> Any:
    """Makes a key of that kind and returns its ARN; with a name it gets that alias."""

    def make(spec: str = "ECC_NIST_P256", name: str = "") -> str:
        usage = "ENCRYPT_DECRYPT" if spec == "SYMMETRIC_DEFAULT" else "SIGN_VERIFY"
        arn = str(kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"])
        if name:
            kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=arn)
        return arn

    return make
