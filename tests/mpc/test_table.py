"""Public tables of shared bits: every entry is found, and the split is the cheapest one."""

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
    Tables,
    lookup,
    lookup_cost,
    lookups,
    lookups_cost,
    marks_cost,
    one_hot,
    split_of,
)
from securexgb.mpc.protocol import Cost
from tests.mpc.kit import Integers, on_both, public, shared_bits
from tests.mpc.strategies import flags, quick


def bits_of(values: Integers, width: int) -> Integers:
    """Lowest first: (width, n)."""
    return (values[None, :] >> np.arange(width)[:, None]) & 1


@pytest.mark.parametrize("width", range(1, 12))
def test_every_mark(width: int) -> None:
    values = np.random.default_rng(width).permutation(1 << width)
    expected = values == np.arange(1 << width)[:, None]
    np.testing.assert_array_equal(on_both(one_hot, shared_bits(bits_of(values, width))), expected)


@pytest.mark.parametrize("width", range(1, 15))
@pytest.mark.parametrize("out_bits", [1, 17, 64])
def test_every_entry(width: int, out_bits: int) -> None:
    draw = np.random.default_rng(width)
    table = draw.integers(0, 2**64, 1 << width, np.uint64)
    values = draw.permutation(1 << width)
    expected = (table[values] >> np.arange(out_bits, dtype=np.uint64)[:, None]) & np.uint64(1)
    bits = shared_bits(bits_of(values, width))
    result = on_both(lookup, bits, public(table), public(out_bits))
    np.testing.assert_array_equal(result, expected)


@quick
@given(flags(14), st.integers(1, 64), st.integers(0, 2**32))
def test_any_count(bits: Integers, out_bits: int, seed: int) -> None:
    width = bits.shape[0]
    table = np.random.default_rng(seed).integers(0, 2**64, 1 << width, np.uint64)
    found = table[(bits << np.arange(width)[:, None]).sum(axis=0)]
    expected = (found >> np.arange(out_bits, dtype=np.uint64)[:, None]) & np.uint64(1)
    result = on_both(lookup, shared_bits(bits), public(table), public(out_bits))
    np.testing.assert_array_equal(result, expected)


@quick
@given(flags(11), st.integers(1, 64), st.integers(1, 70), st.integers(0, 2**32))
def test_a_table_for_each_run(bits: Integers, out_bits: int, tables: int, seed: int) -> None:
    """Runs of any sizes, also none; what is sent is what one table sends."""
    (width, count), draw = bits.shape, np.random.default_rng(seed)
    table = draw.integers(0, 2**64, (tables, 1 << width), np.uint64)
    which = np.sort(draw.integers(0, tables, count))
    runs = tuple(np.bincount(which, minlength=tables).tolist())
    found = table[which, (bits << np.arange(width)[:, None]).sum(axis=0)]
    expected = (found >> np.arange(out_bits, dtype=np.uint64)[:, None]) & np.uint64(1)

    tables = public((Tables(table, out_bits),))
    result = on_both(lookups, shared_bits(bits), tables, public(runs))
    np.testing.assert_array_equal(result[0], expected)


def test_look_ups_at_once() -> None:
    """Of several widths and splits, in the rounds of the longest."""
    draw = np.random.default_rng(5)
    shapes = [(3, 4), (10, 35), (11, 21), (1, 1)]
    tables = [draw.integers(0, 2**64, (1, 1 << width), np.uint64) for width, _ in shapes]
    values = [draw.integers(0, 1 << width, 130) for width, _ in shapes]
    cost = lookups_cost(shapes, 3)
    alone = [lookup_cost(width, out_bits, 3) for width, out_bits in shapes]
    assert cost == replace(sum(alone, Cost()), rounds=max(one.rounds for one in alone))

    bits = [bits_of(value, width) for value, (width, _) in zip(values, shapes, strict=True)]
    asked = [Tables(one, out_bits) for one, (_, out_bits) in zip(tables, shapes, strict=True)]
    found = on_both(lookups, shared_bits(np.concatenate(bits)), public(asked), public((130,)))
    for value, table, (_, out_bits), one in zip(values, tables, shapes, found, strict=True):
        expected = table[0, value] >> np.arange(out_bits, dtype=np.uint64)[:, None] & np.uint64(1)
        np.testing.assert_array_equal(one, expected)


def weight(cost: Cost) -> int:
    """Bits behind gates, and for each gate as much as many more."""
    gates = sum(cost.correlations[kind] for kind in KINDS)
    return GATE_WEIGHT * gates + cost.label_words - gates


@pytest.mark.parametrize("width", range(1, 15))
@pytest.mark.parametrize("out_bits", [1, 8, 21, 30, 60])
def test_no_other_split_is_cheaper(width: int, out_bits: int) -> None:
    costs = [weight(lookup_cost(width, out_bits, 1, high)) for high in range(width)]
    assert weight(lookup_cost(width, out_bits, 1)) == min(costs)


@pytest.mark.parametrize("width", range(1, 15))
def test_one_round_more_than_the_flattest_tree(width: int) -> None:
    assert marks_cost((width,), 1).rounds <= (width - 1).bit_length() + 1


def test_cost_of_the_sigmoid_s_table() -> None:
    """3 bits over 8, of 3 times 5: marks of 2 bits, of 3 and 4, of 5, of 8, then 7 of 8 rows."""
    assert split_of(11, 21) == 3
    levels = [gate_cost(1, 4), gate_cost(3, 5), gate_cost(15, 1), gate_cost(31, 7)]
    levels.append(gate_cost(21, 7))
    assert lookup_cost(11, 21, 1) == sum(levels, Cost())
    assert marks_cost((8, 3), 1).rounds == 4
