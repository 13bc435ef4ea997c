"""After which trees a training measures its evaluation sets: every ``eval_every``-th, and the last.

Numbers of rounds count from 0, those of an earlier model included, after which nothing is measured
again (``boost.continued``). All of it follows from the terms, so both sides, and a resumed
training, measure after the same trees.
"""

from __future__ import annotations

from collections.abc import Iterable

from securexgb.boost.params import TrainingParams


def is_evaluated(params: TrainingParams, number: int) -> bool:
    """Whether metrics are opened after round ``number``."""
    return evaluations(params, number + 1) > evaluations(params, number)


def evaluations(params: TrainingParams, rounds: int) -> int:
    """How many times metrics are opened while the first ``rounds`` are grown."""
    count, more = divmod(max(rounds - params.past.rounds, 0), params.eval_every)
    return count + (more > 0 and rounds == params.all_rounds)


def evaluated_round(params: TrainingParams, place: int) -> int:
    """The round after which metrics were opened for the ``place``-th time, from 0."""
    return min(params.past.rounds + (place + 1) * params.eval_every, params.all_rounds) - 1


def place_of(params: TrainingParams, number: int) -> int:
    """The place among a metric's values of that after the evaluated round ``number``."""
    return (number - params.past.rounds) // params.eval_every


def is_sampled(params: TrainingParams, rows: int) -> bool:
    """Whether the auc of a set of so many rows is that of a sample during the training."""
    return "auc" in params.metrics and 0 < params.auc_rows < rows


def whole_sets(params: TrainingParams, sets: Iterable[tuple[str, int]]) -> list[str]:
    """Names of the sets, of so many rows each, that are measured once more."""
    return [name for name, rows in sets if is_sampled(params, rows)]
