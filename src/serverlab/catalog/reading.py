"""TOML files into records, with every mistake of a file reported at once."""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from serverlab.formatting import did_you_mean
from serverlab.model.base import Record

R = TypeVar("R", bound=Record)

Kind: TypeAlias = Any
"""A type or a generic alias, for which the language has no type."""


def read_toml(path: Path, kind: type[R]) -> tuple[R | None, list[str]]:
    """The record in the file and no mistakes, or None and one sentence for each mistake, naming file and key."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        return None, [f"{path}: not valid TOML: {broken}"]
    except OSError as absent:
        return None, [f"{path}: cannot be read: {absent.strerror}"]
    found = [f"{path}: {mistake}" for mistake in mistakes(raw, kind, where="")]
    return (None, found) if found else (msgspec.convert(raw, kind), [])


def mistakes(value: object, kind: Kind, *, where: str) -> Iterator[str]:
    """One sentence for each way in which ``value`` is not a ``kind``, beginning with its key."""
    kind = _without_none(kind)
    if isinstance(kind, type) and issubclass(kind, Record) and isinstance(value, dict):
        yield from _record_mistakes(value, kind, where)
    elif _origin(kind) is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from mistakes(item, typing.get_args(kind)[1], where=_join(where, key))
    elif _origin(kind) is tuple and isinstance(value, list):
        for index, item in enumerate(value):
            yield from mistakes(item, typing.get_args(kind)[0], where=f"{where}[{index}]")
    else:
        yield from _value_mistake(value, kind, where)


def _record_mistakes(value: dict[str, Any], kind: type[Record], where: str) -> Iterator[str]:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in value:
        if key not in fields:
            yield f"{_join(where, key)}: unknown key{did_you_mean(key, fields)} (known: {', '.join(fields)})"
    for name, field in fields.items():
        if name in value:
            yield from mistakes(value[name], field.type, where=_join(where, name))
        elif field.required:
            yield f"{_join(where, name)}: missing"


def _value_mistake(value: object, kind: Kind, where: str) -> Iterator[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as wrong:
        yield f"{where or 'file'}: {wrong} (found {value!r})"


def _origin(kind: Kind) -> Kind:
    return typing.get_origin(kind)


def _without_none(kind: Kind) -> Kind:
    if _origin(kind) in (typing.Union, types.UnionType):
        kinds = [each for each in typing.get_args(kind) if each is not type(None)]
        return kinds[0] if len(kinds) == 1 else kind
    return kind


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
