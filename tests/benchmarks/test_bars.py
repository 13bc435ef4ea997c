"""Which sets are said to keep to the bars of docs/accuracy.md."""

import pytest


def line(mean_p=0.0, segment=0.0, median=0.0, auc=0.0):
    """A draw with one segment that counts and one that does not."""
    return {
        "ours": {"segments": [0.1 * (1 + segment), 0.9], "positives": [30, 19]},
        "xgboost": {"segments": [0.1, 0.1]},
        "apart": {"fitted_mean": mean_p, "segment": segment, "median": median, "auc": auc},
    }


@pytest.mark.parametrize(
    ("draws", "said"),
    [
        ([line(), line(0.009, 0.09, -0.019, -0.0019)], "met"),
        ([line(0.03), line(-0.028)], "met by the mean"),
        ([line(0.011)], "missed: mean p"),
        ([line(segment=0.3), line(segment=-0.05)], "missed: segments"),
        ([line(median=0.05), line(median=0.01)], "missed: median logit"),
        ([line(auc=0.02), line(auc=-0.01)], "missed: AUC"),
        ([line(auc=0.02), line(auc=-0.01)] * 5, "met by the mean"),
        ([line(auc=0.005), line(auc=0.004)] * 5, "missed: AUC"),
        ([line(mean_p=0.05), line(mean_p=-0.02)] * 5, "missed: mean p"),
        ([{"refused": "by whom and why"}], "refused"),
    ],
)
def test_what_a_set_is_said_to_keep_to(draws, said):
    import bars

    assert bars.summary(bars.judged(draws)) == said


def test_cells_say_how_many_draws_keep_to_a_bar():
    import bars

    found = bars.judged([line(auc=0.003, median=0.5), line(auc=-0.001, median=0.3)])
    cells = ["+0.00", "+0.0", "**+0.400 ± 0.100**, 0 of 2", "+0.0010 ± 0.0020, 1 of 2"]
    assert [one.cell for one in found] == cells


def test_a_set_without_segments_that_count_has_no_such_bar():
    import bars

    draw = line()
    draw["apart"]["segment"] = None
    assert [one is None for one in bars.judged([draw])] == [False, True, False, False]
