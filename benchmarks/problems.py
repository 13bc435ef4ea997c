"""Problems on which number formats show: rare events, segments, weights, scales of targets.

Every problem is drawn from a seed. Columns are cut into bins here, once, and bin numbers are what
all builds and xgboost get as values: with at most 32 of them a column, each keeps a bin of its own
in every one of them. The label party holds the first half of the columns.

Rows to judge by come with the true rate of each row, in place of a label: what AUC and log-loss are
expected to be is then known without the noise of drawn labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.columns.binning import Binner

Reals = NDArray[np.float64]
BINS = 32
COLUMNS = 6
LEAST_POSITIVES = 16
_HELD = 50_000
_STRENGTH = 0.7
"""Of what columns say about log odds. Were it much more, first trees would overshoot: a leaf of
r times the mean rate moves log odds by 0.3 r."""


@dataclass(frozen=True, eq=False)
class Rows:
    """``values``: (n, f) columns. ``target``: labels to train on, or the target of a regression.

    ``truth``: each row's true rate, or the target again. ``segments``: numbers from 0.
    """

    values: Reals
    target: Reals
    truth: Reals
    segments: NDArray[np.int64]
    weights: Reals | None = None

    def __getitem__(self, chosen: Any) -> Rows:
        weights = None if self.weights is None else self.weights[chosen]
        parts = (self.values, self.target, self.truth, self.segments)
        return Rows(*(part[chosen] for part in parts), weights)


Draw = Callable[[np.random.Generator, int], Rows]
Change = Callable[[Reals, Reals], Reals]
"""A regression's target, of the columns and of a function f of them with noise."""


@dataclass(frozen=True)
class Problem:
    """A training. ``draws``: seeds 0, 1, … that the tables have; ``params``: of a training.

    ``order``: of the training rows: drawn, "y" or "x" (sorted by the label, by a column).
    ``key``: of problems that are drawn alike. ``metric``: whether the metric of the test rows is
    opened after every tree.
    """

    group: str
    name: str
    draw: Draw
    rows: int
    test_rows: int
    draws: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    order: str = "drawn"
    key: str = ""
    metric: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """Parameters of the training, those of this benchmark where the problem names none."""
        usual = {"n_estimators": 20, "max_depth": 4, "max_bin": BINS, "missing_values": "refused"}
        return usual | dict(self.params)

    @property
    def is_regression(self) -> bool:
        return self.settings.get("objective") == "reg:squarederror"

    def drawn(self, seed: int) -> tuple[Rows, Rows]:
        """Rows to train on and rows to judge by, bin numbers as values."""
        rng = np.random.default_rng([seed, *(self.key or self.name).encode()])
        whole = self.draw(rng, self.rows + self.test_rows)
        train, test = whole[: self.rows], whole[self.rows :]
        if not self.is_regression:
            while train.target.sum() < min(LEAST_POSITIVES, int(train.truth.sum())):
                train = replace(train, target=_labels(rng, train.truth))
        if self.order != "drawn":
            keys = train.target if self.order == "y" else train.values[:, 0]
            train = train[np.argsort(keys, kind="stable")]
        binner = Binner.fit(train.values, self.settings["max_bin"])
        return tuple(  # type: ignore[return-value]
            replace(part, values=binner.transform(part.values).astype(np.float64))
            for part in (train, test)
        )


def events(rate: float, weights: str = "") -> Draw:
    """A rate that depends on columns of both parties; segments are tenths of the true rate."""

    def draw(rng: np.random.Generator, rows: int) -> Rows:
        values = rng.normal(size=(rows, COLUMNS))
        margins = _STRENGTH * _signal(values)
        truth = _sigmoid(margins + _shift(margins, rate))
        tenths = np.argsort(np.argsort(truth)) * 10 // rows
        return Rows(values, _labels(rng, truth), truth, tenths, _weights(rng, weights, rows))

    return draw


def segmented(shares: tuple[float, ...], rates: tuple[float, ...]) -> Draw:
    """Segments of very different rates; the feature party's last column says which it is."""

    def draw(rng: np.random.Generator, rows: int) -> Rows:
        values = rng.normal(size=(rows, COLUMNS))
        segments = np.searchsorted(np.cumsum(shares)[:-1], rng.random(rows), side="right")
        values[:, -1] = segments
        margins, truth = _STRENGTH * _signal(values), np.empty(rows)
        for number, rate in enumerate(rates):
            inside = segments == number
            truth[inside] = _sigmoid(margins[inside] + _shift(margins[inside], rate))
        return Rows(values, _labels(rng, truth), truth, segments)

    return draw


def flat(positives: int, negatives: int) -> Draw:
    """Constant columns: all that is to be learnt is the rate. The last row is to judge by."""

    def draw(_rng: np.random.Generator, rows: int) -> Rows:
        target = np.zeros(rows)
        target[:positives] = 1.0
        rate = positives / (positives + negatives)
        return Rows(np.zeros((rows, 2)), target, np.full(rows, rate), np.zeros(rows, np.int64))

    return draw


def amounts(change: Change, weights: str = "") -> Draw:
    """A regression."""

    def draw(rng: np.random.Generator, rows: int) -> Rows:
        values = rng.normal(size=(rows, COLUMNS))
        target = change(values, _signal(values) + rng.normal(size=rows) * 0.3)
        zeros = np.zeros(rows, np.int64)
        return Rows(values, target, target, zeros, _weights(rng, weights, rows))

    return draw


def _signal(values: Reals) -> Reals:
    return 1.5 * values[:, 0] + values[:, 3] + 0.5 * values[:, 1] * values[:, 4]


def _sigmoid(margins: Reals) -> Reals:
    return np.asarray(1 / (1 + np.exp(-margins)), np.float64)


def _shift(margins: Reals, rate: float) -> float:
    """What to add to margins so that their mean rate is this."""
    low, high = -60.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _sigmoid(margins + middle).mean() < rate else (low, middle)
    return low


def _labels(rng: np.random.Generator, truth: Reals) -> Reals:
    return (rng.random(truth.size) < truth).astype(np.float64)


def _weights(rng: np.random.Generator, kind: str, rows: int) -> Reals | None:
    """A number, or "lognormal MEAN SPREAD"."""
    if not kind:
        return None
    if kind.startswith("lognormal"):
        mean, spread = map(float, kind.split()[1:])
        return rng.lognormal(mean, spread, rows)
    return np.full(rows, float(kind))


def _claims(values: Reals, f: Reals) -> Reals:
    return np.where(values[:, 2] > 1.6, np.exp(f / 1.9 + 6), 0.0)


def _outlier(_values: Reals, f: Reals) -> Reals:
    return np.where(np.arange(f.size) == 0, 1e6, f)


def _offset(offset: float, factor: float = 1.0) -> Change:
    return lambda values, f: offset + factor * f


def _lognormal(spread: float) -> Change:
    return lambda values, f: np.exp(spread * f / 1.9)


_SQUARED = {"objective": "reg:squarederror"}
_FREE = {"reg_lambda": 0.0, "min_child_weight": 0.0}
_FOUR = segmented((0.4, 0.3, 0.2, 0.1), (5e-4, 2e-3, 1e-2, 4e-2))
_FIVE = segmented((0.6, 0.2, 0.1, 0.06, 0.04), (1e-5, 1e-4, 4e-4, 1e-3, 2e-3))
_HALVES = segmented((0.5, 0.5), (5e-6, 2e-3))


LARGEST = Problem("rates", "2.7e-3", events(2.7e-3), 10_000_000, _HELD, 1, {"n_estimators": 8})
"""It takes some 16 GB, so it is run where it is asked for."""


def problems() -> tuple[Problem, ...]:
    """All others, in the order of the tables."""
    return (*_rates(), *_segments(), *_flat(), *_long(), *_weighted(), *_regressions(), *_metrics())


def _rates() -> list[Problem]:
    found = []
    for rate, rows, trees in (
        (0.5, 10_000, 40),
        (0.2, 10_000, 40),
        (1e-2, 20_000, 40),
        (1e-3, 60_000, 20),
        (3e-4, 60_000, 20),
        (1e-4, 200_000, 20),
    ):
        params = {"n_estimators": trees}
        found.append(Problem("rates", f"{rate:g}", events(rate), rows, _HELD, 10, params))
    big = [("1.2e-3", 1_000_000, 4), ("1e-5", 2_000_000, 4)]
    for name, rows, draws in big:
        found.append(Problem("rates", name, events(float(name)), rows, 200_000, draws))
    for order in "yx":
        name = f"3e-4, rows sorted by {order}"
        found.append(Problem("rates", name, events(3e-4), 60_000, _HELD, 10, order=order))
    return found


def _segments() -> list[Problem]:
    long = {"n_estimators": 60}
    return [
        Problem("segments", "five segments", _FIVE, 2_000_000, 200_000, 2),
        Problem("segments", "two halves", _HALVES, 2_000_000, 200_000, 2, long),
        Problem("segments", "four segments", _FOUR, 100_000, _HELD, 10),
    ]


def _flat() -> list[Problem]:
    params = {"n_estimators": 500, "max_depth": 1, "max_bin": 2}
    return [
        Problem("flat", "1e-4, 20,000 rows", flat(2, 19_998), 20_000, 1, 1, params),
        Problem("flat", "1 - 1e-4, 20,000 rows", flat(19_998, 2), 20_000, 1, 1, params),
        Problem("flat", "1e-5, 200,000 rows", flat(2, 199_998), 200_000, 1, 1, params),
    ]


def _long() -> list[Problem]:
    many = {"n_estimators": 300, "max_depth": 3, "max_bin": 16}
    more = {"n_estimators": 500}
    return [
        Problem("long", "1,000 rows, 300 trees", events(0.5), 1_000, 20_000, 8, many),
        Problem("long", "rate 0.01, 500 trees", events(1e-2), 5_000, 20_000, 4, more),
    ]


def _weighted() -> list[Problem]:
    found = []
    for kind in ("1", "1e-7", "1e5", "lognormal 0 3"):
        draw = events(0.5, kind)
        found.append(Problem("weights", f"all {kind}", draw, 4_000, 20_000, 10, _FREE, key="all"))
    amounts_of = "lognormal 5 1.5"
    for rate, rows, params in (
        (0.1, 20_000, {}),
        (9e-4, 60_000, {"reg_lambda": 450.0, "min_child_weight": 450.0}),
        (9e-4, 60_000, {}),
    ):
        name = f"{amounts_of}, rate {rate:g}" + (", penalties of 450" if params else "")
        found.append(Problem("weights", name, events(rate, amounts_of), rows, _HELD, 10, params))
    for scale in (1e1, 1e2, 1e3, 1e4):
        params = {"scale_pos_weight": scale}
        name = f"scale_pos_weight {scale:g}"
        found.append(Problem("weights", name, events(1e-3), 60_000, _HELD, 10, params))
    return [
        replace(p, name=p.name.removeprefix("all ") if "log" in p.name else p.name) for p in found
    ]


def _regressions() -> list[Problem]:
    sets = {
        "f": amounts(_offset(0)),
        "f - 100": amounts(_offset(-100)),
        "f + 1e6": amounts(_offset(1e6)),
        "f + 1e9": amounts(_offset(1e9)),
        "lognormal, s = 3": amounts(_lognormal(3)),
        "one target 1e6": amounts(_outlier),
        "1e-9 f": amounts(_offset(0, 1e-9)),
        "claims, 95 % zero": amounts(_claims),
        "f, weights lognormal 0 3": amounts(_offset(0), "lognormal 0 3"),
    }
    found = [
        Problem("regression", name, draw, 5_000, 5_000, 10, _SQUARED, key="f")
        for name, draw in sets.items()
    ]
    many = {
        "f, 200,000 rows": (_offset(0), 10),
        "lognormal, s = 3, 200,000 rows": (_lognormal(3), 4),
    }
    for name, (change, draws) in many.items():
        found.append(Problem("regression", name, amounts(change), 200_000, _HELD, draws, _SQUARED))
    long = _SQUARED | {"n_estimators": 300}
    found.append(Problem("regression", "f, 300 trees", amounts(_offset(0)), 5_000, 5_000, 3, long))
    return found


def _metrics() -> list[Problem]:
    stops = _SQUARED | {
        "n_estimators": 40, "early_stopping_rounds": 5, "max_depth": 3, "max_bin": 16,
    }  # fmt: skip
    changes = {f"rmse, f + {offset:g}": _offset(offset) for offset in (0.0, 1e3, 1e6)}
    changes["rmse, 0.001 f"] = _offset(0, 1e-3)
    found = [
        Problem("metrics", name, amounts(of), 800, 800, 1, stops, key="rmse", metric=True)
        for name, of in changes.items()
    ]
    rare = events(3e-4)
    found.append(Problem("metrics", "logloss, rate 3e-4", rare, 60_000, 60_000, 1, metric=True))
    return found
