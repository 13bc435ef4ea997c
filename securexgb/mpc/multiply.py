"""Products of shares by Beaver's triples: in the ring for words, in GF(2) for bits.

With a shared random triple c = a b, open d = x - a and e = y - b. Both are uniform,
so they say nothing of x and y. Then x y = c + d b + e a + d e, a linear combination
of shares with public factors. One round, two words an element.

A gate is one bit that lets several others through or not: its a is shared by all of them.
Without a dealer a gate costs two transfers whatever its width, so circuits with few wide
gates are the cheap ones.
"""

from __future__ import annotations

import numpy as np

from securexgb import _kernels
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words
from securexgb.offline.correlations import GATES, Budget, Kind, gate_kind

WIDEST = max(GATES)


def product_cost(count: int) -> Cost:
    """Cost of ``multiply`` for so many elements, in whatever ring."""
    return Cost.alike(1, 2 * count, {Kind.TRIPLES: count})


def and_cost(words: int) -> Cost:
    """Cost of ``and_bits`` for so many packed words."""
    return gate_cost(1, words)


def gate_cost(width: int, words: int) -> Cost:
    """Cost of ``gate_bits`` for ``width`` bits behind each of so many packed gates."""
    parts = [len(part) for part in _parts(width)]
    kinds = [Budget.of({gate_kind(part): words}) for part in parts]
    sent = (len(parts) + width) * words
    return Cost(1, sent, sent, sum(kinds, Budget()))


def _parts(width: int) -> list[range]:
    """The bits behind a gate, cut where there are more than the widest gate lets through."""
    return [range(at, min(at + WIDEST, width)) for at in range(0, width, WIDEST)]


@protocol(
    cost=lambda x, y, ring_bits=64: product_cost(x.size),
    opens="x - a and y - b, uniform",
    source="Beaver, CRYPTO 1991, section 2",
    ideal=lambda x, y, ring_bits=64: Shared(x.words * y.words),
)
def multiply(party: Party, x: Shared, y: Shared, ring_bits: int = 64) -> Shared:
    """Elementwise product of two shared arrays of the same shape, right mod 2^ring_bits.

    Without a dealer a smaller ring is cheaper; each has a supply of its own, so a job
    should have few.
    """
    triple = party.source.triples(x.size, ring_bits)
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
    return SharedBits(_gate(party, x.words, y.words[None])[0], x.count)


@protocol(
    cost=lambda gate, bits: gate_cost(bits.words.shape[0], gate.words.size),
    opens="gate ^ a and bits ^ b, uniform",
    source="as and_bits; a from wide transfers as in Kolesnikov, Kumaresan, CRYPTO 2013",
    ideal=lambda gate, bits: SharedBits(gate.words & bits.words, bits.count),
)
def gate_bits(party: Party, gate: SharedBits, bits: SharedBits) -> SharedBits:
    """One shared bit and each of ``width`` others: gate (..., n), bits (width, ..., n)."""
    return SharedBits(_gate(party, gate.words, bits.words), bits.count)


def _gate(party: Party, gate: Words, bits: Words) -> Words:
    """gate & bits for words (...) and (width, ...)."""
    behind = bits.reshape(bits.shape[0], -1)
    parts = [slice(part.start, part.stop) for part in _parts(bits.shape[0])]
    triples = [party.source.gates(gate.size, part.stop - part.start) for part in parts]
    mine = np.empty((len(parts) + behind.shape[0], gate.size), np.uint64)
    for row, triple in enumerate(triples):
        np.bitwise_xor(gate.reshape(-1), triple.a, out=mine[row])
    for part, triple in zip(parts, triples, strict=True):
        np.bitwise_xor(behind[part], triple.b, out=mine[len(parts) :][part])
    opened = mine ^ party.exchange(mine)
    result = np.empty(behind.shape, np.uint64)
    for part, triple, d in zip(parts, triples, opened, strict=False):
        e, out = opened[len(parts) :][part], result[part]
        once = e if party.rank == 0 else np.zeros_like(e[:1])
        np.bitwise_xor(triple.b, once, out=out)
        out &= d
        out ^= triple.c
        out ^= e & triple.a
    return result.reshape(bits.shape)
