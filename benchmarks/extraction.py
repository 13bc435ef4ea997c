"""How many answers copy a model, of which size, at which rounding? A learner on answered margins.

    python benchmarks/extraction.py --credit credit_default.csv
    python benchmarks/extraction.py --rows 400 --trees 4 --queries 50      # made-up rows

Scores of the two parties are xgboost's on the same bins (docs/accuracy.md), so the model that is
copied is a plaintext one. Who copies it asks for rows one after the other and trains xgboost on the
margins that it is told, rounded as the terms round them:

- "both": knows the columns of both sides of every row asked, as two colluding companies would, or
  who bought the feature party's columns elsewhere;
- "label": the label party, or who calls it: its own columns, of as many keys as it asks for;
- "one key": the label party asks for one key again and again, with other values of its own columns
  each time: what ``rows_a_key_a_day`` bounds.

A line: the variance of margins that the copy leaves unexplained on rows never asked for, its AUC
and the model's, how often both decide alike on the fifth of rows with the highest scores.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import loopback
import numpy as np
import xgboost
from inputs import Data
from numpy.typing import NDArray
from works import Work

from securexgb.boost.columns.binning import Binner
from securexgb.report import metrics

Reals = NDArray[np.float64]
SHAPES = ((20, 3), (100, 4), (300, 6))
DECIMALS = (0, 1, 2, 4)
QUERIES = (30, 100, 300, 1000, 3000, 10_000)
KEYS = 5
"""For "one key" so many keys are tried, each on its own."""
_FLAGGED = 0.2
_HELD = 0.3


@dataclass(frozen=True, eq=False)
class Target:
    """A model and the rows that attackers may ask for (``asked``) or are judged by (``held``)."""

    trees: int
    depth: int
    mine: int
    model: xgboost.Booster
    asked: Reals
    held: Reals
    held_labels: Reals

    def margins(self, rows: Reals) -> Reals:
        found = self.model.predict(xgboost.DMatrix(rows), output_margin=True)
        return np.asarray(found, np.float64)


def target(work: Work, trees: int, depth: int) -> Target:
    """Trained on half of the rows; attackers ask for others."""
    data = Data.of(work)
    binner = Binner.fit(data.table[data.fitted], work.bins)
    table, order = binner.transform(data.table).astype(np.float64), data.fitted
    order = np.random.default_rng(1).permutation(order)
    train = order[: len(order) // 2]
    model = _trained(table[train], data.labels[train], trees, depth, "binary:logistic")
    rest = order[len(train) :]
    held = rest[: round(len(rest) * _HELD)]
    asked = table[rest[len(held) :]]
    return Target(trees, depth, data.mine, model, asked, table[held], data.labels[held])


def _trained(rows: Reals, wanted: Reals, trees: int, depth: int, objective: str) -> xgboost.Booster:
    settings = {
        "objective": objective, "tree_method": "hist", "max_depth": depth, "nthread": 1,
        "learning_rate": 0.1 if objective == "reg:squarederror" else 0.3, "seed": 0,
    }  # fmt: skip
    return xgboost.train(settings, xgboost.DMatrix(rows, wanted), trees)


def attacks(
    of: Target, decimals: Sequence[int], queries: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """A line for each attacker, rounding and number of answers."""
    for places in decimals:
        for count in queries:
            if count <= len(of.asked):
                for attacker, columns in (("both", slice(None)), ("label", slice(of.mine))):
                    yield _line(of, attacker, places, _copied(of, columns, places, count))
            yield _line(of, "one key", places, _one_key(of, places, count))


def _line(of: Target, attacker: str, decimals: int, found: dict[str, Any]) -> dict[str, Any]:
    about = {"question": "extraction", "attacker": attacker, "decimals": decimals}
    return about | {"trees": of.trees, "depth": of.depth} | found


def _copied(of: Target, columns: slice, decimals: int, queries: int) -> dict[str, Any]:
    answers = np.round(of.margins(of.asked[:queries]), decimals)
    copy = _learnt(of.asked[:queries, columns], answers)
    guessed, true = _guess(copy, of.held[:, columns]), of.margins(of.held)
    return {
        "queries": queries,
        "unexplained": _unexplained(true, guessed),
        "alike": _alike(true, guessed),
        "auc": metrics.auc(of.held_labels, guessed),
        "model_auc": metrics.auc(of.held_labels, true),
    }


def _one_key(of: Target, decimals: int, queries: int) -> dict[str, Any]:
    """Own columns are drawn from other rows, so that every value is a likely one."""
    rng, left = np.random.default_rng(2), []
    for key in of.held[:KEYS]:
        asked, judged = (_varied(of, rng, key, count) for count in (queries, 2000))
        copy = _learnt(asked[:, : of.mine], np.round(of.margins(asked), decimals))
        left.append(_unexplained(of.margins(judged), _guess(copy, judged[:, : of.mine])))
    return {"queries": queries, "unexplained": float(np.mean(left))}


def _varied(of: Target, rng: np.random.Generator, key: Reals, count: int) -> Reals:
    rows = np.tile(key, (count, 1))
    for column in range(of.mine):
        rows[:, column] = rng.choice(of.asked[:, column], count)
    return rows


def _learnt(rows: Reals, answers: Reals) -> xgboost.Booster:
    """More trees for more answers: what a patient attacker would find by trying."""
    return _trained(rows, answers, 100 if len(rows) < 1000 else 400, 4, "reg:squarederror")


def _guess(copy: xgboost.Booster, rows: Reals) -> Reals:
    return np.asarray(copy.predict(xgboost.DMatrix(rows)), np.float64)


def _unexplained(true: Reals, guessed: Reals) -> float:
    return float(np.mean((true - guessed) ** 2) / max(float(np.var(true)), 1e-12))


def _alike(true: Reals, guessed: Reals) -> float:
    """Of the rows that the model would flag, how many the copy flags too."""
    count = max(1, round(_FLAGGED * len(true)))
    flagged = [set(np.argsort(-margins, kind="stable")[:count]) for margins in (true, guessed)]
    return len(flagged[0] & flagged[1]) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--credit", help="credit_default.csv; or CREDIT_CSV; else made-up rows")
    parser.add_argument("--rows", type=int, default=30_000, help="of made-up rows")
    parser.add_argument("--trees", type=int, help="one model of so many trees of depth 3")
    parser.add_argument("--queries", type=int, help="this number of answers alone")
    options = parser.parse_args()
    given = options.credit or os.environ.get("CREDIT_CSV")
    work = Work(rows=options.rows, bins=32)
    if given and Path(given).is_file():
        work = Work(
            data=given, bins=32, label="default.payment.next.month",
            label_columns="LIMIT_BAL,SEX,EDUCATION,MARRIAGE,AGE",
        )  # fmt: skip
    data = {"data": "credit" if work.data else "made-up"}
    shapes = SHAPES if options.trees is None else ((options.trees, 3),)
    queries = QUERIES if options.queries is None else (options.queries,)
    for trees, depth in shapes:
        decimals = DECIMALS if options.queries is None else DECIMALS[-1:]
        for line in attacks(target(work, trees, depth), decimals, queries):
            sys.stdout.write(loopback.stamped(line | data))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
