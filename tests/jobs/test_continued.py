"""Going on from an earlier model: old trees and new ones are one model, and fit together."""

from dataclasses import replace

import numpy as np
import pytest
import xgboost

from securexgb.boost.continued.going_on import going_on
from securexgb.boost.continued.past import Past
from securexgb.boost.objective.logistic import margin_bits
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.boost.scales import Outcomes
from securexgb.errors import DataError, TermsDiffer, UsageError
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.training import train
from securexgb.model.files import dump_half, parse_half
from securexgb.testing import run_parties
from tests.boost.data import opened_leaves, same_model, sides, table, train_both
from tests.reference.oracle import binned, compare_tree

ROWS, BINS = 300, 16
SMALL = {"max_depth": 2, "max_bin": BINS, "gradient_bits": 16}
FEATURES, LABELS = table(ROWS, missing=0.1, seed=9)
DRAWS = np.random.default_rng(1)
TARGETS = 30 * np.nan_to_num(FEATURES[:, 0]) + 20 * LABELS + 400 + DRAWS.normal(size=ROWS)


def both(labels=LABELS, rows=slice(None)):
    return sides(FEATURES[rows], labels[rows], 2)


def go_on(params, old, data, backend="plaintext", evals=None, seed=0):
    """Both halves of what goes on from both halves ``old``."""
    sets = evals or {}
    jobs = [
        TrainingJob(
            going_on(params, old[rank]),
            data[rank],
            tuple((name, pair[rank]) for name, pair in sets.items()),
            old=old[rank],
        )
        for rank in (0, 1)
    ]
    halves = run_parties(train, jobs, backend=backend, seed=seed)
    return halves[0], halves[1]


def predicted(halves, given):
    def program(party, own):
        return Predictor(party, halves[party.rank], Request("label", 6)).margins(own)

    return run_parties(program, given, backend="shared")[0]


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_two_trainings_are_one_that_is_longer(splits):
    params = TrainingParams(**SMALL, splits=splits, n_estimators=4, subsample=0.8)
    whole = train_both(params, both())
    first = train_both(replace(params, n_estimators=2), both())
    for backend in ("shared", "plaintext"):
        second = go_on(replace(params, n_estimators=2), first, both(), backend)
        assert same_model(second, whole)
    assert second[0].model_id != first[0].model_id
    assert [len(half.trees) for half in (*first, *second)] == [2, 2, 4, 4]


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_equal_to_xgboost_that_goes_on(objective):
    labels = LABELS if objective == "binary:logistic" else TARGETS
    more = {} if objective == "binary:logistic" else {"target_exponent": 6}
    old = TrainingParams(objective=objective, **SMALL, n_estimators=2, **more)
    new = TrainingParams(objective=objective, **SMALL, n_estimators=3, learning_rate=0.6,
                         reg_lambda=3.0)  # fmt: skip
    halves = go_on(new, train_both(old, both(labels)), both(labels), "shared")
    matrix = xgboost.DMatrix(binned(FEATURES, BINS), labels)
    booster = None
    for params in (old, new):
        settings = {"objective": objective, "eta": params.learning_rate, "max_depth": 2,
                    "lambda": params.reg_lambda, "tree_method": "hist", "max_bin": 512,
                    "nthread": 1}  # fmt: skip
        booster = xgboost.train(settings, matrix, params.n_estimators, xgb_model=booster)
    scale = halves[0].numbers.target_scale
    for number in range(5):
        difference = compare_tree(halves, number, FEATURES, booster)
        assert difference.splits == []
        assert difference.leaf_gap < 4e-3 * scale
    plain = booster.predict(matrix, output_margin=True)
    np.testing.assert_allclose(predicted(halves, both(labels)), plain, atol=8e-3 * scale)


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_on_other_rows_with_sets_and_early_stopping(splits):
    params = TrainingParams(**SMALL, splits=splits, n_estimators=2)
    first = train_both(params, both(rows=slice(150)))
    more = TrainingParams(**SMALL, n_estimators=6, learning_rate=1.0, early_stopping_rounds=1)
    rest, valid = both(rows=slice(150, 260)), both(rows=slice(260, 300))
    found = [go_on(more, first, rest, kind, {"v": valid}) for kind in ("shared", "plaintext")]
    assert same_model(*found)
    half = found[0][0]
    history = half.history["v"]["logloss"]
    assert history == found[1][1].history["v"]["logloss"]
    assert len(history) == len(half.rounds) - 2 < 6
    assert half.best_iteration == 2 + int(np.argmin(history))
    margins, truth = predicted(found[0], valid), valid[0].labels
    loss = np.mean(np.logaddexp(0.0, margins) - truth * margins)
    assert loss == pytest.approx(min(history), abs=2e-3)
    again = go_on(replace(more, n_estimators=1, early_stopping_rounds=None), found[0], rest)
    assert again[0].params.past.rounds == half.best_iteration + 1
    assert opened_leaves(again)[:2] == opened_leaves(first)
    assert np.array_equal(half.cuts, first[0].cuts)


def test_what_both_sides_say_of_the_old_model_is_compared():
    params = TrainingParams(**SMALL, splits="hidden", n_estimators=1)
    old, other = (train_both(params, both(), seed=seed) for seed in (1, 2))
    with pytest.raises(TermsDiffer, match="do not go on from the same model"):
        go_on(params, (old[0], other[1]), both())
    data = both()
    jobs = [
        TrainingJob(going_on(params, old[0]), data[0], old=old[0]),
        TrainingJob(params, data[1]),
    ]
    with pytest.raises(TermsDiffer, match="the feature party from none"):
        run_parties(train, jobs, backend="plaintext")
    for more in ({"monotone_constraints": (1, 0, 0, 0, 0)}, {"interaction_constraints": ((0, 1),)}):
        with pytest.raises(UsageError, match=f"^{next(iter(more))} are others"):
            go_on(replace(params, **more), old, data)
    listed = replace(data[0], categories={"x0": ("a", "b")})
    with pytest.raises(DataError, match="categories at the label party are others"):
        go_on(params, old, (listed, data[1]))
    with pytest.raises(UsageError, match="is the feature party's"):
        go_on(params, old[::-1], both())
    names = tuple(reversed(data[0].column_names))
    with pytest.raises(DataError, match="other columns at the label party: it needs x0, x1"):
        go_on(params, old, (replace(data[0], column_names=names), data[1]))
    with pytest.raises(UsageError, match="they are not here"):
        train_both(going_on(params, old[0]), data)


@pytest.mark.parametrize(
    "changed",
    [
        {"objective": "reg:squarederror", "target_exponent": 0},
        {"max_depth": 3},
        {"max_bin": 8},
        {"missing_values": "refused"},
        {"splits": "owner"},
        {"importance": "gain"},
        {"base_score": 0.25},
    ],
)
def test_what_old_and_new_trees_have_in_common_may_not_change(changed):
    params = TrainingParams(**SMALL, splits="hidden", n_estimators=1)
    old = train_both(params, both())[0]
    with pytest.raises(UsageError, match=f"^{next(iter(changed))} is .* in the model to go on"):
        going_on(replace(params, **changed), old)


def test_rows_that_the_old_scale_does_not_fit_need_a_new_model():
    params = TrainingParams(
        **SMALL, objective="reg:squarederror", target_exponent=9, splits="owner", n_estimators=1
    )
    more = going_on(params, train_both(params, both(TARGETS))[0])
    objective_of(more).check_scales(Outcomes(TARGETS))
    with pytest.raises(DataError, match="as in the model to go on from: train a new one"):
        objective_of(more).check_scales(Outcomes(1e6 * TARGETS))


def test_the_reach_of_all_trees_and_the_file_of_a_model():
    params = TrainingParams(**SMALL, splits="owner", n_estimators=2)
    old = train_both(params, both())
    more = going_on(replace(params, learning_rate=0.9, n_estimators=5), old[0])
    assert more.past == Past(old[0].model_id, 2, 0.6, 0.3)
    assert (more.reach, more.most_rate, more.all_rounds) == (pytest.approx(5.1), 0.9, 7)
    assert margin_bits(more) > margin_bits(params)
    assert TrainingParams.restored(more.to_mapping()) == more
    with pytest.raises(UsageError, match="no training parameter 'past'"):
        TrainingParams.from_mapping(more.to_mapping())
    half = go_on(replace(params, n_estimators=1), old, both())[0]
    read = parse_half(dump_half(half), "model")
    assert (read.params, len(read.trees)) == (half.params, 3)
    half.trees = half.trees[:1]
    with pytest.raises(DataError, match="damaged"):
        parse_half(dump_half(half), "model")
    half.trees = []
    with pytest.raises(UsageError, match="has no tree"):
        going_on(params, half)


def test_base_margins_stay_or_stay_away():
    margin = np.linspace(-1, 1, ROWS)
    params = TrainingParams(**SMALL, splits="hidden", n_estimators=1, base_margin_bound=1.0)
    label, feature = both()
    begun = replace(label, base_margin=margin), feature
    old = train_both(params, begun)
    whole = train_both(replace(params, n_estimators=2), begun)
    assert same_model(go_on(params, old, begun, "shared"), whole)
    with pytest.raises(UsageError, match="with base margins, and rows come without"):
        go_on(replace(params, base_margin_bound=None), old, both())
