"""What an objective is: labels into gradients, margins into predictions, and what that asks for.

From margins and labels come one gradient and one hessian a row and output, times the row's weight
divided by the weights' public scale: two vectors, each with fraction bits of its own. Labels and
weights are the label party's; margins are shared, (outputs, rows). Rounding is exact, and by public
coins right on average (``boost.dither``), so the words are a function of the data alone, but for
the noise of ``sigmoid="ckks"``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat, Scales, encode
from securexgb.boost.dither import Dither, by_row
from securexgb.boost.objective.traits import Traits
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import blocks, sending_block
from securexgb.boost.scales import Outcomes, check_weights, row_factors
from securexgb.mpc.alone import Alone
from securexgb.mpc.multiply import multiply
from securexgb.mpc.numbers.curves import MOST_BITS
from securexgb.mpc.numbers.truncate import truncate
from securexgb.mpc.party import Party
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, Words

Floats = NDArray[np.float64]
Sigmoid: TypeAlias = Callable[[Party, Shared, int, int], tuple[Shared, Shared]]
"""(p, p (1 - p)) of margins (n,), with so many fraction bits each."""

_WEIGHTED_BITS = 16
"""Least fraction bits of g and h before they are weighted."""
_PRODUCT_BITS = 61
"""Weighted gradients, before they are rounded, are below 2^_PRODUCT_BITS."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What an objective takes from the label party, as its trivial shares.

    ``targets``: shared (n,), or (outputs, n), see ``Objective.targets``. ``weights``: row weights,
    shared (n,) with row_weight_bits fraction bits, or None where no row has one.
    """

    targets: Shared
    weights: Shared | None

    def __getitem__(self, rows: slice) -> Labels:
        return Labels(self.targets[..., rows], None if self.weights is None else self.weights[rows])


Derivatives: TypeAlias = Callable[[Party, Shared, Labels], Shared]
"""g and h of rows, times their weights, (outputs, 2, n), of margins (outputs, n); with the fraction
bits of rows. The first row's number is divisible by 64."""


class Objective(ABC):
    """One objective, by the terms that name it; all that depends on which one it is.

    ``chosen``: a sigmoid in the tables' place, see ``sigmoid_of``.
    """

    traits: ClassVar[Traits]

    def __init__(self, params: TrainingParams, chosen: Sigmoid | None = None) -> None:
        self._params = params
        self._chosen = chosen

    @property
    def outputs(self) -> int:
        """Margins a row, and trees a round."""
        return 1

    @property
    def is_exact(self) -> bool:
        """Whether the words of gradients are a function of the data and the public coins alone."""
        return self._chosen is None

    @abstractmethod
    def check_labels(self, labels: Floats) -> None:
        """At the label party: raise DataError for labels of any set that do not fit."""

    def check_scales(self, rows: Outcomes) -> None:
        """At the label party: raise DataError for a training set that its scales do not fit."""
        check_weights(rows, self._params)

    def base_margin(self, rows: Outcomes) -> float:
        """At the label party: the margin before the first tree, by base_score or fitted."""
        return 0.0

    def base_margins(self, rows: Outcomes) -> Floats:
        """The same of every output, (outputs,)."""
        return np.full(self.outputs, self.base_margin(rows))

    def centre(self, rows: Outcomes) -> float:
        """At the label party: what margins are relative to, in the user's unit."""
        return 0.0

    def begin_with(self, base_margin: Floats) -> tuple[Floats, Floats]:
        """At the label party: of rows with base margins (n,) the margins before the first tree, and
        what these are relative to, each (n,)."""
        return base_margin, np.zeros_like(base_margin)

    @abstractmethod
    def constant_metric(self, train: Outcomes, rows: Outcomes) -> float:
        """The default metric on ``rows`` of the model before its first tree."""

    def targets_shape(self, rows: int) -> tuple[int, ...]:
        """Of the targets of so many rows."""
        return (rows,)

    @abstractmethod
    def targets(self, labels: Floats, centre: Floats | float, numbers: NumberFormat) -> Words:
        """At the label party: labels as ring words, in the unit that ``derivatives`` needs.

        Of the shape that ``targets_shape`` says.
        """

    @property
    @abstractmethod
    def most(self) -> tuple[float, float]:
        """What |g| and h are at most, a row on average: what sums must have room for."""

    @property
    def scales(self) -> Scales:
        """What the gradients of the user's unit are divided by."""
        return Scales()

    @abstractmethod
    def derivatives(self, numbers: NumberFormat, coins: Dither, is_weighted: bool) -> Derivatives:
        """What makes g and h in one round of trees; tables are made here, once for all rows."""

    @abstractmethod
    def predictions(self, margins: Floats) -> Floats:
        """Opened margins, times target_scale, in the user's unit: probabilities or values.

        Shape (n,), or (n, outputs) where there are several.
        """


def gradient_vectors(
    party: Party,
    objective: Objective,
    margins: Shared,
    labels: Labels,
    numbers: NumberFormat,
    coins: Dither,
    block_rows: int | None = None,
) -> Shared:
    """g and h of every row: shared (outputs, 2, n), with the fraction bits of rows."""
    rows_of_all = margins.shape[1]
    of_rows = objective.derivatives(numbers, coins, labels.weights is not None)
    parts = [
        of_rows(party, margins[:, rows], labels[rows])
        for rows in blocks(rows_of_all, block_rows or sending_block(rows_of_all))
    ]
    return Shared.concatenate(parts, axis=2)


def label_gradients(
    party: Party,
    objective: Objective,
    margins: Shared,
    labels: Labels,
    numbers: NumberFormat,
    coins: Dither,
) -> Shared:
    """The same words of margins that the label party alone knows: by itself, without a message.

    So it is before the first tree, when all rows have the base. With an objective that is not exact
    there would be other words, so it takes the protocol.
    """
    if not objective.is_exact:
        return gradient_vectors(party, objective, margins, labels, numbers, coins)
    if party.rank != 0:
        return Shared.zeros(objective.outputs, 2, margins.shape[1])
    return gradient_vectors(Alone(party), objective, margins, labels, numbers, coins)


def row_weights(rows: Outcomes, params: TrainingParams, numbers: NumberFormat) -> Words:
    """At the label party: sample weight times scale_pos_weight, scaled, as words (n,)."""
    factors = row_factors(rows, params)
    values = np.ones(rows.labels.shape) if factors is None else factors
    words = encode(values / 2.0**numbers.weight_exponent, numbers.row_weight_bits)
    return np.where(values > 0, np.maximum(words, np.uint64(1)), words)


def bits_before_weights(numbers: NumberFormat) -> tuple[int, int]:
    """Fraction bits of g before it is weighted, and how many more these are than after."""
    after = numbers.row_gradient_bits
    least = min(after, numbers.row_hessian_bits)
    # The words of sums say how many bits all rows' weights have together.
    rows = numbers.gradient_sum_bits - 1 - after
    room = min(MOST_BITS, _PRODUCT_BITS - numbers.row_weight_bits - rows)
    before = min(after + max(_WEIGHTED_BITS - least, 0), room)
    return before, before - after


@dataclass(frozen=True)
class PairBits:
    """Fraction bits of g and of h as they are computed, and how many fewer a row's words have once
    they are weighted."""

    gradient: int
    hessian: int
    drop: int

    @staticmethod
    def of(numbers: NumberFormat, is_weighted: bool) -> PairBits:
        """More than a row's words have where rows have weights, see ``bits_before_weights``."""
        bits, more = numbers.row_gradient_bits, 0
        if is_weighted:
            bits, more = bits_before_weights(numbers)
        return PairBits(bits, numbers.row_hessian_bits + more, numbers.row_weight_bits + more)

    def row_words(
        self, party: Party, both: tuple[Shared, Shared], weights: Shared | None, coins: Dither
    ) -> Shared:
        """(g, h), (..., n) each, as rows' words (2, ..., n): weighted where rows have weights."""
        if weights is None:
            return Shared.stack(both)
        return weighted_pair(party, both, weights, self.drop, coins)


def weighted_pair(
    party: Party, both: tuple[Shared, Shared], weights: Shared, drop: int, coins: Dither
) -> Shared:
    """(g, h), (..., n) each, times the weights (n,), ``drop`` bits less, rounded by coins."""
    pair = Shared.stack(both)
    products = multiply(party, pair, weights.broadcast_to(*pair.shape))
    added = np.empty(pair.shape, np.uint64)
    for part, of in zip(added, (coins.gradient, coins.hessian), strict=True):
        part[...] = by_row(of, weights.size, drop)
    return truncate(party, products + constant(party, added, products.shape), drop)


def rounded(party: Party, x: Shared, drop: int, coins: NDArray[np.int64]) -> Shared:
    """x (..., n) without its low ``drop`` bits, where there are any, rounded by coins."""
    if not drop:
        return x
    added = np.broadcast_to(by_row(coins, x.shape[-1], drop), x.shape)
    return truncate(party, x + constant(party, added, x.shape), drop)
