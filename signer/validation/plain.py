"""Frozen dataclasses to JSON values and back: for facts that are kept, and verdicts of another process.

What comes back is data of the declared types or nothing: no object is ever built by name from what is read.
"""

import base64
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(value: object) -> object:
    """A value as JSON knows it: bytes become base64, times ISO 8601, durations seconds, tuples lists.

    Keys of mappings are strings.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value


def from_plain(kind: type[T], plain: object) -> T:
    """The value of a declared type that `to_plain` made `plain` of. Raises ValueError.

    A field that is not there has its default, so that what was kept can be read when fields have been added.
    """
    try:
        value = _read(kind, plain)
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a {kind.__name__}") from error
    if not isinstance(value, kind):
        raise ValueError(f"not a {kind.__name__}")
    return value


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, plain: Any) -> object:  # noqa: ANN401 - type hints are any objects
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(kind) if option is not type(None)]
        return None if plain is None else _read(options[0], plain)
    if origin is tuple:
        return _tuple(get_args(kind), plain)
    if origin is Mapping:
        of = get_args(kind)[1]
        return {_scalar(str, key): _read(of, item) for key, item in plain.items()}
    if origin is Literal:
        return _chosen(get_args(kind), plain)
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, plain)
    return _scalar(kind, plain)


def _dataclass(kind: type, plain: Any) -> object:  # noqa: ANN401
    needed = {each.name for each in fields(kind) if each.default is each.default_factory is MISSING}
    hints = _hints(kind)
    present = hints.keys() & (plain.keys() | needed)
    return kind(**{name: _read(hints[name], plain[name]) for name in present})


def _chosen(options: tuple[Any, ...], plain: Any) -> object:  # noqa: ANN401
    if plain not in options:
        raise ValueError("not one of the values")
    return plain


def _tuple(kinds: tuple[Any, ...], plain: Any) -> tuple[object, ...]:  # noqa: ANN401
    if not isinstance(plain, list):
        raise ValueError("not a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_read(kinds[0], item) for item in plain)
    return tuple(_read(kind, item) for kind, item in zip(kinds, plain, strict=True))


def _aware(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a time without its offset")
    return time


def _scalar(kind: type, plain: Any) -> object:  # noqa: ANN401
    if issubclass(kind, StrEnum):
        return kind(plain)
    if kind is bytes:
        return base64.b64decode(plain, validate=True)
    if kind is datetime:
        return _aware(datetime.fromisoformat(plain))
    if kind is timedelta:
        return timedelta(seconds=plain)
    if kind is float and type(plain) is int:
        return float(plain)
    if kind not in (str, int, float, bool) or type(plain) is not kind:
        raise ValueError(f"not a {kind.__name__}")
    return plain
