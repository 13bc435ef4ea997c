"""Evaluation: metrics of a data set whose margins are shared and labels private.

Each metric is computed in shares and its value alone is opened, to both parties, with a
resolution of 2^-20. Means are over the rows' weights, where a set has them; the weights are
scaled at the label party so that they add up to the row count, which makes the divisor
public and their sum not.

    logloss   mean of softplus(m) - y m
    error     mean of [m > 0] xor y
    rmse      root of the mean of (m - y)^2
    auc       (sum of the positives' ranks - P (P + 1) / 2) / (P N); tied margins count half
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import ROW_WEIGHT_BITS, NumberFormat, encode
from securexgb.boost.rows import blocks
from securexgb.errors import DataError, UsageError
from securexgb.mpc.compare import is_negative
from securexgb.mpc.convert import to_arithmetic
from securexgb.mpc.multiply import multiply
from securexgb.mpc.open import open_shared
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.select import select
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.sigmoid import softplus
from securexgb.mpc.sort import sort_rows
from securexgb.mpc.truncate import round_off, truncate

Floats = NDArray[np.float64]

MAXIMISED = frozenset({"auc"})
"""Metrics of which more is better."""
_VALUE_BITS = 20
"""Fraction bits of an opened metric."""
_SUM_BITS = 61
"""Sums stay below 2^_SUM_BITS, where truncation is exact."""
_LOSS_INTEGER_BITS = 12
_GAP_INTEGER_BITS = 6
"""rmse: |margin - y| < 64 times the targets' bound. Leaves are at most 2, so beyond it a
model would have run off for a hundred trees in one direction."""
_KEY_WIDTH = 40
"""auc: sort keys 2 m + y, |m| < 2^17."""
_INVERSE_BITS = 60


@dataclass(frozen=True, eq=False)
class Truth:
    """What a data set is measured against.

    ``rows``: public. ``weighted``: public. ``labels``, ``weights``: at the label party, (n,);
    None at the other one (and ``weights`` where not weighted).
    """

    rows: int
    weighted: bool
    labels: Floats | None
    weights: Floats | None


def metric_value(
    party: Party, metric: str, margins: Shared, truth: Truth, numbers: NumberFormat
) -> float:
    """The opened value of one metric; margins shared (n,), margin_bits fraction bits."""
    with party.step(metric):
        if metric == "auc":
            return _auc(party, margins, truth)
        if metric == "logloss":
            return _logloss(party, margins, truth, numbers)
        if metric == "error":
            return _error(party, margins, truth)
        return _rmse(party, margins, truth, numbers)


def check_metrics(metrics: tuple[str, ...], truth: Truth, name: str) -> None:
    """Refuse a set that a metric is not defined for, before any round is spent."""
    if truth.rows < 1:
        raise DataError(f"the evaluation set {name!r} has no rows")
    if "auc" not in metrics:
        return
    if truth.weighted:
        raise UsageError(f"auc takes no weights: leave them out of the evaluation set {name!r}")
    if truth.labels is not None and np.unique(truth.labels).size < 2:
        raise DataError(f"auc needs both classes in the evaluation set {name!r}")


def _logloss(party: Party, margins: Shared, truth: Truth, numbers: NumberFormat) -> float:
    labelled = np.zeros((1, truth.rows), np.bool_)
    if truth.labels is not None:
        labelled[0] = truth.labels == 1
    products = select(party, np.zeros(1, np.int64), labelled, margins.reshape(1, 1, -1), (64,))
    parts = [softplus(party, margins[rows]) for rows in blocks(truth.rows)]
    losses = Shared.concatenate(parts) - products[0, 0]
    return _mean(party, losses, numbers.margin_bits, _LOSS_INTEGER_BITS, truth)


def _error(party: Party, margins: Shared, truth: Truth) -> float:
    wrong = is_negative(party, -margins)
    if truth.labels is not None:
        flips = np.zeros(wrong.words.size * 64, np.uint8)
        flips[: truth.rows] = truth.labels == 1
        packed = np.packbits(flips, bitorder="little").view("<u8")
        wrong = SharedBits(wrong.words ^ packed, wrong.count)
    return _mean(party, to_arithmetic(party, wrong), 0, 1, truth)


def _rmse(party: Party, margins: Shared, truth: Truth, numbers: NumberFormat) -> float:
    targets = None
    if truth.labels is not None:
        targets = encode(truth.labels / numbers.target_scale, numbers.margin_bits)
    gaps = margins - share(party, targets, 0, margins.shape)
    bits = min(numbers.margin_bits, _room(truth) // 2 - _GAP_INTEGER_BITS)
    if bits < numbers.margin_bits:
        gaps = round_off(party, gaps, numbers.margin_bits - bits)
    mean = _mean(party, multiply(party, gaps, gaps), 2 * bits, 2 * _GAP_INTEGER_BITS, truth)
    return math.sqrt(max(mean, 0.0)) * numbers.target_scale


def _room(truth: Truth) -> int:
    """Bits that the values of a mean over the rows may have."""
    return _SUM_BITS - (truth.rows - 1).bit_length() - (ROW_WEIGHT_BITS if truth.weighted else 0)


def _mean(
    party: Party, values: Shared, fraction_bits: int, integer_bits: int, truth: Truth
) -> float:
    """The opened mean of shared values (n,), |value| < 2^integer_bits."""
    bits = min(fraction_bits, _room(truth) - integer_bits)
    if bits < fraction_bits:
        values = round_off(party, values, fraction_bits - bits)
    if truth.weighted:
        scaled = None
        if truth.weights is not None:
            total = float(truth.weights.sum())
            factor = truth.rows / total if total > 0 else 0.0
            scaled = encode(truth.weights * factor, ROW_WEIGHT_BITS)
        values = multiply(party, values, share(party, scaled, 0, values.shape))
        bits += ROW_WEIGHT_BITS
    total_words = values.sum().reshape(1)
    # The sum over n rows has log2 n bits more than the mean: drop what is past its resolution.
    drop = bits + truth.rows.bit_length() - 1 - _VALUE_BITS
    if drop > 0:
        total_words = truncate(party, total_words, drop)
    opened = int(open_shared(party, total_words, Reveal.METRIC).view(np.int64)[0])
    return opened * 2.0 ** max(drop, 0) / (truth.rows * 2.0**bits)


def _auc(party: Party, margins: Shared, truth: Truth) -> float:
    """Sort twice, ties once with negatives first and once with positives first."""
    labels = None if truth.labels is None else (truth.labels == 1).astype(np.uint64)
    first = share(party, labels, 0, margins.shape)
    second = share(party, None if labels is None else np.uint64(1) - labels, 0, margins.shape)
    doubled = margins.scale(2)
    ordered = sort_rows(party, Shared.stack([doubled + first, doubled + second]), _KEY_WIDTH)
    # The label is the lowest bit of a key, and that of a sum is the xor of both shares'.
    lowest = (ordered.words & np.uint64(1)).reshape(-1).astype(np.uint8)
    lowest = np.concatenate([lowest, np.zeros(-lowest.size % 64, np.uint8)])
    packed = np.packbits(lowest, bitorder="little").view("<u8")
    flags = to_arithmetic(party, SharedBits(packed, 2 * truth.rows)).reshape(2, truth.rows)
    places = np.arange(1, truth.rows + 1)
    ranks = flags.scale(places).sum(axis=1).reshape(2, 1)
    # In the second order the flag marks negatives, so positives have the other ranks.
    total = int(places.sum())
    doubled_ranks = ranks[0] - ranks[1]
    correction = inverse = None
    if labels is not None:
        positives = int(labels.sum())
        pairs = positives * (truth.rows - positives)
        correction = np.array([total - positives * (positives + 1)], np.int64).view(np.uint64)
        inverse = np.array([round(2**_INVERSE_BITS / (2 * pairs))], np.uint64)
    doubled_pairs = doubled_ranks + share(party, correction, 0, (1,))
    value = multiply(party, doubled_pairs, share(party, inverse, 0, (1,)))
    value = round_off(party, value, _INVERSE_BITS - _VALUE_BITS)
    return float(open_shared(party, value, Reveal.METRIC).view(np.int64)[0]) / 2.0**_VALUE_BITS
