"""Products of shares by Beaver's triples: in the ring for words, in GF(2) for bits.

With a shared random triple c = a b, open d = x - a and e = y - b. Both are uniform,
so they say nothing of x and y. Then x y = c + d b + e a + d e, a linear combination
of shares with public factors. One round, two words an element.

A gate is one bit that lets several others through or not: its a is shared by all of them.
Without a dealer a gate costs two transfers whatever its width, so circuits with few wide
gates are the cheap ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import in_turn, words_per
from securexgb.correlations.counting import Budget
from securexgb.correlations.gates import WIDEST, GatePieces, Gates
from securexgb.correlations.triples import Triples
from securexgb.mpc.padding import fill_up
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words


def product_cost(count: int) -> Cost:
    """Cost of ``multiply`` for so many elements, in whatever ring."""
    return Cost.alike(1, 2 * count, {Triples(): count})


def and_cost(words: int) -> Cost:
    """Cost of ``and_bits`` for so many packed words."""
    return gate_cost(1, words)


def gate_cost(width: int, words: int) -> Cost:
    """Cost of ``and_broadcast`` for ``width`` bits behind each of so many packed gates."""
    parts = [len(part) for part in _parts(width)]
    kinds = [Budget({Gates.at_least(part): words}) for part in parts]
    sent = (len(parts) + width) * words
    return Cost(1, sent, sent, sum(kinds, Budget()))


@cache
def _parts(width: int) -> tuple[range, ...]:
    """The bits behind a gate, cut where there are more than the widest gate lets through."""
    return tuple(range(at, min(at + WIDEST, width)) for at in range(0, width, WIDEST))


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
    triple = party.source.take(Triples(ring_bits), x.size)
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
    (product,) = gates_at_once(party, [(x.words, y.words[None])], x.count)
    return SharedBits(product[0], x.count)


@protocol(
    cost=lambda gate, bits: gate_cost(bits.words.shape[0], gate.words.size),
    opens="gate ^ a and bits ^ b, uniform",
    source="as and_bits; a from wide transfers as in Kolesnikov, Kumaresan, CRYPTO 2013",
    ideal=lambda gate, bits: SharedBits(gate.words & bits.words, bits.count),
)
def and_broadcast(party: Party, gate: SharedBits, bits: SharedBits) -> SharedBits:
    """One shared bit and each of ``width`` others: gate (..., n), bits (width, ..., n)."""
    (product,) = gates_at_once(party, [(gate.words, bits.words)], bits.count)
    return SharedBits(product, bits.count)


def gates_at_once(party: Party, jobs: Sequence[tuple[Words, Words]], count: int) -> list[Words]:
    """Gates of several widths in one round: words (...) and (width, ...) to (width, ...) each.

    ``count``: bits along the last axis of all of them.
    """
    gates = [Gate.of(party, gate, bits) for gate, bits in jobs]
    opened = [word for gate in gates for word in gate.masked]
    mine = np.concatenate(opened) if opened else np.zeros(0, np.uint64)
    fill_up(party, mine.reshape(-1, max(1, words_per(count))), count)
    public = mine ^ party.exchange(mine)
    parts = in_turn(public, [word.size for word in opened])
    return [gate.product(list(islice(parts, gate.opened)), party.rank) for gate in gates]


@dataclass(frozen=True, repr=False)
class Gate:
    """Gates (n,) with bits (width, n) behind each, a triple for every 32 of them."""

    gate: Words
    bits: Words
    shape: tuple[int, ...]
    triples: list[GatePieces]

    @classmethod
    def of(cls, party: Party, gate: Words, bits: Words) -> Gate:
        behind = bits.reshape(bits.shape[0], gate.size)
        widths = [len(part) for part in _parts(len(bits))]
        drawn = [party.source.take(Gates.at_least(width), gate.size) for width in widths]
        triples = [part.narrowed(width) for part, width in zip(drawn, widths, strict=True)]
        return cls(gate.reshape(-1), behind, bits.shape, triples)

    @property
    def opened(self) -> int:
        """Parts of ``masked``."""
        return 2 * len(self.triples)

    @property
    def masked(self) -> list[Words]:
        """What is opened: for each triple the gates, then the bits."""
        words = []
        for triple, part in zip(self.triples, _parts(len(self.bits)), strict=True):
            words.append(self.gate ^ triple.a)
            words.append((self.bits[part.start : part.stop] ^ triple.b).reshape(-1))
        return words

    def product(self, opened: list[Words], rank: int) -> Words:
        """This party's shares, for what was opened."""
        result = np.empty(self.bits.shape, np.uint64)
        parts = zip(self.triples, _parts(len(self.bits)), opened[::2], opened[1::2], strict=True)
        for triple, part, d, flat in parts:
            e = flat.reshape(len(part), -1)
            out = result[part.start : part.stop]
            np.bitwise_and(triple.b ^ e if rank == 0 else triple.b, d, out=out)
            out ^= triple.c
            out ^= e & triple.a
        return result.reshape(self.shape)
