"""An estimator as one side of a federation: terms, ids, and the two sessions that it opens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from securexgb.align.ids import check_same_rows
from securexgb.boost.booster import TrainingJob
from securexgb.boost.booster import train as run_training
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams, declarations
from securexgb.boost.predict import predict_margins
from securexgb.errors import DataError, UsageError
from securexgb.mpc.party import Party

if TYPE_CHECKING:
    from securexgb.federation.session import Federation

Ids = tuple[str, ...]
"""One text a row."""
Reals = NDArray[np.float64]


def refuse_other_terms(given: Any, federation: Federation) -> None:
    """A parameter set on an estimator must be the terms' one: nothing is ignored."""
    terms, defaults = federation.terms, TrainingParams()
    agreed = {name: getattr(terms.training, name) for name in declarations()}
    usual = {name: getattr(defaults, name) for name in declarations()}
    agreed |= {name: getattr(terms, name) for name in ("algorithm", "he", "offline", "prediction")}
    for name, value in agreed.items():
        mine = getattr(given, name)
        mine = tuple(mine) if isinstance(mine, list) else mine
        if mine not in (None, usual.get(name), value):
            raise UsageError(
                f"{name}={mine!r} differs from the job's terms, which say {value!r}: in a "
                "federation the terms decide"
            )


def ids_of(federation: Federation | None, ids: Any, rows: int, what: str) -> Ids | None:
    """The ids (rows,) of ``what``, as texts, where the terms have both sides compare ids.

    UsageError where they are missing, or given for nothing; DataError where they are no texts
    or whole numbers, or not one a row.
    """
    column = None if federation is None else federation.terms.id_column
    if column is None:
        if ids is not None:
            raise UsageError(
                f"ids of the {what} were given, and nothing compares them: they are for a "
                "federation whose terms name an id_column"
            )
        return None
    assert federation is not None
    side = federation.config.name
    if ids is None:
        raise UsageError(
            f"{side}: the terms name the id column {column!r}, so that both sides compare their "
            f"rows; give the ids of the {what}, one a row (ids=..., eval_set_ids=...)"
        )
    values = np.asarray(ids, dtype=object)
    if values.shape != (rows,):
        raise DataError(f"{side}: the {what} has {rows} rows and ids of the shape {values.shape}")
    if not all(isinstance(value, (str, int, np.integer)) for value in values):
        raise DataError(
            f"{side}: ids of the {what} must be texts or whole numbers; a number with a point is "
            "another text at the other side, so read the column as text"
        )
    return tuple(str(value) for value in values)


def trained(
    federation: Federation, job: TrainingJob, ids: Sequence[Ids | None]
) -> tuple[ModelHalf, list[dict[str, str | int]]]:
    """This side's half and ledger. ``ids``: of the training data, then of each evaluation set;
    DataError at both sides where rows differ."""
    with federation.session("train") as party:
        names = ("training data", *(name for name, _ in job.evals))
        counts = (job.data.rows, *(data.rows for _, data in job.evals))
        for name, own, rows in zip(names, ids, counts, strict=True):
            _check(party, federation, own, rows, name)
        half = run_training(party, job)
        return half, party.ledger.rows()


def predicted(
    federation: Federation, half: ModelHalf, features: Reals, ids: Ids | None
) -> Reals | None:
    """Rounded margins; None at a side that does not get them."""
    with federation.session("predict") as party:
        _check(party, federation, ids, len(features), "rows to predict")
        return predict_margins(party, half, features, federation.terms.request)


def _check(party: Party, federation: Federation, ids: Ids | None, rows: int, name: str) -> None:
    if ids is not None:
        with party.step(name):
            check_same_rows(party, ids, rows, federation.terms.id_column)
