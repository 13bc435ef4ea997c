"""The directory that a run leaves: run/<time>-<digest>/, what is in it, and how it is written.

    job.toml       the terms as they were agreed
    run.json       a ``RunRecord``: what the report needs of the training
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from securexgb.attestation.verdict import Verdict
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.leak import Leak
from securexgb.errors import DataError, FileError, SecureXGBError, TermsDiffer, UsageError
from securexgb.federation.session import Federation
from securexgb.model.files import load_half
from securexgb.report.record import Costs, plain
from securexgb.storage.sealed import find_key
from securexgb.storage.whole import append_line, make_directory, read_own, write_whole

LedgerRows = list[dict[str, Any]]
"""What was revealed: reveal, meaning, to, values."""
_RECORD, _METRICS = "run.json", "metrics.jsonl"


def timestamp() -> str:
    """Now, in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class RunDirectory:
    """One run's files."""

    def __init__(self, path: Path) -> None:
        """UsageError where a symbolic link leads to it: whoever made the link chose the place."""
        for link in (path, path.parent):
            if link.is_symlink():
                raise UsageError(
                    f"{link} is a symbolic link, and a run is written through none: name the "
                    "folder that it leads to (run_directory in party.toml, or --run)"
                )
        self.path = path

    @staticmethod
    def create(root: Path, digest: str) -> RunDirectory:
        """A new directory named by the time and the digest of the terms."""
        time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        make_directory(root)
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

    @contextmanager
    def ending_logged(self, command: str) -> Iterator[None]:
        """Where the block fails or is interrupted, the log says so in its last line."""
        try:
            yield
        except BaseException as error:
            event = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            with suppress(SecureXGBError):  # the first error counts, and the disk may be full
                self.log(event, command=command, kind=type(error).__name__, message=str(error))
            raise

    def metric(self, facts: Mapping[str, Any]) -> None:
        """Add one tree's line to the metrics."""
        self._append(_METRICS, facts)

    def cut_metrics(self, trees: int) -> None:
        """Leave the lines of the first ``trees`` trees; a line that a crash tore is none."""
        path = self.path / _METRICS
        lines: dict[int, str] = {}
        for line in read_own(path).decode(errors="replace").splitlines() if path.exists() else ():
            with suppress(ValueError, KeyError, TypeError):
                lines[json.loads(line)["tree"]] = line
        self.write(_METRICS, "".join(lines[tree] + "\n" for tree in sorted(lines) if tree < trees))

    def write(self, name: str, text: str) -> None:
        """Replace one file as a whole."""
        write_whole(self.path / name, text.encode())

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, json.dumps(plain(value), indent=1, allow_nan=False) + "\n")

    def _append(self, name: str, facts: Mapping[str, Any]) -> None:
        append_line(self.path / name, json.dumps(plain(facts), allow_nan=False))


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a training leaves beside its model, for its report.

    ``ledger``: of all sessions of the run; ``costs``: of what ``costs_of`` says.
    ``dealer``: the verdict on it, None where there is none. ``missing_rates``:
    of the own columns. ``classes``: the two labels as the label party's file has them, that
    which counts as 1 last; ``positive_share``: of the training rows.
    """

    ledger: LedgerRows
    costs_of: str = "the last session"
    costs: Costs
    offline_source: str
    dealer_evidence: str
    dealer: Verdict | None
    missing_rates: Mapping[str, float]
    classes: Sequence[Any] | None
    positive_share: float | None = None
    leaks: Sequence[Leak]

    def to_mapping(self) -> dict[str, Any]:
        """For JSON."""
        leaks = [leak.to_mapping() for leak in self.leaks]
        dealer = None if self.dealer is None else self.dealer.to_dict()
        return {**self.__dict__, "costs": asdict(self.costs), "dealer": dealer, "leaks": leaks}

    @staticmethod
    def from_mapping(facts: Mapping[str, Any]) -> RunRecord:
        """From the JSON; ValueError, KeyError or TypeError where it is none of these."""
        leaks = [Leak.from_mapping(leak) for leak in facts["leaks"]]
        dealer = None if facts["dealer"] is None else Verdict.from_dict(facts["dealer"])
        costs = Costs(**facts["costs"])
        return RunRecord(**{**facts, "costs": costs, "dealer": dealer, "leaks": leaks})

    def write(self, run: RunDirectory) -> None:
        run.write_json(_RECORD, self.to_mapping())


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of this side: its half of the model, and what training kept beside it."""

    run: RunDirectory
    half: ModelHalf
    record: RunRecord


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
    kept = run.path / _RECORD
    try:
        record = RunRecord.from_mapping(json.loads(read_own(kept) if kept.exists() else b""))
    except FileError:
        raise
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{federation.config.name}: {_RECORD} in {run.path} is missing or damaged"
        ) from None
    return FinishedRun(run, half, record)
