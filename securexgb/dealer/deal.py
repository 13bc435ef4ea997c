"""What a dealer computes: pieces grown from two seeds, and the corrections that fit them.

Almost all of a correlation can be drawn freely. Each party draws its free pieces
alone, from its own seed; the dealer, who is given both seeds, draws the same pieces
and computes the one piece that is not free, the **correction**. It always belongs to
party 1, so that party 0 never waits for anybody.

    kind             free at party 0      free at party 1   correction, at party 1
    triples          a, b, c              a, b              c1 = (a0+a1)(b0+b1) - c0
    gates            a, b, c              a, b              c1 = (a0^a1)&(b0^b1) ^ c0
    digits_from_0    messages             choices           chosen = messages[choices]
    digits_from_1    choices, chosen      messages'         base = chosen ^ messages'[choices]
    shared_bits      boolean, arithmetic  boolean           s1 = (r0^r1) - s0
    half_bits        the same with two halves of 32 bits to an arithmetic word
    ot_w_from_0      zero, delta          choices           chosen = zero + choice * delta
    ot_w_from_1      choices, chosen      delta             zero = chosen - choice * delta
    products         products             -                 a U - products0

For digits_from_1 the messages are messages' ^ base. Of w bits 64 / w lie in a word, and 128
are two words. For products, a is drawn by the party that does not own the matrix and the mask U
by the owner. A correction is uniform given party 1's own pieces, because party 0's share in it is
a fresh one-time pad.

Every piece of every kind is a stream of its own: AES-128-CTR under
HKDF(seed, session, kind, piece). Elements are counted in blocks of 64, for each of which a
piece takes a whole number of words of its stream: so parties and dealer may cut the streams
into runs of different lengths. Rows of a piece lie side by side within a block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.offline.correlations import BITS, DIGITS, GATES, TRANSFERS, Kind, Words

Pieces = tuple[Words, ...]
Numbers = NDArray[np.unsignedinteger[Any]]

BLOCK = 64
"""Elements."""


@dataclass(frozen=True)
class Piece:
    """One array of a kind: ``rows`` rows with ``per_block`` words each for 64 elements."""

    name: str
    rows: tuple[int, ...] = ()
    per_block: int = BLOCK

    @property
    def words(self) -> int:
        """Words of a block."""
        return prod(self.rows) * self.per_block

    def array(self, stream: Words) -> Words:
        """Words as drawn or sent, block after block, as an array (*rows, words)."""
        if not self.rows:
            return stream
        blocks = np.moveaxis(stream.reshape(-1, *self.rows, self.per_block), 0, -2)
        return blocks.reshape(*self.rows, blocks.shape[-2] * self.per_block)

    def stream(self, array: Words) -> Words:
        """Undoes ``array``."""
        blocks = array.reshape(*self.rows, array.shape[-1] // self.per_block, self.per_block)
        return np.moveaxis(blocks, -2, 0).reshape(-1)


@dataclass(frozen=True)
class Shape:
    """The free pieces of a kind at party 0 and at party 1, and the correction."""

    free: tuple[tuple[Piece, ...], tuple[Piece, ...]]
    fitted: Piece


def _triple(*rows: int) -> Shape:
    a, b, c = Piece("a"), Piece("b", rows), Piece("c", rows)
    return Shape(((a, b, c), (a, b)), c)


def _digits(width: int, sender: int) -> Shape:
    messages, choices = Piece("messages", (16, width)), Piece("choices", (4,))
    chosen = Piece("chosen", (width,))
    if sender == 0:
        return Shape(((messages,), (choices,)), chosen)
    return Shape(((choices, chosen), (messages,)), Piece("base", (width,)))


def _bits(per_block: int) -> Shape:
    boolean, arithmetic = Piece("boolean", (), 1), Piece("arithmetic", (), per_block)
    return Shape(((boolean, arithmetic), (boolean,)), arithmetic)


def _transfers(bits: int, sender: int) -> Shape:
    rows, per_block = (() if bits <= BLOCK else (bits // BLOCK,)), min(bits, BLOCK)
    zero, delta = Piece("zero", rows, per_block), Piece("delta", rows, per_block)
    choices, chosen = Piece("choices", (), 1), Piece("chosen", rows, per_block)
    if sender == 0:
        return Shape(((zero, delta), (choices,)), chosen)
    return Shape(((choices, chosen), (delta,)), zero)


SHAPES: Mapping[Kind, Shape] = MappingProxyType(
    {Kind.TRIPLES: _triple()}
    | {kind: _triple(width) for width, kind in GATES.items()}
    | {kind: _digits(*of) for of, kind in DIGITS.items()}
    | {kind: _bits(ring_bits) for ring_bits, kind in BITS.items()}
    | {kind: _transfers(*of) for of, kind in TRANSFERS.items()}
)

TILE = 1 << 15
"""Words worked on at a time: all pieces together stay in the cache (measured: 3 x faster)."""


class Streams:
    """The free pieces of one party in one session, by kind and index.

    ``seed`` is that party's secret contribution, ``session`` the public name of the run:
    equal seeds in two sessions give unrelated streams.
    """

    def __init__(self, seed: Prg, session: str, rank: int) -> None:
        self.rank = rank
        self._root = seed.derive(f"session {session} party {rank}")
        self._streams: dict[str, Prg] = {}

    def __repr__(self) -> str:
        return f"Streams(rank={self.rank})"

    def stream(self, name: str) -> Prg:
        """The stream of this name; the same one at every call."""
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = self._root.derive(name)
        return found

    def free(self, kind: Kind, start: int, count: int) -> Pieces:
        """This party's free pieces of blocks start .. start + count, in table order."""
        pieces = []
        for piece in SHAPES[kind].free[self.rank]:
            stream = self.stream(f"{kind.value}/{piece.name}")
            pieces.append(piece.array(stream.words_at(start * piece.words, count * piece.words)))
        return tuple(pieces)

    def vectors(self, matrix: str, rows: int, start: int, count: int) -> Words:
        """Random vectors start .. start + count for a matrix, shape (count, rows)."""
        stream = self.stream(f"{matrix}/vectors")
        return stream.words_at(start * rows, count * rows).reshape(count, rows)

    def products(self, matrix: str, columns: int, start: int, count: int) -> Words:
        """Party 0's free shares of the products, shape (count, columns)."""
        stream = self.stream(f"{matrix}/products")
        return stream.words_at(start * columns, count * columns).reshape(count, columns)

    def mask_key(self, matrix: str) -> bytes:
        """The key of the stream that is the mask U, row by row from word 0."""
        return self.stream(f"{matrix}/mask").key


def matrix_name(owner: int, number: int) -> str:
    """The name of the ``number``-th matrix that party ``owner`` registers in a session."""
    return f"matrix {number} of party {owner}"


def correction(kind: Kind, zero: Streams, one: Streams, start: int, count: int) -> Words:
    """The piece that is not free, as it is sent, for blocks start .. start + count."""
    shape = SHAPES[kind]
    fitted = np.empty(count * shape.fitted.words, np.uint64)
    most = max(1, TILE // sum(piece.words for side in shape.free for piece in side))
    for at in range(0, count, most):
        size = min(most, count - at)
        first, second = zero.free(kind, start + at, size), one.free(kind, start + at, size)
        into = slice(at * shape.fitted.words, (at + size) * shape.fitted.words)
        fitted[into] = shape.fitted.stream(_fit(kind, first, second))
    return fitted


def _fit(kind: Kind, first: Pieces, second: Pieces) -> Words:
    """The correction for both parties' free pieces."""
    if kind is Kind.TRIPLES:
        (a0, b0, c0), (a1, b1) = first, second
        return (a0 + a1) * (b0 + b1) - c0
    if kind in BITS.values():
        (r0, s0), (r1,) = first, second
        summand = _lanes(kind, s0)
        return (_spread(r0 ^ r1, summand) - summand).view(np.uint64)
    if kind in TRANSFERS.values():
        from_zero = kind is TRANSFERS[SHAPES[kind].fitted.words, 0]
        *free, choices = (*first, *second) if from_zero else (first[1], *second, first[0])
        message, delta = (_lanes(kind, piece) for piece in free)
        part = delta * _spread(choices, delta)
        return (message + part if from_zero else message - part).view(np.uint64)
    if len(first) == 3:  # gates
        (a0, b0, c0), (a1, b1) = first, second
        return (a0 ^ a1) & (b0 ^ b1) ^ c0
    if len(first) == 1:  # digits from 0
        (messages,), (choices,) = first, second
        return pick(messages, choices)
    (choices, chosen), (messages,) = first, second
    return chosen ^ pick(messages, choices)


def pick(messages: Words, choices: Words) -> Words:
    """The chosen ones of messages (2^k, ..., n) by packed bits (k, n), lowest first: (..., n)."""
    for bit in choices[::-1]:
        low, high = np.split(messages, 2)
        messages = low ^ ((low ^ high) & bit)
    chosen: Words = messages[0]
    return chosen


def complete(kind: Kind, rank: int, free: Pieces, fitted: Words | None) -> Pieces:
    """One party's whole correlation in the order of its dataclass's fields.

    ``fitted`` is the correction at party 1, as it is sent; None at party 0.
    """
    if rank == 1:
        assert fitted is not None
        free = (*free, SHAPES[kind].fitted.array(fitted))
    if kind in BITS.values():
        return free[0], _lanes(kind, free[1]).astype(np.uint64, copy=False)
    if kind in TRANSFERS.values():
        if SHAPES[kind].free[rank][0].name == "choices":
            return free[0], _lanes(kind, free[1]).astype(np.uint64, copy=False)
        zero, delta = free if rank == 0 else free[::-1]
        both = _lanes(kind, zero), _lanes(kind, zero) + _lanes(kind, delta)
        return tuple([message.astype(np.uint64, copy=False) for message in both])
    if rank == 1 and SHAPES[kind].fitted.name == "base":
        return (free[0] ^ free[1],)
    return free


def product_correction(
    owner: int, matrix: str, shape: tuple[int, int], parties: tuple[Streams, Streams], at: range
) -> Words:
    """Party 1's share of a U for the vectors with the numbers ``at``; shape (len(at), columns).

    ``shape`` is the matrix's (rows, columns), ``parties`` the streams of party 0 and 1.
    """
    rows, columns = shape
    vectors = parties[1 - owner].vectors(matrix, rows, at.start, len(at))
    shares = parties[0].products(matrix, columns, at.start, len(at))
    if shares.size == 0 or rows == 0:
        return np.uint64(0) - shares
    key = parties[owner].mask_key(matrix)
    return _kernels.prg_matrix_product(key, 0, rows, columns, vectors) - shares


def _lanes(kind: Kind, piece: Words) -> Numbers:
    """The numbers of a piece, as many bits as it has words for 64 of them."""
    return piece.view(f"<u{SHAPES[kind].fitted.per_block // 8}")


def _spread(packed: Words, like: Numbers) -> Numbers:
    return _kernels.unpack_bits(packed, BLOCK * packed.size).astype(like.dtype)
