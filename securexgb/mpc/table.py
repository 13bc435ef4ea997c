"""Public functions of a few shared bits: every value stands in a table.

Say v has w bits, shared bit by bit, and the table has 2^w entries. With one-hot marks of v,
m_u = [v = u], the entry is the exclusive or of all m_u T[u], which is linear, so local; but
2^w marks are many. So v is cut into a high part i and a low part j, and only the marks of
both parts are made: for each i the or of [j = u] T[i, u] over u is local, the mark [i] lets
the right one through. That is some 2^|j| + 2^|i| (output bits) ands in place of 2^w.

Marks of several bits are all products of the marks of their halves, a tree of log2 levels.
One-hot marks add up to 1, so the first row and the first column of such a product of
tables follow from the rest, and the first high part needs no gate.

Nothing is opened and no address depends on a share: every entry of the table takes part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.mpc.compare import not_bits
from securexgb.mpc.multiply import gate_bits, gate_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import SharedBits, Words

MOST_BITS = 14
"""Bits of an index, at most."""
_SOURCE = "Tables by one-hot marks: Launchbury et al., ICFP 2012; outer products as there"


@dataclass(frozen=True)
class _Product:
    """Two neighbouring pieces of an index: their bits, lower first, and in which group."""

    group: int
    low: int
    high: int

    @property
    def gates(self) -> int:
        """Marks that let others through: the fewer ones, but for the first."""
        return (1 << min(self.low, self.high)) - 1

    @property
    def width(self) -> int:
        """Marks that each of them lets through or not."""
        return (1 << max(self.low, self.high)) - 1


def _levels(widths: tuple[int, ...]) -> Iterator[list[_Product]]:
    """The products of each level of all groups' trees: neighbours join until one piece is left."""
    pieces = [[1] * width for width in widths]
    while any(len(group) > 1 for group in pieces):
        products = []
        for which, group in enumerate(pieces):
            pairs = list(zip(group[::2], group[1::2], strict=False))
            products += [_Product(which, *pair) for pair in pairs]
            pieces[which] = [a + b for a, b in pairs] + group[2 * len(pairs) :]
        yield products


def _by_width(products: list[_Product]) -> dict[int, list[int]]:
    """Products whose gates are equally wide go together: width -> their numbers."""
    together: dict[int, list[int]] = {}
    for number, product in enumerate(products):
        together.setdefault(product.width, []).append(number)
    return together


def marks_cost(widths: tuple[int, ...], words: int) -> Cost:
    """Cost of the marks of groups of so many bits, side by side, of 64 * ``words`` elements."""
    total = Cost()
    for products in _levels(widths):
        for width, numbers in _by_width(products).items():
            total += gate_cost(width, words * sum(products[k].gates for k in numbers))
    return total


def split_of(width: int, out_bits: int) -> int:
    """How many bits the high part has: the choice with the fewest gated bits.

    A gate counts as one bit: that is what it sends apart from what it lets through.
    """

    def bits(high: int) -> int:
        products = [p for level in _levels((width - high, high)) for p in level]
        return sum(p.gates * (1 + p.width) for p in products) + ((1 << high) - 1) * (1 + out_bits)

    return min(range(width), key=bits)


def lookup_cost(width: int, out_bits: int, words: int) -> Cost:
    """Cost of ``lookup`` for 64 * ``words`` elements."""
    high = split_of(width, out_bits)
    cost = marks_cost((width - high, high), words)
    return cost + gate_cost(out_bits, ((1 << high) - 1) * words) if high else cost


def _ideal_marks(bits: SharedBits) -> SharedBits:
    values = _kernels.from_slices(np.ascontiguousarray(bits.words), bits.count)
    marks = np.arange(1 << bits.words.shape[0], dtype=np.uint64)[:, None] == values
    rows = [_kernels.pack_bits(row.view(np.uint8)) for row in marks]
    return SharedBits(np.stack(rows), bits.count)


def _ideal_lookup(bits: SharedBits, table: Words, out_bits: int) -> SharedBits:
    values = _kernels.from_slices(np.ascontiguousarray(bits.words), bits.count)
    return SharedBits(_kernels.to_slices(table[values], out_bits), bits.count)


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
    cost=lambda bits, table, out_bits: lookup_cost(
        bits.words.shape[0], out_bits, bits.words.shape[1]
    ),
    opens=COMPOSED,
    source=_SOURCE,
    ideal=_ideal_lookup,
)
def lookup(party: Party, bits: SharedBits, table: NDArray[np.uint64], out_bits: int) -> SharedBits:
    """The low ``out_bits`` bits of ``table[v]``, (out_bits, n), lowest first.

    ``bits``: (w, n), 1 <= w <= 14, the bits of v, lowest first; ``table``: public, (2^w,);
    1 <= ``out_bits`` <= 64.
    """
    width, count = bits.words.shape[0], bits.count
    assert table.shape == (1 << width,)
    assert width <= MOST_BITS
    high = split_of(width, out_bits)
    if not high:
        return SharedBits(_select(_marks(party, [bits])[0].words, table[None], out_bits), count)
    low_marks, high_marks = _marks(party, [bits[: width - high], bits[width - high :]])
    rows = table.reshape(1 << high, -1).copy()
    # Marks add up to 1: T[0] always comes through, the others' difference to it where i > 0.
    rows[1:] ^= rows[0]
    found = _select(low_marks.words, rows, out_bits).reshape(1 << high, out_bits, -1)
    gated = np.ascontiguousarray(found[1:].swapaxes(0, 1))
    through = gate_bits(party, high_marks[1:], SharedBits(gated, count))
    return SharedBits(found[0], count) ^ through.xor_all(axis=1)


def _select(marks: Words, rows: Words, out_bits: int) -> Words:
    """For each row of entries (r, m) the marked entry's bits, (r * out_bits, words)."""
    shifts = np.arange(out_bits, dtype=np.uint64)[:, None]
    flags = (rows[:, None, :] >> shifts & np.uint64(1)).astype(np.uint8)
    flags = flags.reshape(-1, rows.shape[1])
    padded = np.zeros((flags.shape[0], -(-flags.shape[1] // 64) * 64), np.uint8)
    padded[:, : flags.shape[1]] = flags
    selection = np.packbits(padded, axis=1, bitorder="little").view("<u8")
    return _kernels.xor_select(marks, selection)


def _marks(party: Party, groups: list[SharedBits]) -> list[SharedBits]:
    """One-hot marks of several numbers (w_k, n) at once: (2^w_k, n) each."""
    count = groups[0].count
    pieces = [
        [np.stack([not_bits(party, bit).words, bit.words]) for bit in _each(group)]
        for group in groups
    ]
    for products in _levels(tuple(len(group) for group in pieces)):
        joined = _multiply(party, products, pieces, count)
        for which, group in enumerate(pieces):
            done = [m for p, m in zip(products, joined, strict=True) if p.group == which]
            pieces[which] = done + group[2 * len(done) :]
    return [SharedBits(group[0], count) for group in pieces]


def _each(bits: SharedBits) -> list[SharedBits]:
    return [bits[k] for k in range(bits.words.shape[0])]


def _multiply(
    party: Party, products: list[_Product], pieces: list[list[Words]], count: int
) -> list[Words]:
    """One level: the joint marks (2^(low + high), words) of every product."""
    pairs = [pair for group in pieces for pair in zip(group[::2], group[1::2], strict=False)]
    results: dict[int, Words] = {}
    for width, numbers in _by_width(products).items():
        sides = [sorted(pairs[k], key=len) for k in numbers]
        gates = np.concatenate([few[1:] for few, _ in sides])
        vectors = [
            np.broadcast_to(many[1:, None], (width, len(few) - 1, many.shape[1]))
            for few, many in sides
        ]
        inner = gate_bits(
            party,
            SharedBits(gates, count),
            SharedBits(np.concatenate(vectors, axis=1), count),
        ).words
        ends = np.cumsum([products[k].gates for k in numbers])[:-1]
        for k, part in zip(numbers, np.split(inner, ends, axis=1), strict=True):
            low_is_gate = products[k].low <= products[k].high
            results[k] = _complete(*pairs[k], part if low_is_gate else part.swapaxes(0, 1))
    return [results[k] for k in range(len(products))]


def _complete(low: Words, high: Words, inner: Words) -> Words:
    """All joint marks from those without a zero: sums along a line are the other side's mark."""
    marks = np.empty((len(high), len(low), low.shape[1]), np.uint64)
    marks[1:, 1:] = inner
    marks[0, 1:] = low[1:] ^ np.bitwise_xor.reduce(inner, axis=0)
    marks[1:, 0] = high[1:] ^ np.bitwise_xor.reduce(inner, axis=1)
    marks[0, 0] = low[0] ^ np.bitwise_xor.reduce(marks[1:, 0], axis=0)
    return marks.reshape(-1, low.shape[1])
