"""A finished run of this side: its half of the model, and what training kept beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securexgb.boost.ensemble import ModelHalf
from securexgb.cli.runs import RunDirectory
from securexgb.errors import DataError, TermsDiffer
from securexgb.federation.session import Federation
from securexgb.model.files import load_half
from securexgb.storage.sealed import find_key

__all__ = ["FinishedRun", "finished_run"]


@dataclass(frozen=True)
class FinishedRun:
    """``facts``: what ``train`` wrote into run.json."""

    run: RunDirectory
    half: ModelHalf
    facts: dict[str, Any]

    @property
    def classes(self) -> list[Any] | None:
        """The two labels as the label party's file has them."""
        return self.facts.get("classes")


def finished_run(federation: Federation, path: Path | None) -> FinishedRun:
    """The run at ``path``, or the newest finished one of these terms."""
    name = f"model/{federation.role}.npz"
    if path is None:
        root, side = federation.config.run_directory, federation.config.name
        run = RunDirectory.latest(root, federation.digest, holding=(name,), side=side)
    else:
        run = RunDirectory(path)
    half = load_half(run.path / name, find_key(federation.config.model_key))
    if half.role != federation.role:
        raise TermsDiffer(
            f"{federation.config.name}: {name} in {run.path} is the {half.role} party's half"
        )
    if half.job_digest != federation.terms.full_digest:
        raise TermsDiffer(
            f"{federation.config.name}: the model in {run.path} was trained under the terms "
            f"{half.job_digest[:10] or 'of no job'}, and the job file says {federation.digest}"
        )
    try:
        facts = json.loads((run.path / "run.json").read_text())
    except (OSError, ValueError):
        raise DataError(
            f"{federation.config.name}: run.json in {run.path} is missing or damaged"
        ) from None
    return FinishedRun(run, half, facts)
