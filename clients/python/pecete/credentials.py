"""Who calls and whom they trust: certificates, keys and tokens that open a channel to the service."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pecete.errors import InvalidArgumentError

CA_FILE, CERTIFICATE_FILE, KEY_FILE = "ca.pem", "client.pem", "client-key.pem"
"""What a credentials folder holds; `pecete-server init` leaves one."""


@dataclass(frozen=True)
class Credentials:
    """How the server is recognised and how the caller is.

    ca: certificates of the authorities that may vouch for the server, PEM; empty: those that gRPC brings.
    certificate: the caller's certificate and its chain, PEM; together with `key`, its private key, PEM.
    token: the caller's API token, sent as `authorization: Bearer`.
    plaintext: no TLS at all; only a loopback address may be called so.

    Raises InvalidArgumentError KEY_WITHOUT_CERTIFICATE, CERTIFICATE_WITHOUT_KEY.
    """

    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    plaintext: bool = False

    def __post_init__(self) -> None:
        if self.certificate and not self.key:
            raise InvalidArgumentError(
                "CERTIFICATE_WITHOUT_KEY", "A client certificate needs its private key.", field="key"
            )
        if self.key and not self.certificate:
            raise InvalidArgumentError(
                "KEY_WITHOUT_CERTIFICATE", "A private key needs its client certificate.", field="certificate"
            )

    @classmethod
    def from_folder(cls, folder: Path) -> "Credentials":
        """Read `ca.pem`, `client.pem` and `client-key.pem`. Raises InvalidArgumentError FILE_UNREADABLE."""
        return cls(
            ca=_read(folder / CA_FILE, "ca"),
            certificate=_read(folder / CERTIFICATE_FILE, "certificate"),
            key=_read(folder / KEY_FILE, "key"),
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Credentials":
        """Read what these variables name.

        PECETE_CREDENTIALS is a folder for `from_folder`; without it PECETE_CA, PECETE_CERTIFICATE and
        PECETE_KEY are paths of PEM files. PECETE_TOKEN is an API token, PECETE_TOKEN_FILE the path of one.
        Raises InvalidArgumentError FILE_UNREADABLE, TOKEN_TWICE and those of the class, with the variable or
        argument as the field.
        """
        if folder := environment.get("PECETE_CREDENTIALS"):
            return replace(cls.from_folder(Path(folder)), token=_token(environment))
        return cls(
            ca=_named(environment, "PECETE_CA"),
            certificate=_named(environment, "PECETE_CERTIFICATE"),
            key=_named(environment, "PECETE_KEY"),
            token=_token(environment),
        )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What travels with each call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()


def _token(environment: Mapping[str, str]) -> str:
    token = environment.get("PECETE_TOKEN", "")
    if token and environment.get("PECETE_TOKEN_FILE"):
        raise InvalidArgumentError(
            "TOKEN_TWICE", "Set PECETE_TOKEN or PECETE_TOKEN_FILE, not both.", field="PECETE_TOKEN"
        )
    return token or _named(environment, "PECETE_TOKEN_FILE").decode("ascii", "replace").strip()


def _named(environment: Mapping[str, str], variable: str) -> bytes:
    path = environment.get(variable)
    return _read(Path(path), variable) if path else b""


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgumentError(
            "FILE_UNREADABLE", f"{path} cannot be read: {error.strerror}.", field=name
        ) from error


def is_loopback(server: str) -> bool:
    """Tell whether `host:port` names this machine by its loopback address or as `localhost`."""
    host = server.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
