"""The rows of a work: synthetic, of a CSV file, or bundled with scikit-learn; and their parts."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from works import Work

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Data:
    """A table, label party's columns first: how many those are, and where the rows go."""

    table: Reals
    labels: Reals
    mine: int
    fitted: NDArray[np.int64]
    held: NDArray[np.int64]

    @staticmethod
    def of(work: Work) -> Data:
        if work.data == "breast-cancer":
            from sklearn.datasets import load_breast_cancer  # noqa: PLC0415  (slow to load)

            table, labels = load_breast_cancer(return_X_y=True)
            mine = table.shape[1] // 2
        elif work.data:
            table, labels, mine = _read(work)
        else:
            table, labels = synthetic(work.rows, work.columns, work.seed)
            mine = work.columns
        order = np.random.default_rng(work.seed).permutation(len(labels))
        cut = round(len(labels) * work.test_fraction)
        return Data(table, labels.astype(np.float64), mine, np.sort(order[cut:]), order[:cut])

    def save(self, folder: Path) -> None:
        """A file for each party, with what that party may know."""
        sides = {"label": self.table[:, : self.mine], "feature": self.table[:, self.mine :]}
        for role, own in sides.items():
            arrays = {"fitted": own[self.fitted], "held": own[self.held]}
            if role == "label":
                arrays["labels"] = self.labels[self.fitted]
                arrays["held_labels"] = self.labels[self.held]
            np.savez(folder / f"{role}.npz", **arrays)  # type: ignore[arg-type]


def synthetic(rows: int, columns: int, seed: int) -> tuple[Reals, Reals]:
    """Columns of both sides (label party's first) and labels that depend on both."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, 2 * columns))
    margin = table[:, 0] + table[:, columns] * table[:, 1] + 0.5 * table[:, -1]
    return table, (rng.random(rows) < 1 / (1 + np.exp(-margin))).astype(np.float64)


def _read(work: Work) -> tuple[Reals, Reals, int]:
    """The file's columns, label party's first, its labels, how many are the label party's."""
    with Path(work.data).open(encoding="utf-8", newline="") as file:
        names, *lines = csv.reader(file)
    table = np.array(lines, dtype=np.float64)
    first = work.label_columns.split(",")
    others = [name for name in names if name not in {work.label, "ID", *first}]
    order = [names.index(name) for name in [*first, *others]]
    return table[:, order], table[:, names.index(work.label)], len(first)
