"""What several commands read from their flags: files, lists of names, settings.

What a membership in a job is made of is in ``membership``: making keys needs none of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from securexgb.errors import UsageError
from securexgb.storage import whole
from securexgb.storage.whole import make_directory

AlgorithmOption = Annotated[
    str, typer.Option(help="Histograms: hybrid (homomorphic encryption), or ss (a dealer).")
]
SplitsOption = Annotated[
    str | None,
    typer.Option(
        help="Who learns a split: hidden (nobody), or owner. Default: hidden, but owner with "
        "paillier or with predictions under ckks."
    ),
]
PositiveOption = Annotated[
    str | None, typer.Option(help="The class that counts as 1. Default: the greater of the two.")
]
ConfigOption = Annotated[Path, typer.Option("--config", help="This side's settings.")]
JobOption = Annotated[Path, typer.Option("--job", help="The terms, the same at both sides.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of party.toml, as KEY=VALUE.")
]
WaitOption = Annotated[
    str | None,
    typer.Option("--wait", help="How long to wait until the other side comes: 90s, 30m, 2h."),
]


def split_names(text: str | None) -> tuple[str, ...] | None:
    """Names by comma, or None where there is no text."""
    if text is None:
        return None
    return tuple(name.strip() for name in text.split(",") if name.strip())


def write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet, for the user alone."""
    make_directory(path.parent)
    whole.write_new(path, text.encode())


def pairs(settings: Sequence[str], flag: str) -> Iterator[tuple[str, Any]]:
    """Names and values of NAME=VALUE."""
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign:
            raise UsageError(f"{flag} {setting!r} must have the form NAME=VALUE")
        yield name.strip(), toml_value(text.strip())


def toml_value(text: str) -> Any:
    """A TOML value; what is none is taken as text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
