"""What a tree will cost, before a job starts: bytes, seconds, and the memory of this side.

Rounds and bytes online are exact: a tree's growth declares them (``boost.cost``), and the
gradients are counted on a sample of rows, for they are linear in the rows. The rest is a rough
model with prices that were measured once, on the 2-core machine of docs/benchmarks.md: what a
round and a megabyte take, what correlations cost by kind, how much memory the work on a level
takes. Where a figure comes from stands beside it. A slow link adds its latency a round, and half
the bytes over its rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from securexgb import _kernels
from securexgb.boost.cost import candidates_of, round_cost
from securexgb.boost.dither import Dither
from securexgb.boost.histogram import matrix_shape
from securexgb.boost.layout import Layout
from securexgb.boost.objective.objective import Labels, gradient_vectors
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import blocks, sending_block
from securexgb.boost.splits.split import MOST_CANDIDATES
from securexgb.correlations.counting import Budget, CountingSource
from securexgb.correlations.digits import DigitTransfers
from securexgb.correlations.gates import Gates
from securexgb.correlations.kind import Kind
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.row_triples import RowTriples
from securexgb.correlations.rows import RowShape
from securexgb.correlations.transfers import Transfers
from securexgb.correlations.triples import Triples
from securexgb.he.layout import Layout as Batch
from securexgb.he.layout import batch_vectors
from securexgb.he.noise import DEGREE, PRIMES, Precision
from securexgb.jobs.simulation import simulate_parties
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared
from securexgb.offline.matrix_products import matrix_bytes, pads_precision, stock_bytes
from securexgb.offline.method import Method
from securexgb.offline.row_bits import Layouts, row_bits_traffic
from securexgb.offline.rows_ahead import batch_layouts, batch_nodes, session_layouts

SECONDS_A_ROUND = 0.54e-3
SECONDS_A_MEGABYTE = 8.9e-3
"""Online, of both directions together, without a dealer: docs/benchmarks.md, "Growth"."""
DEALT_A_MEGABYTE = 5.7e-3
"""With a dealer, where nothing is made beside: docs/benchmarks.md, "Training"."""
DRAWN_A_MEGABYTE = 2.5e-3
"""Of what the dealer sends, from the same table."""

SECONDS_A_ROW_BIT = 60e-9
"""Of a party, for a row and node in one direction: docs/homomorphic.md, "Row bits"."""

SECONDS_A_BIT = 25e-9
"""Of a party, for a bit of the number and a word of its row in triples of rows."""

PROGRAM_BYTES = 180e6
"""Of an interpreter with the package, its link, and pools of transfers."""
BYTES_A_ROW = 2000
"""Of a block of rows, while gradients are made and rows are moved, and of what waits for it."""
BYTES_A_ROW_AND_NODE = 85
BYTES_A_SUM = 200
BYTES_A_CANDIDATE = 2500
AHEAD_A_CANDIDATE = 6800
MOST_AHEAD = 110e6
"""Of a node of the last level: what memory is taken beyond the arrays that are counted, and the
correlations that wait for it, which are bounded (``offline.producer``). Fitted to the peaks in
docs/benchmarks.md ("Memory", "Growth", "Training") and those of wide trainings."""
KEY_BYTES = 7e6
CIPHERTEXT_BYTES = 8 * 2 * DEGREE * (len(PRIMES) + len(PRIMES))
"""While a batch of products is made: Galois keys; and a ciphertext as it came, and made ready."""

PRODUCTS: Mapping[str, tuple[float, float]] = {
    "avx512": (0.014e-3, 0.5e-3),
    "avx2": (0.03e-3, 2e-3),
    "portable": (0.13e-3, 6e-3),
}
"""Seconds of a batch of products under BFV: a column and ciphertext, and a summand, for merging; by
the instructions that there are. avx512: docs/homomorphic.md, "Figures". avx2: batches of 16 to 128
vectors, processor time on such a machine beside other work; without, as it was found before."""

_SAMPLE_ROWS = 4096


@dataclass(frozen=True)
class Memory:
    """Bytes that a party's process takes at its peak, by what they are for; see ``memory_of``."""

    program: float
    rows: float
    row_bits: int
    matrix: int
    products: float
    level: float

    @property
    def total(self) -> float:
        return float(sum(asdict(self).values()))

    def text(self) -> str:
        """One line for people."""
        sizes = ((name.replace("_", " "), size) for name, size in asdict(self).items())
        parts = ", ".join(f"{name} {size / 1e9:.2g}" for name, size in sizes)
        return f"some {self.total / 1e9:.2g} GB here at the peak ({parts})"


@dataclass(frozen=True)
class Forecast:
    """What to expect of a tree, and of the memory. Bytes are of both directions together.

    ``first_rounds``, ``first_online_bytes``: of the first one, whose gradients take no message.
    ``offline_bytes``, ``seconds``: None where the model has no prices (Paillier); seconds are those
    on a fast link. ``memory``: of this side. ``session_bytes``: of the tables that this side holds
    while a session scores rows by the model; ``upload_bytes``: of both directions, before the first
    row; 0 with owned splits.
    """

    rounds: int
    online_bytes: int
    first_rounds: int
    first_online_bytes: int
    offline_bytes: float | None
    seconds: float | None
    memory: Memory
    session_bytes: int = 0
    upload_bytes: int = 0

    def text(self) -> str:
        """One line for people."""
        size, rest = f"{(self.online_bytes + (self.offline_bytes or 0)) / 1e6:,.0f} MB", ""
        if self.seconds is None:
            rest = ", correlations and seconds with Paillier not foreseen"
        else:
            size = f"some {self.seconds:.2g} s on a fast link, {size}"
        session = ""
        if self.session_bytes or self.upload_bytes:
            session = (
                f"; a session of predictions: {self.upload_bytes / 1e6:,.0f} MB before the first "
                f"row, and tables of {self.session_bytes / 1e6:,.0f} MB here while it lasts"
            )
        return (
            f"a tree: {size} in both directions, {self.rounds:,} rounds{rest} (metrics apart; the "
            f"first one {self.first_rounds:,} rounds); memory: {self.memory.text()}{session}"
        )


@dataclass(frozen=True)
class Job:
    """What is public of a training; ``vectors``: of each matrix, for all trees.

    ``evaluation_rows``: of all sets together.
    """

    params: TrainingParams
    layout: Layout
    method: Method
    evaluation_rows: int = 0

    @property
    def all_rows(self) -> int:
        """Rows that trees send to leaves."""
        return self.layout.rows + self.evaluation_rows

    @property
    def nodes_a_round(self) -> int:
        """Inner nodes of the trees of a round."""
        return self.outputs * ((1 << self.params.max_depth) - 1)

    @property
    def outputs(self) -> int:
        """Trees a round."""
        return objective_of(self.params).outputs

    @property
    def vectors_a_round(self) -> int:
        return self.outputs << (self.params.max_depth - 1)

    @property
    def vectors(self) -> int:
        return self.params.n_estimators * self.vectors_a_round

    @property
    def has_pads(self) -> bool:
        return self.method.algorithm == "hybrid" and self.method.he == "bfv"

    @property
    def precision(self) -> Precision:
        """Of the products with pads, as a training plans them."""
        layout = self.layout
        shape = matrix_shape(layout, layout.numbers(self.params), self.params.max_depth)
        values = 2 * self.vectors * layout.total_columns * layout.all_bins
        return pads_precision(shape.matrix(0), values)


def price(kind: Kind[Any]) -> tuple[float, float]:
    """Of an element without a dealer: bytes of both parties, and seconds; docs/benchmarks.md,
    "Correlations by kind", transfers as stretched (docs/offline.md)."""
    match kind:
        case Triples():
            return 543.0, 3.8e-6
        case RowTriples(count, bits):
            return count * bits * (bits - 1) / 8, count * bits * SECONDS_A_BIT
        case Gates():
            return 26.0, 3.6e-6
        case DigitTransfers():
            return 53.0, 6.1e-6
        case RandomBits(ring_bits=32):
            return 7.6, 0.06e-6
        case RandomBits():
            return 11.3, 0.07e-6
        case Transfers():
            return 0.21, 0.03e-6
    raise LookupError(f"no price was measured for {kind.name}")


def forecast(job: Job, rank: int) -> Forecast:
    """For party ``rank``."""
    cost, first = whole_round_cost(job), whole_round_cost(job, is_first=True)
    online, of_first = (8 * (one.label_words + one.feature_words) for one in (cost, first))
    a_megabyte = DEALT_A_MEGABYTE if job.method.has_dealer else SECONDS_A_MEGABYTE
    seconds = cost.rounds * SECONDS_A_ROUND + online * a_megabyte / 1e6
    offline = _offline(job, cost.correlations)
    session = _session(job, rank)
    return Forecast(
        rounds=cost.rounds,
        online_bytes=online,
        first_rounds=first.rounds,
        first_online_bytes=of_first,
        offline_bytes=None if offline is None else offline[0],
        seconds=None if offline is None else seconds + offline[1],
        memory=memory_of(job, rank),
        session_bytes=session[0],
        upload_bytes=session[1],
    )


def whole_round_cost(job: Job, *, is_first: bool = False) -> Cost:
    """Gradients and growth of a round; who owns which split does not matter to the sums.

    ``is_first``: of the first round, whose gradients the label party makes by itself.
    """
    params, layout = job.params, job.layout
    noise_bits = job.precision.noise_bits if job.has_pads else 0
    owned = [(job.outputs << level) // 2 for level in range(params.max_depth)]
    used = max(1, round(layout.total_columns * params.colsample_bytree))
    prices, more = job.method.prices, job.evaluation_rows
    cost = round_cost(params, layout, used, owned, prices, noise_bits, more)
    if is_first and params.sigmoid == "table":
        return cost
    return cost + gradients_cost(params, layout)


def gradients_cost(params: TrainingParams, layout: Layout) -> Cost:
    """Cost of all rows' gradients: of a sample of whole words, times as many; rounds by block."""
    numbers = layout.numbers(params)

    def count(party: Party, _: None) -> tuple[int, int, Budget]:
        counting = CountingSource(party.source)
        party.source = counting
        rounds, sent = party.rounds, party.channel.traffic.bytes_sent
        objective, zeros = objective_of(params), Shared.zeros(_SAMPLE_ROWS)
        margins = Shared.zeros(objective.outputs, _SAMPLE_ROWS)
        labels = Labels(zeros, zeros if layout.weights else None)
        gradient_vectors(party, objective, margins, labels, numbers, Dither.of(0, 0))
        words = (party.channel.traffic.bytes_sent - sent) // 8
        return party.rounds - rounds, words, counting.budget

    (rounds, mine, used), (_, theirs, _) = simulate_parties(count, [None, None], seed=0).results
    times = -(-layout.rows // 64) * 64 / _SAMPLE_ROWS
    kinds = {kind: round(times * number) for kind, number in used.counts.items()}
    rounds *= len(list(blocks(layout.rows, sending_block(layout.rows))))
    return Cost(rounds, round(times * mine), round(times * theirs), Budget(kinds))


def _offline(job: Job, budget: Budget) -> tuple[float, float] | None:
    """Bytes and seconds of a tree's correlations; None where products have no prices here."""
    layout, method = job.layout, job.method
    columns = tuple(count * layout.all_bins for count in layout.columns)
    size, seconds = 0.0, 0.0
    if method.has_dealer:
        dealt = columns if method.algorithm == "ss" else (0, 0)
        size = 8.0 * budget.correction_words((dealt[0], dealt[1]))
        seconds = size * DRAWN_A_MEGABYTE / 1e6
    else:
        for kind, count in budget.counts.items():
            a_byte, a_second = price(kind)
            size, seconds = size + a_byte * count, seconds + a_second * count
    if method.algorithm == "hybrid":
        if not job.has_pads:
            return None
        products = [_products(job, count) for count in columns]
        size += sum(product[0] for product in products)
        seconds += max(product[1] for product in products)
    if job.params.is_hidden:
        more = _row_bits(job)
        size, seconds = size + more[0], seconds + more[1]
    return size, seconds


def _row_batches(job: Job) -> Iterator[Layouts]:
    """The batches of row correlations of a whole training, as they are made."""
    layout, rounds = job.layout, job.params.n_estimators
    shape = RowShape(job.all_rows, layout.columns, layout.all_bins)
    left = rounds
    while left > 0:
        nodes = batch_nodes(shape.rows, job.nodes_a_round, left, is_first=left == rounds)
        left -= nodes // job.nodes_a_round
        yield batch_layouts(shape, nodes, shape.rows)


def _row_bits(job: Job) -> tuple[float, float]:
    """Bytes and seconds of a round's row correlations, which the parties make alone."""
    size = 0.0
    for plans in _row_batches(job):
        for plan in filter(None, plans):
            sent = row_bits_traffic(plan, job.all_rows)
            size += sent.upload_bytes + sent.result_bytes + sent.answer_bytes
            size += price(Transfers(64, 0))[0] * sent.transfers
    seconds = SECONDS_A_ROW_BIT * 2 * job.all_rows * job.nodes_a_round
    return size / job.params.n_estimators, seconds


def _session(job: Job, rank: int) -> tuple[int, int]:
    """Of a session of predictions: this side's tables, and what both send before the first row."""
    if not job.params.is_hidden:
        return 0, 0
    shape = RowShape(0, job.layout.columns, job.layout.all_bins)
    parts = session_layouts(shape, job.params.n_estimators * job.nodes_a_round)
    own = [plans[rank] for plans in parts]
    sent = [plan.upload_bytes for plans in parts for plan in plans if plan is not None]
    return sum(plan.table_bytes for plan in own if plan is not None), sum(sent)


def _batch(job: Job, columns: int) -> Batch:
    """The usual batch of products with a matrix."""
    return Batch(columns, batch_vectors(job.vectors), job.precision)


def _products(job: Job, columns: int) -> tuple[float, float]:
    """Bytes and seconds of a tree's products with one matrix; both parties work at a time."""
    if columns == 0:
        return 0.0, 0.0
    columns *= 2  # of g's sums and of h's
    batch = _batch(job, columns)
    share = job.vectors_a_round / batch.vectors
    a_ciphertext, merging = PRODUCTS[_kernels.simd_paths()[-1]]
    seconds = columns * batch.groups * a_ciphertext + batch.summands * merging
    return share * batch.bytes_sent, share * seconds


def _matrix_bytes(job: Job, rank: int) -> int:
    """The largest array that this side holds for the whole job."""
    layout = job.layout
    if job.has_pads:
        shape = matrix_shape(layout, layout.numbers(job.params), job.params.max_depth)
        return matrix_bytes(shape.matrix(rank), job.precision.noise_bits)
    masked = 8 * layout.rows * layout.columns[1 - rank] * layout.all_bins
    return masked if job.method.algorithm == "ss" else 0


def memory_of(job: Job, rank: int) -> Memory:
    """The formula of docs/operations.md, "Memory", for party ``rank``."""
    layout = job.layout
    nodes = job.vectors_a_round  # as many as the last level has
    rows = job.all_rows * (9 * layout.columns[rank] + BYTES_A_ROW_AND_NODE * nodes)
    own = [plans[rank] for plans in _row_batches(job)] if job.params.is_hidden else []
    products = 0.0
    if job.has_pads:
        batch = _batch(job, 1)
        columns = layout.total_columns * layout.all_bins
        products = 2 * stock_bytes(columns, batch.vectors) + KEY_BYTES
        products += batch.groups * CIPHERTEXT_BYTES
    of_a_node = candidates_of(layout, layout.total_columns)
    together = min(nodes, max(1, MOST_CANDIDATES // of_a_node)) * of_a_node
    level = together * BYTES_A_CANDIDATE + min(together * AHEAD_A_CANDIDATE, MOST_AHEAD)
    level += nodes * layout.total_columns * layout.all_bins * BYTES_A_SUM
    return Memory(
        program=PROGRAM_BYTES,
        rows=rows + BYTES_A_ROW * min(layout.rows, sending_block(layout.rows)),
        row_bits=max((plan.table_bytes for plan in own if plan is not None), default=0),
        matrix=_matrix_bytes(job, rank),
        products=products,
        level=level,
    )
