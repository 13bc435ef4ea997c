"""Metrics of a finished model on new rows: computed in shares, their values alone opened; or at the
label party, where the terms give it these rows' scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.leak import most_of_evaluation
from securexgb.boost.metrics.auc import EvaluationTargets
from securexgb.boost.metrics.measuring import Measured, check_measured, measured_metrics
from securexgb.boost.objective.start import check_base_margin, margins_to_begin
from securexgb.boost.predict import check_rows, training_margins
from securexgb.errors import TermsDiffer
from securexgb.federation.session import Federation
from securexgb.jobs.alignment import same_names, same_rows
from securexgb.jobs.job import in_memory
from securexgb.jobs.table import NamedTables, Table
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared

Moved: TypeAlias = Callable[[str, Table], Shared]
"""What the best rounds of a model add to the margins of a named set's rows, (outputs, rows)."""


def measure(
    party: Party,
    model: ModelHalf,
    name: str,
    data: Table,
    metrics: Sequence[str],
    moved: Moved | None = None,
) -> dict[str, float]:
    """The metrics of ``model`` on ``data``, rows (n, own columns); equal at both parties.

    Labels, and weights if there are any, are the label party's. TermsDiffer where the two
    sides do not measure the same model on as many rows. ``moved``: of rows that lie elsewhere.
    """
    if moved is None:
        check_rows(party, model, in_memory(data).values)
        moved = _moved_here(party, model)
    _check_margin(party, model, name, data)
    with party.step(name):
        mine = f"{model.model_id} {len(model.best_rounds)} {data.count} {','.join(metrics)}"
        weighted = data.weights is not None
        sent = f"{int(weighted)} {mine}"
        flag, _, theirs = (
            party.exchange_bytes(sent.encode()).decode(errors="replace").partition(" ")
        )
        if theirs != mine:
            raise TermsDiffer(
                "the two sides do not measure the same thing (model, trees, rows, metrics): "
                f"here {mine!r}, at the other side {theirs[:120]!r}"
            )
        weighted = weighted if party.rank == 0 else flag == "1"
        base, centre = margins_to_begin(party, model, data.base_margin, data.count)
        truth = EvaluationTargets(data.count, weighted, data.labels, data.weights, centre)
        # A sample is for trees in the making.
        params = replace(model.params, auc_rows=0, eval_metric=tuple(metrics))
        check_measured(truth, name, params, metrics)
        margins = base + moved(name, data)
        with party.ledger.announced(most_of_evaluation(params, [data.count])):
            asked = [Measured("metrics", margins, truth)]
            (values,) = measured_metrics(party, params, asked, metrics)
        return dict(zip(metrics, values, strict=True))


def _moved_here(party: Party, model: ModelHalf) -> Moved:
    def moved(_: str, rows: Table) -> Shared:
        return training_margins(party, model, model.best_rounds, [in_memory(rows).values])

    return moved


def _check_margin(party: Party, model: ModelHalf, name: str, rows: Table) -> None:
    given, named = rows.base_margin, f"rows of {name}"
    check_base_margin(party.rank, model.params, given, rows.count, named)


def evaluate(
    party: Party,
    federation: Federation,
    model: ModelHalf,
    sets: NamedTables,
    moved: Moved | None = None,
) -> dict[str, dict[str, float]]:
    """The metrics of the terms by evaluation set, equal at both parties.

    Names, rows and their least number are compared before any value is opened; rows that the model
    cannot take are refused before anything is sent. ``moved``: of rows that lie elsewhere, and are
    checked there.
    """
    for name, rows in sets:
        if moved is None:
            check_rows(party, model, in_memory(rows).values)
        _check_margin(party, model, name, rows)
    same_names(party, sets)
    same_rows(party, sets, federation.terms)
    federation.terms.floors.check(None, [(name, rows.count) for name, rows in sets])
    metrics = federation.terms.training.metrics
    return {name: measure(party, model, name, rows, metrics, moved) for name, rows in sets}
