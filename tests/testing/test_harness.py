"""The test kit: both backends, one seed, and the cause rather than the casualty."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.errors import DataError
from securexgb.mpc.multiply import multiply
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.testing import run_parties
from securexgb.testing.harness import Backend
from tests.mpc.kit import shared


def square(party: Party, x: Shared) -> Shared:
    return multiply(party, x, x)


def test_one_seed_gives_the_same_shares_and_another_seed_others() -> None:
    runs = [run_parties(square, shared([7]), seed=seed)[0].words for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("failing", [0, 1])
def test_the_failing_side_s_error_is_raised(failing: int, backend: Backend) -> None:
    def program(party: Party, x: Shared) -> Shared:
        if party.rank == failing:
            raise DataError("the label column holds three classes")
        return multiply(party, x, x)

    with pytest.raises(DataError, match="three classes"):
        run_parties(program, shared([7]), backend=backend)


def test_parties_have_their_own_randomness_and_common_coins() -> None:
    def program(party: Party, _: object) -> tuple[int, int]:
        return int(party.private.words(1)[0]), int(party.coins.words(1)[0])

    first, second = run_parties(program, [None, None])
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_the_plaintext_backend_sends_nothing() -> None:
    def program(party: Party, x: Shared) -> int:
        multiply(party, x, x)
        return party.channel.traffic.bytes_sent

    assert run_parties(program, shared(np.arange(9)), backend="plaintext") == [0, 0]
