"""The kinds of correlated randomness that the online protocols consume, and their counts.

Each kind is defined by what both parties' pieces satisfy together. All pieces
are uniform given the other party's piece's constraints; words are elements of
Z_2^64 (dtype uint64), bits are packed 64 to a word, little-endian (bit i of
word w is element 64 w + i).

    Triples(n)         a, b, c words: (a0+a1) * (b0+b1) = c0+c1 mod 2^ring_bits
    GateTriples(n, w)  a, b[w], c[w] words of 64 bits: (a0^a1) & (b0^b1)[j] = (c0^c1)[j]
    Digits(n, w, sender)   64 transfers of one of 16 messages of w bits to a word: sender:
                       all messages; receiver: a random choice and the chosen message
    SharedBits(n)      r: the same random bit, as r0^r1 (packed) and as s0+s1 mod 2^ring_bits
    RandomOT(n, sender)    sender: words m0, m1; receiver: packed bits c and words that are
                       m_c mod 2^bits; of 128 bits, two words each
    MatrixProducts     for a fixed private matrix, see ``source.MatrixProducts``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


class Kind(Enum):
    """The element-wise kinds; the value is the name on the wire and in the key derivation.

    An element of gates and digits is a word of 64 of them.
    """

    TRIPLES = "triples"
    GATES_1 = "gates_1"
    GATES_2 = "gates_2"
    GATES_4 = "gates_4"
    GATES_8 = "gates_8"
    GATES_16 = "gates_16"
    GATES_32 = "gates_32"
    DIGITS_2_FROM_0 = "digits_2_from_0"
    DIGITS_2_FROM_1 = "digits_2_from_1"
    DIGITS_7_FROM_0 = "digits_7_from_0"
    DIGITS_7_FROM_1 = "digits_7_from_1"
    SHARED_BITS = "shared_bits"
    HALF_BITS = "half_bits"
    OT_8_FROM_0 = "ot_8_from_0"
    OT_8_FROM_1 = "ot_8_from_1"
    OT_16_FROM_0 = "ot_16_from_0"
    OT_16_FROM_1 = "ot_16_from_1"
    OT_32_FROM_0 = "ot_32_from_0"
    OT_32_FROM_1 = "ot_32_from_1"
    OT_64_FROM_0 = "ot_64_from_0"
    OT_64_FROM_1 = "ot_64_from_1"
    OT_128_FROM_0 = "ot_128_from_0"
    OT_128_FROM_1 = "ot_128_from_1"


GATES: Mapping[int, Kind] = MappingProxyType(
    {width: Kind(f"gates_{width}") for width in (1, 2, 4, 8, 16, 32)}
)
"""By the bits behind a gate."""
DIGITS: Mapping[tuple[int, int], Kind] = MappingProxyType(
    {(width, rank): Kind(f"digits_{width}_from_{rank}") for width in (2, 7) for rank in (0, 1)}
)
"""By the bits of a message and the rank of the sender."""
BITS: Mapping[int, Kind] = MappingProxyType({64: Kind.SHARED_BITS, 32: Kind.HALF_BITS})
"""By the ring of the additive shares."""
TRANSFERS: Mapping[tuple[int, int], Kind] = MappingProxyType(
    {
        (bits, rank): Kind(f"ot_{bits}_from_{rank}")
        for bits in (8, 16, 32, 64, 128)
        for rank in (0, 1)
    }
)
"""By the bits of a message and the rank of the sender."""

_CORRECTION_WORDS: Mapping[Kind, int] = MappingProxyType(
    dict.fromkeys(Kind, 64)
    | {kind: 64 * width for width, kind in GATES.items()}
    | {kind: 64 * width for (width, _), kind in DIGITS.items()}
    | {kind: ring_bits for ring_bits, kind in BITS.items()}
    | {kind: bits for (bits, _), kind in TRANSFERS.items()}
)


def gate_kind(width: int) -> Kind:
    """The narrowest kind of gates for so many bits, at most 32."""
    return GATES[1 << (width - 1).bit_length()]


def transfer_bits(precision: int) -> int:
    """The bits of the narrowest transfers whose messages mask numbers mod 2^precision."""
    return max(8, 1 << (precision - 1).bit_length())


@dataclass(frozen=True)
class Budget:
    """How much of which kind, in elements as they are used up.

    ``counts``: in the order of ``Kind``; kinds with packed bits, in whole words of 64
    elements a request. ``vectors``: pairs of vectors, for products, by the rank of the
    matrix's owner.
    """

    counts: tuple[int, ...] = (0,) * len(Kind)
    vectors: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, kinds: Mapping[Kind, int], vectors: tuple[int, int] = (0, 0)) -> Budget:
        """So many elements of these kinds, and no others."""
        return cls(tuple(kinds.get(kind, 0) for kind in Kind), vectors)

    def __getitem__(self, kind: Kind) -> int:
        return self.counts[list(Kind).index(kind)]

    def __add__(self, other: Budget) -> Budget:
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        (label, feature), (more_label, more_feature) = self.vectors, other.vectors
        return Budget(counts, (label + more_label, feature + more_feature))

    def __sub__(self, other: Budget) -> Budget:
        return self + other.times(-1)

    def times(self, factor: int) -> Budget:
        """For so many calls, trees, batches or runs."""
        counts = tuple(factor * count for count in self.counts)
        return Budget(counts, (factor * self.vectors[0], factor * self.vectors[1]))

    def items(self) -> Mapping[Kind, int]:
        """The counts by kind."""
        return dict(zip(Kind, self.counts, strict=True))

    def correction_words(self, columns: tuple[int, int]) -> int:
        """What a dealer sends to party 1; ``columns``: of the matrices by owner."""
        kinds = sum(n * _CORRECTION_WORDS[kind] for kind, n in self.items().items()) // 64
        return kinds + sum(2 * v * c for v, c in zip(self.vectors, columns, strict=True))


@dataclass(frozen=True, repr=False)
class Triples:
    """Beaver triples: (a0 + a1)(b0 + b1) = c0 + c1 mod 2^64; arrays of shape (n,)."""

    a: Words
    b: Words
    c: Words


@dataclass(frozen=True, repr=False)
class GateTriples:
    """Ands of one bit with ``width`` others, 64 to a word: (a0 ^ a1) & (b0 ^ b1) = c0 ^ c1.

    ``a``: (n,); ``b``, ``c``: (width, n).
    """

    a: Words
    b: Words
    c: Words


@dataclass(frozen=True, repr=False)
class DigitSender:
    """All random messages of the transfers of one of 16: packed bits (16, width, n)."""

    messages: Words


@dataclass(frozen=True, repr=False)
class DigitReceiver:
    """Random numbers below 16, lowest bit first (4, n), and their messages (width, n)."""

    choices: Words
    chosen: Words


@dataclass(frozen=True, repr=False)
class SharedRandomBits:
    """Random bits in both sharings: ``boolean`` packed (ceil(n/64),), ``arithmetic`` (n,)."""

    boolean: Words
    arithmetic: Words


@dataclass(frozen=True, repr=False)
class RandomOTSender:
    """Both random messages of each oblivious transfer, shape (n,) each; of 128 bits, (2, n)."""

    zero: Words
    one: Words


@dataclass(frozen=True, repr=False)
class RandomOTReceiver:
    """The random choice bits, packed (ceil(n/64),), and the chosen messages (n,) or (2, n)."""

    choices: Words
    chosen: Words


@dataclass(frozen=True)
class BucketMatrix:
    """What is public of a party's one-hot matrix M, and of the sums that are taken over it.

    ``owner``: its rank. M has ``columns``, ``bins`` of each feature: column f * bins + b is one in
    the rows whose feature f lies in bin b. Vectors come in pairs, of g and of h;
    ``gradient_sum_bits``, ``hessian_sum_bits``: of their sums over any rows, one sign included.
    ``chain``: so many vectors' sums are added up or subtracted at most, before a sum over up to
    ``bins`` columns of a feature is used.
    """

    owner: int
    rows: int
    columns: int
    bins: int
    gradient_sum_bits: int
    hessian_sum_bits: int
    chain: int = 1

    @property
    def features(self) -> int:
        return self.columns // self.bins

    @property
    def sum_bits(self) -> tuple[int, int]:
        return self.gradient_sum_bits, self.hessian_sum_bits


@dataclass(frozen=True, repr=False)
class VectorProducts:
    """Additive shares of M^T a for pairs of random vectors a.

    ``vectors`` (v, 2, n) at the side that does not own M, None at the owner;
    ``products`` (v, 2, columns) at both: they add up to M^T a.
    """

    vectors: Words | None
    products: Words


class Pads(Protocol):
    """Pseudorandom pairs a of the side that does not own M, made when they are used."""

    def masked(self, vectors: Words) -> Words:
        """2^noise_bits y - a of pairs y (v, 2, n), each modulo 2^(bits of its sums + noise_bits).

        Once only: a pad serves one message.
        """


@dataclass(frozen=True, repr=False)
class PadProducts:
    """Noisy shares of M^T a for pairs of pads a, modulo 2^(bits of their sums + noise_bits).

    ``pads`` at the side that does not own M, None at the owner; ``products`` (v, 2, columns) at
    both: they add up to M^T a - r. |r| < 2^(noise_bits - 1), of what ``BucketMatrix.chain`` adds up
    too; bits as agreed when M was registered.
    """

    pads: Pads | None
    products: Words
