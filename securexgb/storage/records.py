"""JSON files of a run that this program reads again: typed, and each with the number of its format.

A file of another version is refused by that number and a sentence, before anything in it is
believed; in a file of this version every value has its declared type.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from securexgb.errors import DataError
from securexgb.storage.whole import damaged, pack_json, read_own, unpack_json

T = TypeVar("T")


def read_record(path: Path, kind: TypeAdapter[T], form: int) -> T:
    """The record in a file of format ``form``; UsageError where it is not there, or DataError."""
    return unpack_record(read_own(path), path.name, kind, form)


def unpack_record(content: bytes, name: str, kind: TypeAdapter[T], form: int) -> T:
    """The record that a file's content holds; ``name`` is for the message."""
    return typed(of_format(unpack_json(content, name), name, form), name, kind)


def of_format(facts: Mapping[str, Any], name: str, form: int) -> dict[str, Any]:
    """The facts without their format, which is ``form``, or DataError."""
    found = facts.get("format")
    if type(found) is not int or found != form:
        raise DataError(
            f"{name} has format {found!r:.20}, this version of securexgb reads format {form}: use "
            "the version that wrote it"
        )
    return {key: value for key, value in facts.items() if key != "format"}


def typed(facts: Mapping[str, Any], name: str, kind: TypeAdapter[T]) -> T:
    """Facts as an object of their type, nothing converted; DataError where they are none."""
    try:
        return kind.validate_json(pack_json(facts), strict=True)
    except (ValidationError, ValueError) as error:
        raise damaged(name) from error
