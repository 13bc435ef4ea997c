"""Correlations without a dealer, for both parties in one process: insecure on purpose.

Each party can compute the other's pieces, so nothing is hidden from anybody. It is
what simulations, tests and the estimator alone use; the arithmetic is the dealer's
own, and everything follows from one seed, so a run can be repeated bit for bit.
"""

from __future__ import annotations

import hashlib

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.dealer.deal import Streams, correction, product_correction
from securexgb.errors import UsageError
from securexgb.offline.correlations import Kind, Words
from securexgb.offline.producer import ProductsAhead
from securexgb.offline.seeded import FixedMatrix, SeededSource


class InsecureLocalSource(SeededSource):
    """A party's source that knows both seeds; refuses a channel that leaves the process.

    Make one for each rank with the same ``seed``, any integer or bytes.
    """

    name = "insecure-local"

    def __init__(
        self,
        rank: int,
        channel: Channel,
        seed: int | bytes,
        products: ProductsAhead | None = None,
    ) -> None:
        if channel.is_network:
            raise UsageError(
                "the insecure local source serves two parties in one process only; "
                "between two machines name a dealer in the job's terms"
            )
        both = (_streams(seed, 0), _streams(seed, 1))
        super().__init__(both[rank], channel, products)
        self._both = both
        self._corrections = 0

    def _correction(self, kind: Kind, start: int, count: int) -> Words:
        fitted = correction(kind, *self._both, start, count)
        self._corrections += fitted.size
        return fitted

    def _product_correction(self, matrix: FixedMatrix, start: int, count: int) -> Words:
        self._corrections += count * matrix.columns
        shape = (matrix.rows, matrix.columns)
        at = range(start, start + count)
        return product_correction(matrix.owner, matrix.name, shape, self._both, at)

    def _announce(self, matrix: FixedMatrix) -> None:
        """Nobody deals."""

    @property
    def offline_bytes(self) -> int:
        """What a dealer would have sent to this party."""
        return 8 * self._corrections

    def begin_tree(self, left: int) -> None:
        """Nothing is drawn ahead."""

    def _check(self) -> None:
        """Nothing can fail."""


def _streams(seed: int | bytes, rank: int) -> Streams:
    text = seed if isinstance(seed, bytes) else str(seed).encode()
    key = hashlib.sha256(b"securexgb insecure local %d " % rank + text).digest()[:16]
    return Streams(Prg(key), "insecure local", rank)
