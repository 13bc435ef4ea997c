"""The kinds of correlated randomness that the online protocols consume.

Each kind is defined by what both parties' pieces satisfy together. All pieces
are uniform given the other party's piece's constraints; words are elements of
Z_2^64 (dtype uint64), bits are packed 64 to a word, little-endian (bit i of
word w is element 64 w + i).

    Triples(n)         a, b, c words: (a0+a1) * (b0+b1) = c0+c1
    BitTriples(n)      a, b, c words of 64 bits: (a0^a1) & (b0^b1) = c0^c1
    SharedBits(n)      r: the same random bit, as r0^r1 (packed) and as s0+s1 mod 2^64
    RandomOT(n, receiver)  sender: words m0, m1; receiver: packed bits c and words m_c
    MatrixProducts     for a fixed private matrix, see ``source.MatrixProducts``
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


@dataclass(frozen=True, repr=False)
class Triples:
    """Beaver triples: (a0 + a1)(b0 + b1) = c0 + c1 mod 2^64; arrays of shape (n,)."""

    a: Words
    b: Words
    c: Words


@dataclass(frozen=True, repr=False)
class BitTriples:
    """AND triples, 64 to a word: (a0 ^ a1) & (b0 ^ b1) = c0 ^ c1; shape (n words,)."""

    a: Words
    b: Words
    c: Words


@dataclass(frozen=True, repr=False)
class SharedRandomBits:
    """Random bits in both sharings: ``boolean`` packed (ceil(n/64),), ``arithmetic`` (n,)."""

    boolean: Words
    arithmetic: Words


@dataclass(frozen=True, repr=False)
class RandomOTSender:
    """Both random messages of each oblivious transfer; shape (n,) each."""

    zero: Words
    one: Words


@dataclass(frozen=True, repr=False)
class RandomOTReceiver:
    """The random choice bits, packed (ceil(n/64),), and the chosen messages (n,)."""

    choices: Words
    chosen: Words


@dataclass(frozen=True, repr=False)
class VectorProducts:
    """Additive shares of M^T a for a batch of random vectors a.

    ``vectors`` (v, n) at the side that does not own M, None at the owner;
    ``products`` (v, columns) at both: they add up to M^T a.
    """

    vectors: Words | None
    products: Words
