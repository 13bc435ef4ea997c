"""Products of shares by Beaver's triples: in the ring for words, in GF(2) for bits.

With a shared random triple c = a b, open d = x - a and e = y - b. Both are uniform,
so they say nothing of x and y. Then x y = c + d b + e a + d e, a linear combination
of shares with public factors. One round, two words an element.
"""

from __future__ import annotations

import numpy as np

from securexgb import _kernels
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words


def product_cost(count: int, ring_bits: int = 64) -> Cost:
    """Cost of ``multiply`` for so many elements."""
    return Cost(rounds=1, label_words=2 * count, feature_words=2 * count, triples=count)


def and_cost(words: int) -> Cost:
    """Cost of ``and_bits`` for so many packed words."""
    return Cost(rounds=1, label_words=2 * words, feature_words=2 * words, bit_triples=words)


@protocol(
    cost=lambda x, y, ring_bits=64: product_cost(x.size, ring_bits),
    opens="x - a and y - b, uniform",
    source="Beaver, CRYPTO 1991, section 2",
    ideal=lambda x, y, ring_bits=64: Shared(x.words * y.words),
)
def multiply(party: Party, x: Shared, y: Shared, ring_bits: int = 64) -> Shared:
    """Elementwise product of two shared arrays of the same shape, right mod 2^ring_bits."""
    triple = party.source.triples(x.size)
    mine = _kernels.triple_open(x.words.ravel(), y.words.ravel(), triple.a, triple.b)
    opened = mine + party.exchange(mine)
    product = _kernels.triple_close(opened, triple.a, triple.b, triple.c, party.rank)
    return Shared(product.reshape(x.shape))


@protocol(
    cost=lambda x, y: and_cost(x.words.size),
    opens="x ^ a and y ^ b, uniform",
    source="Goldreich, Micali, Wigderson, STOC 1987, with Beaver's triples",
    ideal=lambda x, y: SharedBits(x.words & y.words, x.count),
)
def and_bits(party: Party, x: SharedBits, y: SharedBits) -> SharedBits:
    """Bitwise and of two shared bit arrays of the same shape."""
    triple = party.source.bit_triples(x.words.size)
    mine = _kernels.and_open(x.words.ravel(), y.words.ravel(), triple.a, triple.b)
    opened = mine ^ party.exchange(mine)
    words = _kernels.and_close(opened, triple.a, triple.b, triple.c, party.rank)
    return SharedBits(words.reshape(x.words.shape), x.count)


def gate_cost(width: int, words: int) -> Cost:
    """Cost of ``gate_bits`` for ``width`` bits behind each of so many packed gates."""
    return and_cost(width * words)


@protocol(
    cost=lambda gate, bits: gate_cost(bits.words.shape[0], gate.words.size),
    opens="masked gates and bits, uniform",
    source="Goldreich, Micali, Wigderson, STOC 1987, with Beaver's triples",
    ideal=lambda gate, bits: SharedBits(gate.words & bits.words, bits.count),
)
def gate_bits(party: Party, gate: SharedBits, bits: SharedBits) -> SharedBits:
    """One shared bit and each of ``width`` others: gate (..., n), bits (width, ..., n)."""
    spread = SharedBits(np.broadcast_to(gate.words, bits.words.shape).copy(), bits.count)
    return and_bits(party, spread, bits)


def _flat(words: Words) -> Words:
    """One contiguous axis; ``reshape`` alone may leave strides."""
    return np.ascontiguousarray(words).reshape(-1)
