"""What do cuts do to an AUC? Plain xgboost on its own bins, on ours, and on plain quantiles.

    python benchmarks/binning.py
    python benchmarks/binning.py --credit credit_default.csv     # with the credit data

One JSON line a data set and number of bins: the AUC of xgboost on its own bins, and by how much
other cuts change it, mean and standard error over random splits 70/30. Then, for weighted rows, our
unweighted cuts against xgboost's weighted ones, by weighted AUC. No secure computation: whoever
cuts alike grows alike.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import inputs
import loopback
import numpy as np
import works
import xgboost
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score

from securexgb.boost.columns.binning import Binner, without_cut

Reals = NDArray[np.float64]
Rows = tuple[Reals, Reals]
"""A table and its labels."""
AS_THEY_ARE = 512
"""Bins for columns of bin numbers: more than there are, so xgboost cuts between all."""


def quantiles(columns: Reals, bins: int) -> Binner:
    """Cuts at plain quantiles: what ours are where no value is heavy."""
    cuts = np.full((columns.shape[1], bins), np.inf)
    for feature in range(columns.shape[1]):
        values = columns[:, feature]
        ordered = np.sort(values[~np.isnan(values)])
        found = np.unique(ordered)[1:]
        if found.size >= bins:
            found = np.unique(ordered[np.arange(1, bins) * ordered.size // bins])
            found = found[found > ordered[0]]
        cuts[feature, : found.size] = found
    return Binner(cuts)


RULES: dict[str, Callable[[Reals, int], Binner]] = {"capped": Binner.fit, "quantiles": quantiles}


def mostly_zero(rows: int, seed: int) -> Rows:
    """One column that is 0 in 98 % of the rows, and says nearly everything; one of noise."""
    draws = np.random.default_rng(seed)
    amount = np.where(draws.random(rows) < 0.02, draws.uniform(1, 1000, rows).round(2), 0.0)
    chance = np.where(amount > 0, 0.9, 0.01)
    return np.column_stack([draws.normal(size=rows), amount]), draws.random(rows) < chance


def zero_between(rows: int, seed: int) -> Rows:
    """Like balances and claims: 85 % zeros between two sides, 97 % zeros below amounts."""
    draws = np.random.default_rng(seed)
    table = draws.normal(size=(rows, 4))
    balance = np.where(draws.random(rows) < 0.85, 0, draws.normal(0, 300, rows).round(1))
    claim = np.where(draws.random(rows) < 0.97, 0, draws.lognormal(5, 1.5, rows).round(1))
    margin = 0.5 * table[:, 0] + 1.5 * (balance > 100) - (balance < -200)
    margin += -2 - 1.2 * (claim > 100) - (claim > 600)
    return np.column_stack([table, balance, claim]), draws.random(rows) < 1 / (1 + np.exp(-margin))


def data_sets(options: argparse.Namespace) -> Iterator[tuple[str, Rows]]:
    yield "breast-cancer", load_breast_cancer(return_X_y=True)
    digits, figures = load_digits(return_X_y=True)
    yield "digits, odd or even", (digits, figures % 2)
    yield "synthetic, normal", inputs.synthetic(options.rows, 5, seed=1)
    yield "synthetic, 98 % zeros", mostly_zero(options.rows, seed=0)
    yield "synthetic, zeros between", zero_between(options.rows, seed=7)
    if options.credit is None:
        sys.stderr.write("without the credit data: name the file by --credit\n")
        return
    work = works.Work(name="", data=str(options.credit), label=options.label, label_columns="SEX")
    data = inputs.Data.of(work)
    yield options.credit.name, (data.table, data.labels)


def trained(train: Rows, test: Rows, bins: int, trees: int, weights: Reals | None = None) -> Reals:
    """xgboost's predictions for the test rows."""
    fixed = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 4, "nthread": 1}
    matrix = xgboost.DMatrix(train[0], train[1], weight=weights)
    model = xgboost.train(fixed | {"max_bin": bins}, matrix, trees)
    return np.asarray(model.predict(xgboost.DMatrix(test[0])))


def binned(binner: Binner, table: Reals) -> Reals:
    """Bin numbers, NaN for missing values."""
    bins = binner.transform(table).astype(np.float64)
    bins[bins == binner.cuts.shape[1]] = np.nan
    return bins


def split(rows: Rows, seed: int) -> tuple[Rows, Rows, NDArray[np.int64]]:
    """Seventy and thirty percent, and the order that says which."""
    order = np.random.default_rng(seed).permutation(len(rows[1]))
    cut = round(0.7 * order.size)
    parts = [(rows[0][part], rows[1][part]) for part in (order[:cut], order[cut:])]
    return parts[0], parts[1], order


def compared(rows: Rows, bins: int, options: argparse.Namespace) -> dict[str, Any]:
    """AUC on xgboost's bins; differences to it, and columns without a cut, by rule."""
    own, others = [], {name: [] for name in RULES}
    uncut = dict.fromkeys(RULES, 0)
    for seed in range(options.splits):
        train, test, _ = split(rows, seed)
        auc = roc_auc_score(test[1], trained(train, test, bins, options.trees))
        own.append(auc)
        for name, rule in RULES.items():
            binner = rule(train[0], bins)
            parts = [(binned(binner, table), labels) for table, labels in (train, test)]
            found = trained(parts[0], parts[1], AS_THEY_ARE, options.trees)
            others[name].append(roc_auc_score(test[1], found) - auc)
            empty = np.isinf(binner.cuts[:, 0]).sum() - without_cut(train[0]).size
            uncut[name] = max(uncut[name], int(empty))
    changes = {name: {"mean": mean(found), "error": error(found)} for name, found in others.items()}
    return {"xgboost_auc": mean(own), "change": changes, "without_cut": uncut}


def weighted(bins: int, options: argparse.Namespace) -> dict[str, Any]:
    """Weights exp(N + 0.7 x0): cuts of ours, which ignore them, against xgboost's."""
    changes, own = [], []
    for seed in range(options.weighted_sets):
        table, labels = inputs.synthetic(options.rows, 5, seed)
        draws = np.random.default_rng(seed).normal(size=labels.size)
        weights = np.exp(draws + 0.7 * table[:, 0])
        train, test, order = split((table, labels), seed)
        cut = len(train[1])
        mine, theirs = weights[order[:cut]], weights[order[cut:]]
        found = trained(train, test, bins, options.trees, mine)
        auc = roc_auc_score(test[1], found, sample_weight=theirs)
        binner = Binner.fit(train[0], bins)
        parts = [(binned(binner, part), known) for part, known in (train, test)]
        found = trained(parts[0], parts[1], AS_THEY_ARE, options.trees, mine)
        own.append(auc)
        changes.append(roc_auc_score(test[1], found, sample_weight=theirs) - auc)
    change = {"capped": {"mean": mean(changes), "error": error(changes)}}
    return {"xgboost_auc": mean(own), "change": change}


def mean(values: list[float]) -> float:
    return float(np.mean(values))


def error(values: list[float]) -> float:
    """Standard error of the mean."""
    return float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--credit", type=Path, help="credit_default.csv")
    parser.add_argument("--label", default="default.payment.next.month", help="its label column")
    parser.add_argument("--rows", type=int, default=6000, help="of synthetic data")
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--weighted-sets", type=int, default=64)
    parser.add_argument("--trees", type=int, default=30)
    parser.add_argument("--bins-list", default="16,32", help="comma-separated")
    options = parser.parse_args()
    known = {"question": "binning", "xgboost": xgboost.__version__, "trees": options.trees}
    sizes = [int(bins) for bins in options.bins_list.split(",")]
    for name, rows in data_sets(options):
        shape = {"data": name, "rows": len(rows[1]), "columns": rows[0].shape[1]}
        for bins in sizes:
            line = known | shape | {"bins": bins} | compared(rows, bins, options)
            sys.stdout.write(loopback.stamped(line))
    for bins in sizes:
        shape = {"data": "synthetic, weighted", "rows": options.rows, "columns": 10, "bins": bins}
        sys.stdout.write(loopback.stamped(known | shape | weighted(bins, options)))


if __name__ == "__main__":
    main()
