"""Public functions of a few shared bits: every value stands in a table.

Say v has w bits, shared bit by bit, and the table has 2^w entries. With one-hot marks of v,
m_u = [v = u], the entry is the exclusive or of all m_u T[u], which is linear, so local; but
2^w marks are many. So v has a low part j and a high part i, and only the marks of
both parts are made: for each i the or of [j = u] T[i, u] over u is local, the mark [i] lets
the right one through. That is some 2^|j| + 2^|i| (output bits) ands in place of 2^w.

Tables that are looked up at once may have parts in common, as those of a bipartite table do: the
marks of a part are made once, and entries of several tables behind the same mark share its gate.
So do the low parts of several tables that a part between low and high belongs to: each of its
marks lets those of all of them through.

Marks of several bits are all products of the marks of two parts of them, a tree: the one that
is cheapest with one round more than the flattest, where a gate and the bits behind it count.
One-hot marks add up to 1, so the first row and the first column of such a product of
tables follow from the rest, and the first high part needs no gate.

Nothing is opened and no address depends on a share: every entry of the table takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, reduce

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import from_slices, stacked, to_slices
from securexgb.correlations.gates import WIDEST
from securexgb.mpc.compare import not_bits
from securexgb.mpc.multiply import gate_cost, gates_at_once
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import SharedBits, Words

GATE_WEIGHT = 64
"""A gate is as dear as so many bits behind it (measured without a dealer: two transfers)."""


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


@dataclass(frozen=True)
class Place:
    """Where a table's index stands among the parts: the low one and the high one, by number.

    ``between``: a part whose bits stand above those of the low one and count with them, or None.
    """

    low: int
    high: int
    between: int | None = None

    @property
    def lows(self) -> tuple[int, ...]:
        """The parts whose marks are made together, the lowest first."""
        return (self.low,) if self.between is None else (self.low, self.between)


@dataclass(frozen=True)
class Lookups:
    """What look-ups cost by: bits of each part, and each table's place and bits of an entry."""

    widths: tuple[int, ...]
    places: tuple[Place, ...]
    out_bits: tuple[int, ...]

    def behind(self) -> dict[int, list[int]]:
        """The tables behind the marks of each high part."""
        found: dict[int, list[int]] = {}
        for table, place in enumerate(self.places):
            found.setdefault(place.high, []).append(table)
        return found

    def joined(self) -> dict[int, list[int]]:
        """The low parts behind the marks of each part between, each of them once."""
        found: dict[int, list[int]] = {}
        for place in self.places:
            if place.between is not None and place.low not in found.setdefault(place.between, []):
                found[place.between].append(place.low)
        return found

    def entries(self, place: Place) -> tuple[int, int]:
        """How many values the high part of an index has, and all below it."""
        return 1 << self.widths[place.high], 1 << sum(self.widths[part] for part in place.lows)


def lookups_cost(shape: Lookups, words: int) -> Cost:
    """Cost of ``lookups`` for 64 * ``words`` elements."""
    return marks_cost(shape.widths, words) + entries_cost(shape, words)


@dataclass(frozen=True, eq=False, repr=False)
class Tables:
    """Public tables that the index at a place is looked up in: (k, 2^|i|, 2^|j|), one by run.

    j is the low part, with the one between above it. The low ``out_bits`` bits of an entry count,
    1 to 64.
    """

    entries: Words
    out_bits: int
    place: Place

    def found(self, low_marks: SharedBits, runs: tuple[int, ...]) -> Words:
        """For each high part the entry's bits, from the low part's marks: (2^|i|, out, words).

        Marks add up to 1: the first always comes through, the others are their difference to it.
        """
        found = _kernels.xor_marked(low_marks.words, self._selections, runs)
        return found.reshape(self.entries.shape[1], self.out_bits, -1)

    @cached_property
    def _selections(self) -> Words:
        """Which marks make each bit; the same whatever is looked up, in every block of rows."""
        rows = self.entries.copy()
        rows[:, 1:] ^= rows[:, :1]
        return _selections(rows, self.out_bits)


def shape_of(parts: Sequence[SharedBits], tables: Sequence[Tables]) -> Lookups:
    """What look-ups cost, from what they take."""
    return _shape(tuple(part.words.shape[0] for part in parts), tables)


def _shape_of_marks(marks: Sequence[SharedBits], tables: Sequence[Tables]) -> Lookups:
    return _shape(tuple(one.words.shape[0].bit_length() - 1 for one in marks), tables)


def _shape(widths: tuple[int, ...], tables: Sequence[Tables]) -> Lookups:
    outs = tuple(one.out_bits for one in tables)
    return Lookups(widths, tuple(one.place for one in tables), outs)


def _ideal_lookups(
    parts: Sequence[SharedBits], tables: Sequence[Tables], runs: tuple[int, ...]
) -> tuple[SharedBits, ...]:
    numbers = [from_slices(part.words, part.count) for part in parts]
    return _entries(numbers, shape_of(parts, tables), tables, runs)


def _ideal_entries(
    marks: Sequence[SharedBits], tables: Sequence[Tables], runs: tuple[int, ...]
) -> tuple[SharedBits, ...]:
    numbers = [one.flags().argmax(axis=0).astype(np.uint64) for one in marks]
    return _entries(numbers, _shape_of_marks(marks, tables), tables, runs)


def _entries(
    numbers: Sequence[Words], shape: Lookups, tables: Sequence[Tables], runs: tuple[int, ...]
) -> tuple[SharedBits, ...]:
    """For functionalities: the entries at numbers in the clear, of each part."""
    which = np.repeat(np.arange(len(runs)), runs)
    result = []
    for one in tables:
        low = numbers[one.place.low]
        if one.place.between is not None:
            low = low | numbers[one.place.between] << np.uint64(shape.widths[one.place.low])
        entries = one.entries[which, numbers[one.place.high], low]
        result.append(SharedBits(to_slices(entries, one.out_bits), which.size))
    return tuple(result)


@protocol(
    cost=lambda parts, tables, runs: lookups_cost(shape_of(parts, tables), parts[0].words.shape[1]),
    opens=COMPOSED,
    source="Tables by one-hot marks: Launchbury et al., ICFP 2012; outer products as there",
    ideal=_ideal_lookups,
)
def lookups(
    party: Party, parts: Sequence[SharedBits], tables: Sequence[Tables], runs: tuple[int, ...]
) -> tuple[SharedBits, ...]:
    """Entries of public tables at shared indices, at once: the bits (out_bits, n) of each.

    ``parts``: of the indices, the bits of each lowest first, (width, n); a table's place says which
    address it. Elements lie in k ``runs`` one after the other, of so many each, n in all; each
    has a table of its own at each place. What is sent does not depend on the runs.
    """
    return entries_of(party, _marks(party, parts), tables, runs)


def entries_cost(shape: Lookups, words: int) -> Cost:
    """Cost of ``entries_of`` for 64 * ``words`` elements."""
    gates = [
        gate_cost(sum(shape.out_bits[k] for k in tables), ((1 << shape.widths[high]) - 1) * words)
        for high, tables in shape.behind().items()
    ]
    total = Cost()
    for by, lows in shape.joined().items():
        behind = sum((1 << shape.widths[k]) - 1 for k in lows)
        total = total.at_once(gate_cost(behind, ((1 << shape.widths[by]) - 1) * words))
    return total + reduce(Cost.at_once, gates)


@protocol(
    cost=lambda marks, tables, runs: entries_cost(
        _shape_of_marks(marks, tables), marks[0].words.shape[1]
    ),
    opens=COMPOSED,
    source="as lookups",
    ideal=_ideal_entries,
)
def entries_of(
    party: Party, marks: Sequence[SharedBits], tables: Sequence[Tables], runs: tuple[int, ...]
) -> tuple[SharedBits, ...]:
    """As ``lookups``, from the marks (2^width, n) of the parts."""
    shape, count = _shape_of_marks(marks, tables), marks[0].count
    if sum(runs) != count:
        raise ValueError(f"runs of {sum(runs)} elements, and {count} to look up")
    for one in tables:
        size = (len(runs), *shape.entries(one.place))
        if one.entries.shape != size:
            raise ValueError(f"tables of {one.entries.shape} at a place of {size}")
    lows = _joined(party, shape, marks)
    found = [one.found(lows[one.place.lows], runs) for one in tables]
    groups = shape.behind()
    jobs = [
        (marks[high].words[1:], _behind([found[k][1:] for k in behind]))
        for high, behind in groups.items()
    ]
    result = [part[0] for part in found]
    for behind, through in zip(groups.values(), gates_at_once(party, jobs, count), strict=True):
        ends = np.cumsum([shape.out_bits[k] for k in behind]).tolist()
        let_through = np.bitwise_xor.reduce(through, axis=1)
        for k, end in zip(behind, ends, strict=True):
            result[k] = result[k] ^ let_through[end - shape.out_bits[k] : end]
    return tuple(SharedBits(words, count) for words in result)


def _joined(
    party: Party, shape: Lookups, marks: Sequence[SharedBits]
) -> dict[tuple[int, ...], SharedBits]:
    """The marks of all low parts that tables have, with what is between."""
    lows: dict[tuple[int, ...], SharedBits] = {(part,): one for part, one in enumerate(marks)}
    groups, count = shape.joined(), marks[0].count
    jobs = []
    for by, parts in groups.items():
        others = np.concatenate([marks[part].words[1:] for part in parts])
        jobs.append(product_job(marks[by].words, np.concatenate([others[:1], others])))
    for (by, parts), through in zip(
        groups.items(), gates_at_once(party, jobs, count) if jobs else (), strict=True
    ):
        ends = np.cumsum([len(marks[part].words) - 1 for part in parts])[:-1]
        for part, inner in zip(parts, np.split(through, ends), strict=True):
            joint = complete(marks[part].words, marks[by].words, inner.swapaxes(0, 1))
            lows[part, by] = SharedBits(joint, count)
    return lows


def _behind(found: Sequence[Words]) -> Words:
    """Entries' bits (gates, out, words) of several tables, all bits behind each gate."""
    return np.ascontiguousarray(np.concatenate(found, axis=1).swapaxes(0, 1))


def _selections(rows: Words, out_bits: int) -> Words:
    """Bits of entries (k, r, m) by place, packed: (k, r * out_bits, ceil(m / 64))."""
    bits = np.ascontiguousarray(to_slices(rows, out_bits).transpose(1, 2, 0, 3))
    return bits.reshape(rows.shape[0], rows.shape[1] * out_bits, -1)


def _marks(party: Party, groups: Sequence[SharedBits]) -> list[SharedBits]:
    """One-hot marks of several numbers (w_k, n) at once: (2^w_k, n) each."""
    count = groups[0].count
    widths = tuple(group.words.shape[0] for group in groups)
    marks: dict[tuple[int, int, int], Words] = {}
    for group, bits in enumerate(groups):
        for place in range(widths[group]):
            bit = bits[place]
            marks[group, place, 1] = stacked([not_bits(party, bit).words, bit.words])
    for level in _levels(widths):
        pairs = [_sides(marks, group, product) for group, product in level]
        jobs = [product_job(*sorted(pair, key=len)) for pair in pairs]
        inner = gates_at_once(party, jobs, count)
        for (group, product), (low, high), part in zip(level, pairs, inner, strict=True):
            turned = part if len(low) <= len(high) else part.swapaxes(0, 1)
            marks[group, product.start, product.width] = complete(low, high, turned)
    whole = [marks[group, 0, width] for group, width in enumerate(widths)]
    return [SharedBits(words, count) for words in whole]


def _sides(
    marks: dict[tuple[int, int, int], Words], group: int, product: _Product
) -> tuple[Words, Words]:
    """Marks of a product's lower bits and of the rest; used once, so taken out."""
    start, low = product.start, product.low
    return marks.pop((group, start, low)), marks.pop((group, start + low, product.width - low))


def product_job(few: Words, many: Words) -> tuple[Words, Words]:
    """Gates, and what is behind them, for ``complete``: all marks but the first of either side."""
    shape = len(many) - 1, len(few) - 1, many.shape[1]
    return few[1:], np.broadcast_to(many[1:, None], shape)


def complete(low: Words, high: Words, inner: Words) -> Words:
    """All joint marks from those without a zero: sums along a line are the other side's mark."""
    marks = np.empty((len(high), len(low), low.shape[1]), np.uint64)
    marks[1:, 1:] = inner
    marks[0, 1:] = low[1:] ^ np.bitwise_xor.reduce(inner, axis=0)
    marks[1:, 0] = high[1:] ^ np.bitwise_xor.reduce(inner, axis=1)
    marks[0, 0] = low[0] ^ np.bitwise_xor.reduce(marks[1:, 0], axis=0)
    return marks.reshape(-1, low.shape[1])
