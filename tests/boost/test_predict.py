"""Prediction: equal to walking the joined trees, in constant rounds, rounded as agreed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from securexgb.boost import predict as module
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict, predict_margins, rounding_steps
from securexgb.errors import DataError, TermsDiffer, UsageError
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.training import train
from securexgb.testing import run_parties
from tests.boost.data import sides, table, train_both
from tests.reference.oracle import joined

PARAMS = TrainingParams(n_estimators=3, max_depth=3, max_bin=8)
FEATURES, LABELS = table(80, missing=0.1)
DATA = sides(FEATURES, LABELS, 2)
HALVES = train_both(PARAMS, DATA)
NEW = sides(*table(50, missing=0.2, seed=9), 2)


def plain_margins(features: np.ndarray) -> np.ndarray:
    total = np.full(features.shape[0], np.uint64(HALVES[0].base[0]))
    for number in range(len(HALVES[0].trees)):
        tree = joined(HALVES, number)
        total += tree.leaf_values[np.argmax(tree.possible_leaves(features), axis=1)]
    return total.view(np.int64) / 2.0**20


def ask(backend, recipient="both", decimals=6, data=NEW, halves=HALVES, function=predict_margins):
    return asked(backend, Request(recipient, decimals), data, halves, function)


def asked(backend, request, data=NEW, halves=HALVES, function=predict_margins):
    def program(party, given):
        half, side = given
        return function(party, half, side.values, request), party.rounds

    return run_parties(program, list(zip(halves, data, strict=True)), backend=backend)


def test_margins_are_those_of_the_joined_trees(backend) -> None:
    (one, _), (two, _) = ask(backend, decimals=9)
    features = np.concatenate([side.values for side in NEW], axis=1)
    assert np.array_equal(one, two)
    assert np.array_equal(one, plain_margins(features))


def test_probabilities_are_the_link_of_the_margins() -> None:
    (margins, _), _ = ask("plaintext")
    (scores, _), _ = ask("plaintext", function=predict)
    assert np.allclose(scores, 1 / (1 + np.exp(-margins)))


@pytest.mark.parametrize("decimals", [0, 2, 6])
def test_scores_are_rounded_before_they_are_opened(backend, decimals: int) -> None:
    features = np.concatenate([side.values for side in NEW], axis=1)
    (scores, _), _ = ask(backend, decimals=decimals)
    assert np.max(np.abs(scores - plain_margins(features))) <= 0.5 * 10**-decimals + 2e-6
    assert np.array_equal(scores, np.round(scores, decimals))


def test_only_the_named_party_gets_scores(backend) -> None:
    for recipient, rank in (("label", 0), ("feature", 1)):
        results = ask(backend, recipient=recipient)
        assert results[rank][0] is not None
        assert results[1 - rank][0] is None


def test_rounds_do_not_depend_on_trees() -> None:
    short = tuple(replace(half, trees=half.trees[:1]) for half in HALVES)
    assert ask("shared")[0][1] == ask("shared", halves=short)[0][1]


def test_a_rows_score_does_not_depend_on_the_batch(backend, monkeypatch) -> None:
    whole = ask(backend)[0][0]
    monkeypatch.setattr(module, "BATCH_WORDS", 100)
    assert np.array_equal(ask(backend)[0][0], whole)


def test_every_scored_row_is_in_the_ledger() -> None:
    def program(party, given):
        half, side = given
        predict(party, half, side.values, Request("label", 3))
        return party.ledger.rows()

    rows = run_parties(program, list(zip(HALVES, NEW, strict=True)))[0]
    assert [(row["reveal"], row["to"], row["values"]) for row in rows] == [
        ("PREDICTION", "label", 50)
    ]


def test_best_iteration_limits_the_trees() -> None:
    stopped = tuple(replace(half, best_iteration=0) for half in HALVES)
    short = tuple(replace(half, trees=half.trees[:1]) for half in HALVES)
    one, two = (ask("plaintext", halves=halves)[0][0] for halves in (stopped, short))
    assert np.array_equal(one, two)


def test_predictions_of_a_regression_are_in_the_targets_unit(backend) -> None:
    features, _ = table(60)
    targets = 1000 * features[:, 0]
    params = TrainingParams(
        objective="reg:squarederror", target_exponent=10, n_estimators=6, learning_rate=1.0
    )
    data = sides(features, targets, 2)

    def program(party, side):
        model = train(party, TrainingJob(params.decided(can_hide=True), side))
        return predict(party, model, side.values, Request("both", 1))

    values = run_parties(program, data, backend=backend)[0]
    assert np.corrcoef(values, targets)[0, 1] > 0.95
    assert 0.8 < np.std(values) / np.std(targets) < 1.1


def regression(offset: float) -> tuple[ModelHalf, ModelHalf]:
    """Both halves of a regression on targets with this offset."""
    features, _ = table(60)
    targets = 3.0 * features[:, 0] + offset
    params = TrainingParams(objective="reg:squarederror", target_exponent=2, n_estimators=4)
    return train_both(params, sides(features, targets, 2))


@pytest.mark.parametrize("decimals", [0, 3, 9])
def test_who_receives_a_regression_changes_it_by_a_rounded_centre_at_most(decimals: int) -> None:
    halves = regression(1e6)
    runs = {
        recipient: ask("plaintext", recipient, decimals, halves=halves)
        for recipient in ("label", "feature", "both")
    }
    label, feature = runs["label"][0][0], runs["feature"][1][0]
    assert np.array_equal(feature, runs["both"][0][0])
    assert np.array_equal(feature, runs["both"][1][0])
    step = 4.0 / min(10**decimals, 2**20)
    assert np.abs(label - feature).max() <= step / 2 + 1e-9
    # The centre is the label party's: what the feature party gets are whole steps.
    assert np.abs(feature / step - np.rint(feature / step)).max() < 1e-3
    assert halves[1].centre == 0.0


def test_a_centre_too_far_away_for_the_feature_party_is_refused() -> None:
    halves = regression(1e14)
    scores = ask("plaintext", "label", 6, halves=halves)[0][0]
    assert np.abs(scores - 1e14).max() < 20
    with pytest.raises(UsageError, match="the label party are too far from 0"):
        ask("plaintext", "feature", 6, halves=halves)
    assert np.abs(ask("plaintext", "feature", 0, halves=halves)[1][0] - 1e14).max() < 20


def test_scores_of_a_regression_under_ckks() -> None:
    pytest.importorskip("tenseal")
    halves = regression(1e6)
    exact = ask("plaintext", "label", 9, halves=halves)[0][0]
    scores = asked("plaintext", Request("label", 6, "ckks"), halves=halves)[0][0]
    assert np.abs(scores - exact).max() <= 4.0 * (0.005 + 2.0**-10)


def test_steps_are_as_fine_as_the_decimals_and_no_finer_than_the_margins() -> None:
    assert rounding_steps(0) == 1
    assert rounding_steps(3) == 1000
    assert rounding_steps(9) == 1 << 20


def test_what_cannot_be_predicted_is_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        ask("plaintext", data=tuple(replace(s, values=s.values[:0]) for s in NEW))
    with pytest.raises(DataError, match="columns"):
        ask("plaintext", data=tuple(replace(s, values=s.values[:, :1]) for s in NEW))
    with pytest.raises(UsageError, match="decimals"):
        ask("plaintext", decimals=99)
    with pytest.raises(UsageError, match="belongs to the feature party"):
        ask("plaintext", halves=HALVES[::-1], data=NEW)


def test_halves_of_different_models_are_refused() -> None:
    other = replace(HALVES[1], model_id="another")
    with pytest.raises(TermsDiffer, match="same prediction"):
        ask("shared", halves=(HALVES[0], other))


def test_row_counts_must_be_equal() -> None:
    with pytest.raises(TermsDiffer, match="rows"):
        ask("shared", data=(NEW[0], replace(NEW[1], values=NEW[1].values[:7])))


def test_scores_under_ckks_are_within_the_stated_bound(backend) -> None:
    pytest.importorskip("tenseal")
    (scores, rounds), (nothing, _) = asked(backend, Request("label", 2, "ckks"))
    features = np.concatenate([side.values for side in NEW], axis=1)
    exact = plain_margins(features)
    assert nothing is None
    assert np.abs(scores - exact).max() <= 0.005 + 2.0**-10
    # Rounding is the same but next to a boundary.
    assert (scores == np.round(exact, 2)).mean() > 0.9
    assert rounds < 60


def test_scores_under_ckks_are_opened_in_hundredths() -> None:
    pytest.importorskip("tenseal")
    scores = asked("shared", Request("label", 6, "ckks"))[0][0]
    assert np.array_equal(scores, np.round(scores, 2))


def test_scores_under_ckks_are_for_the_label_party() -> None:
    for recipient in ("feature", "both"):
        with pytest.raises(UsageError, match="which holds the key"):
            Request(recipient, 2, "ckks")
    with pytest.raises(UsageError, match="choose among transfers, ckks"):
        Request("label", 2, "bfv")
