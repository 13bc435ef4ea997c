"""Scores under CKKS: the leaf of each tree, off by the stated bound, and what both sides see."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import LEAF_WEIGHT_INTEGER_BITS, MARGIN_BITS
from securexgb.hybrid.ckks_products import agree_keys
from securexgb.hybrid.ckks_scores import ERROR_BITS, Limbs, tree_scores
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import Backend, run_parties
from tests.mpc.kit import Recording, assert_uniform, recorded

pytest.importorskip("tenseal")
Given = tuple[NDArray[np.bool_], NDArray[np.uint64], Limbs]
BOUND = 1 << (MARGIN_BITS + LEAF_WEIGHT_INTEGER_BITS)


def program(party: Party, own: Given) -> Shared:
    marks, values, limbs = own
    return tree_scores(party, agree_keys(party), marks, Shared(values), limbs)


def case(
    trees: int, depth: int, rows: int, most: int = BOUND, seed: int = 0
) -> tuple[list[Given], NDArray[np.int64]]:
    """Both parties' inputs, and the exact scores. Leaves are allowed to one party, or none,
    but for one a row."""
    rng = np.random.default_rng(seed)
    leaves = 1 << depth
    values = rng.integers(-most + 1, most, (trees, leaves))
    values[:, :2] = most - 1, 1 - most
    places = rng.integers(0, leaves, (trees, rows))
    label = rng.random((trees, rows, leaves)) < 0.5
    feature = ~label & (rng.random(label.shape) < 0.7)
    tree, row = np.indices((trees, rows))
    label[tree, row, places] = feature[tree, row, places] = True
    share = rng.integers(0, 1 << 64, values.shape, np.uint64)
    limbs = Limbs.of(trees, depth, MARGIN_BITS, LEAF_WEIGHT_INTEGER_BITS)
    shares = share, values.view(np.uint64) - share
    given = [(marks, words, limbs) for marks, words in zip((label, feature), shares, strict=True)]
    return given, values[tree, places].sum(axis=0)


@pytest.mark.parametrize(
    ("trees", "depth", "rows"), [(1, 1, 5000), (2, 2, 1), (10, 3, 700), (50, 4, 90), (3, 8, 30)]
)
@pytest.mark.parametrize("backend", ["shared", "plaintext"])
def test_scores_are_within_the_bound(trees: int, depth: int, rows: int, backend: Backend) -> None:
    given, exact = case(trees, depth, rows)
    one, two = run_parties(program, given, backend)
    error = (one.words + two.words).view(np.int64) - exact
    assert np.abs(error).max() <= 1 << (MARGIN_BITS - ERROR_BITS)


def test_limbs_hold_every_value() -> None:
    for trees in (1, 2, 3, 64, 65, 10_000):
        for depth in (1, 4, 10):
            for margin_bits in (8, 20):
                limbs = Limbs.of(trees, depth, margin_bits, LEAF_WEIGHT_INTEGER_BITS)
                assert sum((limbs.low, *limbs.high)) == margin_bits + LEAF_WEIGHT_INTEGER_BITS + 3
                assert all(5 <= size <= 12 for size in limbs.high)
                assert limbs.places[-1][0] + limbs.places[-1][1] <= 64


def sent(most: int) -> tuple[Recording, Recording]:
    return recorded(program, case(2, 1, 2100, most)[0])[1]


def test_tags_and_sizes_say_nothing() -> None:
    shapes = [[end.shape for end in sent(most)] for most in (3, BOUND)]
    assert shapes[0] == shapes[1]


def test_what_the_key_holder_sees_of_a_product_is_uniform() -> None:
    """Whatever the values: the coefficients themselves are looked at in test_ckks_products."""
    _, evaluator = sent(3)
    results = [payload for tag, payload in evaluator.sent if "/products" in tag]
    assert len(results) == 2 * len(Limbs.of(2, 1, MARGIN_BITS, 11).places)
    for payload in results:
        residues = np.frombuffer(payload, np.uint64)
        assert_uniform((residues & np.uint64(0xFFFFFFFF)).astype(np.uint32).tobytes())
