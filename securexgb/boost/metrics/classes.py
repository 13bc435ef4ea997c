"""mlogloss and merror of rows with several margins, in shares: what each row counts.

    mlogloss   log(sum_j exp(m_j)) - m_y      merror   1 where another margin is greater than m_y

m_y, the margin of the row's class, is one private bit of the label party for each class and
row; the logarithm is that of ``mpc.numbers.softmax``. Of margins that are equal the first one wins,
as in xgboost; which ones come before y is the label party's to know, so it makes these strict by
its own share.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import words_per
from securexgb.boost.objective.classes import gap_bits, one_hot
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import blocks, sending_block
from securexgb.mpc.compare import carry_cost, is_negative, not_bits
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiplex import multiplex_private, multiplex_private_cost
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.numbers.softmax import log_sum, log_sum_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared, SharedBits

Labels = NDArray[np.float64] | None
"""Class numbers (n,), at the label party."""


def class_losses_cost(params: TrainingParams, classes: int, rows: int) -> Cost:
    """Cost of ``class_losses``."""
    cost = multiplex_private_cost(classes * rows, 0, (64,))
    for block in blocks(rows, sending_block(rows)):
        cost += log_sum_cost(classes, len(range(rows)[block]), gap_bits(params))
    return cost


def class_losses(party: Party, margins: Shared, labels: Labels, params: TrainingParams) -> Shared:
    """What each row counts in mlogloss, (n,), of margins (classes, n); 20 fraction bits."""
    own = _own_margins(party, margins, labels)
    rows = margins.shape[1]
    totals = [
        log_sum(party, margins[:, block], gap_bits(params))
        for block in blocks(rows, sending_block(rows))
    ]
    return Shared.concatenate(totals) - own


def class_errors_cost(classes: int, rows: int) -> Cost:
    """Cost of ``class_errors``."""
    cost = multiplex_private_cost(classes * rows, 0, (64,)) + carry_cost(63, classes * rows)
    left = classes
    while left > 1:
        cost += and_cost(left // 2 * words_per(rows))
        left -= left // 2
    return cost + lift_cost(words_per(rows))


def class_errors(party: Party, margins: Shared, labels: Labels) -> Shared:
    """1 where the greatest margin is not that of the row's class, (n,), of margins (classes, n)."""
    classes, rows = margins.shape
    before = None
    if labels is not None:
        before = (labels > np.arange(classes)[:, None]).astype(np.uint64)
    own = _own_margins(party, margins, labels).broadcast_to(classes, rows)
    gaps = own - margins - share(party, before, 0, margins.shape)
    holds = not_bits(party, is_negative(party, gaps)).rows(classes)
    while holds.shape[0] > 1:
        pairs = holds.shape[0] // 2
        both = and_bits(party, holds[: 2 * pairs : 2], holds[1 : 2 * pairs : 2])
        holds = SharedBits.concatenate([both, holds[2 * pairs :]])
    return to_arithmetic(party, not_bits(party, holds[0]))


def _own_margins(party: Party, margins: Shared, labels: Labels) -> Shared:
    """The margin of each row's class, (n,)."""
    classes, rows = margins.shape
    marks = np.zeros((classes, rows), np.bool_)
    if labels is not None:
        marks = one_hot(labels, classes).astype(np.bool_)
    owners = np.zeros(classes, np.int64)
    kept = multiplex_private(party, owners, marks, margins.reshape(classes, 1, rows), (64,))
    return kept[:, 0].sum(axis=0)
