"""Public tables of shared bits: every entry is found, and the split is the cheapest one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.mpc.multiply import gate_cost
from securexgb.mpc.table import lookup, lookup_cost, marks_cost, one_hot, split_of
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


@pytest.mark.parametrize("width", range(1, 15))
@pytest.mark.parametrize("out_bits", [1, 8, 30, 60])
def test_no_other_split_gates_fewer_bits(width: int, out_bits: int) -> None:
    def gated(high: int) -> int:
        """A gate is one bit and the bits it lets through or not."""
        costs = []
        for part in (high, width - high):
            pieces = [1] * part
            while len(pieces) > 1:
                pairs = list(zip(pieces[::2], pieces[1::2], strict=False))
                costs += [((1 << min(p)) - 1) << max(p) for p in pairs]
                pieces = [sum(p) for p in pairs] + pieces[2 * len(pairs) :]
        return sum(costs) + ((1 << high) - 1) * (1 + out_bits)

    assert gated(split_of(width, out_bits)) == min(gated(high) for high in range(width))


def test_cost_of_the_sigmoid_s_table() -> None:
    """3 bits over 8 bits: pairs, fours, the marks of 8 bits, and one gate for 7 of 8 rows."""
    assert split_of(11, 30) == 3
    levels = [gate_cost(1, 5), gate_cost(3, 7), gate_cost(15, 15), gate_cost(30, 7)]
    assert lookup_cost(11, 30, 1) == levels[0] + levels[1] + levels[2] + levels[3]
    assert lookup_cost(11, 30, 1).rounds == 4
    assert marks_cost((8,), 1).rounds == 3
