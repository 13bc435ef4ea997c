"""Smooth functions of a shared margin: piecewise parabolas chosen by comparisons.

The margin x, moved by 8, has its interval of width 1/2 in five of its bits. A demultiplexer
turns them into one-hot marks, gated by "inside [-8, 8)"; neighbouring intervals that share a
parabola share a mark, which is a free xor. The coefficients are linear in the marks, and
c0 + (c1 + c2 x) x takes two products, each truncated exactly. So the result is reproducible,
continuous (the parabolas interpolate at both ends and the middle) and equal to the plaintext
backend's; its error against the true function is stated at each function and tested.

Outside [-8, 8) marks for "below" and "above" take constants (or a line) of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.mpc.compare import all_cost, all_of, not_bits
from securexgb.mpc.convert import bits_cost, lift_cost, to_arithmetic, to_bits
from securexgb.mpc.multiply import and_bits, and_cost, multiply, product_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, words_per
from securexgb.mpc.truncate import round_off, shift_cost, truncate

MARGIN_BITS = 20
"""Fraction bits of a margin."""
_COEFFICIENT_BITS = 24
_RANGE_BITS = 46  # whatever 10,000 trees with leaves up to 2^11 add up to
_WIDTH_BIT = 19  # an interval is 2^19 units: 1/2
_INTERVAL_BITS = 5
_INTERVALS = 1 << _INTERVAL_BITS

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Pieces:
    """A function on the line: coefficients (3, pieces) of 1, x, x^2, below, inside, above.

    ``spans``: for each inside piece the half-open range of intervals that it covers.
    """

    spans: tuple[tuple[int, int], ...]
    coefficients: NDArray[np.int64]


def fit(
    function: Callable[[Real], Real],
    spans: tuple[tuple[int, int], ...],
    below: tuple[float, float],
    above: tuple[float, float],
) -> Pieces:
    """Parabolas through the ends and the middle of each span; lines c0 + c1 x outside."""
    columns = [[*below, 0.0]]
    for start, stop in spans:
        ends = np.array([start, (start + stop) / 2, stop]) / 2 - 8
        columns.append([float(c) for c in np.polyfit(ends, function(ends), 2)[::-1]])
    columns.append([*above, 0.0])
    scaled = np.round(np.array(columns).T * 2.0**_COEFFICIENT_BITS).astype(np.int64)
    return Pieces(spans, scaled)


def _spans(first: int, last: int) -> tuple[tuple[int, int], ...]:
    """Width 1/2 where |x| < 4, width 1 (two intervals) beyond, from ``first`` to ``last``."""
    outer_left = [(i, min(i + 2, 8)) for i in range(first, 8, 2)]
    outer_right = [(i, min(i + 2, last)) for i in range(24, last, 2)]
    return (*outer_left, *((i, i + 1) for i in range(8, 24)), *outer_right)


def sigmoid_pieces() -> Pieces:
    """1 / (1 + exp(-x)) on [-7.5, 7.5), constants 2^-11 and 1 - 2^-11 beyond.

    Error at most 2.5e-4 inside and 6e-4 beyond; monotone but for 2^-19 at the joints. The
    floor keeps the hessian p(1 - p) above 2^-12 and with it every leaf weight below 2^11.
    """
    floor = 2.0**-11

    def logistic(x: Real) -> Real:
        return 1 / (1 + np.exp(-x))

    return fit(logistic, _spans(1, 31), (floor, 0.0), (1 - floor, 0.0))


def softplus_pieces() -> Pieces:
    """log(1 + exp(x)) on [-8, 8), 0 and x beyond; error at most 4e-4."""

    def softplus(x: Real) -> Real:
        return np.logaddexp(0.0, x)

    return fit(softplus, _spans(0, 32), (0.0, 0.0), (0.0, 1.0))


def pieces_cost(pieces: Pieces, out_bits: int, count: int) -> Cost:
    """Cost of ``evaluate`` for so many margins."""
    words = words_per(count)
    marks = bits_cost(_RANGE_BITS, count) + all_cost(
        _RANGE_BITS - _WIDTH_BIT - _INTERVAL_BITS, words
    )
    for level in range(_INTERVAL_BITS):
        marks += and_cost(words << level)
    marks += lift_cost((len(pieces.spans) + 2) * words)
    square = product_cost(count) + shift_cost(MARGIN_BITS, count)
    last = product_cost(count) + shift_cost(MARGIN_BITS + _COEFFICIENT_BITS - out_bits, count)
    return marks + square + last


@protocol(
    cost=lambda pieces, x, out_bits: pieces_cost(pieces, out_bits, x.size),
    opens=COMPOSED,
    source="docs/protocols.md, piecewise parabolas",
    ideal=None,
)
def evaluate(party: Party, pieces: Pieces, x: Shared, out_bits: int) -> Shared:
    """The function of ``x`` (n,), margins with 20 fraction bits, |x| < 2^25 - 8.

    Where a line goes on outside (softplus), |x| < 2^17.

    The result has ``out_bits`` <= 24 fraction bits.
    """
    marks = to_arithmetic(party, _marks(party, pieces, x))
    flat = marks.words.T @ pieces.coefficients.T.view(np.uint64)
    c0, c1, c2 = (Shared(np.ascontiguousarray(column)) for column in flat.T)
    slope = c1 + truncate(party, multiply(party, c2, x), MARGIN_BITS)
    scaled = multiply(party, slope, x) + c0.scale(1 << MARGIN_BITS)
    return round_off(party, scaled, MARGIN_BITS + _COEFFICIENT_BITS - out_bits)


def _marks(party: Party, pieces: Pieces, x: Shared) -> SharedBits:
    """One-hot marks (pieces + 2, n): below, the inside pieces, above."""
    offset = np.uint64(8 << MARGIN_BITS) if party.rank == 0 else np.uint64(0)
    bits = to_bits(party, Shared(x.words + offset), _RANGE_BITS)
    negative = bits[_RANGE_BITS - 1]
    high = not_bits(party, bits[_WIDTH_BIT + _INTERVAL_BITS : _RANGE_BITS])
    inside = all_of(party, high)
    marks = _demultiplex(party, bits[_WIDTH_BIT : _WIDTH_BIT + _INTERVAL_BITS], inside)
    first, last = pieces.spans[0][0], pieces.spans[-1][1]
    merged = [marks[start:stop].xor_all() for start, stop in pieces.spans]
    outside = not_bits(party, inside)
    below, above = negative, outside ^ negative
    if first > 0:
        below = below ^ marks[:first].xor_all()
    if last < _INTERVALS:
        above = above ^ marks[last:].xor_all()
    return SharedBits.stack([below, *merged, above])


def _demultiplex(party: Party, bits: SharedBits, gate: SharedBits) -> SharedBits:
    """One-hot marks (2^k, n) of k bits, lowest first, all zero where ``gate`` is 0."""
    marks = gate.words[None]
    for bit in reversed(range(bits.words.shape[0])):
        one = and_bits(
            party,
            SharedBits(marks, bits.count),
            SharedBits(np.broadcast_to(bits.words[bit], marks.shape).copy(), bits.count),
        ).words
        marks = np.stack([marks ^ one, one], axis=1).reshape(-1, marks.shape[1])
    return SharedBits(marks, bits.count)


@protocol(
    cost=lambda margins, out_bits: pieces_cost(sigmoid_pieces(), out_bits, margins.size),
    opens=COMPOSED,
    source="docs/protocols.md, piecewise parabolas",
    ideal=None,
)
def sigmoid(party: Party, margins: Shared, out_bits: int) -> Shared:
    """p = sigmoid(margin) with ``out_bits`` fraction bits; error <= 6e-4, see sigmoid_pieces."""
    return evaluate(party, sigmoid_pieces(), margins, out_bits)


@protocol(
    cost=lambda margins, out_bits: pieces_cost(softplus_pieces(), out_bits, margins.size),
    opens=COMPOSED,
    source="docs/protocols.md, piecewise parabolas",
    ideal=None,
)
def softplus(party: Party, margins: Shared, out_bits: int) -> Shared:
    """log(1 + exp(margin)) with ``out_bits`` fraction bits; error <= 4e-4."""
    return evaluate(party, softplus_pieces(), margins, out_bits)
