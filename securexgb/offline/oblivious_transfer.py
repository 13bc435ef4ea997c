"""Random oblivious transfers between the two parties, without a third side.

Once a session, 128 base transfers in each direction (``base_transfer``) give one party
all leaves of 128 / k trees and the other all but one of each. From then on any number of
transfers follows from AES streams and one message of 128 / k - 1 bits a transfer
(SoftSpokenOT: Roy, CRYPTO 2022, semi-honest). Who needs many fills a pool of rows with
them and stretches it, at 4.6 bits a transfer (Ferret: Yang and others, CCS 2020; Half-Tree: Guo
and others, EUROCRYPT 2023). ``kernels/src/ot`` says what is computed; docs/offline.md argues why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import pack_dense, unpack_dense
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Words
from securexgb.correlations.transfers import ReceivedTransfers, SentTransfers
from securexgb.errors import UsageError
from securexgb.offline.base_transfer import Keys, Messages, agree, public_keys

TREE_DEPTH = 4
"""k: a transfer costs 128 / k - 1 bits and 2^k / k pieces of AES; measured in docs/offline.md."""
STRETCH_AFTER = 1 << 11
"""Words of 64 transfers in a direction from which on a pool pays; filling one takes 1,374."""
WORD = 64
"""Bits of a message that is a word."""
KEY = 128
"""Bits of a message that is a key: two words, in rows (2, n)."""
ROWS = 0
"""In place of a width: rows z at the sender, z ^ c D at the receiver, choice c its lowest bit."""

# Learning parity with regular noise, as in Ferret; chosen against the attacks in docs/offline.md,
# whose bits benchmarks/security.py computes from these very names, and a test holds to a floor.
DIMENSION = 1 << 16
"""Rows of a pool in the parity problem's secret; the same in kernels/src/ot/silent.rs."""
TREES = 2_800
"""Trees that are grown from a pool, with one noisy sample each."""
LEVELS = 8
"""Of a tree, which has 2^LEVELS leaves: as many samples."""
PLACES = 6
"""Rows of the pool added to a leaf: ones in a row of the public matrix."""
_TREE_WORDS = (1 << LEVELS) // WORD
POOL_ROWS = DIMENSION + TREES * LEVELS
_RESERVED = -(-POOL_ROWS // (64 * _TREE_WORDS))
_POOL_WORDS = -(-POOL_ROWS // 64)
FRESH_EVERY = 8
"""Pools from one that is extended from the base transfers to the next such one: who solves a pool
knows the choices that make the next, and so on up to there. Measured in docs/offline.md."""
_MOST_WORDS = 1 << 13
"""Of one request, fewer than a pool gives."""
Transferred: TypeAlias = tuple[SentTransfers, ReceivedTransfers]
_Pair = tuple[Words, Words] | None
"""Messages zero and one, or choices and messages; None of no transfers."""


@dataclass(repr=False)
class _Pool:
    """Rows (n, 2) to stretch, the public keys (3, 2), and the trees used up."""

    rows: Words
    tags: Words
    used: int = 0

    @property
    def left(self) -> int:
        return TREES - _RESERVED - self.used


class _Direction:
    """This party's end of the transfers in one direction.

    ``position`` counts the words of 64 transfers that were made.
    """

    def __init__(self, keys: Keys) -> None:
        self.leaves, self.places = keys.leaves, keys.places
        self.tag = public_keys(keys.session, "extension", 1)[0]
        self.position = 0
        self.pool: _Pool | None = None
        self._session = keys.session
        self._pools = 0

    def advance(self, share: _Share) -> tuple[int, int]:
        """The positions of both parts of a request, the stretched one first; used up."""
        start = self.position
        middle = start + share.trees * _TREE_WORDS
        self.position = middle + share.words
        return start, middle

    def fill(self, rows: Words) -> None:
        """Put a new pool in the place of the one before."""
        self._pools += 1
        tags = public_keys(self._session, f"pool {self._pools}", 3)
        self.pool = _Pool(rows.reshape(-1, 2)[:POOL_ROWS], tags)

    def share(self, words: int) -> _Share:
        """How a request is met; its trees are used up."""
        if self.pool is None:
            return _Share(0, words)
        self.pool.used += (trees := words // _TREE_WORDS)
        return _Share(trees, words % _TREE_WORDS, self.pool.used - trees)

    def filling(self, words: int, stretch_after: int) -> _Share:
        """What a new pool is made of, where the next ``words`` words need one."""
        trees = words // _TREE_WORDS
        if self.pool is None:
            is_needed = trees > 0 and self.position + words > stretch_after
        else:
            is_needed = trees > self.pool.left
        if not is_needed:
            return _Share(0, 0)
        if self._pools % FRESH_EVERY == 0:
            return _Share(0, _POOL_WORDS)
        return _Share(_RESERVED, 0, TREES - _RESERVED)


@dataclass(frozen=True)
class _Share:
    """``trees`` of the pool, from number ``first`` on, and ``words`` by extension."""

    trees: int
    words: int
    first: int = 0


class _Request:
    """Transfers whose own part has left; ``rest`` takes in the other side's."""

    def __init__(self, rest: Callable[[], Transferred]) -> None:
        self.rest = rest
        self.made: Transferred | None = None


class ObliviousTransfer:
    """One party's end, silent at first. ``private``: its randomness for this alone.

    Requests may be begun before the ones before them are whole, so that several are on their way
    at a time. What either side sends follows from the order in which they are begun, and is taken
    in in this order, whenever their results are asked for.
    """

    def __init__(
        self,
        rank: int,
        channel: Channel,
        private: Prg,
        tree_depth: int = TREE_DEPTH,
        stretch_after: int = STRETCH_AFTER,
    ) -> None:
        self._rank = rank
        self._messages = Messages(channel)
        self._private = private
        self._depth = tree_depth
        self._stretch_after = stretch_after
        self._ends: tuple[_Direction, _Direction] | None = None
        self._under_way: deque[_Request] = deque()

    @property
    def bytes_sent(self) -> int:
        """On the channel."""
        return self._messages.bytes_sent

    @property
    def places(self) -> Words:
        """D, (2,), of what this party sends."""
        return self._agreed()[0].places

    def transfer(self, sent: int, received: int, width: int = WORD) -> Transferred:
        """64 * ``sent`` transfers from this party and 64 * ``received`` to it, all random.

        Both parties call with mirrored counts. Messages are words, or with a smaller ``width`` so
        many bits in slices, (width, words), or with KEY two words, (2, n).
        """
        return self.begin(sent, received, width)()

    def begin(self, sent: int, received: int, width: int = WORD) -> Callable[[], Transferred]:
        """The same; what is returned waits for the other side's part and those before it."""
        if max(sent, received) > _MOST_WORDS:
            words = max(sent, received)
            raise UsageError(f"{words} words of transfers are more than a pool's {_MOST_WORDS}")
        self.prepare(sent, received)
        sending, receiving = self._agreed()
        return self._begin(sending.share(sent), receiving.share(received), width)

    def prepare(self, sent: int, received: int) -> None:
        """Agree on keys, and fill pools where they pay, so that transfers need not wait for it."""
        ends = self._agreed()
        shares = [
            end.filling(words, self._stretch_after)
            for end, words in zip(ends, (sent, received), strict=True)
        ]
        if any(share.trees or share.words for share in shares):
            sender, receiver = self._begin(shares[0], shares[1], ROWS)()
            for end, rows in zip(ends, (sender.zero, receiver.chosen), strict=True):
                if rows.size:
                    end.fill(rows)

    def swap(self, step: str, words: Words, expect: int, bits: int = WORD) -> Words:
        """Send words of so many bits, where there are any, and receive ``expect`` of them."""
        if bits < WORD:
            packed = pack_dense(words, bits)
            theirs = self.swap(step, packed, -(-expect * bits // WORD))
            return unpack_dense(theirs, expect, bits)
        if words.size:
            due = words.itemsize * expect or None
            self._messages.put(step, words.data.cast("B"), due)
        while self._under_way:
            self._finish()
        return self._messages.words(step, expect) if expect else np.zeros(0, np.uint64)

    def _agreed(self) -> tuple[_Direction, _Direction]:
        """What this party sends and what it receives; keys are agreed on the first time."""
        if self._ends is None:
            keys = agree(self._rank, self._depth, self._messages, self._private)
            self._ends = _Direction(keys[0]), _Direction(keys[1])
        return self._ends

    def _begin(self, sent: _Share, received: _Share, width: int) -> Callable[[], Transferred]:
        """What needs nothing of the other side; the rest is returned."""
        sending, receiving = self._agreed()
        send_at, receive_at = sending.advance(sent), receiving.advance(received)
        extended = self._extend_receive(receiving, received.words, receive_at[1], width)
        stretched = self._stretch_send(sending, sent, send_at[0], width)

        def rest() -> Transferred:
            both = stretched, self._extend_send(sending, sent.words, send_at[1], width)
            grown = self._stretch_receive(receiving, received, receive_at[0], width)
            zero, one = (_joined(*parts, width) for parts in _columns(both))
            choices, chosen = _columns((grown, extended))
            return (
                SentTransfers(zero, one),
                ReceivedTransfers(_joined(*choices, WORD), _joined(*chosen, width)),
            )

        request = _Request(rest)
        self._under_way.append(request)

        def result() -> Transferred:
            while request.made is None:
                self._finish()
            return request.made

        return result

    def _finish(self) -> None:
        """Take in the other side's part of the first request under way."""
        first = self._under_way.popleft()
        first.made = first.rest()

    def _extend_receive(self, end: _Direction, words: int, at: int, width: int) -> _Pair:
        if not words:
            return None
        corrections, choices, chosen = _kernels.ot_receive(end.leaves, end.tag, at, words, width)
        self._messages.put("extend", corrections.data.cast("B"))
        return choices, chosen

    def _extend_send(self, end: _Direction, words: int, at: int, width: int) -> _Pair:
        if not words:
            return None
        corrections = self._messages.words("extend", (128 // self._depth - 1) * words)
        corrections = corrections.reshape(-1, words)
        return _kernels.ot_send(end.leaves, end.tag, end.places, at, corrections, width)

    def _stretch_send(self, end: _Direction, share: _Share, at: int, width: int) -> _Pair:
        if not share.trees:
            return None
        assert end.pool is not None
        roots = self._private.words(2 * share.trees).reshape(-1, 2)
        sums, zero, one = _kernels.ot_silent_send(
            end.pool.rows, end.pool.tags, share.first, at, end.places, roots, width
        )
        self._messages.put("stretch", sums.data.cast("B"))
        return zero, one

    def _stretch_receive(self, end: _Direction, share: _Share, at: int, width: int) -> _Pair:
        if not share.trees:
            return None
        assert end.pool is not None
        sums = self._messages.words("stretch", 2 * LEVELS * share.trees)
        return _kernels.ot_silent_receive(
            end.pool.rows, end.pool.tags, share.first, at, sums, width
        )


def _columns(pairs: tuple[_Pair, _Pair]) -> tuple[tuple[Words, Words], tuple[Words, Words]]:
    """The first members of both pairs and the second ones; empty where there is no pair."""
    none = np.zeros(0, np.uint64)
    first, second = (pair or (none, none) for pair in pairs)
    return (first[0], second[0]), (first[1], second[1])


def _joined(first: Words, second: Words, width: int) -> Words:
    """Both parts of a request one after the other, slice by slice where there are slices."""
    rows = 2 if width == KEY else width if 0 < width < WORD else 0
    if rows:
        first, second = first.reshape(rows, -1), second.reshape(rows, -1)
    if not first.size or not second.size:
        return first if first.size else second
    return np.concatenate((first, second), axis=-1)
