"""What several commands read from their flags: lists of names, training parameters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from securexgb.boost.params import TrainingParams
from securexgb.errors import UsageError

__all__ = ["parameters", "split_names"]


def split_names(text: str | None) -> tuple[str, ...] | None:
    """Names by comma, or None where there is no text."""
    if text is None:
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parameters(flags: Mapping[str, Any], settings: Sequence[str]) -> TrainingParams:
    """Training parameters from flags (None: not given) and NAME=VALUE settings."""
    values = {name: value for name, value in flags.items() if value is not None}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign:
            raise UsageError(f"--param {setting!r} must have the form NAME=VALUE")
        if name in values:
            raise UsageError(f"parameter {name!r} is given twice")
        values[name.strip()] = _value(text.strip())
    return TrainingParams.from_mapping(values)


def _value(text: str) -> Any:
    """A TOML value; what is none is taken as text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
