"""Correlations that the two parties make alone, from oblivious transfers.

Every kind is made in both directions at once, so both parties work at the same time:

    random OT      as it comes: no second message
    bit triples    two transfers of a bit for an and: with messages m0, m1 of my transfer
                   and choice c, chosen m_c of the other one, a = m0 ^ m1, b = c and the share
                   of c is a & b ^ m0 ^ m_c. Both cross products are there: no second message
    shared bits    r = r0 ^ r1 = r0 + r1 - 2 r0 r1; the product of the sender's bit r0 and
                   the receiver's choice r1 takes one transfer and one word
    ring triples   both cross products of (a0 + a1)(b0 + b1) bit by bit of b, the choices:
                   64 transfers and 260 bytes each (Gilboa, CRYPTO 1999)

Control flow is public, so both parties run dry of a kind at the same request and make
the next block of it there and then. All results are exact. Products with a fixed
private matrix come from elsewhere, see ``source.MatrixProducts``.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.dealer.deal import Pieces
from securexgb.offline.blocks import Supply
from securexgb.offline.correlations import (
    BitTriples,
    RandomOTReceiver,
    RandomOTSender,
    SharedRandomBits,
    Triples,
    VectorProducts,
    Words,
)
from securexgb.offline.oblivious_transfer import BIT, STRETCH_AFTER, ObliviousTransfer
from securexgb.offline.source import MatrixProducts

_TILE = 1 << 11
"""Words of 64 transfers made at a time: 1 MiB a kind of message."""
_TWO = np.uint64(2)


class TwoPartySource:
    """One party's supply; see ``offline.source``. Made without a message.

    ``private``: this party's randomness for this job alone; a resumed job takes new.
    ``stretch_after``: words of 64 transfers in a direction from which on they are stretched
    from a pool, equal at both parties; see ``oblivious_transfer``.
    """

    name = "two-party"
    evidence = "none"
    offline_bytes = 0

    def __init__(
        self,
        rank: int,
        channel: Channel,
        private: Prg,
        products: MatrixProducts,
        stretch_after: int = STRETCH_AFTER,
    ) -> None:
        self.offline_seconds = 0.0
        self._rank = rank
        self._products = products
        self._transfers = ObliviousTransfer(
            rank, channel, private.derive("oblivious transfer"), stretch_after=stretch_after
        )
        self._draw = private.derive("shares")
        self._triples = self._supply(self._make_triples, (1, 1, 1), 1)
        self._bit_triples = self._supply(self._make_bit_triples, (1, 1, 1), 1)
        self._shared_bits = self._supply(self._make_shared_bits, (64, 1), 64)
        self._sending = self._supply(self._make_sending, (1, 1), 64)
        self._receiving = self._supply(self._make_receiving, (64, 1), 64)

    @property
    def offline_channel_bytes(self) -> int:
        return self._transfers.bytes_sent + self._products.offline_channel_bytes

    def triples(self, count: int) -> Triples:
        return Triples(*self._triples.take(count))

    def bit_triples(self, words: int) -> BitTriples:
        return BitTriples(*self._bit_triples.take(words))

    def shared_bits(self, count: int) -> SharedRandomBits:
        return SharedRandomBits(*self._shared_bits.take(count))

    def random_ot_send(self, count: int) -> RandomOTSender:
        return RandomOTSender(*self._sending.take(count))

    def random_ot_receive(self, count: int) -> RandomOTReceiver:
        return RandomOTReceiver(*self._receiving.take(count))

    def register_matrix(
        self, owner: int, rows: int, columns: int, matrix: NDArray[np.uint8] | None, bins: int
    ) -> None:
        began = perf_counter()
        self._products.register_matrix(owner, rows, columns, matrix, bins)
        self.offline_seconds += perf_counter() - began

    def vector_products(self, owner: int, count: int) -> VectorProducts:
        began = perf_counter()
        made = self._products.vector_products(owner, count)
        self.offline_seconds += perf_counter() - began
        return made

    def close(self) -> None:
        """Nothing runs on its own; what was not used is lost."""

    def _supply(
        self, tile: Callable[[int], Pieces], per_word: tuple[int, ...], elements: int
    ) -> Supply:
        """Blocks of a kind with so many ``elements`` to a word of transfers, tile by tile."""

        def make(_start: int, count: int) -> Pieces:
            began = perf_counter()
            words = count // elements
            sizes = [min(_TILE, words - at) for at in range(0, words, _TILE)]
            tiles = [tile(size) for size in sizes]
            self.offline_seconds += perf_counter() - began
            return tuple(np.concatenate(parts) for parts in zip(*tiles, strict=True))

        return Supply(make, per_word, whole_words=elements == 64)

    def _make_sending(self, words: int) -> Pieces:
        sender, _ = self._transfers.transfer(words, 0)
        return sender.zero, sender.one

    def _make_receiving(self, words: int) -> Pieces:
        _, receiver = self._transfers.transfer(0, words)
        return receiver.choices, receiver.chosen

    def _make_bit_triples(self, words: int) -> Pieces:
        sender, receiver = self._transfers.transfer(words, words, BIT)
        a, b = sender.zero ^ sender.one, receiver.choices
        return a, b, a & b ^ sender.zero ^ receiver.chosen

    def _make_triples(self, count: int) -> Pieces:
        sender, receiver = self._transfers.transfer(count, count)
        a, b = self._draw.words(count), receiver.choices
        message, sent = _kernels.ot_products_send(sender.zero, sender.one, a, 64)
        theirs = self._transfers.swap("ring triples", message, message.size)
        return a, b, a * b + sent + _kernels.ot_products_receive(receiver.chosen, b, 64, theirs)

    def _make_shared_bits(self, words: int) -> Pieces:
        """The first half with rank 0 as sender, the rest with rank 1."""
        halves = (words // 2, words - words // 2)
        sent, received = halves[self._rank], halves[1 - self._rank]
        sender, receiver = self._transfers.transfer(sent, received)
        own = self._draw.words(sent)
        bits, choices = _spread(own), _spread(receiver.choices)
        masked = bits + sender.zero - sender.one
        theirs = self._transfers.swap("shared bits", masked, 64 * received)
        as_sender = bits + _TWO * sender.zero
        as_receiver = choices - _TWO * (receiver.chosen + choices * theirs)
        order = slice(None, None, 1 - 2 * self._rank)
        return (
            np.concatenate((own, receiver.choices)[order]),
            np.concatenate((as_sender, as_receiver)[order]),
        )


def _spread(packed: Words) -> Words:
    """Packed bits as one word each, 0 or 1."""
    return _kernels.unpack_bits(packed, 64 * packed.size).astype(np.uint64)
