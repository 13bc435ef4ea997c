"""Exact rounding to steps of a public size, opened to one party: two messages, one each way.

x = z0 + z1 - wrap 2^k - 2^(k-2), where z0 and z1 are the parties' shares of x + 2^(k-2) modulo 2^k.
That number is below 2^(k-1), so they wrap exactly if one of them has its highest bit set (see
``truncate``). Of x steps / 2^20, in lowest terms x m / 2^f, the parties' parts are A = z0 m at the
receiver and B = z1 m at the sender, one half and the offset included, and

    round(x m / 2^f) = (A >> f) + (B >> f) + carry - wrap 2^(k-f) m,

``carry`` of the low f bits of A and B. The receiver knows its f low bits and its highest bit b;
what it lacks is, for these f + 1 bits, a function that the sender knows: (B >> f) + carry - wrap
2^(k-f) m. It gets its value, and nothing else, by one transfer for each bit:

* The carry goes from the lowest bit to the highest one. Where the sender's bit is t, bit x of the
  receiver's makes of a carry s the carry x & s (t = 0) or x | s (t = 1). For each level the sender
  draws two keys and a pointer, for s = 0 and s = 1, and sends for each x and each s, in an order
  that the pointer hides, the next level's key and pointer, masked by the key of s and a part of the
  transfer's message for x. The receiver opens the one of the four for which it has both. The last
  level gives (B >> f) + carry + r with a random r.
* Of the highest bit it gets -(b or the sender's one) 2^(k-f) m - r, masked by the message for b.

Each entry has a mask of its own: of the bit that the receiver does not have, the message that it
lacks; of the other carry, the key that it lacks. So it learns two numbers with the sum that is
opened, one of them uniform, and the sender learns flips of random choices. This is gate evaluation
secret sharing with an order of its own: nothing rests on a cipher but the transfers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import pack_dense, unpack_dense, words_per
from securexgb.correlations.counting import Budget
from securexgb.correlations.transfers import ReceivedTransfers, SentTransfers, Transfers
from securexgb.errors import UsageError
from securexgb.mpc.compare import signed
from securexgb.mpc.packed import packed_words
from securexgb.mpc.padding import filling
from securexgb.mpc.party import ROLES, Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, Words

_MESSAGE_BITS = 128
"""Of a transfer: a word for each of the two carries."""


@dataclass(frozen=True)
class Rounding:
    """How numbers below 2^(ring_bits - 2) are rounded: public.

    A number has ``fraction_bits`` and is given in steps, of which a unit has ``steps``.
    """

    ring_bits: int
    fraction_bits: int
    steps: int

    def __post_init__(self) -> None:
        if self.ring_bits + self.factor.bit_length() > 64 or self.ring_bits < self.bits + 2:
            raise UsageError(
                f"numbers of {self.ring_bits} bits are not rounded to {self.steps} steps: ask for "
                "fewer decimals"
            )

    @cached_property
    def bits(self) -> int:
        """f: bits that are rounded off, of the number times ``factor``; 0 where it is exact."""
        return self.fraction_bits - self._common

    @cached_property
    def factor(self) -> int:
        """m."""
        return self.steps >> self._common

    @cached_property
    def result_bits(self) -> int:
        """Of a rounded number, its sign included."""
        return self.ring_bits - self.bits + self.factor.bit_length()

    @cached_property
    def entry_bits(self) -> int:
        """Of what the receiver opens at a level: the lowest one's, the longest."""
        return self.result_bits + self.bits - 1

    @cached_property
    def rounder(self) -> _kernels.Rounder:
        """What makes and reads the messages, where bits are rounded off."""
        return _kernels.Rounder(
            self.ring_bits, self.bits, self.factor, self.result_bits, self.entry_bits
        )

    @property
    def _common(self) -> int:
        twos = (self.steps & -self.steps).bit_length() - 1
        return min(twos, self.fraction_bits)

    def cost(self, count: int, rank: int) -> Cost:
        """Of ``rounded_to`` of so many numbers, to party ``rank``."""
        if not self.bits:
            return _one_way(1, 1 - rank, packed_words(count, (self.ring_bits,)), Budget())
        flips = words_per((self.bits + 1) * count)
        budget = Budget({Transfers(_MESSAGE_BITS, 1 - rank): 64 * flips})
        asked = _one_way(1, rank, flips, Budget())
        return asked + _one_way(1, 1 - rank, self.answer_words(count), budget)

    def answer_words(self, count: int) -> int:
        """Of the second message."""
        return packed_words(4 * self.bits * count, (self.entry_bits,))


def _one_way(rounds: int, sender: int, words: int, budget: Budget) -> Cost:
    return Cost(rounds, words * (sender == 0), words * (sender == 1), budget)


def _ideal(x: Shared, rank: int, how: Rounding) -> Words:  # noqa: ARG001
    bits, scaled = how.bits, signed(x.words, how.ring_bits) * np.int64(how.factor)
    half = np.int64(1 << (bits - 1) if bits else 0)
    return ((scaled + half) >> np.int64(bits)).view(np.uint64)


def rounded_to(party: Party, rank: int, x: Shared, how: Rounding, reveal: Reveal) -> Words | None:
    """Numbers (n,) in steps, halves up, at party ``rank``; None at the other. Two messages.

    |x| < 2^(ring_bits - 2), shared modulo 2^ring_bits.
    """
    party.ledger.record(reveal, ROLES[rank], x.size)
    words = _rounded_to(party, x, rank, how)
    return words if party.rank == rank else None


@protocol(
    cost=lambda x, rank, how: how.cost(x.size, rank),
    opens="flips of the receiver's bits, uniform; masked entries of which it opens one a level; "
    "the rounded value itself, to one party: counted in the ledger",
    source="gate evaluation secret sharing (Kolesnikov, ASIACRYPT 2005) by transfers, each level's "
    "entries in an order hidden by a pointer; wrap as in truncate",
    ideal=_ideal,
)
def _rounded_to(party: Party, x: Shared, rank: int, how: Rounding) -> Words:
    """Numbers (n,) in steps, halves up, to one party; garbage of no meaning at the other."""
    modulus = np.uint64((1 << how.ring_bits) - 1)
    if not how.bits:
        return _exact(party, x.words & modulus, rank, how)
    offset = constant(party, 1 << (how.ring_bits - 2), x.shape)
    own, source = (x + offset).words & modulus, party.source
    kind, flips = Transfers(_MESSAGE_BITS, 1 - rank), words_per((how.bits + 1) * x.size)
    ends = source.take(kind, 64 * flips)
    if isinstance(ends, ReceivedTransfers):
        return _receive(party, own, ends, how)
    return _send(party, own, ends, how)


def _exact(party: Party, own: Words, rank: int, how: Rounding) -> Words:
    words = packed_words(own.size, (how.ring_bits,))
    sent = party.pass_words(1 - rank, pack_dense(own, how.ring_bits), words)
    theirs = unpack_dense(sent, own.size, how.ring_bits)
    return signed(own + theirs, how.ring_bits).view(np.uint64)


def _receive(party: Party, own: Words, ends: ReceivedTransfers, how: Rounding) -> Words:
    count, rank, rounder = own.size, party.rank, how.rounder
    flips = rounder.ask(own, ends.choices, filling(party, (how.bits + 1) * count))
    party.pass_words(rank, flips, flips.size)
    sent = party.pass_words(1 - rank, flips, how.answer_words(count))
    return rounder.open(own, ends.chosen, sent)


def _send(party: Party, own: Words, ends: SentTransfers, how: Rounding) -> Words:
    count, rank, rounder = own.size, party.rank, how.rounder
    flips = party.pass_words(1 - rank, own, words_per((how.bits + 1) * count))
    random = party.private.words(rounder.random_words(count))
    words = rounder.answer(own, ends.zero, ends.one, flips, random)
    return party.pass_words(rank, words, words.size)
