"""The greatest of a few scores, in their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.mpc.open import open_numbers_to
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.strongest import number_bits, strongest
from securexgb.testing.harness import Backend, run_parties
from tests.mpc.kit import shared

SCORE_BITS = 39


@pytest.mark.parametrize(("candidates", "count"), [(1, 1), (2, 1), (2, 2), (5, 3), (9, 4)])
def test_numbers_are_those_of_a_stable_sort(candidates: int, count: int, backend: Backend) -> None:
    draw = np.random.default_rng(candidates)
    scores = draw.integers(1, 1 << (SCORE_BITS - 1), (candidates, 70))
    scores[:, :20] = draw.integers(1, 3, (candidates, 20))  # ties
    width = number_bits(candidates)

    def program(party: Party, x: Any) -> Any:
        found = strongest(party, x, SCORE_BITS, count)
        if not width:
            return found.count
        return open_numbers_to(party, 0, found, width, Reveal.REASON_CODES)

    label, feature = run_parties(program, shared(scores), backend=backend)
    if width:
        order = np.argsort(-scores, axis=0, kind="stable")[:count]
        assert np.array_equal(label, order)
        assert not feature.any()
