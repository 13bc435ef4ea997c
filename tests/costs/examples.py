"""For every declared protocol, random arguments of random shapes, one set for each party."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from securexgb.align.keys import OrderedKeys
from securexgb.align.limits import Limits
from securexgb.arith.prg import Prg
from securexgb.boost.executor import LocalExecutor
from securexgb.boost.histogram import Histogram, NoisySums, matrix_shape
from securexgb.boost.layout import Layout
from securexgb.boost.params import IMPORTANCES, TrainingParams
from securexgb.boost.splits.groups import Groups
from securexgb.boost.splits.leaves import LevelSums
from securexgb.boost.splits.split import Candidates, child_sums
from securexgb.correlations.rows import RowShape
from securexgb.he.fixed_sums import plan_fixed_sums
from securexgb.hybrid.ckks_products import agree_keys
from securexgb.hybrid.ckks_scores import Limbs
from securexgb.mpc.circuits.chains import Preparation
from securexgb.mpc.garbled.carries import GARBLED
from securexgb.mpc.left_bits import register_rows
from securexgb.mpc.matrix import Buckets, MatrixShape, register
from securexgb.mpc.numbers.curves import COIN_BITS
from securexgb.mpc.numbers.exponential import Power, Window, exp_table
from securexgb.mpc.numbers.lift import Number
from securexgb.mpc.numbers.logarithm import MANTISSA_BITS, Normalised, normal_masks, searched
from securexgb.mpc.numbers.magnitude import Index
from securexgb.mpc.numbers.round_to import Rounding
from securexgb.mpc.numbers.sigmoid import sigmoid_table
from securexgb.mpc.numbers.table import Place, Tables
from securexgb.mpc.numbers.unpack import SumWidths
from securexgb.mpc.party import Party
from securexgb.mpc.trees.leaf_sums import agree_leaves
from securexgb.testing.harness import run_parties
from tests.mpc.kit import Pair, public, shared, shared_bits

Draw = np.random.Generator
WHOLE_BITS = 60
"""Of leaf values."""
Arguments = list[Pair]


def _count(draw: Draw) -> int:
    """Sizes around the word boundary are the likely ones."""
    return int(draw.choice([1, 2, 63, 64, 65, 127, 129, draw.integers(1, 400)]))


def _numbers(draw: Draw, *shape: int, bits: int = 28) -> Pair:
    return shared(draw.integers(-(1 << bits), 1 << bits, shape), int(draw.integers(1 << 30)))


def _bits(draw: Draw, *shape: int) -> Pair:
    return shared_bits(draw.integers(0, 2, shape), int(draw.integers(1 << 30)))


def _same_shape(draw: Draw) -> Arguments:
    shape = (int(draw.integers(1, 4)), _count(draw))
    return [_numbers(draw, *shape), _numbers(draw, *shape)]


def _two_bits(draw: Draw) -> Arguments:
    shape = (int(draw.integers(1, 9)), _count(draw))
    return [_bits(draw, *shape), _bits(draw, *shape)]


def _gate(draw: Draw) -> Arguments:
    count = _count(draw)
    return [_bits(draw, 2, count), _bits(draw, int(draw.integers(1, 9)), 2, count)]


def _choose(draw: Draw) -> Arguments:
    rows, count = int(draw.integers(1, 4)), _count(draw)
    widths = [(64,), (64, 64)][int(draw.integers(2))]
    numbers = _numbers(draw, rows, len(widths), count)
    return [_bits(draw, rows, count), numbers, public(widths)]


def _choose_parts(draw: Draw) -> Arguments:
    bits, numbers, widths = _choose(draw)
    parts = [(32,), (20,)] if len(widths[0]) == 1 else [(41, 64), (35, 31), (20, 9)]
    return [bits, numbers, public(parts[int(draw.integers(len(parts)))])]


def _scale(draw: Draw) -> Arguments:
    rows, count = int(draw.integers(1, 40)), int(draw.choice([1, 2, 65, 300]))
    return [_numbers(draw, rows, count), _numbers(draw, rows), public(64)]


def _shift(draw: Draw) -> Arguments:
    return [_numbers(draw, _count(draw)), public(int(draw.integers(1, 50)))]


def _divide(draw: Draw) -> Arguments:
    count = _count(draw)
    x, a = _numbers(draw, count, bits=10), shared(draw.integers(1, 1000, count))
    return [x, a, _bits(draw, 30, count), _bits(draw, 30, count)]


def _reciprocal(draw: Draw) -> Arguments:
    y = draw.integers(1 << 29, 1 << 30, _count(draw))
    return [shared(y, 1), shared_bits(y >= 3 << 28, 2)]


def _argmax(draw: Draw) -> Arguments:
    nodes, candidates = int(draw.integers(1, 5)), int(draw.choice([1, 2, 9, 11, 80, 90, 700]))
    return [
        _numbers(draw, nodes, candidates),
        _numbers(draw, int(draw.integers(1, 3)), nodes, candidates),
        _bits(draw, int(draw.integers(0, 9)), nodes),
        public(int(draw.integers(25, 64))),
        public(int(draw.integers(1, 1 << 20))),
    ]


def _lookups(draw: Draw) -> Arguments:
    runs = (*(int(run) for run in draw.integers(0, 90, int(draw.integers(4)))), _count(draw))
    widths = draw.integers(1, 6, 4).tolist()
    tables = []
    for out_bits in draw.integers(1, 41, int(draw.integers(1, 5))).tolist():
        low, high, between = draw.integers(0, 4, 3).tolist()
        place = Place(low, high, None if draw.integers(2) or between == low else between)
        below = sum(widths[part] for part in place.lows)
        size = len(runs), 1 << widths[place.high], 1 << below
        tables.append(Tables(draw.integers(0, 2**64, size, np.uint64), out_bits, place))
    parts = zip(*[_bits(draw, width, sum(runs)) for width in widths], strict=True)
    return [tuple(parts), public(tables), public(runs)]


def _entries_of(draw: Draw) -> Arguments:
    """Marks that are marks: they add up to 1."""
    (parts, _), tables, runs = _lookups(draw)
    marks = []
    for width in (part.words.shape[0] for part in parts):
        numbers = draw.integers(0, 1 << width, sum(runs[0]))
        marks.append(shared_bits(np.arange(1 << width)[:, None] == numbers, 3))
    first, second = zip(*marks, strict=True)
    return [(first, second), tables, runs]


def _softmax(draw: Draw) -> Arguments:
    table = _sigmoid(draw)[1]
    margins = _numbers(draw, int(draw.integers(2, 7)), _count(draw))
    return [margins, table, public(int(draw.integers(32, 47)))]


def _sigmoid(draw: Draw) -> Arguments:
    bits = [int(size) for size in draw.integers(0, 21, 2)]
    coins = draw.integers(0, 1 << COIN_BITS, (4, 64))
    table = sigmoid_table(bits[0], bits[1], bool(draw.integers(2)), coins)
    return [_numbers(draw, _count(draw)), public(table), public(int(draw.integers(30, 47)))]


def _exponentials(draw: Draw) -> Arguments:
    window = Window(int(draw.choice([5, 11])), float(draw.integers(1, 99)), int(draw.integers(17)))
    powers = tuple(
        Power(Fraction(int(part), 4), int(size))
        for part, size in zip(draw.choice([4, 6], 2), draw.integers(0, 21, 2), strict=True)
    )[: int(draw.integers(1, 3))]
    coins = draw.integers(0, 1 << COIN_BITS, (2, 2, 64))[: len(powers)]
    table = exp_table(window, powers, bool(draw.integers(2)), coins)
    return [_numbers(draw, _count(draw), bits=20 + window.scale_bits), public(table)]


def _magnitude(draw: Draw) -> Arguments:
    step_bits, above = (int(size) for size in draw.integers((1, 2), 15))
    parts = tuple(int(size) for size in draw.integers(1, 6, int(draw.integers(1, 5))))
    index = Index(step_bits, parts, step_bits + sum(parts) + above)
    return [_numbers(draw, _count(draw), bits=index.range_bits - 1), public(index)]


def _lift_numbers(draw: Draw) -> Arguments:
    sizes = draw.integers(1, 21, int(draw.integers(1, 4)))
    numbers = tuple(
        Number(tuple(1 << int(place) for place in draw.permutation(size)), int(size))
        for size in sizes
    )
    return [_bits(draw, int(sizes.sum()), _count(draw)), public(numbers)]


def _select(draw: Draw) -> Arguments:
    owners = draw.integers(0, 2, int(draw.integers(1, 5)))
    rows = _count(draw)
    bits = draw.integers(0, 2, (owners.size, rows)).astype(bool)
    own = [bits & (owners == rank)[:, None] for rank in (0, 1)]
    widths = [(64,), (32,), (35, 31), (20, 17, 9)][int(draw.integers(4))]
    values = _numbers(draw, owners.size, len(widths), rows)
    return [public(owners), (own[0], own[1]), values, public(widths)]


def _apart(draw: Draw) -> Arguments:
    counts = _count(draw), int(draw.choice([0, 1, 70, 300]))
    bits = [draw.integers(0, 2, count).astype(bool) for count in counts]
    own = [tuple(b & (owner == rank) for owner, b in enumerate(bits)) for rank in (0, 1)]
    pairs = [_numbers(draw, count) for count in counts]
    words = [tuple(pair[rank] for pair in pairs) for rank in (0, 1)]
    return [(own[0], own[1]), (words[0], words[1]), public(int(draw.choice([38, 64])))]


def _halves(draw: Draw) -> Arguments:
    lanes, count = int(draw.choice([1, 2, 4, 8])), _count(draw)
    bits = _bits(draw, int(draw.integers(lanes + 1)), count)
    return [_bits(draw, count), bits, _numbers(draw, lanes, count), public(39)]


def _leaf_sums(draw: Draw) -> Arguments:
    trees, leaves, rows = int(draw.integers(1, 4)), int(draw.choice([2, 4])), _count(draw)
    layout = plan_fixed_sums(trees, leaves, 31)
    assert layout is not None
    reached = np.eye(leaves, dtype=np.int64)[draw.integers(0, leaves, trees * rows)].T
    marks = shared_bits(np.ascontiguousarray(reached), int(draw.integers(1 << 30)))
    return [marks, _numbers(draw, leaves, trees), public(layout)]


def _rounding(draw: Draw) -> Arguments:
    how = Rounding(*[(38, 20, 10**6), (40, 20, 1)][int(draw.integers(2))])
    return [_numbers(draw, _count(draw)), public(int(draw.integers(2))), public(how)]


def _widen(draw: Draw) -> Arguments:
    return [_numbers(draw, _count(draw)), public(32)]


def _shape(draw: Draw) -> MatrixShape:
    features = [(2, 3), (0, 2), (3, 0), (1, 1)][int(draw.integers(4))]
    bits = int(draw.integers(20, 50)), int(draw.integers(20, 50))
    # Whole words of any width: packed messages have no end that is filled up with zeros.
    return MatrixShape(64 * int(draw.integers(1, 5)), features, int(draw.integers(2, 9)), bits)


class _Rows(LocalExecutor):
    """Rows that can still be registered."""

    def __init__(self, buckets: Buckets, bins: int) -> None:
        super().__init__(buckets, bins, bins)
        self.buckets = buckets


def _histograms(draw: Draw) -> Arguments:
    shape = _shape(draw)
    label, feature = (
        _Rows(draw.integers(0, shape.bins, (shape.rows, columns)).astype(np.uint8), shape.bins)
        for columns in shape.features
    )
    vectors = _numbers(draw, int(draw.integers(1, 4)), 2, shape.rows)
    return [public(shape), (label, None), (None, feature), vectors]


def _left_bits(draw: Draw) -> Arguments:
    shape = _shape(draw)
    rows = RowShape(shape.rows, shape.features, shape.bins)
    label, feature = (
        _Rows(draw.integers(0, shape.bins, (shape.rows, columns)).astype(np.uint8), shape.bins)
        for columns in shape.features
    )
    nodes = int(draw.choice([1, 8, 64, 65, 100]))
    tables = [_bits(draw, columns, shape.bins, nodes) for columns in shape.features]
    return [public(rows), (label, None), (None, feature), *tables]


def _fixed_left_bits(draw: Draw) -> Arguments:
    rows, *others = _left_bits(draw)
    return [rows, *others, _bits(draw, others[2][0].count, rows[0].rows)]


def _build(draw: Draw) -> Arguments:
    shape, label, feature, vectors = _histograms(draw)
    return [shape, (label[0], feature[1]), vectors]


def _round_sums(draw: Draw) -> Arguments:
    widths = tuple(
        SumWidths(*(int(bits) for bits in draw.integers((0, 0, 2), (18, 7, 35))), is_signed)
        for is_signed in (True, False)
    )
    return [_numbers(draw, int(draw.integers(1, 5)), 2, _count(draw)), public(widths)]


def _running(draw: Draw) -> Arguments:
    params, some = TrainingParams(max_bin=int(draw.integers(2, 9))), (0, 3, 4)
    layout = Layout.of(params, 1000, (3, 2), False, some[: int(draw.integers(4))])
    numbers = layout.numbers(TrainingParams())
    shape = matrix_shape(layout, numbers, 3, int(draw.choice([0, 13])))
    sums = _numbers(draw, int(draw.integers(1, 5)), 2, layout.total_columns, layout.all_bins)
    noisy = tuple(NoisySums(side) for side in sums)
    used = np.flatnonzero(draw.random(layout.total_columns) < 0.7)
    return [
        public(shape),
        noisy,  # type: ignore[list-item]
        public(used if used.size else np.arange(1)),
        public(numbers),
        public(layout.categories),
    ]


def _best_splits(draw: Draw) -> Arguments:
    params = TrainingParams(
        max_bin=int(draw.integers(2, 9)),
        missing_values=str(draw.choice(["allowed", "refused"])),
        reg_alpha=float(draw.choice([0.0, 0.5])),
        max_delta_step=float(draw.choice([0.0, 0.5])),
    )
    layout = Layout.of(params, 1000, (int(draw.integers(0, 3)), int(draw.integers(1, 4))), False)
    used = np.arange(layout.total_columns)
    nodes = int(draw.integers(1, 9))
    shape = (nodes, used.size, layout.all_bins)
    by_bin = draw.integers((-900, 0), 900, (*shape[::2], 2)).cumsum(axis=1)
    gradient, hessian = (
        shared(np.broadcast_to(by_bin[:, None, :, word], shape)) for word in (0, 1)
    )
    histograms = tuple(Histogram(g, h) for g, h in zip(gradient, hessian, strict=True))
    ways = draw.integers(-1, 2, used.size) if draw.integers(2) else None
    return [
        histograms,  # type: ignore[list-item]
        public(Candidates.of(layout, used, ways)),
        public(layout.numbers(params)),
        _bits(draw, int(draw.integers(0, 9)), nodes),
        _bits(draw, used.size, nodes) if draw.integers(2) else public(None),
    ]


def _scores(draw: Draw) -> Arguments:
    histograms, candidates, numbers, *_ = _best_splits(draw)
    pair: Pair = tuple(child_sums(h, c) for h, c in zip(histograms, candidates, strict=True))
    usable = _bits(draw, pair[0].child_hessian.size) if draw.integers(2) else public(None)
    return [pair, numbers, usable]


def _marked_bits(draw: Draw) -> Arguments:
    width = int(draw.integers(2, 40))
    least = int(draw.integers(0, 1 << width))
    return [_numbers(draw, _count(draw)), public(width), public(least)]


def _weigh(draw: Draw) -> Arguments:
    params = TrainingParams(
        reg_alpha=float(draw.choice([0.0, 0.5])), max_delta_step=float(draw.choice([0.0, 0.2]))
    )
    rows = int(draw.choice([1000, 10_000]))  # without and with the clip
    numbers = Layout.of(params, rows, (1, 1), False).numbers(params)
    shape = (int(draw.integers(1, 4)), _count(draw))
    hessian = shared(draw.integers(0, 900, shape))
    return [
        shared(draw.integers(-900, 900, shape)),
        hessian,
        public(numbers),
        public(bool(draw.integers(2))),
    ]


def _next_groups(draw: Draw) -> Arguments:
    masks = draw.integers(0, 1 << int(draw.integers(1, 9)), int(draw.integers(1, 9)))
    groups, count = Groups.of(masks.tolist()), _count(draw)
    chosen, above = (_bits(draw, len(groups.member), count) for _ in range(2))
    return [public(groups), chosen, above if draw.integers(2) else public(None)]


def _leaf_weights(draw: Draw) -> Arguments:
    params = TrainingParams(
        reg_alpha=float(draw.choice([0.0, 0.5])), max_delta_step=float(draw.choice([0.0, 0.2]))
    )
    numbers = Layout.of(params, 1000, (1, 1), False).numbers(params)
    first, second, is_monotone = [], [], bool(draw.integers(2))
    for level in range(int(draw.integers(1, 5))):
        nodes, seed = 1 << level, int(draw.integers(1 << 30))
        gradient = shared(draw.integers(-900, 900, nodes), seed)
        hessian = shared(draw.integers(900, 1800, nodes), seed + 1)
        left = shared(draw.integers(0, 900, (2, nodes)), seed + 2)
        turns = _bits(draw, 2, nodes) if is_monotone else (None, None)
        for side, *sums in zip((first, second), gradient, hessian, left, turns, strict=True):
            side.append(LevelSums(*sums))
    return [(first, second), public(numbers), public(0.3), public(str(draw.choice(IMPORTANCES)))]


def _bounded(draw: Draw) -> Arguments:
    depth, roots = int(draw.integers(1, 6)), int(draw.integers(1, 3))
    nodes = roots * ((1 << depth) - 1)
    own, below = (draw.integers(-(1 << 30), 1 << 30, shape) for shape in (nodes, (2, nodes)))
    turns = zip(*(_bits(draw, 2, roots << level) for level in range(depth)), strict=True)
    return [shared(own), shared(below), tuple(list(side) for side in turns)]


def _reaches(draw: Draw) -> Arguments:
    width = int(draw.integers(2, 31))
    bits = _bits(draw, width, int(draw.integers(1, 4)), _count(draw))
    return [bits, public(int(draw.integers(1, 1 << width)))]


def _normalised(draw: Draw) -> Arguments:
    count = _count(draw)
    widths = draw.integers(2, 60, int(draw.integers(1, 4)))
    numbers = [_bits(draw, int(width), count) for width in widths]
    least = tuple(int(draw.integers(0, width - 1)) for width in widths)
    sides = tuple(first for first, _ in numbers), tuple(second for _, second in numbers)
    return [sides, public(least), public(None)]


def _log2_bits(draw: Draw) -> Arguments:
    count, numbers = _count(draw), int(draw.integers(1, 4))
    exponents = [_bits(draw, int(draw.integers(1, 7)), count) for _ in range(numbers)]
    parts = _bits(draw, MANTISSA_BITS, numbers, count), _bits(draw, numbers, count)
    sides = [Normalised(tuple(e[k] for e in exponents), *(p[k] for p in parts)) for k in (0, 1)]
    return [(sides[0], sides[1])]


def _ckks_keys() -> Pair:
    first, second = run_parties(lambda party, _: agree_keys(party), [None, None])
    return first, second


def _ckks_products(draw: Draw) -> Arguments:
    terms, count = int(draw.integers(1, 4)), int(draw.choice([1, 70, 4096, 4097]))
    label, feature = draw.uniform(0.1, 0.4, (2, terms, count)) + 0j
    return [_ckks_keys(), (label, None), (None, feature)]


def _ckks_scores(draw: Draw) -> Arguments:
    trees, rows, depth = (int(n) for n in draw.integers((1, 1, 1), (4, 70, 4)))
    marks = draw.random((2, trees, rows, 1 << depth)) < 0.5
    return [
        _ckks_keys(),
        (marks[0], marks[1]),
        _numbers(draw, trees, 1 << depth),
        public(Limbs.of(int(draw.choice([1, 50, 900])), depth, 20, 11)),
    ]


def _common_keys(draw: Draw) -> Arguments:
    sizes = _count(draw), _count(draw)
    texts = [[b"%d" % i for i in range(size)] for size in sizes]
    own, theirs = (OrderedKeys.of("this", keys, b"coin") for keys in texts)
    return [(own, theirs), public(sizes), public(Limits(1, 1000))]


def _common_size(draw: Draw) -> Arguments:
    digests = draw.integers(0, 1 << 63, (12, 2), np.uint64)
    privates = Prg(b"0" * 16), Prg(b"1" * 16)
    return [(digests[:10], digests[5:]), public((11, 7)), privates]


EXAMPLES: dict[str, Callable[[Draw], Arguments]] = {
    "align.intersect.common_keys": _common_keys,
    "align.count.common_size": _common_size,
    "mpc.open._open": lambda draw: [_numbers(draw, 2, _count(draw))],
    "mpc.open._open_to": lambda draw: [_numbers(draw, _count(draw)), public(int(draw.integers(2)))],
    "mpc.open._open_bits": lambda draw: _two_bits(draw)[:1],
    "mpc.open._open_bits_to": lambda draw: [
        *_two_bits(draw)[:1],
        public(int(draw.integers(2))),
    ],
    "mpc.multiply.multiply": _same_shape,
    "mpc.multiply.and_bits": _two_bits,
    "mpc.multiply.and_broadcast": _gate,
    "mpc.multiplex.multiplex_shared": _choose,
    "mpc.numbers.scale.scale_rows": _scale,
    "mpc.compare.is_negative": lambda draw: [
        _numbers(draw, _count(draw)),
        public(int(draw.integers(30, 65))),
    ],
    "mpc.compare.at_least": _same_shape,
    "mpc.compare.all_of": lambda draw: _two_bits(draw)[:1],
    "mpc.convert.to_arithmetic": lambda draw: _two_bits(draw)[:1],
    "mpc.convert.to_bits": lambda draw: [
        _numbers(draw, 2, _count(draw)),
        public(int(draw.integers(2, 65))),
    ],
    "mpc.convert.highest_bit": lambda draw: _two_bits(draw)[:1],
    "mpc.numbers.truncate.shift": _shift,
    "mpc.numbers.truncate.truncate": _shift,
    "mpc.numbers.truncate.round_off": _shift,
    "mpc.numbers.round_to._rounded_to": _rounding,
    "mpc.numbers.table.lookups": _lookups,
    "mpc.numbers.table.entries_of": _entries_of,
    "mpc.numbers.unpack.round_sums": _round_sums,
    "mpc.numbers.divide.divide": _divide,
    "mpc.garbled.carries.marked_bits": _marked_bits,
    "mpc.numbers.divide.reciprocal": _reciprocal,
    "mpc.strongest.strongest": lambda draw: [
        _numbers(draw, int(draw.choice([1, 2, 5])), _count(draw)),
        public(40),
        public(int(draw.integers(1, 4))),
    ],
    "mpc.argmax.argmax": _argmax,
    "mpc.argmax.winners": lambda draw: [
        _numbers(draw, int(draw.integers(2, 40)), _count(draw) // 8 + 1),
        public(int(draw.integers(25, 64))),
    ],
    "mpc.numbers.bound.reaches": _reaches,
    "mpc.numbers.logarithm.normalised": _normalised,
    "mpc.numbers.logarithm.log2_bits": _log2_bits,
    "mpc.numbers.magnitude.magnitude": _magnitude,
    "mpc.numbers.lift.lift_numbers": _lift_numbers,
    "mpc.numbers.sigmoid.sigmoid": _sigmoid,
    "mpc.numbers.softmax.softmax": _softmax,
    "mpc.numbers.exponential.exponentials": _exponentials,
    "mpc.numbers.sigmoid.softplus": lambda draw: [
        _numbers(draw, _count(draw)),
        public(int(draw.integers(30, 47))),
    ],
    "mpc.sort.sort_bits": lambda draw: [
        _bits(draw, int(draw.integers(1, 65)), int(draw.integers(1, 3)), int(draw.integers(1, 70)))
    ],
    "mpc.numbers.lift.widen": _widen,
    "mpc.multiplex.multiplex_private": _select,
    "mpc.multiplex.multiplex_apart": _apart,
    "mpc.trees.halves.halves": _halves,
    "mpc.trees.leaf_sums.leaf_sums": _leaf_sums,
    "mpc.trees.leaf_sums.leaf_values": _leaf_sums,
    "mpc.left_bits.left_bits": _left_bits,
    "mpc.left_bits._fixed_left_bits": _fixed_left_bits,
    "mpc.matrix.histograms": _histograms,
    "hybrid.ckks_products.agree_keys": lambda draw: [],
    "hybrid.ckks_products.products": _ckks_products,
    "hybrid.ckks_scores.tree_scores": _ckks_scores,
    "hybrid.ckks_sigmoid.ckks_sigmoid": lambda draw: [
        _ckks_keys(),
        _numbers(draw, _count(draw)),
        public(int(draw.integers(0, 21))),
        public(int(draw.integers(0, 21))),
    ],
    "boost.histogram.build": _build,
    "boost.histogram.running": _running,
    "boost.splits.weights.soft_threshold": lambda draw: [
        _numbers(draw, _count(draw)),
        public(int(draw.choice([0, 7]))),
    ],
    "boost.splits.weights.weigh": _weigh,
    "boost.splits.score.scores": _scores,
    "boost.splits.split.best_splits": _best_splits,
    "boost.splits.bounds.bounded": _bounded,
    "boost.splits.groups.next_groups": _next_groups,
    "boost.splits.leaves.leaf_weights": _leaf_weights,
    "mpc.numbers.per_cents.per_cents": lambda draw: [
        shared(draw.integers(0, 900, int(draw.integers(1, 5))))
    ],
}


HALVES: dict[str, Callable[[Draw], Arguments]] = {
    "mpc.convert.to_bits": lambda draw: [
        _numbers(draw, 2, _count(draw)),
        public(int(draw.integers(20, 65))),
        public(int(draw.integers(1, 15))),
    ],
    "mpc.multiplex.multiplex_shared": _choose_parts,
    "mpc.numbers.scale.scale_rows": lambda draw: [
        *_scale(draw)[:2],
        public(int(draw.integers(33, 64))),
    ],
    "mpc.convert.to_arithmetic": lambda draw: [*_two_bits(draw)[:1], public(32)],
    "boost.splits.weights.weigh": lambda draw: [*_weigh(draw), public(GARBLED)],
    "mpc.numbers.truncate.truncate": lambda draw: [
        _numbers(draw, _count(draw)),
        public(int(draw.integers(1, 30))),
        public(32),
    ],
}
"""The same for protocols in smaller rings, without some bits, and by garbled circuits."""


def prepare(name: str, party: Party, arguments: list[Any]) -> list[Any]:
    """What has to happen before the call: fixed matrices are registered once a job, masks made.

    Gives the arguments: a source without a dealer puts noise below the sums of that shape.
    """
    shape, *others = arguments if arguments else (None,)
    if name == "mpc.matrix.histograms":
        shape = register(party, shape, others[party.rank].buckets)
    elif name == "boost.histogram.build":
        shape = register(party, shape, others[0].buckets)
    elif name == "mpc.left_bits.left_bits":
        register_rows(party, shape, others[party.rank].buckets, others[2].count, 1)
    elif name == "mpc.numbers.logarithm.normalised":
        wanted = normal_masks(searched(shape, others[0]), shape[0].words.shape[1])
        others[1] = Preparation(party, wanted).ready()
    elif name.startswith("mpc.trees.leaf_sums"):
        others.append(agree_leaves(party, *others))
        if name.endswith("leaf_values"):
            others.append(WHOLE_BITS)
    return [shape, *others] if arguments else []
