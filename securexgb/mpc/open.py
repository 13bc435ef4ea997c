"""Opening shares: the only way in which a secret leaves them, always by name.

Each party sends its share; the sum is the value. The name goes to the ledger.
"""

from __future__ import annotations

from securexgb.mpc.party import ROLES, Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Shared, Words


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


def open_shared(party: Party, x: Shared, reveal: Reveal) -> Words:
    """The value of ``x``, at both parties. One round."""
    party.ledger.record(reveal, "both", x.size)
    return _open(party, x)


def open_to(party: Party, rank: int, x: Shared, reveal: Reveal) -> Words | None:
    """The value of ``x`` at party ``rank``, None at the other. One message."""
    party.ledger.record(reveal, ROLES[rank], x.size)
    words = _open_to(party, x, rank)
    return words if party.rank == rank else None
