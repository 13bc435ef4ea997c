"""The area under the ROC curve of shared margins and private labels.

Keys are margins with the label as lowest bit, sorted twice (``mpc.sort``): once negatives come
first among equal margins, once positives. The mean of both has ties counted half, as xgboost and
scikit-learn count them. The positives' ranks are sums of shares; what has to be divided by, the
number of pairs, is the label party's, and stays there.

Where the terms say auc_rows, a public sample of so many rows is sorted. It follows from
random_state and the set's size alone, so all trees, and a resumed training, measure the same rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.boost.objective.logistic import margin_bits
from securexgb.boost.params import TrainingParams
from securexgb.mpc.compare import not_bits
from securexgb.mpc.convert import to_arithmetic, to_bits
from securexgb.mpc.multiply import multiply
from securexgb.mpc.numbers.truncate import round_off
from securexgb.mpc.open import open_shared
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import constant, share, share_bits
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.sort import sort_bits

Floats = NDArray[np.float64]

_INVERSE_BITS = 60
_AUC_BITS = 14


@dataclass(frozen=True, eq=False, repr=False)
class EvaluationTargets:
    """What a data set is measured against.

    ``rows``: public. ``is_weighted``: public. ``labels``, ``weights``: at the label party, (n,);
    None at the other one (and ``weights`` where not weighted). ``centre``: what the margins of a
    regression are relative to, at the label party; one number, or one for each row.
    """

    rows: int
    is_weighted: bool
    labels: Floats | None
    weights: Floats | None
    centre: Floats | float = 0.0


def sampled(params: TrainingParams, rows: int) -> NDArray[np.int64]:
    """The rows of a set of so many that auc is measured on, ascending; public."""
    if params.auc_rows == 0 or rows <= params.auc_rows:
        return np.arange(rows)
    seed = f"auc_rows {params.auc_rows} of {rows}, random_state {params.random_state}"
    words = Prg(hashlib.sha256(seed.encode()).digest()[:16]).words(rows)
    return np.sort(np.argsort(words, kind="stable")[: params.auc_rows])


def auc(party: Party, margins: Shared, truth: EvaluationTargets, params: TrainingParams) -> float:
    """The opened area of the sampled rows; margins shared (n,)."""
    used = sampled(params, truth.rows)
    rows, margins = used.size, margins[used]
    positive = None if truth.labels is None else truth.labels[used] == 1
    label = share_bits(party, positive, 0, rows)
    width = margin_bits(params)
    lowest = constant(party, 1 << (width - 1), margins.shape)
    score = to_bits(party, margins + lowest, width)
    lowest_bits = [SharedBits.stack([bit]) for bit in (label, not_bits(party, label))]
    orders = [SharedBits.concatenate([bit, score]) for bit in lowest_bits]
    ordered = sort_bits(party, SharedBits.stack(orders, axis=1))
    # The label is the lowest bit of a key.
    flags = to_arithmetic(party, ordered[0])
    places = np.arange(1, rows + 1)
    ranks = flags.scale(places).sum(axis=1).reshape(2, 1)
    # In the second order the flag marks negatives, so positives have the other ranks.
    total = int(places.sum())
    doubled_ranks = ranks[0] - ranks[1]
    correction = inverse = None
    if positive is not None:
        positives = int(np.count_nonzero(positive))
        pairs = positives * (rows - positives)
        correction = np.array([total - positives * (positives + 1)], np.int64).view(np.uint64)
        inverse = np.array([round(2**_INVERSE_BITS / (2 * pairs))], np.uint64)
    doubled_pairs = doubled_ranks + share(party, correction, 0, (1,))
    value = multiply(party, doubled_pairs, share(party, inverse, 0, (1,)))
    value = round_off(party, value, _INVERSE_BITS - _AUC_BITS)
    return float(open_shared(party, value, Reveal.METRIC).view(np.int64)[0]) / 2.0**_AUC_BITS
