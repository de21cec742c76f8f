"""A PKCS#11 token (smart card, HSM, SoftHSM): its address as a URI, and a session on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from mithridate.core.errors import InputError, MissingExtra

SCHEME = "pkcs11:"


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key of a token, by label.

    token, object : their labels. module : the token's library, which is loaded into this process; it comes from the
    command line, never from a file that others wrote. pin_file : a file that holds the user PIN.
    """

    token: str
    object: str
    module: Path
    pin_file: Path

    @classmethod
    def parse(cls, uri: str) -> TokenKey:
        """From a PKCS#11 URI: `pkcs11:token=T;object=K?module-path=/usr/lib/.../lib.so&pin-source=file:PIN`.

        Raises
        ------
        InputError : one of the four parts is missing.

        References
        ----------
        RFC 7512, The PKCS #11 URI scheme.
        """
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        parts = dict(item.partition("=")[::2] for item in path.split(";") if "=" in item)
        parts = {name: unquote(value) for name, value in parts.items()} | dict(parse_qsl(query))
        missing = [name for name in ("token", "object", "module-path", "pin-source") if not parts.get(name)]
        if missing:
            raise InputError(
                f"the PKCS#11 address lacks {', '.join(missing)}; write it as "
                "pkcs11:token=T;object=K?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:PIN"
            )
        pin = parts["pin-source"].removeprefix("file:")
        return cls(parts["token"], parts["object"], Path(parts["module-path"]), Path(pin))

    @property
    def name(self) -> str:
        """The labels, as in the URI's path."""
        return f"pkcs11:token={self.token};object={self.object}"

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A session on the token, opened with the PIN and closed again.

        Raises
        ------
        MissingExtra : `python-pkcs11` isn't installed.
        InputError : the PIN file, the library or the token can't be used.
        """
        try:
            import pkcs11
            from pkcs11.exceptions import PKCS11Error
        except ImportError as error:
            raise MissingExtra("python-pkcs11", "pkcs11", "a key on a PKCS#11 token") from error
        if self.module.is_absolute() and not self.module.is_file():
            raise InputError(f"can't open the token {self.token}: there is no library {self.module}")
        try:
            pin = self.pin_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"can't read the PIN file {self.pin_file}: {error}") from error
        try:
            token = pkcs11.lib(str(self.module)).get_token(token_label=self.token)
            session = token.open(rw=True, user_pin=pin)
        except (PKCS11Error, RuntimeError, OSError) as error:
            why = type(error).__name__ if isinstance(error, PKCS11Error) else str(error)
            raise InputError(
                f"can't open the token {self.token} with {self.module}: {why}; look at both, and the PIN"
            ) from error
        try:
            yield session
        finally:
            session.close()

    def refuse_taken(self, session: Any) -> None:
        """`InputError` when the token has an object of that label already."""
        import pkcs11

        if list(session.get_objects({pkcs11.Attribute.LABEL: self.object})):
            raise InputError(f"the token {self.token} has an object {self.object} already; give another label")
