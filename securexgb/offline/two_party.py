"""Correlations that the two parties make alone, from oblivious transfers; each kind says how.

Kinds without a direction are made in both at once, so both parties work at the same time. Blocks
are made ahead of their use on a thread and a stream of their own (``producer``); control flow is
public, so both parties order the same ones. All results are exact. Products with a fixed private
matrix come from elsewhere, by the same thread.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Kind, P
from securexgb.correlations.prices import MADE
from securexgb.correlations.source import Account
from securexgb.offline.ahead import Supply
from securexgb.offline.oblivious_transfer import STRETCH_AFTER, ObliviousTransfer
from securexgb.offline.producer import PrefetchQueue, ProductsAhead


class TwoPartySource:
    """One party's supply; see ``correlations.source``. Made without a message.

    ``channel``: its offline stream carries everything, as it does for ``products``, whose
    producer makes all kinds. ``private``: this party's randomness for this job alone; a
    resumed job takes new.
    ``stretch_after``: words of 64 transfers in a direction from which on they are stretched
    from a pool, equal at both parties; see ``oblivious_transfer``.
    """

    name = "two-party"
    evidence = "none"
    prices = MADE

    def __init__(
        self,
        rank: int,
        channel: Channel,
        private: Prg,
        products: ProductsAhead,
        stretch_after: int = STRETCH_AFTER,
    ) -> None:
        self.products = products
        self._transfers = ObliviousTransfer(
            rank,
            channel.stream("offline"),
            private.derive("oblivious transfer"),
            stretch_after=stretch_after,
        )
        self._draw = private.derive("shares")
        self._queues: list[PrefetchQueue[Any]] = []
        self._supplies: dict[Kind[Any], Supply[Any]] = {}

    @property
    def account(self) -> Account:
        return self.products.account + Account(channel_bytes=self._transfers.bytes_sent)

    def take(self, kind: Kind[P], count: int) -> P:
        """See ``correlations.source``. Every kind that is made has a supply of its own."""
        found: Supply[P] | None = self._supplies.get(kind.made)
        if found is None:
            found = self._supplies[kind.made] = self._supply(kind.made)
        return found.take(count)

    def begin_tree(self, remaining: int) -> None:
        for queue in self._queues:
            queue.begin_tree(remaining)

    def close(self) -> None:
        self.products.close()

    def _supply(self, kind: Kind[P]) -> Supply[P]:
        make = partial(kind.make, self._transfers, self._draw)
        queue = PrefetchQueue(self.products.producer, make, kind.tile)
        self._queues.append(queue)
        return Supply(queue.draw, kind.grain)
