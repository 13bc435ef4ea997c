"""Correlations that the two parties make alone, from oblivious transfers.

Kinds without a direction are made in both at once, so both parties work at the same time:

    random OT      as it comes: no second message
    gates          two transfers of ``width`` bits: with messages m0, m1 of my transfer and
                   choice c, chosen m_c of the other one, a = c, b = m0 ^ m1 and the share of c
                   is a & b ^ m0 ^ m_c. Both cross products are there: no second message
    digits         one of 16 from four transfers, see ``_make_sent_digits``: no second message
    shared bits    r = r0 ^ r1 = r0 + r1 - 2 r0 r1; the product of the sender's bit r0 and
                   the receiver's choice r1 takes one transfer and one word, or half a word
    ring triples   both cross products of (a0 + a1)(b0 + b1) mod 2^r bit by bit of b, the
                   choices: r transfers and r (r + 1) / 16 bytes each (Gilboa, CRYPTO 1999)

Blocks are made ahead of their use on a thread and a lane of their own (``producer``); control
flow is public, so both parties order the same ones. All results are exact. Products with a
fixed private matrix come from elsewhere, see ``source.MatrixProducts``, by the same thread.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.bits import pack_dense, unpack_dense
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.dealer.deal import Pieces
from securexgb.offline.blocks import Supply
from securexgb.offline.correlations import (
    GATES,
    BucketMatrix,
    DigitReceiver,
    DigitSender,
    GateTriples,
    PadProducts,
    RandomOTReceiver,
    RandomOTSender,
    SharedRandomBits,
    Triples,
    VectorProducts,
    Words,
)
from securexgb.offline.oblivious_transfer import STRETCH_AFTER, WORD, ObliviousTransfer
from securexgb.offline.producer import ProductsAhead, Stream

_TILE = 1 << 11
"""Words of 64 transfers made at a time: 1 MiB a kind of message."""
_DIGIT_BITS = 4
_SINGLE = frozenset({"shared bits", "sent", "received"})
"""Kinds whose elements are single transfers; of the others a word of 64."""
_TWO = np.uint64(2)


class TwoPartySource:
    """One party's supply; see ``offline.source``. Made without a message.

    ``channel``: its offline lane carries everything, as it does for ``products``, whose
    producer makes all kinds. ``private``: this party's randomness for this job alone; a
    resumed job takes new.
    ``stretch_after``: words of 64 transfers in a direction from which on they are stretched
    from a pool, equal at both parties; see ``oblivious_transfer``.
    """

    name = "two-party"
    evidence = "none"
    dealt = False
    offline_bytes = 0

    def __init__(
        self,
        rank: int,
        channel: Channel,
        private: Prg,
        products: ProductsAhead,
        stretch_after: int = STRETCH_AFTER,
    ) -> None:
        self._rank = rank
        self._products = products
        self._producer = products.producer
        self._transfers = ObliviousTransfer(
            rank,
            channel.stream("offline"),
            private.derive("oblivious transfer"),
            stretch_after=stretch_after,
        )
        self._draw = private.derive("shares")
        self._supplies: dict[tuple[str, int], Supply] = {}
        self._streams: list[Stream] = []

    @property
    def offline_seconds(self) -> float:
        return self._producer.seconds

    @property
    def waited_seconds(self) -> float:
        return self._producer.waited_seconds

    @property
    def offline_channel_bytes(self) -> int:
        return self._transfers.bytes_sent + self._products.offline_channel_bytes

    def triples(self, count: int, ring_bits: int = WORD) -> Triples:
        """See ``offline.source``. Every ring has a supply of its own."""
        supply = self._supply("triples", ring_bits, self._make_triples)
        return Triples(*supply.take(count))

    def gates(self, words: int, width: int) -> GateTriples:
        wide = next(size for size in GATES if size >= width)
        a, b, c = self._supply("gates", wide, self._make_gates).take(words)
        return GateTriples(a, b[:width], c[:width])

    def digit_send(self, words: int, width: int) -> DigitSender:
        supply = self._supply("sent digits", width, self._make_sent_digits)
        return DigitSender(*supply.take(words))

    def digit_receive(self, words: int, width: int) -> DigitReceiver:
        supply = self._supply("received digits", width, self._make_received_digits)
        return DigitReceiver(*supply.take(words))

    def shared_bits(self, count: int, ring_bits: int = WORD) -> SharedRandomBits:
        supply = self._supply("shared bits", ring_bits, self._make_shared_bits)
        return SharedRandomBits(*supply.take(count))

    def random_ot_send(self, count: int, bits: int = WORD) -> RandomOTSender:
        """See ``offline.source``; of 64 bits at least, as they cost the same."""
        supply = self._supply("sent", max(bits, WORD), self._make_sent)
        return RandomOTSender(*supply.take(count))

    def random_ot_receive(self, count: int, bits: int = WORD) -> RandomOTReceiver:
        supply = self._supply("received", max(bits, WORD), self._make_received)
        return RandomOTReceiver(*supply.take(count))

    def plan(self, vectors: int, values: int) -> None:
        self._products.plan(vectors, values)

    def begin_tree(self, left: int) -> None:
        for stream in self._streams:
            stream.begin_tree(left)

    def noise_bits(self, matrix: BucketMatrix) -> int:
        return self._products.noise_bits(matrix)

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        self._products.register_matrix(matrix, own)

    def vector_products(self, owner: int, count: int) -> VectorProducts | PadProducts:
        return self._products.vector_products(owner, count)

    def close(self) -> None:
        """Stop producing; what was not used is lost. After the channel."""
        self._producer.close()

    def _supply(self, name: str, bits: int, make: Callable[[int, int], Pieces]) -> Supply:
        """The supply of a kind; ``make(elements, bits)`` makes a tile of it."""
        found = self._supplies.get((name, bits))
        if found is None:
            whole_words = name in _SINGLE
            tile = _TILE * (64 if whole_words else 1)
            if "digits" in name:
                tile //= _DIGIT_BITS
            packed = whole_words and name != "sent"
            stream = Stream(self._producer, lambda count: make(count, bits), tile)
            self._streams.append(stream)
            found = Supply(stream.take, packed, whole_words)
            self._supplies[name, bits] = found
        return found

    def _make_sent(self, count: int, width: int) -> Pieces:
        sender, _ = self._transfers.transfer(count // 64, 0, width)
        return sender.zero, sender.one

    def _make_received(self, count: int, width: int) -> Pieces:
        _, receiver = self._transfers.transfer(0, count // 64, width)
        return receiver.choices, receiver.chosen

    def _make_gates(self, words: int, width: int) -> Pieces:
        sender, receiver = self._transfers.transfer(words, words, width)
        a, b = receiver.choices, sender.zero ^ sender.one
        return a, b, a & b ^ sender.zero ^ receiver.chosen

    def _make_sent_digits(self, words: int, width: int) -> Pieces:
        """Pads of all entries, from four transfers each.

        Keys (j, b) of the digit's bits j with values b are cut into 8 segments of ``width``
        bits. The pad of entry i is the sum over j of segment s_j(i) of key (j, i_j), where s_j(i)
        is i without its bit j: each key gives each of its 8 entries a segment of its own. The
        receiver has the keys (j, c_j). Entry i != c differs from c in some bit; let j be the
        first. Segment s_j(i) of (j, i_j) is unknown to it and occurs in no other pad, so the
        15 pads that it did not choose are uniform and independent to it (after Naor, Pinkas,
        STOC 1999).
        """
        sender, _ = self._transfers.transfer(_DIGIT_BITS * words, 0, 8 * width)
        return (_kernels.digit_pads(sender.zero, sender.one),)

    def _make_received_digits(self, words: int, width: int) -> Pieces:
        _, receiver = self._transfers.transfer(0, _DIGIT_BITS * words, 8 * width)
        choices = receiver.choices.reshape(_DIGIT_BITS, words)
        return choices, _kernels.digit_pad(receiver.chosen, choices)

    def _make_triples(self, count: int, ring_bits: int) -> Pieces:
        """The bits of b above the ring are random: b masks whole words."""
        words = count * ring_bits // 64
        sender, receiver = self._transfers.transfer(words, words)
        a, b = self._draw.words(count), receiver.choices
        if ring_bits < WORD:
            above = self._draw.words(count) << np.uint64(ring_bits)
            b = _kernels.unpack_words(b.view(np.uint8), count, ring_bits) | above
        message, sent = _kernels.ot_products_send(sender.zero, sender.one, a, ring_bits)
        theirs = self._swap_short("ring triples", message, ring_bits)
        received = _kernels.ot_products_receive(receiver.chosen, b, ring_bits, theirs)
        return a, b, a * b + sent + received

    def _swap_short(self, step: str, words: Words, bits: int) -> Words:
        """Swap equally many words of so many bits."""
        if bits == WORD:
            return self._transfers.swap(step, words, words.size)
        packed = pack_dense(words, bits)
        return unpack_dense(self._transfers.swap(step, packed, packed.size), words.size, bits)

    def _make_shared_bits(self, count: int, ring_bits: int) -> Pieces:
        """The first half with rank 0 as sender, the rest with rank 1."""
        words = count // 64
        halves = (words // 2, words - words // 2)
        sent, received = halves[self._rank], halves[1 - self._rank]
        sender, receiver = self._transfers.transfer(sent, received)
        own = self._draw.words(sent)
        bits, choices = _spread(own), _spread(receiver.choices)
        masked = bits + sender.zero - sender.one
        if ring_bits < WORD:
            masked = masked.astype(np.uint32).view(np.uint64)
        theirs = self._transfers.swap("shared bits", masked, ring_bits * received)
        if ring_bits < WORD:
            theirs = theirs.view(np.uint32).astype(np.uint64)
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
