"""Scores by shards: what the trees of a finished model add to the margins of new rows.

Each pair of shards computes it for its own rows, in shares, as two parties without shards do; the
heads put the shares together and open what the terms let them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.predict import predict_moved
from securexgb.cluster.commands import Said, ask_all, pack, told_model
from securexgb.cluster.head import shards_in_session
from securexgb.cluster.parts import ShardHandle, shard_rows
from securexgb.cluster.scoring import PREDICT, SCORES
from securexgb.federation.session import Federation, Purpose
from securexgb.jobs.alignment import same_rows
from securexgb.jobs.evaluation import Moved
from securexgb.jobs.prediction import Reals
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import FinishedRun
from securexgb.jobs.table import Table
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared


def like_model(finished: FinishedRun) -> Rows:
    """No rows, with the columns, classes and categories of a model's."""
    half, classes = finished.half, finished.record.classes
    named = None if classes is None else tuple(classes)
    return Rows.none_of(half.columns, named, half.categories)


def predict_by_shards(
    federation: Federation, party: Party, finished: FinishedRun, table: Table
) -> Reals | None:
    """Scores of the rows of ``predict_data``, as ``Predictor.score`` gives them."""
    half, request = finished.half, federation.terms.request
    same_rows(party, [("rows to predict", table)], federation.terms)
    with moved_by_shards(federation, party, finished, "predict") as moved:
        trees = moved(PREDICT, table)
    margins = predict_moved(party, half, trees, request, table.base_margin)
    return None if margins is None else objective_of(half.params).predictions(margins)


@contextmanager
def moved_by_shards(
    federation: Federation, party: Party, finished: FinishedRun, purpose: Purpose
) -> Iterator[Moved]:
    """What gives the trees' part of margins, while this side's shards are in the session."""
    like, run = like_model(finished), finished.run.path.name
    with shards_in_session(federation, party, purpose, run, like) as shards:

        def moved(name: str, table: Table) -> Shared:
            data_set = name if name == PREDICT else f"eval.{name}"
            return _asked(shards.handles, finished.half, data_set, table.count)

        yield moved


def _asked(shards: Sequence[ShardHandle], model: ModelHalf, data_set: str, rows: int) -> Shared:
    best = replace(model, trees=model.best_trees, best_iteration=None)
    half = told_model(best)
    sizes = [part.stop - part.start for part in shard_rows(rows, len(shards))]
    questions = (pack(Said(SCORES, (size,), (data_set,), (half,))) for size in sizes)
    answers = ask_all(shards, SCORES, questions)
    shares = [
        said.array(0, np.uint64, (model.outputs, size))
        for said, size in zip(answers, sizes, strict=True)
    ]
    return Shared(np.concatenate(shares, axis=1))
