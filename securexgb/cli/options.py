"""What several commands read from their flags: files, lists of names, training parameters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from securexgb.boost.params import TrainingParams
from securexgb.errors import UsageError

__all__ = [
    "ConfigOption",
    "JobOption",
    "parameters",
    "read_toml",
    "split_names",
    "write_new",
]

ConfigOption = Annotated[Path, typer.Option("--config", help="This side's settings.")]
JobOption = Annotated[Path, typer.Option("--job", help="The terms, the same at both sides.")]


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
        if name.strip() in values:
            raise UsageError(f"parameter {name.strip()!r} is given twice")
        values[name.strip()] = _value(text.strip())
    return TrainingParams.from_mapping(values)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as it is, unchecked."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None


def write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet."""
    if path.exists():
        raise UsageError(f"{path} exists already: move it away if it is to be replaced")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _value(text: str) -> Any:
    """A TOML value; what is none is taken as text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
