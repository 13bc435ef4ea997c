"""Objectives whose margins are logarithms: count:poisson, reg:gamma, reg:tweedie.

With the margin m, S = 2^target_exponent, y' = y / S and mu' = e^m / S:

    count:poisson  g = mu' - y'           h = mu' e^max_delta_step
    reg:gamma      g = 1 - y e^-m         h = y e^-m
    reg:tweedie    g = A - B              h = (2 - r) A + (r - 1) B,
                   A = mu'^(2 - r), B = y' mu'^(1 - r), r = tweedie_variance_power

They are xgboost's divided by S^(2 - r), where poisson's r is 1 and gamma's 2; the penalties are
divided by the same power, which changes no tree. y' mu'^-c is one power of e, that of
log y' - c log mu', and the label party knows log y: no product is needed. r - 1 is taken to 16
fraction bits, so that its multiples are whole numbers and nothing is rounded off.

Powers of e are of public windows (``mpc.numbers.exponential``). mu' is at most e^5, some 150 to 300
times the mean label, and counts as 0 below e^-11; y e^-m ends at e^8, and B at e^11.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from securexgb.arith.exponential import power_of_e
from securexgb.arith.fixedpoint import MARGIN_BITS, NumberFormat, Scales, encode
from securexgb.boost.dither import Dither
from securexgb.boost.objective.objective import (
    Derivatives,
    Floats,
    Labels,
    Objective,
    PairBits,
    bits_before_weights,
)
from securexgb.boost.objective.traits import GAMMA, POISSON, TWEEDIE
from securexgb.boost.params import MOST_LOG_STEP, TrainingParams
from securexgb.boost.scales import (
    Outcomes,
    check_finite,
    check_targets,
    mean_target,
    weighted_mean,
)
from securexgb.errors import DataError
from securexgb.mpc.numbers.exponential import ExpTable, Power, Window, exp_table, exponentials
from securexgb.mpc.party import Party
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, Words
from securexgb.mpc.together import together

MEAN_TOP, RATIO_TOP, TWEEDIE_TOP = 5, 8, 11
"""Where the windows of mu' (and A), of y e^-m and of B end."""
POWER_BITS = 16
"""Fraction bits of r - 1."""
_LN2 = 0.6931471805599453
_LEAST, _MOST = 1e-15, 1e15
"""Labels that are not 0 lie between."""
_LOG_MOST = 35.0
_FITTED_BELOW = 16.0
"""A fitted base is at least e^-16 of S."""
_MOST_LOAD = 8.0
_Pair: TypeAlias = Callable[[Party, Shared, Shared], tuple[Shared, Shared]]
"""(g, h) of margins (n,) and of what ``targets`` gives."""


def log_scale(params: TrainingParams) -> float:
    """log S."""
    return (params.target_exponent or 0) * _LN2 if params.traits.is_scaled else 0.0


def log_bound(params: TrainingParams) -> float:
    """What |margin - log S| is below, whatever the data are."""
    shift, given = log_scale(params), params.base_score
    if params.base_margin_bound is not None:
        base = params.base_margin_bound + abs(shift)
    elif given is not None:
        base = abs(math.log(given) - shift)
    else:
        base = _FITTED_BELOW if params.traits.is_scaled else _LOG_MOST
    trees = params.past.rounds * MOST_LOG_STEP
    trees += params.n_estimators * params.learning_rate * params.leaf_bound
    return base + trees + (params.past.rounds + params.n_estimators) * 2.0**-8 + 1.0


def relative(party: Party, margins: Shared, params: TrainingParams) -> Shared:
    """margins - log S, with their fraction bits."""
    return margins - constant(party, encode(log_scale(params), MARGIN_BITS), margins.shape)


def variance_power(params: TrainingParams) -> float:
    """r, of the three."""
    return {POISSON.name: 1.0, GAMMA.name: 2.0}.get(params.objective, params.tweedie_variance_power)


def log_labels(labels: Floats, params: TrainingParams) -> Floats:
    """log y' of labels (n,); of 0 what is below every window."""
    none = -(log_bound(params) + 1 + TWEEDIE_TOP + 16)
    with np.errstate(divide="ignore"):
        found = np.log(labels) - log_scale(params)
    return np.where(labels > 0, found, none)


def ratio_window(params: TrainingParams) -> Window:
    """Of log y - m."""
    return Window(RATIO_TOP, log_bound(params) + _LOG_MOST)


def mean_window(params: TrainingParams) -> Window:
    """Of log mu'."""
    return Window(MEAN_TOP, log_bound(params))


def tweedie_windows(params: TrainingParams) -> tuple[Window, Window]:
    """Of log A and of log B."""
    bound, shift = log_bound(params), abs(log_scale(params))
    labels = max(_LOG_MOST + shift, bound + 1 + TWEEDIE_TOP + 16)
    return Window(MEAN_TOP, bound, POWER_BITS), Window(TWEEDIE_TOP, bound + labels, POWER_BITS)


def tweedie_logs(
    party: Party, margins: Shared, logs: Shared, params: TrainingParams
) -> tuple[Shared, Shared]:
    """log A and log B of margins (n,) and log y' (n,), both with MARGIN_BITS: POWER_BITS more."""
    of_label = round((params.tweedie_variance_power - 1.0) * (1 << POWER_BITS))
    x = relative(party, margins, params)
    of_mean = x.scale((1 << POWER_BITS) - of_label)
    return of_mean, logs.scale(1 << POWER_BITS) - x.scale(of_label)


class LogLink(Objective):
    """One tree a round; predictions are e^margin."""

    def check_labels(self, labels: Floats) -> None:
        check_finite(labels, self._params)
        name = self._params.objective
        if not bool(np.all((labels == 0) | ((labels >= _LEAST) & (labels <= _MOST)))):
            raise DataError(
                f"the label column of the label party must not be negative for {name!r}, nor be "
                f"between 0 and {_LEAST:g} or above {_MOST:g}: correct the column, or its unit"
            )

    def check_scales(self, rows: Outcomes) -> None:
        super().check_scales(rows)
        mean, params = mean_target(rows.labels, rows.weights), self._params
        if mean <= 0.0 and not params.has_base_margin:
            raise DataError(
                "every label of the label party is 0, or has the weight 0: the logarithm of their "
                f"mean, where {params.objective!r} begins, does not exist"
            )
        if self.traits.is_scaled:
            check_targets(rows, params)
        if params.base_score is None and rows.base_margin is None:
            return
        scale, power = params.label_scale, variance_power(params)
        start = np.exp(self._start(rows) - log_scale(params))
        load = weighted_mean(rows.labels / scale * start ** (1.0 - power), rows.weights)
        if load > _MOST_LOAD:
            what = "base margins are" if params.has_base_margin else "base_score is"
            raise DataError(
                f"{what} too far below the logarithm of the label party's labels for the sums of "
                f"{params.objective!r} to have room: leave base_score and base_margin_bound out of "
                "the terms, so that the base is fitted, or give larger ones"
            )

    def base_margin(self, rows: Outcomes) -> float:
        given = self._params.base_score
        if self._params.has_base_margin:
            return 0.0
        if given is not None:
            return math.log(given)
        mean = math.log(mean_target(rows.labels, rows.weights))
        return max(mean, log_scale(self._params) - _FITTED_BELOW) if self.traits.is_scaled else mean

    def constant_metric(self, train: Outcomes, rows: Outcomes) -> float:
        own = rows if rows.base_margin is not None else train
        mean = np.broadcast_to(np.exp(self._start(own)), rows.labels.shape)
        losses = losses_of(self._params.known_metrics[0], rows.labels, mean)
        return weighted_mean(losses, rows.weights)

    def _start(self, rows: Outcomes) -> Floats:
        """The margins before the first tree: one, or one for each row."""
        if rows.base_margin is not None:
            return rows.base_margin
        return np.array([self.base_margin(rows)])

    def targets(self, labels: Floats, centre: Floats | float, numbers: NumberFormat) -> Words:
        return encode(log_labels(labels, self._params), numbers.margin_bits)

    @property
    def scales(self) -> Scales:
        power = self._params.label_scale ** (2.0 - variance_power(self._params))
        return Scales(power, power)

    def derivatives(self, numbers: NumberFormat, coins: Dither, is_weighted: bool) -> Derivatives:
        bits = PairBits.of(numbers, is_weighted)
        pair = self._pair(numbers, (bits.gradient, bits.hessian), coins)

        def of_rows(party: Party, margins: Shared, labels: Labels) -> Shared:
            both = pair(party, margins[0], labels.targets)
            return Shared.stack([bits.row_words(party, both, labels.weights, coins)])

        return of_rows

    @abstractmethod
    def _pair(self, numbers: NumberFormat, bits: tuple[int, int], coins: Dither) -> _Pair:
        """What makes g and h with so many fraction bits."""

    def predictions(self, margins: Floats) -> Floats:
        result: Floats = np.exp(np.clip(margins, -700.0, 700.0))
        return result


def _table(
    window: Window,
    factors: tuple[Fraction, Fraction],
    bits: tuple[int, int],
    numbers: NumberFormat,
    coins: Dither,
) -> ExpTable:
    """Of two multiples of one power, for g and for h."""
    powers = Power(factors[0], bits[0]), Power(factors[1], bits[1])
    return exp_table(window, powers, numbers.is_fine, (coins.tables[:2], coins.tables[2:]))


class Poisson(LogLink):
    """count:poisson. Hessians are e^max_delta_step times the mean, so that steps are careful."""

    traits = POISSON

    @property
    def most(self) -> tuple[float, float]:
        # No step of at most max_delta_step makes the sum of a leaf's means greater than both it
        # and the sum of its labels; 4 times the labels' is room for that, and for samples.
        return 6.0, 4.0 * math.exp(self._params.delta_step)

    def targets(self, labels: Floats, centre: Floats | float, numbers: NumberFormat) -> Words:
        return encode(labels / self._params.label_scale, _label_bits(numbers))

    def _pair(self, numbers: NumberFormat, bits: tuple[int, int], coins: Dither) -> _Pair:
        params = self._params
        factors = Fraction(1), power_of_e(Fraction(params.delta_step))
        table = _table(mean_window(params), factors, bits, numbers, coins)
        more = 1 << bits[0] - _label_bits(numbers)

        def of_rows(party: Party, margins: Shared, targets: Shared) -> tuple[Shared, Shared]:
            both = exponentials(party, relative(party, margins, params), table)
            return both[0] - targets.scale(more), both[1]

        return of_rows


def _label_bits(numbers: NumberFormat) -> int:
    """Fraction bits of poisson's labels: no more than g has in either case."""
    return min(numbers.row_gradient_bits, bits_before_weights(numbers)[0])


class Gamma(LogLink):
    """reg:gamma."""

    traits = GAMMA
    most = (17.0, 16.0)

    def check_labels(self, labels: Floats) -> None:
        super().check_labels(labels)
        if bool(np.any(labels == 0)):
            raise DataError(
                "the label column of the label party must be above 0 for 'reg:gamma', it holds 0: "
                "leave these rows out, or agree on 'reg:tweedie'"
            )

    def _pair(self, numbers: NumberFormat, bits: tuple[int, int], coins: Dither) -> _Pair:
        one = Fraction(1)
        table = _table(ratio_window(self._params), (one, one), bits, numbers, coins)

        def of_rows(party: Party, margins: Shared, logs: Shared) -> tuple[Shared, Shared]:
            both = exponentials(party, logs - margins, table)
            return constant(party, 1 << bits[0], margins.shape) - both[0], both[1]

        return of_rows


class Tweedie(LogLink):
    """reg:tweedie: both powers of e in the same rounds."""

    traits = TWEEDIE
    most = (24.0, 16.0)

    def _pair(self, numbers: NumberFormat, bits: tuple[int, int], coins: Dither) -> _Pair:
        params, one = self._params, Fraction(1)
        power, windows = Fraction(params.tweedie_variance_power), tweedie_windows(params)
        factors = (one, 2 - power), (one, power - 1)
        means, ratios = (
            _table(window, of_both, bits, numbers, coins)
            for window, of_both in zip(windows, factors, strict=True)
        )

        def of_rows(party: Party, margins: Shared, logs: Shared) -> tuple[Shared, Shared]:
            of_mean, of_label = tweedie_logs(party, margins, logs, params)
            a, b = together(
                party,
                lambda part: exponentials(part, of_mean, means),
                lambda part: exponentials(part, of_label, ratios),
            )
            return a[0] - b[0], a[1] + b[1]

        return of_rows


def losses_of(metric: str, labels: Floats, means: Floats) -> Floats:
    """What a metric of these objectives is the mean of, in the clear, (n,): as in xgboost."""
    name, _, power = metric.partition("@")
    logs = np.log(means)
    if name == "poisson-nloglik":
        return means - labels * logs + log_factorials(labels)
    if name == "gamma-nloglik":
        return labels / means + logs
    if name == "gamma-deviance":
        ratios = labels / means
        return 2.0 * (ratios - np.log(ratios) - 1.0)
    r = float(power)
    of_labels = labels * np.exp((1.0 - r) * logs) / (r - 1.0)
    result: Floats = of_labels + np.exp((2.0 - r) * logs) / (2.0 - r)
    return result


def log_factorials(labels: Floats) -> Floats:
    """log y! of counts (n,), of other numbers log gamma(y + 1)."""
    values, where = np.unique(labels, return_inverse=True)
    return np.array([math.lgamma(value + 1.0) for value in values.tolist()])[where]
