"""Rounding to one party: as exact as plain integers, and at the cost that it declares."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.arith.prg import Prg
from securexgb.errors import UsageError
from securexgb.mpc.numbers.round_to import Rounding, rounded_to
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import insecure_parties, run_both

HOW = [
    Rounding(38, 20, 10**6),
    Rounding(36, 20, 1),
    Rounding(33, 20, 10**4),
    Rounding(40, 20, 1 << 19),
    Rounding(41, 20, 1 << 20),
    Rounding(50, 20, 125),
]


def _numbers(how: Rounding) -> list[int]:
    most = (1 << (how.ring_bits - 2)) - 1
    half = 1 << 19
    near = [k * (1 << 20) // how.steps + d for k in (-7, -1, 1, 5) for d in (-1, 0, 1)]
    return [0, 1, -1, most, -most, half, half - 1, -half, 1 - half, -half - 1, *near]


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("backend", ["shared", "plaintext"])
def test_rounds_exactly_to_one_party(how: Rounding, rank: int, backend: str) -> None:
    values = _numbers(how)
    words = np.array(values).view(np.uint64)
    random = Prg(bytes(16)).words(words.size)
    shares = Shared(random), Shared(words - random)

    def program(party: Party, x: Shared) -> object:
        return rounded_to(party, rank, x, how, Reveal.PREDICTION)

    parties = insecure_parties(3, "shared" if backend == "shared" else "plaintext")
    results = run_both(program, parties, shares)
    expected = [(v * how.steps + (1 << 19)) >> 20 for v in values]
    if how.steps == 1 << 20:
        expected = values
    assert results[rank].view(np.int64).tolist() == expected
    assert results[1 - rank] is None
    assert parties[rank].ledger.entries == {
        (Reveal.PREDICTION, ("label", "feature")[rank]): len(values)
    }


def test_refuses_what_does_not_fit_a_word() -> None:
    with pytest.raises(UsageError, match="fewer decimals"):
        Rounding(55, 20, 10**6)
