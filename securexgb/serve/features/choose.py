"""Where a side's columns are looked up, by its settings."""

from __future__ import annotations

from pathlib import Path

from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.serve.features.files import FileFeatures
from securexgb.serve.features.service import ServiceFeatures
from securexgb.serve.scoring.allowed import serving


def open_features(federation: Federation) -> FileFeatures | ServiceFeatures:
    """What ``features`` in ``[serve]`` of party.toml names; a file is read."""
    place = serving(federation).features
    if place is None:
        raise UsageError(
            f"{federation.config.name}: name features in [serve] of party.toml: a Parquet or CSV "
            "file, or the address of an own service"
        )
    if isinstance(place, Path):
        return FileFeatures(federation, place)
    return ServiceFeatures(federation, place)
