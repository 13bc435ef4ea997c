"""Monotone models of two parties: broken orders, and the AUC beside xgboost's constrained one.

    python benchmarks/monotone.py [--data credit_default.csv] [--trees 20]

Trains on three data sets with and without directions, in shares, and moves one constrained column
of a row after the other over its values, bin by bin, all else as it is: a move breaks the order
where the margin falls that must not fall, or rises that must not rise. Margins are opened to six
decimals. One JSON line a data set. xgboost trains on the same bins with the same directions, and
without. Two data sets are drawn, several times: their AUC is what is expected by the rows' true
rates, and differences to xgboost's are means over the draws. The third is the credit data ("Default
of credit card clients"), where a path is given.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import loopback
import numpy as np
import xgboost
from judged import expected_auc
from numpy.typing import NDArray

from securexgb.boost.columns.binning import Binner
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import predict_alone, split_columns, train_alone

Reals = NDArray[np.float64]
BINS = 32
EXACT = Request("label", 6)


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows to train on and rows held out, and a direction for each column.

    ``rates``: what the AUC is expected by, true rates or labels.
    """

    name: str
    values: Reals
    labels: Reals
    rates: Reals
    held: int
    ways: tuple[int, ...]

    def part(self, share: float) -> Problem:
        """A share of the rows."""
        rows = int(share * len(self.values))
        parts = self.values[:rows], self.labels[:rows], self.rates[:rows]
        return Problem(self.name, *parts, int(share * self.held), self.ways)


def smooth(seed: int) -> Problem:
    """Log odds that rise in two columns and fall in one, with noise; one column has holes."""
    draw = np.random.default_rng([1, seed])
    x = draw.normal(size=(24_000, 6))
    odds = np.tanh(x[:, 0]) - 0.8 * x[:, 1] + 0.5 * np.maximum(x[:, 4], 0) + x[:, 2] * x[:, 3] / 2
    rates = 1 / (1 + np.exp(1 - odds))
    labels = draw.random(len(x)) < rates
    x[draw.random(len(x)) < 0.1, 4] = np.nan
    return Problem("smooth", x, labels.astype(float), rates, 12_000, (1, -1, 0, 0, 1, 0))


def rare(seed: int) -> Problem:
    """Events at a rate of 2 %, in counts; a column that does not rise is told to."""
    draw = np.random.default_rng([2, seed])
    x = draw.poisson(4.0, size=(40_000, 6)).astype(float)
    odds = -4.6 + 0.25 * x[:, 0] - 0.15 * x[:, 3] + 0.3 * np.sin(x[:, 1]) + 0.05 * x[:, 5]
    rates = 1 / (1 + np.exp(-odds))
    labels = draw.random(len(x)) < rates
    return Problem("rare", x, labels.astype(float), rates, 20_000, (1, 1, 0, -1, 0, 1))


def credit(path: Path) -> Problem:
    """More delay is no better, a higher limit and higher payments are no worse."""
    with path.open() as stream:
        names, *lines = csv.reader(stream)
    table = np.array(lines, np.float64)
    table = table[np.random.default_rng(0).permutation(len(table))]
    ways = [
        1
        if name.startswith("PAY_") and "AMT" not in name
        else -("LIMIT" in name or "PAY_AMT" in name)
        for name in names[1:-1]
    ]
    labels = table[:, -1]
    return Problem("credit", table[:, 1:-1], labels, labels, 7_500, tuple(map(int, ways)))


def broken(
    margins: Callable[[Reals], Reals], values: Reals, problem: Problem, least: int
) -> tuple[int, int]:
    """How many moves break the order, and how many there are, some ``least``."""
    cuts, columns = Binner.fit(values, BINS).cuts, np.flatnonzero(problem.ways)
    every = [np.unique(cuts[column][np.isfinite(cuts[column])]) for column in columns]
    rows = least // sum(steps.size for steps in every) + 1
    start, wrong, moves = values[-rows:], 0, 0
    for column, steps in zip(columns, every, strict=True):
        way = problem.ways[column]
        places = np.concatenate([steps - 1e-9 * (1 + np.abs(steps)), steps[-1:] + 1])
        moved = np.repeat(start, places.size, axis=0)
        moved[:, column] = np.tile(places, rows)
        gaps = np.diff(margins(moved).reshape(rows, -1), axis=1) * way
        wrong, moves = wrong + int((gaps < 0).sum()), moves + gaps.size
    return wrong, moves


def ours(problem: Problem, params: TrainingParams, least: int) -> dict[str, Any]:
    """Train in shares on half of the columns at each side, and move rows."""
    names = tuple(f"x{column}" for column in range(problem.values.shape[1]))
    train = Rows(problem.values[: -problem.held], names, problem.labels[: -problem.held])
    sides, began = split_columns(len(names), None), time.perf_counter()
    run = train_alone(params, train, sides, 1)
    seconds = time.perf_counter() - began

    def margins(values: Reals) -> Reals:
        found = predict_alone(run.results, Rows(values, names), sides, EXACT, 1).results[0]
        assert found is not None
        return found

    held = slice(-problem.held, None)
    auc = expected_auc(problem.rates[held], margins(problem.values[held]))
    wrong, moves = broken(margins, problem.values, problem, least) if least else (0, 0)
    costs = run.costs
    return {
        "auc": auc, "broken": wrong, "moves": moves, "seconds": round(seconds, 1),
        "rounds": costs.rounds, "bytes": costs.online_bytes,
    }  # fmt: skip


def theirs(problem: Problem, params: TrainingParams, ways: tuple[int, ...] | None) -> float | None:
    """xgboost's AUC on the same bins."""
    binner = Binner.fit(problem.values[: -problem.held], BINS)
    bins = binner.transform(problem.values).astype(np.float64)
    bins[bins == BINS] = np.nan
    settings: dict[str, Any] = {
        "objective": "binary:logistic", "tree_method": "hist", "max_bin": 256, "nthread": 1,
        "max_depth": params.max_depth, "learning_rate": params.learning_rate,
    }  # fmt: skip
    if ways is not None:
        settings["monotone_constraints"] = ways
    parts = slice(None, -problem.held), slice(-problem.held, None)
    tables = [xgboost.DMatrix(bins[part], problem.labels[part]) for part in parts]
    model = xgboost.train(settings, tables[0], params.n_estimators)
    return expected_auc(problem.rates[parts[1]], model.predict(tables[1], output_margin=True))


def line(draws: Sequence[Problem], trees: int, depth: int, moves: int) -> dict[str, Any]:
    """All figures of one data set; moves and costs of the first draw."""
    problem = draws[0]
    has_holes = bool(np.isnan(problem.values).any())
    free = TrainingParams(
        n_estimators=trees,
        max_depth=depth,
        max_bin=BINS,
        missing_values="allowed" if has_holes else "refused",
    )
    bound = TrainingParams(**(vars(free) | {"monotone_constraints": problem.ways}))
    with_ways, without = ours(problem, bound, moves), ours(problem, free, moves // 10)
    others = [with_ways, *(ours(draw, bound, 0) for draw in draws[1:])]
    pairs = zip(others, draws, strict=True)
    gaps = [one["auc"] - (theirs(draw, bound, draw.ways) or 0.0) for one, draw in pairs]
    levels = trees * depth
    return {
        "question": "monotone", "data": problem.name, "rows": len(problem.values) - problem.held,
        "trees": trees, "depth": depth, "with": with_ways, "without": without,
        "xgboost_with": theirs(problem, bound, problem.ways),
        "xgboost_without": theirs(problem, free, None), "gaps": gaps,
        "more_rounds_a_level": (with_ways["rounds"] - without["rounds"]) / levels,
        "more_bytes": with_ways["bytes"] / without["bytes"] - 1,
    }  # fmt: skip


def main() -> None:
    """Print a line a data set."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    asked.add_argument("--data", type=Path, help="credit_default.csv")
    asked.add_argument("--trees", type=int, default=20)
    asked.add_argument("--depth", type=int, default=4)
    asked.add_argument("--moves", type=int, default=115_000, help="About so many a data set.")
    asked.add_argument("--draws", type=int, default=8, help="Of the data sets that are drawn.")
    asked.add_argument("--share", type=float, default=1.0, help="Of their rows.")
    args = asked.parse_args()
    problems = [
        [make(seed).part(args.share) for seed in range(args.draws)] for make in (smooth, rare)
    ]
    if args.data is not None:
        problems.append([credit(args.data)])
    for draws in problems:
        sys.stdout.write(loopback.stamped(line(draws, args.trees, args.depth, args.moves)))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
