"""Turns nested tables of text and numbers into frozen dataclasses, and names the key of whatever is wrong.

The dataclasses' annotations are the schema. A key that no dataclass knows is an error, never ignored.
"""

import ipaddress
import os
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pecete.errors import InvalidArgumentError

Section = TypeVar("Section")


class EnvironmentText(str):
    """A value that came from the environment: always text, read as what its key wants."""


@dataclass(frozen=True)
class Secret:
    """Where a secret is kept: in a variable of the environment or in a file. It is read when it is needed."""

    key: str
    env: str = ""
    file: Path | None = None

    def read(self, environ: Mapping[str, str] | None = None) -> str:
        """Give the secret without the line end that editors add.

        Raises InvalidArgumentError CONFIGURATION_SECRET_MISSING.
        """
        try:
            if self.file is not None:
                text = self.file.read_text(encoding="utf-8").rstrip("\r\n")
            else:
                text = (os.environ if environ is None else environ)[self.env]
        except (OSError, UnicodeDecodeError, KeyError) as error:
            raise InvalidArgumentError(
                "CONFIGURATION_SECRET_MISSING", "The secret cannot be read.", field=self.key
            ) from error
        if not text:
            raise InvalidArgumentError("CONFIGURATION_SECRET_MISSING", "The secret is empty.", field=self.key)
        return text


@dataclass(frozen=True)
class Address:
    """A host and a port to listen on; port 0: any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `host:port` or `[IPv6]:port`. Raises ValueError."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(text)
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Reader:
    """Reads tables; relative paths are relative to `base`."""

    base: Path

    def section(self, kind: type[Section], table: object, key: str = "") -> Section:
        """Give a table as the dataclass `kind`; `key` is the table's own dotted name.

        Raises InvalidArgumentError CONFIGURATION_UNKNOWN_KEY, CONFIGURATION_KEY_MISSING,
        CONFIGURATION_WRONG_TYPE or CONFIGURATION_WRONG_VALUE with the key's dotted name as field.
        """
        if not isinstance(table, dict):
            raise wrong_type(key, "a table")
        known = {field.name: field for field in fields(typing.cast("Any", kind))}
        for name in table:
            if name not in known:
                raise InvalidArgumentError(
                    "CONFIGURATION_UNKNOWN_KEY", "There is no such setting.", field=_join(key, name)
                )
        hints = typing.get_type_hints(kind)
        values = {
            name: self._value(hints[name], table[name], _join(key, name))
            for name, field in known.items()
            if _is_given(field, table, _join(key, name))
        }
        return kind(**values)

    def _value(self, kind: Any, value: object, key: str) -> object:  # noqa: ANN401 - annotations are of any kind
        origin = get_origin(kind)
        if origin in (Union, types.UnionType):
            return self._value(next(a for a in get_args(kind) if a is not type(None)), value, key)
        if origin is Literal:
            return _literal(get_args(kind), value, key)
        if origin is tuple:
            return self._items(get_args(kind)[0], value, key)
        if kind is Secret:
            return self._secret(value, key)
        if is_dataclass(kind) and kind is not Address:
            return self.section(typing.cast("type[Any]", kind), value, key)
        if kind is Path:
            return self.base / _text(value, key)
        return _SCALARS[kind](value, key)

    def _items(self, kind: Any, value: object, key: str) -> tuple[object, ...]:  # noqa: ANN401 - as above
        if isinstance(value, EnvironmentText):
            value = [EnvironmentText(part.strip()) for part in value.split(",") if part.strip()]
        if not isinstance(value, list):
            raise wrong_type(key, "an array")
        return tuple(self._value(kind, item, f"{key}[{index}]") for index, item in enumerate(value))

    def _secret(self, value: object, key: str) -> Secret:
        """A secret is named by where it is; a literal one would end up in backups and bug reports."""
        if not isinstance(value, dict):
            raise InvalidArgumentError(
                "CONFIGURATION_SECRET_LITERAL",
                'A secret is given as { env = "NAME" } or { file = "path" }, never itself.',
                field=key,
            )
        for name in value:
            if name not in ("env", "file"):
                raise InvalidArgumentError(
                    "CONFIGURATION_UNKNOWN_KEY", "A secret has `env` or `file`.", field=_join(key, name)
                )
        if len(value) != 1:
            raise wrong_value(key, 'Give one of { env = "NAME" } and { file = "path" }.')
        (name, where), *_ = value.items()
        text = _text(where, _join(key, name))
        return Secret(key, env=text) if name == "env" else Secret(key, file=self.base / text)


def wrong_type(key: str, wanted: str) -> InvalidArgumentError:
    """Give the error for a value of another type."""
    return InvalidArgumentError("CONFIGURATION_WRONG_TYPE", f"This must be {wanted}.", field=key)


def wrong_value(key: str, sentence: str) -> InvalidArgumentError:
    """Give the error for a value of the right type that makes no sense."""
    return InvalidArgumentError("CONFIGURATION_WRONG_VALUE", sentence, field=key)


def missing(key: str, sentence: str = "This setting is required.") -> InvalidArgumentError:
    """Give the error for a setting that is not there."""
    return InvalidArgumentError("CONFIGURATION_KEY_MISSING", sentence, field=key)


def _is_given(field: Field[Any], table: Mapping[str, object], key: str) -> bool:
    if field.name in table:
        return True
    if field.default is MISSING and field.default_factory is MISSING:
        raise missing(key)
    return False


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _text(value: object, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise wrong_type(key, "a text that is not empty")
    return str(value)


def _literal(allowed: tuple[str, ...], value: object, key: str) -> str:
    if value not in allowed:
        raise wrong_value(key, f"This must be one of: {', '.join(allowed)}.")
    return str(value)


def _integer(value: object, key: str) -> int:
    if isinstance(value, EnvironmentText) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(key, "a whole number")
    return value


def _number(value: object, key: str) -> float:
    if isinstance(value, EnvironmentText):
        try:
            return float(value)
        except ValueError as error:
            raise wrong_type(key, "a number") from error
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(key, "a number")
    return float(value)


def _boolean(value: object, key: str) -> bool:
    if isinstance(value, EnvironmentText) and value in ("true", "false"):
        return value == "true"
    if not isinstance(value, bool):
        raise wrong_type(key, "true or false")
    return value


def _address(value: object, key: str) -> Address:
    try:
        return Address.parse(_text(value, key))
    except ValueError as error:
        raise wrong_value(key, "This must be an address with a port, such as 127.0.0.1:7443.") from error


_SCALARS: Mapping[type, Callable[[object, str], object]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _boolean,
    Address: _address,
}
