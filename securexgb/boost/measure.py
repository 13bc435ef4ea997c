"""Metrics of a finished model on new rows: computed in shares, their values alone opened."""

from __future__ import annotations

from collections.abc import Sequence

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.evaluation import Truth, check_metrics, metric_value
from securexgb.boost.job import SideData
from securexgb.boost.predict import base_margins, training_margins
from securexgb.errors import TermsDiffer
from securexgb.mpc.party import Party


def measure(
    party: Party, model: ModelHalf, name: str, data: SideData, metrics: Sequence[str]
) -> dict[str, float]:
    """The metrics of ``model`` on ``data``, rows (n, own columns); equal at both parties.

    Labels, and weights if there are any, are the label party's. TermsDiffer where the two
    sides do not measure the same model on as many rows.
    """
    with party.step(name):
        mine = f"{model.model_id} {len(model.best_rounds)} {data.rows} {','.join(metrics)}"
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
        truth = Truth(data.rows, weighted, data.labels, data.weights, model.centre)
        check_metrics(truth, name, model.params, metrics)
        margins = base_margins(model, data.rows) + training_margins(
            party, model, model.best_rounds, data.features
        )
        return {
            metric: metric_value(party, metric, margins, truth, model.params) for metric in metrics
        }
