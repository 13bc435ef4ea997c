"""How much memory and disk a job takes at one side.

Prices per row, candidate and ciphertext were fitted once, to measured peaks (docs/benchmarks.md,
"Memory"); sizes of arrays are exact. Where a figure comes from stands beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from securexgb.arith.bits import words_per
from securexgb.boost.costs.trees import candidates_of
from securexgb.boost.histogram import matrix_shape
from securexgb.boost.rows import sending_block
from securexgb.boost.scoring.row_scores import SESSION_ROWS
from securexgb.boost.splits.split import MOST_CANDIDATES
from securexgb.correlations.rows import RowShape
from securexgb.he.layout import Layout as Batch
from securexgb.he.layout import batch_vectors
from securexgb.he.made_matrix import whole_bytes
from securexgb.he.noise import DEGREE, PRIMES
from securexgb.jobs.estimating.correlations import row_batches
from securexgb.jobs.estimating.job import Job
from securexgb.offline.matrix_products import matrix_bytes, stock_bytes
from securexgb.offline.rows.rows_ahead import session_layouts

PROGRAM_BYTES = 180e6
"""Of an interpreter with the package, its link, and pools of transfers."""
BYTES_A_ROW = 2000
"""Of a block of rows, while gradients are made and rows are moved, and of what waits for it."""
BYTES_A_ROW_AND_NODE, HIDDEN_BYTES_A_ROW_AND_NODE = 85, 115
BYTES_A_SUM = 200
BYTES_A_CANDIDATE = 2500
AHEAD_A_CANDIDATE = 6800
MOST_AHEAD = 110e6
"""Of a node of the last level: what memory is taken beyond the arrays that are counted, and the
correlations that wait for it, which are bounded (``offline.producer``). Fitted to the peaks in
docs/benchmarks.md ("Memory", "Growth", "Training") and those of wide trainings."""
HEAD_BYTES, HEAD_BYTES_A_ROW = 80e6, 90
"""At a head of shards: what reads a file by parts; labels, and the column that is sorted for its
cuts. From peaks at 125k and 1M rows, docs/cluster.md."""
RUN_BYTES, ROUND_BYTES = 20e3, 3.5e3
"""Of a run's small files, and of a round's: names, headers, a line of metrics."""
KEY_BYTES = 7e6
CIPHERTEXT_BYTES = 8 * 2 * DEGREE * (len(PRIMES) + len(PRIMES))
"""While a batch of products is made: Galois keys; and a ciphertext as it came, and made ready."""


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
    def setup(self) -> float:
        """Before the first tree."""
        return float(self.program + self.rows + self.matrix)

    @property
    def total(self) -> float:
        return float(sum(asdict(self).values()))

    def text(self) -> str:
        """One line for people."""
        sizes = ((name.replace("_", " "), size) for name, size in asdict(self).items())
        parts = ", ".join(f"{name} {size / 1e9:.2g}" for name, size in sizes)
        return f"some {self.total / 1e9:.2g} GB here at the peak ({parts})"


@dataclass(frozen=True)
class Disk:
    """Bytes of a run's files: ``kept`` once, ``a_tree`` for each round of trees."""

    kept: float
    a_tree: float


def disk_of(job: Job, rank: int) -> Disk:
    """What a run leaves at party ``rank``: checkpoint, model, ledger and metrics.

    Each round lies in the checkpoint and in the model; margins of the last two rounds are kept.
    """
    layout, nodes = job.layout, (1 << job.params.max_depth) - 1
    tree = 8.0 * (nodes + 1) + 8.0 * 3 * nodes
    if job.params.is_hidden:
        tree = 8.0 * (nodes + 1) + 8.0 * layout.total_columns * layout.all_bins * words_per(nodes)
        tree += 8.0 * layout.total_columns
    margins = 8.0 * 2 * job.outputs * job.all_rows
    cuts = 8.0 * layout.columns[rank] * layout.all_bins
    return Disk(margins + cuts + RUN_BYTES, 2 * job.outputs * tree + ROUND_BYTES)


def session_bytes(job: Job, rank: int) -> tuple[int, int]:
    """Of a session of predictions as a service has it: this side's tables, and what both send
    before the first row."""
    if not job.params.is_hidden:
        return 0, 0
    shape = RowShape(SESSION_ROWS, job.layout.columns, job.layout.all_bins)
    parts = session_layouts(shape, job.params.n_estimators * job.nodes_a_round)
    own = [plans[rank] for plans in parts]
    sent = [plan.upload_bytes for plans in parts for plan in plans if plan is not None]
    return sum(plan.table_bytes for plan in own if plan is not None), sum(sent)


def _batch(job: Job, columns: int) -> Batch:
    """The usual batch of products with a matrix."""
    return Batch(columns, batch_vectors(job.vectors), job.precision)


def _matrix_bytes(job: Job, rank: int) -> int:
    """The largest array that this side holds for the whole job; a head adds up all of what its
    shards make, and these hold nothing of it."""
    layout = job.layout
    if job.makes_products:
        shape = matrix_shape(layout, layout.numbers(job.params), job.params.max_depth)
        own, noise = shape.matrix(rank), job.precision.noise_bits
        if not job.has_rows:
            return whole_bytes(own.columns, [bits + noise for bits in own.sum_bits])
        return matrix_bytes(own, noise)
    masked = 8 * job.rows * layout.columns[1 - rank] * layout.all_bins
    return masked if job.method.algorithm == "ss" else 0


def memory_of(job: Job, rank: int) -> Memory:
    """The formula of docs/operations.md, "Memory", for party ``rank``."""
    layout = job.layout
    nodes = job.vectors_a_round  # as many as the last level has
    of_node = HIDDEN_BYTES_A_ROW_AND_NODE if job.params.is_hidden else BYTES_A_ROW_AND_NODE
    rows = job.all_rows * (9 * layout.columns[rank] + of_node * nodes)
    has_row_bits = job.params.is_hidden and job.has_rows
    own = [plans[rank] for plans in row_batches(job)] if has_row_bits else []
    products = 0.0
    if job.makes_products:
        batch = _batch(job, 1)
        columns = layout.total_columns * layout.all_bins
        products = 2 * stock_bytes(columns, batch.vectors) + KEY_BYTES
        products += batch.groups * CIPHERTEXT_BYTES
    of_a_node = candidates_of(layout, layout.total_columns)
    together = min(nodes, max(1, MOST_CANDIDATES // of_a_node)) * of_a_node
    level = together * BYTES_A_CANDIDATE + min(together * AHEAD_A_CANDIDATE, MOST_AHEAD)
    level += nodes * layout.total_columns * layout.all_bins * BYTES_A_SUM
    rows += BYTES_A_ROW * min(job.rows, sending_block(job.rows))
    return Memory(
        program=PROGRAM_BYTES,
        rows=rows if job.has_rows else HEAD_BYTES + HEAD_BYTES_A_ROW * layout.rows,
        row_bits=max((plan.table_bytes for plan in own if plan is not None), default=0),
        matrix=_matrix_bytes(job, rank),
        products=products,
        level=level if job.has_trees else 0.0,
    )
