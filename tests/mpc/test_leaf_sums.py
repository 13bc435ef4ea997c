"""Leaf values by sums of what was sent once: right after rounding, whoever has which mark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from securexgb.he.fixed_sums import FixedLayout, plan_fixed_sums
from securexgb.mpc.numbers.truncate import half_up, truncate
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.trees.leaf_sums import agree_leaves, leaf_values
from tests.mpc.kit import on_both, public, shared, shared_bits

WORD_BITS, WHOLE_BITS = 31, 60
LAYOUT = plan_fixed_sums(9, 4, WORD_BITS)
assert LAYOUT is not None


def leaves_by_marks(layout: FixedLayout, rows: int, seed: int) -> None:
    """Rounded values of random marks, (trees rows,), are the leaf values, in the clear too."""
    draw = np.random.default_rng(seed)
    # The least and the greatest that there may be, too.
    most = (1 << (WORD_BITS - 2)) - 1
    leaves = draw.integers(-most, most + 1, (layout.words, layout.trees))
    leaves[0], leaves[1] = most, -most
    reached = draw.integers(0, layout.words, layout.trees * rows)
    marks = np.ascontiguousarray(np.eye(layout.words, dtype=np.int64)[reached].T)

    def program(party: Party, marks: SharedBits, leaves: Shared, layout: FixedLayout) -> Any:
        keys, bits = agree_leaves(party, leaves, layout), layout.guard_bits
        values = leaf_values(party, marks, leaves, layout, keys, WHOLE_BITS)
        return truncate(party, half_up(party, values, bits), bits, WHOLE_BITS)

    given = shared_bits(marks, seed), shared(leaves, seed), public(layout)
    found = on_both(program, *given)
    trees = np.repeat(np.arange(layout.trees), rows)
    np.testing.assert_array_equal(found, leaves[reached, trees])


@pytest.mark.parametrize("rows", [1, 300])
def test_values_are_leaf_values(rows: int) -> None:
    leaves_by_marks(LAYOUT, rows, rows)


def test_too_few_guard_bits_would_not_do() -> None:
    """The check above can fail."""
    with pytest.raises(AssertionError, match="not equal"):
        leaves_by_marks(replace(LAYOUT, guard_bits=4), 300, 1)
