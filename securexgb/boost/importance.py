"""Feature importance: what the splits on a column amount to.

Where splits are owned each side counts those on its own columns (xgboost's "weight"); the other
side's are not known to it, and gains are never opened. Trees are complete, so there are splits,
too, at and below nodes that were not worth splitting. Which these are only both halves together
say: all leaves below are equal. These splits do not count, as they do not exist in xgboost's tree.
One side cannot see it and counts all its splits, and says so.

Where splits are hidden nobody can count. There is the gain of all splits on a column, as a share of
the gain of all columns (xgboost's "total_gain", and not its "gain", a mean over splits), of nodes
that split only. It is added up in shares (``splits.hidden``), and each party holds shares of every
tree's. Or, where the terms ask for cover, the same of the hessians of the rows that the splits part
(xgboost's "total_cover"), or of the number of splits ("weight"); a model has one of these. Exact
amounts of a column that is used once are a function of the labels, and differences between models
are amounts of a tree; so two companies open whole per cents at most, once a model, if their terms
say so. Who holds both halves, an estimator alone, has the exact ones.

One side's callback may stop both sides' training at any tree. Were importance opened then, this
side could choose prefixes of one model, run after run, and subtract: so it is opened of a training
that the terms have ended alone (``ended_rounds``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.callbacks import EarlyStopping
from securexgb.boost.ensemble import ModelHalf, owned
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import blocks
from securexgb.boost.splits.leaves import amount_bits
from securexgb.boost.tree import HiddenTree, Tree, splitting
from securexgb.errors import MalformedFrame, NotAvailable, ProtocolDesync
from securexgb.mpc.numbers.per_cents import WHOLE_BITS, per_cents, per_cents_cost
from securexgb.mpc.numbers.truncate import shift_cost, truncate
from securexgb.mpc.open import open_shared
from securexgb.mpc.party import ROLES, Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Shared, Words

NOT_OPENED = (
    "splits are hidden, so no side can count its own ones, and the terms open no importance "
    '(importance = "none")'
)
_WHAT = {
    "gain": "the gain of all splits",
    "cover": "the cover of all splits (hessians of the nodes that they part)",
    "weight": "the number of all splits",
}
_COUNT_BYTES = 4


def split_counts(model: ModelHalf) -> NDArray[np.int64]:
    """Splits on each own column, in the order of ``model.columns``: (f,).

    All of them: which nodes stopped, one half does not say. NotAvailable where splits are hidden.
    """
    counts = np.zeros(len(model.columns), np.int64)
    for tree in owned(model.best_trees):
        np.add.at(counts, tree.features[tree.own_nodes], 1)
    return counts


def live_split_counts(label: ModelHalf, feature: ModelHalf) -> list[NDArray[np.int64]]:
    """Splits on each column of both halves, by side, of nodes that did split: xgboost's "weight".

    A split whose leaves on both sides are all equal, to their last bit, counts as stopped, too.
    """
    counts = [np.zeros(len(half.columns), np.int64) for half in (label, feature)]
    for halves in zip(owned(label.best_trees), owned(feature.best_trees), strict=True):
        leaves = halves[0].leaf_values + halves[1].leaf_values
        (splits,) = splitting(leaves[None])
        for tree, count in zip(halves, counts, strict=True):
            nodes = tree.own_nodes[splits[tree.own_nodes]]
            np.add.at(count, tree.features[nodes], 1)
    return counts


def amount_shares(label: ModelHalf, feature: ModelHalf) -> NDArray[np.float64]:
    """Each column's share of the importance, label party's columns first; of both model halves.

    Adds up to 1, or to 0 where nothing splits. NotAvailable where the trees hold neither.
    """
    count = min(len(half.best_trees) for half in (label, feature))
    words = _amounts(label, label.trees[:count]) + _amounts(feature, feature.trees[:count])
    return _shares(words.astype(np.float64).sum(axis=0))


def importances(
    halves: Sequence[ModelHalf], importance_type: str | None = None
) -> list[NDArray[np.float64]]:
    """Of each of these halves (both, or one side's own): a share for each own column.

    Owned splits: by count, "weight", adding up to 1 over these halves; of both halves without those
    of nodes that stopped, of one half all of its own. Hidden ones: "gain", or what the terms say in
    its place, adding up to 1 over both halves; of one half what was opened, in hundredths. None is
    whichever there is; NotAvailable where that is none, or not the one that is asked for.
    """
    params = halves[0].params
    is_hidden = params.is_hidden
    there_is = _kind(params) if is_hidden else "weight"
    if importance_type not in (None, there_is):
        raise NotAvailable(
            f"importance_type {importance_type!r} is not available: with splits = "
            f"{params.splits!r} and importance = {params.importance!r} there is {there_is!r}; "
            + ("nobody can count hidden splits" if is_hidden else "gains are never opened")
        )
    if not is_hidden:
        counts = live_split_counts(*halves) if len(halves) == 2 else [split_counts(halves[0])]
        shares = _shares(np.concatenate(counts))
        return np.split(shares, np.cumsum([len(half.columns) for half in halves])[:-1])
    if len(halves) == 2:
        return np.split(amount_shares(*halves), [halves[0].layout.label_columns])
    (half,) = halves
    if half.importance is None:
        raise NotAvailable(f"there is no importance of this model: {why_not(half)}")
    sides = np.split(np.array(half.importance, np.float64), [half.layout.label_columns])
    return [sides[half.rank] / 100]


@dataclass(frozen=True)
class Importance:
    """What one side can say: ``values`` by column, and a sentence on what they are, or why there
    are none."""

    values: Mapping[str, int]
    sentence: str


def importance_of(model: ModelHalf) -> Importance:
    """For people. Own columns by name; those of the other side, whose shares were opened too, by
    number."""
    if not model.params.is_hidden:
        counts = [int(count) for count in split_counts(model)]
        return Importance(
            dict(zip(model.columns, counts, strict=True)),
            "number of splits on each of this side's columns, those of nodes that were not worth "
            "splitting included, since one side cannot tell; gains are never opened",
        )
    if model.importance is None:
        return Importance({}, f"not available: {why_not(model)}")
    other = ROLES[1 - model.rank]
    theirs = range(1, model.layout.columns[1 - model.rank] + 1)
    names = [list(model.columns), [f"{other} party, no. {number}" for number in theirs]]
    label, feature = names if model.rank == 0 else names[::-1]
    return Importance(
        dict(zip(label + feature, model.importance, strict=True)),
        f"each column's share of {_WHAT[_kind(model.params)]}, in whole per cents, as opened to "
        "both sides; splits are hidden, so nobody can count them alone",
    )


def why_not(model: ModelHalf) -> str:
    """Why a half with hidden splits holds no importance, for people."""
    if not model.params.opens_importance:
        return NOT_OPENED
    done, all_of_it = len(model.rounds), model.params.all_rounds
    if ended_rounds(model) is None:
        return (
            f"a callback of one side stopped the training after {done} of {all_of_it} rounds, and "
            "importance of a part of a model, chosen by one side, is not opened; train all rounds, "
            "or agree on early_stopping_rounds"
        )
    return "it was not opened yet: the training was interrupted; resume it"


def ended_rounds(model: ModelHalf) -> int | None:
    """How many rounds to predict with the terms say, once they have ended the training, else None.

    They have where all rounds are there, or where their own early stopping says stop. That follows
    from the terms and the opened metrics, so both sides find the same, whatever callbacks they run.
    """
    params, done = model.params, len(model.rounds)
    is_over, count = done == params.all_rounds, done
    if params.early_stopping_rounds is not None and done > params.past.rounds:
        best, stop = EarlyStopping(params.early_stopping_rounds).verdict(params, model.history)
        is_over, count = is_over or stop, done if best is None else best + 1
    return count if is_over else None


def opened_importance(party: Party, model: ModelHalf) -> tuple[int, ...] | None:
    """Every column's share of the importance of the best rounds' trees, in whole per cents, at
    both sides; None at both where the terms have not ended the training (``why_not``).

    One message each way says how many rounds these are, 0 for None, and whether a side has the per
    cents already, as after a resumption. The number follows from what both sides know, so another
    one is refused (ProtocolDesync) and never taken. Nothing is opened a second time where both have
    the per cents; where one has, the same are opened again.
    """
    count = ended_rounds(model) or 0
    message = count.to_bytes(_COUNT_BYTES, "little") + bytes([model.importance is not None])
    theirs = party.exchange_bytes(message)
    if len(theirs) != len(message) or theirs[-1] > 1:
        raise MalformedFrame("the other side's message before the importance is malformed")
    said = int.from_bytes(theirs[:-1], "little")
    if said != count:
        raise ProtocolDesync(
            f"importance would be of {count} rounds by the terms and the opened metrics at the "
            f"{party.role} party, the other side says {said}: nothing of it is opened"
        )
    if not count:
        return None
    if model.importance is not None and theirs[-1]:
        return model.importance
    shares = per_cents(party, _sums(party, model, model.trees[: count * model.outputs]))
    with party.ledger.announced({(Reveal.IMPORTANCE, "both"): shares.size}):
        opened = open_shared(party, shares, Reveal.IMPORTANCE)
    return tuple(int(value) for value in opened)


def importance_cost(params: TrainingParams, columns: int, trees: int) -> Cost:
    """Cost of ``opened_importance`` of so many trees of hidden splits, the terms' own end."""
    bits = amount_bits(params.importance, params.max_depth)
    drop, count = bits + trees.bit_length() - WHOLE_BITS, trees * columns
    cost = Cost(rounds=1) + per_cents_cost(columns) + Cost.alike(1, columns, {})
    for rows in blocks(count) if drop > 0 else ():
        cost += shift_cost(drop, len(range(count)[rows]))
    return cost


def _kind(params: TrainingParams) -> str:
    """What trees with hidden splits hold, if anything."""
    return params.importance if params.opens_importance else "gain"


def _sums(party: Party, model: ModelHalf, trees: Sequence[Tree]) -> Shared:
    """The amounts by column, (columns,), rounded so that together they are below 2^WHOLE_BITS."""
    bits = amount_bits(model.params.importance, model.params.max_depth)
    drop = bits + len(trees).bit_length() - WHOLE_BITS
    amounts = Shared(_amounts(model, trees).reshape(-1))
    if drop > 0:
        parts = [truncate(party, amounts[rows], drop) for rows in blocks(amounts.size)]
        amounts = Shared.concatenate(parts)
    return amounts.reshape(len(trees), -1).sum(axis=0)


def _shares(values: NDArray[Any]) -> NDArray[np.float64]:
    """Of their sum, or 0."""
    shares: NDArray[np.float64] = values / max(float(values.sum()), 1.0)
    return shares


def _amounts(model: ModelHalf, trees: Sequence[Tree]) -> Words:
    """A half's shares of what these trees hold by column: (trees, columns)."""
    columns = model.layout.total_columns
    found = [tree.amounts for tree in trees if isinstance(tree, HiddenTree)]
    if len(found) < len(trees) or any(amounts.size != columns for amounts in found):
        raise NotAvailable(
            f"the trees at the {model.role} party hold no importance: train with terms "
            "that ask for importance"
        )
    return np.stack(found) if found else np.zeros((0, columns), np.uint64)
