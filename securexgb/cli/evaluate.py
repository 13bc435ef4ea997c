"""``securexgb evaluate``: the metrics of the terms on the evaluation files, in shares."""

from __future__ import annotations

from pathlib import Path

from securexgb.boost.leak import of_evaluation
from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption, WaitOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cli.predict import RunOption
from securexgb.cluster.data import load_set_tables
from securexgb.cluster.scores import like_model, moved_by_shards
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.data.files import load_sets, needed_sets
from securexgb.jobs.evaluation import evaluate as run_evaluation
from securexgb.jobs.ledgers import recorded
from securexgb.jobs.reports import follow_ledger
from securexgb.jobs.resuming.common_model import common_model, own_models
from securexgb.jobs.runs import FinishedRun
from securexgb.jobs.table import NamedTables
from securexgb.mpc.party import Party
from securexgb.report.aligned import table
from securexgb.report.text import leaks_text, ledger_table


def evaluate(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    run: RunOption = None,
    wait: WaitOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Measure the model on eval_data; the metrics' values are opened, to both sides, and nothing
    else unless the terms give the label party these rows' scores (evaluation_scores_to)."""
    federation = federation_of(config, job, setting, wait=wait)
    settings = federation.config
    if not settings.eval_data:
        raise UsageError(f"{settings.name}: name eval_data in party.toml")
    needed_sets(settings)
    models = own_models(federation, run)
    note(f"job {federation.digest}, waiting for {federation.peer_name}")
    with federation.session("evaluate") as party:
        finished = common_model(party, federation, models)
        with finished.run.ending_logged("evaluate"), recorded(finished.run, party) as kept:
            half = finished.half
            sets: NamedTables
            if federation.terms.shards:
                sets = load_set_tables(federation, like_model(finished))
            else:
                classes = finished.record.classes
                sets = load_sets(federation, half.columns, classes, half.categories)
            kept.stands_on([rows for _, rows in sets])
            metrics = _measured(party, federation, finished, sets)
            ledger = party.ledger.rows()
    finished.run.log("evaluated", metrics=metrics)
    follow_ledger(federation, finished)
    params, rounds = finished.half.params, len(finished.half.best_rounds)
    leaks = of_evaluation(params, [(name, rows.count) for name, rows in sets], rounds)
    text = table(
        [
            (name, metric, value)
            for name, values in metrics.items()
            for metric, value in values.items()
        ],
        ("rows", "metric", "value"),
    )
    text += f"\n\n{ledger_table(ledger)}\n\n{leaks_text(leaks)}"
    result(
        {"metrics": metrics, "ledger": ledger, "leaks": [leak.to_mapping() for leak in leaks]},
        text,
        form,
    )


def _measured(
    party: Party, federation: Federation, finished: FinishedRun, sets: NamedTables
) -> dict[str, dict[str, float]]:
    if not federation.terms.shards:
        return run_evaluation(party, federation, finished.half, sets)
    with moved_by_shards(federation, party, finished, "evaluate") as moved:
        return run_evaluation(party, federation, finished.half, sets, moved)
