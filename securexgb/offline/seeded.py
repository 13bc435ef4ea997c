"""What every source with a dealer does at a party: own pieces from the own seed.

Such sources differ in one thing, who fits party 1's pieces: another process (``dealt``), or this
one, insecurely (``local``). Products with a fixed private matrix are dealt too (algorithm ss),
unless the two parties make them by homomorphic encryption (algorithm hybrid).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import BLOCK, Kind, P, Words
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.matrices import Products
from securexgb.correlations.prices import DEALT
from securexgb.correlations.source import (
    Account,
    BucketMatrix,
    MatrixProducts,
    ObservedProducts,
    VectorProducts,
)
from securexgb.correlations.streams import Streams
from securexgb.errors import ProtocolDesync, UsageError
from securexgb.offline.ahead import Made, Supply
from securexgb.offline.producer import ProductsAhead
from securexgb.offline.row_pads import ShardPads


@dataclass(repr=False)
class FixedMatrix:
    """One registered matrix, at one party.

    ``masked`` is E = M - U at the side that does not own it, None at the owner.
    ``used`` counts the vectors handed out, two a pair.
    """

    products: Products
    rows: int
    columns: int
    masked: Words | None = None
    used: int = 0


class Dealer(ABC):
    """Who fits party 1's pieces to both parties' own."""

    @property
    @abstractmethod
    def bytes_exchanged(self) -> int:
        """With this party so far."""

    @abstractmethod
    def correction(self, kind: Kind[Any], start: int, count: int) -> Words:
        """Of so many blocks of 64 elements, as sent; for party 1 only."""

    @abstractmethod
    def product_correction(self, matrix: FixedMatrix, start: int, count: int) -> Words:
        """Of the products of so many vectors, (count, columns); for party 1 only."""

    def check(self) -> None:  # noqa: B027
        """Raise where the dealer has failed or is no longer trusted; called at every request of
        correlations and products, of those too that the two parties make."""

    def announce(self, matrix: FixedMatrix, pairs: int | None) -> None:  # noqa: B027
        """Tell of a new matrix: its public shape. ``pairs`` of vectors are expected, if known."""

    def begin_tree(self, remaining: int) -> None:  # noqa: B027
        """See ``correlations.source``."""

    def close(self) -> None:  # noqa: B027
        """Leave the session, where there is one."""


class SeededSource:
    """One party's supply, its own pieces drawn from its own seed; see ``correlations.kind``.

    ``made``: the matrix products where the two parties make them.
    """

    evidence = "none"
    prices = DEALT

    def __init__(
        self, name: str, streams: Streams, channel: Channel, dealer: Dealer,
        made: ProductsAhead | ShardPads | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self._streams = streams
        self._dealer = dealer
        self._made = made
        self._seconds = 0.0
        products: MatrixProducts = made or DealtProducts(streams, channel, dealer)
        self.products = ObservedProducts(products, lambda *_: dealer.check())
        self._supplies: dict[Kind[Any], Supply[Any]] = {kind: self._supply(kind) for kind in KINDS}

    @property
    def account(self) -> Account:
        own = Account(self._seconds, self._seconds, self._dealer.bytes_exchanged)
        return own + self.products.account

    def take(self, kind: Kind[P], count: int) -> P:
        """See ``correlations.source``."""
        self._dealer.check()
        made: Kind[Any] = kind.dealt
        supply: Supply[P] | None = self._supplies.get(made)
        if supply is None:
            supply = self._supplies[made] = self._supply(made)
        return supply.take(count)

    def begin_job(self, words: int) -> None:
        """See ``correlations.source``: nothing is worth it."""

    def expect(self, counts: Mapping[Kind[Any], int]) -> None:
        """See ``correlations.source``: the dealer's are there at once."""

    def begin_tree(self, remaining: int) -> None:
        """See ``correlations.source``."""
        self._dealer.begin_tree(remaining)

    def close(self) -> None:
        """See ``correlations.source``."""
        self._dealer.close()
        if self._made is not None:
            self._made.close()

    def _supply(self, kind: Kind[P]) -> Supply[P]:
        def make(start: int, count: int) -> Made[P]:
            began = perf_counter()
            blocks = (start // BLOCK, count // BLOCK)
            arrays, rank = self._streams.free(kind, *blocks), self._streams.rank
            if rank == 1:
                sent = self._dealer.correction(kind, *blocks)
                arrays = (*arrays, kind.layout.fitted.array(sent))
            pieces = kind.complete(rank, arrays)
            self._seconds += perf_counter() - began
            return [(pieces, count)]

        return Supply(make, kind.grain)


class DealtProducts:
    """Matrix products that a dealer fits; see ``correlations.matrices``."""

    def __init__(self, streams: Streams, channel: Channel, dealer: Dealer) -> None:
        self.account = Account()
        self._streams = streams
        self._channel = channel
        self._dealer = dealer
        self._pairs: int | None = None
        self._matrices: list[FixedMatrix | None] = [None, None]

    @property
    def divided(self) -> None:
        """See ``correlations.source``: each place of rows has dealt products of its own."""

    @property
    def pads(self) -> None:
        """See ``correlations.source``."""

    def plan(self, vectors: int, values: int, *, is_far: bool) -> None:
        """See ``correlations.source``."""
        self._pairs = vectors

    def noise_bits(self, matrix: BucketMatrix) -> int:
        """See ``correlations.source``: what is dealt is exact."""
        return 0

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        """See ``correlations.source``."""
        began = perf_counter()
        owner, before = matrix.owner, self._matrices[matrix.owner]
        products = Products(owner, 0 if before is None else before.products.number + 1)
        fixed = FixedMatrix(products, matrix.rows, matrix.columns)
        self._dealer.announce(fixed, self._pairs)
        size, tag = 8 * matrix.rows * matrix.columns, f"offline/{products.matrix}"
        if size and self._streams.rank == owner:
            key, buckets = products.mask_key(self._streams), matrix.own(own)
            masked = _kernels.mask_bucket_matrix(buckets, matrix.bins, key, 0)
            self._channel.send(tag, masked.data.cast("B"))
            self.account.channel_bytes += size
        elif size:
            fixed.masked = _as_matrix(self._channel.receive(tag, size), fixed)
        self._matrices[owner] = fixed
        self._spent(began)

    def begin(self) -> None:
        """See ``correlations.source``: the dealer's are drawn when they are used."""

    def vector_products(self, owner: int, count: int) -> VectorProducts:
        """See ``correlations.source``."""
        began, fixed, single = perf_counter(), self._matrices[owner], 2 * count
        if fixed is None:
            raise UsageError(f"the matrix of party {owner} is not registered: do that first")
        series, start = fixed.products, fixed.used
        fixed.used += single
        if self._streams.rank == 0:
            products = series.shares(self._streams, fixed.columns, start, single)
        else:
            products = self._dealer.product_correction(fixed, start, single)
        vectors = None
        if self._streams.rank != owner:
            vectors = series.vectors(self._streams, fixed.rows, start, single)
            if fixed.masked is not None and count:
                products = products + _kernels.matrix_product(fixed.masked, vectors)
            vectors = vectors.reshape(count, 2, fixed.rows)
        self._spent(began)
        return VectorProducts(vectors, products.reshape(count, 2, fixed.columns))

    def _spent(self, began: float) -> None:
        seconds = perf_counter() - began
        self.account.seconds += seconds
        self.account.waited_seconds += seconds


def _as_matrix(payload: bytes | memoryview, fixed: FixedMatrix) -> Words:
    """The received E, without a copy."""
    if len(payload) != 8 * fixed.rows * fixed.columns:
        raise ProtocolDesync(
            f"the masked matrix of party {fixed.products.owner} has {len(payload)} bytes "
            f"instead of {8 * fixed.rows * fixed.columns}: the two sides hold different terms"
        )
    words: Words = np.frombuffer(payload, dtype="<u8").reshape(fixed.rows, fixed.columns)
    return words
