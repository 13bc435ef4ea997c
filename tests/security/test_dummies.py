"""A node without a valid split shows an owner by a fair coin, and nothing splits below it.

The coin is the same in every run on the same data, or two runs would show which nodes these are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from securexgb.arith.prg import Prg
from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.histogram import Histogram
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.leaves import LevelSums, node_values
from securexgb.boost.splits.owned import draw_dummies, shown_tags
from securexgb.boost.splits.split import Candidates, best_splits
from securexgb.jobs.resuming.checkpoint import CheckpointStore
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.testing import run_parties
from securexgb.testing.harness import Backend
from tests.boost.case import grow, stopped, told
from tests.boost.cases import random_case
from tests.boost.data import jobs, same_model, sides, table

NODES = 4000
PARAMS = TrainingParams(max_bin=4)


def outcome(columns: tuple[int, int], hessian: int, seed: int = 0) -> tuple[Any, Candidates]:
    """(owner, index, stops) of many nodes without a valid candidate, in the clear."""
    layout = Layout.of(PARAMS, 100, columns, False)
    used = np.arange(layout.total_columns)
    candidates, numbers = Candidates.of(layout, used), layout.numbers(PARAMS)

    def program(party: Party, _: object) -> tuple[SharedBits, SharedBits]:
        shape = (NODES, used.size, layout.all_bins)
        sums = np.zeros(shape, np.uint64)
        sums[:, :, 1] = hessian * (party.rank == 0)
        histogram = Histogram(Shared(sums), Shared(sums))
        dummies = draw_dummies(party, candidates, NODES, party.private.derive("dummies"))
        tags = dummies.of(slice(NODES))
        best = best_splits(party, histogram, candidates, numbers, tags)
        verdicts = node_values(party, [LevelSums.of(histogram, best.left)], numbers, 0.3)
        return shown_tags(candidates, best), verdicts.stops

    first, second = run_parties(program, [None, None], "plaintext", seed)
    owner, index = told((first[0] ^ second[0]).flags().astype(np.int64))
    return [owner, index, (first[1] ^ second[1]).flags()], candidates


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("hessian", [0, 1 << 12], ids=["empty", "all rows in one bin"])
def test_owner_and_candidate_are_drawn(hessian: int, seed: int) -> None:
    (owner, index, stops), candidates = outcome((2, 3), hessian, seed)
    assert stops.all()
    assert abs(owner.mean() - 0.5) < 4 * 0.5 / np.sqrt(NODES)
    for rank in (0, 1):
        own = np.sort(candidates.index[candidates.owner == rank])
        drawn, counts = np.unique(index[owner == rank], return_counts=True)
        np.testing.assert_array_equal(drawn, own)
        expected = counts.sum() / own.size
        assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_neighbours_are_independent() -> None:
    (owner, _, _), _ = outcome((2, 3), 0)
    same = (owner[1:] == owner[:-1]).mean()
    assert abs(same - 0.5) < 4 * 0.5 / np.sqrt(NODES)


@pytest.mark.parametrize(("columns", "rank"), [((0, 2), 1), ((2, 0), 0)])
def test_where_one_side_has_all_columns_it_owns_all_dummies(
    columns: tuple[int, int], rank: int
) -> None:
    (owner, index, _), candidates = outcome(columns, 0)
    assert (owner == rank).all()
    assert set(index) == set(candidates.index)


def test_the_coin_is_the_xor_of_both_parties_bits() -> None:
    """Either party's randomness alone leaves the other one's coin fair."""
    owners = [outcome((2, 3), 0, seed)[0][0] for seed in (1, 2)]
    assert abs((owners[0] == owners[1]).mean() - 0.5) < 4 * 0.5 / np.sqrt(NODES)


def test_leaves_below_stopped_nodes_are_equal(backend: Backend) -> None:
    case = random_case(11, rows=60, holes=0.1)
    pure = replace(case, gradient=np.full(60, 1 << 10), hessian=np.full(60, 1 << 10))
    no_gradient = replace(case, gradient=np.zeros(60, np.int64))
    heavy = replace(case, params=replace(case.params, min_child_weight=1000.0))
    for stopping in (pure, no_gradient, heavy):
        tree = grow(stopping, backend)
        assert stopped(tree, 0)
        assert np.unique(tree.values).size == 1


def test_a_stopped_node_still_shows_a_real_split() -> None:
    """Where candidates are valid but not worth it, the owner gets the best one, not a marker."""
    case = random_case(12, rows=60)
    tree = grow(case)
    lazy = grow(replace(case, params=replace(case.params, gamma=1e6)))
    assert stopped(lazy, 0)
    assert not stopped(tree, 0)
    for name in ("owners", "columns", "cuts", "missing_left"):
        np.testing.assert_array_equal(getattr(tree, name), getattr(lazy, name))


BARREN = TrainingParams(n_estimators=3, max_depth=4, max_bin=8, min_child_weight=1e6)
"""No candidate is valid: all 45 splits are dummies."""
USUAL = TrainingParams(n_estimators=3, max_depth=4, max_bin=8)
"""On 60 rows some nodes are empty or pure, others are not."""
DATA = sides(*table(60, missing=0.1), 2)
Halves = tuple[ModelHalf, ModelHalf]


def halves(seed: int, params: TrainingParams = BARREN, data=DATA, lasting: int = 0) -> Halves:
    """A training of one run: ``seed`` is new in each, ``lasting`` stands for the sides' keys."""
    found = run_parties(train, jobs(params, data), "plaintext", seed, lasting=lasting)
    return found[0], found[1]


def owners(of: Halves) -> list[int]:
    return [owner for tree in of[0].trees for owner in tree.owners.tolist()]


def assert_unrelated(one: list[int], other: list[int]) -> None:
    """45 fair bits against 45 others: within 4 standard deviations of 22.5."""
    assert len(one) == len(other) == 45
    assert abs(sum(a == b for a, b in zip(one, other, strict=True)) - 22.5) < 4 * np.sqrt(45) / 2


@pytest.mark.parametrize("params", [BARREN, USUAL], ids=["barren", "usual"])
def test_a_job_run_again_shows_the_same_owners_and_splits(params: TrainingParams) -> None:
    """Owners that differ between two runs would name the dummies."""
    first = halves(1, params)
    assert {0, 1} == set(owners(first))
    for seed in (2, 3):
        assert same_model(first, halves(seed, params))


def test_other_data_at_either_side_and_other_keys_draw_anew() -> None:
    first = owners(halves(1))
    label, feature = DATA
    assert label.labels is not None
    more = label.values.copy()
    more[0, 0] += 1.0
    flipped = label.labels.copy()
    flipped[0] = 1.0 - flipped[0]
    for other in (
        (replace(label, values=more), feature),
        (replace(label, labels=flipped), feature),
        (replace(label, weights=np.ones(60)), feature),
        (label, replace(feature, column_names=("a", "b", "c"))),
        (label, replace(feature, values=feature.values[:, [1, 0, 2]])),
    ):
        assert_unrelated(first, owners(halves(1, data=other)))
    assert_unrelated(first, owners(halves(1, lasting=5)))


def test_the_order_of_rows_changes_no_dummy() -> None:
    order = np.random.default_rng(3).permutation(60)
    label, feature = DATA
    assert label.labels is not None
    moved = (
        replace(label, values=label.values[order], labels=label.labels[order]),
        replace(feature, values=feature.values[order]),
    )
    assert owners(halves(2, data=moved)) == owners(halves(1))


def test_more_trees_and_levels_leave_the_dummies_above_alone() -> None:
    first = halves(1)
    deeper = halves(2, replace(BARREN, n_estimators=4, max_depth=5, learning_rate=0.1))
    for tree, other in zip(first[0].trees, deeper[0].trees, strict=False):
        assert tree.owners.tolist() == other.owners[:15].tolist()


class KilledError(Exception):
    """Stands for a process that is killed."""


class Killed(TrainingCallback):
    """Before the first tree is saved, when its owners were shown already."""

    seen: list[int]

    def after_iteration(self, model, epoch, evals_log):
        self.seen = model.trees[0].owners.tolist()
        raise KilledError


@pytest.mark.parametrize("resume", [True, False])
def test_a_run_killed_before_its_first_checkpoint_draws_the_same(
    tmp_path: Path, resume: bool
) -> None:
    def run(seed: int, killed: tuple[TrainingCallback, ...], resume: bool) -> list[ModelHalf]:
        folder = tmp_path / "first" if resume or killed else tmp_path / "anew"
        given = [
            replace(job, store=CheckpointStore(folder / str(rank)), resume=resume)
            for rank, job in enumerate(jobs(BARREN, DATA))
        ]
        given[0] = replace(given[0], callbacks=killed)
        return run_parties(train, given, "plaintext", seed, lasting=0)

    killed = Killed()
    with pytest.raises(KilledError):
        run(1, (killed,), False)
    assert not list(tmp_path.glob("first/0/tree-*"))
    again = run(2, (), resume)
    assert again[0].trees[0].owners.tolist() == killed.seen


def test_the_hash_of_a_set_of_rows() -> None:
    """Equal for equal rows in any order, and for nothing else."""
    table = np.array([[1.0, 2.0], [np.nan, 0.0], [1.0, 2.0], [3.0, -4.0]])
    labels = np.array([0.0, 1.0, 1.0, 0.0])
    whole = Rows(table, ("a", "b"), labels, np.ones(4))
    order = [3, 0, 2, 1]
    first = whole.fingerprint_of_set()
    again = replace(whole, values=table[order], labels=labels[order])
    assert again.fingerprint_of_set() == first
    signed = np.where(table == 0, -0.0, table)
    assert replace(whole, values=signed).fingerprint_of_set() == first
    others = [
        replace(whole, values=table[:, ::-1]),
        replace(whole, values=table[order]),  # the same rows, with other rows' labels
        replace(whole, labels=1 - labels),
        replace(whole, labels=None),
        replace(whole, labels=np.ones(4), weights=labels),
        replace(whole, weights=None),
        replace(whole, column_names=("a", "c")),
        Rows(table[:3], ("a", "b"), labels[:3], np.ones(3)),
        Rows(np.vstack([table, table[:1]]), ("a", "b"), np.append(labels, 0.0), np.ones(5)),
        Rows(np.zeros((4, 0)), ()),
        Rows(np.zeros((5, 0)), ()),
    ]
    assert len({first, *(other.fingerprint_of_set() for other in others)}) == len(others) + 1


def test_a_set_of_rows_is_hashed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Rows(np.arange(60.0).reshape(20, 3), ("a", "b", "c"), np.ones(20))
    whole = data.fingerprint_of_set()
    monkeypatch.setattr("securexgb.jobs.rows.HASHED_ROWS", 7)
    assert data.fingerprint_of_set() == whole


def test_lasting_streams_hand_out_nothing_themselves() -> None:
    """Only what is derived from them is read: a run must not move them."""

    def program(party: Any, job: Any) -> tuple[str, str]:
        before = repr(party.lasting)
        train(party, job)
        return before, repr(party.lasting)

    for before, after in run_parties(program, jobs(BARREN, DATA), "plaintext"):
        assert before == after == repr(Prg(bytes(16)))
