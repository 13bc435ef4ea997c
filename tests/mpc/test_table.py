"""Public tables of shared bits: every entry is found, and the marks' products are the cheapest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.correlations.gates import KINDS
from securexgb.mpc.multiply import gate_cost
from securexgb.mpc.numbers.table import (
    GATE_WEIGHT,
    Lookups,
    Place,
    Tables,
    lookups,
    lookups_cost,
    marks_cost,
)
from securexgb.mpc.protocol import Cost
from tests.mpc.kit import Integers, Pair, on_both, public, shared_bits
from tests.mpc.strategies import flags, quick

PLACE = Place(low=0, high=1)


def bits_of(values: Integers, width: int) -> Integers:
    """Lowest first: (width, n)."""
    return (values[None, :] >> np.arange(width)[:, None]) & 1


def at_each(*parts: Integers) -> Pair:
    """The bits (width, n) of several numbers, in shares."""
    first, second = zip(*map(shared_bits, parts), strict=True)
    return first, second


def low_bits(entries: Integers, out_bits: int) -> Integers:
    return entries >> np.arange(out_bits, dtype=np.uint64)[:, None] & np.uint64(1)


@pytest.mark.parametrize("width", range(2, 15))
@pytest.mark.parametrize("out_bits", [1, 17, 64])
def test_every_entry(width: int, out_bits: int) -> None:
    """Of an index in two parts, neither of them alike."""
    draw, high = np.random.default_rng(width), max(width // 3, 1)
    table = draw.integers(0, 2**64, (1, 1 << high, 1 << (width - high)), np.uint64)
    values = draw.permutation(1 << width)
    bits = bits_of(values, width)
    parts = at_each(bits[: width - high], bits[width - high :])
    asked = [Tables(table, out_bits, PLACE)]
    (found,) = on_both(lookups, parts, public(asked), public((values.size,)))
    np.testing.assert_array_equal(found, low_bits(table.reshape(-1)[values], out_bits))


@quick
@given(flags(7), flags(4), st.integers(1, 64), st.integers(1, 70), st.integers(0, 2**32))
def test_a_table_for_each_run(
    low: Integers, high: Integers, out_bits: int, tables: int, seed: int
) -> None:
    """Runs of any sizes, also none; what is sent is what one table sends."""
    count, draw = min(low.shape[1], high.shape[1]), np.random.default_rng(seed)
    parts = [low[:, :count], high[:, :count]]
    shape = tables, *(1 << len(part) for part in reversed(parts))
    entries = draw.integers(0, 2**64, shape, np.uint64)
    which = np.sort(draw.integers(0, tables, count))
    runs = tuple(np.bincount(which, minlength=tables).tolist())
    j, i = ((part << np.arange(len(part))[:, None]).sum(axis=0) for part in parts)

    asked = public((Tables(entries, out_bits, PLACE),))
    (found,) = on_both(lookups, at_each(*parts), asked, public(runs))
    np.testing.assert_array_equal(found, low_bits(entries[which, i, j], out_bits))


PLACES = Place(0, 1), Place(2, 1), Place(0, 3), Place(4, 1)
WIDTHS, OUT_BITS = (5, 3, 1, 4, 2), (15, 30, 7, 64)


def test_tables_share_parts() -> None:
    """A part's marks are made once, and what stands behind the same mark has one gate."""
    draw = np.random.default_rng(5)
    values = [draw.integers(0, 1 << width, 130) for width in WIDTHS]
    tables = [
        Tables(
            draw.integers(0, 2**64, (1, 1 << WIDTHS[at.high], 1 << WIDTHS[at.low]), np.uint64),
            out_bits,
            at,
        )
        for at, out_bits in zip(PLACES, OUT_BITS, strict=True)
    ]
    parts = at_each(*map(bits_of, values, WIDTHS))
    for one, found in zip(
        tables, on_both(lookups, parts, public(tables), public((130,))), strict=True
    ):
        expected = one.entries[0, values[one.place.high], values[one.place.low]]
        np.testing.assert_array_equal(found, low_bits(expected, one.out_bits))


def test_what_is_shared_costs_once() -> None:
    cost = lookups_cost(Lookups(WIDTHS, PLACES, OUT_BITS), 3)
    gates = gate_cost(15 + 30 + 64, 7 * 3) + gate_cost(7, 15 * 3)
    marks = [marks_cost((width,), 3) for width in WIDTHS]
    rounds = 1 + max(one.rounds for one in marks)
    assert cost == replace(sum(marks, gates), rounds=rounds)


def weight(cost: Cost) -> int:
    """Bits behind gates, and for each gate as much as many more."""
    gates = sum(cost.correlations[kind] for kind in KINDS)
    return GATE_WEIGHT * gates + cost.label_words - gates


@pytest.mark.parametrize("width", range(2, 15))
def test_no_product_of_two_parts_is_cheaper(width: int) -> None:
    """Where both have a round less than the whole."""
    whole = marks_cost((width,), 1)
    for low in range(1, width // 2 + 1):
        parts = marks_cost((low,), 1), marks_cost((width - low,), 1)
        if all(part.rounds < whole.rounds for part in parts):
            last = gate_cost((1 << (width - low)) - 1, (1 << low) - 1)
            assert weight(whole) <= sum(map(weight, (*parts, last)))


@pytest.mark.parametrize("width", range(1, 15))
def test_one_round_more_than_the_flattest_tree(width: int) -> None:
    assert marks_cost((width,), 1).rounds <= (width - 1).bit_length() + 1


def test_cost_of_the_sigmoid_s_tables() -> None:
    """4 bits beside 3 and 4, behind 15 gates; then both tables behind seven."""
    places = Place(1, 3, 2), Place(0, 3, 2)
    shape = Lookups((4, 3, 4, 3), places, (36, 22))
    marks = marks_cost(shape.widths, 1)
    assert lookups_cost(shape, 1) == marks + gate_cost(7 + 15, 15) + gate_cost(36 + 22, 7)


def test_a_part_between_goes_with_the_low_parts_of_all_tables() -> None:
    draw = np.random.default_rng(6)
    widths, places = (2, 3, 2, 2), (Place(1, 3, 2), Place(0, 3, 2), Place(0, 3), Place(1, 3, 2))
    values = [draw.integers(0, 1 << width, 130) for width in widths]
    tables, expected = [], []
    for at in places:
        low, size = values[at.low], 1 << widths[at.low]
        if at.between is not None:
            low, size = low + values[at.between] * size, size << widths[at.between]
        entries = draw.integers(0, 2**64, (1, 1 << widths[at.high], size), np.uint64)
        tables.append(Tables(entries, 11, at))
        expected.append(low_bits(entries[0, values[at.high], low], 11))
    parts = at_each(*map(bits_of, values, widths))
    for one, found in zip(
        expected, on_both(lookups, parts, public(tables), public((130,))), strict=True
    ):
        np.testing.assert_array_equal(found, one)
