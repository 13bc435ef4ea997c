"""Random oblivious transfers between the two parties, without a third side.

Once a session, 128 base transfers in each direction (Masny, Rindal, CCS 2019, on
ristretto255) give one party all leaves of 128 / k trees and the other all but one of
each. From then on any number of transfers follows from AES streams and one message of
128 / k - 1 bits a transfer (SoftSpokenOT: Roy, CRYPTO 2022, semi-honest). The kernels
``ot_base``, ``ot_tree`` and ``ot`` say what is computed; docs/offline.md argues why.

Setup, three messages each way:

    offer      a nonce and the base sender's point; both name the session
    reply      the base receiver's points: the places of the missing leaves, hidden
    trees      the sums of each tree's levels, under the base keys
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.errors import ProtocolDesync
from securexgb.offline.correlations import RandomOTReceiver, RandomOTSender, Words

TREE_DEPTH = 4
"""k: a transfer costs 128 / k - 1 bits and 2^k / k pieces of AES; measured in docs/offline.md."""
_BASE = 128
_NONCE_BYTES = 32
_POINT_BYTES = 32


@dataclass(repr=False)
class _Direction:
    """This party's end of the transfers in one direction.

    ``places`` are the sender's secret (2,), zero at the receiver. ``position`` counts the
    words of 64 transfers that were made.
    """

    leaves: Words
    tag: Words
    places: Words
    position: int = 0

    def advance(self, words: int) -> int:
        """The position of the next ``words`` words, which are used up."""
        start, self.position = self.position, self.position + words
        return start


class ObliviousTransfer:
    """One party's end; nothing is exchanged before the first transfer.

    ``private``: this party's randomness for one session, never used for another.
    ``bytes_sent`` counts what this party has put on the channel.
    """

    def __init__(
        self, rank: int, channel: Channel, private: Prg, tree_depth: int = TREE_DEPTH
    ) -> None:
        self.bytes_sent = 0
        self._rank = rank
        self._channel = channel
        self._private = private
        self._depth = tree_depth
        self._sending: _Direction | None = None
        self._receiving: _Direction | None = None

    def transfer(
        self, sent: int, received: int, packed: bool = False
    ) -> tuple[RandomOTSender, RandomOTReceiver]:
        """64 * ``sent`` transfers from this party and 64 * ``received`` to it, all random.

        Both parties call with mirrored counts. Messages are words, or with ``packed``
        single bits, 64 to a word. One message each way.
        """
        if self._sending is None or self._receiving is None:
            self._sending, self._receiving = self._connect()
        receiver = self._receive(self._receiving, received, packed)
        return self._send(self._sending, sent, packed), receiver

    def exchange(self, step: str, words: Words, expect: int) -> Words:
        """Send words, where there are any, and receive ``expect`` words."""
        if words.size:
            self._put(step, words.tobytes())
        return self._words(step, expect) if expect else np.zeros(0, np.uint64)

    def _receive(self, ours: _Direction, words: int, packed: bool) -> RandomOTReceiver:
        start = ours.advance(words)
        corrections, choices, chosen = _kernels.ot_receive(
            ours.leaves, ours.tag, start, words, packed
        )
        if words:
            self._put("extend", corrections.data.cast("B"))
        return RandomOTReceiver(choices, chosen)

    def _send(self, ours: _Direction, words: int, packed: bool) -> RandomOTSender:
        rows = _BASE // self._depth - 1
        corrections = self._words("extend", rows * words) if words else np.zeros(0, np.uint64)
        start = ours.advance(words)
        zero, one = _kernels.ot_send(
            ours.leaves, ours.tag, ours.places, start, corrections.reshape(rows, words), packed
        )
        return RandomOTSender(zero, one)

    def _connect(self) -> tuple[_Direction, _Direction]:
        """The base transfers; this party's ends as sender and as receiver."""
        draw = self._private
        secret = draw.words(8).tobytes()
        mine = draw.words(_NONCE_BYTES // 8).tobytes() + _kernels.ot_offer(secret)
        self._put("offer", mine)
        theirs = self._bytes("offer", _NONCE_BYTES + _POINT_BYTES)
        offers = (mine, theirs) if self._rank == 0 else (theirs, mine)
        to_send, to_receive = (
            _session(sender, self._depth, offers) for sender in (self._rank, 1 - self._rank)
        )

        choices = draw.words(_BASE // 64)
        random = draw.words(_BASE * 16).tobytes()
        try:
            reply, chosen = _kernels.ot_choose(to_send, theirs[_NONCE_BYTES:], choices, random)
            self._put("reply", reply)
            answer = self._bytes("reply", 2 * _POINT_BYTES * _BASE)
            pads = _kernels.ot_finish(to_receive, secret, answer)
        except ValueError as error:
            raise ProtocolDesync(
                f"the other side's base transfers are malformed: {error}"
            ) from None

        roots = draw.words(2 * _BASE // self._depth).reshape(-1, 2)
        leaves, sums = _kernels.ot_grow(self._depth, roots, pads)
        self._put("trees", sums.tobytes())
        received = self._words("trees", 4 * _BASE).reshape(_BASE, 2, 2)
        places = ~choices
        known = _kernels.ot_puncture(self._depth, places, chosen, received)
        none = np.zeros_like(places)
        return (
            _Direction(known, _tag(to_send), places),
            _Direction(leaves, _tag(to_receive), none),
        )

    def _put(self, step: str, payload: bytes | memoryview) -> None:
        self._channel.send(_place(step), payload)
        self.bytes_sent += len(payload)

    def _bytes(self, step: str, count: int) -> bytes:
        payload = bytes(self._channel.receive(_place(step)))
        if len(payload) != count:
            raise ProtocolDesync(
                f"the message at {_place(step)} has {len(payload)} bytes instead of {count}: "
                "the two sides run different versions or hold different terms"
            )
        return payload

    def _words(self, step: str, count: int) -> Words:
        return np.frombuffer(self._bytes(step, 8 * count), dtype="<u8")


def _place(step: str) -> str:
    return f"offline/transfers/{step}"


def _session(sender: int, depth: int, offers: tuple[bytes, bytes]) -> bytes:
    """The name of one direction of this session, 32 bytes; both nonces make it unique."""
    text = b"securexgb transfers from %d, depth %d: " % (sender, depth)
    return hashlib.sha256(text + offers[0] + offers[1]).digest()


def _tag(session: bytes) -> Words:
    """What the extension's hash keys are derived from, (2,); public."""
    return np.frombuffer(hashlib.sha256(b"hash of " + session).digest()[:16], dtype="<u8")
