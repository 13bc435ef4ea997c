"""Random integers that like their limits, and sizes around the word boundary."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.mpc.kit import Integers
from tests.profiles import examples, is_thorough

quick = settings(max_examples=examples(20), deadline=None, derandomize=not is_thorough())


def integers(low: int, high: int, most: int = 130) -> SearchStrategy[Integers]:
    """Arrays (n,) of integers from ``low`` to ``high``, both included."""
    edges = [v for v in (low, low + 1, -1, 0, 1, high - 1, high) if low <= v <= high]
    element = st.one_of(st.sampled_from(edges), st.integers(low, high))
    return st.lists(element, min_size=1, max_size=most).map(lambda v: np.array(v, np.int64))


def symmetric(bits: int, most: int = 130) -> SearchStrategy[Integers]:
    """Arrays (n,) of integers of absolute value below 2^bits."""
    return integers(1 - (1 << bits), (1 << bits) - 1, most)


def flags(leading: int, most: int = 130) -> SearchStrategy[Any]:
    """0/1 arrays (k, n) with 1 <= k <= ``leading``."""
    shape = st.tuples(st.integers(1, leading), st.integers(1, most), st.integers(0, 2**32))
    return shape.map(lambda s: np.random.default_rng(s[2]).integers(0, 2, s[:2]))
