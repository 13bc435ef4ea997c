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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Generic, Protocol, SupportsIndex, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.continued.going_on import going_on
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.layout import Layout
from securexgb.boost.objective.proposals import with_scales
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.boost.scales import Outcomes
from securexgb.boost.splits.directions import of_table
from securexgb.boost.splits.interactions import by_place
from securexgb.channel.memory import memory_pair
from securexgb.errors import DataError, UsageError
from securexgb.jobs.data.whole_rows import TrainingRows
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.local import close_parties, join_parties, run_both
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.offline.method import Method
from securexgb.report.record import SlowestShard

Given = TypeVar("Given")
Result = TypeVar("Result")
Halves = tuple[ModelHalf, ...]
Sides = tuple[NDArray[np.intp], ...]
"""Positions of each side's columns in the whole table, label party first."""
Reals = NDArray[np.float64]
_WAIT_SECONDS = 600.0


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

    @staticmethod
    def of(pairs: Sequence[Sequence[Party]], seconds: float) -> SimulatedCosts:
        """Of the two parties that run the program, and of pairs that work for them: at the same
        time as one another, and while those wait."""
        everyone = [party for pair in pairs for party in pair]
        sent = sum(party.channel.traffic.bytes_sent for party in everyone)
        accounts = [party.source.account for party in everyone]
        between = sum(account.channel_bytes for account in accounts)
        return SimulatedCosts(
            rounds=pairs[0][0].rounds + max((pair[0].rounds for pair in pairs[1:]), default=0),
            online_bytes=sent - between,
            offline_bytes=sum(account.dealer_bytes for account in accounts) + between,
            offline_seconds=max(account.seconds for account in accounts),
            waited_seconds=max(account.waited_seconds for account in accounts),
            total_seconds=seconds,
        )


@dataclass(frozen=True)
class Simulation(Generic[Result]):
    """What each party computed (label party first), the label party's ledger, the costs.

    ``slowest_shards``: of each round of trees, where workers hold the rows.
    """

    results: tuple[Result, Result]
    ledger: list[dict[str, str | int]]
    costs: SimulatedCosts
    slowest_shards: Sequence[SlowestShard] = ()


class Workers(Protocol):
    """Where the rows of both sides' training are worked on, if not in the two parties' threads.

    ``pairs``: of parties that work for the two.
    """

    @property
    def pairs(self) -> Sequence[tuple[Party, Party]]: ...

    def rows(self, party: Party) -> AbstractContextManager[TrainingRows]:
        """The rows of one side's party, for one training."""

    @property
    def slowest(self) -> Sequence[SlowestShard]:
        """Of each round of trees so far."""

    def close(self) -> None:
        """Once both sides have ended."""


MakeWorkers: TypeAlias = Callable[[Sequence[TrainingJob], int, Method | None], Workers]
"""Of both sides' jobs, a seed, and how correlations are made."""


@dataclass(frozen=True)
class Ways:
    """How a training is simulated, none of which changes a tree.

    ``method``: how correlations are made; ``workers``: where rows are worked on, None: in the
    two parties' threads.
    """

    method: Method | None = None
    workers: MakeWorkers | None = None


USUAL = Ways()


def simulate_parties(
    program: Callable[[Party, Given], Result],
    inputs: Sequence[Given],
    seed: int,
    method: Method | None = None,
    workers: Workers | None = None,
) -> Simulation[Result]:
    """Run one program at both parties, each with its own input; raises the first cause.

    ``workers``: that the program asks; they are closed.
    """
    parties = join_parties(memory_pair(_WAIT_SECONDS), seed, method)
    try:
        started = perf_counter()
        results = run_both(program, parties, inputs)
        seconds = perf_counter() - started
    finally:
        close_parties(parties)
        if workers is not None:
            workers.close()
    pairs = [parties] if workers is None else [parties, *workers.pairs]
    slowest = () if workers is None else workers.slowest
    costs = SimulatedCosts.of(pairs, seconds)
    return Simulation((results[0], results[1]), parties[0].ledger.rows(), costs, slowest)


def split_columns(count: int, feature_party: Sequence[int] | None) -> Sides:
    """Which columns each side holds; None gives the feature party the second half."""
    chosen = range((count + 1) // 2, count) if feature_party is None else feature_party
    features = np.asarray(list(chosen), np.intp)
    return np.setdiff1d(np.arange(count), features), features


@dataclass(frozen=True, repr=False)
class Split:
    """A whole table in two parts, and whose columns are whose."""

    train: Rows
    test: Rows
    sides: Sides

    def layout(self, params: TrainingParams) -> Layout:
        """The shapes of the training."""
        label, feature = (len(side) for side in self.sides)
        return Layout.of(params, self.train.count, (label, feature), False)

    @property
    def has_missing(self) -> bool:
        """Whether any value is missing: two companies would agree beforehand that none is, which
        halves the candidates."""
        return any(bool(np.isnan(part.values).any()) for part in (self.train, self.test))


def split_rows(
    whole: Rows, names: tuple[str, ...] | None, params: TrainingParams, test_fraction: float
) -> Split:
    """Train and test rows (classes in equal shares), and the sides' columns."""
    if not 0.0 < test_fraction < 1.0:
        raise UsageError(f"--test-fraction must lie between 0 and 1, it is {test_fraction}")
    for name in names or ():
        if name not in whole.column_names:
            raise UsageError(f"--feature-party-columns names {name!r}, which is no feature column")
    chosen = None if names is None else [whole.column_names.index(name) for name in names]
    from sklearn.model_selection import train_test_split  # noqa: PLC0415  (slow, and needed here only)

    labels = whole.labels
    assert labels is not None
    rows = np.arange(whole.count)
    classes = labels if params.traits.classifies else None
    try:
        train_rows, test_rows = train_test_split(
            rows,
            test_size=test_fraction,
            random_state=params.random_state % 2**32,
            stratify=classes,
        )
    except ValueError as error:
        raise DataError(f"simulation: the rows cannot be split: {error}") from None
    parts = [whole.take(np.sort(part)) for part in (train_rows, test_rows)]
    return Split(parts[0], parts[1], split_columns(len(whole.column_names), chosen))


def column_positions(chosen: object, names: Sequence[str], count: int) -> list[int] | None:
    """The feature party's columns, given by names or numbers, as numbers among ``count``."""
    if chosen is None:
        return None
    if isinstance(chosen, Mapping) or not isinstance(chosen, Iterable):
        raise UsageError(f"feature_party_columns is {chosen!r}, and no list of names or numbers")
    positions = []
    for column in chosen:
        if isinstance(column, str):
            if column not in names:
                raise UsageError(f"feature_party_columns names {column!r}, which X lacks")
            positions.append(names.index(column))
        else:
            # A mask of booleans would be the numbers 0 and 1.
            if isinstance(column, bool | np.bool_) or not isinstance(column, SupportsIndex):
                raise UsageError(
                    f"feature_party_columns has {column!r}: write names of columns, or their "
                    "numbers, counted from 0"
                )
            position = operator.index(column)
            if not 0 <= position < count:
                raise UsageError(
                    f"feature_party_columns has {position}, but X has {count} columns, "
                    "counted from 0"
                )
            positions.append(position)
    return positions


def side_data(whole: Rows, sides: Sides) -> tuple[Rows, Rows]:
    """A whole table as its two sides' parts: labels, weights and base margins are the label
    party's."""
    label, feature = (whole.take_columns(side) for side in sides)
    return label, replace(feature, labels=None, weights=None, classes=None, base_margin=None)


def in_order_of_sides(params: TrainingParams, names: Sequence[str], sides: Sides) -> TrainingParams:
    """What is said of a whole table's columns as models have it: label party's columns first."""
    in_order = [column for side in sides for column in side]
    ways, groups = params.monotone_constraints, params.interaction_constraints
    if params.is_monotone:
        of_columns = of_table(ways, names)
        ways = tuple(of_columns[column] for column in in_order)
    if groups:
        groups = by_place(groups, names, in_order)
    return replace(params, monotone_constraints=ways, interaction_constraints=groups)


def _outcomes(data: Rows) -> Outcomes:
    if data.outcomes is None:
        raise DataError("there are no labels: a whole table comes with them")
    return data.outcomes


def train_alone(  # noqa: PLR0913, PLR0917  (what a training takes, and how it is played)
    params: TrainingParams,
    whole: Rows,
    sides: Sides,
    seed: int,
    evals: Sequence[tuple[str, Rows]] = (),
    callbacks: Callable[[Party], Sequence[TrainingCallback]] = lambda _: (),
    ways: Ways = USUAL,
    old: Halves | None = None,
) -> Simulation[ModelHalf]:
    """Train on a whole table; ``callbacks`` makes those that run at the label party; ``old``: both
    halves of a model to go on from.

    Scales of weights, targets and metrics that are not set follow from the data: here nobody has
    to agree on them. Hidden trees keep their gains, for one round of messages a tree more than
    terms that do not open importance take: both halves are here anyway. Directions and groups
    that are not named are in the order of the whole table's columns.
    """
    if old is not None:
        params = going_on(params, old[0])
    params = with_scales(params, _outcomes(whole), [_outcomes(data) for _, data in evals])
    method = ways.method
    params = params.decided(can_hide=method is None or method.can_hide)
    params = in_order_of_sides(params, whole.column_names, sides)
    sets = [(name, side_data(data, sides)) for name, data in evals]
    jobs = [
        TrainingJob(
            params,
            own,
            tuple((name, parts[rank]) for name, parts in sets),
            keeps_gains=True,
            old=None if old is None else old[rank],
        )
        for rank, own in enumerate(side_data(whole, sides))
    ]

    made = None if ways.workers is None else ways.workers(jobs, seed, method)

    def program(party: Party, job: TrainingJob) -> ModelHalf:
        watching = tuple(callbacks(party)) if party.rank == 0 else ()
        job = replace(job, callbacks=watching)
        if made is None:
            return train(party, job)
        with made.rows(party) as rows:
            return train(party, replace(job, row_side=lambda _: rows))

    return simulate_parties(program, jobs, seed, method, made)


def predict_alone(
    halves: Halves,
    whole: Rows,
    sides: Sides,
    request: Request,
    seed: int,
    method: Method | None = None,
) -> Simulation[Reals | None]:
    """Margins of whole rows (n, columns), for the label party, whose result is the first."""

    def program(party: Party, own: Rows) -> Reals | None:
        return Predictor(party, halves[party.rank], request).margins(own)

    return simulate_parties(program, side_data(whole, sides), seed, method)
