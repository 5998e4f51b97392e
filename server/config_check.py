"""Looks at every file and secret that the configuration names, before the server starts."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from pecete.errors import InvalidArgumentError
from server.config import Configuration
from server.config_reader import Secret, wrong_value

_FOLDERS = ("storage.directory",)


def check(configuration: Configuration, environ: Mapping[str, str]) -> None:
    """Read each file and each secret that is configured, and match certificates with their keys.

    Raises InvalidArgumentError CONFIGURATION_PATH_UNREADABLE, CONFIGURATION_SECRET_MISSING or
    CONFIGURATION_WRONG_VALUE for the first that is wrong; the field is the key's dotted name.
    """
    for key, value in _leaves(configuration, ""):
        if isinstance(value, Secret):
            value.read(environ)
        elif isinstance(value, Path):
            _check_path(key, value)
    if not isinstance(_private_key("journal.key", configuration.journal.key), Ed25519PrivateKey):
        raise wrong_value("journal.key", "This must be an Ed25519 private key.")
    tls = configuration.tls
    if tls.certificate is not None and tls.key is not None:
        _check_pair("tls.key", tls.key, tls.certificate)
    own = configuration.timestamping
    if own.certificate is not None and own.software_key is not None:
        _check_pair("timestamping.software_key", own.software_key, own.certificate)


def _leaves(value: object, key: str) -> Iterator[tuple[str, object]]:
    """Give each setting with its dotted name."""
    if is_dataclass(value) and not isinstance(value, Secret):
        for part in fields(value):
            yield from _leaves(getattr(value, part.name), f"{key}.{part.name}" if key else part.name)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{key}[{index}]")
    else:
        yield key, value


def _check_path(key: str, path: Path) -> None:
    if key in _FOLDERS:
        if not path.is_dir():
            raise _unreadable(key, "This must be an existing folder.")
        return
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise _unreadable(key, f"The file cannot be read: {error.strerror}.") from error


def _unreadable(key: str, sentence: str) -> InvalidArgumentError:
    return InvalidArgumentError("CONFIGURATION_PATH_UNREADABLE", sentence, field=key)


def _private_key(key: str, path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise wrong_value(key, "This must be an unencrypted private key in PEM.") from error


def _check_pair(key: str, key_path: Path, certificate_path: Path) -> None:
    """A certificate and a key that do not belong together would only show at the first call."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    except ValueError as error:
        name = key.rpartition(".")[0]
        raise wrong_value(f"{name}.certificate", "This must be a certificate in PEM.") from error
    wanted = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = _private_key(key, key_path).public_key()
    if public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != wanted:
        raise wrong_value(key, "This is not the key of the certificate beside it.")
