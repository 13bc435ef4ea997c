"""Agreement: the public facts that both parties compare before a training begins.

One message each way: parameters, row count, own columns, evaluation sets, what a
checkpoint holds, and a nonce. Everything that the control flow depends on is fixed here;
whatever does not fit is refused at both sides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from pydantic import ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.directions import in_order, is_by_name, no_column
from securexgb.boost.splits.interactions import (
    MOST_GROUPS,
    check_owned,
    in_all,
    is_of_names,
)
from securexgb.errors import DataError, MalformedFrame, TermsDiffer, UsageError
from securexgb.jobs.resuming.checkpoint import MOST_AHEAD, LoadedCheckpoint, common_rounds
from securexgb.mpc.party import Party

_STRICT = ConfigDict(strict=True, extra="forbid", defer_build=True)


@dataclass(frozen=True, config=_STRICT)
class CheckpointSummary:
    """The public part of a checkpoint, see ``JobDescription``."""

    model_id: str
    coins: str
    sessions: tuple[str, ...]
    margins: tuple[NonNegativeInt, ...]

    @staticmethod
    def of(saved: LoadedCheckpoint) -> CheckpointSummary:
        sessions = tuple(saved_round.session for saved_round in saved.rounds)
        return CheckpointSummary(
            saved.state.model_id, saved.state.coins, sessions, tuple(sorted(saved.margins))
        )


@dataclass(frozen=True, config=_STRICT)
class JobDescription:
    """One party's public facts.

    ``past``: model id and rounds of the model that is gone on from. ``columns``: number of own
    columns. ``categorical``: which of them are categorical, ascending. ``weights``: rows have
    sample weights (the label party's word counts). ``sets``: (name, rows, has weights) of every
    evaluation set, the rows of the label party and its weights likewise. ``saved``: model id,
    coins, session of every saved round, and after how many rounds margins are known; None without
    checkpoint.
    ``directions``: of the own columns that the terms name, by column, () where they name none;
    ``strangers``: names of the terms' directions that no own column has. ``groups``, ``unknown``:
    likewise of interaction constraints, see ``splits.interactions``.
    """

    params: str
    past: str
    digest: str
    rows: NonNegativeInt
    columns: NonNegativeInt
    weights: bool
    sets: tuple[tuple[str, NonNegativeInt, bool], ...]
    nonce: str
    checkpoint: str
    saved: CheckpointSummary | None
    directions: tuple[Annotated[int, Field(ge=-1, le=1)], ...] = ()
    strangers: tuple[str, ...] = ()
    categorical: tuple[NonNegativeInt, ...] = ()
    groups: tuple[Annotated[int, Field(ge=0, lt=1 << MOST_GROUPS)], ...] = ()
    unknown: tuple[str, ...] = ()


_DESCRIPTION = TypeAdapter(JobDescription)


@dataclass(frozen=True)
class Agreement:
    """What both parties hold after the exchange, the same at both.

    ``session``: public id of this run. ``is_resumed``: both go on with one model, from its first
    ``rounds``, which may be none. ``are_margins_known``: both have the margins after these.
    ``are_weighted``: by evaluation set. ``directions``: of the columns of both sides, see
    ``boost.splits.directions``; None where the terms have none. ``groups``: of these columns,
    likewise.
    """

    layout: Layout
    session: str
    is_resumed: bool
    rounds: int
    are_margins_known: bool
    are_weighted: tuple[bool, ...]
    directions: tuple[int, ...] | None = None
    groups: tuple[int, ...] | None = None


def agree(party: Party, params: TrainingParams, mine: JobDescription) -> Agreement:
    """Exchange the facts, compare them, and settle shapes and the point to go on from."""
    with party.step("agree"):
        theirs = _parse(party.exchange_bytes(json.dumps(asdict(mine)).encode()))
    both = (mine, theirs) if party.rank == 0 else (theirs, mine)
    _compare(both)
    _check_categorical(theirs, params)
    label, columns = both[0], (both[0].columns, both[1].columns)
    layout = Layout.of(params, label.rows, columns, label.weights, _categorical(both))
    nonces = f"{label.nonce} {both[1].nonce}"
    if params.past.rounds:
        nonces += f" {label.past}"  # a simulation may draw the nonces that the old model had
    is_resumed, rounds = _resumed_rounds(both)
    known = rounds > 0 and all(f.saved is not None and rounds in f.saved.margins for f in both)
    return Agreement(
        layout=layout,
        session=hashlib.sha256(nonces.encode()).hexdigest()[:32],
        is_resumed=is_resumed,
        rounds=rounds,
        are_margins_known=known,
        are_weighted=tuple(weighted for _, _, weighted in label.sets),
        directions=_directions(params, both),
        groups=_groups(params, both),
    )


def _directions(params: TrainingParams, both: Sequence[JobDescription]) -> tuple[int, ...] | None:
    """Of the columns of both sides; UsageError at both for names that neither of them has, and for
    categorical columns."""
    terms, columns = params.monotone_constraints, [side.columns for side in both]
    if not terms:
        return None
    ways = tuple(way for side in both for way in side.directions)
    if not is_by_name(terms):
        ways = in_order(terms, sum(columns))
    elif unknown := [name for name in both[0].strangers if name in both[1].strangers]:
        raise UsageError(no_column("monotone_constraints", unknown))
    elif any(len(side.directions) != side.columns for side in both):
        raise MalformedFrame("a side's directions are not one for each of its columns")
    if any(ways[number] for number in _categorical(both)):
        raise UsageError(
            "monotone_constraints has a direction for a categorical column, whose values have no "
            "order: leave it out"
        )
    return ways


def _categorical(both: Sequence[JobDescription]) -> tuple[int, ...]:
    """Numbers of the categorical columns over both sides, ascending."""
    first = both[0].columns
    return *both[0].categorical, *(first + own for own in both[1].categorical)


def _groups(params: TrainingParams, both: Sequence[JobDescription]) -> tuple[int, ...] | None:
    """Of the columns of both sides; UsageError at both for names that neither of them has."""
    terms, columns = params.interaction_constraints, [side.columns for side in both]
    if not terms:
        return None
    groups = in_all(terms, sum(columns))
    if is_of_names(terms):
        if unknown := [name for name in both[0].unknown if name in both[1].unknown]:
            raise UsageError(no_column("interaction_constraints", unknown))
        if any(len(side.groups) != side.columns for side in both):
            raise MalformedFrame("a side's groups are not of each of its columns")
        groups = tuple(of_column for side in both for of_column in side.groups)
    if not params.is_hidden:
        check_owned(groups, columns[0])
    return groups


def _resumed_rounds(both: Sequence[JobDescription]) -> tuple[bool, int]:
    """Whether both have saved one model, and how many rounds of it both have.

    DataError where either side has rounds that fit none of the other: they would be lost.
    """
    label, feature = both[0].saved, both[1].saved
    saved = [0 if one is None else len(one.sessions) for one in (label, feature)]
    if label and feature and (label.model_id, label.coins) == (feature.model_id, feature.coins):
        rounds = common_rounds(label.sessions, feature.sessions)
        # A side may have kept the first tree before the other side was killed.
        if rounds or max(saved) <= MOST_AHEAD:
            return True, rounds
    if any(saved):
        raise DataError(
            f"the checkpoint of the label party has {saved[0]} trees, that of the feature party "
            f"{saved[1]}, and none in common: put back what is missing, or start anew elsewhere"
        )
    return False, 0


def _compare(both: tuple[JobDescription, JobDescription]) -> None:
    label, feature = both
    if label.past != feature.past:
        raise TermsDiffer(
            "the two sides do not go on from the same model (its id and trees): the label party "
            f"from {_model(label)}, the feature party from {_model(feature)}"
        )
    if label.params != feature.params or label.digest != feature.digest:
        raise TermsDiffer("the two sides train with different parameters or job terms")
    if label.rows != feature.rows:
        raise DataError(
            f"the label party has {label.rows} rows to train on, the feature party "
            f"{feature.rows}: both sides need the same rows in the same order"
        )
    if label.checkpoint != feature.checkpoint:
        raise TermsDiffer(
            "the two sides differ in checkpoints (none, new or resume): the label party says "
            f"{label.checkpoint!r}, the feature party {feature.checkpoint!r}; start both alike"
        )
    here = [(name, rows) for name, rows, _ in label.sets]
    there = [(name, rows) for name, rows, _ in feature.sets]
    if here != there:
        raise DataError(
            "the evaluation sets of the two sides differ in name or row count: "
            f"the label party has {here}, the feature party {there}"
        )


def _check_categorical(theirs: JobDescription, params: TrainingParams) -> None:
    """Refuse numbers of the other side's categorical columns that cannot be."""
    told = list(theirs.categorical)
    is_allowed = params.enable_categorical or not told
    if not is_allowed or told != sorted(set(told)) or any(n >= theirs.columns for n in told):
        raise MalformedFrame("the other side's list of its categorical columns is malformed")


def _model(one: JobDescription) -> str:
    model_id, _, rounds = one.past.partition(" ")
    return f"{model_id[:8]} with {rounds[:6]} trees" if model_id else "none"


def _parse(payload: bytes) -> JobDescription:
    """The other party's description; nothing in it is trusted to have the right type."""
    try:
        return _DESCRIPTION.validate_json(payload)
    except ValidationError as error:
        raise MalformedFrame("the other side's description of its data is malformed") from error
