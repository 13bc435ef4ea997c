"""Number formats: rare events, sorted rows, weights and targets of any scale give xgboost's model.

Columns hold few values, so that xgboost cuts them as we do. Margins are read from both halves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from securexgb.boost.booster import SideData, TrainingJob, train
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.boost.scales import Outcomes, with_scales
from securexgb.mpc.party import Party
from securexgb.testing import run_parties
from securexgb.testing.harness import Backend

Reals = NDArray[np.float64]
REGRESSION = {"objective": "reg:squarederror"}


def columns(rows: int, seed: int) -> Reals:
    """Three columns of either party, 16 values each."""
    return np.random.default_rng(seed).integers(0, 16, (rows, 6)) / 4.0 - 2.0


def events(values: Reals, shift: float, seed: int) -> Reals:
    """Labels whose log odds depend on columns of both parties."""
    margins = values[:, 0] + values[:, 3] + shift
    drawn = np.random.default_rng(seed + 1000).random(len(values))
    return (drawn < 1 / (1 + np.exp(-margins))).astype(np.float64)


def halves_of(
    values: Reals,
    labels: Reals,
    weights: Reals | None = None,
    backend: Backend = "plaintext",
    **settings: Any,
) -> list[ModelHalf]:
    usual = {"max_depth": 3, "max_bin": 16, "missing_values": "refused"}
    params = with_scales(TrainingParams(**(usual | settings)), Outcomes(labels, weights))
    cut = values.shape[1] // 2
    names = [f"x{number}" for number in range(values.shape[1])]
    data = (
        SideData(values[:, :cut], tuple(names[:cut]), labels, weights),
        SideData(values[:, cut:], tuple(names[cut:])),
    )

    def program(party: Party, own: SideData) -> ModelHalf:
        return train(party, TrainingJob(params=params, data=own))

    return run_parties(program, data, backend, timeout_seconds=300)


def margins_of(halves: list[ModelHalf], values: Reals) -> Reals:
    """Of all rows, in the user's unit."""
    cut = len(halves[0].columns)
    words = np.full(len(values), np.uint64(halves[0].base)) + np.uint64(halves[1].base)
    for mine, theirs in zip(halves[0].trees, halves[1].trees, strict=True):
        at = mine.possible_leaves(values[:, :cut]) & theirs.possible_leaves(values[:, cut:])
        words += (mine.leaf_values + theirs.leaf_values)[at.argmax(axis=1)]
    numbers = halves[0].numbers
    reals = words.view(np.int64) * 2.0**-numbers.margin_bits
    return np.asarray(reals * numbers.target_scale + halves[0].centre)


def plain(values: Reals, labels: Reals, weights: Reals | None = None, **settings: Any) -> Reals:
    """Margins of xgboost."""
    names = {"max_depth", "objective", "scale_pos_weight", "reg_lambda", "min_child_weight"}
    terms: dict[str, Any] = {"objective": "binary:logistic", "max_depth": 3}
    terms |= {name: settings[name] for name in names & set(settings)}
    terms |= {"tree_method": "hist", "max_bin": 256, "learning_rate": 0.3, "nthread": 1}
    data = xgboost.DMatrix(values, labels, weight=weights)
    model = xgboost.train(terms, data, settings.get("n_estimators", 50))
    return np.asarray(model.predict(data, output_margin=True), np.float64)


def chances(margins: Reals) -> Reals:
    return np.asarray(1 / (1 + np.exp(-margins)))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_rate_of_a_ten_thousandth_stays(mirrored: bool) -> None:
    labels = np.zeros(20_000)
    labels[:2] = 1.0
    labels = 1 - labels if mirrored else labels
    values = np.zeros((20_000, 2))
    halves = halves_of(values, labels, n_estimators=50, max_depth=1, max_bin=2)
    chance = chances(margins_of(halves, values[:1]))[0]
    assert (1 - chance if mirrored else chance) == pytest.approx(1e-4, rel=0.01)


@pytest.mark.parametrize("order", ["drawn", "by label", "by column"])
def test_rare_events_in_any_order_of_rows(order: str) -> None:
    values = columns(30_000, 3)
    labels = events(values, -9.5, 3)
    assert 16 <= labels.sum() <= 64
    if order != "drawn":
        rows = np.argsort(labels if order == "by label" else values[:, 0], kind="stable")
        values, labels = values[rows], labels[rows]
    settings: dict[str, Any] = {"n_estimators": 15}
    ours = margins_of(halves_of(values, labels, **settings), values)
    other = plain(values, labels, **settings)
    assert chances(ours).mean() == pytest.approx(chances(other).mean(), rel=0.01)
    assert np.median(ours) == pytest.approx(np.median(other), abs=0.02)


def test_a_segment_of_rare_events_beside_a_common_one() -> None:
    values = columns(60_000, 5)
    values[:, 5] = np.arange(60_000) % 2
    rate = np.where(values[:, 5] == 0, 4e-4, 0.2)
    labels = (np.random.default_rng(6).random(60_000) < rate).astype(np.float64)
    assert 10 <= labels[::2].sum() <= 20
    ours = chances(margins_of(halves_of(values, labels, n_estimators=20), values))
    other = chances(plain(values, labels, n_estimators=20))
    for start in (0, 1):
        assert ours[start::2].mean() == pytest.approx(other[start::2].mean(), rel=0.01)


@pytest.mark.parametrize("weight", [1e-7, 1e-3, 1e5])
def test_the_scale_of_weights_does_not_matter(weight: float) -> None:
    values = columns(2_000, 7)
    labels = events(values, 0.0, 7)
    free = {"n_estimators": 10, "reg_lambda": 0.0, "min_child_weight": 0.0}
    other = plain(values, labels, np.ones(2_000), **free)
    ours = margins_of(halves_of(values, labels, np.full(2_000, weight), **free), values)
    assert np.abs(chances(ours) - chances(other)).mean() < 2e-3


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
def test_weights_with_a_long_tail_and_heavy_positives(scale: float) -> None:
    values = columns(10_000, 9)
    labels = events(values, -7.0, 9)
    weights = np.random.default_rng(9).lognormal(0, 2, 10_000)
    settings: dict[str, Any] = {"n_estimators": 10, "scale_pos_weight": scale}
    ours = chances(margins_of(halves_of(values, labels, weights, **settings), values))
    other = chances(plain(values, labels, weights, **settings))
    assert ours.mean() == pytest.approx(other.mean(), rel=0.01)


@pytest.mark.parametrize(
    ("offset", "factor"), [(0.0, 1.0), (-100.0, 1.0), (1e6, 1.0), (1e9, 1.0), (0.0, 1e-9), (0, 1e6)]
)
def test_targets_of_any_offset_and_spread(offset: float, factor: float) -> None:
    values = columns(2_000, 11)
    noise = np.random.default_rng(11).normal(size=2_000) * 0.3
    shape = 1.5 * values[:, 0] + values[:, 3] + 0.5 * values[:, 1] * values[:, 4] + noise
    settings: dict[str, Any] = {"n_estimators": 10} | REGRESSION
    ours = margins_of(halves_of(values, offset + factor * shape, **settings), values)
    other = plain(values, shape, **settings)
    assert (ours - offset) / factor == pytest.approx(other, abs=1e-4 * shape.std())


def test_targets_with_a_long_tail() -> None:
    values = columns(4_000, 13)
    targets = np.exp(values[:, 0] + values[:, 3] + np.random.default_rng(13).normal(size=4_000))
    targets[0] = 1e5
    settings: dict[str, Any] = {"n_estimators": 5} | REGRESSION
    ours = margins_of(halves_of(values, targets, **settings), values)
    other = plain(values, targets, **settings)
    assert np.sqrt(np.mean((ours - targets) ** 2)) == pytest.approx(
        np.sqrt(np.mean((other - targets) ** 2)), rel=1e-3
    )


SMALL: Mapping[str, tuple[float, Mapping[str, Any], str]] = {
    "even": (0.0, {}, ""),
    "rare": (-6.0, {}, ""),
    "very rare": (-9.0, {"min_child_weight": 0.0}, ""),
    "heavy positives": (-6.0, {"scale_pos_weight": 1e4}, ""),
    "light weights": (0.0, {"reg_lambda": 0.0, "min_child_weight": 0.0}, "1e-7"),
    "long tail": (0.0, {}, "tail"),
    "one number of bits": (-3.0, {"gradient_bits": 12}, ""),
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
    both = [
        margins_of(halves_of(values, labels, weights, backend, n_estimators=3, **settings), values)
        for backend in ("plaintext", "shared")
    ]
    assert np.unique(both[0]).size > 1
    np.testing.assert_array_equal(both[0], both[1])
