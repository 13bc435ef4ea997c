"""Both parties in one process, two threads: for teaching, development and tests.

Both threads share one memory, so a simulation protects nothing. What it shows is real: the
same protocols, the same messages, the same trees. Correlations come from a dealer in this
process, the fastest way for small data; with a ``Method`` they are made as between two
companies, by the scheme and between the parties that it names. No method changes a tree.
Everything random follows from ``seed`` (but for what Paillier and CKKS draw from the
system), so a simulation repeated gives the same bits.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.booster import SideData, TrainingJob, train
from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict_margins
from securexgb.boost.proposals import Outcomes, with_scales
from securexgb.errors import DataError, UsageError
from securexgb.mpc.party import Party
from securexgb.offline.method import Method
from securexgb.testing.harness import insecure_parties, run_both

__all__ = [
    "Halves",
    "SimulatedCosts",
    "Simulation",
    "column_positions",
    "predict_alone",
    "simulate_parties",
    "split_columns",
    "train_alone",
]

Given = TypeVar("Given")
Result = TypeVar("Result")
Halves = tuple[ModelHalf, ...]
Sides = tuple[NDArray[np.intp], ...]
"""Positions of each side's columns in the whole table, label party first."""
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedCosts:
    """What a simulation cost: bytes of both directions, seconds of the slower party.

    ``offline_bytes``: from a dealer, and what the parties sent each other for correlations.
    """

    rounds: int
    online_bytes: int
    offline_bytes: int
    offline_seconds: float
    waited_seconds: float
    total_seconds: float

    @property
    def online_seconds(self) -> float:
        """Without waiting for correlations; they are made at the same time."""
        return max(self.total_seconds - self.waited_seconds, 0.0)


@dataclass(frozen=True)
class Simulation(Generic[Result]):
    """What each party computed (label party first), the label party's ledger, the costs."""

    results: tuple[Result, Result]
    ledger: list[dict[str, str | int]]
    costs: SimulatedCosts


def simulate_parties(
    program: Callable[[Party, Given], Result],
    inputs: Sequence[Given],
    seed: int,
    method: Method | None = None,
    timeout_seconds: float = 600.0,
) -> Simulation[Result]:
    """Run one program at both parties, each with its own input; raises the first cause."""
    parties = insecure_parties(seed, timeout_seconds=timeout_seconds, method=method)
    started = perf_counter()
    results = run_both(program, parties, inputs)
    seconds = perf_counter() - started
    for party in parties:
        party.channel.close()
    for party in parties:
        party.source.close()
    sent = sum(party.channel.traffic.bytes_sent for party in parties)
    accounts = [party.source.account for party in parties]
    between = sum(account.channel_bytes for account in accounts)
    costs = SimulatedCosts(
        rounds=parties[0].rounds,
        online_bytes=sent - between,
        offline_bytes=sum(account.dealer_bytes for account in accounts) + between,
        offline_seconds=max(account.seconds for account in accounts),
        waited_seconds=max(account.waited_seconds for account in accounts),
        total_seconds=seconds,
    )
    return Simulation((results[0], results[1]), parties[0].ledger.rows(), costs)


def split_columns(count: int, feature_party: Sequence[int] | None) -> Sides:
    """Which columns each side holds; None gives the feature party the second half."""
    chosen = range((count + 1) // 2, count) if feature_party is None else feature_party
    features = np.asarray(list(chosen), np.intp)
    return np.setdiff1d(np.arange(count), features), features


def column_positions(
    chosen: Sequence[str] | Sequence[int] | None, names: Sequence[str], count: int
) -> list[int] | None:
    """The feature party's columns, given by names or numbers, as numbers among ``count``."""
    if chosen is None:
        return None
    positions = []
    for column in chosen:
        if isinstance(column, str):
            if column not in names:
                raise UsageError(f"feature_party_columns names {column!r}, which X lacks")
            positions.append(names.index(column))
        else:
            position = operator.index(column)
            if not 0 <= position < count:
                raise UsageError(
                    f"feature_party_columns has {position}, but X has {count} columns, "
                    "counted from 0"
                )
            positions.append(position)
    return positions


def side_data(whole: SideData, sides: Sides) -> tuple[SideData, SideData]:
    """A whole table as its two sides' parts."""
    return (
        SideData(
            np.ascontiguousarray(whole.features[:, sides[0]]),
            tuple(whole.columns[i] for i in sides[0]),
            whole.labels,
            whole.weights,
        ),
        SideData(
            np.ascontiguousarray(whole.features[:, sides[1]]),
            tuple(whole.columns[i] for i in sides[1]),
        ),
    )


def _outcomes(data: SideData) -> Outcomes:
    if data.labels is None:
        raise DataError("there are no labels: a whole table comes with them")
    return Outcomes(data.labels, data.weights)


def train_alone(
    params: TrainingParams,
    whole: SideData,
    sides: Sides,
    seed: int,
    evals: Sequence[tuple[str, SideData]] = (),
    callbacks: Callable[[Party], Sequence[TrainingCallback]] = lambda _: (),
    method: Method | None = None,
) -> Simulation[ModelHalf]:
    """Train on a whole table; ``callbacks`` makes those that run at the label party.

    Scales of weights, targets and metrics that are not set follow from the data: here nobody has
    to agree on them.
    """
    params = with_scales(params, _outcomes(whole), [_outcomes(data) for _, data in evals])
    train_sides = side_data(whole, sides)
    eval_sides = [(name, side_data(data, sides)) for name, data in evals]

    def program(party: Party, own: SideData) -> ModelHalf:
        return train(
            party,
            TrainingJob(
                params=params,
                data=own,
                evals=tuple((name, both[party.rank]) for name, both in eval_sides),
                callbacks=tuple(callbacks(party)) if party.rank == 0 else (),
            ),
        )

    return simulate_parties(program, train_sides, seed, method)


def predict_alone(
    halves: Halves,
    features: Reals,
    sides: Sides,
    request: Request,
    seed: int,
    method: Method | None = None,
) -> Simulation[Reals | None]:
    """Margins of whole rows (n, columns), for the label party, whose result is the first."""

    def program(party: Party, own: Reals) -> Reals | None:
        return predict_margins(party, halves[party.rank], own, request)

    return simulate_parties(program, [features[:, side] for side in sides], seed, method)
