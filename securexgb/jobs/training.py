"""Training: what is set up before the first tree, or taken up from a checkpoint; then the trees."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from securexgb.arith.fixedpoint import encode
from securexgb.arith.prg import Prg
from securexgb.boost.booster import grow_model
from securexgb.boost.columns.binning import Columns
from securexgb.boost.continued.going_on import going_on
from securexgb.boost.costs.trees import taken_by_trees
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.grower import TreeJob
from securexgb.boost.metrics.auc import EvaluationTargets
from securexgb.boost.metrics.measuring import check_measured
from securexgb.boost.metrics.schedule import is_evaluated, whole_sets
from securexgb.boost.objective.objective import Objective
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.start import margins_to_begin
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.groups import Groups
from securexgb.boost.state import DataSet, State
from securexgb.boost.tree import check_trees
from securexgb.errors import DataError
from securexgb.federation.session import Federation
from securexgb.jobs.agreement import Agreement, CheckpointSummary, JobDescription, agree
from securexgb.jobs.alignment import same_names, same_rows
from securexgb.jobs.data.columns import ColumnFacts
from securexgb.jobs.data.whole_rows import RowStart, TrainingRows, planned_sums
from securexgb.jobs.job import TrainingJob, check_hidden
from securexgb.jobs.resuming.checkpoint import (
    CheckpointStore,
    Ending,
    LoadedCheckpoint,
    SavedRound,
    TrainingState,
)
from securexgb.jobs.table import NamedTables, Table
from securexgb.mpc.party import Party


def train(party: Party, job: TrainingJob) -> ModelHalf:
    """Train a model with the other party; returns this party's half of it.

    Both parties call it with the same ``params``, ``job_digest``, rows and evaluation sets.
    Raises DataError, UsageError or TermsDiffer before the first tree where they do not fit.
    """
    with party.step("train"):
        model = grow_model(party, begin(party, job), job.callbacks)
    # Callbacks have written down by now what was opened: a resumption opens nothing again.
    if job.store is not None:
        ending = Ending(model.importance or (), tuple(model.whole_auc.values()))
        if ending != Ending() and not job.store.is_finished:
            job.store.save_ending(ending)
        # Whoever goes on from here, to write its model, knows that the other side has every tree.
        with party.step("kept"):
            party.exchange_bytes(b"")
    return model


def agreed_job(
    party: Party,
    federation: Federation,
    rows: Table,
    evals: NamedTables,
    old: ModelHalf | None = None,
) -> TrainingJob:
    """The training that the terms ask for, of rows that both sides hold in the same order.

    ``old``: this side's half of a model to go on from.
    Raises DataError or UsageError at both sides where rows or names of evaluation sets differ.
    """
    terms = federation.terms
    same_rows(party, [("training data", rows)], terms)
    same_names(party, evals)
    same_rows(party, evals, terms)
    return TrainingJob(
        params=terms.training if old is None else going_on(terms.training, old),
        data=rows,
        evals=tuple(evals),
        job_digest=terms.full_digest,
        floors=terms.floors,
        old=old,
    )


def begin(party: Party, job: TrainingJob) -> State:
    """Check the own data, agree with the other side, set everything up."""
    job.check(party.rank)
    rows = job.rows(party)
    saved = _saved(party, job, rows)
    agreement = agree(party, job.params, _description(party, job, saved))
    # The row counts are public and equal by now: both sides refuse, before anything is opened.
    job.floors.check(job.data.count, job.set_rows)
    if job.params.is_hidden:
        check_hidden(job.params, max(agreement.layout.columns), job.all_rows)
    if not agreement.is_resumed:
        saved = None
    objective = objective_of(job.params)
    saved_state = _state(party, job, agreement, saved)
    cuts = job.data.cuts(job.params.max_bin) if job.old is None else job.old.cuts
    model = _model(party, job, agreement, saved_state, objective, cuts)
    sets = _sets(party, job, agreement, model)
    _take_up(model, job, agreement, saved)
    if party.ideal is None:
        party.source.begin_job(planned_sums(model)[1])
        if len(model.rounds) < job.params.all_rounds:
            _, splits = taken_by_trees(job.params, agreement.layout, party.prices, 0)
            party.source.expect(splits.counts)
    coins, known = Prg(bytes.fromhex(saved_state.coins)), agreement.are_margins_known
    rows.begin(
        RowStart(
            model=model,
            coins=coins,
            session=saved.rounds[agreement.rounds - 1].session if saved and known else "",
            training=slice(0, job.data.count),
        )
    )
    if party.ideal is None and party.prices.is_far:
        _expect(party, model, rows.shape.noise_bits)
    return State(
        model=model,
        trees=TreeJob(
            layout=agreement.layout,
            numbers=model.numbers,
            max_depth=job.params.max_depth,
            learning_rate=job.params.learning_rate,
            cuts=cuts,
            used=np.arange(agreement.layout.total_columns),
            dummies=None if job.params.is_hidden else _dummies(party, job),
            importance=job.kept_importance,
            groups=None if agreement.groups is None else Groups.of(agreement.groups),
            directions=None if agreement.directions is None else np.array(agreement.directions),
        ),
        rows=rows,
        coins=coins,
        sets=sets,
        begin_tree=party.source.begin_tree,
        keep=lambda state: _keep(state, job.store, rows, agreement.session),
    )


def _expect(party: Party, model: ModelHalf, noise_bits: int) -> None:
    """On a slow link have made what else the first two rounds' trees take: processors have the
    time."""
    rounds = model.params.all_rounds - len(model.rounds)
    sums, splits = taken_by_trees(model.params, model.layout, party.prices, noise_bits)
    for budget in (sums, sums + splits)[:rounds]:
        party.source.expect(budget.counts)


def _keep(state: State, store: CheckpointStore | None, rows: TrainingRows, session_id: str) -> None:
    """Write all margins, then the last round and the metrics opened after it to the checkpoint."""
    if store is None:
        return
    model = state.model
    rounds, metrics = len(model.rounds), list[float]()
    if is_evaluated(model.params, rounds - 1):
        metrics = [values[-1] for of_set in model.history.values() for values in of_set.values()]
    newest = SavedRound(model.rounds[-1], session_id, tuple(metrics))
    count = rounds - model.params.past.rounds
    rows.keep(count, session_id)
    store.save(count, newest)


def _dummies(party: Party, job: TrainingJob) -> Prg:
    """What this party's dummy splits are drawn from: the same in every run on this data.

    Were they drawn anew in each run, whoever sees the owners of two runs of a job would see
    which ones changed: the dummies. The data is hashed as a set of rows, because the next
    run may have them in another order. Terms are not hashed: neither another number of trees nor
    another depth may draw anew what stays a dummy.
    """
    return party.lasting.derive(f"dummy splits, data {job.data.fingerprint_of_set()}")


def _saved(party: Party, job: TrainingJob, rows: TrainingRows) -> LoadedCheckpoint | None:
    """What the checkpoint to resume holds; refused where it is of another training."""
    if job.store is None or not job.resume:
        return None
    saved = job.store.load(len(job.data.column_names), objective_of(job.params).outputs)
    if saved is None:
        return None
    if saved.state.rank != party.rank or saved.state.job_digest != job.job_digest:
        raise DataError(
            f"the checkpoint at the {party.role} party belongs to another job or role: resume "
            "with the job's own run directory, or start anew"
        )
    if saved.state.data != fingerprint(job.params, job.data, job.evals):
        raise DataError(
            f"the data of the {party.role} party or the parameters are not those that the "
            "checkpoint was made with: restore them, or start anew"
        )
    return replace(saved, margins=rows.known([one.session for one in saved.rounds]))


def fingerprint(params: TrainingParams, rows: Table, evals: NamedTables) -> str:
    """What a checkpoint keeps of this side's data and the parameters, to know them again."""
    sets = [(name, data.fingerprint()) for name, data in evals]
    return json.dumps([rows.fingerprint(), sets, params.to_mapping()])


def _description(party: Party, job: TrainingJob, saved: LoadedCheckpoint | None) -> JobDescription:
    return JobDescription(
        params=json.dumps(job.params.to_mapping(), sort_keys=True),
        past=f"{job.params.past.model_id} {job.params.past.rounds}",
        digest=job.job_digest,
        rows=job.data.count,
        columns=ColumnFacts.of(job.params, job.data),
        weights=job.data.weights is not None,
        sets=tuple((name, data.count, data.weights is not None) for name, data in job.evals),
        nonce=party.private.words(2).tobytes().hex(),
        checkpoint=job.checkpoint,
        saved=None if saved is None else CheckpointSummary.of(saved),
    )


def _state(
    party: Party, job: TrainingJob, agreement: Agreement, saved: LoadedCheckpoint | None
) -> TrainingState:
    """The state to go on with, or a new one; a store is made to hold exactly it."""
    if saved is not None:
        assert job.store is not None
        job.store.cut(agreement.rounds)
        return saved.state
    state = TrainingState(
        rank=party.rank,
        model_id=agreement.session,
        job_digest=job.job_digest,
        coins=party.coins.key.hex(),
        data=fingerprint(job.params, job.data, job.evals) if job.store is not None else "",
    )
    if job.store is not None:
        job.store.start(state)
    return state


def _model(
    party: Party,
    job: TrainingJob,
    agreement: Agreement,
    state: TrainingState,
    objective: Objective,
    cuts: Columns,
) -> ModelHalf:
    base, centre, outcomes, old = (0,) * objective.outputs, 0.0, job.data.outcomes, job.old
    if old is not None:
        base, centre = old.base, old.centre
    elif outcomes is not None:
        margins = objective.base_margins(outcomes)
        words = encode(margins, agreement.layout.numbers(job.params).margin_bits)
        base = tuple(words.tolist())
        centre = objective.centre(outcomes)
    return ModelHalf(
        rank=party.rank,
        model_id=state.model_id,
        job_digest=job.job_digest,
        params=job.params,
        layout=agreement.layout,
        columns=job.data.column_names,
        cuts=cuts,
        base=base,
        centre=centre,
        categories=dict(job.data.categories),
        trees=[] if old is None else old.best_trees,
        history={name: {metric: [] for metric in job.params.metrics} for name, _ in job.evals},
    )


def _sets(party: Party, job: TrainingJob, agreement: Agreement, model: ModelHalf) -> list[DataSet]:
    sets, first = list[DataSet](), job.data.count
    for (name, data), weighted in zip(job.evals, agreement.are_weighted, strict=True):
        _, centre = margins_to_begin(party, model, data.base_margin, data.count)
        truth = EvaluationTargets(data.count, weighted, data.labels, data.weights, centre)
        check_measured(truth, name, job.params, job.params.metrics)
        rows = slice(first, first + data.count)
        sets.append(DataSet(name, rows, truth))
        first += data.count
    return sets


def _take_up(
    model: ModelHalf, job: TrainingJob, agreement: Agreement, saved: LoadedCheckpoint | None
) -> None:
    """Put the saved trees and metrics in place."""
    count = agreement.rounds
    rounds = saved.rounds[:count] if saved is not None else ()
    for number, of_round in enumerate(rounds, start=model.params.past.rounds):
        check_trees(of_round.trees, model.layout, is_hidden=job.params.is_hidden)
        model.trees += of_round.trees
        if is_evaluated(model.params, number):
            values = iter(of_round.metrics)
            for of_set in model.history.values():
                for history in of_set.values():
                    history.append(next(values))
    if saved is not None and count == len(saved.rounds):
        model.importance = saved.ending.importance or None
        names, aucs = whole_sets(model.params, job.set_rows), saved.ending.whole_auc
        if len(aucs) == len(names):
            model.whole_auc = dict(zip(names, aucs, strict=True))
