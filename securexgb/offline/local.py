"""Correlations without a dealer, for both parties in one process: insecure on purpose.

Each party can compute the other's pieces, so nothing is hidden from anybody. It is
what simulations, tests and the estimator alone use; the arithmetic is the dealer's
own, and everything follows from one seed, so a run can be repeated bit for bit.
"""

from __future__ import annotations

import hashlib
from typing import Any

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Kind, Words
from securexgb.correlations.streams import Streams, correction
from securexgb.errors import UsageError
from securexgb.offline.insecure.rows import InsecureRowBits
from securexgb.offline.producer import ProductsAhead
from securexgb.offline.row_pads import ShardPads
from securexgb.offline.seeded import Dealer, FixedMatrix, SeededSource


class InsecureLocalSource(SeededSource):
    """A party's source that knows both seeds; refuses a channel that leaves the process.

    Make one for each rank with the same ``seed``, any integer or bytes.
    """

    def __init__(
        self,
        rank: int,
        channel: Channel,
        seed: int | bytes,
        products: ProductsAhead | ShardPads | None = None,
    ) -> None:
        if channel.is_network:
            raise UsageError(
                "the insecure local source serves two parties in one process only; "
                "between two machines name a dealer in the job's terms"
            )
        both = (_streams(seed, 0), _streams(seed, 1))
        super().__init__("insecure-local", both[rank], channel, _InsecureDealer(both), products)
        root = Prg(hashlib.sha256(b"securexgb insecure local rows" + _text(seed)).digest()[:16])
        self.row_bits = InsecureRowBits(rank, channel, root)


class _InsecureDealer(Dealer):
    """Fits at once; ``bytes_exchanged``: what a dealer would have sent to this party."""

    bytes_exchanged = 0

    def __init__(self, both: tuple[Streams, Streams]) -> None:
        self._both = both

    def correction(self, kind: Kind[Any], start: int, count: int) -> Words:
        return self._counted(correction(kind, self._both, range(start, start + count)))

    def product_correction(self, matrix: FixedMatrix, start: int, count: int) -> Words:
        shape, at = (matrix.rows, matrix.columns), range(start, start + count)
        return self._counted(matrix.products.correction(shape, self._both, at))

    def _counted(self, words: Words) -> Words:
        self.bytes_exchanged += words.nbytes
        return words


def _streams(seed: int | bytes, rank: int) -> Streams:
    key = hashlib.sha256(b"securexgb insecure local %d " % rank + _text(seed)).digest()[:16]
    return Streams(Prg(key), "insecure local", rank)


def _text(seed: int | bytes) -> bytes:
    return seed if isinstance(seed, bytes) else str(seed).encode()
