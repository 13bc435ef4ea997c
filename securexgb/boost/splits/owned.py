"""Owned splits: both parties learn who owns each split, its owner the column and cut.

A node without a valid candidate gets a dummy split, so that nobody sees that it has none: its owner
by a coin that neither party knows, and a candidate that this owner drew. To the other party
it looks like any split. What is opened of a node is the exclusive or, over all candidates, of the
marked one's owner and number, and of the dummy's where the last mark is set.

Numbers are kept apart by side: of each node there is one for the label party and one for the
feature party, and that of the side which does not own the split is 0, since none of its candidates
is marked. So all is opened in one round: the owner to both, each side's numbers to that side, which
learns of the other one's nodes no more than their owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.arith.prg import Prg
from securexgb.boost.executor import Bits, Cuts, Executor
from securexgb.boost.splits.split import BestSplits, Candidates, orders
from securexgb.boost.tree import NOT_MINE, TreeHalf
from securexgb.mpc.multiplex import multiplex_private
from securexgb.mpc.multiply import and_broadcast, gate_cost
from securexgb.mpc.open import open_by_owner
from securexgb.mpc.packed import RingBits
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Shared, SharedBits, Words

Numbers = NDArray[np.int64]


@dataclass(frozen=True, repr=False)
class OwnedLevel:
    """What a party knows of the splits of a level, arrays (nodes,): public owners, own cuts.

    Of nodes that the other party owns ``cuts`` says nothing of meaning.
    """

    owners: Numbers
    cuts: Cuts

    def __getitem__(self, nodes: slice) -> OwnedLevel:
        return OwnedLevel(self.owners[nodes], self.cuts[nodes])

    def of_rows(self, party: Party, own: Executor, rows: int) -> OwnedSplits:
        """The own rows' bits at own nodes."""
        mine = self.owners == party.rank
        left = np.zeros((mine.size, rows), np.bool_)
        left[mine] = own.left(self.cuts[mine])
        return OwnedSplits(self.owners, left)


@dataclass(frozen=True, repr=False)
class OwnedSplits:
    """Splits whose owners see which rows go left: ``left`` (nodes, rows), False where not own."""

    owners: Numbers
    left: Bits

    def keep_left(self, party: Party, x: Shared, ring_bits: RingBits) -> Shared:
        return multiplex_private(party, self.owners, self.left[:, : x.shape[2]], x, ring_bits)


@dataclass(frozen=True)
class Dummies:
    """Shared dummy splits: ``tags`` (1 + 2 index bits, nodes), see ``shown_tags``."""

    tags: SharedBits

    def of(self, nodes: slice) -> SharedBits:
        """Those of some nodes."""
        return self.tags.part(nodes)


def dummies_cost(nodes: int, index_bits: int) -> Cost:
    """Cost of ``draw_dummies`` for so many nodes."""
    return gate_cost(2 * index_bits, words_per(nodes))


def draw_dummies(party: Party, candidates: Candidates, nodes: int, private: Prg) -> Dummies:
    """A dummy split for every node of the trees of a round, of the columns that the node may use.

    Each party draws bits, whose xor is the coin, and candidates of its own. Bit and word of a node
    follow from ``private`` and the node's number alone, so that a deeper tree has the same at its
    top. Of nodes whose columns are all one side's the coin is a public constant.
    """
    used = np.broadcast_to(candidates.used, (nodes, candidates.used.shape[-1]))
    of_label = (used < candidates.label_columns).sum(axis=1)
    drawn = _drawn(party.rank, candidates, used, of_label, private.derive("candidate"))
    # Both parties' numbers, shared: each knows its own.
    known = SharedBits(_bits_of(drawn, candidates.index_bits), nodes)
    unknown = SharedBits.zeros(candidates.index_bits, count=nodes)
    at_label, at_feature = (known, unknown) if party.rank == 0 else (unknown, known)
    is_open = pack_bits((of_label > 0) & (of_label < used.shape[1]))
    bits = private.derive("coin").words(words_per(nodes)) & is_open
    if party.rank == 0:
        bits ^= pack_bits(of_label == 0)
    coin = SharedBits(bits, nodes)
    both = SharedBits.concatenate([at_label, at_feature])
    kept = and_broadcast(party, coin, both)
    label = at_label ^ kept[: candidates.index_bits]
    tags = [SharedBits.stack([coin]), label, kept[candidates.index_bits :]]
    return Dummies(SharedBits.concatenate(tags))


def _drawn(
    rank: int, candidates: Candidates, used: Numbers, of_label: Numbers, private: Prg
) -> Numbers:
    """Numbers of own candidates, one for each node, (nodes,); 0 where a node has none.

    ``used``: (nodes, k), the label party's first, so many of each node are its.
    """
    words, a_column = private.words(len(used)), candidates.per_column
    first, own = (of_label, used.shape[1] - of_label) if rank else (0 * of_label, of_label)
    drawn = (words % np.maximum(own * a_column, 1).astype(np.uint64)).astype(np.int64)
    column, at = np.divmod(drawn, a_column)
    place = np.minimum(first + column, used.shape[1] - 1)
    number = used[np.arange(len(used)), place]
    kind = candidates.layout.is_categorical[number].astype(np.int64)
    cuts, missing_left = orders(candidates.layout)
    index = candidates.encode(number, missing_left[kind, at], cuts[kind, at])
    return np.where(own > 0, index, 0)


def _bits_of(numbers: Numbers, bits: int) -> Words:
    """Bits of numbers (n,), the lowest first: packed (bits, ceil(n / 64))."""
    return pack_bits((numbers[None] >> np.arange(bits)[:, None] & 1).astype(np.bool_))


def opening_cost(nodes: int, index_bits: int) -> Cost:
    """Cost of ``open_splits``."""
    return Cost.alike(1, (1 + index_bits) * words_per(nodes), {})


def open_splits(party: Party, candidates: Candidates, best: BestSplits) -> OwnedLevel:
    """Owners to both, each split's candidate to its owner alone."""
    tags, bits = shown_tags(candidates, best), candidates.index_bits
    numbers = tags[1 : 1 + bits], tags[1 + bits :]
    owners, own = open_by_owner(party, tags[0:1], numbers, Reveal.SPLIT_OWNER, Reveal.SPLIT_INDEX)
    index = (own.astype(np.int64) << np.arange(bits)[:, None]).sum(axis=0)
    return OwnedLevel(owners.astype(np.int64), candidates.decode(index, party.rank))


def shown_tags(candidates: Candidates, best: BestSplits) -> SharedBits:
    """Owner and number of each node's split, the dummy's where it has none, shared; local.

    (1 + 2 index bits, nodes): the owner's rank comes first, then the number at the label party and
    that at the feature party, the lowest bit first; all but the owner's is 0.
    """
    is_feature, index = candidates.owner == 1, candidates.index
    numbers = [(index >> shift & 1).astype(np.bool_) for shift in range(candidates.index_bits)]
    public = [is_feature, *(bit & ~is_feature for bit in numbers)]
    public += [bit & is_feature for bit in numbers]
    marks = best.marks[:-1]
    marked = SharedBits.stack([marks.masked(row).xor_all() for row in public])
    return best.dummies ^ marked


class OwnedRound:
    """The splits of the trees of one round, level after level."""

    def __init__(
        self,
        party: Party,
        candidates: Candidates,
        cuts: NDArray[np.float64],
        nodes: int,
        private: Prg,
    ) -> None:
        """``cuts``: (own columns, bins); ``nodes``: of all levels and trees, as ``candidates``
        are; ``private``: for dummies."""
        self._rank, self._cuts = party.rank, cuts
        self._dummies = draw_dummies(party, candidates, nodes, private)
        self._levels: list[OwnedLevel] = []

    def dummies(self, nodes: int) -> SharedBits:
        """The dummies of the next level, which has so many nodes: their tags."""
        first = sum(level.owners.size for level in self._levels)
        return self._dummies.of(slice(first, first + nodes))

    def found(self, party: Party, best: BestSplits, candidates: Candidates) -> OwnedLevel:
        """The next level's splits, among its candidates, opened."""
        self._levels.append(open_splits(party, candidates, best))
        return self._levels[-1]

    def halves(self, leaves: Shared) -> tuple[TreeHalf, ...]:
        """This party's half of each tree; ``leaves``: (trees, 2^depth)."""
        trees = []
        for root, values in enumerate(leaves.own_share()):
            levels = enumerate(self._levels)
            own = [level[root << depth : (root + 1) << depth] for depth, level in levels]
            trees.append(_half(self._rank, self._cuts, own, values))
        return tuple(trees)


def _half(
    rank: int, cuts: NDArray[np.float64], levels: Sequence[OwnedLevel], leaves: Words
) -> TreeHalf:
    """This party's half of one tree, of the splits of its levels; ``cuts``: (own columns, bins)."""
    owners = np.concatenate([level.owners for level in levels])
    columns = np.concatenate([level.cuts.columns for level in levels])
    bins = np.concatenate([level.cuts.cuts for level in levels])
    missing_left = np.concatenate([level.cuts.missing_left for level in levels])
    one_hot = np.concatenate([level.cuts.one_hot for level in levels])
    mine = owners == rank
    thresholds = np.full(owners.size, np.nan)
    thresholds[mine] = cuts[columns[mine], bins[mine]]
    return TreeHalf(
        owners=owners.astype(np.int8),
        features=np.where(mine, columns, NOT_MINE).astype(np.int32),
        bins=np.where(mine, bins, NOT_MINE).astype(np.int32),
        thresholds=thresholds,
        missing_left=missing_left & mine,
        one_hot=one_hot & mine,
        leaf_values=leaves,
    )
