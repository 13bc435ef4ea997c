"""Row correlations between the two parties, a batch of rounds of trees at a time and ahead of use.

Nodes of several trees share a batch: the more there are, the fewer bytes a bit takes
(``he.row_bits``). The first batch is small, so that the first tree does not wait long; after it,
the next one is ordered when the trees that are held come to an end, and nothing beyond the last
tree.
All of it follows from public counts, so both parties order the same; the producer's thread makes it
(``producer``).

A batch draws bits of its own under keys of its own. In a session of predictions the bits are shares
of the model's tables, and the keys live as long as the session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, transposed, unpack_bits, words_per
from securexgb.arith.prg import Prg
from securexgb.correlations.kind import Words
from securexgb.correlations.rows import RowBits, RowShape
from securexgb.correlations.source import Account
from securexgb.correlations.transfers import ReceivedTransfers, SentTransfers
from securexgb.errors import UsageError
from securexgb.he.row_bits import DEGREE, check_row_bits, most_groups, plan_row_bits
from securexgb.offline.oblivious_transfer import ObliviousTransfer
from securexgb.offline.producer import Producer
from securexgb.offline.rows import row_bits

FIRST_ROUNDS = 2
"""Rounds of trees in the first batch."""
MOST_BYTES = 1 << 25
"""A party's shares of a batch, at most, where a round fits: rows times nodes bits."""
MOST_STOCK = 1 << 14
"""Words of 64 transfers of one bit that are kept ahead of look-ups, at most: what a look-up needs
beyond it is made when it comes."""
PIECE = 1 << 10
"""Words of the stock that are made at a time: no look-up waits for more."""
ONE_BIT = 1
"""The width of the transfers that are taken."""


def batch_nodes(rows: int, a_round: int, left: int, *, is_first: bool) -> int:
    """Nodes of the next batch, where so many rounds are left; at least a round's. Public."""
    bits = max(1, rows) * a_round
    fitting = max(1, min(8 * MOST_BYTES // bits, DEGREE // a_round))
    return a_round * max(1, min(FIRST_ROUNDS if is_first else fitting, fitting, left))


@dataclass(repr=False)
class _Rows:
    """What is registered, how far it has been used in counts of nodes, and what waits for use.

    Batches hold on to the registration that ordered them, so one that is still in work when other
    rows are registered ends here and serves nobody.
    """

    shape: RowShape
    own: NDArray[np.uint8]
    a_round: int
    rounds: int
    ordered: int = 0
    arrived: int = 0
    taken: int = 0
    made: list[RowBits] = field(default_factory=list)

    def next_batch(self) -> int:
        """Nodes of the next batch; at least a round's."""
        is_first, left = not self.ordered, self.rounds - self.ordered // self.a_round
        return batch_nodes(self.shape.rows, self.a_round, left, is_first=is_first)


class RowBitsAhead:
    """One party's row correlations; see ``correlations.rows``.

    ``transfers``: of the offline stream, which ``producer`` alone uses; ``private``: this party's
    randomness, for nothing else.
    """

    def __init__(
        self, rank: int, producer: Producer, transfers: ObliviousTransfer, private: Prg
    ) -> None:
        self._rank, self._producer = rank, producer
        self._transfers, self._private = transfers, private
        self._rows: _Rows | None = None
        self._objects = 0
        self._stock = 0
        self._spare: tuple[SentTransfers, ReceivedTransfers] | None = None

    def register(self, shape: RowShape, own: NDArray[np.uint8], nodes: int, rounds: int) -> None:
        """See ``correlations.rows``."""
        check_row_bits(max(shape.features), shape.bins, 2 * shape.rows * nodes * rounds)
        self._rows = _Rows(shape, shape.own(self._rank, own), nodes, rounds)
        if rounds:
            self._order(self._rows)

    def take(self, nodes: int) -> RowBits:
        """See ``correlations.rows``."""
        rows = self._rows
        if rows is None:
            raise UsageError("row correlations need rows: register them first")
        need = rows.taken + nodes
        while rows.ordered < min(need + rows.a_round, max(need, rows.rounds * rows.a_round)):
            self._order(rows)
        self._producer.wait(lambda: rows.arrived >= need)
        rows.taken = need
        return _next(rows.made, nodes)

    def fix(self, shape: RowShape, bits: NDArray[np.bool_]) -> FixedRows:
        """See ``correlations.rows``."""
        layouts, nodes = session_layouts(shape, bits.shape[1]), most_nodes(shape)
        parts = [bits[:, at : at + nodes] for at in range(0, bits.shape[1], nodes)]

        def work() -> list[row_bits.RowBits]:
            return [
                self._object(layout, pack_bits(np.ascontiguousarray(part)))
                for layout, part in zip(layouts, parts, strict=True)
            ]

        made = self._producer.run(work)
        return FixedRows(self._producer, self._transfer, made, self._make_up)

    def keep(self, words: int) -> None:
        """Keep so many words of transfers in each direction ahead of look-ups, from now on; both
        parties say so at the same place of the program."""
        self._stock = max(self._stock, min(words, MOST_STOCK))
        self._make_up(self._stock)

    @property
    def account(self) -> Account:
        """What it has sent; the producer's seconds are counted where it is."""
        return Account(channel_bytes=self._transfers.bytes_sent)

    def close(self) -> None:
        """Make nothing more."""
        self._producer.close()

    def _order(self, rows: _Rows) -> None:
        nodes = rows.next_batch()
        rows.ordered += nodes
        self._producer.order(partial(self._batch, rows, nodes))

    def _batch(self, rows: _Rows, nodes: int) -> None:
        shape = rows.shape
        made = self._object(batch_layouts(shape, nodes, shape.rows))
        shares = _joined(made.shares(shape.rows, _columns(rows.own), self._transfer), nodes)
        masks = np.zeros((0, nodes), np.bool_)
        if made.bits is not None:
            masks = unpack_bits(made.bits, nodes)
        rows.made.append(RowBits(masks, shares))
        rows.arrived += nodes

    def _object(self, layouts: row_bits.Layouts, bits: Words | None = None) -> row_bits.RowBits:
        """Keys of their own, and the next number, which is the same at both parties."""
        number, self._objects = self._objects, self._objects + 1
        private, swap = self._private.derive(f"object {number}"), self._transfers.swap
        return row_bits.RowBits(self._rank, layouts, private, swap, number, bits)

    def _transfer(self, sent: int, received: int) -> tuple[SentTransfers, ReceivedTransfers]:
        """In the producer's thread: of what was made ahead, where that is enough."""
        spare = self._spare
        if spare is None or sent > spare[0].zero.shape[1] or received > spare[1].choices.size:
            return self._transfers.transfer(sent, received, ONE_BIT)
        taken, self._spare = _cut(spare, (0, 0), (sent, received)), _cut(spare, (sent, received))
        return taken

    def _make_up(self, words: int) -> None:
        """Have so many words of the stock made again, a piece at a time, and what was left undone
        before. The orders follow from public counts: both parties give the same."""
        for _ in range(-(-words // PIECE)):
            self._producer.order(self._refill)

    def _refill(self) -> None:
        """In the producer's thread: a piece more, where there is room for one."""
        spare = self._spare
        held = 0 if spare is None else min(spare[0].zero.shape[1], spare[1].choices.size)
        if held + PIECE <= self._stock or held < self._stock < PIECE:
            made = self._transfers.transfer(PIECE, PIECE, ONE_BIT)
            self._spare = made if spare is None else _one_after_other(spare, made)


class FixedRows:
    """See ``correlations.rows``: keys for as many look-ups as are asked for."""

    def __init__(
        self,
        producer: Producer,
        transfer: row_bits.Transfers,
        made: list[row_bits.RowBits],
        after: Callable[[int], None],
    ) -> None:
        self._producer, self._transfer, self._made = producer, transfer, made
        self._after = after

    def shares(self, own: NDArray[np.uint8]) -> Words:
        """See ``correlations.rows``."""

        def work() -> list[Words]:
            rows, columns = own.shape[0], _columns(own)
            found = row_bits.shares_at_once(self._made, rows, columns, self._transfer)
            parts = zip(found, self._made, strict=True)
            return [_joined(shares, part.nodes) for shares, part in parts]

        found = self._producer.run(work)
        self._after(words_per(own.shape[0] * sum(part.nodes for part in self._made)))
        return np.concatenate(found)


def most_nodes(shape: RowShape) -> int:
    """Nodes of one object of a session, in all groups that its tables have room for. Public."""
    return DEGREE * most_groups(max(shape.entries))


def session_layouts(shape: RowShape, nodes: int) -> list[row_bits.Layouts]:
    """How the nodes of a model lie in ciphertexts: as many together as fit, since every result
    costs the same whatever its nodes are. Public."""
    most = most_nodes(shape)
    parts = [min(most, nodes - at) for at in range(0, nodes, most)]
    return [batch_layouts(shape, part, shape.rows) for part in parts]


def batch_layouts(shape: RowShape, nodes: int, rows: int) -> row_bits.Layouts:
    """Of a batch of so many nodes and rows, by the rank of the rows' owner. Public."""
    first, second = (
        plan_row_bits(features, shape.bins, nodes, rows) if features else None
        for features in shape.features
    )
    return first, second


def _cut(
    ends: tuple[SentTransfers, ReceivedTransfers],
    first: tuple[int, int],
    last: tuple[int | None, int | None] = (None, None),
) -> tuple[SentTransfers, ReceivedTransfers]:
    """Words ``first`` to ``last`` of transfers sent and received."""
    (sent, received), (out, into) = ends, (slice(a, b) for a, b in zip(first, last, strict=True))
    return (
        SentTransfers(sent.zero[:, out], sent.one[:, out]),
        ReceivedTransfers(received.choices[into], received.chosen[:, into]),
    )


def _one_after_other(
    first: tuple[SentTransfers, ReceivedTransfers], last: tuple[SentTransfers, ReceivedTransfers]
) -> tuple[SentTransfers, ReceivedTransfers]:
    (sent, received), (more_sent, more_received) = first, last
    return (
        SentTransfers(
            np.concatenate([sent.zero, more_sent.zero], axis=1),
            np.concatenate([sent.one, more_sent.one], axis=1),
        ),
        ReceivedTransfers(
            np.concatenate([received.choices, more_received.choices]),
            np.concatenate([received.chosen, more_received.chosen], axis=1),
        ),
    )


def _columns(own: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    return own if own.shape[1] else None


def _joined(shares: row_bits.RowBitsShares, nodes: int) -> Words:
    """Both directions' shares, from (rows, ceil(nodes / 64)) to (nodes, ceil(rows / 64))."""
    held = [part for part in (shares.of_own, shares.of_theirs) if part is not None]
    both = held[0] if len(held) == 1 else held[0] ^ held[1]
    return transposed(both, nodes)


def _next(waiting: list[RowBits], nodes: int) -> RowBits:
    """The next ones of what waits, which is taken from it; a level may lie in two batches."""
    masks, shares = list[NDArray[np.bool_]](), list[Words]()
    while nodes:
        made = waiting.pop(0)
        held = made.masks.shape[1]
        if held > nodes:
            waiting.insert(0, RowBits(made.masks[:, nodes:], made.shares[nodes:]))
        masks.append(made.masks[:, :nodes])
        shares.append(made.shares[:nodes])
        nodes -= min(held, nodes)
    return RowBits(np.concatenate(masks, axis=1), np.concatenate(shares))
