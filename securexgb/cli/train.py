"""``securexgb train``: this side's part of a training, its run directory and its half."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.boost.importance import why_not
from securexgb.boost.leak import after_training, before_training
from securexgb.cli.options import ConfigOption, JobOption, SetOption, federation_of
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cli.progress import TrainingProgress
from securexgb.federation.session import Federation
from securexgb.jobs.checkpoint import CheckpointStore
from securexgb.jobs.checks import LEAVE_OUT
from securexgb.jobs.data.files import load_rows, load_sets, needed_file, needed_sets
from securexgb.jobs.ledgers import recorded, verdict_of
from securexgb.jobs.reports import Quality, costs_of, curves, write_report
from securexgb.jobs.runs import RunDirectory, RunRecord
from securexgb.jobs.training import agreed_job
from securexgb.jobs.training import train as run_training
from securexgb.model.files import save_half
from securexgb.mpc.party import Party
from securexgb.report.text import (
    bits_facts,
    bits_line,
    bits_warnings,
    figure,
    leaks_text,
    ledger_table,
    numbering_sentence,
    positive_sentence,
    short_verdict,
    table,
)
from securexgb.storage.sealed import ModelKey, find_key
from securexgb.storage.whole import make_directory, remove_parts


def train(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest run of this job.")
    ] = False,
    form: FormatOption = Format.text,
) -> None:
    """Train together with the other side; leaves a run directory with this side's half."""
    federation = federation_of(config, job, setting)
    settings = federation.config
    path = needed_file(settings.train_data, "train_data", settings.name)
    needed_sets(settings)
    key = find_key(settings.model_key)
    root, digest = settings.run_directory, federation.digest
    if resume:
        names = ("checkpoint/state.json", "checkpoint")
        run = RunDirectory.latest(root, digest, holding=names, side=settings.name)
        remove_parts(run.path)
    else:
        run = RunDirectory.create(root, digest)
        run.write("job.toml", federation.terms.to_toml())
    note(f"job {digest}, run {run.path}, waiting for {federation.peer_name}")
    run.log("resumed" if resume else "started", digest=digest, role=federation.role)
    with run.ending_logged("train"):
        half, record = _train(federation, path, run, key, resume)
        write_report(federation, run, half, record, Quality())
    run.log("finished", trees=len(half.trees))
    shown = {
        "run": str(run.path),
        "model": str(run.model / f"{half.role}.npz"),
        "digest": digest,
        "trees": len(half.trees),
        "best_iteration": half.best_iteration,
        "metrics": half.history,
        "gradient_bits": bits_facts(half.numbers),
        **record.to_mapping(),
    }
    result(shown, _text(run, half, record), form)


def _train(
    federation: Federation, path: Path, run: RunDirectory, key: ModelKey | None, resume: bool
) -> tuple[ModelHalf, RunRecord]:
    """The part with the other side; what is worth keeping of it is written on the way."""
    # A run that stopped before its first tree has nothing to go on from, and begins anew.
    make_directory(run.checkpoint)
    with federation.session("train") as party, recorded(run, party) as ledger:
        began = perf_counter()
        rows = load_rows(federation, path)
        for sentence in (
            positive_sentence(rows.classes, rows.positive_share),
            numbering_sentence(rows.numbering_columns, LEAVE_OUT),
        ):
            if sentence:
                note(sentence)
        evals = load_sets(federation, rows.column_names, rows.classes)
        training = agreed_job(party, federation, rows, evals)
        run.log("agreed", rows=rows.count, columns=len(rows.column_names))
        with TrainingProgress(party, federation.peer_name, training.params.n_estimators) as bar:
            recorder = _Recorder(party, run, bar, training.set_rows)
            store = CheckpointStore(run.checkpoint, key, partial(_tell, run))
            training = replace(training, store=store, resume=resume, callbacks=(recorder,))
            half = run_training(party, training)
        record = RunRecord(
            ledger=ledger.rows(),
            costs=costs_of(party, perf_counter() - began),
            offline_source=party.source.name,
            dealer_evidence=party.source.evidence,
            dealer=verdict_of(party),
            missing_rates=rows.missing_rates,
            classes=rows.classes,
            positive_share=rows.positive_share,
            leaks=after_training(half, training.set_rows),
        )
        record.write(run)
        make_directory(run.model)
        save_half(half, run.model / f"{half.role}.npz", key)
    return half, record


def _tell(run: RunDirectory, sentence: str) -> None:
    note(sentence)
    run.log("repaired", what=sentence)


@dataclass(eq=False)
class _Recorder(TrainingCallback):
    """First what is opened at worst; after each tree a line of metrics, and the bar."""

    party: Party
    run: RunDirectory
    progress: TrainingProgress
    set_rows: list[tuple[str, int]]
    began: float = field(default_factory=perf_counter)

    def before_training(self, model: ModelHalf) -> ModelHalf:
        note(f"at worst: {leaks_text(before_training(model.params, model.layout, self.set_rows))}")
        for warning in bits_warnings(model.numbers):
            note(f"warning: {warning}")
        self.run.log(
            "training", trees_so_far=len(model.trees), gradient_bits=bits_facts(model.numbers)
        )
        self.run.cut_metrics(len(model.trees))
        return model

    def after_training(self, model: ModelHalf) -> ModelHalf:
        if model.params.opens_importance and model.importance is None:
            note(f"warning: the model has no importance: {why_not(model)}")
        return model

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        newest = {name: values[-1] for name, values in curves(evals_log).items()}
        now = perf_counter()
        traffic = self.party.channel.traffic
        line = {
            "tree": epoch,
            "seconds": now - self.began,
            "rounds": self.party.rounds,
            "bytes_sent": traffic.bytes_sent,
            "bytes_received": traffic.bytes_received,
        }
        self.began = now
        self.run.metric(line | newest)
        self.progress.tree_done(
            epoch + 1, " ".join(f"{name} {figure(value)}" for name, value in newest.items())
        )
        return False


def _text(run: RunDirectory, half: ModelHalf, record: RunRecord) -> str:
    costs = record.costs
    rows = [
        ("rounds", costs.rounds),
        ("MB sent", costs.bytes_sent / 1e6),
        ("MB received", costs.bytes_received / 1e6),
        ("MB offline", costs.offline_bytes / 1e6),
        ("seconds offline", costs.offline_seconds),
        ("seconds waited for it", costs.waited_seconds),
        ("seconds online", costs.online_seconds),
        ("seconds total", costs.total_seconds),
    ]
    return "\n\n".join(
        [
            f"{len(half.trees)} trees; this side's half is in {run.model}, the report is "
            f"{run.path / 'report.html'}\n{bits_line(half.numbers)}",
            table(rows, ("cost of this session at this side", "")),
            ledger_table(record.ledger),
            leaks_text(record.leaks),
            short_verdict(record.dealer),
        ]
    )
