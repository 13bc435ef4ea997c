"""The directory that a run leaves: run/<time>-<digest>/, what is in it, and how it is written.

    job.toml       the terms as they were agreed
    log.jsonl      one object an event, the newest last
    metrics.jsonl  one object a tree
    ledger.json    what was revealed to whom, so far
    checkpoint/    this side's half of the trees so far
    model/         this side's half of the finished model
    report.html    the report, with report.json beside it

Files are the user's alone (mode 0600, directories 0700); those that are replaced are replaced
whole: written beside, then renamed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from securexgb.cli.output import plain
from securexgb.errors import UsageError
from securexgb.storage.whole import append_line, make_directory, write_whole

__all__ = ["RunDirectory", "timestamp"]


def timestamp() -> str:
    """Now, in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class RunDirectory:
    """One run's files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(root: Path, digest: str) -> RunDirectory:
        """A new directory named by the time and the digest of the terms."""
        time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = root / f"{time}-{digest}"
        number = 1
        while path.exists():
            number += 1
            path = root / f"{time}.{number}-{digest}"
        make_directory(path)
        return RunDirectory(path)

    @staticmethod
    def latest(root: Path, digest: str, *, holding: Sequence[str], side: str) -> RunDirectory:
        """The newest run of these terms that has a file or folder ``holding``.

        Of several names, the first that any run has counts.
        """
        runs = sorted(root.glob(f"*-{digest}")) if root.is_dir() else []
        for name in holding:
            for path in reversed(runs):
                if (path / name).exists():
                    return RunDirectory(path)
        raise UsageError(
            f"{side}: {root} has no run of the job {digest} with a {holding[-1]}: "
            "check the job file and the run directory in party.toml"
        )

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    def log(self, event: str, **facts: Any) -> None:
        """Add one event to the log; facts are public or about this side only."""
        self._append("log.jsonl", {"time": timestamp(), "event": event, **facts})

    def metric(self, facts: Mapping[str, Any]) -> None:
        """Add one tree's line to the metrics."""
        self._append("metrics.jsonl", facts)

    def metrics(self) -> list[dict[str, Any]]:
        """All trees' lines so far."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]

    def write(self, name: str, text: str) -> Path:
        """Replace one file as a whole."""
        path = self.path / name
        write_whole(path, text.encode())
        return path

    def write_json(self, name: str, value: Any) -> Path:
        return self.write(name, json.dumps(plain(value), indent=1, allow_nan=False) + "\n")

    def _append(self, name: str, facts: Mapping[str, Any]) -> None:
        append_line(self.path / name, json.dumps(plain(facts), allow_nan=False))
