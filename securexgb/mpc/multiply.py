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
    parts = _parts(width)
    kinds = [Budget({kind: words}) for kind, _, _ in parts]
    sent = (len(parts) + width) * words
    return Cost(1, sent, sent, sum(kinds, Budget()))


@cache
def _parts(width: int) -> tuple[tuple[Gates, int, int], ...]:
    """The bits behind a gate, cut where there are more than the widest gate lets through; from
    where to where, and what takes them."""
    ends = [(at, min(at + WIDEST, width)) for at in range(0, width, WIDEST)]
    return tuple((Gates.at_least(stop - start), start, stop) for start, stop in ends)


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
    mine = opened_of(gates)
    fill_up(party, mine.reshape(-1, max(1, words_per(count))), count)
    public = mine ^ party.exchange(mine)
    return products_of(gates, public, party.rank)


@dataclass(slots=True, repr=False)
class Gate:
    """Gates (n,) with bits (width, n) behind each, a triple for every 32 of them.

    ``triples``: each with the bits that it takes, from where to where. ``size``: words that are
    opened; for each triple the gates, then the bits.
    """

    gate: Words
    bits: Words
    shape: tuple[int, ...]
    triples: list[tuple[GatePieces, int, int]]
    size: int

    @classmethod
    def of(cls, party: Party, gate: Words, bits: Words) -> Gate:
        n, width = gate.size, len(bits)
        triples = []
        for kind, start, stop in _parts(width):
            triple = party.source.take(kind, n)
            if stop - start < kind.width:
                triple = triple.narrowed(stop - start)
            triples.append((triple, start, stop))
        behind = np.ascontiguousarray(bits).reshape(width, n)
        flat = np.ascontiguousarray(gate).reshape(-1)
        return cls(flat, behind, bits.shape, triples, (len(triples) + width) * n)

    def open(self, out: Words) -> None:
        """Put this party's share of what is opened there."""
        at = 0
        for triple, start, stop in self.triples:
            after = at + (stop - start + 1) * self.gate.size
            _kernels.gates_open(self.gate, self.bits[start:stop], triple.a, triple.b, out[at:after])
            at = after

    def product(self, opened: Words, rank: int) -> Words:
        """This party's shares, for what was opened."""
        n, result, at = self.gate.size, np.empty(self.bits.size, np.uint64), 0
        for triple, start, stop in self.triples:
            after, out = at + (stop - start + 1) * n, result[start * n : stop * n]
            _kernels.gates_close(opened[at:after], triple.a, triple.b, triple.c, rank, out)
            at = after
        return result.reshape(self.shape)


def opened_of(gates: Sequence[Gate]) -> Words:
    """This party's share of what is opened of all gates, one after the other."""
    mine = np.empty(sum([gate.size for gate in gates]), np.uint64)
    for gate, out in zip(gates, in_turn(mine, [gate.size for gate in gates]), strict=True):
        gate.open(out)
    return mine


def products_of(gates: Sequence[Gate], opened: Words, rank: int) -> list[Words]:
    """This party's shares of all gates' products, for what was opened."""
    parts = zip(gates, in_turn(opened, [gate.size for gate in gates]), strict=True)
    return [gate.product(part, rank) for gate, part in parts]
