"""Logarithms: error as stated, all mantissas and exponents, equal for equal numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.mpc.circuits.chains import Preparation
from securexgb.mpc.numbers.logarithm import (
    LOG_BITS,
    MANTISSA_BITS,
    log2_bits,
    log2_weights,
    normal_masks,
    normalised,
)
from securexgb.mpc.party import Party
from securexgb.mpc.shared import SharedBits
from tests.mpc.kit import Integers, Pair, on_both, shared_bits

TABLE_ERROR = 2.0**-14.1


def run(least: tuple[int, ...], *numbers: tuple[Integers, int]) -> list[Integers]:
    def program(party: Party, *bits: SharedBits) -> tuple[SharedBits, ...]:
        widths = [one.shape[0] - low for one, low in zip(bits, least, strict=True)]
        masks = Preparation(party, normal_masks(widths, bits[0].words.shape[1])).ready()
        found = normalised(party, bits, least, masks)
        return (*log2_bits(party, found), found.above)

    return list(on_both(program, *(bits_of(*number) for number in numbers)))


def bits_of(x: Integers, width: int) -> Pair:
    return shared_bits((x[None] >> np.arange(width)[:, None]) & 1, width)


def logarithms(*numbers: tuple[Integers, int]) -> list[NDArray[np.float64]]:
    """Of numbers and their widths; zeros are checked to be marked as such."""
    *found, above = run((0,) * len(numbers), *numbers)
    np.testing.assert_array_equal(above, np.stack([x > 0 for x, _ in numbers]))
    return [
        (bits * np.array(log2_weights(width))[:, None]).sum(axis=0) / (1 << LOG_BITS)
        for bits, (_, width) in zip(found, numbers, strict=True)
    ]


def test_every_mantissa() -> None:
    """15 significant bits, the leading one among them: nothing is cut off."""
    x = np.arange(1 << MANTISSA_BITS, 2 << MANTISSA_BITS)
    (found,) = logarithms((x, MANTISSA_BITS + 1))
    assert np.abs(found - np.log2(x)).max() <= TABLE_ERROR


@pytest.mark.parametrize("width", range(2, 11))
def test_every_number_of_few_bits(width: int) -> None:
    x = np.arange(1 << width)
    filled = np.pad(x, (0, -x.size % 64))
    (found,) = logarithms((filled, width))
    assert np.abs(found[1 : x.size] - np.log2(x[1:])).max() <= TABLE_ERROR


def test_numbers_of_different_widths_at_once() -> None:
    draw, widths = np.random.default_rng(0), (62, 47, 33, 25, 25, 16, 9)
    numbers = [
        ((draw.integers(0, 2**62, 640) >> draw.integers(0, 62, 640)) & ((1 << width) - 1), width)
        for width in widths
    ]
    for found, (x, _) in zip(logarithms(*numbers), numbers, strict=True):
        error = found[x > 0] - np.log2(x[x > 0].astype(np.float64))
        cut = 2.0**-MANTISSA_BITS / np.log(2)
        assert error.max() <= TABLE_ERROR
        assert error.min() >= -TABLE_ERROR - cut
        assert np.unique(found[x == 0]).size <= 1


def test_every_power_of_two() -> None:
    x = np.concatenate([np.int64(1) << np.arange(62), np.zeros(2, np.int64)])
    (found,) = logarithms((x, 62))
    assert np.abs(found[:62] - np.arange(62)).max() <= TABLE_ERROR


@pytest.mark.parametrize("least", [1, 5, 13, 14, 15, 20])
def test_from_a_least_exponent_on_nothing_else_changes(least: int) -> None:
    x, width = np.random.default_rng(least).integers(0, 2**23, 640) >> np.arange(640) % 23, 23
    (whole,) = logarithms((x, width))
    bits, above = run((least,), (x, width))
    found = (bits * np.array(log2_weights(width - least))[:, None]).sum(axis=0) / (1 << LOG_BITS)
    np.testing.assert_array_equal(above[0], x >= 1 << least)
    np.testing.assert_array_equal(found[x >= 1 << least], whole[x >= 1 << least] - least)
    assert found[x < 1 << least].max() < 1
