"""Layout: the public shapes of a training."""

from __future__ import annotations

import pytest

from securexgb.boost.histogram import matrix_shape
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError
from securexgb.offline.matrix_products import pads_precision

LAYOUT = Layout.of(TrainingParams(), 10_000, (3, 7), False)


def test_bins_and_cuts() -> None:
    allowed = Layout.of(TrainingParams(max_bin=255), 10, (3, 7), False)
    assert (allowed.all_bins, allowed.cuts, allowed.total_columns) == (256, 255, 10)
    refused = Layout.of(TrainingParams(max_bin=16, missing_values="refused"), 10, (3, 7), False)
    assert (refused.all_bins, refused.cuts) == (16, 15)


def test_scale_pos_weight_makes_weights() -> None:
    assert Layout.of(TrainingParams(scale_pos_weight=2.0), 10, (1, 1), False).weights
    assert not LAYOUT.weights


@pytest.mark.parametrize(("rows", "columns"), [(0, (1, 1)), (1, (0, 0)), ((1 << 27) + 1, (1, 1))])
def test_what_cannot_be_trained_is_refused(rows: int, columns: tuple[int, int]) -> None:
    with pytest.raises(DataError):
        Layout.of(TrainingParams(), rows, columns, False)


@pytest.mark.parametrize("rows", [1 << 25, 100_000_000, 1 << 27])
@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_pads_hold_the_sums_of_as_many_rows_as_a_job_may_have(rows: int, objective: str) -> None:
    """Of 100 trees of depth 6 on 20 + 20 columns."""
    params = TrainingParams(objective=objective, target_exponent=0, max_depth=6)
    layout = Layout.of(params, rows, (20, 20), False)
    shape = matrix_shape(layout, layout.numbers(params), params.max_depth)
    assert pads_precision(shape.matrix(0), 100 * 32 * 2 * 40 * layout.all_bins).word_bits <= 64
