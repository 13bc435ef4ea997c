"""The leak meter: how many bits about the labels a job can open, counted before and after.

Every split that the feature party owns tells it one of its candidates: which of its own cuts
parted the labels best at that node. That is a function of the labels, with as many outcomes as
the feature party has candidates, so B = opened splits x log2(candidates) bits bound what these
openings say of N labels. A label of two classes is one bit, so with B well above N nothing keeps
the labels from being determined, and for small jobs they are (docs/threat-model.md has the
figures). A small B proves no more than that most labels stay open: what all labels have in
common, say a scoring model, takes few bits. Before a training the owners are not known, and
every split of every tree counts; after it, those that the feature party owns. Not counted: who
owns each split, one bit more at most.

A metric of an evaluation set is a function of that set's labels, and is opened with four digits.
Where the terms give scores of evaluation rows to the label party, it learns of each row, between
two evaluations, to which of the leaves it went: depth bits a tree at most, which are not about
labels but about the other side's columns, and are counted apart.

Hidden splits open nothing. Where the terms open importance, the feature party learns each column's
share of gain, cover or number in whole per cents, 0 to 100, once: a function of the labels again.

Floors are the other half: below so many rows two companies' job is refused unless its terms
say otherwise. Row counts are public, so both sides refuse alike, before anything is opened.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from securexgb.boost.ensemble import ModelHalf, owned
from securexgb.boost.layout import Layout
from securexgb.boost.metrics.schedule import evaluations, whole_sets
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.sample import sampled_count
from securexgb.boost.splits.split import Candidates
from securexgb.errors import UsageError
from securexgb.mpc.reveals import Counts, Reveal

METRIC_VALUES = 10_000
"""Outcomes of an opened metric: four digits."""
IMPORTANCE_VALUES = 101
"""Outcomes of a column's importance: whole per cents."""
_SCORE_BITS = 32
"""Of an opened score, about: four decimals of less than 2^18."""
MUCH_BITS_A_LABEL = 0.25
"""From here on a warning is due."""
Sets = Iterable[tuple[str, int]]
"""Names and row counts of evaluation sets."""
EXAMPLE_COLUMNS = (1, 10, 100)
"""The terms do not say how many columns the feature party has."""


@dataclass(frozen=True)
class Leak:
    """What is opened to the feature party about so many labels of the label party.

    ``about``: which rows, for people. ``openings``: values opened; ``outcomes``: how many
    different ones each of them can be.
    """

    about: str
    labels: int
    openings: int
    outcomes: int

    @property
    def bits(self) -> float:
        """At most so many are opened."""
        return self.openings * math.log2(max(self.outcomes, 1))

    @property
    def sentence(self) -> str:
        return (
            f"{self.about}: up to {math.ceil(self.bits):,} bits about {self.labels:,} labels are "
            "opened to the feature party"
        )

    @property
    def warning(self) -> str | None:
        """A sentence where there are many bits for so few labels, else None."""
        if self.bits <= MUCH_BITS_A_LABEL * self.labels:
            return None
        return (
            f"{self.about}: {math.ceil(self.bits):,} bits are more than a quarter of "
            f"{self.labels:,} labels, enough to rebuild many of them: use more rows, fewer or "
            "shallower trees, fewer metrics (docs/threat-model.md)"
        )

    def to_mapping(self) -> dict[str, Any]:
        """For JSON."""
        said = {"bits": self.bits, "sentence": self.sentence, "warning": self.warning}
        return asdict(self) | said


class ScoresLeak(Leak):
    """What is opened to the label party: scores of so many evaluation rows."""

    @property
    def sentence(self) -> str:
        return (
            f"{self.about}: {self.openings:,} scores of {self.labels:,} rows are opened to the "
            f"label party, up to {math.ceil(self.bits):,} bits about their ways in the trees"
        )

    @property
    def warning(self) -> None:
        """The terms ask for it in so many words."""


@dataclass(frozen=True)
class Floors:
    """The least rows that two companies work on; the defaults are those of a job's terms."""

    training_rows: int = 1000
    evaluation_rows: int = 200
    most_measured: int | None = None
    """Of a set so many rows are measured at most, where a metric is of a sample."""

    def of(self, params: TrainingParams, *, may_export: bool = False) -> Floors:
        """Those that a training needs: hidden splits say nothing of its rows, importance does, and
        so does an export of the model."""
        is_silent = params.is_hidden and not params.opens_importance and not may_export
        training_rows = 0 if is_silent else self.training_rows
        return replace(self, training_rows=training_rows, most_measured=_most_measured(params))

    def sentences(self, training_rows: int | None, sets: Sets = ()) -> list[str]:
        """What lies below its floor, and what to do; none where nothing does.

        ``training_rows``: None where nothing is trained.
        """
        found = []
        if training_rows is not None and training_rows < self.training_rows:
            found.append(
                f"{training_rows:,} training rows are fewer than min_training_rows = "
                f"{self.training_rows}: splits on so few rows, or their importance, tell the "
                "feature party their labels; train on more rows, or agree on a lower "
                "min_training_rows in job.toml"
            )
        for name, rows in sets:
            measured = min(rows, self.most_measured or rows)
            if measured < self.evaluation_rows:
                verb = "has" if measured == rows else "is measured (auc_rows) on"
                found.append(
                    f"the evaluation set {name!r} {verb} {measured:,} rows, fewer than "
                    f"min_evaluation_rows = {self.evaluation_rows}: a metric of so few rows tells "
                    "the feature party their labels; evaluate more rows, or agree on a lower "
                    "min_evaluation_rows in job.toml"
                )
        return found

    def check(self, training_rows: int | None, sets: Sets = ()) -> None:
        """Refuse what lies below its floor (UsageError)."""
        found = self.sentences(training_rows, sets)
        if found:
            raise UsageError("; ".join(found))


NO_FLOORS = Floors(0, 0)
"""Where nobody has agreed on any: both parties in one process, or a program of one's own."""


def of_splits(params: TrainingParams, layout: Layout, splits: int) -> Leak:
    """So many splits opened to the feature party."""
    columns = min(sampled_count(params, layout), layout.feature_columns)
    a_column = Candidates.of(layout, np.arange(1)).count
    return Leak("training rows", layout.rows, splits, columns * a_column)


def _most_measured(params: TrainingParams) -> int | None:
    """Rows of the public sample that auc is of, if it is of one."""
    return params.auc_rows or None if "auc" in params.metrics else None


def _of_sets(
    params: TrainingParams, sets: Sets, rounds: int, once_more: Collection[str]
) -> list[Leak]:
    """Metrics of so many rounds, as if all were of the fewest rows that one of them is of.

    ``once_more``: the sets whose auc of all rows is opened at the end."""
    most, values = _most_measured(params), evaluations(params, rounds) * len(params.metrics)
    found = [
        of_metrics(name, min(rows, most or rows), values + (name in once_more))
        for name, rows in sets
    ]
    more = params.past.rounds + params.eval_every
    return found + _of_scores(params, sets, evaluations(params, rounds), more)


def of_evaluation(params: TrainingParams, sets: Sets, rounds: int) -> list[Leak]:
    """What measuring a finished model of so many rounds opens."""
    metrics = [of_metrics(name, rows, len(params.metrics)) for name, rows in sets]
    return metrics + _of_scores(params, sets, 1, rounds)


def _of_scores(params: TrainingParams, sets: Sets, times: int, rounds: int) -> list[Leak]:
    """Scores opened so many times, each after so many rounds more."""
    if not params.opens_scores:
        return []
    outputs = objective_of(params).outputs
    outcomes = 1 << min(params.max_depth * rounds, _SCORE_BITS)
    return [
        ScoresLeak(f"scores of evaluation set {name!r}", rows, outputs * rows * times, outcomes)
        for name, rows in sets
    ]


def of_metrics(name: str, rows: int, values: int) -> Leak:
    """So many metric values of an evaluation set opened."""
    return Leak(f"evaluation set {name!r}", rows, values, METRIC_VALUES)


def _of_training(params: TrainingParams, layout: Layout, splits: int, columns: int) -> Leak:
    """So many splits opened to the feature party, or the importance of so many columns."""
    if params.opens_importance:
        return Leak("training rows", layout.rows, columns, IMPORTANCE_VALUES)
    return of_splits(params, layout, splits)


def before_training(params: TrainingParams, layout: Layout, sets: Sets = ()) -> list[Leak]:
    """The worst case: every split goes to the feature party, but hidden ones to nobody.

    Training rows first. Splits of an earlier model count, as if its rows had been these.
    """
    rounds, outputs = params.all_rounds, objective_of(params).outputs
    splits = 0 if params.is_hidden else rounds * outputs * ((1 << params.max_depth) - 1)
    return [
        _of_training(params, layout, splits, layout.total_columns),
        *_of_sets(params, sets, rounds, whole_sets(params, sets)),
    ]


def after_training(half: ModelHalf, sets: Sets = ()) -> list[Leak]:
    """What the trees have opened; either half knows who owns each split, where anybody does."""
    splits = 0
    if not half.params.is_hidden:
        splits = sum(int(np.count_nonzero(tree.owners == 1)) for tree in owned(half.trees))
    return [
        _of_training(half.params, half.layout, splits, len(half.importance or ())),
        *_of_sets(half.params, sets, len(half.rounds), half.whole_auc),
    ]


def most_of_evaluation(params: TrainingParams, rows: Sequence[int]) -> Counts:
    """What one evaluation opens, of sets of so many rows each."""
    values = len(params.metrics) * len(rows)
    if not params.opens_scores:
        return {(Reveal.METRIC, "both"): values}
    scores = objective_of(params).outputs * sum(rows)
    return {(Reveal.EVALUATION_SCORE, "label"): scores, (Reveal.METRIC, "feature"): values}


def most_of_round(params: TrainingParams) -> Counts:
    """The most that one round of trees opens, without metrics.

    Who owns a split is known only once it is open, so each may be either side's.
    """
    most: Counts = {}
    if not params.is_hidden:
        splits = objective_of(params).outputs * ((1 << params.max_depth) - 1)
        most[Reveal.SPLIT_OWNER, "both"] = splits
        most |= {(Reveal.SPLIT_INDEX, "label"): splits, (Reveal.SPLIT_INDEX, "feature"): splits}
    return most


def bits_a_tree(params: TrainingParams) -> dict[int, float]:
    """Bits that one tree opens at worst, by the number of the feature party's columns."""
    splits = (1 << params.max_depth) - 1
    return {
        columns: of_splits(params, Layout.of(params, 1, (0, columns), False), splits).bits
        for columns in EXAMPLE_COLUMNS
    }
