"""The directory that a run leaves: run/<time>-<digest>/, what is in it, and how it is written.

    job.toml       the terms as they were agreed
    run.json       a ``RunRecord``: what the report needs of the training
    log.jsonl      one object an event, the newest last
    metrics.jsonl  one object a tree
    ledger.json    what was revealed to whom, so far
    checkpoint/    this side's half of the trees so far
    model/         this side's half of the finished model
    predicted.json which rows were predicted, and where the scores are
    report.json    the report, with its tables as CSV in report/, and for people
    report.html    where the extra for it is installed
    simulated.json, xgboost/   of a simulation: what another one needs to go on (``jobs.alone``)

Files are the user's alone (mode 0600, directories 0700); those that are replaced are replaced
whole: written beside, then renamed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from securexgb.attestation.verdict import Verdict
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.leak import Leak
from securexgb.errors import SecureXGBError, TermsDiffer, UsageError
from securexgb.federation.session import Federation
from securexgb.model.files import load_half
from securexgb.report.record import Compared, Costs, SlowestShard, plain
from securexgb.storage.records import read_record
from securexgb.storage.sealed import ModelKey, find_key
from securexgb.storage.whole import (
    append_line,
    make_directory,
    read_own,
    strict_json,
    write_whole,
)

LedgerRows = list[dict[str, Any]]
"""What was revealed: reveal, meaning, to, values."""
RECORD, _METRICS = "run.json", "metrics.jsonl"
FORMAT = 2
"""Of run.json."""


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
    def all(root: Path, digest: str) -> list[RunDirectory]:
        """The runs of these terms, the newest name first."""
        paths = sorted(root.glob(f"*-{digest}"), reverse=True) if root.is_dir() else ()
        return [RunDirectory(path) for path in paths if path.is_dir()]

    @staticmethod
    def latest(root: Path, digest: str, *, holding: str, side: str) -> RunDirectory:
        """The newest run of these terms that has a file ``holding``."""
        for run in RunDirectory.all(root, digest):
            if (run.path / holding).exists():
                return run
        raise UsageError(
            f"{side}: {root} has no run of the job {digest} with a {holding}: "
            "check the job file and the run directory in party.toml"
        )

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    def half(self, role: str) -> Path:
        """Where the finished model's half is; written last, so a run that has it is finished."""
        return self.model / f"{role}.npz"

    def log(self, event: str, **facts: Any) -> None:
        """Add one event to the log; facts are public or about this side only."""
        self._append("log.jsonl", {"time": timestamp(), "event": event, **facts})

    @contextmanager
    def ending_logged(self, command: str) -> Iterator[None]:
        """Where the block fails or is interrupted, the log says so in its last line."""
        try:
            yield
        except BaseException as error:
            self.log_ending(command, error)
            raise

    def log_ending(self, command: str, error: BaseException) -> None:
        """Say in the log what ended a command."""
        event = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        with suppress(SecureXGBError):  # the first error counts, and the disk may be full
            self.log(event, command=command, kind=type(error).__name__, message=str(error))

    def metric(self, facts: Mapping[str, Any]) -> None:
        """Add one tree's line to the metrics."""
        self._append(_METRICS, facts)

    def cut_metrics(self, trees: int) -> None:
        """Leave the lines of the first ``trees`` trees; a line that a crash tore is none."""
        path = self.path / _METRICS
        lines: dict[int, bytes] = {}
        for line in read_own(path).splitlines() if path.exists() else ():
            tree = _tree_of(line)
            if 0 <= tree < trees:
                lines[tree] = line
        write_whole(path, b"".join(lines[tree] + b"\n" for tree in sorted(lines)))

    def write(self, name: str, text: str) -> None:
        """Replace one file as a whole."""
        write_whole(self.path / name, text.encode())

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, json.dumps(plain(value), indent=1, allow_nan=False) + "\n")

    def _append(self, name: str, facts: Mapping[str, Any]) -> None:
        append_line(self.path / name, json.dumps(plain(facts), allow_nan=False))


def _tree_of(line: bytes) -> int:
    """The tree that a line of the metrics is about; -1 where it is none."""
    try:
        facts = strict_json(line)
    except ValueError:
        return -1
    tree = facts.get("tree") if isinstance(facts, dict) else None
    return tree if type(tree) is int else -1


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a training leaves beside its model, for its report.

    ``ledger``: of all sessions of the run; ``costs``: of what ``costs_of`` says.
    ``dealer``: the verdict on it, None where there is none. ``missing_rates``:
    of the own columns. ``classes``: as the label party's file has them, of two that which
    counts as 1 last; ``class_shares``: of the training rows. ``estimate``: what was
    expected of the last session beside what it took. ``whole_auc``: see ``ModelHalf``.
    ``slowest_shards``: of the last session's trees, where rows are in shards.
    """

    ledger: LedgerRows
    costs_of: str = "the last session"
    costs: Costs
    offline_source: str
    dealer_evidence: str
    dealer: Verdict | None
    missing_rates: Mapping[str, float]
    classes: Sequence[Any] | None
    class_shares: Sequence[float] | None = None
    leaks: Sequence[Leak]
    estimate: Compared | None = None
    whole_auc: Mapping[str, float] = field(default_factory=dict)
    slowest_shards: tuple[SlowestShard, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """For JSON."""
        leaks = [leak.to_mapping() for leak in self.leaks]
        dealer = None if self.dealer is None else self.dealer.to_dict()
        found = None if self.estimate is None else asdict(self.estimate)
        more = {"costs": asdict(self.costs), "dealer": dealer, "leaks": leaks, "estimate": found}
        slowest = [asdict(one) for one in self.slowest_shards]
        return {**self.__dict__, **more, "slowest_shards": slowest}

    @staticmethod
    def read(run: RunDirectory) -> RunRecord:
        """What a run keeps; UsageError where there is no file, DataError where it is none."""
        return read_record(run.path / RECORD, _RECORDS, FORMAT)

    def write(self, run: RunDirectory) -> None:
        run.write_json(RECORD, self.to_mapping() | {"format": FORMAT})


_RECORDS = TypeAdapter(RunRecord)


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of this side: its half of the model, and what training kept beside it."""

    run: RunDirectory
    half: ModelHalf
    record: RunRecord


def finished_run(
    federation: Federation,
    path: Path | None,
    key_of: Callable[[Path], ModelKey | None] | None = None,
) -> FinishedRun:
    """The run at ``path``, or the newest finished one of these terms.

    ``key_of``: gives the key of a half in a file; None: that of the settings or the environment.
    """
    name = f"model/{federation.role}.npz"
    if path is None:
        root, side = federation.config.run_directory, federation.config.name
        run = RunDirectory.latest(root, federation.digest, holding=name, side=side)
    else:
        run = RunDirectory(path)
        if not (run.path / name).exists():
            raise UsageError(
                f"{federation.config.name}: {path} is no finished run: it has no {name}; name the "
                "folder of a run, whose name begins with the time of its start"
            )
    own = federation.config.model_key
    half = load_half(run.path / name, key_of(run.path / name) if key_of else find_key(own))
    if half.role != federation.role:
        raise TermsDiffer(
            f"{federation.config.name}: {name} in {run.path} is the {half.role} party's half"
        )
    if half.job_digest != federation.terms.full_digest:
        raise TermsDiffer(
            f"{federation.config.name}: the model in {run.path} was trained under the terms "
            f"{half.job_digest[:10] or 'of no job'}, and the job file says {federation.digest}: "
            "name the terms of that run (--job)"
        )
    return FinishedRun(run, half, RunRecord.read(run))
