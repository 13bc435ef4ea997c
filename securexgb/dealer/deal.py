"""What a dealer computes: pieces grown from two seeds, and the corrections that fit them.

Almost all of a correlation can be drawn freely. Each party draws its free pieces
alone, from its own seed; the dealer, who is given both seeds, draws the same pieces
and computes the one piece that is not free, the **correction**. It always belongs to
party 1, so that party 0 never waits for anybody.

    kind             free at party 0      free at party 1   correction, at party 1
    triples          a, b, c              a, b              c1 = (a0+a1)(b0+b1) - c0
    bit_triples      a, b, c              a, b              c1 = (a0^a1)&(b0^b1) ^ c0
    shared_bits      boolean, arithmetic  boolean           s1 = (r0^r1) - s0
    ot_from_0        zero, delta          choices           chosen = zero + choice * delta
    ot_from_1        choices, chosen      delta             zero = chosen - choice * delta
    products         products             -                 a U - products0

For products, a is drawn by the party that does not own the matrix and the mask U by
the owner. A correction is uniform given party 1's own pieces, because party 0's share
in it is a fresh one-time pad.

Every piece of every kind is a stream of its own: AES-128-CTR under
HKDF(seed, session, kind, piece). An element's place in its stream is its index within
the kind, so parties and dealer may cut the streams into blocks of different sizes.
Packed bits take one word for 64 elements; there an index must be a multiple of 64.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import numpy as np

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.offline.correlations import Words


class Kind(Enum):
    """The element-wise kinds; the value is the name on the wire and in the key derivation."""

    TRIPLES = "triples"
    BIT_TRIPLES = "bit_triples"
    SHARED_BITS = "shared_bits"
    OT_FROM_0 = "ot_from_0"
    OT_FROM_1 = "ot_from_1"


PACKED = frozenset({"boolean", "choices"})
"""Pieces that hold 64 elements in a word."""

FREE: Mapping[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        Kind.TRIPLES: (("a", "b", "c"), ("a", "b")),
        Kind.BIT_TRIPLES: (("a", "b", "c"), ("a", "b")),
        Kind.SHARED_BITS: (("boolean", "arithmetic"), ("boolean",)),
        Kind.OT_FROM_0: (("zero", "delta"), ("choices",)),
        Kind.OT_FROM_1: (("choices", "chosen"), ("delta",)),
    }
)
"""The free pieces of each kind at party 0 and at party 1."""

Pieces = tuple[Words, ...]

TILE = 1 << 13
"""Elements worked on at a time: all pieces together stay in the cache (measured: 3 x faster)."""


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
        """This party's free pieces of elements start .. start + count, in table order."""
        pieces = []
        for piece in FREE[kind][self.rank]:
            at, size = (start // 64, -(-count // 64)) if piece in PACKED else (start, count)
            pieces.append(self.stream(f"{kind.value}/{piece}").words_at(at, size))
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
    """The piece that is not free, shape (count,), for elements start .. start + count.

    ``start`` must be a multiple of 64 where the kind has packed pieces.
    """
    fitted = np.empty(count, np.uint64)
    for at in range(0, count, TILE):
        size = min(TILE, count - at)
        first, second = zero.free(kind, start + at, size), one.free(kind, start + at, size)
        fitted[at : at + size] = _fit(kind, first, second, size)
    return fitted


def _fit(kind: Kind, first: Pieces, second: Pieces, count: int) -> Words:
    """The correction for both parties' free pieces, which it may overwrite."""
    match kind:
        case Kind.TRIPLES:
            (a0, b0, c0), (a1, b1) = first, second
            a0 += a1
            b0 += b1
            a0 *= b0
            a0 -= c0
            return a0
        case Kind.BIT_TRIPLES:
            (a0, b0, c0), (a1, b1) = first, second
            a0 ^= a1
            b0 ^= b1
            a0 &= b0
            a0 ^= c0
            return a0
        case Kind.SHARED_BITS:
            (r0, s0), (r1,) = first, second
            bits = _bits(r0 ^ r1, count)
            bits -= s0
            return bits
        case Kind.OT_FROM_0:
            (messages, delta), (choices,) = first, second
            delta *= _bits(choices, count)
            messages += delta
            return messages
        case Kind.OT_FROM_1:
            (choices, chosen), (delta,) = first, second
            delta *= _bits(choices, count)
            chosen -= delta
            return chosen


def complete(kind: Kind, rank: int, free: Pieces, fitted: Words | None) -> Pieces:
    """One party's whole correlation in the order of its dataclass's fields.

    ``fitted`` is the correction at party 1, None at party 0.
    """
    if rank == 1:
        assert fitted is not None
        if kind is Kind.OT_FROM_1:
            return fitted, fitted + free[0]
        return (*free, fitted)
    if kind is Kind.OT_FROM_0:
        return free[0], free[0] + free[1]
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


def _bits(packed: Words, count: int) -> Words:
    return _kernels.unpack_bits(packed, count).astype(np.uint64)
