"""A finished model opened as a whole, to whom the terms name.

The model is what both sides keep apart: leaf values and base in shares, thresholds at the owner of
their column or, where splits are hidden, in shares too. Whoever gets it holds what a plain training
would have given. Four steps, each opens what the next one needs:

1. All leaf values, the base and the centre of a regression's targets, to the recipient. The leaves
   below a node that stopped all have its weight, so equal leaves tell where a tree ends. (Leaves of
   a split that are equal by chance are put together too, which changes no prediction.)
2. The recipient tells the other side which nodes split. Of the others nothing is ever opened: a
   recipient does not learn dummies and splits below a stopped node, and with hidden splits neither
   does their owner.
3. With hidden splits, of these nodes: the owner to both, column, cut and missing side to the owner.
   All are linear in the tables that trees consist of: a node's table of a column is set up to the
   cut, so its exclusive or with itself, moved by a bin, is the mark of the cut.
4. The owner's column, threshold and missing side, to the recipient. Of a categorical column the
   threshold is a category's place among those that some split of the model names: the others, and
   how many they are, stay with the owner.

What the steps cost follows from the model's shape and how many nodes split, see ``export_cost``:
all of it is in the messages of ``mpc.open``, whose costs are declared there.

So the side that does not get the model learns which nodes split and, with hidden splits, its own
splits among them. What one party knows by itself (centre, thresholds, which nodes split) enters as
its trivial share, so everything goes through the doors of ``mpc.open`` and into the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.arith.fixedpoint import decode
from securexgb.boost.ensemble import ModelHalf, owned
from securexgb.boost.tree import HiddenTree, splitting
from securexgb.errors import DataError, MalformedFrame, TermsDiffer, UsageError
from securexgb.mpc.open import open_by_owner, open_shared, open_to
from securexgb.mpc.party import ROLES, Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.reveals import Audience, Counts, Reveal
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared, SharedBits, Words

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class OpenedTree:
    """One tree of depth d in the clear; inner nodes in heap order, see ``boost.tree``.

    ``splits``: which nodes split, bool (2^d - 1,); where one does not, none below does, and all
    leaves below it are equal. Where one does: ``columns``, numbers over both parties, the label
    party's first; ``thresholds``, of a categorical column the number of the category that goes
    right, see ``Opening``, infinity where every present value goes left; ``missing_left``.
    ``leaf_values``: float64 (2^d,), in the unit of margins: a regression's is the user's.
    """

    splits: Flags
    columns: Numbers
    thresholds: NDArray[np.float64]
    missing_left: Flags
    leaf_values: NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class OpenedModel:
    """The trees that predictions use, round after round, and the margins before the first of them,
    (outputs,); a regression's in the user's unit."""

    base: NDArray[np.float64]
    trees: tuple[OpenedTree, ...]


@dataclass(frozen=True, repr=False)
class Opening:
    """What a side has of it: ``model``, None where it goes to the other side; ``categories``: of
    its own categorical columns, by column, the categories that splits name, ascending, whose places
    in this list are their numbers in the model."""

    model: OpenedModel | None
    categories: Mapping[int, Numbers]


@dataclass(frozen=True, repr=False)
class _Splits:
    """Of the nodes that split: the owner's rank; of known ones column, threshold, missing side."""

    owners: Numbers
    columns: Numbers
    thresholds: NDArray[np.float64]
    missing_left: Flags


def open_model(party: Party, model: ModelHalf, recipient: Audience) -> Opening:
    """The whole model at the side that ``recipient`` names.

    TermsDiffer where the two sides do not open the same model to the same side; MalformedFrame
    where what the other side sends is no part of a model.
    """
    _agree(party, model, recipient)
    trees, scale = model.best_trees, model.numbers.target_scale
    shape = len(trees), int(trees[0].leaf_values.size) - 1
    with party.ledger.announced(_most(model, recipient, *shape)):
        opened = _open(party, _values(party, model), recipient)
        end = shape[0] * (shape[1] + 1)
        leaves = None if opened is None else opened[:end].reshape(shape[0], -1)
        splits = _told(party, None if leaves is None else splitting(leaves), recipient, shape)
        own, categories = _numbered(party, model, _own_splits(party, model, splits))
        words = _open(party, _split_words(party, model, own), recipient) if splits.any() else None
    if opened is None or leaves is None:
        return Opening(None, categories)
    bits = model.numbers.margin_bits
    base = decode(opened[end:-1], bits) * scale + opened[-1:].view(np.float64)
    found = _parsed(model, own, np.zeros((2, 0), np.uint64) if words is None else words)
    whole = OpenedModel(base, _trees(splits, found, decode(leaves, bits) * scale))
    return Opening(whole, categories)


def _agree(party: Party, model: ModelHalf, recipient: Audience) -> None:
    """Both sides have halves of one model, and give it to the same side."""
    if model.rank != party.rank:
        raise UsageError(f"this half of the model belongs to the {model.role} party")
    if not model.best_trees:
        raise UsageError("the model has no tree yet: there is nothing to export")
    mine = f"{model.model_id} {len(model.best_rounds)} {recipient}"
    theirs = party.exchange_bytes(mine.encode()).decode(errors="replace")
    if theirs != mine:
        raise TermsDiffer(
            "the two sides do not export the same thing (model, rounds, to whom): here "
            f"{mine!r}, at the other side {theirs[:120]!r}"
        )


def _most(model: ModelHalf, recipient: Audience, trees: int, nodes: int) -> Counts:
    """The most that is opened: bases, a centre, all leaves, two numbers a split."""
    splits = trees * nodes
    most: Counts = {(Reveal.MODEL, recipient): model.outputs + 1 + trees * (nodes + 1) + 2 * splits}
    if recipient != "both":
        most[Reveal.MODEL, ROLES[1 - ROLES.index(recipient)]] = splits
    if model.params.is_hidden:
        most |= {(Reveal.SPLIT_OWNER, "both"): splits}
        most |= {(Reveal.SPLIT_INDEX, role): splits for role in ROLES}
    return most


def export_cost(model: ModelHalf, recipient: Audience, splits: int) -> Cost:
    """Cost of ``open_model`` where so many nodes split, without the text by which sides agree."""
    trees, leaves = len(model.best_trees), int(model.best_trees[0].leaf_values.size)
    total = _opening_cost(trees * leaves + model.outputs + 1, recipient)
    if recipient != "both":
        total += _opening_cost(trees * (leaves - 1), ROLES[1 - ROLES.index(recipient)])
    if splits and model.params.is_hidden:
        sizes = [
            max(0, own * model.layout.bins - 1).bit_length() + 1 for own in model.layout.columns
        ]
        words = words_per(splits)
        owner = _opening_cost(words, "both")
        total += owner.at_once(
            *(_opening_cost(size * words, role) for size, role in zip(sizes, ROLES, strict=True))
        )
    return total + _opening_cost(2 * splits, recipient) if splits else total


def _opening_cost(words: int, to: Audience) -> Cost:
    """Of so many words, which come from whoever is not the only one to get them."""
    return Cost(1, words * (to != "label"), words * (to != "feature"))


def _values(party: Party, model: ModelHalf) -> Shared:
    """Leaf values of all trees, base and centre, one after the other."""
    leaves = np.concatenate([tree.leaf_values for tree in model.best_trees])
    centre = np.array([model.centre]).view(np.uint64)
    base = Shared(np.array(model.base, np.uint64))
    return Shared.concatenate([Shared(leaves), base, share(party, centre, 0, (1,))])


def _open(party: Party, x: Shared, recipient: Audience) -> Words | None:
    if recipient == "both":
        return open_shared(party, x, Reveal.MODEL)
    return open_to(party, ROLES.index(recipient), x, Reveal.MODEL)


def _told(party: Party, splits: Flags | None, recipient: Audience, shape: tuple[int, int]) -> Flags:
    """Which nodes split, at both sides: whoever has the leaves tells the other."""
    if recipient == "both":
        assert splits is not None
        return splits
    holder = ROLES.index(recipient)
    mine = None if splits is None else splits.astype(np.uint64)
    told = open_to(party, 1 - holder, share(party, mine, holder, shape), Reveal.MODEL)
    if told is None:
        assert splits is not None
        return splits
    found = told.astype(np.bool_)
    parents = (np.arange(1, shape[1]) - 1) // 2
    if bool((told > 1).any()) or bool((found[:, 1:] & ~found[:, parents]).any()):
        raise MalformedFrame("what the other side says of the nodes that split is no model's")
    return found


def _own_splits(party: Party, model: ModelHalf, splits: Flags) -> _Splits:
    """This party's splits among the nodes that split, of all trees one after the other."""
    if model.params.is_hidden:
        return _unhidden(party, model, splits)
    trees = owned(model.best_trees)
    owners, columns, thresholds, missing_left = (
        np.concatenate([getattr(tree, name)[at] for tree, at in zip(trees, splits, strict=True)])
        for name in ("owners", "features", "thresholds", "missing_left")
    )
    return _Splits(owners.astype(np.int64), columns.astype(np.int64), thresholds, missing_left)


def _unhidden(party: Party, model: ModelHalf, splits: Flags) -> _Splits:
    """The same of a model whose splits nobody knew until now."""
    if not splits.any():
        none = np.zeros(0, np.int64)
        return _Splits(none, none, np.zeros(0), np.zeros(0, np.bool_))
    tags = [
        _tags(model, tree, at)
        for tree, at in zip(model.best_trees, splits, strict=True)
        if isinstance(tree, HiddenTree)
    ]
    owner, label, feature = (
        SharedBits(pack_bits(np.concatenate(part, axis=1)), int(splits.sum()))
        for part in zip(*tags, strict=True)
    )
    ranks, own = open_by_owner(
        party, owner, (label, feature), Reveal.SPLIT_OWNER, Reveal.SPLIT_INDEX
    )
    index = (own[:-1].astype(np.int64) << np.arange(own.shape[0] - 1)[:, None]).sum(axis=0)
    columns, cuts = np.divmod(index, model.layout.bins)
    mine = ranks == bool(party.rank)
    if bool((columns[mine] >= len(model.columns)).any()):
        raise DataError(
            "the two halves of the model do not fit: a split opened from both is of no column; "
            "restore them from copies"
        )
    thresholds = np.full(mine.size, np.nan)
    thresholds[mine] = model.cuts[columns[mine], cuts[mine]]
    return _Splits(ranks.astype(np.int64), columns, thresholds, own[-1] & mine)


def _tags(model: ModelHalf, tree: HiddenTree, splits: Flags) -> tuple[Flags, Flags, Flags]:
    """Shares of owner (1, n), and of each side's number and missing side (bits + 1, n); local.

    The number is column times bins plus cut, the lowest bit first, 0 at a side that is no owner.
    """
    layout = model.layout
    flags = SharedBits(tree.tables, tree.nodes).flags()[:, :, splits]
    present, missing = flags[:, : layout.bins], flags[:, layout.bins :]
    marks = present.copy()
    marks[:, :-1] ^= present[:, 1:]
    alone = list(layout.categorical)
    if alone:  # a category's bin is the only one that is not sent left
        marks[alone] = present[alone] ^ present[alone, -1:]
        marks[alone, -1] = present[alone, -1] ^ np.logical_xor.reduce(marks[alone], axis=1)
    found, label = [], layout.label_columns
    for columns, count in zip((slice(0, label), slice(label, None)), layout.columns, strict=True):
        own = marks[columns].reshape(count * layout.bins, marks.shape[2])
        number = np.arange(own.shape[0])
        size = max(0, number.size - 1).bit_length()
        bits = [own[(number >> bit & 1) == 1] for bit in range(size)]
        rows = [*bits, np.logical_xor.reduce(missing[columns], axis=1)]
        found.append(np.stack([np.logical_xor.reduce(row, axis=0) for row in rows]))
    of_feature = np.logical_xor.reduce(marks[label:], axis=(0, 1))
    return of_feature[None], found[0], found[1]


def _numbered(
    party: Party, model: ModelHalf, own: _Splits
) -> tuple[_Splits, Mapping[int, Numbers]]:
    """Own splits with categories by their places among those that some split names; and these."""
    thresholds, named = own.thresholds.copy(), dict[int, Numbers]()
    for column in model.categorical:
        at = (own.owners == party.rank) & (own.columns == column) & np.isfinite(thresholds)
        named[column], places = np.unique(thresholds[at].astype(np.int64), return_inverse=True)
        thresholds[at] = places
    return replace(own, thresholds=thresholds), named


def _split_words(party: Party, model: ModelHalf, own: _Splits) -> Shared:
    """This party's thresholds and numbers, 0 where the other one owns the split: (2, n).

    A number is the column over both parties, times two, plus whether missing values go left.
    """
    mine = own.owners == party.rank
    number = 2 * (own.columns + party.rank * model.layout.label_columns) + own.missing_left
    words = np.stack([own.thresholds.view(np.uint64), number.astype(np.uint64)])
    return Shared(np.where(mine, words, np.uint64(0)))


def _parsed(model: ModelHalf, own: _Splits, words: Words) -> _Splits:
    """All splits, with columns over both parties; MalformedFrame where one is of no column."""
    columns, thresholds = (words[1] >> np.uint64(1)).astype(np.int64), words[0].view(np.float64)
    is_feature, total = columns >= model.layout.label_columns, model.layout.total_columns
    if (
        bool((words[1] >= 2 * model.layout.total_columns).any())
        or bool((is_feature != (own.owners == 1)).any())
        or bool(np.isnan(thresholds).any())
        or not _are_places(thresholds[model.layout.is_categorical[columns % total]])
    ):
        raise MalformedFrame("a split of the exported model is none of the side that owns it")
    return _Splits(own.owners, columns, thresholds, (words[1] & np.uint64(1)).astype(np.bool_))


def _are_places(categories: NDArray[np.float64]) -> bool:
    """Whether these are whole numbers from 0, or infinity."""
    known = categories[categories < np.inf]
    return bool((known == np.rint(known)).all() and (known >= 0).all())


def _trees(splits: Flags, found: _Splits, leaves: NDArray[np.float64]) -> tuple[OpenedTree, ...]:
    """The trees, of the splits of all of them one after the other."""
    columns, missing_left = np.zeros(splits.shape, np.int64), np.zeros(splits.shape, np.bool_)
    thresholds = np.full(splits.shape, np.nan)
    columns[splits], thresholds[splits] = found.columns, found.thresholds
    missing_left[splits] = found.missing_left
    parts = zip(splits, columns, thresholds, missing_left, leaves, strict=True)
    return tuple(OpenedTree(*part) for part in parts)
