"""Tree halves: which leaves are possible at each side, and arrays that are no tree."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.arith.fixedpoint import decode
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.tree import TreeHalf, leaf_values
from securexgb.errors import DataError
from securexgb.mpc.open import open_shared
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import share
from securexgb.testing import run_parties


def halves() -> tuple[TreeHalf, TreeHalf]:
    """Root at the label party (x0 < 1), left child at the feature party (x0 < 5, missing left)."""

    def half(rank: int) -> TreeHalf:
        owners = np.array([0, 1, 0], np.int8)
        mine = owners == rank
        thresholds = np.where(mine, np.array([1.0, 5.0, np.inf]), np.nan)
        return TreeHalf(
            owners,
            np.where(mine, 0, -1).astype(np.int32),
            np.where(mine, 3, -1).astype(np.int32),
            thresholds,
            mine & np.array([False, True, False]),
            np.zeros(3, np.bool_),
            np.arange(4, dtype=np.uint64),
        )

    return half(0), half(1)


def test_exactly_one_leaf_is_possible_at_both_sides() -> None:
    label, feature = halves()
    x = np.array([[0.0], [1.0], [np.nan], [-3.0]])
    z = np.array([[4.0], [4.0], [9.0], [np.nan]])
    both = label.possible_leaves(x) & feature.possible_leaves(z)
    assert both.sum(axis=1).tolist() == [1, 1, 1, 1]
    # Missing at the root goes right; at node 2 every present value goes left, missing right.
    assert both.argmax(axis=1).tolist() == [0, 2, 3, 0]


def test_one_sides_marks_do_not_depend_on_the_other_sides_nodes() -> None:
    label, feature = halves()
    assert label.possible_leaves(np.array([[0.0]])).tolist() == [[True, True, False, False]]
    assert feature.possible_leaves(np.array([[9.0]])).tolist() == [[False, True, True, True]]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("owners", np.array([0, 1, 2], np.int8)),
        ("owners", np.array([0, 1], np.int8)),
        ("features", np.array([7, -1, 0], np.int32)),
        ("features", np.array([0.0, -1, 0])),
        ("thresholds", np.full(3, np.nan)),
        ("leaf_values", np.zeros(3, np.uint64)),
        ("leaf_values", np.zeros((4, 1), np.uint64)),
        ("leaf_values", np.zeros(0, np.uint64)),
    ],
)
def test_arrays_that_are_no_tree_are_refused(name: str, array: np.ndarray) -> None:
    good = halves()[0].arrays()
    assert TreeHalf.from_arrays(good, 1).depth == 2
    with pytest.raises(DataError):
        TreeHalf.from_arrays(good | {name: array}, 1)


def test_the_learning_rate_is_applied_once_and_exactly(backend) -> None:
    weights = np.array([1 << 19, -(3 << 18), 12345, 0], np.int64)
    numbers = Layout.of(TrainingParams(), 10, (1, 1), False).numbers(TrainingParams())

    def program(party, words):
        shared = share(party, words, 0, (4,))
        leaves = leaf_values(party, shared, numbers, 0.5)
        return open_shared(party, leaves, Reveal.METRIC)

    opened = run_parties(program, [weights.view(np.uint64), None], backend=backend)[0]
    assert np.array_equal(opened.view(np.int64), (-weights * (1 << 19)) >> 19)
    assert np.allclose(decode(opened, 20)[:2], [-0.5, 0.75])
