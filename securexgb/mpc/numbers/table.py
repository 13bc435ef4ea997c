"""Public functions of a few shared bits: every value stands in a table.

Say v has w bits, shared bit by bit, and the table has 2^w entries. With one-hot marks of v,
m_u = [v = u], the entry is the exclusive or of all m_u T[u], which is linear, so local; but
2^w marks are many. So v is cut into a high part i and a low part j, and only the marks of
both parts are made: for each i the or of [j = u] T[i, u] over u is local, the mark [i] lets
the right one through. That is some 2^|j| + 2^|i| (output bits) ands in place of 2^w.

Marks of several bits are all products of the marks of two parts of them, a tree: the one that
is cheapest with one round more than the flattest, where a gate and the bits behind it count.
One-hot marks add up to 1, so the first row and the first column of such a product of
tables follow from the rest, and the first high part needs no gate.

Nothing is opened and no address depends on a share: every entry of the table takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import from_slices, pack_bits, to_slices
from securexgb.correlations.gates import WIDEST
from securexgb.mpc.compare import not_bits
from securexgb.mpc.multiply import gate_cost, gates_at_once
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import SharedBits, Words

MOST_BITS = 14
"""Bits of an index, at most."""
GATE_WEIGHT = 64
"""A gate is as dear as so many bits behind it (measured without a dealer: two transfers)."""
_SOURCE = "Tables by one-hot marks: Launchbury et al., ICFP 2012; outer products as there"


def _weight(gates: int, width: int) -> int:
    """Of so many gates with so many bits behind each."""
    return gates * (-(-width // WIDEST) * GATE_WEIGHT + width)


@dataclass(frozen=True)
class _Product:
    """A piece of an index and how its marks are made: those of its lower bits times the rest's.

    ``start``, ``width``: its bits; ``low``: how many lower ones. ``height``: rounds.
    """

    start: int
    low: int
    width: int
    height: int

    @property
    def gates(self) -> int:
        """Marks that let others through: the fewer ones, but for the first."""
        return (1 << min(self.low, self.width - self.low)) - 1

    @property
    def behind(self) -> int:
        """Marks that each of them lets through or not."""
        return (1 << max(self.low, self.width - self.low)) - 1


@cache
def _tree(width: int, rounds: int) -> tuple[_Product, ...] | None:
    """The products that make the marks of so many bits with the least weight, if there is time.

    The whole comes last; none for a single bit.
    """
    if width == 1:
        return ()
    best: tuple[_Product, ...] | None = None
    for low in range(1, width // 2 + 1):
        first, second = _tree(low, rounds - 1), _tree(width - low, rounds - 1)
        if rounds < 1 or first is None or second is None:
            continue
        moved = [_Product(p.start + low, p.low, p.width, p.height) for p in second]
        height = 1 + max((p.height for p in (*first, *second)), default=0)
        tree = (*first, *moved, _Product(0, low, width, height))
        if best is None or _weight_of(tree) < _weight_of(best):
            best = tree
    return best


def _weight_of(tree: tuple[_Product, ...]) -> int:
    return sum(_weight(product.gates, product.behind) for product in tree)


def _products(width: int) -> tuple[_Product, ...]:
    """The best tree with one round more than the flattest one has."""
    tree = _tree(width, (width - 1).bit_length() + 1) if width else ()
    assert tree is not None
    return tree


@cache
def _levels(widths: tuple[int, ...]) -> list[list[tuple[int, _Product]]]:
    """The products of several groups by round, with the group of each."""
    all_of = [(group, p) for group, width in enumerate(widths) for p in _products(width)]
    rounds = max((product.height for _, product in all_of), default=0)
    return [[(g, p) for g, p in all_of if p.height == height + 1] for height in range(rounds)]


def marks_cost(widths: tuple[int, ...], words: int) -> Cost:
    """Cost of the marks of groups of so many bits, side by side, of 64 * ``words`` elements."""
    total = Cost()
    for level in _levels(widths):
        costs = [gate_cost(product.behind, product.gates * words) for _, product in level]
        total += reduce(Cost.at_once, costs)
    return total


@cache
def split_of(width: int, out_bits: int) -> int:
    """How many bits the high part has: the choice of the least weight."""

    def weight(high: int) -> int:
        marks = _weight_of(_products(width - high)) + _weight_of(_products(high))
        return marks + _weight((1 << high) - 1, out_bits)

    return min(range(width), key=weight)


def lookup_cost(width: int, out_bits: int, words: int, high: int | None = None) -> Cost:
    """Cost of ``lookup`` for 64 * ``words`` elements; ``high``: a split other than the best."""
    highs = None if high is None else (high,)
    return lookups_cost([(width, out_bits)], words, highs)


def lookups_cost(
    shapes: Sequence[tuple[int, int]], words: int, highs: Sequence[int] | None = None
) -> Cost:
    """The same of ``lookups``; ``shapes``: bits of each index, and of its entries."""
    if highs is None:
        highs = [split_of(width, out_bits) for width, out_bits in shapes]
    cuts = zip(shapes, highs, strict=True)
    cost = marks_cost(tuple(w for (width, _), high in cuts for w in (width - high, high)), words)
    gates = [
        gate_cost(out_bits, ((1 << high) - 1) * words)
        for (_, out_bits), high in zip(shapes, highs, strict=True)
        if high
    ]
    return cost + reduce(Cost.at_once, gates, Cost())


def _ideal_marks(bits: SharedBits) -> SharedBits:
    values = from_slices(bits.words, bits.count)
    marks = np.arange(1 << bits.words.shape[0], dtype=np.uint64)[:, None] == values
    return SharedBits(pack_bits(marks), bits.count)


@dataclass(frozen=True, eq=False, repr=False)
class Tables:
    """Public tables that an index of w bits is looked up in: ``entries`` (k, 2^w), one by run.

    The low ``out_bits`` bits of an entry count; 1 <= w <= 14, 1 <= out_bits <= 64.
    """

    entries: Words
    out_bits: int

    @property
    def width(self) -> int:
        """Bits of the index."""
        return int(self.entries.shape[1]).bit_length() - 1

    @property
    def high(self) -> int:
        """Bits of the high part."""
        return split_of(self.width, self.out_bits)

    def parts(self, bits: SharedBits) -> list[SharedBits]:
        """The index's low part, and the high one if there is one."""
        low = self.width - self.high
        return [bits[:low], bits[low:]] if self.high else [bits]

    def found(self, low_marks: SharedBits, runs: tuple[int, ...]) -> Words:
        """For each high part the entry's bits, from the low part's marks: (2^high, out, words).

        Marks add up to 1: the first always comes through, the others are their difference to it.
        """
        rows = self.entries.reshape(len(self.entries), 1 << self.high, -1).copy()
        rows[:, 1:] ^= rows[:, :1]
        found = _kernels.xor_marked(low_marks.words, _selections(rows, self.out_bits), runs)
        return found.reshape(1 << self.high, self.out_bits, -1)


def _indices(bits: SharedBits, tables: Sequence[Tables]) -> list[SharedBits]:
    """The bits of each index, which lie one after the other."""
    ends = np.cumsum([one.width for one in tables]).tolist()
    return [bits[end - one.width : end] for end, one in zip(ends, tables, strict=True)]


def _ideal_lookups(
    bits: SharedBits, tables: Sequence[Tables], runs: tuple[int, ...]
) -> tuple[SharedBits, ...]:
    which = np.repeat(np.arange(len(runs)), runs)
    result = []
    for index, one in zip(_indices(bits, tables), tables, strict=True):
        values = from_slices(index.words, bits.count)
        found = to_slices(one.entries[which, values], one.out_bits)
        result.append(SharedBits(found, bits.count))
    return tuple(result)


@protocol(
    cost=lambda bits: marks_cost((bits.words.shape[0],), bits.words.shape[1]),
    opens=COMPOSED,
    source=_SOURCE,
    ideal=_ideal_marks,
)
def one_hot(party: Party, bits: SharedBits) -> SharedBits:
    """One-hot marks (2^w, n) of the numbers whose bits, lowest first, are ``bits`` (w, n)."""
    return _marks(party, [bits])[0]


@protocol(
    cost=lambda bits, tables, runs: lookups_cost(
        [(one.width, one.out_bits) for one in tables], bits.words.shape[1]
    ),
    opens=COMPOSED,
    source=_SOURCE,
    ideal=_ideal_lookups,
)
def lookups(
    party: Party, bits: SharedBits, tables: Sequence[Tables], runs: tuple[int, ...]
) -> tuple[SharedBits, ...]:
    """Entries of public tables at shared indices, at once: the bits (out_bits, n) of each.

    ``bits``: those of the indices one after the other, each lowest first, (sum of widths, n).
    Elements lie in k ``runs`` one after the other, of so many each, n in all; each has a table
    of its own for each index. What is sent does not depend on the runs.
    """
    assert sum(runs) == bits.count
    for one in tables:
        assert one.entries.shape == (len(runs), 1 << one.width)
        assert one.width <= MOST_BITS
    indices = zip(_indices(bits, tables), tables, strict=True)
    marks = iter(_marks(party, [part for index, one in indices for part in one.parts(index)]))
    found, jobs = [], []
    for one in tables:
        found.append(one.found(next(marks), runs))
        if one.high:
            behind = np.ascontiguousarray(found[-1][1:].swapaxes(0, 1))
            jobs.append((next(marks).words[1:], behind))
    through = iter(gates_at_once(party, jobs, bits.count) if jobs else [])
    result = []
    for part, one in zip(found, tables, strict=True):
        others = np.bitwise_xor.reduce(next(through), axis=1) if one.high else np.uint64(0)
        result.append(SharedBits(part[0] ^ others, bits.count))
    return tuple(result)


def lookup(party: Party, bits: SharedBits, table: Words, out_bits: int) -> SharedBits:
    """The entries of one table (2^w,) for all elements, see ``Tables``: bits (out_bits, n)."""
    return lookups(party, bits, [Tables(table[None], out_bits)], (bits.count,))[0]


def _selections(rows: Words, out_bits: int) -> Words:
    """Bits of entries (k, r, m) by place, packed: (k, r * out_bits, ceil(m / 64))."""
    bits = np.ascontiguousarray(to_slices(rows, out_bits).transpose(1, 2, 0, 3))
    return bits.reshape(rows.shape[0], rows.shape[1] * out_bits, -1)


def _marks(party: Party, groups: list[SharedBits]) -> list[SharedBits]:
    """One-hot marks of several numbers (w_k, n) at once: (2^w_k, n) each."""
    count = groups[0].count
    widths = tuple(group.words.shape[0] for group in groups)
    marks: dict[tuple[int, int, int], Words] = {}
    for group, bits in enumerate(groups):
        for place in range(widths[group]):
            bit = bits[place]
            marks[group, place, 1] = np.stack([not_bits(party, bit).words, bit.words])
    for level in _levels(widths):
        pairs = [_sides(marks, group, product) for group, product in level]
        jobs = [_job(*sorted(pair, key=len)) for pair in pairs]
        inner = gates_at_once(party, jobs, count)
        for (group, product), (low, high), part in zip(level, pairs, inner, strict=True):
            turned = part if len(low) <= len(high) else part.swapaxes(0, 1)
            marks[group, product.start, product.width] = _complete(low, high, turned)
    whole = [marks[group, 0, width] for group, width in enumerate(widths)]
    return [SharedBits(words, count) for words in whole]


def _sides(
    marks: dict[tuple[int, int, int], Words], group: int, product: _Product
) -> tuple[Words, Words]:
    """Marks of a product's lower bits and of the rest; used once, so taken out."""
    start, low = product.start, product.low
    return marks.pop((group, start, low)), marks.pop((group, start + low, product.width - low))


def _job(few: Words, many: Words) -> tuple[Words, Words]:
    """Gates and what is behind them: all marks but the first of either side."""
    shape = len(many) - 1, len(few) - 1, many.shape[1]
    return few[1:], np.broadcast_to(many[1:, None], shape)


def _complete(low: Words, high: Words, inner: Words) -> Words:
    """All joint marks from those without a zero: sums along a line are the other side's mark."""
    marks = np.empty((len(high), len(low), low.shape[1]), np.uint64)
    marks[1:, 1:] = inner
    marks[0, 1:] = low[1:] ^ np.bitwise_xor.reduce(inner, axis=0)
    marks[1:, 0] = high[1:] ^ np.bitwise_xor.reduce(inner, axis=1)
    marks[0, 0] = low[0] ^ np.bitwise_xor.reduce(marks[1:, 0], axis=0)
    return marks.reshape(-1, low.shape[1])
