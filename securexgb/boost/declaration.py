"""What is declared of one parameter, and how a value that somebody gave for it is checked."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from securexgb.errors import UsageError


@dataclass(frozen=True)
class Declaration:
    """What is said of one parameter: its sentence, and the values that it takes.

    ``low`` and ``high`` bound a number, inclusively; with ``excludes_low`` the low end itself
    is excluded. ``is_ours``: the parameter does not exist in xgboost. ``read``: checks a value
    of a form of its own, and brings it to the declared type.
    """

    help: str
    low: float | None = None
    high: float | None = None
    excludes_low: bool = False
    choices: tuple[str, ...] = ()
    is_ours: bool = False
    read: Callable[[Any], Any] | None = None


def parameter(
    default: Any, text: str, bounds: tuple[float | None, float | None] = (None, None), **more: Any
) -> Any:
    """A field of a dataclass with its declaration."""
    return field(default=default, metadata={"declaration": Declaration(text, *bounds, **more)})


def checked(name: str, value: Any, kind: Any, declaration: Declaration) -> Any:
    """The value in its declared type, or a UsageError."""
    text = str(kind)
    if declaration.read is not None:
        return declaration.read(value)
    if value is None:
        if "None" in text:
            return None
        raise UsageError(f"{name} must be given, it is None")
    if declaration.choices:
        return _checked_choice(name, value, declaration)
    if "tuple" in text:
        if isinstance(value, str):
            value = (value,)
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise UsageError(f"{name} must be a name or a list of names, it is {value!r}")
        return tuple(value)
    if kind is bool:
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be true or false, it is {value!r}")
        return value
    number = _whole(name, value) if "int" in text else _real(name, value)
    _check_bounds(name, number, declaration)
    return number


def _checked_choice(name: str, value: Any, declaration: Declaration) -> str:
    if value not in declaration.choices:
        raise UsageError(
            f"{name} {value!r} is not supported; choose among {', '.join(declaration.choices)}"
        )
    return str(value)


def _whole(name: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise UsageError(f"{name} must be a whole number, it is {value!r}") from None


def _real(name: str, value: Any) -> float:
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name} must be a number, it is {value!r}") from None
    if not math.isfinite(number):
        raise UsageError(f"{name} must be a finite number, it is {value!r}")
    return number


def _check_bounds(name: str, number: float, declaration: Declaration) -> None:
    low, high = declaration.low, declaration.high
    too_low = low is not None and (number < low or (declaration.excludes_low and number == low))
    if too_low or (high is not None and number > high):
        relation = "above" if declaration.excludes_low else "at least"
        raise UsageError(f"{name} must be {relation} {low:g} and at most {high:g}, it is {number}")
