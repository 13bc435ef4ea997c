"""Correlations that the two parties make alone, from oblivious transfers.

Kinds without a direction are made in both at once, so both parties work at the same time:

    transfers      as they come, of words or in slices: no second message
    gates          two transfers of ``width`` bits: with messages m0, m1 of my transfer and
                   choice c, chosen m_c of the other one, a = c, b = m0 ^ m1 and the share of c
                   is a & b ^ m0 ^ m_c. Both cross products are there: no second message
    digits         one of 16 from four transfers, see ``_digits``: no second message
    random bits    r = r0 ^ r1 = r0 + r1 - 2 r0 r1; the product of the sender's bit r0 and
                   the receiver's choice r1 takes one transfer and one word, or half a word
    row triples    the same with one b for a row of a: one transfer of a key for each bit of b,
                   whose streams are the messages; see ``arith.row_products``
    triples        both cross products of (a0 + a1)(b0 + b1) mod 2^r bit by bit of b, the
                   choices: r transfers and r (r + 1) / 16 bytes each (Gilboa, CRYPTO 1999)

Blocks are made ahead of their use on a thread and a stream of their own (``producer``); control
flow is public, so both parties order the same ones. All results are exact. Products with a fixed
private matrix come from elsewhere, by another thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from securexgb import _kernels
from securexgb.arith import row_products
from securexgb.arith.bits import to_slices, unpack_dense, words_per
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.counting import Budget
from securexgb.correlations.digits import (
    DIGIT,
    DigitEnd,
    DigitTransfers,
    ReceivedDigits,
    SentDigits,
)
from securexgb.correlations.gates import GatePieces, Gates
from securexgb.correlations.kind import Kind, P, Words, numbers, spread
from securexgb.correlations.prices import MADE
from securexgb.correlations.random_bits import RandomBitPieces, RandomBits
from securexgb.correlations.row_triples import RowTriplePieces, RowTriples
from securexgb.correlations.slices import ReceivedSlices, SentSlices, SlicedTransfers, SliceEnd
from securexgb.correlations.source import Account
from securexgb.correlations.transfers import SentTransfers, TransferEnd, Transfers
from securexgb.correlations.triples import TriplePieces, Triples
from securexgb.offline.ahead import Supply
from securexgb.offline.oblivious_transfer import (
    KEY,
    STRETCH_AFTER,
    WORD,
    ObliviousTransfer,
    Transferred,
)
from securexgb.offline.producer import LEVELS, PrefetchQueue, Producer, ProductsAhead
from securexgb.offline.row_pads import ShardPads
from securexgb.offline.rows.rows_ahead import RowBitsAhead
from securexgb.offline.traffic.tiles import all_as_made, as_made, tile_of

_TWO = np.uint64(2)


class TwoPartySource:
    """One party's supply; see ``correlations.source``. Made without a message.

    ``channel``: its offline stream carries everything but ``products``, which have a thread and a
    stream of their own. ``private``: this party's randomness for this job alone; a resumed job
    takes new.
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
        products: ProductsAhead | ShardPads,
        stretch_after: int = STRETCH_AFTER,
    ) -> None:
        self._rank = rank
        self.products = products
        self.producer = Producer()
        self._transfers = ObliviousTransfer(
            rank,
            channel.stream("offline"),
            private.derive("oblivious transfer"),
            stretch_after=stretch_after,
        )
        self._draw = private.derive("shares")
        self._row_places = 0  # of streams of row triples, the same at both parties
        rows = private.derive("row bits")
        self.row_bits = RowBitsAhead(rank, self.producer, self._transfers, rows)
        self._queues: dict[Kind[Any], PrefetchQueue[Any]] = {}
        self._supplies: dict[Kind[Any], Supply[Any]] = {}
        self._kept: list[tuple[PrefetchQueue[Any], Supply[Any], int]] = []
        self._told = Counter[Kind[Any]]()
        self._has_begun = False  # the first tree

    @property
    def account(self) -> Account:
        made, sent = self.producer, self._transfers.bytes_sent
        return self.products.account + Account(made.seconds, made.waited_seconds, 0, sent)

    def take(self, kind: Kind[P], count: int) -> P:
        """See ``correlations.source``. Every kind that is made has a supply of its own.

        Transfers are of 64 bits at least, as narrower ones cost the same.
        """
        found: Supply[P] | None = self._supplies.get(kind)
        if found is None:
            found = self._supply(kind)
        return found.take(count)

    def keep(self, stock: Budget) -> None:
        """Keep so much made ahead of use, from now on: what a service answers with at once. Both
        parties say so at the same place of the program."""
        wanted = all_as_made(stock.counts)
        self._kept = []
        for kind in sorted(wanted, key=lambda one: one.name):  # the same order at both
            count = wanted[kind]
            supply = self._supply(kind)
            if kind.elements > 1:
                supply.stay_small()
            self._queues[kind].keep(count + -count % kind.block)
            self._kept.append((self._queues[kind], supply, count))
        if stock.row_nodes:
            self.row_bits.keep(words_per(stock.row_nodes))

    def ready_share(self) -> float:
        """Which part of what is kept is there, of the kind of which there is least."""
        found = [(queue.there + supply.left) / count for queue, supply, count in self._kept]
        return min(found, default=1.0)

    def fill(self) -> None:
        """Return when all that was ordered is there; raises what that has failed with."""
        self.producer.run(lambda: None)

    def begin_job(self, words: int) -> None:
        """See ``correlations.source``: keys, and pools where they pay."""
        self.producer.order(partial(self._transfers.prepare, words, words))

    def expect(self, counts: Mapping[Kind[Any], int]) -> None:
        """See ``correlations.source``: a level's part of all kinds after the other's."""
        made = all_as_made(counts)
        for part in LEVELS:
            for kind, count in made.items():
                self._supply(kind)
                self._queues[kind].have(self._told[kind] + count // part)
        self._told.update(made)

    def begin_tree(self, remaining: int) -> None:
        self._has_begun = True
        for kind, queue in self._queues.items():
            queue.begin_tree(remaining, self._supplies[kind].left)

    def close(self) -> None:
        self.products.close()
        self.producer.close()

    def _supply(self, kind: Kind[P]) -> Supply[P]:
        made: Kind[Any] = as_made(kind)
        if made not in self._supplies:
            queue = PrefetchQueue(
                self.producer, partial(self._begin, made), tile_of(made), made.block
            )
            if self._has_begun:
                queue.within_tree()
            self._queues[made] = queue
            self._supplies[made] = Supply(
                queue.draw, made.grain, made.block, queue.ordered, queue.to_come
            )
        found: Supply[P] = self._supplies[made]
        self._supplies[kind] = found
        return found

    def _begin(self, kind: Kind[Any], count: int) -> Callable[[], Any]:
        """This party's part of ``count`` elements: what is returned gives them, and waits for what
        the other side sends. Where it answers what this side sends, that is waited for here."""
        match kind:
            case Transfers():
                return self._from(kind.sender, count // 64, kind.bits)
            case SlicedTransfers():
                return partial(_slice_end, kind, self._from(kind.sender, count, kind.width))
            case Gates():
                return partial(_gates, kind, self._transfers.begin(count, count, kind.width))
            case DigitTransfers():
                begun = self._from(kind.sender, DIGIT * count, 8 * kind.width)
                return partial(_digits, kind, begun)
        made = self._make(kind, count)
        return lambda: made

    def _make(self, kind: Kind[Any], count: int) -> Any:
        match kind:
            case RandomBits():
                return self._make_random_bits(kind, count // 64)
            case Triples():
                return self._make_triples(kind, count)
            case RowTriples():
                return self._make_row_triples(kind, count)
        raise LookupError(f"two parties cannot make {kind.name}")

    def _from(self, sender: int, words: int, width: int) -> Callable[[], TransferEnd]:
        """Transfers from one side."""
        if self._rank == sender:
            begun = self._transfers.begin(words, 0, width)
            return lambda: begun()[0]
        begun = self._transfers.begin(0, words, width)
        return lambda: begun()[1]

    def _make_triples(self, kind: Triples, count: int) -> TriplePieces:
        """The bits of b above the ring are random: b masks whole words."""
        bits = kind.ring_bits
        words = count * bits // 64
        sender, receiver = self._transfers.transfer(words, words)
        a, b = self._draw.words(count), receiver.choices
        if bits < WORD:
            above = self._draw.words(count) << np.uint64(bits)
            b = _kernels.unpack_words(b.view(np.uint8), count, bits) | above
        message, sent = _kernels.ot_products_send(sender.zero, sender.one, a, bits)
        theirs = self._transfers.swap("ring triples", message, message.size, bits)
        received = _kernels.ot_products_receive(receiver.chosen, b, bits, theirs)
        return TriplePieces(a, b, a * b + sent + received)

    def _make_row_triples(self, kind: RowTriples, rows: int) -> RowTriplePieces:
        bits, shape = kind.ring_bits, (rows, kind.count)
        words = words_per(rows * bits)
        sender, receiver = self._transfers.transfer(words, words, KEY)
        place, self._row_places = (
            self._row_places,
            self._row_places + row_products.places(shape, bits),
        )
        message, a, c = row_products.sent((sender.zero, sender.one), place, shape, bits)
        theirs = self._transfers.swap("row triples", message, message.size, bits)
        b = unpack_dense(receiver.choices, rows, bits)
        chosen = receiver.chosen
        c += row_products.received(chosen, place, b, kind.count, bits, theirs) + a * b[:, None]
        return RowTriplePieces(a.T, b, c.T)

    def _make_random_bits(self, kind: RandomBits, words: int) -> RandomBitPieces:
        """The first half with rank 0 as sender, the rest with rank 1."""
        rank, bits = self._rank, kind.ring_bits
        halves = words // 2, words - words // 2
        sent, received = halves[rank], halves[1 - rank]
        sender, receiver = self._transfers.transfer(sent, received)
        own = self._draw.words(sent)
        flags, choices = spread(own, WORD), spread(receiver.choices, WORD)
        masked = (flags + sender.zero - sender.one).astype(f"<u{bits // 8}", copy=False)
        theirs = self._transfers.swap("shared bits", masked.view(np.uint64), bits * received)
        as_sender = flags + _TWO * sender.zero
        as_receiver = choices - _TWO * (receiver.chosen + choices * numbers(theirs, bits))
        order = slice(None, None, 1 - 2 * rank)
        return RandomBitPieces(
            np.concatenate((own, receiver.choices)[order]),
            np.concatenate((as_sender, as_receiver)[order]),
        )


def _slice_end(kind: SlicedTransfers, begun: Callable[[], TransferEnd]) -> SliceEnd:
    end = begun()
    if isinstance(end, SentTransfers):
        return SentSlices(*_slices(kind.width, end.zero, end.one))
    return ReceivedSlices(end.choices, *_slices(kind.width, end.chosen))


def _gates(kind: Gates, begun: Callable[[], Transferred]) -> GatePieces:
    sender, receiver = begun()
    zero, one, chosen = _slices(kind.width, sender.zero, sender.one, receiver.chosen)
    a, b = receiver.choices, zero ^ one
    return GatePieces(a, b, a & b ^ zero ^ chosen)


def _digits(kind: DigitTransfers, begun: Callable[[], TransferEnd]) -> DigitEnd:
    """Pads of all entries, from four transfers each.

    Keys (j, b) of the digit's bits j with values b are cut into 8 segments of ``width`` bits. The
    pad of entry i is the sum over j of segment s_j(i) of key (j, i_j), where s_j(i) is i without
    its bit j: each key gives each of its 8 entries a segment of its own. The receiver has the keys
    (j, c_j). Entry i != c differs from c in some bit; let j be the first. Segment s_j(i) of
    (j, i_j) is unknown to it and occurs in no other pad, so the 15 pads that it did not choose are
    uniform and independent to it (after Naor, Pinkas, STOC 1999).
    """
    end, bits = begun(), 8 * kind.width
    if isinstance(end, SentTransfers):
        return SentDigits(_kernels.digit_pads(*_slices(bits, end.zero, end.one)))
    (chosen,) = _slices(bits, end.chosen)
    choices = end.choices.reshape(DIGIT, -1)
    return ReceivedDigits(choices, _kernels.digit_pad(chosen, choices))


def _slices(width: int, *messages: Words) -> list[Words]:
    """Messages of so many bits in slices; those of a whole word come as words."""
    return [to_slices(one, WORD) if width == WORD else one for one in messages]
