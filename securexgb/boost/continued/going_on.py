"""Going on from an earlier model: which of its terms stay, and what is told of its trees.

The new model is the old one's trees and new ones; the old one stays as it is. So old and new trees
must read rows alike: the same columns in the same bins, by the old model's cuts, trees of one
depth, margins of one objective in one unit that begin where the old ones began. What only says how
new trees are grown may change. What both sides know of an old model goes into the parameters
(``Past``), which they compare like all terms: so they go on from the same model, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from securexgb.boost.continued.past import Past
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, UsageError
from securexgb.mpc.party import ROLES

KEPT = (
    "objective", "max_depth", "max_bin", "missing_values", "splits", "importance", "base_score",
    "target_exponent", "tweedie_variance_power",
)  # fmt: skip
"""Terms that old and new trees have in common."""
Categories = Mapping[str, tuple[str, ...]]
CONSTRAINTS = ("monotone_constraints", "interaction_constraints")
"""What a whole model keeps; known of columns once both sides' are."""


def going_on(params: TrainingParams, old: ModelHalf) -> TrainingParams:
    """The terms of a training that goes on from the rounds that ``old`` predicts with.

    What ``params`` leave open of ``KEPT`` is as in the old model; UsageError where they say
    something else.
    """
    filled: dict[str, Any] = {}
    for name in KEPT:
        mine, before = getattr(params, name), getattr(old.params, name)
        if mine is None:
            filled[name] = before
        elif mine != before:
            was = "not set" if before is None else repr(before)
            do = "leave it out" if before is None else f"write {before!r}"
            raise UsageError(
                f"{name} is {mine!r}, and {was} in the model to go on from: old and new trees have "
                f"it in common, so {do}, or train a new model"
            )
    rounds, past = len(old.best_rounds), old.params.past
    if not rounds:
        raise UsageError("the model to go on from has no tree: train a new one")
    since = rounds - past.rounds
    rate = old.params.learning_rate
    reach, most = past.reach + since * rate, max(past.most_rate, rate)
    return replace(params, **filled, past=Past(old.model_id, rounds, reach, most))


def check_old(
    rank: int,
    params: TrainingParams,
    columns: Sequence[str],
    categories: Categories,
    old: ModelHalf | None,
) -> None:
    """Refuse, before anything is sent, a half that a training by ``params`` cannot go on from."""
    if old is None:
        if params.past.rounds:
            raise UsageError(f"{params.past} are to be gone on from, and they are not here")
        return
    if old.rank != rank:
        raise UsageError(
            f"the half of the model to go on from is the {old.role} party's, and this is the "
            f"{ROLES[rank]} party"
        )
    if (params.past.model_id, params.past.rounds) != (old.model_id, len(old.best_rounds)):
        raise UsageError(f"the terms say {params.past}, the half here is of {old.model_id[:8]}")
    check_rows(columns, categories, params.has_base_margin, old)
    for name in CONSTRAINTS:
        if getattr(params, name) != getattr(old.params, name):
            raise UsageError(
                f"{name} are others than those of the model to go on from, whose trees would not "
                "keep them: write the same ones, or train a new model"
            )


def check_rows(
    columns: Sequence[str], categories: Categories, has_base_margin: bool, old: ModelHalf
) -> None:
    """Refuse rows of this side that no trees can be added to ``old`` with."""
    if tuple(columns) != old.columns:
        raise DataError(
            f"the model to go on from has other columns at the {old.role} party: it needs "
            f"{', '.join(old.columns[:20]) or 'none'}, in this order"
        )
    if dict(categories) != old.categories:
        raise DataError(
            f"the categories at the {old.role} party are others than those of the model to go on "
            "from, whose trees would take one for another: give every column the same categories "
            "in the same order, or train a new model"
        )
    if has_base_margin != old.params.has_base_margin:
        had, has = ("with" if one else "without" for one in (not has_base_margin, has_base_margin))
        raise UsageError(
            f"the model to go on from was trained {had} base margins, and rows come {has} them"
        )
