"""Opening shares: the only way in which a secret leaves them, always by name.

Each party sends its share; the sum (of bits, the xor) is the value. The name goes to the ledger.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import unpack_bits
from securexgb.mpc.padding import fill_up
from securexgb.mpc.party import ROLES, Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Shared, SharedBits, Words
from securexgb.mpc.together import together

Flags = NDArray[np.bool_]


@protocol(
    cost=lambda x: Cost(rounds=1, label_words=x.size, feature_words=x.size),
    opens="the value itself, to both: counted in the ledger",
    source="additive sharing, by definition",
    ideal=lambda x: x.words,
)
def _open(party: Party, x: Shared) -> Words:
    """Open a shared array to both parties."""
    words: Words = x.words + party.exchange(x.words)
    return words


@protocol(
    cost=lambda x, rank: Cost(
        rounds=1, label_words=x.size * (rank == 1), feature_words=x.size * (rank == 0)
    ),
    opens="the value itself, to one party: counted in the ledger",
    source="additive sharing, by definition",
    ideal=lambda x, rank: x.words,
)
def _open_to(party: Party, x: Shared, rank: int) -> Words:
    """Open a shared array to one party."""
    words = party.pass_words(1 - rank, x.words.reshape(-1), x.size).reshape(x.shape)
    result: Words = words + x.words
    return result


@protocol(
    cost=lambda x: Cost(rounds=1, label_words=x.words.size, feature_words=x.words.size),
    opens="the bits themselves, to both: counted in the ledger",
    source="boolean sharing, by definition",
    ideal=lambda x: x.flags(),
)
def _open_bits(party: Party, x: SharedBits) -> Flags:
    """Open shared bits (k, n) to both parties."""
    mine = fill_up(party, x.words.copy(), x.count)
    theirs = party.exchange(mine.reshape(-1)).reshape(mine.shape)
    return unpack_bits(mine ^ theirs, x.count)


@protocol(
    cost=lambda x, rank: Cost(
        rounds=1, label_words=x.words.size * (rank == 1), feature_words=x.words.size * (rank == 0)
    ),
    opens="the bits themselves, to one party: counted in the ledger",
    source="boolean sharing, by definition",
    ideal=lambda x, rank: x.flags(),
)
def _open_bits_to(party: Party, x: SharedBits, rank: int) -> Flags:
    """Open shared bits (k, n) to one party."""
    mine = fill_up(party, x.words.copy(), x.count)
    theirs = party.pass_words(1 - rank, mine.reshape(-1), mine.size).reshape(mine.shape)
    return unpack_bits(mine ^ theirs, x.count)


def open_by_owner(
    party: Party,
    owners: SharedBits,
    numbers: tuple[SharedBits, SharedBits],
    owner: Reveal,
    number: Reveal,
) -> tuple[Flags, Flags]:
    """Of n elements the owner's rank, at both parties, (n,), and its number at the owner, (k, n).

    ``owners`` (1, n); ``numbers``: for each party bits (k, n), which are 0 where the other party
    owns the element: there a party gets no more than that. One round.
    """
    party.ledger.record(owner, "both", owners.count)
    for role in ROLES:  # whose they are is known once they are open: at worst all are one side's
        party.ledger.check(number, role, owners.count)
    ranks, label, feature = together(
        party,
        lambda part: _open_bits(part, owners)[0],
        lambda part: _open_bits_to(part, numbers[0], 0),
        lambda part: _open_bits_to(part, numbers[1], 1),
    )
    for rank, count in enumerate((int((~ranks).sum()), int(ranks.sum()))):
        if count:
            party.ledger.record(number, ROLES[rank], count)
    return ranks, (label, feature)[party.rank]


def open_shared(party: Party, x: Shared, reveal: Reveal) -> Words:
    """The value of ``x``, at both parties. One round."""
    party.ledger.record(reveal, "both", x.size)
    return _open(party, x)


def open_to(party: Party, rank: int, x: Shared, reveal: Reveal) -> Words | None:
    """The value of ``x`` at party ``rank``, None at the other. One message."""
    party.ledger.record(reveal, ROLES[rank], x.size)
    words = _open_to(party, x, rank)
    return words if party.rank == rank else None


def open_numbers_to(party: Party, rank: int, bits: SharedBits, width: int, reveal: Reveal) -> Words:
    """Numbers of ``width`` bits at party ``rank``, from their bits (k * width, n), lowest first:
    (k, n); zeros at the other. One message."""
    numbers = bits.words.shape[0] // width
    party.ledger.record(reveal, ROLES[rank], numbers * bits.count)
    flags = _open_bits_to(party, bits, rank).reshape(numbers, width, bits.count)
    if party.rank != rank:
        flags = np.zeros_like(flags)
    weights = np.uint64(1) << np.arange(width, dtype=np.uint64)[:, None]
    found: Words = (flags * weights).sum(axis=1, dtype=np.uint64)
    return found
