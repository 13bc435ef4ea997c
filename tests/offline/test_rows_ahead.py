"""Row correlations made ahead: of the rows that are registered, whatever is still in work."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.arith.bits import unpack_bits
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Words
from securexgb.correlations.rows import RowBits, RowShape
from securexgb.offline.oblivious_transfer import ObliviousTransfer
from securexgb.offline.producer import Producer
from securexgb.offline.rows import rows_ahead
from securexgb.offline.rows.rows_ahead import RowBitsAhead, session_layouts
from tests.offline.pairs import both, channels, private

ROWS, FEATURES, BINS, A_ROUND = 130, (3, 2), 5, 7
SHAPE = RowShape(ROWS, FEATURES, BINS)
PARTS = slice(40), slice(40, 130), slice(130), slice(7, 10)
"""Rows of look-ups, one after the other."""


class Ends:
    """One party's row correlations, and the thread that makes them."""

    def __init__(self, rank: int, channel: Channel) -> None:
        self.producer = Producer()
        ot = ObliviousTransfer(rank, channel, private(rank))
        self.rows = RowBitsAhead(rank, self.producer, ot, private(rank, 1))


def drawn(seed: int, rank: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed + rank).integers(0, BINS, (ROWS, FEATURES[rank]), np.uint8)


def pair() -> tuple[Ends, Ends]:
    zero, one = channels()
    return Ends(0, zero), Ends(1, one)


def check(made: tuple[RowBits, RowBits], seed: int) -> None:
    """z_0 ^ z_1 is the xor of both one-hot matrices' products with the other side's bits."""
    nodes = made[0].masks.shape[1]
    expected = np.zeros((nodes, ROWS), np.bool_)
    for rank, theirs in enumerate(reversed(made)):
        bits = theirs.masks.reshape(FEATURES[rank], BINS, nodes)
        for column, own in enumerate(drawn(seed, rank).T):
            expected ^= bits[column][own].T
    shares = made[0].shares ^ made[1].shares
    np.testing.assert_array_equal(unpack_bits(shares, ROWS), expected)


def test_rows_registered_while_a_batch_is_in_work_get_bits_of_their_own() -> None:
    def one(rank: int, end: Ends) -> RowBits:
        go = threading.Event()

        def hold() -> None:
            go.wait(10)

        end.producer.order(hold)
        end.rows.register(SHAPE, drawn(0, rank), A_ROUND, 5)
        end.rows.register(SHAPE, drawn(10, rank), A_ROUND, 5)
        go.set()
        taken = [end.rows.take(nodes) for nodes in (3, 4, 7, 5, 2)]
        masks = np.concatenate([part.masks for part in taken], axis=1)
        return RowBits(masks, np.concatenate([part.shares for part in taken]))

    check(both(pair(), one), 10)


def test_nothing_is_made_where_no_round_is_left() -> None:
    def one(rank: int, end: Ends) -> int:
        end.rows.register(SHAPE, drawn(0, rank), A_ROUND, 0)
        end.producer.run(lambda: None)
        return end.rows.account.channel_bytes

    assert both(pair(), one) == (0, 0)


@pytest.mark.parametrize(
    ("nodes", "rows", "expected"),
    [
        (1100, 1, [(1100, 2)]),
        (1100, 10_000, [(1100, 8)]),
        (8300, 1, [(8192, 8), (108, 1)]),
    ],
)
def test_a_session_sends_before_its_first_row_what_its_layouts_say(
    nodes: int, rows: int, expected: list[tuple[int, int]]
) -> None:
    """Ciphertexts for the other side's bins, 8,192 nodes at a time, and 16 bytes of coins."""
    shape = replace(SHAPE, rows=rows)
    layouts = session_layouts(shape, nodes)

    def one(rank: int, end: Ends) -> int:
        end.rows.fix(shape, np.zeros((shape.entries[1 - rank], nodes), np.bool_))
        return end.rows.account.channel_bytes

    for rank, sent in enumerate(both(pair(), one)):
        plans = [of_part[1 - rank] for of_part in layouts]
        made = [(plan.nodes, plan.groups) for plan in plans if plan is not None]
        assert made == expected
        assert sent == sum(16 + plan.upload_bytes for plan in plans if plan is not None)


def test_look_ups_take_of_a_stock_that_is_made_up_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that needs more than there is has what it needs made for it, and all are right."""
    monkeypatch.setattr(rows_ahead, "PIECE", 16)
    nodes, words = 20, 32
    tables = [
        np.random.default_rng(rank).integers(0, 2, (SHAPE.entries[1 - rank], nodes)).astype(bool)
        for rank in (0, 1)
    ]

    def one(rank: int, end: Ends) -> list[Words]:
        fixed = end.rows.fix(SHAPE, tables[rank])
        end.rows.keep(words)
        shares = [fixed.shares(drawn(0, rank)[part]) for part in PARTS]
        end.producer.run(lambda: None)
        return shares

    found = both(pair(), one)
    expected = np.zeros((nodes, ROWS), np.bool_)
    for rank in (0, 1):
        bits = tables[1 - rank].reshape(FEATURES[rank], BINS, nodes)
        for column, bins in enumerate(drawn(0, rank).T):
            expected ^= bits[column][bins].T
    for own, theirs, rows in zip(*found, PARTS, strict=True):
        part = expected[:, rows]
        np.testing.assert_array_equal(unpack_bits(own ^ theirs, part.shape[1]), part)
