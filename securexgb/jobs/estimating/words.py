"""An estimate in words: one sentence for ``check``, the table of ``estimate``."""

from __future__ import annotations

from securexgb.boost.costs.metrics import MeasuredSet, metric_cost
from securexgb.boost.params import TrainingParams
from securexgb.jobs.estimating.estimate import Estimate, Phase
from securexgb.jobs.estimating.link import FAST
from securexgb.report.aligned import duration, figure, table

_HEAD = (
    "phase", "seconds", "rounds", "MB sent", "MB received", "MB of memory", "MB on disk",
    "dealer's CPU s",
)  # fmt: skip


def estimate_sentence(found: Estimate) -> str:
    """One line for people."""
    tree, first, whole = found.tree, found.first_tree, found.training()
    link = "a fast link" if found.link == FAST else str(found.link)
    parts = [
        f"a tree: some {figure(tree.seconds)} s, {_costs(tree)} (the first one "
        f"{first.rounds:,.0f} rounds)"
    ]
    if found.evaluation.rounds:
        seconds = figure(found.evaluation.seconds)
        parts.append(f"its evaluation: some {seconds} s, {_costs(found.evaluation)}")
    took = duration(whole.seconds)
    parts.append(f"the training of {found.trees:,} trees: some {took}, {_costs(whole)}")
    text = f"on {link}, both directions together: {'; '.join(parts)}"
    if found.lacks:
        text += f"; without {found.lacks}, which are not foreseen"
    text += f"; memory: {_memory(found)}"
    if found.session_bytes or found.upload_bytes:
        text += (
            f"; a session of predictions: {found.upload_bytes / 1e6:,.0f} MB before the first "
            f"row, and tables of {found.session_bytes / 1e6:,.0f} MB here while it lasts"
        )
    return text


AUC_ROWS = 2048
"""Of an evaluation set, what is proposed where metrics take more than a tree."""


def evaluation_warning(found: Estimate, params: TrainingParams) -> str | None:
    """What to do where metrics take longer than the trees between them; None where they do not."""
    tree, metrics = found.tree, found.evaluation
    often, more = params.eval_every, max(2, 5 * params.eval_every)
    if metrics.seconds <= often * tree.seconds:
        return None
    text = f"the metrics after a tree take {_costs(metrics)}, more than the tree: {_costs(tree)}"
    if often > 1:
        text += f", and eval_every = {often} trees are not enough to make up for it"
    less = f"eval_every = {more} in the terms measures them after every {more}th tree"
    is_sorted = "auc" in params.metrics and not params.opens_scores
    if not is_sorted or 0 < params.auc_rows <= AUC_ROWS:
        return f"{text}; {less}, and fewer metrics or evaluation rows take less"
    rounds, size = _auc_figures(params, AUC_ROWS)
    return (
        f"{text}; {less}, and auc_rows = {AUC_ROWS} measures auc on a public sample, in "
        f"{rounds:,} rounds, {size:,.1f} MB and their correlations (`evaluate` takes all rows)"
    )


def auc_line(params: TrainingParams) -> str | None:
    """For who writes terms, before anybody knows rows; None where auc is not asked for."""
    if "auc" not in params.metrics or params.auc_rows or params.opens_scores:
        return None
    parts = []
    for rows in (AUC_ROWS, 10 * AUC_ROWS):
        rounds, size = _auc_figures(params, rows)
        parts.append(f"{rounds:,} rounds and {size:,.1f} MB of {rows:,} evaluation rows")
    return (
        f"auc takes {', '.join(parts)}, and correlations, after every tree: where that is too "
        f"much, auc_rows = {AUC_ROWS} measures a public sample of them (`evaluate` takes all)"
    )


def _auc_figures(params: TrainingParams, rows: int) -> tuple[int, float]:
    """Rounds, and MB of both directions without correlations."""
    cost = metric_cost("auc", MeasuredSet("", rows), params)
    return cost.rounds, 8 * (cost.label_words + cost.feature_words) / 1e6


def estimate_text(found: Estimate) -> str:
    """The table of phases, and what changes the largest parts of a tree."""
    link = "a fast link (give --link, or --measure it)" if found.link == FAST else str(found.link)
    rows = [(name, *_cells(phase)) for name, phase in found.phases.items()]
    lines = [
        (line.name, figure(line.seconds), f"{line.rounds:,}", figure(line.bytes / 1e6), line.advice)
        for line in found.largest
    ]
    parts = [
        f"link: {link}",
        table(rows, _HEAD),
        "what a tree takes most seconds for:\n"
        + table(lines, ("part", "seconds", "rounds", "MB, both ways", "changed by")),
        _memory(found),
    ]
    if found.lacks:
        parts.append(f"without {found.lacks}, which are not foreseen")
    return "\n\n".join(parts)


def _memory(found: Estimate) -> str:
    """This side's; of a head and of a shard where there are some."""
    if (parts := found.shards) is None:
        return found.memory.text()
    of_tree = parts.shard.tree
    return (
        f"{found.memory.text()}, and in each of {parts.count} shards of {parts.rows:,} rows at "
        f"most {parts.shard.memory.text()}; of a tree a shard takes {figure(of_tree.seconds)} s "
        f"and {_costs(of_tree)} with the other side's, the head with the other head "
        f"{_costs(parts.head.tree)}, with its own shards {figure(parts.own_bytes / 1e6)} MB"
    )


def _costs(phase: Phase) -> str:
    # What lies ahead at a tree's end may make a difference of two trainings less than nothing.
    return f"{max(0.0, phase.bytes) / 1e6:,.0f} MB, {phase.rounds:,.0f} rounds"


def _cells(phase: Phase) -> tuple[str, ...]:
    sizes = (phase.sent, phase.received, phase.memory, phase.disk)
    return (
        figure(phase.seconds),
        f"{int(phase.rounds):,}",
        *(figure(size / 1e6) for size in sizes),
        figure(phase.dealer_seconds),
    )
