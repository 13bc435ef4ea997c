"""Messages of the protocols: rounds and words of each phase, from what protocols declare.

Exact, but for bytes of gradients, which are counted on a sample of rows (they are linear in the
rows), and for the few hundred bytes of text in which both sides say what they hold.
"""

from __future__ import annotations

from dataclasses import replace

from securexgb.align.cost import intersection_cost
from securexgb.align.sizes import Sizes
from securexgb.boost.costs.metrics import MeasuredSet, metric_cost, metrics_cost
from securexgb.boost.costs.scores import margins_cost, predictions_cost
from securexgb.boost.costs.trees import halved_splits, row_parts, tree_parts
from securexgb.boost.importance import importance_cost
from securexgb.boost.metrics.schedule import is_sampled
from securexgb.boost.splits.sample import sampled_count
from securexgb.correlations.prices import Prices
from securexgb.jobs.data.expected import gradients_cost
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.link import measuring_cost
from securexgb.mpc.protocol import Cost

GRADIENTS, METRICS = "gradients", "metrics"
_STOP = Cost.alike(1, 0, {})
"""Whether a side wants to stop: a byte, before each tree."""
_TERMS_WORDS = 200
"""What each side says of its data and of the parameters, about."""


def align_cost(sizes: Sizes) -> Cost:
    """Cost of finding the rows that both sides have, of so many at each; transfers in its words."""
    return Cost.alike(1, 1, {}) + intersection_cost(sizes)


def setup_cost(job: Job) -> Cost:
    """Cost of what comes before the first tree, without correlations and without a dealer: with
    the scores of a model that is gone on from."""
    said = Cost.alike(1, _TERMS_WORDS, {}) if job.has_trees else Cost()
    if job.has_rows:
        for rows in (job.rows, *(job.of_part(one.rows) for one in job.sets)):
            said += margins_cost(job.params, rows, job.params.past.rounds)
    if not (job.by_command and job.has_trees):
        return said
    # Which run, its ledger, names of sets; the rows of all tables.
    rounds = 3 + job.comparing_rounds(2, 1 + len(job.sets))
    return said + measuring_cost() + Cost.alike(rounds, 40, {})


def closing_cost(job: Job) -> Cost:
    """Cost of what comes after the last tree."""
    if not job.has_trees:
        return Cost()
    cost, params = Cost(rounds=1) if job.by_command else Cost(), job.params
    if params.opens_importance:
        trees = params.all_rounds * job.outputs
        cost += importance_cost(params, job.layout.total_columns, trees)
    whole = replace(params, auc_rows=0)
    sampled = [one for one in job.sets if is_sampled(params, one.rows)]
    if sampled:
        cost += Cost(rounds=1)  # whether both have it
    return cost + Cost().at_once(*(metric_cost("auc", one, whole) for one in sampled))


def tree_costs(job: Job, round_words: int = 0, *, is_first: bool = False) -> dict[str, Cost]:
    """Cost of a round by what it is for, without metrics; who owns which split does not matter to
    the sums.

    ``round_words``: of the link, by which a training that measures it chooses protocols.
    ``is_first``: of the first round, whose gradients the label party makes by itself.
    """
    params, layout = job.params, job.layout
    noise_bits = job.precision.noise_bits if job.has_pads else 0
    owned = halved_splits(params)
    used = sampled_count(params, layout)
    rows, more = job.rows, job.evaluation_rows
    prices = prices_of(job, round_words)
    parts = dict[str, Cost]()
    if job.has_trees:
        parts = {"stopping": _STOP, **tree_parts(params, layout, used, owned, prices, noise_bits)}
    if job.has_rows:
        for name, cost in row_parts(params, layout, owned, noise_bits, rows, more).items():
            parts[name] = parts.get(name, Cost()) + cost
    is_known = is_first and not params.past.rounds and params.sigmoid == "table"
    if job.has_rows and not is_known:
        parts[GRADIENTS] = gradients_cost(params, layout, rows)
    return parts


def prices_of(job: Job, round_words: int) -> Prices:
    """What a training chooses protocols by, on such a link."""
    return replace(job.method.prices, round_words=round_words if job.measures_link else 0)


def tree_cost(job: Job, *, is_first: bool = False) -> Cost:
    """The sum of ``tree_costs``."""
    return sum(tree_costs(job, is_first=is_first).values(), Cost())


def evaluation_cost(job: Job) -> Cost:
    """Cost of all metrics after a tree."""
    if not job.has_trees:
        return Cost()
    return metrics_cost(job.params, job.sets)


def measuring_a_model_cost(job: Job, rows: int) -> Cost:
    """Cost of ``jobs.evaluation.measure``: the metrics of a whole model on one more set."""
    rounds = job.params.all_rounds
    of = MeasuredSet("", rows, job.layout.weights)
    cost = Cost.alike(1, 12, {}) + margins_cost(job.params, rows, rounds)
    return cost + metrics_cost(replace(job.params, auc_rows=0), [of])


def prediction_cost(job: Job, rows: int) -> Cost:
    """Cost of scoring so many rows by the whole model."""
    cost = predictions_cost(job.params, job.layout, rows, job.params.all_rounds, job.request)
    if not job.by_command:
        return cost
    # Which model, its ledger; the rows.
    return cost + Cost.alike(2 + job.comparing_rounds(1, 1), 40, {})
