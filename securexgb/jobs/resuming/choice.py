"""Which run ``train --resume`` goes on with: both sides tell what they have, and choose alike.

Names of directories and clocks differ between two companies, so runs are known by the model id
that both drew when the run began. Each side tells, of every run of the job that it has, the model
id, the sessions its trees were grown in, and whether it is finished; so both see every pair of
runs that belong together and how many trees these have in common. They go on with the pair
that has most. Nothing of the data is told but that it is not what a run was made with.

Work is never lost without a word. Where a side has trees that fit nothing of the other's, both
sides end with the same error, which names the runs of both and their trees. A run that is
finished here is read, so that the other side can finish its own, and never written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from securexgb.errors import DataError, MalformedFrame, SecureXGBError, TermsDiffer
from securexgb.jobs.resuming.checkpoint import MOST_AHEAD, CheckpointStore, common_rounds
from securexgb.jobs.runs import RunDirectory
from securexgb.mpc.party import Party
from securexgb.storage.sealed import ModelKey

Mode = Literal["new", "resume"]
Trouble = Literal[
    "", "no state.json", "damaged or not to be opened", "made with other data or another job"
]
_STRICT = ConfigDict(strict=True, extra="forbid", defer_build=True)
_NAME = r"[A-Za-z0-9_.:?-]{1,120}"
_SHOWN = 3


@checked_dataclass(frozen=True, config=_STRICT)
class RunOffer:
    """A run as the other side is told of it.

    ``trees``: rounds of it, each known by the session that it was grown in. ``trouble``: why this
    side cannot go on with it; then there are no sessions.
    """

    name: Annotated[str, Field(pattern=f"^{_NAME}$")]
    trees: NonNegativeInt
    model_id: str = ""
    coins: str = ""
    sessions: tuple[str, ...] = ()
    is_finished: bool = False
    trouble: Trouble = ""

    def __str__(self) -> str:
        said = [f"{self.name} with {self.trees} trees"]
        said += ["finished"] * self.is_finished + [self.trouble] * bool(self.trouble)
        return ", ".join(said)


@checked_dataclass(frozen=True, config=_STRICT)
class Offer:
    """What a side tells: whether it starts a new run or goes on, and with what it could."""

    mode: Mode
    runs: tuple[RunOffer, ...] = ()


_OFFER = TypeAdapter(Offer)


@dataclass(frozen=True)
class Choice:
    """What both sides do, the same at both.

    ``places``: by rank, the place of the run in that side's offer; None: they begin anew.
    ``trees``: so many both have. ``is_over``: the run is finished at both.
    """

    places: tuple[int, int] | None = None
    trees: int = 0
    is_over: bool = False


@dataclass(frozen=True)
class LocalRun:
    """A run of this side, what is told of it, and what is wrong with it in this side's words."""

    directory: RunDirectory
    offer: RunOffer
    reason: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether a training that begins anew loses nothing here."""
        return not (self.offer.trees or self.offer.is_finished or self.offer.trouble)


@dataclass(frozen=True)
class JobRuns:
    """Where this side's runs of a job are, and what they must fit.

    ``only``: the one run that may be gone on with; None: any. ``made_of``: ``training.fingerprint``
    of the present data; ``columns``, ``outputs``: own columns and trees a round.
    """

    rank: int
    root: Path
    digest: str
    full_digest: str
    only: RunDirectory | None
    made_of: str
    columns: int
    outputs: int


def find_runs(job: JobRuns, key: ModelKey | None) -> list[LocalRun]:
    """This side's runs of a job, the newest name first."""
    runs = RunDirectory.all(job.root, job.digest) if job.only is None else [job.only]
    return [_look(job, run, key) for run in runs]


def _look(job: JobRuns, run: RunDirectory, key: ModelKey | None) -> LocalRun:
    is_finished = run.half(("label", "feature")[job.rank]).exists()
    store = CheckpointStore(run.checkpoint, key)
    name = re.sub(r"[^A-Za-z0-9_.:-]", "?", run.path.name)[:120]

    def unfit(trouble: Trouble, reason: str) -> LocalRun:
        told = RunOffer(name, store.rounds_here(), is_finished=is_finished, trouble=trouble)
        return LocalRun(run, told, f"{run.path}: {reason}")

    try:
        saved = store.load(job.columns, job.outputs)
    except SecureXGBError as error:
        return unfit("damaged or not to be opened", str(error))
    if saved is None:
        if not store.rounds_here() and not is_finished:
            return LocalRun(run, RunOffer(name, 0))
        return unfit("no state.json", "its checkpoint has no state.json")
    state = saved.state
    if (state.rank, state.job_digest, state.data) != (job.rank, job.full_digest, job.made_of):
        reason = (
            "made with other data, evaluation sets or terms than the present ones, or from another "
            "model to go on from (--continue)"
        )
        return unfit("made with other data or another job", reason)
    sessions = tuple(saved_round.session for saved_round in saved.rounds)
    offer = RunOffer(name, len(sessions), state.model_id, state.coins, sessions, is_finished)
    return LocalRun(run, offer)


def agree_on_run(
    party: Party, mode: Mode, runs: Sequence[LocalRun], names: tuple[str, str]
) -> tuple[LocalRun | None, Choice]:
    """The run of this side that both go on with (None: they begin anew), and what of it is there.

    ``names``: both sides' by rank, for messages. DataError or TermsDiffer at both sides where trees
    would be lost.
    """
    mine = Offer(mode, tuple(run.offer for run in runs) if mode == "resume" else ())
    with party.step("runs"):
        theirs = _parse(party.exchange_bytes(json.dumps(asdict(mine)).encode()))
    both = (mine, theirs) if party.rank == 0 else (theirs, mine)
    try:
        choice = choose(both, names)
    except DataError as error:
        for run in runs:
            if run.reason:
                error.add_note(run.reason)
            if run.offer.is_finished:
                error.add_note(
                    f"{run.directory.path}: this side's half of the model is there; where the "
                    "other side has its own, predict, evaluate and report need no checkpoint"
                )
        raise
    return None if choice.places is None else runs[choice.places[party.rank]], choice


def choose(both: tuple[Offer, Offer], names: tuple[str, str]) -> Choice:
    """The pair of runs with most trees in common; of equal ones the first of the label party's."""
    if both[0].mode != both[1].mode:
        _check_modes(both, names)
        return Choice()
    pairs = _pairs(both)
    fitting = {(rank, choice.places[rank]) for choice in pairs for rank in (0, 1) if choice.places}
    alone = [
        run
        for rank, offer in enumerate(both)
        for place, run in enumerate(offer.runs)
        if run.trees and (rank, place) not in fitting
    ]
    best = max((pair for pair in pairs if not pair.is_over), key=_trees, default=None)
    if best is not None and best.places is not None:
        # Old models whose other half is elsewhere by now keep nobody from going on.
        if not any(run.trees > best.trees and not run.is_finished for run in alone):
            return best
        chosen = both[0].runs[best.places[0]].name
        raise _lost(
            f"there are more trees than those of {chosen}, which both have, in a run that only "
            "one side has",
            both,
            names,
        )
    if alone:
        raise _lost("the two sides have no trees in common to go on from", both, names)
    return max(pairs, key=_trees, default=Choice())


def _trees(choice: Choice) -> int:
    return choice.trees


def _pairs(both: tuple[Offer, Offer]) -> list[Choice]:
    """Every two runs that belong together and lose nothing that could be gone on with."""
    found = []
    for place, one in enumerate(both[0].runs):
        for other_place, other in enumerate(both[1].runs):
            if not one.model_id or (one.model_id, one.coins) != (other.model_id, other.coins):
                continue
            trees = common_rounds(one.sessions, other.sessions)
            if _keeps(one, trees) and _keeps(other, trees):
                is_over = one.is_finished and other.is_finished
                found.append(Choice((place, other_place), trees, is_over))
    return found


def _keeps(run: RunOffer, trees: int) -> bool:
    """Whether to go on after ``trees`` of it leaves a finished run as it is, and loses no work."""
    if run.is_finished:
        return trees == run.trees
    return trees > 0 or run.trees <= MOST_AHEAD


def _check_modes(both: tuple[Offer, Offer], names: tuple[str, str]) -> None:
    """One side starts anew, the other goes on: refused where that side has anything."""
    going = 0 if both[0].mode == "resume" else 1
    if any(run.trees for run in both[going].runs):
        raise TermsDiffer(
            f"{names[1 - going]} starts a new run, and {names[going]} goes on with --resume and "
            f"has {_listed(both[going])}: start both alike"
        )


def _lost(what: str, both: tuple[Offer, Offer], names: tuple[str, str]) -> DataError:
    has = "; ".join(f"{name} has {_listed(offer)}" for name, offer in zip(names, both, strict=True))
    return DataError(
        f"{what}: {has}. Put back what is missing and use --resume again, name the run to go on "
        "with by --run, or start anew without --resume, in a new directory: these stay as they are"
    )


def _listed(offer: Offer) -> str:
    runs = sorted(offer.runs, key=lambda run: -run.trees)
    shown = [str(run) for run in runs[:_SHOWN]]
    more = [f"{len(runs) - _SHOWN} more"] if len(runs) > _SHOWN else []
    return " and ".join(shown + more) or "no run of this job"


def _parse(payload: bytes) -> Offer:
    try:
        return _OFFER.validate_json(payload)
    except ValidationError as error:
        raise MalformedFrame("the other side's list of its runs is malformed") from error
