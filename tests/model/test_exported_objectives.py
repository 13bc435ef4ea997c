"""Exports of models of every objective, with base margins, gone on from: xgboost reads them all."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost

from securexgb.boost.continued.going_on import going_on
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.proposals import with_scales
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.boost.scales import Outcomes
from securexgb.boost.splits.opened import export_cost, open_model
from securexgb.channel.memory import memory_pair
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Audience
from securexgb.testing import run_parties
from securexgb.testing.harness import join_parties, run_both
from tests.boost.data import Floats, sides, table, train_both
from tests.model.test_xgboost_json import NAMES, TOLERANCE, Halves, exported
from tests.recorded import RecordedChannel

ROWS = 160
FEATURES, FLAGS = table(ROWS, missing=0.1)
DRAWS = np.random.default_rng(1)
COUNTS = DRAWS.poisson(np.exp(0.5 * np.nan_to_num(FEATURES[:, 0]))).astype(float)
OFFSETS = DRAWS.uniform(-1.0, 1.0, ROWS)
BOUND = {"base_margin_bound": 1.0}
CASES: dict[str, tuple[Floats, Floats | None, dict[str, Any]]] = {
    "counts": (COUNTS, None, {"objective": "count:poisson"}),
    "gamma": (100.0 * COUNTS + 50.0, None, {"objective": "reg:gamma"}),
    "tweedie": (37.5 * COUNTS, None, {"objective": "reg:tweedie", "tweedie_variance_power": 1.3}),
    "classes": (np.minimum(COUNTS, 2.0), None, {"objective": "multi:softprob", "num_class": 3}),
    "two sides' columns": (FLAGS, None, {"monotone_constraints": (1, 0, -1, 0, 0)}),
    "counts, base margins": (COUNTS, OFFSETS, BOUND | {"objective": "count:poisson"}),
    "flags, base margins": (FLAGS, OFFSETS, BOUND),
    "targets, base margins": (
        9.0 * COUNTS, 90.0 * OFFSETS, {"objective": "reg:squarederror", "base_margin_bound": 90.0}
    ),
}  # fmt: skip


def prepared(case: str, splits: str) -> tuple[TrainingParams, tuple[Rows, Rows]]:
    labels, margins, more = CASES[case]
    params = TrainingParams(**({"n_estimators": 2, "max_depth": 2, "max_bin": 8} | more))
    label, feature = sides(FEATURES, labels, 2)
    params = with_scales(params, Outcomes(labels, base_margin=margins))
    return replace(params, splits=splits), (replace(label, base_margin=margins), feature)


def check(halves: Halves, data: tuple[Rows, Rows]) -> dict[str, Any]:
    """xgboost's margins are those that both sides compute; what the file says."""
    content = exported(halves)[0][0]
    assert content is not None

    def program(party, own):
        return Predictor(party, halves[party.rank], Request("label", 12)).margins(own)

    known = run_parties(program, data, backend="plaintext")[0]
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    rows = xgboost.DMatrix(FEATURES, feature_names=NAMES, base_margin=data[0].base_margin)
    found = np.asarray(booster.predict(rows, output_margin=True), np.float64)
    assert found.shape == known.shape
    assert len(np.unique(known)) > 4
    assert np.abs(found - known).max() <= TOLERANCE * max(1.0, np.abs(known).max())
    file: dict[str, Any] = json.loads(content)["learner"]
    return file


@pytest.mark.parametrize("case", CASES)
def test_xgboost_predicts_the_same(case: str) -> None:
    files = []
    for splits in ("owner", "hidden"):
        params, data = prepared(case, splits)
        files.append(check(train_both(params, data), data))
        files[-1]["attributes"].pop("securexgb_model_id")
    assert files[0] == files[1]
    labels, margins, _ = CASES[case]
    settings = {"objective": params.objective, "nthread": 1}
    if params.num_class is not None:
        settings["num_class"] = params.num_class
    one = xgboost.train(settings, xgboost.DMatrix(FEATURES, labels, base_margin=margins), 1)
    saved = json.loads(bytes(one.save_raw("json")))["learner"]["objective"]
    assert {name: list(saved[name]) for name in saved if name != "name"} == {
        name: list(value) for name, value in files[0]["objective"].items() if name != "name"
    }


@pytest.mark.parametrize("case", ["classes", "counts, base margins"])
def test_a_model_that_goes_on_is_exported_with_the_old_trees(case: str) -> None:
    params, data = prepared(case, "hidden")
    old = train_both(params, data)
    jobs = [TrainingJob(going_on(params, old[rank]), data[rank], old=old[rank]) for rank in (0, 1)]
    first, second = run_parties(train, jobs, backend="plaintext")
    file = check((first, second), data)
    trees = file["gradient_booster"]["model"]["trees"]
    assert len(trees) == 2 * len(old[0].trees)


@pytest.mark.parametrize("to", ["label", "feature", "both"])
@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_an_export_costs_what_is_declared(to: Audience, splits: str) -> None:
    params, data = prepared("classes", splits)
    halves = train_both(params, data)
    ends = [RecordedChannel(channel) for channel in memory_pair()]

    def program(party: Party, half: ModelHalf) -> tuple[int, int]:
        opened = open_model(party, half, to).model
        counts = [] if opened is None else [int(tree.splits.sum()) for tree in opened.trees]
        return party.rounds, sum(counts)

    parties = join_parties((ends[0], ends[1]), 0, "shared", 60.0)
    (rounds, label), (others, feature) = run_both(program, parties, halves)
    declared = export_cost(halves[0], to, max(label, feature))
    # The text by which both agree is a round of its own.
    assert rounds == others == declared.rounds + 1
    sent = [sum(one.size for one in end.transcript[2:] if one.direction == "sent") for end in ends]
    assert sent == [8 * declared.label_words, 8 * declared.feature_words]
