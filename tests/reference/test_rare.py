"""Rare events, whatever the order of rows and whatever else is in the table; shares and plaintext.

Margins are read from both halves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.proposals import with_scales
from securexgb.boost.params import TrainingParams
from securexgb.boost.scales import Outcomes
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.testing import run_parties
from securexgb.testing.harness import Backend
from tests.boost.data import sides
from tests.reference.oracle import binned, xgboost_on_bins

Floats = NDArray[np.float64]
USUAL = {"max_depth": 3, "max_bin": 16, "missing_values": "refused"}
REGRESSION = {"objective": "reg:squarederror"}


def columns(rows: int, seed: int) -> Floats:
    """Three columns of either party, 16 values each."""
    return np.random.default_rng(seed).integers(0, 16, (rows, 6)) / 4.0 - 2.0


def events(values: Floats, shift: float, seed: int) -> Floats:
    """Labels whose log odds depend on columns of both parties."""
    margins = values[:, 0] + values[:, 3] + shift
    drawn = np.random.default_rng(seed + 1000).random(len(values))
    return (drawn < 1 / (1 + np.exp(-margins))).astype(np.float64)


def learnt(
    values: Floats,
    labels: Floats,
    weights: Floats | None = None,
    backend: Backend = "plaintext",
    **settings: Any,
) -> Floats:
    """Margins of all rows, in the user's unit."""
    params = with_scales(TrainingParams(**(USUAL | settings)), Outcomes(labels, weights))
    cut = values.shape[1] // 2

    def program(party: Party, own: Rows) -> ModelHalf:
        return train(party, TrainingJob(params=params.decided(can_hide=False), data=own))

    halves = run_parties(program, sides(values, labels, cut, weights), backend)
    words = np.full(len(values), np.uint64(halves[0].base[0])) + np.uint64(halves[1].base[0])
    for mine, theirs in zip(halves[0].trees, halves[1].trees, strict=True):
        at = mine.possible_leaves(values[:, :cut]) & theirs.possible_leaves(values[:, cut:])
        words += (mine.leaf_values + theirs.leaf_values)[at.argmax(axis=1)]
    numbers = halves[0].numbers
    reals = words.view(np.int64) * 2.0**-numbers.margin_bits
    return np.asarray(reals * numbers.target_scale + halves[0].centre)


def plain(values: Floats, labels: Floats, **settings: Any) -> Floats:
    """Log odds by xgboost."""
    params = TrainingParams(**(USUAL | settings))
    booster = xgboost_on_bins(values, labels, params)
    rows = xgboost.DMatrix(binned(values, params.max_bin))
    return np.asarray(booster.predict(rows, output_margin=True), np.float64)


def chances(margins: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-margins)))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_rate_of_a_ten_thousandth_stays(mirrored: bool) -> None:
    labels = np.full(20_000, float(mirrored))
    labels[:2] = float(not mirrored)
    values = np.zeros((20_000, 2))
    margin = learnt(values, labels, n_estimators=50, max_depth=1, max_bin=2)[0]
    assert chances(-margin if mirrored else margin) == pytest.approx(1e-4, rel=0.01)


@pytest.mark.parametrize("order", ["drawn", "by label", "by column"])
def test_rare_events_in_any_order_of_rows(order: str) -> None:
    values = columns(30_000, 3)
    labels = events(values, -8.0, 3)
    assert 16 <= labels.sum() <= 64
    if order != "drawn":
        rows = np.argsort(labels if order == "by label" else values[:, 0], kind="stable")
        values, labels = values[rows], labels[rows]
    ours = learnt(values, labels, n_estimators=15)
    other = plain(values, labels, n_estimators=15)
    assert chances(ours).mean() == pytest.approx(chances(other).mean(), rel=0.01)
    assert np.median(ours) == pytest.approx(np.median(other), abs=0.02)


def test_rare_events_beside_common_ones() -> None:
    values = columns(60_000, 5)
    values[:, 5] = np.arange(60_000) % 2
    rate = np.where(values[:, 5] == 0, 4e-4, 0.2)
    labels = (np.random.default_rng(6).random(60_000) < rate).astype(np.float64)
    assert 10 <= labels[::2].sum() <= 20
    ours = chances(learnt(values, labels, n_estimators=20))
    other = chances(plain(values, labels, n_estimators=20))
    for first in (0, 1):
        assert ours[first::2].mean() == pytest.approx(other[first::2].mean(), rel=0.01)


SMALL: Mapping[str, tuple[float, Mapping[str, Any], str]] = {
    "even": (0.0, {}, ""),
    "rare": (-6.0, {}, ""),
    "very rare": (-9.0, {"min_child_weight": 0.0}, ""),
    "heavy positives": (-6.0, {"scale_pos_weight": 1e4}, ""),
    "light weights": (0.0, {"reg_lambda": 0.0, "min_child_weight": 0.0}, "1e-7"),
    "long tail": (0.0, {}, "tail"),
    "rows as coarse as sums": (-3.0, {"gradient_bits": 12}, ""),
    "regression": (0.0, REGRESSION, ""),
    "far away": (1e6, REGRESSION, ""),
    "weighted regression": (0.0, REGRESSION | {"subsample": 0.7}, "tail"),
}


@pytest.mark.parametrize("name", SMALL)
def test_shares_give_the_bits_of_plaintext(name: str) -> None:
    shift, settings, kind = SMALL[name]
    values = columns(260, 15)
    labels = events(values, shift, 15)
    labels[:3] = 1.0, 0.0, 1.0
    if "objective" in settings:
        labels = shift + values[:, 0] * values[:, 3] + labels
    weights = None
    if kind:
        tail = np.random.default_rng(15).lognormal(0, 3, 260)
        weights = tail if kind == "tail" else np.full(260, float(kind))
    one, two = (
        learnt(values, labels, weights, backend, n_estimators=3, **settings)
        for backend in ("plaintext", "shared")
    )
    assert np.unique(one).size > 1
    np.testing.assert_array_equal(one, two)
