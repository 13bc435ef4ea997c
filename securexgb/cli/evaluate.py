"""``securexgb evaluate``: the metrics of the terms on the evaluation files, in shares."""

from __future__ import annotations

from pathlib import Path

from securexgb.boost.leak import of_metrics
from securexgb.boost.measure import measure
from securexgb.cli.finished import finished_run
from securexgb.cli.leaks import facts_of, leaks_text
from securexgb.cli.ledgers import ledger_table, recorded
from securexgb.cli.options import ConfigOption, JobOption, SetOption, federation_of
from securexgb.cli.output import Format, FormatOption, note, result, table
from securexgb.cli.predict import RunOption
from securexgb.cli.sides import load_rows, needed_file, same_names, same_rows
from securexgb.errors import UsageError


def evaluate(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    run: RunOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Measure the model on eval_data; only the metrics' values are opened, to both sides."""
    federation = federation_of(config, job, setting)
    settings, training = federation.config, federation.terms.training
    if not settings.eval_data:
        raise UsageError(f"{settings.name}: name eval_data in party.toml")
    for name, path in settings.eval_data.items():
        needed_file(path, f"eval_data.{name}", settings.name)
    finished = finished_run(federation, run)
    note(f"job {federation.digest}, waiting for {federation.peer_name}")
    found, metrics = {}, {}
    with federation.session("evaluate") as party, recorded(finished.run, party):
        same_names(party, list(settings.eval_data))
        for name, path in settings.eval_data.items():
            rows = load_rows(
                federation, path, columns=finished.half.columns, classes=finished.classes
            )
            same_rows(party, federation, rows, name)
            found[name] = rows.data
        federation.terms.floors.check(None, [(name, data.rows) for name, data in found.items()])
        for name, data in found.items():
            metrics[name] = measure(party, finished.half, name, data, training.metrics)
        ledger = party.ledger.rows()
    finished.run.log("evaluated", metrics=metrics)
    leaks = facts_of(
        [of_metrics(name, data.rows, len(metrics[name])) for name, data in found.items()]
    )
    text = table(
        [
            (name, metric, value)
            for name, values in metrics.items()
            for metric, value in values.items()
        ],
        ("rows", "metric", "value"),
    )
    text += f"\n\n{ledger_table(ledger)}\n\n{leaks_text(leaks)}"
    result({"metrics": metrics, "ledger": ledger, "leaks": leaks}, text, form)
