"""Every protocol costs what it declares: rounds, bytes and correlations, to the last one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from securexgb.mpc.party import Party
from securexgb.mpc.protocol import REGISTRY, Cost
from securexgb.offline.budget import Budget, CountingSource
from securexgb.offline.correlations import Kind
from securexgb.report.protocols import protocol_rows
from securexgb.testing.harness import insecure_parties, run_both
from tests.costs.examples import EXAMPLES, HALVES, prepare
from tests.mpc.kit import Pair


def test_every_declared_protocol_is_measured_here() -> None:
    assert set(EXAMPLES) == set(REGISTRY) == {row["protocol"] for row in protocol_rows()}


CASES = [*EXAMPLES.items(), *HALVES.items()]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("name", "example"), CASES)
def test_measured_equals_declared(
    name: str, example: Callable[[np.random.Generator], list[Pair]], seed: int
) -> None:
    arguments = example(np.random.default_rng(seed))
    sides = [[pair[rank] for pair in arguments] for rank in (0, 1)]
    module, function = name.rsplit(".", 1)
    protocol = getattr(importlib.import_module(f"securexgb.{module}"), function)

    def measure(party: Party, given: list[Any]) -> tuple[int, int, Budget]:
        prepare(name, party, given)
        counting = CountingSource(party.rank, party.source)
        party.source = counting
        rounds, sent = party.rounds, party.channel.traffic.bytes_sent
        protocol(party, *given)
        return party.rounds - rounds, party.channel.traffic.bytes_sent - sent, counting.budget

    label, feature = run_both(measure, insecure_parties(seed), sides)
    for side in sides:
        declared = REGISTRY[name].cost(*side)
        assert (label[0], feature[0]) == (declared.rounds, declared.rounds)
        assert (label[1], feature[1]) == (8 * declared.label_words, 8 * declared.feature_words)
        assert label[2] == feature[2] == declared.correlations


def test_costs_add_up() -> None:
    five = Budget.of({Kind.TRIPLES: 5})
    one, two = Cost(rounds=1, correlations=five), Cost(rounds=2, label_words=7)
    assert one + two == Cost(rounds=3, label_words=7, correlations=five)
    assert one.at_once(two) == Cost(rounds=2, label_words=7, correlations=five)
    assert two.times(3) - two == two.times(2) == Cost(rounds=4, label_words=14)


def test_every_declaration_explains_itself() -> None:
    for declaration in REGISTRY.values():
        assert declaration.summary.endswith("."), declaration.name
        assert declaration.opens, declaration.name
        assert declaration.source, declaration.name
