"""Sums of rows taken apart: rounded exactly, whatever noise stands below them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.mpc.numbers.unpack import SumWidths, round_sums
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import quick

WIDTHS = [
    (SumWidths(0, 0, 31, True), SumWidths(0, 0, 29, False)),
    (SumWidths(0, 4, 31, True), SumWidths(0, 2, 29, False)),
    (SumWidths(14, 4, 31, True), SumWidths(14, 2, 29, False)),
    (SumWidths(21, 7, 36, True), SumWidths(21, 5, 35, False)),
    (SumWidths(2, 0, 5, True), SumWidths(2, 1, 3, False)),
    (SumWidths(5, 1, 3, True), SumWidths(3, 0, 61, False)),
]


def limits(of: SumWidths) -> tuple[int, int]:
    """The least and the greatest sums that may be taken apart."""
    bits, unit = of.dropped + of.kept - 1, 1 << of.dropped
    if of.is_signed:
        return 1 - (1 << bits - 1) + unit, (1 << bits - 1) - unit - 1
    return 0, (1 << bits) - unit - 1


def rounded(sums: Integers, of: SumWidths) -> Integers:
    half = 1 << of.dropped >> 1
    return (sums + half) >> of.dropped


def apart(sums: list[Integers], noise: list[Integers], widths: Any, seed: int) -> Any:
    """What comes out for both words (n,) with this noise below them."""
    words = [
        (s.view(np.uint64) << np.uint64(of.noise)) + r.view(np.uint64)
        for s, r, of in zip(sums, noise, widths, strict=True)
    ]
    given = np.stack(words)[None].view(np.int64)
    return on_both(round_sums, shared(given, seed), public(widths))


@quick
@given(st.sampled_from(WIDTHS), st.integers(1, 130), st.integers(0, 1 << 30))
def test_any_sums_with_any_noise(
    widths: tuple[SumWidths, SumWidths], count: int, seed: int
) -> None:
    draw, sums, noise = np.random.default_rng(seed), [], []
    for of in widths:
        least, most = limits(of)
        edges = [least, least + 1, 0, 1, most - 1, most]
        drawn = draw.integers(least, most, count, endpoint=True)
        drawn[: len(edges)] = edges[:count]
        sums.append(drawn)
        reach = (1 << of.noise >> 1) - (of.noise > 0)
        noise.append(draw.choice([-reach, 0, reach], count).astype(np.int64))
    for found, s, of in zip(apart(sums, noise, widths, seed), sums, widths, strict=True):
        np.testing.assert_array_equal(found[0], rounded(s, of))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("noise_bits", [0, 14])
def test_halves_are_rounded_up_and_noise_does_not_decide(noise_bits: int, sign: int) -> None:
    """At a tie the least noise would decide if it were rounded together with the sum."""
    widths = (SumWidths(noise_bits, 4, 31, True), SumWidths(noise_bits, 2, 29, False))
    reach = (1 << noise_bits >> 1) - (noise_bits > 0)
    g, h = np.array([-24, -8, 8, 24, 7, 9, -7, -9]), np.array([2, 6, 10, 1, 3, 5, 7, 0])
    noise = np.full(8, sign * reach)
    found = apart([g, h], [noise, noise], widths, 1)
    np.testing.assert_array_equal(found[0][0], [-1, 0, 1, 2, 0, 1, 0, -1])
    np.testing.assert_array_equal(found[1][0], [1, 2, 3, 0, 1, 1, 2, 0])


def test_differences_of_growing_sums_are_never_negative() -> None:
    draw = np.random.default_rng(2)
    widths = WIDTHS[2]
    growing = draw.integers(0, 3, 1000).cumsum()
    noise = draw.integers(-8191, 8192, (2, 1000))
    _, h = apart([growing, growing], list(noise), widths, 3)
    assert (np.diff(h[0]) >= 0).all()
