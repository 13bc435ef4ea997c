"""Every protocol costs what it declares: rounds, bytes and correlations, to the last one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from securexgb.boost.splits import split
from securexgb.channel.memory import memory_pair
from securexgb.correlations.counting import Budget, CountingSource
from securexgb.correlations.triples import Triples
from securexgb.jobs.local import close_parties
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import REGISTRY, Cost
from securexgb.offline.method import Method
from securexgb.report.protocols import protocol_rows
from securexgb.testing.harness import join_parties, run_both
from tests.costs.examples import EXAMPLES, HALVES, prepare
from tests.mpc.kit import Pair
from tests.profiles import moments
from tests.recorded import RecordedChannel


def test_every_declared_protocol_is_measured_here() -> None:
    assert set(EXAMPLES) == set(REGISTRY) == {row["protocol"] for row in protocol_rows()}


CASES = [*EXAMPLES.items(), *HALVES.items()]
SEEDS = [
    (seed, method)
    for method, seeds in ((None, moments(2, 6)), (Method(), moments(1, 3)))
    for seed in range(seeds)
]
"""With a dealer, and with correlations that the two parties make."""


@pytest.mark.parametrize(("seed", "method"), SEEDS)
@pytest.mark.parametrize(("name", "example"), CASES)
def test_measured_equals_declared(
    name: str,
    example: Callable[[np.random.Generator], list[Pair]],
    seed: int,
    method: Method | None,
) -> None:
    arguments = example(np.random.default_rng(seed))
    sides = [[pair[rank] for pair in arguments] for rank in (0, 1)]
    module, function = name.rsplit(".", 1)
    protocol = getattr(importlib.import_module(f"securexgb.{module}"), function)
    ends = [RecordedChannel(channel) for channel in memory_pair()]

    def measure(party: Party, given: list[Any]) -> tuple[int, int, Budget, Cost]:
        given = prepare(name, party, given)
        counting = CountingSource(party.source)
        party.source = counting
        rounds, before = party.rounds, len(ends[party.rank].transcript)
        protocol(party, *given)
        online = ends[party.rank].transcript[before:]
        sent = sum(entry.size for entry in online if entry.direction == "sent")
        declared = REGISTRY[name].cost(counting.prices, *given)
        return party.rounds - rounds, sent, counting.budget, declared

    parties = join_parties((ends[0], ends[1]), seed, "shared", 60.0, method)
    label, feature = run_both(measure, parties, sides)
    close_parties(parties)
    for declared in (label[3], feature[3]):
        assert (label[0], feature[0]) == (declared.rounds, declared.rounds)
        assert (label[1], feature[1]) == (8 * declared.label_words, 8 * declared.feature_words)
        assert label[2] == feature[2] == declared.correlations


@pytest.mark.parametrize("method", [None, Method()])
def test_a_level_in_blocks_costs_what_is_declared(
    monkeypatch: pytest.MonkeyPatch, method: Method | None
) -> None:
    monkeypatch.setattr(split, "MOST_CANDIDATES", 20)
    name = "boost.splits.split.best_splits"
    test_measured_equals_declared(name, EXAMPLES[name], 3, method)


def test_costs_add_up() -> None:
    five = Budget({Triples(): 5})
    one, two = Cost(rounds=1, correlations=five), Cost(rounds=2, label_words=7)
    assert one + two == Cost(rounds=3, label_words=7, correlations=five)
    assert one.at_once(two) == Cost(rounds=2, label_words=7, correlations=five)
    assert two.times(3) - two == two.times(2) == Cost(rounds=4, label_words=14)


def test_every_declaration_explains_itself() -> None:
    for declaration in REGISTRY.values():
        assert declaration.summary.endswith("."), declaration.name
        assert declaration.opens, declaration.name
        assert declaration.source, declaration.name
