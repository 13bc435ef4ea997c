"""How far ahead party 1 asks, and that it gets every word once and in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.correlations.gates import GatePieces
from securexgb.correlations.kind import Pieces, Words
from securexgb.dealer.session import REQUEST_WORDS
from securexgb.offline.ahead import FIRST_BLOCK, CorrectionBuffer, Made, Supply

COUNTS = st.lists(st.integers(0, 50).map(lambda units: 64 * units), max_size=30)


def run(line: CorrectionBuffer, counts: list[int]) -> list[tuple[int, int]]:
    """Ask, deliver what was asked for in frames of odd sizes, take; all requests."""
    asked = []
    for count in counts:
        requests = line.ask(count)
        asked += requests
        for start, words in requests:
            for first in range(start, start + words, 100):
                stop = min(first + 100, start + words)
                assert line.put(first, np.arange(first, stop, dtype=np.uint64))
        assert line.has(count)
        before = line.taken
        taken = line.take(count)
        np.testing.assert_array_equal(taken, np.arange(before, before + count, dtype=np.uint64))
    return asked


@given(COUNTS)
def test_words_come_once_and_in_order(counts: list[int]) -> None:
    asked = run(CorrectionBuffer(64, 256, 2048, 2), counts)
    position = 0
    for start, words in asked:
        assert start == position
        assert words > 0
        assert words % 64 == 0
        position += words


@given(COUNTS)
def test_what_is_kept_ahead_is_bounded(counts: list[int]) -> None:
    line = CorrectionBuffer(64, 256, 2048, 2)
    for count in counts:
        run(line, [count])
        assert line.requested - line.taken <= 2048
        assert line.requested <= line.taken + line.taken // 2 + 256


@given(COUNTS)
def test_a_known_job_draws_no_more_than_it_needs(counts: list[int]) -> None:
    line = CorrectionBuffer(64, 256, 2048, 2, expected=sum(counts))
    run(line, counts)
    assert line.requested == line.taken == sum(counts)


def test_an_exceeded_expectation_is_no_failure() -> None:
    line = CorrectionBuffer(64, 256, 2048, 2, expected=128)
    run(line, [64, 64, 640])
    assert line.taken == 768


@given(st.integers(1, 5), st.lists(st.integers(0, 9), max_size=10))
def test_products_come_as_whole_vectors(unit: int, vectors: list[int]) -> None:
    asked = run(CorrectionBuffer(unit, unit, 8 * unit, 1), [unit * count for count in vectors])
    assert all(words % unit == 0 for _, words in asked)


def test_of_a_stock_no_large_block_is_taken() -> None:
    drawn = []

    def make(_: int, count: int) -> Made[GatePieces]:
        drawn.append(count)
        a, b, c = np.zeros((3, 1, count), np.uint64)
        return [(GatePieces(a[0], b, c), count)]

    supply = Supply(make, 1)
    for _ in range(30):
        supply.take(100)
    assert max(drawn) > FIRST_BLOCK
    supply.stay_small()
    drawn.clear()
    for _ in range(100):
        supply.take(100)
    assert set(drawn) == {FIRST_BLOCK}
    supply.take(5 * FIRST_BLOCK)  # what is asked for at once still comes at once
    assert max(drawn) >= 4 * FIRST_BLOCK


def test_blocks_are_of_what_was_ordered_where_that_will_do() -> None:
    drawn, ordered = list[int](), [6400]

    def make(_: int, count: int) -> Made[GatePieces]:
        drawn.append(count)
        ordered[0] = max(ordered[0] - count, 0)
        a, b, c = np.zeros((3, 1, count), np.uint64)
        return [(GatePieces(a[0], b, c), count)]

    supply = Supply(make, 1, ordered=lambda: ordered[0])
    supply.take(0)
    assert drawn == [64]
    while sum(drawn) < 6400:
        supply.take(10)
    assert sum(drawn) == 6400
    assert max(drawn) > FIRST_BLOCK
    assert len(drawn) < 20
    supply.take(64)  # nothing is ordered: a block
    assert drawn[-1] == max(FIRST_BLOCK, 6400 // 2)


def test_the_last_tree_draws_no_block_that_it_does_not_take() -> None:
    """Trees that take the same: the whole job draws little more than it uses."""
    drawn, a_tree, trees = list[int](), 7 * 1000, 12
    line = CorrectionBuffer(1, 1, 1, 1)

    def make(_: int, count: int) -> Made[GatePieces]:
        drawn.append(count)
        line.taken += count
        a, b, c = np.zeros((3, 1, count), np.uint64)
        return [(GatePieces(a[0], b, c), count)]

    supply = Supply(make, 1, to_come=line.to_come)
    for tree in range(trees):
        line.expect(trees - tree, supply.left)
        assert line.a_tree == (a_tree if tree > 0 else 0)  # what was used, not what was drawn
        for _ in range(7):
            supply.take(1000)
    assert max(drawn) > 4 * FIRST_BLOCK
    assert supply.left < FIRST_BLOCK
    assert sum(drawn) - supply.left == trees * a_tree


def test_large_requests_are_cut() -> None:
    line = CorrectionBuffer(64, 64, 64, 1)
    asked = line.ask(3 * REQUEST_WORDS)
    assert max(words for _, words in asked) <= REQUEST_WORDS
    assert sum(words for _, words in asked) == line.requested


@pytest.mark.parametrize(("start", "size"), [(1, 64), (64, 64), (0, 0), (0, 4096)])
def test_a_frame_that_was_not_asked_for_is_refused(start: int, size: int) -> None:
    line = CorrectionBuffer(64, 256, 256, 1)
    line.ask(64)
    assert not line.put(start, np.zeros(size, np.uint64))
    assert line.put(0, np.zeros(64, np.uint64))


@dataclass(frozen=True)
class Numbered(Pieces):
    """Elements that are their own numbers: words of 64 packed bits, and a word each."""

    per_word = 64, 1
    packed: Words
    numbers: Words


@given(
    st.lists(st.integers(0, 3000), max_size=12),
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_a_supply_hands_out_every_element_once(counts: list[int], sizes: list[int]) -> None:
    """Whatever the parts are in which they are made."""

    def make(start: int, count: int) -> Made[Numbered]:
        parts = []
        while count:
            size = min(64 * sizes[len(parts) % len(sizes)], count)
            numbers = np.arange(start, start + size, dtype=np.uint64)
            parts.append((Numbered(numbers[::64] // np.uint64(64), numbers), size))
            start, count = start + size, count - size
        return parts

    supply, at = Supply(make, 64), 0
    for count in counts:
        taken = supply.take(count)
        np.testing.assert_array_equal(taken.numbers, np.arange(at, at + count))
        np.testing.assert_array_equal(taken.packed, np.arange(at, at + count, 64) // 64)
        assert not taken.numbers.flags.writeable
        at += count + -count % 64
