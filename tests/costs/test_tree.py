"""A whole tree costs what is predicted from its shape and the owners of its splits."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.boost.costs.trees import round_cost
from securexgb.boost.grower import grow_trees
from securexgb.boost.objective.registry import OBJECTIVES
from securexgb.boost.tree import TreeHalf
from securexgb.channel.memory import memory_pair
from securexgb.correlations.counting import Budget, CountingSource
from securexgb.correlations.prices import DEALT
from securexgb.correlations.transfers import Transfers
from securexgb.jobs.local import close_parties
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.offline.method import Method
from securexgb.testing.harness import join_parties, run_both
from tests.boost.case import Case
from tests.boost.cases import random_case
from tests.boost.outputs import TwoOutputs
from tests.profiles import is_thorough
from tests.recorded import RecordedChannel

SOURCES = {"dealer": None, "two parties": Method(), "dealer and pads": Method(offline="dealt")}
"""Correlations from a dealer; without a dealer; with pads, whose messages are longer."""


def spread(settings: list[dict[str, Any]]) -> Any:
    """All settings with every source in a long run; otherwise each with one, in turn."""
    each = product(settings, SOURCES) if is_thorough() else zip(settings, cycle(SOURCES))
    return pytest.mark.parametrize(("settings", "source"), list(each))


SETTINGS: list[dict[str, Any]] = [
    {},
    {"columns": (0, 3), "max_depth": 1},
    {"columns": (4, 0), "max_depth": 2, "missing_values": "refused"},
    {"max_depth": 4, "rows": 30, "reg_alpha": 1.0},
    {"columns": (3, 3), "used": [0, 2, 5], "gamma": 1.0},
    {"columns": (3, 3), "used": [[0, 2], [1, 2], [4, 5]], "max_depth": 2},
    {"splits": "hidden"},
    {"splits": "hidden", "importance": "gain", "columns": (3, 3), "used": [0, 2, 5]},
    {
        "splits": "hidden",
        "importance": "gain",
        "columns": (3, 3),
        "used": [[0, 2], [1, 2], [4, 5]],
        "max_depth": 2,
    },
    {"splits": "hidden", "importance": "cover", "columns": (3, 3), "used": [0, 2, 5]},
    {"columns": (0, 3), "max_depth": 1, "splits": "hidden"},
    {"monotone_constraints": (1, 0, -1, 0, 1)},
    {"monotone_constraints": (1, 0, -1, 0, 1), "splits": "hidden", "max_depth": 4},
    {"monotone_constraints": (1, 0, -1, 0, 1), "reg_alpha": 1.0, "max_depth": 2},
    {"max_delta_step": 0.5, "splits": "hidden", "monotone_constraints": (1, 0, -1, 0, 1)},
    {"interaction_constraints": ((0, 1), (1, 4)), "splits": "hidden"},
    {"interaction_constraints": ((0, 2), (0, 1), (0, 3)), "reg_alpha": 1.0},
    {
        "interaction_constraints": ((0, 1, 2, 3, 4),),
        "monotone_constraints": (1, 0, -1, 0, 1),
        "reg_alpha": 1.0,
        "max_depth": 2,
    },
    {"max_depth": 4, "rows": 30, "missing_values": "refused", "splits": "hidden"},
]


@spread(SETTINGS)
def test_predicted_equals_measured(settings: dict[str, object], source: str) -> None:
    settings = dict(settings)
    used = np.array(settings.pop("used", []), np.int64)
    case = replace(random_case(1, **settings), used=used)  # type: ignore[arg-type]
    compare(case, [case], source)


@spread(
    [
        {"splits": "owner"},
        {"splits": "hidden"},
        {"splits": "hidden", "importance": "gain"},
        {"splits": "hidden", "importance": "cover"},
        {"splits": "hidden", "importance": "weight"},
    ]
)
def test_a_round_of_several_trees_costs_what_is_predicted(
    source: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OBJECTIVES, "binary:logistic", TwoOutputs)
    case = random_case(1, rows=70, **settings)
    other = replace(case, gradient=-case.gradient[::-1], hessian=case.hessian[::-1])
    compare(case, [case, other], source)


def compare(case: Case, outputs: list[Case], source: str) -> None:
    """The trees of a round, one of the gradients of each case, against ``round_cost``."""
    ends = [RecordedChannel(channel) for channel in memory_pair()]

    def online_bytes(party: Party) -> int:
        transcript = ends[party.rank].transcript
        return sum(entry.size for entry in transcript if entry.direction == "sent")

    def program(party: Party, _: object) -> tuple[list[NDArray[Any]], int, int, Budget, int]:
        job, rows = case.job(party), case.rows(party)
        rows.start(Shared.zeros(len(outputs), case.layout.rows), at_label=False)
        rows.take(Shared.concatenate([one.vectors(party) for one in outputs]))
        counting = CountingSource(party.source)
        party.source = counting
        rounds, sent = party.rounds, online_bytes(party)
        trees = grow_trees(party, job, rows)
        nodes = (1 << job.max_depth) - 1
        owners = [
            tree.owners if isinstance(tree, TreeHalf) else np.zeros(nodes, np.int8)
            for tree in trees
        ]
        sent = online_bytes(party) - sent
        return owners, party.rounds - rounds, sent, counting.budget, rows.shape.noise_bits

    parties = join_parties((ends[0], ends[1]), 0, "shared", 60.0, SOURCES[source])
    prices = parties[0].source.prices
    label, feature = run_both(program, parties, [None, None])
    close_parties(parties)
    noise_bits = label[4]
    assert (noise_bits > 0) == (source != "dealer")
    assert prices.cheap_triples == (source != "two parties")
    by_level = [
        sum(int((owners[(1 << k) - 1 : (2 << k) - 1] == 0).sum()) for owners in label[0])
        for k in range(case.params.max_depth)
    ]
    predicted = round_cost(
        case.params, case.layout, case.columns.shape[-1], by_level, prices, noise_bits
    )
    assert (label[1], feature[1]) == (predicted.rounds, predicted.rounds)
    assert (label[2], feature[2]) == (8 * predicted.label_words, 8 * predicted.feature_words)
    assert label[3] == feature[3] == predicted.correlations


def test_who_owns_the_splits_moves_bytes_from_one_side_to_the_other() -> None:
    case = random_case(1, rows=64)
    costs = [
        round_cost(case.params, case.layout, 5, owned, DEALT) for owned in ([1, 2, 4], [0, 0, 0])
    ]
    both = [cost.label_words + cost.feature_words for cost in costs]
    assert both[0] == both[1]
    assert costs[0].rounds == costs[1].rounds
    transfers = [
        cost.correlations[Transfers(64, 0)] + cost.correlations[Transfers(64, 1)] for cost in costs
    ]
    assert transfers[0] == transfers[1]
