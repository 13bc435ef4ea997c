"""Row bits between two parties: shares of M b, exact; uniform; messages by shape alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.arith.bits import unpack_bits, words_per
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Words
from securexgb.correlations.transfers import ReceivedTransfers, SentTransfers
from securexgb.errors import DataError
from securexgb.he.row_bits import RowBitsLayout, plan_row_bits
from securexgb.offline.oblivious_transfer import ObliviousTransfer
from securexgb.offline.rows import row_bits
from securexgb.offline.rows.row_bits import Layouts, RowBits, RowBitsShares, row_bits_traffic
from tests.offline.pairs import both, channels, private

Bins = NDArray[np.uint8] | None


@dataclass
class Party:
    """One party's randomness, channel and data of a test."""

    rank: int
    channel: Channel
    bins: Bins
    seed: int = 0
    steps: list[tuple[str, int]] = field(default_factory=list)
    transfers: list[ReceivedTransfers] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ot = ObliviousTransfer(self.rank, self.channel, private(self.rank, self.seed))
        self.private = Prg(bytes([self.rank, self.seed, *range(14)])).derive("row bits")

    def swap(self, step: str, words: Words, expect: int) -> Words:
        self.steps.append((step, words.size))
        return self.ot.swap(step, words, expect)

    def transfer(self, sent: int, received: int) -> tuple[SentTransfers, ReceivedTransfers]:
        ends = self.ot.transfer(sent, received, 1)
        self.transfers.append(ends[1])
        return ends


def parties(bins: tuple[Bins, Bins], seed: int = 0) -> tuple[Party, Party]:
    zero, one = channels()
    return Party(0, zero, bins[0], seed), Party(1, one, bins[1], seed)


def drawn_bins(rng: np.random.Generator, rows: int, columns: int, bins: int) -> Bins:
    """Bins with holes: the last bin is that of missing values; None without columns."""
    if not columns:
        return None
    found = rng.integers(0, bins, (rows, columns), dtype=np.uint8)
    found[rng.random(found.shape) < 0.2] = bins - 1
    return found


def layouts_of(shapes: tuple[tuple[int, int], ...], nodes: int, rows: int) -> Layouts:
    first, second = (
        plan_row_bits(columns, bins, nodes, rows) if columns else None for columns, bins in shapes
    )
    return first, second


Result = tuple[RowBits, RowBitsShares]


def run(
    pair: tuple[Party, Party], layouts: Layouts, rows: int, bits: Callable[[int], Words | None]
) -> tuple[Result, Result]:
    def one(rank: int, party: Party) -> Result:
        made = RowBits(rank, layouts, party.private, party.swap, 3, bits(rank))
        return made, made.shares(rows, party.bins, party.transfer)

    return both(pair, one)


def product(layout: RowBitsLayout, bins: Bins, bits: Words | None) -> Words:
    """M b, packed, by its definition."""
    assert bins is not None
    assert bits is not None
    out = np.zeros((len(bins), bits.shape[1]), np.uint64)
    for column in range(layout.columns):
        out ^= bits[column * layout.bins + bins[:, column].astype(np.intp)]
    return out


def check(pair: tuple[Party, Party], layouts: Layouts, results: tuple[Result, Result]) -> None:
    for owner, layout in enumerate(layouts):
        (_, mine), (keys, theirs) = results[owner], results[1 - owner]
        if layout is None:
            assert mine.of_own is None
            assert theirs.of_theirs is None
            assert keys.bits is None
            continue
        assert mine.of_own is not None
        assert theirs.of_theirs is not None
        expected = product(layout, pair[owner].bins, keys.bits)
        np.testing.assert_array_equal(mine.of_own ^ theirs.of_theirs, expected)


@pytest.mark.parametrize(
    ("shapes", "nodes", "rows"),
    [
        (((10, 17), (12, 9)), 70, 900),
        (((3, 33), (1, 2)), 150, 700),
        (((1, 1), (1, 256)), 1, 65),
        (((0, 0), (4, 5)), 62, 130),
        (((5, 4), (0, 0)), 64, 130),
        (((200, 3), (2, 3)), 7, 40),
        (((2, 3), (2, 3)), 1025, 3),
        (((2, 3), (2, 3)), 40, 0),
    ],
)
def test_shares_are_of_the_product(
    shapes: tuple[tuple[int, int], ...], nodes: int, rows: int
) -> None:
    rng = np.random.default_rng(nodes)
    layouts = layouts_of(shapes, nodes, rows)
    pair = parties((drawn_bins(rng, rows, *shapes[0]), drawn_bins(rng, rows, *shapes[1])))
    check(pair, layouts, run(pair, layouts, rows, lambda _: None))


def test_random_shapes_in_many_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_bits, "_TILE_BITS", 1000)
    rng = np.random.default_rng(5)
    for seed in range(25):
        rows, nodes = int(rng.integers(1, 200)), int(rng.integers(1, 200))
        shapes = tuple((int(rng.integers(1, 9)), int(rng.integers(1, 40))) for _ in range(2))
        layouts = layouts_of(shapes, nodes, int(rng.integers(1, 1_000_000)))
        pair = parties((drawn_bins(rng, rows, *shapes[0]), drawn_bins(rng, rows, *shapes[1])), seed)
        check(pair, layouts, run(pair, layouts, rows, lambda _: None))


def test_a_session_answers_many_requests_with_bits_of_its_own() -> None:
    """As in prediction: what is encrypted is a share of the tables; rows come later."""
    rng = np.random.default_rng(2)
    layouts = layouts_of(((3, 5), (2, 4)), 100, 1000)
    tables = [
        rng.integers(0, 1 << 64, (layout.buckets, 2), dtype=np.uint64) >> np.array([0, 28], "u8")
        for layout in reversed(layouts)
        if layout is not None
    ]
    pair = parties((None, None))
    requests = [(drawn_bins(rng, n, 3, 5), drawn_bins(rng, n, 2, 4)) for n in (1, 7, 40, 1)]

    def one(rank: int, party: Party) -> list[Result]:
        made = RowBits(rank, layouts, party.private, party.swap, 0, tables[rank])
        return [
            (made, made.shares(len(bins[0]), bins[rank], party.transfer))
            for bins in requests
            if bins[0] is not None
        ]

    mine, theirs = both(pair, one)
    assert len(mine) == 4
    for bins, first, second in zip(requests, mine, theirs, strict=True):
        pair[0].bins, pair[1].bins = bins
        check(pair, layouts, (first, second))
        np.testing.assert_array_equal(first[0].bits, tables[0])


def ones(words: Words, count: int) -> float:
    """Of so many bits, in deviations from one half."""
    bits = unpack_bits(np.ascontiguousarray(words), count)
    return float((bits.mean() - 0.5) * 2 * np.sqrt(bits.size))


@pytest.mark.parametrize("value", [0, 1])
def test_masks_and_shares_are_uniform_whatever_the_rows_are(value: int) -> None:
    """d = y ^ b hides y by b; also shares, flips and answers are coins, given the product too."""
    rows, nodes = 2000, 128
    layouts = layouts_of(((4, 16), (4, 16)), nodes, rows)
    bins = np.full((rows, 4), value * 3, np.uint8)
    pair = parties((bins, bins), seed=value)
    (keys, mine), (_, theirs) = run(pair, layouts, rows, lambda _: None)
    assert keys.bits is not None
    table = np.zeros_like(keys.bits)
    table[::3] = ~np.uint64(0)
    masked = (table ^ keys.bits).reshape(-1)
    assert abs(ones(masked, masked.size * 64)) < 5
    counts = np.array([ones(word, 64) for word in masked.reshape(-1, 1)])
    assert 0.7 < counts.std() < 1.3
    assert mine.of_own is not None
    assert theirs.of_theirs is not None
    whole = (mine.of_own ^ theirs.of_theirs).reshape(-1)
    for shares in (mine.of_own, theirs.of_theirs):
        flat = shares.reshape(-1)
        assert abs(ones(flat, flat.size * 64)) < 5
        by_product = unpack_bits(flat, flat.size * 64)[unpack_bits(whole, flat.size * 64)]
        if by_product.size:
            assert abs(by_product.mean() - 0.5) * 2 * np.sqrt(by_product.size) < 5
        # Rows with the same bins have the same product and shares of their own.
        assert len(np.unique(shares, axis=0)) == rows


def test_steps_and_sizes_of_messages_follow_the_shapes_alone() -> None:
    """The same steps and sizes for any data, and those that are stated."""
    seen = []
    for seed, value in enumerate((0, 2)):
        rows, nodes = 1500, 70
        layouts = layouts_of(((5, 3), (2, 6)), nodes, rows)
        sides = tuple(np.full((rows, columns), value, np.uint8) for columns in (5, 2))
        pair = parties((sides[0], sides[1]), seed)
        run(pair, layouts, rows, lambda _: None)
        seen.append((pair[0].steps, pair[1].steps))
        for rank in (0, 1):
            own, theirs = layouts[rank], layouts[1 - rank]
            assert own is not None
            assert theirs is not None
            sent: dict[str, int] = {}
            for step, words in pair[rank].steps:
                sent[step] = sent.get(step, 0) + 8 * words
            mine, answered = row_bits_traffic(own, rows), row_bits_traffic(theirs, rows)
            assert sent == {
                "coins": 16,
                "upload": answered.upload_bytes,
                "results": mine.result_bytes,
                "answers": answered.answer_bytes,
            }
            taken = sum(64 * ends.choices.size for ends in pair[rank].transfers)
            assert taken == mine.transfers == 64 * words_per(rows * nodes)
    assert seen[0] == seen[1]


def chi_square(content: Words) -> float:
    """Of bytes: 255 degrees of freedom, mean 255, deviation 22.6."""
    data = content.view(np.uint8)
    counts, expected = np.bincount(data, minlength=256), data.size / 256
    return float(((counts - expected) ** 2 / expected).sum())


def test_uploads_results_flips_and_answers_are_uniform_bytes() -> None:
    rows, nodes = 4000, 128
    layouts = layouts_of(((5, 3), (5, 3)), nodes, rows)
    bins = np.zeros((rows, 5), np.uint8)
    pair = parties((bins, bins), seed=9)
    contents: dict[str, list[Words]] = {}
    plain = pair[0].swap

    def swap(step: str, words: Words, expect: int) -> Words:
        contents.setdefault(step, []).append(words)
        return plain(step, words, expect)

    pair[0].swap = swap  # type: ignore[method-assign]
    run(pair, layouts, rows, lambda _: np.zeros((15, 2), np.uint64))
    for step in ("upload", "results", "answers"):
        assert abs(chi_square(np.concatenate(contents[step])) - 255) < 6 * 22.6


def test_no_two_batches_and_no_two_sessions_share_anything() -> None:
    """The same randomness object twice: it moves on; and every direction has its own seed."""
    layouts = layouts_of(((2, 3), (2, 3)), 50, 10)
    pair = parties((None, None))
    uploads: list[Words] = []

    def one(rank: int, party: Party) -> list[Words | None]:
        def swap(step: str, words: Words, expect: int) -> Words:
            if step == "upload":
                uploads.append(words)
            return party.swap(step, words, expect)

        return [RowBits(rank, layouts, party.private, swap, 0).bits for _ in range(2)]

    bits = [made for found in both(pair, one) for made in found if made is not None]
    assert len({made.tobytes() for made in bits}) == 4
    assert len({upload.tobytes() for upload in uploads}) == 4
    coins = (np.zeros(2, np.uint64), np.ones(2, np.uint64))
    seeds = {row_bits._seed(coins, owner, number) for owner in (0, 1) for number in range(3)}
    seeds |= {row_bits._seed(coins[::-1], 0, 0)}
    assert len(seeds) == 7
    assert all(len(seed) == 16 for seed in seeds)


def test_what_does_not_fit_the_layout_is_refused() -> None:
    layouts = layouts_of(((2, 3), (2, 3)), 50, 10)
    pair = parties((np.zeros((10, 3), np.uint8), np.zeros((9, 2), np.uint8)))

    def one(rank: int, party: Party) -> None:
        with pytest.raises(DataError, match="shape"):
            row_bits._own_bits(layouts[1 - rank], np.zeros((5, 1), np.uint64), party.private)
        made = RowBits(rank, layouts, party.private, party.swap, 0)
        with pytest.raises(DataError, match="2 columns and a row"):
            made.shares(10, party.bins, party.transfer)
        with pytest.raises(DataError, match="2 columns and a row"):
            made.shares(10, None, party.transfer)

    both(pair, one)
