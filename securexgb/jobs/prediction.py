"""Prediction: a session in which one model scores rows as often as asked; and its file.

predictions.csv has one line a row, its id and its score, or its probability of each class.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.start import check_base_margin
from securexgb.boost.predict import Request, Scoring, check_rows, predict_margins
from securexgb.errors import DataError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.alignment import same_rows
from securexgb.jobs.rows import Rows
from securexgb.jobs.table import Table
from securexgb.mpc.party import Party
from securexgb.storage.trouble import refuse_machine
from securexgb.storage.whole import check_room, write_whole

_LINE_BYTES, _SCORE_BYTES = 38, 26
"""Of a line of predictions.csv, at most, without the id; of each score."""
Reals = NDArray[np.float64]


class Predictor:
    """One model's half at a party, ready to score; the other side has the other half.

    Both sides score the same rows in the same order, as often as they like, over one session.
    Keys that prediction "ckks" needs are made once, and a hidden model's tables are sent once: so
    the half stays as it was for the first rows, and what changed is refused.
    """

    def __init__(
        self,
        party: Party,
        half: ModelHalf,
        request: Request,
        federation: Federation | None = None,
        named: str = "rows to predict",
    ) -> None:
        """Within a session that somebody else opens and closes.

        ``federation``: whose terms say how each table is compared with the other side's: the
        number of rows, and ids where they name any; None: nothing is compared. ``named``: what the
        rows are called, and with them what is asked: where the other side calls them otherwise,
        nothing starts.
        """
        self.party = party
        self.half = half
        self._request = request
        self._federation = federation
        self._named = named
        self._scoring = Scoring()
        self._session = ExitStack()

    @staticmethod
    def open(federation: Federation, half: ModelHalf, named: str = "rows to predict") -> Predictor:
        """Join the other side; ``close`` ends it."""
        with ExitStack() as session:
            party = session.enter_context(federation.session("predict"))
            predictor = Predictor(party, half, federation.terms.request, federation, named)
            predictor._session = session.pop_all()
        return predictor

    def margins(self, rows: Rows) -> Reals | None:
        """Rounded margins (n,), log odds or values, or (n, classes); None at a side that does not
        get them."""
        check_rows(self.party, self.half, rows.values)
        given, params = rows.base_margin, self.half.params
        check_base_margin(self.party.rank, params, given, rows.count, self._named)
        if self._federation is not None:
            if rows.keys is not None and rows.aligned is None:
                raise UsageError(
                    f"the {self.party.role} party's rows come with keys to align by, and are not "
                    "aligned: a Predictor scores common rows in their common order; let "
                    "jobs.aligning.tables.aligned_margins find them, or predict by the estimator"
                )
            same_rows(self.party, [(self._named, rows)], self._federation.terms)
        return predict_margins(
            self.party, self.half, rows.values, self._request, self._scoring, given
        )

    def score(self, rows: Rows) -> Reals | None:
        """Probabilities, or values of the target (n,), or (n, classes); None at a side that does
        not get them."""
        margins = self.margins(rows)
        return None if margins is None else objective_of(self.half.params).predictions(margins)

    def close(self) -> None:
        """End the session that ``open`` began."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._session.__exit__(*error)


def check_place(federation: Federation, target: Path, rows: Table) -> None:
    """FileError where this side gets scores of these rows and ``target`` could not hold them.

    Before they are opened: what was opened and is lost would have to be opened again.
    """
    if federation.terms.predictions_to in (federation.role, "both"):
        ids = 0 if rows.ids is None else sum(len(own.encode()) for own in rows.ids)
        outputs = objective_of(federation.terms.training).outputs
        check_room(target, ids + (rows.count + 1) * (_LINE_BYTES + outputs * _SCORE_BYTES))


def write_predictions(
    target: Path,
    ids: Sequence[str] | None,
    scores: Reals,
    classes: Sequence[Any] | None,
) -> None:
    """Write UTF-8 CSV: id (or row number from 1), and the probability or the value, or of several
    classes the probability of each, ``scores`` (n, classes).

    Ids are those of the rows' file to the letter, and always in quotes: a reader can tell that
    they are text, whatever they look like. ``classes``: of a classification, where known; of
    several the feature party, who is not told their names, has numbers.
    """
    names = ["prediction" if classes is None else f"probability of {classes[1]}"]
    if scores.ndim == 2:
        names = [f"probability of {name}" for name in classes or range(scores.shape[1])]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(["row" if ids is None else "id", *names])
    keys = range(1, len(scores) + 1) if ids is None else ids
    lines = scores.reshape(len(scores), -1).tolist()
    writer.writerows([key, *line] for key, line in zip(keys, lines, strict=True))
    write_whole(target, stream.getvalue().encode())


def read_ids(path: Path, side: str) -> tuple[str, ...]:
    """The ids of a predictions file, in its order."""
    return tuple(name for name, _ in _lines(path, side))


def _lines(path: Path, side: str) -> list[tuple[str, list[float]]]:
    """Each row's id and its scores, as many in all rows."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            head, *lines = list(csv.reader(stream))
        if any(len(line) != len(head) for line in lines) or len(head) < 2:
            raise ValueError("a line has more or fewer fields than the first one")
        return [(line[0], [float(score) for score in line[1:]]) for line in lines]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        refuse_machine("read", path, error)
        raise DataError(f"{side}: {path} is not a predictions file: {error}") from None


def read_scores(path: Path, side: str) -> Reals:
    """The scores of a predictions file, (n,), or (n, classes)."""
    scores = np.array([of_row for _, of_row in _lines(path, side)])
    if not scores.size or not np.isfinite(scores).all():
        raise DataError(f"{side}: {path} has no predictions, or one that is no number")
    return scores if scores.shape[1] > 1 else scores[:, 0]
