"""The seam between rows and trees: rows ask not who knows a split, and all outputs grow at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from securexgb.boost.booster import grow_model
from securexgb.boost.grower import grow_trees
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import tree_margins
from securexgb.boost.tree import TreeHalf
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.training import begin
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.testing import run_parties
from securexgb.testing.harness import Backend
from tests.boost.case import GrownTree, combined
from tests.boost.cases import random_case
from tests.boost.data import jobs, sides, table


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_children_and_values_do_not_ask_who_knows_the_splits(
    missing: float, backend: Backend
) -> None:
    """Hidden splits give each row the leaf value that owned ones give it."""
    features, labels = table(150, missing=missing)
    params = TrainingParams(n_estimators=2, max_depth=3, max_bin=8)
    data = sides(features, labels, 2)
    margins = {}
    for splits in ("owner", "hidden"):
        given = jobs(replace(params, splits=splits), data)
        first, second = run_parties(margins_after, given, backend=backend)
        margins[splits] = (first + second).words
    np.testing.assert_array_equal(margins["owner"], margins["hidden"])


def margins_after(party: Party, job: TrainingJob) -> Shared:
    """Of the training rows, after the last tree."""
    state = begin(party, job)
    grow_model(party, state)
    return state.rows.margins(slice(state.model.layout.rows))


@pytest.mark.parametrize("backend", ["plaintext", "shared"])
def test_trees_of_a_round_grow_at_once_and_each_as_if_alone(backend: Backend) -> None:
    """In the rounds of one tree."""
    case = random_case(3, holes=0.1, min_child_weight=0.0)
    other = replace(case, gradient=-case.gradient[::-1], hessian=case.hessian[::-1])

    def program(party: Party, cases: list[int]) -> tuple[list[GrownTree], int, Shared]:
        chosen = [(case, other)[number] for number in cases]
        rows = case.rows(party)
        vectors = Shared.concatenate([one.vectors(party) for one in chosen])
        rows.start(Shared.zeros(len(chosen), case.layout.rows), at_label=False)
        rows.take(vectors)
        before = party.rounds
        halves = grow_trees(party, case.job(party), rows)
        spent = party.rounds - before
        values = rows.margins(slice(None))
        grown = [GrownTree(half, values[k]) for k, half in enumerate(halves)]
        return grown, spent, margins_of(party, halves, case.layout.rows)

    both, one, two = (run_parties(program, [cases, cases], backend) for cases in ([0, 1], [0], [1]))
    if backend == "shared":
        assert both[0][1] == one[0][1] == two[0][1]
    for output, alone in enumerate((one, two)):
        tree = combined([side[0][output] for side in both], case.label_columns)
        assert tree.same_as(combined([side[0][0] for side in alone], case.label_columns))
    margins = (both[0][2] + both[1][2]).words
    for output, alone in enumerate((one, two)):
        np.testing.assert_array_equal(margins[output], (alone[0][2] + alone[1][2]).words[0])


def margins_of(party: Party, halves: tuple[TreeHalf, ...], rows: int) -> Shared:
    """Two rounds of these trees, on rows that are random."""
    columns = 1 + max(int(half.features.max()) for half in halves)
    features = np.random.default_rng(party.rank).uniform(0, 8, (rows, max(columns, 3)))
    return tree_margins(party, [halves, halves], features)
