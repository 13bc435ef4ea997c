"""Feature importance: what the splits on a column amount to.

Where splits are owned each side counts those on its own columns (xgboost's "weight"); the other
side's are not known to it, and gains are never opened. Trees are complete: a split counts also
where it stands below a node that was not worth splitting, which its owner cannot see.

Where splits are hidden nobody can count. There is the gain of all splits on a column, as a share of
the gain of all columns (xgboost's "total_gain", and not its "gain", a mean over splits), of nodes
that split only. It is added up in shares (``splits.hidden``), and each party holds shares of every
tree's. Exact gains of a column that is used once are a function of the labels, and differences
between models are gains of a tree; so two companies open whole per cents at most, once a model, if
their terms say so. Who holds both halves, an estimator alone, has the exact ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf, Round, owned
from securexgb.boost.rows import blocks
from securexgb.boost.splits.leaves import GAIN_BITS
from securexgb.boost.tree import HiddenTree, Tree
from securexgb.errors import MalformedFrame, NotAvailable
from securexgb.mpc.numbers.per_cents import WHOLE_BITS, per_cents
from securexgb.mpc.numbers.truncate import truncate
from securexgb.mpc.open import open_shared
from securexgb.mpc.party import ROLES, Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Shared, Words

NOT_OPENED = (
    "splits are hidden, so no side can count its own ones, and the terms open no gains "
    '(importance = "none")'
)
_COUNT_BYTES = 4


def split_counts(model: ModelHalf) -> NDArray[np.int64]:
    """Splits on each own column, in the order of ``model.columns``: (f,).

    NotAvailable where splits are hidden.
    """
    counts = np.zeros(len(model.columns), np.int64)
    for tree in owned(model.best_trees):
        np.add.at(counts, tree.features[tree.own_nodes], 1)
    return counts


def gain_shares(label: ModelHalf, feature: ModelHalf) -> NDArray[np.float64]:
    """Each column's share of the gain, label party's columns first; of both halves of a model.

    Adds up to 1, or to 0 where nothing gains. NotAvailable where the trees hold no gains.
    """
    words = _gains(label, label.best_trees) + _gains(feature, feature.best_trees)
    return _shares(words.astype(np.float64).sum(axis=0))


def importances(
    halves: Sequence[ModelHalf], importance_type: str | None = None
) -> list[NDArray[np.float64]]:
    """Of each of these halves (both, or one side's own): a share for each own column.

    Owned splits: by count, "weight", adding up to 1 over these halves. Hidden ones: by gain,
    "gain", adding up to 1 over both halves; of one half what was opened, in hundredths. None is
    whichever there is; NotAvailable where that is none, or not the one that is asked for.
    """
    is_hidden = halves[0].params.is_hidden
    there_is = "gain" if is_hidden else "weight"
    if importance_type not in (None, there_is):
        raise NotAvailable(
            f"importance_type {importance_type!r} is not available: with splits = "
            f"{halves[0].params.splits!r} there is {there_is!r}; "
            + ("nobody can count hidden splits" if is_hidden else "gains are never opened")
        )
    if not is_hidden:
        shares = _shares(np.concatenate([split_counts(half) for half in halves]))
        return np.split(shares, np.cumsum([len(half.columns) for half in halves])[:-1])
    if len(halves) == 2:
        return np.split(gain_shares(*halves), [halves[0].layout.label_columns])
    (half,) = halves
    if half.importance is None:
        raise NotAvailable(f"there is no importance of this model: {NOT_OPENED}")
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
            "number of splits on each of this side's columns; gains are never opened",
        )
    if model.importance is None:
        return Importance({}, f"not available: {NOT_OPENED}")
    other = ROLES[1 - model.rank]
    theirs = range(1, model.layout.columns[1 - model.rank] + 1)
    names = [list(model.columns), [f"{other} party, no. {number}" for number in theirs]]
    label, feature = names if model.rank == 0 else names[::-1]
    return Importance(
        dict(zip(label + feature, model.importance, strict=True)),
        "each column's share of the gain of all splits, in whole per cents, as opened to both "
        "sides; splits are hidden, so nobody can count them",
    )


def opened_importance(party: Party, model: ModelHalf) -> tuple[int, ...]:
    """Every column's share of the gain of the best rounds' trees, in whole per cents, at both.

    One message each way says how many rounds a side predicts with (the fewer count) and whether it
    has the per cents already, as after a resumption. Nothing is opened a second time where both
    have them; where one has, the same are opened again.
    """
    best = model.best_rounds
    count = len(best).to_bytes(_COUNT_BYTES, "little")
    theirs = party.exchange_bytes(count + bytes([model.importance is not None]))
    if len(theirs) != _COUNT_BYTES + 1:
        raise MalformedFrame("the other side's message before the importance is malformed")
    if model.importance is not None and theirs[-1]:
        return model.importance
    rounds = best[: int.from_bytes(theirs[:-1], "little")]
    columns = model.layout.total_columns
    if not rounds:
        return (0,) * columns
    shares = per_cents(party, _sums(party, model, rounds))
    opened = open_shared(party, shares, Reveal.IMPORTANCE)
    return tuple(int(value) for value in opened)


def _sums(party: Party, model: ModelHalf, rounds: Sequence[Round]) -> Shared:
    """The gains by column, (columns,), rounded so that together they are below 2^WHOLE_BITS."""
    trees = [tree for of_round in rounds for tree in of_round]
    drop = GAIN_BITS + len(trees).bit_length() - WHOLE_BITS
    gains = Shared(_gains(model, trees).reshape(-1))
    parts = [truncate(party, gains[rows], drop) for rows in blocks(gains.size)]
    return Shared.concatenate(parts).reshape(len(trees), -1).sum(axis=0)


def _shares(values: NDArray[Any]) -> NDArray[np.float64]:
    """Of their sum, or 0."""
    shares: NDArray[np.float64] = values / max(float(values.sum()), 1.0)
    return shares


def _gains(model: ModelHalf, trees: Sequence[Tree]) -> Words:
    """A half's shares of the gains of these trees by column: (trees, columns)."""
    columns = model.layout.total_columns
    found = [tree.gains for tree in trees if isinstance(tree, HiddenTree)]
    if len(found) < len(trees) or any(gains.size != columns for gains in found):
        raise NotAvailable(
            f"the trees at the {model.role} party hold no gains: train with terms that ask for "
            "importance"
        )
    return np.stack(found) if found else np.zeros((0, columns), np.uint64)
