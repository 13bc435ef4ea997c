"""predictions.csv: one line a row, its id and its score."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import DataError
from securexgb.storage.whole import write_whole

__all__ = ["Reals", "read_scores", "write_predictions"]

Reals = NDArray[np.float64]


def write_predictions(
    target: Path,
    ids: Sequence[str] | None,
    scores: Reals,
    classes: Sequence[Any] | None,
) -> None:
    """Write UTF-8 CSV: id (or row number from 1), and the probability or the value.

    Ids are those of the rows' file to the letter, and always in quotes: a reader can tell that
    they are text, whatever they look like. ``classes``: of a classification, where known.
    """
    name = "prediction" if classes is None else f"probability of {classes[1]}"
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["row" if ids is None else "id", name])
    keys = range(1, scores.size + 1) if ids is None else ids
    writer.writerows(zip(keys, scores.tolist(), strict=True))
    write_whole(target, stream.getvalue().encode())


def read_scores(path: Path, side: str) -> Reals:
    """The scores of a predictions file."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            scores = [float(line[1]) for line in list(csv.reader(stream))[1:]]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise DataError(f"{side}: {path} is not a predictions file: {error}") from None
    if not scores:
        raise DataError(f"{side}: {path} has no predictions")
    return np.array(scores)
