"""How the two parties start oblivious transfers: 128 base transfers in each direction.

Masny, Rindal, *Endemic Oblivious Transfer*, CCS 2019, on ristretto255; then trees of
which one party has all leaves and the other all but one. Three messages each way:

    offer      a nonce and the base sender's point; both name the session
    reply      the base receiver's points: the places of the missing leaves, hidden
    trees      the sums of each tree's levels, under the base keys

Kernels: ``ot/base.rs`` and ``ot/ggm.rs``; docs/offline.md says what each side learns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Words
from securexgb.errors import ProtocolDesync

_TRANSFERS = 128
_NONCE_BYTES = 32
_POINT_BYTES = 32


@dataclass(frozen=True, repr=False)
class Keys:
    """One end of one direction.

    ``session`` names the direction in this session, 32 bytes, public. ``leaves``:
    (128 / k, 2^k, 2), at the sender all but one of each tree; ``places`` (2,): which ones,
    the sender's secret with its lowest bit set, zero at the receiver.
    """

    session: bytes
    leaves: Words
    places: Words


class Messages:
    """The messages of the transfers on the channel; counts what was sent."""

    def __init__(self, channel: Channel) -> None:
        self.bytes_sent = 0
        self._channel = channel

    def put(self, step: str, payload: bytes | memoryview, awaits: int | None = None) -> None:
        """Send a message; ``awaits``: the bytes of the next one, where both may be long."""
        self._channel.send(_tag(step), payload, awaits)
        self.bytes_sent += len(payload)

    def get(self, step: str, count: int) -> bytes:
        """A message of so many bytes; ProtocolDesync where it has another length."""
        payload = bytes(self._channel.receive(_tag(step), count))
        if len(payload) != count:
            raise ProtocolDesync(
                f"the message at {_tag(step)} has {len(payload)} bytes instead of {count}: "
                "the two sides run different versions or hold different terms"
            )
        return payload

    def words(self, step: str, count: int) -> Words:
        """A message of so many words."""
        return np.frombuffer(self.get(step, 8 * count), dtype="<u8")


def agree(rank: int, depth: int, messages: Messages, private: Prg) -> tuple[Keys, Keys]:
    """Both directions at once: this party's keys as sender and as receiver."""
    secret = private.words(8).tobytes()
    mine = private.words(_NONCE_BYTES // 8).tobytes() + _kernels.ot_offer(secret)
    messages.put("offer", mine)
    theirs = messages.get("offer", _NONCE_BYTES + _POINT_BYTES)
    offers = (mine, theirs) if rank == 0 else (theirs, mine)
    to_send, to_receive = (_session(sender, depth, offers) for sender in (rank, 1 - rank))

    places = private.words(_TRANSFERS // 64)
    places[0] |= np.uint64(1)
    random = private.words(_TRANSFERS * 16).tobytes()
    try:
        reply, chosen = _kernels.ot_choose(to_send, theirs[_NONCE_BYTES:], ~places, random)
        messages.put("reply", reply)
        answer = messages.get("reply", 2 * _POINT_BYTES * _TRANSFERS)
        pads = _kernels.ot_finish(to_receive, secret, answer)
    except ValueError as error:
        raise ProtocolDesync(f"the other side's base transfers are malformed: {error}") from None

    roots = private.words(2 * _TRANSFERS // depth).reshape(-1, 2)
    everything, sums = _kernels.ot_grow(depth, roots, pads)
    messages.put("trees", sums.tobytes())
    received = messages.words("trees", 4 * _TRANSFERS).reshape(_TRANSFERS, 2, 2)
    known = _kernels.ot_puncture(depth, places, chosen, received)
    return Keys(to_send, known, places), Keys(to_receive, everything, np.zeros_like(places))


def public_keys(session: bytes, purpose: str, count: int) -> Words:
    """Keys of a direction's public hashes and matrices, (count, 2)."""
    digest = hashlib.shake_256(purpose.encode() + b" of " + session).digest(16 * count)
    return np.frombuffer(digest, dtype="<u8").reshape(count, 2)


def _session(sender: int, depth: int, offers: tuple[bytes, bytes]) -> bytes:
    """The name of one direction of this session, 32 bytes; both nonces make it unique."""
    text = b"securexgb transfers from %d, depth %d: " % (sender, depth)
    return hashlib.sha256(text + offers[0] + offers[1]).digest()


def _tag(step: str) -> str:
    return f"offline/transfers/{step}"
