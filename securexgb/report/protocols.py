"""What the protocols cost and what may be revealed, as tables for people and programs.

Both tables are generated: the first from the registry that ``@protocol`` fills, the second
from ``Reveal``. ``securexgb protocols`` prints them, and docs/protocols.md and
docs/threat-model.md hold them; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

# These declare protocols that the imports below do not bring.
import securexgb.align.intersect
import securexgb.boost.grower
import securexgb.hybrid.ckks_sigmoid
import securexgb.mpc.multiplex
import securexgb.mpc.numbers.per_cents
import securexgb.mpc.numbers.softmax
import securexgb.mpc.numbers.table
import securexgb.mpc.sort
import securexgb.mpc.strongest
import securexgb.mpc.trees.halves
import securexgb.mpc.trees.leaf_sums  # noqa: F401
from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.costs.trees import round_cost
from securexgb.boost.histogram import Histogram, NoisySums, matrix_shape
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.groups import Groups
from securexgb.boost.splits.leaves import LevelSums
from securexgb.boost.splits.score import least_score, score_bits
from securexgb.boost.splits.split import Candidates, child_sums
from securexgb.correlations.prices import DEALT, MADE
from securexgb.correlations.rows import RowShape
from securexgb.he.fixed_sums import FixedLayout
from securexgb.he.noise import Sums, sums_precision
from securexgb.hybrid.ckks_scores import Limbs
from securexgb.hybrid.fourier import TERMS
from securexgb.mpc.matrix import MatrixShape
from securexgb.mpc.numbers.exponential import ExpTable, Power, Window, exp_table
from securexgb.mpc.numbers.lift import binary
from securexgb.mpc.numbers.logarithm import Normalised
from securexgb.mpc.numbers.magnitude import Index
from securexgb.mpc.numbers.round_to import Rounding
from securexgb.mpc.numbers.sigmoid import sigmoid_table
from securexgb.mpc.numbers.table import Place, Tables
from securexgb.mpc.protocol import REGISTRY, Cost, Declaration
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Shared, SharedBits

Row = dict[str, str | int]

TYPICAL = (
    "1,000 elements (or margins, denominators, rows); argmax: 4 nodes of 300 candidates; "
    "sort_bits: 1 row of 1,000 keys of 37 bits; histograms, build, round_sums, running, scores and "
    "best_splits: 4 nodes, 1,000 rows, 10 + 10 columns of 16 bins and one for missing values; "
    "leaf_weights: 3 levels; per_cents: 20 columns"
)
"""The shapes that the figures of ``protocol_rows`` are for."""

_TREES = (
    (569, (15, 15), 3, 16, "refused"),
    (10_000, (10, 10), 3, 16, "refused"),
    (10_000, (10, 10), 3, 16, "allowed"),
    (30_000, (12, 11), 4, 32, "refused"),
    (30_000, (12, 11), 4, 32, "allowed"),
    (50_000, (12, 12), 5, 32, "refused"),
)
"""Rows, columns by side, depth, bins, missing values."""

_COUNT = 1000
_NODES = 4


def protocol_rows() -> list[Row]:
    """One row a protocol, in the order of the layers: its cost at TYPICAL shapes, its source.

    Two rows where it costs something else without a dealer.
    """
    rows = []
    for name, given in arguments().items():
        dealt, made = (REGISTRY[name].cost(prices, *given) for prices in (DEALT, MADE))
        sources = {"either": dealt} if dealt == made else {"a dealer": dealt, "the two": made}
        rows += [_row(REGISTRY[name], *one) for one in sources.items()]
    return rows


def reveal_rows() -> list[Row]:
    """One row for each kind of thing that may be opened; there is no other."""
    return [
        {"reveal": reveal.name, "what is revealed": reveal.value, "to whom": reveal.audience}
        for reveal in Reveal
    ]


def tree_rows() -> list[Row]:
    """What one tree costs at some shapes, its gradients given; half of owned splits at each side.

    Without a dealer as one of ``n_estimators`` trees, whose histograms have pads by BFV.
    """
    return [_tree_row(*shape, splits) for shape in _TREES for splits in ("owner", "hidden")]


def markdown(rows: Sequence[Mapping[str, str | int]]) -> str:
    """The rows as a Markdown table."""
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([_cell(row[h]) for h in heads] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value.replace("|", "\\|")


def _row(declaration: Declaration, source: str, cost: Cost) -> Row:
    return {
        "protocol": declaration.name,
        "what it does": declaration.summary.replace("``", "`"),
        "correlations from": source,
        "rounds": cost.rounds,
        "bytes sent": 8 * (cost.label_words + cost.feature_words),
        **_consumed(cost),
        "what its messages show": declaration.opens,
        "source": declaration.source,
    }


def _tree_row(
    rows: int, columns: tuple[int, int], depth: int, bins: int, missing: str, splits: str
) -> Row:
    params = TrainingParams(max_bin=bins, max_depth=depth, missing_values=missing, splits=splits)
    layout = Layout.of(params, rows, columns, False)
    owned = [(1 << level) // 2 for level in range(depth)]
    shape = matrix_shape(layout, layout.numbers(params), depth)
    sums = (params.n_estimators << depth) * layout.total_columns * layout.all_bins
    pads = Sums(layout.rows, max(shape.sum_bits), shape.bins, shape.chain, 2 * sums)
    dealt, made = (
        round_cost(params, layout, sum(columns), owned, prices, noise)
        for prices, noise in ((DEALT, 0), (MADE, sums_precision(pads).noise_bits))
    )
    words = (columns[0] * layout.all_bins, columns[1] * layout.all_bins)
    return {
        "rows": rows,
        "columns": f"{columns[0]} + {columns[1]}",
        "depth": depth,
        "bins": bins,
        "missing values": missing,
        "splits": splits,
        "rounds": dealt.rounds,
        "MB between the parties": _megabytes(dealt.label_words + dealt.feature_words),
        "MB from the dealer": _megabytes(dealt.correlations.correction_words(words)),
        "rounds without a dealer": made.rounds,
        "MB without a dealer": _megabytes(made.label_words + made.feature_words),
    }


def _megabytes(words: int) -> str:
    return f"{8e-6 * words:.1f}"


def _consumed(cost: Cost) -> dict[str, int]:
    """Correlations by what they are for, widths and directions together."""
    found = {"products": 0, "gates": 0, "digits": 0, "lifts": 0, "transfers": 0, "rows": 0}
    for kind, count in cost.correlations.counts.items():
        found[kind.use] += kind.elements * count
    return found | {
        "vectors": sum(cost.correlations.vectors),
        "row nodes": cost.correlations.row_nodes,
    }


def arguments(count: int = _COUNT) -> dict[str, tuple[Any, ...]]:
    """Arguments for every protocol, with ``count`` elements in place of TYPICAL's 1,000.

    All shares are of zeros; private inputs and keys of one party are None.
    """
    params = TrainingParams(max_bin=16)
    layout = Layout.of(params, count, (10, 10), False)
    numbers = layout.numbers(params)
    shape = matrix_shape(layout, numbers, params.max_depth)
    return {
        "align.intersect.common_keys": (None, (count, count), None),
        "align.count.common_size": (None, (count, count), None),
        **_of_mpc(layout, numbers, shape),
        **_of_numbers(layout, numbers, shape),
        "hybrid.ckks_products.agree_keys": (),
        "hybrid.ckks_products.products": (None, np.zeros((TERMS, count)), None),
        "hybrid.ckks_scores.tree_scores": (None, np.zeros((1, count, 1)), None, Limbs(20, (12,))),
        "hybrid.ckks_sigmoid.ckks_sigmoid": (None, Shared.zeros(count), 20, 18),
        **_of_boost(layout, numbers, shape),
    }


def _of_mpc(
    layout: Layout, numbers: NumberFormat, shape: MatrixShape
) -> dict[str, tuple[Any, ...]]:
    count = layout.rows

    def bits(*leading: int) -> SharedBits:
        return SharedBits.zeros(*leading, count=count)

    rows = RowShape(count, layout.columns, layout.all_bins)
    tables = [
        SharedBits(np.zeros((columns, layout.all_bins, 1), np.uint64), _NODES)
        for columns in layout.columns
    ]
    leaf_sums = bits(16), Shared.zeros(16, 8), FixedLayout(8, 16, 31, 14), None
    x, owners, vectors = Shared.zeros(count), np.zeros(1, np.int64), Shared.zeros(_NODES, 2, count)
    return {
        "mpc.multiply.multiply": (x, x),
        "mpc.multiply.and_bits": (bits(), bits()),
        "mpc.multiply.and_broadcast": (bits(), bits(4)),
        "mpc.multiplex.multiplex_shared": (bits(1), x.reshape(1, 1, -1)),
        "mpc.compare.is_negative": (x,),
        "mpc.compare.at_least": (x, x),
        "mpc.compare.all_of": (bits(3),),
        "mpc.convert.to_arithmetic": (bits(),),
        "mpc.convert.to_bits": (x, 32),
        "mpc.convert.highest_bit": (bits(30),),
        "mpc.argmax.winners": (Shared.zeros(10, count // 10), score_bits(numbers)),
        "mpc.argmax.argmax": (
            Shared.zeros(_NODES, 300),
            Shared.zeros(2, _NODES, 300),
            SharedBits.zeros(0, count=_NODES),
            score_bits(numbers),
            least_score(numbers),
        ),
        "mpc.strongest.strongest": (Shared.zeros(10, count // 10), 39, 4),
        "mpc.sort.sort_bits": (SharedBits.zeros(37, 1, count=count),),
        "mpc.multiplex.multiplex_private": (
            owners,
            np.zeros((1, count), bool),
            x.reshape(1, 1, -1),
            (64,),
        ),
        "mpc.multiplex.multiplex_apart": (
            (np.zeros(count, bool), np.zeros(count, bool)),
            (x, x),
            38,
        ),
        "mpc.trees.halves.halves": (bits(), bits(3), Shared.zeros(4, count), 32),
        "mpc.trees.leaf_sums.leaf_sums": leaf_sums,
        "mpc.trees.leaf_sums.leaf_values": (*leaf_sums, 52),
        "mpc.matrix.histograms": (shape, None, None, vectors),
        "mpc.left_bits.left_bits": (rows, None, None, *tables),
        "mpc.left_bits._fixed_left_bits": (rows, None, None, *tables, None),
        "mpc.open._open_bits": (bits(1),),
        "mpc.open._open_bits_to": (bits(1), 0),
        "mpc.open._open": (x,),
        "mpc.open._open_to": (x, 0),
    }


def _of_numbers(
    layout: Layout, numbers: NumberFormat, shape: MatrixShape
) -> dict[str, tuple[Any, ...]]:
    count = layout.rows

    def bits(*leading: int) -> SharedBits:
        return SharedBits.zeros(*leading, count=count)

    x = Shared.zeros(count)
    return {
        "mpc.numbers.scale.scale_rows": (x.reshape(1, -1), Shared.zeros(1), 52),
        "mpc.numbers.truncate.shift": (x, 20),
        "mpc.numbers.truncate.truncate": (x, 20),
        "mpc.numbers.truncate.round_off": (x, 20),
        "mpc.numbers.round_to._rounded_to": (x, 0, Rounding(38, 20, 10**4)),
        "mpc.numbers.unpack.round_sums": (_noisy(layout), shape.widths(numbers.dropped_bits)),
        "mpc.numbers.per_cents.per_cents": (x[:20],),
        "mpc.numbers.divide.reciprocal": (x, bits()),
        "mpc.numbers.divide.divide": (x, x, bits(30), bits(30)),
        "mpc.garbled.carries.marked_bits": (x, 30, 1 << 17),
        "mpc.numbers.bound.reaches": (bits(25), 3 << 12),
        "mpc.numbers.logarithm.normalised": ((bits(48), bits(25), bits(25)), (16, 13, 13), ()),
        "mpc.numbers.logarithm.log2_bits": (
            Normalised((bits(5), bits(4), bits(4)), bits(14, 3), bits(3)),
        ),
        "mpc.numbers.table.lookups": (
            (bits(5), bits(5), bits(2), bits(2)),
            [
                Tables(np.zeros((1, 1 << 2, 1 << 7), np.uint64), out_bits, Place(part, 3, 2))
                for part, out_bits in enumerate([7, 15])
            ],
            (count,),
        ),
        "mpc.numbers.table.entries_of": (
            (bits(16), bits(8), bits(16), bits(8)),
            [
                Tables(np.zeros((1, 1 << 3, 1 << low), np.uint64), out_bits, Place(part, 3, 2))
                for part, (low, out_bits) in enumerate([(8, 22), (7, 36)])
            ],
            (count,),
        ),
        "mpc.numbers.magnitude.magnitude": (x, Index(12, (3, 3, 3, 3))),
        "mpc.numbers.lift.lift_numbers": (bits(30), (binary(16), binary(14))),
        "mpc.numbers.lift.widen": (x, 32),
        "mpc.numbers.sigmoid.sigmoid": (
            x,
            sigmoid_table(20, 18, True, np.zeros((4, 64), np.int64)),
        ),
        "mpc.numbers.sigmoid.softplus": (x,),
        "mpc.numbers.softmax.softmax": (
            Shared.zeros(3, layout.rows),
            sigmoid_table(20, 19, True, np.zeros((4, 64), np.int64)),
            40,
        ),
        "mpc.numbers.exponential.exponentials": (x, _powers()),
    }


def _powers() -> ExpTable:
    """Of count:poisson's mean and hessian."""
    coins = [np.zeros((2, 64), np.int64)] * 2
    powers = Power(Fraction(1), 20), Power(Fraction(2), 18)
    return exp_table(Window(5, 100.0), powers, True, coins)


def _of_boost(
    layout: Layout, numbers: NumberFormat, shape: MatrixShape
) -> dict[str, tuple[Any, ...]]:
    x, vectors = Shared.zeros(layout.rows), Shared.zeros(_NODES, 2, layout.rows)
    used = np.arange(layout.total_columns)
    sums = Shared.zeros(_NODES, used.size, layout.all_bins)
    histogram, candidates = Histogram(sums, sums), Candidates.of(layout, used)
    levels = [
        LevelSums(Shared.zeros(nodes), Shared.zeros(nodes), Shared.zeros(2, nodes))
        for nodes in (1, 2, 4)
    ]
    no_dummies = SharedBits.zeros(0, count=_NODES)
    return {
        "boost.histogram.build": (shape, None, vectors),
        "boost.histogram.running": (
            shape,
            NoisySums(_noisy(layout)),
            used,
            numbers,
            layout.categories,
        ),
        "boost.splits.weights.soft_threshold": (x, 1),
        "boost.splits.weights.weigh": (x.reshape(1, -1), x.reshape(1, -1), numbers, False),
        "boost.splits.score.scores": (child_sums(histogram, candidates), numbers),
        "boost.splits.split.best_splits": (histogram, candidates, numbers, no_dummies),
        "boost.splits.bounds.bounded": (
            Shared.zeros(7),
            Shared.zeros(2, 7),
            [SharedBits.zeros(2, count=nodes) for nodes in (1, 2, 4)],
        ),
        "boost.splits.groups.next_groups": (
            Groups.of((0b01, 0b11, *(0b10 for _ in used[2:]))),
            SharedBits.zeros(2, count=_NODES),
            SharedBits.zeros(2, count=_NODES),
        ),
        "boost.splits.leaves.leaf_weights": (levels, numbers, 0.3),
    }


def _noisy(layout: Layout) -> Shared:
    return Shared.zeros(_NODES, 2, layout.total_columns, layout.all_bins)
