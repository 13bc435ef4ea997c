"""The sessions of ``securexgb train``: one, or as many as a broken link makes of it.

Each session opens the link, agrees with the other side on the run to go on with, and trains; the
next one goes on with the same run. Data are read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.boost.importance import why_not
from securexgb.boost.leak import after_training, before_training
from securexgb.boost.metrics.schedule import is_evaluated
from securexgb.boost.objective.registry import objective_of
from securexgb.cli.output import note
from securexgb.cli.progress import TrainingProgress
from securexgb.cluster.data import load_data
from securexgb.cluster.head import training_shards
from securexgb.cluster.times import ShardTimes
from securexgb.errors import SecureXGBError
from securexgb.federation.session import Federation
from securexgb.jobs.checks import LEAVE_OUT
from securexgb.jobs.estimating.estimate import Estimate, estimate
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.link import Link, measured
from securexgb.jobs.estimating.words import estimate_sentence
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.ledgers import recorded, verdict_of
from securexgb.jobs.reports import costs_of, curves
from securexgb.jobs.resuming.checkpoint import CheckpointStore
from securexgb.jobs.resuming.choice import Choice, JobRuns, Mode, agree_on_run, find_runs
from securexgb.jobs.resuming.earlier import EarlierRun, effective
from securexgb.jobs.resuming.retrying import AGAIN_SECONDS, Patience, Reached, is_lost, keep_trying
from securexgb.jobs.runs import FinishedRun, RunDirectory, RunRecord, finished_run
from securexgb.jobs.table import NamedTables, Table
from securexgb.jobs.training import agreed_job, fingerprint
from securexgb.jobs.training import train as run_training
from securexgb.model.files import save_half
from securexgb.mpc.party import Party
from securexgb.report.aligned import figure
from securexgb.report.record import Compared, Ratio, SlowestShard
from securexgb.report.text import (
    bits_facts,
    bits_warnings,
    classes_sentence,
    leaks_text,
    numbering_sentence,
)
from securexgb.storage.sealed import ModelKey
from securexgb.storage.whole import make_directory, remove_parts


@dataclass(eq=False)
class Sessions:
    """A training of this side, over all its sessions.

    ``resume``: go on with a run that both sides have, ``only`` this one where it is given.
    ``earlier``: the finished run whose model the new one begins with. ``run``: the run that is
    written, once it is known. ``is_kept``: its model is written.
    """

    federation: Federation
    key: ModelKey | None
    resume: bool
    only: RunDirectory | None = None
    earlier: EarlierRun | None = None
    run: RunDirectory | None = None
    is_kept: bool = False
    reached: Reached = field(default_factory=Reached)
    _data: tuple[Table, NamedTables] | None = None

    def train(self) -> FinishedRun:
        """This side's half, once both sides have theirs."""
        settings, peer = self.federation.config, self.federation.peer_name
        if not self.resume:
            self.run = self._new_run()
        where = "" if self.run is None else f"run {self.run.path}, "
        note(f"job {self.federation.digest}, {where}waiting for {peer}")
        patience = Patience(settings.retries, settings.wait_seconds)
        try:
            keep_trying(self._attempt, self.reached, patience, self._try_again)
        except SecureXGBError as error:
            if not (self.is_kept and is_lost(error)):
                raise
            note(
                f"warning: {error}; this side's half is kept, but {peer} did not say so of its "
                "own: where it has none, both sides need `train --resume`"
            )
        return finished_run(self.federation, self._known_run.path)

    def _attempt(self) -> None:
        try:
            self._session()
        except BaseException as error:
            if self.run is not None:
                self.run.log_ending("train", error)
            raise

    def _try_again(self, sentence: str) -> None:
        note(sentence)
        if self.reached.has_met:
            config = self.federation.config
            wait = max(config.wait_seconds, AGAIN_SECONDS)
            self.federation = type(self.federation)(
                config.model_copy(update={"wait": wait}), self.federation.terms
            )
        if self.run is not None:
            self.run.log("trying again", message=sentence)

    def _session(self) -> None:
        with self.federation.session("train") as party:
            self.reached.has_met = True
            began = perf_counter()
            rows, evals = self._read()
            if self._choose(party, rows, evals).is_over:
                return
            run = self._known_run
            with recorded(run, party) as ledger:
                old = None if self.earlier is None else self.earlier.half
                training = agreed_job(party, self.federation, rows, evals, old)
                ledger.stands_on([rows, *(own for _, own in evals)])
                order = None if rows.aligned is None else rows.aligned.order_sha256
                facts = {"columns": len(rows.column_names), "aligned": order}
                run.log("agreed", rows=rows.count, **facts)
                trees, link = training.params.n_estimators, measured(party)
                party.round_words = link.round_words
                with TrainingProgress(party, self.federation.peer_name, trees) as bar:
                    is_aligned = rows.aligned is not None
                    recorder = _Recorder(
                        party, self, run, bar, training.set_rows, link, began, is_aligned
                    )
                    store = CheckpointStore(
                        run.checkpoint, self.key, self._tell, is_finished=self.is_kept
                    )
                    training = replace(training, store=store, resume=True, callbacks=(recorder,))
                    half = self._grown(party, training, run, recorder)
                if not self.is_kept:
                    record = RunRecord(
                        ledger=ledger.rows(),
                        costs=costs_of(party, perf_counter() - began),
                        offline_source=party.source.name,
                        dealer_evidence=party.source.evidence,
                        dealer=verdict_of(party),
                        missing_rates=rows.missing_rates,
                        classes=rows.classes,
                        class_shares=rows.class_shares,
                        leaks=after_training(half, training.set_rows),
                        estimate=recorder.compared(half),
                        whole_auc=half.whole_auc,
                        slowest_shards=tuple(recorder.slowest_shards),
                    )
                    self._keep(run, half, record)

    def _grown(
        self, party: Party, job: TrainingJob, run: RunDirectory, recorder: _Recorder
    ) -> ModelHalf:
        """Where rows are in shards, with these."""
        if not self.federation.terms.shards:
            return run_training(party, job)
        with training_shards(self.federation, party, run.path.name, job) as rows:
            times = recorder.shards = rows.times
            half = run_training(party, replace(job, row_side=lambda _: rows))
        seconds = times.seconds
        slowest = max(range(len(seconds)), key=seconds.__getitem__)
        note(
            f"shard {slowest} took longest: {seconds[slowest]:.1f} s of work; the slowest of each "
            f"step together {times.steps:.1f} s"
        )
        run.log("shards", seconds=seconds, slowest_of_each_step=times.steps)
        return half

    def _keep(self, run: RunDirectory, half: ModelHalf, record: RunRecord) -> None:
        """Write what a finished run has; the half last: a run that has it is finished."""
        record.write(run)
        make_directory(run.model)
        save_half(half, run.half(half.role), self.key)
        self.is_kept = True
        run.log("finished", trees=len(half.trees))

    def _read(self) -> tuple[Table, NamedTables]:
        """This side's data, read by the first session that comes so far."""
        if self._data is None:
            known = None if self.earlier is None else self.earlier.categories
            rows, evals = load_data(self.federation, known)
            is_multi = self.federation.terms.training.traits.is_multi
            for sentence in (
                classes_sentence(rows.classes, rows.class_shares, is_multi=is_multi),
                numbering_sentence(rows.numbering_columns, LEAVE_OUT),
            ):
                if sentence:
                    note(sentence)
            if self.earlier is not None:
                self.earlier.check(self.federation, rows)
            if rows.aligned is not None:
                counts = [("training data", rows), *evals]
                note("aligned: " + ", ".join(f"{name}: {own.count:,} rows" for name, own in counts))
            self._data = rows, evals
        return self._data

    def _choose(self, party: Party, rows: Table, evals: NamedTables) -> Choice:
        """Agree with the other side on the run to go on with, or begin one."""
        federation, terms = self.federation, self.federation.terms
        job = JobRuns(
            rank=party.rank,
            root=federation.config.run_directory,
            digest=federation.digest,
            full_digest=terms.full_digest,
            only=self.only,
            made_of=fingerprint(effective(federation, self.earlier), rows, evals),
            columns=len(rows.column_names),
            outputs=objective_of(terms.training).outputs,
        )
        runs = find_runs(job, self.key) if self.resume else []
        names = (f"{terms.label_party} (label party)", f"{terms.feature_party} (feature party)")
        mode: Mode = "resume" if self.resume else "new"
        found, choice = agree_on_run(party, mode, runs, names)
        if found is not None:
            self.run, self.is_kept = found.directory, found.offer.is_finished
            note(
                f"going on with run {self.run.path}, of which both sides have {choice.trees} trees"
            )
            self.run.log("resumed", trees=choice.trees)
        elif self.run is None:
            self.run = (
                next((run.directory for run in runs if run.is_empty), None) or self._new_run()
            )
            note(f"nothing to go on from at either side: starting run {self.run.path}")
        make_directory(self.run.checkpoint)
        remove_parts(self.run.path)
        self.resume, self.only = True, self.run
        return choice

    def _tell(self, sentence: str) -> None:
        note(sentence)
        self._known_run.log("repaired", what=sentence)

    def _new_run(self) -> RunDirectory:
        federation = self.federation
        run = RunDirectory.create(federation.config.run_directory, federation.digest)
        run.write("job.toml", federation.terms.to_toml())
        run.log("started", digest=federation.digest, role=federation.role)
        if self.earlier is not None:
            half = self.earlier.half
            run.log("goes on from", model_id=half.model_id, run=str(self.earlier.run.path))
        return run

    @property
    def _known_run(self) -> RunDirectory:
        if self.run is None:
            raise RuntimeError("no run was agreed on")
        return self.run


@dataclass(eq=False)
class _Recorder(TrainingCallback):
    """First what is opened at worst; after each tree a line of metrics, and the bar."""

    party: Party
    sessions: Sessions
    run: RunDirectory
    progress: TrainingProgress
    set_rows: list[tuple[str, int]]
    link: Link
    session_began: float
    is_aligned: bool
    began: float = field(default_factory=perf_counter)
    before: int = 0
    past: int = 0
    estimate: Estimate | None = None
    shards: ShardTimes | None = None

    @property
    def slowest_shards(self) -> Sequence[SlowestShard]:
        """Of each tree of this session, where rows are in shards."""
        return () if self.shards is None else self.shards.trees

    def before_training(self, model: ModelHalf) -> ModelHalf:
        note(f"at worst: {leaks_text(before_training(model.params, model.layout, self.set_rows))}")
        for warning in bits_warnings(model.numbers):
            note(f"warning: {warning}")
        self.run.log(
            "training", trees_so_far=len(model.rounds), gradient_bits=bits_facts(model.numbers)
        )
        if not self.sessions.is_kept:
            self.run.cut_metrics(len(model.rounds))
        self.past = model.params.past.rounds
        self.sessions.reached.trees = self.before = len(model.rounds) - self.past
        self._expect(model)
        return model

    def _expect(self, model: ModelHalf) -> None:
        """Both sides' columns are known by now, and the link."""
        job = Job.of(
            self.sessions.federation.terms,
            model.layout.rows,
            model.layout.columns,
            self.set_rows,
            is_weighted=model.layout.weights,
            is_aligned=self.is_aligned,
        )
        job = replace(job, params=model.params)
        self.estimate = found = estimate(job, self.party.rank, self.link)
        note(f"expected {estimate_sentence(found)}")
        self.progress.expect(lambda first, last: found.grown(first, last).seconds, self.before)

    def compared(self, model: ModelHalf) -> Compared | None:
        """What this session took, and what was expected of the trees that it has grown."""
        if self.estimate is None:
            return None
        took = len(model.rounds) - self.past
        expected = self.estimate.training(took, before=self.before)
        # Seconds are those of the shards, too; rounds and bytes are counted here.
        parts = self.estimate.shards
        own = expected if parts is None else parts.head.training(took, before=self.before)
        traffic, dealt = self.party.channel.traffic, self.party.source.account.dealer_bytes
        return Compared(
            link=str(self.link),
            rounds=Ratio.of(self.party.rounds, own.rounds),
            bytes=Ratio.of(traffic.bytes_sent + traffic.bytes_received + dealt, own.bytes),
            seconds=Ratio.of(perf_counter() - self.session_began, expected.seconds),
        )

    def after_training(self, model: ModelHalf) -> ModelHalf:
        if model.params.opens_importance and model.importance is None:
            note(f"warning: the model has no importance: {why_not(model)}")
        return model

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        newest = {}
        if is_evaluated(model.params, epoch):
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
        said = " ".join(f"{name} {figure(value)}" for name, value in newest.items())
        if slowest := self.slowest_shards:
            last = slowest[-1]
            line |= {"slowest_shard": last.shard, "slowest_shard_seconds": last.seconds}
            said = f"{said} slowest shard {last.shard}: {figure(last.seconds)} s".lstrip()
        self.run.metric(line | newest)
        self.sessions.reached.trees = done = epoch + 1 - self.past
        self.progress.tree_done(done, said)
        return False
