"""Training: one tree after another, by two parties that run this same program.

Every tree: gradients from the margins, a sample of rows and columns by public coins, the
tree, new margins, metrics of the evaluation sets where they are due, callbacks, a checkpoint. After
the last one columns' importance, where the terms open it and have ended the training, and an auc of
all rows where the trees' was of a sample. What differs
between the parties is the data that they put in, and their half of what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence

from securexgb.boost.callbacks import EarlyStopping, TrainingCallback
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.grower import grow_trees
from securexgb.boost.importance import opened_importance
from securexgb.boost.leak import most_of_evaluation, most_of_round
from securexgb.boost.metrics.measuring import Measured, measured_metrics
from securexgb.boost.metrics.schedule import is_evaluated
from securexgb.boost.metrics.whole import whole_auc
from securexgb.boost.splits.sample import columns_of_nodes
from securexgb.boost.state import State
from securexgb.errors import MalformedFrame
from securexgb.mpc.party import Party


def grow_model(party: Party, state: State, callbacks: Sequence[TrainingCallback] = ()) -> ModelHalf:
    """Grow the trees that ``state`` still lacks; returns this party's half of the model.

    Trees of an earlier model keep their numbers, and new ones go on counting.

    Callbacks run at this side only, all of them in their order, and either side's may stop both;
    the model is without importance then.
    """
    params = state.model.params
    rounds = params.early_stopping_rounds
    early = () if rounds is None else (EarlyStopping(rounds),)
    everyone = (*early, *callbacks)
    for callback in everyone:
        state.model = callback.before_training(state.model)
    model = state.model
    # A resumed training may have been stopped by what it had already seen.
    done = len(model.rounds)
    has_seen = done > params.past.rounds
    stop = has_seen and any(c.after_iteration(model, done - 1, model.history) for c in early)
    for number in range(done, params.all_rounds):
        with party.step("tree", number):
            stops = [c.before_iteration(model, number, model.history) for c in everyone]
            if _either(party, stop or any(stops)):
                break
            _grow(party, state, number)
            stops = [c.after_iteration(model, number, model.history) for c in everyone]
            stop = any(stops)
            state.keep(state)
    if params.opens_importance:
        with party.step("importance"):
            model.importance = opened_importance(party, model)
    with party.step("all rows"):
        model.whole_auc = whole_auc(party, state)
    for callback in everyone:
        model = callback.after_training(model)
    return model


def _either(party: Party, stop: bool) -> bool:
    """Whether one of the parties wants to stop; one round of one byte."""
    theirs = party.exchange_bytes(b"\1" if stop else b"\0")
    if theirs not in (b"\0", b"\1"):
        raise MalformedFrame("the other side's word on whether to stop is malformed")
    return stop or theirs == b"\1"


def _grow(party: Party, state: State, number: int) -> None:
    """Grow the trees of round ``number``, move all margins, open the metrics that are due.

    From its first message on the round is in the ledger at its worst case.
    """
    model, params = state.model, state.model.params
    model.importance, model.whole_auc = None, {}
    due = state.sets if is_evaluated(params, number) else []
    most = most_of_round(params) | most_of_evaluation(params, [one.truth.rows for one in due])
    with party.ledger.announced(most):
        state.begin_tree(params.all_rounds - number)
        state.rows.gradients(number)
        used = columns_of_nodes(state.coins, params, model.layout, number, model.outputs)
        model.trees += grow_trees(party, state.tree_job(number, used), state.rows)
        sets = [Measured(one.name, state.rows.margins(one.rows), one.truth) for one in due]
        found = measured_metrics(party, params, sets, params.metrics)
    for one, values in zip(due, found, strict=True):
        for history, value in zip(model.history[one.name].values(), values, strict=True):
            history.append(value)
