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

from pydantic import ConfigDict, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, MalformedFrame, TermsDiffer
from securexgb.jobs.data.columns import AgreedColumns, ColumnFacts
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

    ``past``: model id and rounds of the model that is gone on from. ``columns``: the own ones.
    ``weights``: rows have sample weights (the label party's word counts). ``sets``: (name, rows,
    has weights) of every evaluation set, the rows of the label party and its weights likewise.
    ``saved``: model id, coins, session of every saved round, and after how many rounds margins are
    known; None without checkpoint.
    """

    params: str
    past: str
    digest: str
    rows: NonNegativeInt
    columns: ColumnFacts
    weights: bool
    sets: tuple[tuple[str, NonNegativeInt, bool], ...]
    nonce: str
    checkpoint: str
    saved: CheckpointSummary | None


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
    label = both[0]
    columns = AgreedColumns.of(params, (label.columns, both[1].columns))
    layout = Layout.of(params, label.rows, columns.counts, label.weights, columns.categorical)
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
        directions=columns.directions,
        groups=columns.groups,
    )


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
        raise TermsDiffer(
            "the two sides train with different parameters or job terms: compare "
            "`securexgb job show` at both sides"
        )
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


def _model(one: JobDescription) -> str:
    model_id, _, rounds = one.past.partition(" ")
    return f"{model_id[:8]} with {rounds[:6]} trees" if model_id else "none"


def _parse(payload: bytes) -> JobDescription:
    """The other party's description; nothing in it is trusted to have the right type."""
    try:
        return _DESCRIPTION.validate_json(payload)
    except ValidationError as error:
        raise MalformedFrame("the other side's description of its data is malformed") from error
