"""Which cloud a key's address is of: each scheme, and the adapter for it."""

from __future__ import annotations

from mithridate.core.errors import InputError
from mithridate.supply.cloud.aws import SCHEME as AWS
from mithridate.supply.cloud.aws import AwsKey
from mithridate.supply.cloud.port import CloudKey

SCHEMES = (AWS,)


def is_cloud(address: str) -> bool:
    """Whether an address is of a cloud's key service."""
    return address.startswith(SCHEMES)


def cloud_key(address: str) -> CloudKey:
    """The key at this address; nothing is asked of the service yet.

    Raises
    ------
    InputError : no address of a key.
    """
    if address.startswith(AWS):
        return AwsKey.parse(address)
    raise InputError(f"the address must begin with one of {', '.join(SCHEMES)}, got {address[:80]!r}")
