"""How many keys both sides have in common, and nothing else: for a dry run.

Each side hashes its keys onto ristretto255 and multiplies the points by a secret scalar; the
other side multiplies them by its own and sends them back in random order. Who gets both lists
under both scalars counts what they share and cannot tell which key is which (Meadows 1986; with
the shuffle De Cristofaro, Gasti, Tsudik, CANS 2012). That takes some 60 microseconds a key and
side, so by default only a sample is counted: keys whose digests under a new public coin lie in
the first of k equal ranges. The coin is drawn when both sides' keys are fixed. Lists are filled
up to a public size with points that belong to no key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.align.keys import OrderedKeys
from securexgb.align.limits import Limits, agree_on_sizes
from securexgb.align.sizes import bound
from securexgb.arith.prg import Prg
from securexgb.correlations.kind import Words
from securexgb.errors import ProtocolDesync, SecureXGBError
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.reveals import Reveal

Bytes = NDArray[np.uint8]
SAMPLE = 1 << 14
"""Keys of the larger side that are counted, on average."""
_NONCE_WORDS = 4
_POINT_WORDS = 4
_TAG = b"securexgb common size"


@dataclass(frozen=True)
class CommonSize:
    """``counted`` common keys in a sample of one in ``one_in``; with 1 that is all of them."""

    counted: int
    one_in: int

    @property
    def common(self) -> int:
        """The number of common keys, or its estimate."""
        return self.counted * self.one_in

    @property
    def deviation(self) -> float:
        """The estimate's standard deviation; 0 where all were counted."""
        k = self.one_in
        return float(k * np.sqrt((self.counted + 1) * (1 - 1 / k))) if k > 1 else 0.0


def count_common(
    party: Party, keys: Sequence[bytes], limits: Limits, *, sample: bool = True
) -> CommonSize:
    """How many keys are common; of a sample where there are many, or, without ``sample``, of all.

    Errors as of ``align.intersect.intersect``, but for too few in common: that is an answer here.
    """
    with party.step("count"):
        private = Prg(party.private.words(2).tobytes())
        OrderedKeys.of(party.role, keys, b"")
        sizes = agree_on_sizes(party, len(keys), limits)
        coin = _coin(party, private)
        own = OrderedKeys.of(party.role, keys, coin)
        one_in = max(1, max(sizes) // SAMPLE) if sample else 1
        digests = own.digests[: own.starts(one_in)[1]] if one_in > 1 else own.digests
        bounds = [bound(count, one_in) for count in sizes]
        with party.ledger.announced({(Reveal.COMMON_SIZE, "both"): 1}):
            party.ledger.record(Reveal.COMMON_SIZE, "both", 1)
            counted = common_size(party, digests, (bounds[0], bounds[1]), private)
    return CommonSize(counted, one_in)


def _coin(party: Party, private: Prg) -> bytes:
    nonce = private.words(_NONCE_WORDS)
    with party.step("coin"):
        nonces = (nonce, party.exchange(nonce))[:: 1 - 2 * party.rank]
    return hashlib.sha256(_TAG + b"".join(part.tobytes() for part in nonces)).digest()


@protocol(
    opens="how many keys both sides have",
    source="Meadows, S&P 1986; De Cristofaro, Gasti, Tsudik, CANS 2012; docs/alignment.md",
    ideal=None,
    cost=lambda digests, most, private: Cost.alike(3, 1 + _POINT_WORDS * sum(most), {}),
)
def common_size(party: Party, digests: Words, most: tuple[int, int], private: Prg) -> int:
    """How many digests (n, 2) both sides have; ``most``: of the label's and the feature's list."""
    bounds = most[:: 1 - 2 * party.rank]
    fits = np.array([len(digests) <= bounds[0]], np.uint64)
    if not (party.exchange(fits)[0] and fits[0]):
        raise SecureXGBError(
            f"{party.role} party: a sample is larger than its bound, which happens once in 2^51 "
            "coins: try again"
        )
    scalar = private.words(8).tobytes()
    random = private.words(2 * (bounds[0] - len(digests))).reshape(-1, 2)
    filled = np.concatenate((digests, random))
    # Points of keys and of what fills up have different tags, so no such point is a key's.
    lists = [
        _kernels.psi_blind(np.ascontiguousarray(part), tag, scalar)
        for part, tag in ((digests, _TAG), (random, _TAG + b": none"))
    ]
    mine = np.concatenate(lists)[_shuffled(len(filled), private)]
    theirs = _exchanged(party, "points", mine, bounds[1])
    try:
        again = _kernels.psi_blind_again(theirs, scalar)
    except ValueError as error:
        raise ProtocolDesync(f"the other side's points are malformed: {error}") from None
    again = again[_shuffled(len(again), private)]
    mine = _exchanged(party, "again", again, bounds[0])
    return len({row.tobytes() for row in mine} & {row.tobytes() for row in again})


def _exchanged(party: Party, step: str, points: Bytes, count: int) -> Bytes:
    """One round; points (n, 32), the other side's (count, 32)."""
    words = np.ascontiguousarray(points).view(np.uint64)
    with party.step(step):
        received = party.exchange(words.reshape(-1), _POINT_WORDS * count)
    return received.view(np.uint8).reshape(count, -1)


def _shuffled(count: int, private: Prg) -> NDArray[np.int64]:
    """A random order."""
    return np.lexsort(private.words(2 * count).reshape(2, -1))
