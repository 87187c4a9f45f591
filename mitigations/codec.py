"""Nouns to JSON text and back, exactly: what the journal and the store write."""

from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

T = TypeVar("T")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def dump(kind: Any, value: Any) -> str:
    """One line of JSON for a noun of type `kind`."""
    return _adapter(kind).dump_json(value).decode()


def plain(kind: Any, value: Any) -> Any:
    """The noun as JSON-ready data: dicts, lists, text, numbers, None."""
    return _adapter(kind).dump_python(value, mode="json")


def load(kind: type[T], text: str | bytes) -> T:
    """The noun a line of JSON holds; raises `pydantic.ValidationError` when it holds another."""
    noun: T = _adapter(cast("Any", kind)).validate_json(text)
    return noun


def build(kind: type[T], data: Any) -> T:
    """The noun that plain data describes."""
    noun: T = _adapter(cast("Any", kind)).validate_python(data)
    return noun
