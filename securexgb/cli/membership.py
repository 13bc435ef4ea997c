"""This side's membership in a job, and training parameters, from the flags of a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from securexgb.boost.params import TrainingParams
from securexgb.cli.options import pairs
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.terms.party import PartyConfig

PATHS = frozenset(
    name for name, entry in PartyConfig.model_fields.items() if "Path" in str(entry.annotation)
)
"""Settings that are paths."""


def parameters(flags: Mapping[str, Any], settings: Sequence[str]) -> TrainingParams:
    """Training parameters from flags (None: not given) and NAME=VALUE settings."""
    values = {name: value for name, value in flags.items() if value is not None}
    for name, value in pairs(settings, "--param"):
        if name in values:
            raise UsageError(f"parameter {name!r} is given twice")
        values[name] = value
    return TrainingParams.from_mapping(values)


def federation_of(
    config: Path, job: Path, settings: Sequence[str] | None, **flags: str | int | None
) -> Federation:
    """This side's membership in the job; ``settings`` (KEY=VALUE) and ``flags`` (by the key's name;
    None: not given) beat party.toml.

    A path in ``settings`` counts from where the command is run.
    """
    overrides = dict(pairs(settings or (), "--set"))
    overrides |= {name: value for name, value in flags.items() if value is not None}
    for name, value in overrides.items():
        if name in PATHS and isinstance(value, str) and "://" not in value:
            overrides[name] = Path(value).absolute()
    return Federation.from_file(config, job, overrides)
