"""What correlations take of the link: bytes by phase, of a job that takes all its trees.

What is made when follows from public counts, so a dry run of what makes it gives the bytes (see
``offline.traffic``). Each phase is told what is sent during it; what lies ahead for later trees
counts where it is made, so the first tree has pools and the first batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from securexgb.boost.costs.trees import taken_by_trees
from securexgb.correlations.counting import Budget
from securexgb.correlations.kind import BLOCK, Kind
from securexgb.correlations.prices import Prices
from securexgb.correlations.rows import RowShape
from securexgb.jobs.data.expected import taken_by_rows
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.machine import Machine
from securexgb.jobs.estimating.online import prices_of
from securexgb.offline.ahead import CorrectionBuffer
from securexgb.offline.dealt import LEAST_WORDS, MOST_VECTORS, MOST_WORDS, PART
from securexgb.offline.rows.row_bits import Layouts, row_bits_traffic
from securexgb.offline.rows.rows_ahead import batch_layouts, batch_nodes, session_layouts
from securexgb.offline.traffic.products import ProductsTraffic, calls_of_round
from securexgb.offline.traffic.transfers import MadeTraffic, Portions, TransferTraffic

_ROW_COINS = 16
"""Of either side for a batch of row correlations."""
_BATCH_MESSAGES = 3
"""In the chain of a batch of products: keys, what is encrypted, the products."""
_DEALER_WORDS = 64
"""Of messages with a dealer before the first correction, about."""


@dataclass(frozen=True)
class Sent:
    """What correlations take in a phase.

    ``label``, ``feature``: bytes sent by the parties to each other; ``dealt``: from the dealer to
    the feature party. ``messages``: that are waited for, one after the other; ``seconds``: of a
    party's processor.
    """

    label: float = 0.0
    feature: float = 0.0
    dealt: float = 0.0
    messages: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Sent) -> Sent:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Sent(*(mine + more for mine, more in pairs))

    def __sub__(self, other: Sent) -> Sent:
        return self + other.times(-1.0)

    def times(self, factor: float) -> Sent:
        return Sent(*(factor * part for part in astuple(self)))

    @property
    def between(self) -> float:
        """Between the parties, both directions."""
        return self.label + self.feature


class DryRun:
    """The sources of correlations of a job, without a message: ``sent`` so far.

    ``round_words``: of the link.
    """

    def __init__(self, job: Job, machine: Machine, round_words: int = 0) -> None:
        self._job, self._machine = job, machine
        prices = prices_of(job, round_words)
        self._made = MadeTraffic() if not job.method.has_dealer else None
        self._transfers = TransferTraffic() if self._made is None else self._made.transfers
        masked = job.buckets if job.method.algorithm == "ss" and job.has_rows else (0, 0)
        self._masked = tuple(8 * job.rows * columns for columns in masked)
        units = [columns for columns in masked if columns]
        self._dealt = None if self._made is not None else _Dealt(units, job.vectors)
        self.products: ProductsTraffic | None = None
        has_row_bits = job.params.is_hidden and job.has_rows
        self._rows = _RowBits(job, self._transfers) if has_row_bits else None
        if self._made is not None:
            self._made.begin_job(job.first_words)
            for budget in _expected(job, prices):
                self._made.expect(budget.counts)
        if job.makes_products:
            self.products = ProductsTraffic(
                job.buckets,
                job.precision,
                job.vectors_a_round,
                job.vectors,
                is_far=prices.is_far,
            )
            self.products.begin()

    @property
    def sent(self) -> Sent:
        """Until now."""
        parts = [self._transfers.sent, self._masked]
        parts += [] if self.products is None else [self.products.sent]
        sides = [sum(part[rank] for part in parts) for rank in (0, 1)]
        dealt = 0.0 if self._dealt is None else self._dealt.corrections
        messages, seconds = self._transfers.messages, _seconds(self._transfers, self._machine)
        seconds += self._machine.drawing(dealt)
        if self._rows is not None:
            seconds += self._machine.row_bits(self._job.all_rows * self._rows.ordered)
        if self._job.has_pads:
            seconds += self._machine.registering(self._job.rows * max(self._job.layout.columns))
        for batch in () if self.products is None else self.products.batches:
            # Both sides' matrices at a time, so each side does its own.
            share = 0.5 if all(self._job.buckets) else 1.0
            seconds += share * self._machine.products(batch.columns, batch.groups, batch.summands)
        batches = 0 if self.products is None else len(self.products.batches)
        # Products are made beside the rest, on a thread and a stream of their own.
        messages = max(messages, _BATCH_MESSAGES * batches)
        return Sent(sides[0], sides[1], dealt, messages, seconds)

    def round(self, budget: Budget, remaining: int) -> None:
        """A round of trees that takes so much; ``remaining``: to come, this one included."""
        calls = list(calls_of_round(self._job.outputs, self._job.params.max_depth))
        if self._made is not None:
            self._made.begin_tree(remaining)
            self._made.take_in_parts(budget.counts, self._job.params.max_depth)
        if self._dealt is not None:
            self._dealt.begin_tree(remaining)
            self._dealt.take(budget.counts)
        if self.products is not None:
            self.products.take(calls)
        if self._dealt is not None:
            self._dealt.take_vectors(calls)
        if self._rows is not None:
            self._rows.round()

    def end(self, budget: Budget) -> None:
        """What is taken after the last round."""
        for source in (self._made, self._dealt):
            if source is not None:
                source.take(budget.counts)


def _expected(job: Job, prices: Prices) -> list[Budget]:
    """What a training tells its source before the first tree, in this order."""
    params, layout, rounds = job.params, job.layout, job.params.n_estimators
    noise_bits = job.precision.noise_bits if job.has_pads else 0
    sums, splits = taken_by_trees(params, layout, prices, noise_bits)
    told = [splits] if job.has_trees else []
    if prices.is_far and job.has_rows:
        rows = taken_by_rows(params, layout, noise_bits, job.rows, job.evaluation_rows)
        told += rows[:rounds]
    if prices.is_far and job.has_trees:
        told += [sums, sums + splits][:rounds]
    return told


class _Dealt:
    """What a dealer sends, in the portions in which it is asked for; ``units``: columns of the
    matrices that it masks, for ``vectors`` pairs in all."""

    def __init__(self, units: Sequence[int], vectors: int = 0) -> None:
        self.corrections = 8.0 * _DEALER_WORDS
        self._series: dict[Kind[Any], tuple[Portions, CorrectionBuffer]] = {}
        self._products = list[tuple[int, CorrectionBuffer]]()
        for unit in units:
            most = unit * max(1, min(MOST_VECTORS, MOST_WORDS // unit))
            self._products.append((unit, CorrectionBuffer(unit, unit, most, 1, 2 * unit * vectors)))

    def begin_tree(self, remaining: int) -> None:
        for _, buffer in self._series.values():
            buffer.expect(remaining)

    def take(self, counts: Mapping[Kind[Any], int]) -> None:
        for kind, count in counts.items():
            if kind not in self._series:
                words = kind.layout.fitted.words
                buffer = CorrectionBuffer(words, LEAST_WORDS, MOST_WORDS, PART)
                self._series[kind] = Portions(BLOCK), buffer
            portions, buffer = self._series[kind]
            for drawn in portions.of(count):
                self._draw(buffer, drawn // BLOCK * kind.layout.fitted.words)

    def take_vectors(self, calls: list[int]) -> None:
        for unit, buffer in self._products:
            for count in calls:
                self._draw(buffer, 2 * count * unit)

    def _draw(self, buffer: CorrectionBuffer, words: int) -> None:
        self.corrections += 8 * sum(size for _, size in buffer.ask(words))
        buffer.taken += words


@dataclass(eq=False)
class _RowBits:
    """Row correlations of a training, which the parties make alone."""

    job: Job
    transfers: TransferTraffic
    ordered: int = 0
    _rounds: int = 0
    _batches: list[Layouts] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._batches = list(row_batches(self.job))
        self._order()

    def round(self) -> None:
        self._rounds += 1
        a_round = self.job.nodes_a_round
        most = self.job.params.n_estimators * a_round
        while self.ordered < min((self._rounds + 1) * a_round, most):
            self._order()

    def _order(self) -> None:
        plans = self._batches.pop(0)
        self.ordered += max(plan.nodes for plan in plans if plan is not None)
        upload(plans, self.transfers)
        look_up(plans, self.job.all_rows, self.transfers)


def _seconds(transfers: TransferTraffic, machine: Machine) -> float:
    made = sum(machine.making(kind, count) for kind, count in transfers.kinds.items())
    return made + machine.pools(transfers.fills / 2)


def row_batches(job: Job) -> Iterator[Layouts]:
    """The batches of row correlations of a whole training, as they are made."""
    layout, rounds = job.layout, job.params.n_estimators
    shape = RowShape(job.all_rows, layout.columns, layout.all_bins)
    left = rounds
    while left > 0:
        nodes = batch_nodes(shape.rows, job.nodes_a_round, left, is_first=left == rounds)
        left -= nodes // job.nodes_a_round
        yield batch_layouts(shape, nodes, shape.rows)


def upload(plans: Layouts, transfers: TransferTraffic) -> None:
    """Keys and bits, encrypted: from the side that does not own the rows."""
    of_label, of_feature = (0 if plan is None else plan.upload_bytes for plan in plans)
    transfers.swap(of_feature + _ROW_COINS, of_label + _ROW_COINS)


def look_up(plans: Layouts, rows: int, transfers: TransferTraffic) -> None:
    """Results of so many rows, and answers."""
    for owner, plan in enumerate(plans):
        if plan is None:
            continue
        traffic = row_bits_traffic(plan, rows)
        words = traffic.transfers // 64
        transfers.transfer_in_tiles(1 - owner, words)
        sizes = traffic.result_bytes, traffic.answer_bytes
        transfers.swap(*(sizes if owner == 0 else sizes[::-1]))


def scoring_traffic(job: Job, rows: int, budget: Budget, machine: Machine) -> Sent:
    """Of a session that scores so many rows once and takes so much; a hidden model's tables are
    sent before."""
    made = MadeTraffic()
    dealt = _Dealt(()) if job.method.has_dealer else None
    transfers = made.transfers
    if job.params.is_hidden:
        shape = RowShape(rows, job.layout.columns, job.layout.all_bins)
        for plans in session_layouts(shape, job.params.n_estimators * job.nodes_a_round):
            upload(plans, transfers)
            look_up(plans, rows, transfers)
    (dealt or made).take(budget.counts)
    corrections = 0.0 if dealt is None else dealt.corrections
    seconds = _seconds(transfers, machine) + machine.drawing(corrections)
    if job.params.is_hidden:
        seconds += machine.row_bits(rows * job.params.n_estimators * job.nodes_a_round)
    label, feature = transfers.sent
    return Sent(label, feature, corrections, transfers.messages, seconds)
