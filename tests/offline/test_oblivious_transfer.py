"""Oblivious transfer between two ends: what arrives, what does not, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb import _kernels
from securexgb.channel.channel import Channel
from securexgb.correlations.transfers import ReceivedTransfers, SentTransfers, Transfers
from securexgb.errors import ProtocolDesync, UsageError
from securexgb.offline import oblivious_transfer
from securexgb.offline.oblivious_transfer import (
    DIMENSION,
    LEVELS,
    TREES,
    WORD,
    ObliviousTransfer,
)
from tests.offline.laws import check
from tests.offline.pairs import both, channels, private
from tests.recorded import RecordedChannel

Ends = tuple[ObliviousTransfer, ObliviousTransfer]


SETUP = 64 + 128 * 64 + 128 * 32
ROWS = DIMENSION + TREES * LEVELS
FILL = 8 * 31 * -(-ROWS // 64)
TREE = 16 * LEVELS
TREE_WORDS = (1 << LEVELS) // 64
RESERVED = -(-ROWS >> LEVELS)
"""Trees that become the next pool."""


def ends(
    depth: int = 4,
    links: tuple[Channel, Channel] | None = None,
    seed: int = 0,
    stretch_after: int = 1 << 20,
) -> Ends:
    zero, one = links or channels()
    return (
        ObliviousTransfer(0, zero, private(0, seed), depth, stretch_after),
        ObliviousTransfer(1, one, private(1, seed), depth, stretch_after),
    )


def transfer(
    pair: Ends, from_zero: int, from_one: int, width: int = WORD
) -> tuple[tuple[SentTransfers, ReceivedTransfers], tuple[SentTransfers, ReceivedTransfers]]:
    counts = (from_zero, from_one)
    return both(pair, lambda rank, end: end.transfer(counts[rank], counts[1 - rank], width))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_the_chosen_message_arrives(depth: int) -> None:
    pair = ends(depth)
    for from_zero, from_one in [(1, 0), (0, 3), (130, 129), (5, 5)]:
        (sent0, got0), (sent1, got1) = transfer(pair, from_zero, from_one)
        check(Transfers(64, 0), sent0, got1, 64 * from_zero)
        check(Transfers(64, 1), got0, sent1, 64 * from_one)
        for sent in (sent0, sent1):
            assert np.all(sent.zero != sent.one)


@pytest.mark.parametrize("width", [1, 2, 32, 56])
@pytest.mark.parametrize("stretch_after", [0, 1 << 20])
def test_short_messages_are_packed(stretch_after: int, width: int) -> None:
    pair = ends(stretch_after=stretch_after)
    (sent0, got0), (sent1, got1) = transfer(pair, 140, 2, width=width)
    for sent, got, words in ((sent0, got1, 140), (sent1, got0, 2)):
        assert got.choices.shape == (words,)
        assert sent.zero.shape == sent.one.shape == got.chosen.shape == (width, words)
        expected = (sent.zero & ~got.choices) | (sent.one & got.choices)
        np.testing.assert_array_equal(got.chosen, expected)


@pytest.mark.parametrize("stretch_after", [0, 1 << 20])
def test_everything_looks_uniform(stretch_after: int) -> None:
    (sent, _), (_, got) = transfer(ends(stretch_after=stretch_after), 4096, 0)
    count = 64 * 4096
    chosen = _kernels.unpack_bits(got.choices, count) == 1
    unknown = np.where(chosen, sent.zero, sent.one)
    for words in (sent.zero, sent.one, got.chosen, unknown, unknown ^ got.chosen):
        ones = _kernels.unpack_bits(words, 64 * count).reshape(count, 64).mean(axis=0)
        assert np.all(np.abs(ones - 0.5) < 6 * 0.5 / np.sqrt(count))
    assert abs(chosen.mean() - 0.5) < 6 * 0.5 / np.sqrt(count)
    follows = chosen[1:] == chosen[:-1]
    assert abs(follows.mean() - 0.5) < 6 * 0.5 / np.sqrt(count)


@pytest.mark.parametrize("stretch_after", [0, 1 << 20])
def test_nothing_is_made_twice(stretch_after: int) -> None:
    pair = ends(stretch_after=stretch_after)
    first, second = transfer(pair, 40, 0)[0][0], transfer(pair, 40, 0)[0][0]
    other = transfer(ends(seed=1, stretch_after=stretch_after), 40, 0)[0][0]
    drawn = np.concatenate([x for s in (first, second, other) for x in (s.zero, s.one)])
    assert np.unique(drawn).size == drawn.size


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_the_price(depth: int) -> None:
    pair = ends(depth)
    transfer(pair, 0, 1)
    row = 8 * (128 // depth - 1)
    assert [end.bytes_sent for end in pair] == [SETUP + row, SETUP]
    transfer(pair, 100, 7, width=1)
    assert [end.bytes_sent for end in pair] == [SETUP + 8 * row, SETUP + 100 * row]


def test_a_pool_is_filled_once_it_pays_and_then_stretched() -> None:
    pair = ends(stretch_after=100)
    transfer(pair, 100, 31)
    assert [end.bytes_sent for end in pair] == [SETUP + 31 * 248, SETUP + 100 * 248]
    (sent0, got0), (sent1, got1) = transfer(pair, 70, 3)
    check(Transfers(64, 0), sent0, got1, 64 * 70)
    check(Transfers(64, 1), got0, sent1, 64 * 3)
    # Trees of the label party, whose rows the feature party helped to fill, and words left over.
    trees, rest = divmod(70, TREE_WORDS)
    assert trees > 1
    assert rest
    before = [SETUP + (31 + 3) * 248 + trees * TREE, SETUP + (100 + rest) * 248 + FILL]
    assert [end.bytes_sent for end in pair] == before
    (sent0, got0), (sent1, got1) = transfer(pair, 64, 96)
    check(Transfers(64, 0), sent0, got1, 64 * 64)
    check(Transfers(64, 1), got0, sent1, 64 * 96)
    after = [before[0] + FILL + 64 // TREE_WORDS * TREE, before[1] + 96 // TREE_WORDS * TREE]
    assert [end.bytes_sent for end in pair] == after


def test_a_used_up_pool_makes_the_next_one() -> None:
    pair = ends(stretch_after=0)
    for _ in range(3):
        sent, got = transfer(pair, 1 << 13, 0, width=1)
        expected = (sent[0].zero & ~got[1].choices) | (sent[0].one & got[1].choices)
        np.testing.assert_array_equal(got[1].chosen, expected)
    stretched = 3 * (1 << 13) // TREE_WORDS + 2 * RESERVED
    assert [end.bytes_sent for end in pair] == [SETUP + stretched * TREE, SETUP + FILL]


def test_every_few_pools_one_is_made_from_the_base_transfers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(oblivious_transfer, "FRESH_EVERY", 2)
    pair = ends(stretch_after=0)
    for _ in range(5):
        sent, got = transfer(pair, 1 << 13, 0, width=1)
        expected = (sent[0].zero & ~got[1].choices) | (sent[0].one & got[1].choices)
        np.testing.assert_array_equal(got[1].chosen, expected)
    stretched = 5 * (1 << 13) // TREE_WORDS + 2 * RESERVED
    assert [end.bytes_sent for end in pair] == [SETUP + stretched * TREE, SETUP + 3 * FILL]


def test_more_than_a_pool_gives_is_refused() -> None:
    for end in ends():
        with pytest.raises(UsageError, match="8193 words of transfers"):
            end.transfer(0, (1 << 13) + 1)


def test_messages_have_the_same_shape_whatever_is_drawn() -> None:
    logs = []
    for seed in (1, 2):
        links = channels()
        recorded = RecordedChannel(links[0]), RecordedChannel(links[1])
        transfer(ends(links=recorded, seed=seed, stretch_after=40), 3, 70)
        logs.append([link.shape for link in recorded])
    assert logs[0] == logs[1]


class _Altered:
    """A channel whose messages of one step arrive changed."""

    def __init__(self, inner: Channel, step: str, payload: bytes) -> None:
        self._inner, self._step, self._payload = inner, step, payload
        self.traffic, self.is_network = inner.traffic, inner.is_network

    def send(
        self, tag: str, payload: bytes | bytearray | memoryview, awaits: int | None = None
    ) -> None:
        self._inner.send(tag, payload, awaits)

    def receive(self, tag: str, at_most: int) -> bytes | memoryview:
        payload = self._inner.receive(tag, at_most)
        return self._payload if tag.endswith(self._step) else payload

    def close(self, error: BaseException | None = None) -> None:
        self._inner.close(error)


@pytest.mark.parametrize(
    ("step", "payload", "sentence"),
    [
        ("offer", bytes(63), "63 bytes instead of 64"),
        ("offer", b"\xff" * 64, "offer must be a point"),
        ("reply", b"\xff" * 8192, "reply must be points"),
        ("trees", bytes(8), "8 bytes instead of 4096"),
        ("extend", bytes(1), "1 bytes instead of 7936"),
        ("stretch", bytes(1), f"1 bytes instead of {32 // TREE_WORDS * TREE}"),
    ],
)
def test_what_is_malformed_is_refused(step: str, payload: bytes, sentence: str) -> None:
    zero, one = channels()
    pair = ends(links=(_Altered(zero, step, payload), one), stretch_after=32)

    def run(rank: int, end: ObliviousTransfer) -> None:
        try:
            for _ in range(2):
                end.transfer(32, 32)
        except BaseException:
            (zero, one)[rank].close(ValueError())
            if rank == 0:
                raise

    with pytest.raises(ProtocolDesync, match=sentence):
        both(pair, run)


def test_keys_and_pools_may_be_made_before_the_first_transfer() -> None:
    pair = ends(stretch_after=100)
    both(pair, lambda _, end: end.prepare(100, 100))
    assert [end.bytes_sent for end in pair] == [SETUP, SETUP]
    both(pair, lambda rank, end: end.prepare(*(101, 0)[:: 1 - 2 * rank]))
    assert [end.bytes_sent for end in pair] == [SETUP, SETUP + FILL]
    sent, got = transfer(pair, 64, 0)
    check(Transfers(64, 0), sent[0], got[1], 64 * 64)
    assert [end.bytes_sent for end in pair] == [SETUP + 64 // TREE_WORDS * TREE, SETUP + FILL]
