"""Ands of several shared bits in one round, where their masks were multiplied beforehand.

A *chain* c_0, c_1, ..., c_(m-1) of shared bits lets others, its *ends*, through: of an end e of
level j, c_0 c_1 ... c_(j-1) e is wanted. With m = 1 that is a gate. Every bit x has a mask a, a
shared random bit, and d = x ^ a is opened, uniform. Then each product of bits d ^ a is a sum over
subsets of products of masks, times public bits: local, in one round, once shares of the
products of masks are there.

These are made of the correlations of gates (``mpc.multiply``): one as it is dealt is a random bit
times others, so it serves as the mask of c_0 and those of all else with their products. The mask of
c_1 is the gate of another one, with masks and products behind it that c_1 meets, that of c_2 of a
third, each in a round of its own. So a chain of m takes as many gates as m ands one after the
other, and m - 1 rounds before the bits are known: of an and of four that is three gates in place of
three. What it takes more is bits behind gates, which cost next to nothing offline.

No message depends on a bit before d does: while masks are multiplied the bits that they will serve
may still be on their way. They travel with the messages of what makes these (``digits``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import combinations

import numpy as np

from securexgb.arith.bits import in_turn, stacked, words_per
from securexgb.correlations.counting import Budget
from securexgb.correlations.gates import Gates
from securexgb.errors import SecureXGBError, UsageError
from securexgb.mpc.multiply import Gate, gate_cost, opened_of, products_of
from securexgb.mpc.padding import fill_up
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import SharedBits, Words

MOST = 3
"""The longest chain; a longer one would take masks too many."""


Product = tuple[int, int]
"""Of masks: a set of the chain's bits, as a number, and one bit more that is none of them."""


@dataclass(frozen=True)
class Chain:
    """``levels``: for each end how many of the chain's bits it meets, 1 to MOST.

    UsageError for other numbers.
    """

    levels: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.levels or not all(1 <= level <= MOST for level in self.levels):
            raise UsageError(f"ends meet 1 to {MOST} bits of a chain, not {self.levels}")

    @cached_property
    def length(self) -> int:
        return max(self.levels)

    @property
    def bits(self) -> int:
        """The chain's and the ends."""
        return self.length + len(self.levels)

    @cached_property
    def met_after(self) -> list[list[int]]:
        """For each of the chain's bits what meets it and stands behind it: later ones, and ends.

        Numbers as masks have them: the chain's bits, then the ends.
        """
        ends = list(enumerate(self.levels, self.length))
        return [
            [*range(place + 1, self.length), *(end for end, level in ends if level > place)]
            for place in range(self.length)
        ]

    @cached_property
    def behind(self) -> list[list[Product]]:
        """For each of the chain's bits what stands behind its gate: products of masks."""
        return [
            [(subset, bit) for subset in range(1 << place) for bit in met]
            for place, met in enumerate(self.met_after)
        ]

    def width(self, place: int) -> int:
        """Bits behind the gate of the chain's bit of this place."""
        return len(self.behind[place])


@cache
def and_of(bits: int) -> Chain:
    """The and of two to four bits: of the last one, its end, with the chain."""
    return Chain((bits - 1,))


Wanted = tuple[Chain, int]
"""Chains of one form: so many packed words of them."""


def masks_cost(wanted: Iterable[Wanted]) -> Cost:
    """Cost of ``Preparation``, without its rounds: it goes along with others."""
    total = Cost()
    for chain, words in wanted:
        total += Cost(correlations=Budget({Gates.at_least(chain.width(0)): words}))
        for place in range(1, chain.length):
            total += gate_cost(chain.width(place), words)
    return replace(total, rounds=0)


def chains_cost(wanted: Iterable[Wanted]) -> Cost:
    """Cost of ``chains_at_once``."""
    return Cost.alike(1, sum(chain.bits * words for chain, words in wanted), {})


class Masks:
    """Shares of the masks of so many words of chains, and of their products.

    They mask once: the same masks on other bits would show the difference.
    """

    def __init__(self, party: Party, chain: Chain, words: int) -> None:
        width = chain.width(0)
        pieces = party.source.take(Gates.at_least(width), words).narrowed(width)
        self.chain, self.words = chain, words
        self._is_used = False
        self._products: dict[Product, Words] = {(0, 0): pieces.a}
        for place, bit in enumerate(chain.met_after[0]):
            self._products |= {(0, bit): pieces.b[place], (1, bit): pieces.c[place]}

    def gate(self, party: Party, place: int) -> Gate:
        """The mask of the chain's bit of this place, with all behind that it meets."""
        behind = [self._products[key] for key in self.chain.behind[place]]
        return Gate.of(party, self._products[0, place], stacked(behind))

    def add(self, place: int, products: Words) -> None:
        """What came of this gate."""
        for (subset, bit), words in zip(self.chain.behind[place], products, strict=True):
            self._products[subset | 1 << place, bit] = words

    def masked(self, bits: Words) -> Words:
        """This party's shares of the bits (bits, words) under their masks.

        SecureXGBError for a second call.
        """
        if self._is_used:
            raise SecureXGBError("the masks of a chain serve once")
        self._is_used = True
        return bits ^ stacked([self._products[0, bit] for bit in range(self.chain.bits)])

    def ends(self, opened: Words, rank: int) -> Words:
        """This party's shares of the ends' products, (ends, words), for what was opened."""
        result = np.zeros((len(self.chain.levels), self.words), np.uint64)
        for end, (total, level) in enumerate(zip(result, self.chain.levels, strict=True)):
            bit = self.chain.length + end
            for subset in range(1 << level):
                term = self._products[subset, bit]
                if subset:
                    top = subset.bit_length() - 1
                    term = term ^ (opened[bit] & self._products[subset ^ 1 << top, top])
                elif rank == 0:
                    term = term ^ opened[bit]
                for place in range(level):
                    if not subset >> place & 1:
                        term = term & opened[place]
                total ^= term
        return result

    def product(self, opened: Words, rank: int, bits: tuple[int, ...]) -> Words:
        """This party's shares of the and of some of the chain's bits, and one end at most.

        ``bits``: their numbers, ascending.
        """
        total = np.zeros(self.words, np.uint64)
        for size in range(len(bits) + 1):
            for chosen in combinations(bits, size):
                term = np.full(self.words, ~np.uint64(0) if chosen or rank == 0 else np.uint64(0))
                if chosen:
                    *others, last = chosen
                    term = self._products[sum(1 << place for place in others), last]
                for bit in set(bits) - set(chosen):
                    term = term & opened[bit]
                total ^= term
        return total


class Preparation:
    """Masks in the making, in rounds of others: ``outgoing`` and ``incoming`` once a round.

    ``masks``: in the order in which they were wanted, ready after as many rounds as the longest
    chain has bits, but one.
    """

    def __init__(self, party: Party, wanted: Iterable[Wanted]) -> None:
        self.masks = [Masks(party, *one) for one in wanted]
        self._party, self._place = party, 0
        self._growing: list[Masks] = []
        self._gates: list[Gate] = []

    def outgoing(self) -> Words:
        """What this party sends in the next round."""
        self._place += 1
        growing = [one for one in self.masks if one.chain.length > self._place]
        self._growing = growing
        self._gates = [one.gate(self._party, self._place) for one in growing]
        self._sent = opened_of(self._gates)
        return self._sent

    def ready(self) -> list[Masks]:
        """The masks, after what rounds are left, if nobody has taken them along."""
        longest = max((one.chain.length for one in self.masks), default=1)
        while self._place < longest - 1:
            self.incoming(self._party.exchange(self.outgoing()))
        return self.masks

    def incoming(self, theirs: Words) -> None:
        """What has come, as many words."""
        made = products_of(self._gates, self._sent ^ theirs, self._party.rank)
        for one, products in zip(self._growing, made, strict=True):
            one.add(self._place, products)


def opened_at_once(party: Party, jobs: Sequence[tuple[Masks, Words]], count: int) -> list[Words]:
    """The bits of chains under their masks, in the clear, in one round; see ``chains_at_once``."""
    shapes = [bits.shape for _, bits in jobs]
    mine = np.concatenate([masks.masked(bits).reshape(-1) for masks, bits in jobs])
    fill_up(party, mine.reshape(-1, words_per(count)), count)
    public = mine ^ party.exchange(mine)
    parts = zip(in_turn(public, [math.prod(shape) for shape in shapes]), shapes, strict=True)
    return [part.reshape(shape) for part, shape in parts]


def chains_at_once(party: Party, jobs: Sequence[tuple[Masks, Words]], count: int) -> list[Words]:
    """Ends let through by chains, (ends, words) each, in one round.

    ``jobs``: masks, and the chain's bits and then the ends, (bits, words); words are a multiple of
    those of ``count`` bits.
    """
    opened = opened_at_once(party, jobs, count)
    return [masks.ends(part, party.rank) for (masks, _), part in zip(jobs, opened, strict=True)]


@cache
def and_levels(leading: int) -> list[list[int]]:
    """The and of so many bits as a tree of ands of up to four: the sizes of a level's groups."""
    levels = []
    while leading > 1:
        groups = -(-leading // (MOST + 1))
        levels.append([len(part) for part in np.array_split(np.arange(leading), groups)])
        leading = groups
    return levels


def _forms(sizes: Sequence[int], words: int) -> list[Wanted]:
    """The chains of one level, by size."""
    counts = [(size, sizes.count(size)) for size in range(2, MOST + 2)]
    return [(and_of(size), count * words) for size, count in counts if count]


def all_wanted(leading: int, words: int) -> list[Wanted]:
    """What ``all_ahead`` needs of so many bits of each of 64 * ``words`` elements."""
    return [one for sizes in and_levels(leading) for one in _forms(sizes, words)]


def all_cost(leading: int, words: int) -> Cost:
    """Cost of ``all_ahead``, the masks not counted."""
    levels = and_levels(leading)
    return sum((chains_cost(_forms(sizes, words)) for sizes in levels), Cost())


def all_ahead(party: Party, bits: SharedBits, masks: Iterator[Masks]) -> SharedBits:
    """The and along the leading axis (k, n), with these masks."""
    rows = bits.words
    for sizes in and_levels(len(rows)):
        firsts, jobs, order = np.cumsum([0, *sizes]), [], []
        for size in range(2, MOST + 2):
            groups = np.flatnonzero(np.array(sizes) == size)
            if groups.size:
                members = firsts[groups] + np.arange(size)[:, None]
                jobs.append((next(masks), rows[members].reshape(size, -1)))
                order.append(groups)
        joined = rows[firsts[:-1]]
        for groups, ends in zip(order, chains_at_once(party, jobs, bits.count), strict=True):
            joined[groups] = ends.reshape(groups.size, -1)
        rows = joined
    return SharedBits(rows[0], bits.count)
