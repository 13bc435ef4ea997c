"""What a job will cost at one side, phase by phase, before it starts; nothing is sent for it.

Rounds and bytes follow from declared costs and public counts and are exact (bytes but for texts of
some hundred bytes, and what correlations lie ahead at a tree's end). Seconds are those of the
machine (``machine``) and of the link:

    online   rounds x (a price + the latency of one way) + bytes x (a price + 1 / rate)
    offline  what is made, by prices of each kind, with the messages and bytes it takes

Correlations are made beside the protocols, and the first tree waits for its own. After it a party
with two cores or more takes the longer of both. One core does both, one after the other, and is
idle while the link is waited for and now and then besides (``machine.ONE_CORE``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from securexgb.align.sizes import BUCKET
from securexgb.boost.costs.metrics import metric_cost
from securexgb.boost.metrics.schedule import evaluations, is_evaluated
from securexgb.boost.params import TrainingParams
from securexgb.correlations.counting import Budget
from securexgb.jobs.estimating import online
from securexgb.jobs.estimating.correlations import DryRun, Sent, scoring_traffic
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.link import FAST, Link
from securexgb.jobs.estimating.machine import (
    DEALT_A_MEGABYTE,
    ONE_CORE,
    Machine,
    this_machine,
)
from securexgb.jobs.estimating.memory import Memory, disk_of, memory_of, session_bytes
from securexgb.mpc.protocol import Cost

PREDICTED_ROWS = 1000
PREDICTED_BYTES = 30.0
"""Of a line of predictions.csv, about."""
ALIGN_MESSAGES = 12
"""Of transfers that an alignment waits for, about."""
BYTES_A_KEY, BYTES_A_BUCKET_KEY = 150.0, 250.0
"""Of memory, for each key of a side, and of the bucket that is worked on; docs/alignment.md."""
_PAIR_BYTES = 16
"""Of a sum of g and of h, from a shard to its head."""
_OTHER_CALLS = 3
"""Of a head to its shards a tree, beside one a level: gradients, roots, what to keep."""
_LARGEST = 3
"""Parts of a tree that are named."""
_DRY_ROUNDS = 48
"""Rounds of trees whose correlations are gone through one by one; those beyond are like the last
ones."""


@dataclass(frozen=True)
class Phase:
    """``rounds``; bytes ``sent`` and ``received`` by this side, correlations included; ``seconds``;
    ``memory``, ``disk``: bytes at this side; ``dealer_seconds``: of the dealer's processor."""

    rounds: float = 0
    sent: float = 0.0
    received: float = 0.0
    seconds: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    dealer_seconds: float = 0.0

    @property
    def bytes(self) -> float:
        """Both directions."""
        return self.sent + self.received

    def __add__(self, other: Phase) -> Phase:
        parts = {name: value + getattr(other, name) for name, value in asdict(self).items()}
        return Phase(**parts | {"memory": max(self.memory, other.memory)})

    def times(self, count: float) -> Phase:
        """So often, one after the other."""
        parts = {name: count * value for name, value in asdict(self).items()}
        return Phase(**parts | {"memory": self.memory})


@dataclass(frozen=True)
class Line:
    """A part of a tree: what it takes of it, and which parameters change that."""

    name: str
    seconds: float
    rounds: int
    bytes: float
    advice: str


@dataclass(frozen=True)
class Estimate:
    """By phase: ``align`` (as many keys at each side as rows; apart from the training; None where
    the terms do not align), ``setup``,
    ``first_tree``, ``tree``, ``evaluation`` (one), ``closing``, ``prediction`` of
    ``PREDICTED_ROWS`` rows. ``params``: of the training.

    ``memory``: of this side at its peak. ``session_bytes``, ``upload_bytes``: of a session of
    predictions by hidden trees, see ``memory.session_bytes``. ``largest``: parts of a tree.
    ``lacks``: what is not foreseen, for people. ``shards``: where rows are in shards; phases are of
    a head and its slowest shard then, and bytes of all of them, ``memory`` is the head's.
    """

    params: TrainingParams
    align: Phase | None
    setup: Phase
    first_tree: Phase
    tree: Phase
    evaluation: Phase
    closing: Phase
    prediction: Phase
    memory: Memory
    link: Link
    largest: tuple[Line, ...] = ()
    session_bytes: int = 0
    upload_bytes: int = 0
    lacks: str = ""
    shards: InShards | None = None

    @property
    def trees(self) -> int:
        """Rounds of the training."""
        return self.params.n_estimators

    @property
    def phases(self) -> dict[str, Phase]:
        """In the order in which they come."""
        found = {} if self.align is None else {"align": self.align}
        found |= {
            "set-up": self.setup,
            "first tree": self.first_tree,
            "tree": self.tree,
            "evaluation": self.evaluation,
            f"prediction of {PREDICTED_ROWS:,} rows": self.prediction,
        }
        return found | {f"training of {self.trees:,} trees": self.training()}

    def training(self, trees: int | None = None, *, before: int = 0) -> Phase:
        """A training of so many trees, all where none are given; ``before``: that are there."""
        last = self.trees if trees is None else trees
        return self.setup + self.grown(before, last) + self.closing

    def grown(self, first: int, last: int) -> Phase:
        """Trees ``first`` to ``last`` with their evaluation, set-up and end apart."""
        more = max(last - first, 0)
        past = self.params.past.rounds
        measured = [evaluations(self.params, past + n) for n in (first, first + more)]
        total = self.evaluation.times(measured[1] - measured[0])
        if more and not first:
            total, more = total + self.first_tree, more - 1
        return total + self.tree.times(more)

    def to_mapping(self) -> dict[str, Any]:
        """For JSON: phases by name, and what else is known."""
        apart = {"memory", "link", "largest", "params", "shards"}
        plain = {f.name for f in fields(self)} - apart | {"trees"}
        facts = {name: getattr(self, name) for name in sorted(plain)}
        facts |= {name: asdict(one) for name, one in facts.items() if isinstance(one, Phase)}
        return {
            **facts,
            "training": asdict(self.training()),
            "memory": asdict(self.memory) | {"total": self.memory.total},
            "link": asdict(self.link),
            "largest": [asdict(line) for line in self.largest],
            "shards": None if self.shards is None else self.shards.to_mapping(),
        }


@dataclass(frozen=True)
class InShards:
    """What a head takes of an estimate, and what a shard.

    ``rows``: of the largest of ``count`` shards; ``shard``: that one's part, on its share of the
    line that all of a company's have. ``own_bytes``: a tree, between a head and all its shards.
    """

    count: int
    rows: int
    head: Estimate
    shard: Estimate
    own_bytes: float

    def to_mapping(self) -> dict[str, Any]:
        """For JSON: a shard's phases, and of both what memory they take."""
        memory = {"head": self.head.memory, "shard": self.shard.memory}
        phases = ("setup", "first_tree", "tree")
        return {
            "count": self.count,
            "rows": self.rows,
            "own_bytes_a_tree": self.own_bytes,
            "memory": {name: asdict(of) | {"total": of.total} for name, of in memory.items()},
            "head": {name: asdict(getattr(self.head, name)) for name in phases},
            "shard": {name: asdict(getattr(self.shard, name)) for name in phases},
        }


def estimate(job: Job, rank: int, link: Link = FAST, machine: Machine | None = None) -> Estimate:
    """For party ``rank``."""
    machine = machine or this_machine()
    if not job.shards:
        return _Estimating(job, rank, link, machine).all()
    share = replace(link, bits_a_second=link.bits_a_second / job.shards)
    shard_job = replace(job, part="shard")
    head = _Estimating(replace(job, part="head"), rank, link, machine).all()
    shard = _Estimating(shard_job, rank, share, machine).all()
    sums = _PAIR_BYTES * job.vectors_a_round * job.layout.total_columns * job.layout.all_bins
    own = float(sums * job.shards)
    asking = machine.asking(job.params.max_depth + _OTHER_CALLS, own)

    def both(of_head: Phase, of_shard: Phase) -> Phase:
        more = of_shard.times(job.shards)
        return replace(
            of_head,
            rounds=of_head.rounds + of_shard.rounds,
            sent=of_head.sent + more.sent,
            received=of_head.received + more.received,
            seconds=of_head.seconds + of_shard.seconds + asking,
            dealer_seconds=of_head.dealer_seconds + more.dealer_seconds,
        )

    lines = sorted((*head.largest, *shard.largest), key=lambda line: -line.seconds)
    return replace(
        head,
        setup=both(head.setup, shard.setup),
        first_tree=both(head.first_tree, shard.first_tree),
        tree=both(head.tree, shard.tree),
        largest=tuple(lines[:_LARGEST]),
        shards=InShards(job.shards, shard_job.rows, head, shard, own),
    )


@dataclass(frozen=True)
class _Estimating:
    job: Job
    rank: int
    link: Link
    machine: Machine

    def all(self) -> Estimate:
        job, memory = self.job, memory_of(self.job, self.rank)
        first = online.tree_costs(job, self.link.round_words, is_first=True)
        later = online.tree_costs(job, self.link.round_words)
        metrics = online.evaluation_cost(job)
        budgets = [_sum(first).correlations, _sum(later).correlations]
        closing = online.closing_cost(job)
        without = self._correlations(budgets, closing)
        beside, evaluation, first_more = without, Sent(), Sent()
        if job.sets:
            beside = self._correlations(budgets, closing, metrics.correlations)
            evaluation = (beside.whole - without.whole).times(1 / self._measured)
        if job.sets and job.params.eval_every == 1:
            evaluation = beside.a_tree - without.a_tree
            first_more = beside.first - without.first - evaluation
        scoring = online.prediction_cost(job, PREDICTED_ROWS)
        sent = scoring_traffic(job, PREDICTED_ROWS, scoring.correlations, self.machine)
        held, upload = session_bytes(job, self.rank)
        disk, peak = disk_of(job, self.rank), memory.total
        first_tree = self._phase(_sum(first), without.first + first_more, is_first=True)
        prediction = self._phase(scoring, sent, is_first=True)
        return Estimate(
            params=job.params,
            align=self._align(memory) if job.aligns else None,
            setup=replace(self._phase(online.setup_cost(job), beside.setup), memory=memory.setup),
            first_tree=replace(first_tree, memory=peak, disk=disk.kept + disk.a_tree),
            tree=replace(self._phase(_sum(later), without.a_tree), memory=peak, disk=disk.a_tree),
            evaluation=replace(self._phase(metrics, evaluation), memory=peak),
            closing=self._phase(closing, beside.closing, is_first=True),
            prediction=replace(
                prediction, memory=memory.program + held, disk=PREDICTED_BYTES * PREDICTED_ROWS
            ),
            memory=memory,
            link=self.link,
            largest=self._largest(later, without),
            session_bytes=held,
            upload_bytes=upload,
            lacks=_lacks(job),
        )

    def _align(self, memory: Memory) -> Phase:
        rows = self.job.layout.rows
        sizes, bucket = (rows, rows), min(rows, BUCKET)
        made = Sent(seconds=self.machine.aligning(rows), messages=ALIGN_MESSAGES)
        phase = self._phase(online.align_cost(sizes), made, is_first=True)
        held = memory.program + rows * BYTES_A_KEY + bucket * BYTES_A_BUCKET_KEY
        return replace(phase, memory=held, disk=8.0 * rows)

    def _phase(self, cost: Cost, made: Sent, *, is_first: bool = False, **more: float) -> Phase:
        sides = 8.0 * cost.label_words + made.label, 8.0 * cost.feature_words + made.feature
        work = self.machine.online(cost.rounds, 8.0 * (cost.label_words + cost.feature_words))
        waiting = self.link.seconds(cost.rounds, 0.5 * sum(sides))
        seconds = self._together(work, waiting, made, is_first=is_first)
        dealt = made.dealt if self.rank == 1 else 0.0
        dealer = made.dealt / 1e6 * DEALT_A_MEGABYTE * self.machine.megabytes
        return Phase(
            cost.rounds, sides[self.rank], sides[1 - self.rank] + dealt, seconds,
            dealer_seconds=dealer,
        )  # fmt: skip

    def _together(self, work: float, waiting: float, made: Sent, *, is_first: bool) -> float:
        """Seconds of a phase whose protocols work and wait so long, beside what is made."""
        there = made.messages * self.link.latency
        if self.machine.cores < 2.0:
            return (work + made.seconds) / ONE_CORE + waiting
        if is_first:
            return work + waiting + made.seconds + there
        return max(work + waiting, made.seconds + there)

    @property
    def _rounds(self) -> int:
        """That are gone through one by one; one of them is evaluated at least."""
        params = self.job.params
        return min(params.n_estimators, max(_DRY_ROUNDS, params.eval_every))

    @property
    def _measured(self) -> int:
        """How many of these are evaluated."""
        return evaluations(self.job.params, self.job.params.past.rounds + self._rounds)

    def _correlations(
        self, budgets: list[Budget], closing: Cost, metrics: Budget | None = None
    ) -> _Correlations:
        """``budgets``: of the first round and of each other; ``metrics``: of an evaluation."""
        params, trees = self.job.params, self.job.params.n_estimators
        dry = DryRun(self.job, self.machine, self.link.round_words)
        taken = [dry.sent]
        for number in range(self._rounds):
            budget = budgets[min(number, 1)]
            if metrics is not None and is_evaluated(params, params.past.rounds + number):
                budget += metrics
            dry.round(budget, trees - number)
            taken.append(dry.sent)
        setup, later = taken[0], Sent()
        if len(taken) > 2:
            later = (taken[-1] - taken[1]).times(1.0 / (len(taken) - 2))
        dry.end(closing.correlations)
        whole = taken[-1] - setup
        return _Correlations(setup, taken[1] - setup, later, whole, dry.sent - taken[-1])

    def _largest(self, parts: Mapping[str, Cost], made: _Correlations) -> tuple[Line, ...]:
        lines = [self._line(name, cost, _ADVICE.get(name, "")) for name, cost in parts.items()]
        if self.job.params.opens_scores:
            cost = online.evaluation_cost(self.job)
            lines.append(self._line("scores of evaluation rows", cost, METRIC_ADVICE))
        for one in () if self.job.params.opens_scores else self.job.sets:
            for metric in self.job.params.metrics:
                cost = metric_cost(metric, one, self.job.params)
                lines.append(self._line(f"{metric} of {one.name}", cost, METRIC_ADVICE))
        left = made.a_tree.seconds - sum(self._made(cost) for cost in parts.values())
        if left > 0.0:
            lines.append(Line("products and row bits", left, 0, 0.0, _PRODUCTS))
        return tuple(sorted(lines, key=lambda line: -line.seconds)[:_LARGEST])

    def _line(self, name: str, cost: Cost, advice: str) -> Line:
        size = 8.0 * (cost.label_words + cost.feature_words)
        seconds = self.machine.online(cost.rounds, size) + self._made(cost)
        return Line(
            name, seconds + self.link.seconds(cost.rounds, size / 2), cost.rounds, size, advice
        )

    def _made(self, cost: Cost) -> float:
        """Seconds of its correlations, but for products and row bits."""
        if self.job.method.has_dealer:
            return self.machine.drawing(8.0 * cost.correlations.correction_words((0, 0)))
        counts = cost.correlations.counts.items()
        return sum(self.machine.making(kind, count) for kind, count in counts)


@dataclass(frozen=True)
class _Correlations:
    setup: Sent
    first: Sent
    a_tree: Sent
    whole: Sent
    """Of all rounds that were gone through."""
    closing: Sent


def _lacks(job: Job) -> str:
    """What there are no figures of."""
    lacks = []
    if job.method.algorithm == "hybrid" and not job.has_pads:
        lacks.append("the products of Paillier, their bytes and seconds")
    if "ckks" in (job.params.sigmoid, job.request.prediction):
        lacks.append("the keys and seconds of CKKS")
    return " and ".join(lacks)


def _sum(parts: Mapping[str, Cost]) -> Cost:
    return sum(parts.values(), Cost())


METRIC_ADVICE = "eval_metric, rows of evaluation sets"
_PRODUCTS = "max_bin, columns, max_depth, or a dealer"
_ADVICE = {
    "gradients": "rows",
    "rows to their leaves": "max_depth, rows",
    "rows by node": "max_depth, rows, gradient_bits",
    "histograms": "max_bin, columns, max_depth",
    "finding splits": "max_bin, columns, max_depth, missing_values",
}
