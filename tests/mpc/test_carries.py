"""The carry network: folds and prefixes of any length, in one round a level, at declared cost."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.mpc.circuits.carries import (
    Network,
    depth_of,
    fold,
    join_carries,
    network_cost,
    prefix,
    side_by_side,
)
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Words
from securexgb.testing.harness import run_parties


def joined(network: Network, g: Words, p: Words, count: int) -> tuple[Words, Words]:
    """(g, p) in the clear after the network was run on random shares; cost as declared."""
    masks = np.random.default_rng(1).integers(0, 1 << 63, (2, *g.shape), dtype=np.uint64)
    shares = [masks.copy(), np.stack([g, p]) ^ masks]

    def program(party: Party, own: Words) -> Words:
        sent = party.channel.traffic.bytes_sent
        join_carries(party, network, own[0], own[1], count)
        cost = network_cost(network, g.shape[1])
        assert party.rounds == cost.rounds
        assert party.channel.traffic.bytes_sent - sent == 8 * cost.label_words
        return own

    first, second = run_parties(program, shares)
    both: Words = first ^ second
    return both[0], both[1]


def expected(g: Words, p: Words, start: int, stop: int) -> tuple[Words, Words]:
    made, passed = g[start], p[start]
    for place in range(start + 1, stop):
        made, passed = g[place] ^ (p[place] & made), p[place] & passed
    return made, passed


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8, 11, 16])
def test_folds_and_prefixes(width: int) -> None:
    random = np.random.default_rng(width)
    g, p = random.integers(0, 1 << 63, (2, 3 + width, 2), dtype=np.uint64)
    g &= ~p  # a position makes a carry or lets one through
    network = side_by_side([fold(0, 3), prefix(3, 3 + width)])
    assert len(network) == max(2, depth_of(width))
    made, passed = joined(network, g, p, 128)
    np.testing.assert_array_equal(made[2], expected(g, p, 0, 3)[0])
    np.testing.assert_array_equal(passed[2], expected(g, p, 0, 3)[1])
    closed, _ = joined(prefix(3, 3 + width, closed=True), g, p, 128)
    for place in range(3, 3 + width):
        whole = expected(g, p, 3, place + 1)
        np.testing.assert_array_equal(made[place], whole[0])
        np.testing.assert_array_equal(passed[place], whole[1])
        np.testing.assert_array_equal(closed[place], whole[0])
