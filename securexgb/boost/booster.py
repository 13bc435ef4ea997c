"""Training: one tree after another, by two parties that run this same program.

Every tree: gradients from the margins, a sample of rows and columns by public coins, the
tree, new margins, metrics of the evaluation sets, callbacks, a checkpoint. What differs
between the parties is the data that they put in, and their half of what comes out.
"""

from __future__ import annotations

from securexgb.boost.callbacks import CallbackList, EarlyStopping
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.evaluation import metric_value
from securexgb.boost.grower import grow_trees
from securexgb.boost.job import SideData, TrainingJob
from securexgb.boost.predict import training_margins
from securexgb.boost.sample import sampled_columns
from securexgb.boost.session import Session, begin, begin_tree, tree_job
from securexgb.mpc.party import Party

__all__ = ["SideData", "TrainingJob", "train"]


def train(party: Party, job: TrainingJob) -> ModelHalf:
    """Train a model with the other party; returns this party's half of it.

    Both parties call it with the same ``params``, ``job_digest``, rows and evaluation sets.
    Raises DataError, UsageError or TermsDiffer before the first tree where they do not fit.
    """
    with party.step("train"):
        session = begin(party, job)
        rounds = job.params.early_stopping_rounds
        early = () if rounds is None else (EarlyStopping(rounds),)
        callbacks = CallbackList([*early, *job.callbacks])
        session.model = callbacks.before_training(session.model)
        # A resumed training may have been stopped by what it had already seen.
        done = len(session.model.rounds)
        stop = bool(done) and CallbackList(early).after_iteration(session.model, done - 1)
        for number in range(done, job.params.n_estimators):
            with party.step("tree", number):
                stop |= callbacks.before_iteration(session.model, number)
                if _either(party, stop):
                    break
                begin_tree(party, job.params, number)
                _grow(party, session, number)
                stop = callbacks.after_iteration(session.model, number)
                session.save()
        return callbacks.after_training(session.model)


def _either(party: Party, stop: bool) -> bool:
    """Whether one of the parties wants to stop; one round of one byte."""
    return stop | (party.exchange_bytes(b"\1" if stop else b"\0") != b"\0")


def _grow(party: Party, session: Session, number: int) -> None:
    """Grow the trees of round ``number``, move all margins, open the metrics."""
    model, params = session.model, session.job.params
    session.rows.gradients(number)
    used = sampled_columns(session.coins, params, model.layout, number)
    grown = grow_trees(party, tree_job(session, number, used), session.rows)
    model.trees += grown
    for data_set in session.sets:
        with party.step(data_set.name):
            features = data_set.data.features
            moved = training_margins(party, model, [grown], features)
            data_set.margins = data_set.margins + moved
            for metric, values in model.history[data_set.name].items():
                margins, truth = data_set.margins, data_set.truth
                values.append(metric_value(party, metric, margins, truth, params))
