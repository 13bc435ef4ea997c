"""Owned splits: both parties learn who owns each split, its owner the column and cut.

A node without a valid candidate gets a dummy split, so that nobody sees that it has none: its owner
by a coin that neither party knows, and a candidate that this owner drew. To the other party
it looks like any split. What is opened of a node is the exclusive or, over all candidates, of the
marked one's owner and number, and of the dummy's where the last mark is set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.arith.prg import Prg
from securexgb.boost.executor import Bits, Cuts, Executor
from securexgb.boost.splits.split import BestSplits, Candidates
from securexgb.boost.tree import NOT_MINE, TreeHalf
from securexgb.mpc.multiplex import multiplex_private
from securexgb.mpc.multiply import and_broadcast, gate_cost
from securexgb.mpc.open import open_bits, open_bits_to
from securexgb.mpc.packed import RingBits
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import constant_bits
from securexgb.mpc.shared import Shared, SharedBits, Words
from securexgb.mpc.together import together

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
    """Shared dummy splits: ``tags`` (1 + index bits, nodes), the owner's rank first."""

    tags: SharedBits

    def of(self, nodes: slice) -> SharedBits:
        """Those of some nodes."""
        flags = self.tags.flags()[:, nodes]
        return SharedBits(pack_bits(flags), flags.shape[1])


def dummies_cost(nodes: int, index_bits: int) -> Cost:
    """Cost of ``draw_dummies`` for so many nodes."""
    return gate_cost(index_bits, words_per(nodes))


def draw_dummies(party: Party, candidates: Candidates, nodes: int, private: Prg) -> Dummies:
    """A dummy split for every node of the trees of a round.

    Each party draws bits, whose xor is the coin, and candidates of its own. Bit and word of a node
    follow from ``private`` and the node's number alone, so that a deeper tree has the same at its
    top.
    """
    bits = private.derive("coin").words(words_per(nodes))
    words = private.derive("candidate").words(nodes)
    own = candidates.index[candidates.owner == party.rank]
    drawn = own[words % np.uint64(own.size)] if own.size else np.zeros(nodes, np.int64)
    # The xor of both parties' numbers, shared: each knows one.
    either = SharedBits(_bits_of(drawn, candidates.index_bits), nodes)
    of_label = either
    if party.rank != 0:
        of_label = SharedBits.zeros(candidates.index_bits, count=nodes)
    sides = np.unique(candidates.owner)
    coin = SharedBits(bits, nodes)
    if sides.size == 1:
        coin = constant_bits(party, bool(sides[0]), (), nodes)
    index = of_label ^ and_broadcast(party, coin, either)
    return Dummies(SharedBits.concatenate([SharedBits.stack([coin]), index]))


def _bits_of(numbers: Numbers, bits: int) -> Words:
    """Bits of numbers (n,), the lowest first: packed (bits, ceil(n / 64))."""
    return pack_bits((numbers[None] >> np.arange(bits)[:, None] & 1).astype(np.bool_))


def opening_cost(nodes: int, label: int, index_bits: int) -> Cost:
    """Cost of ``open_splits``; ``label``: how many of the nodes are the label party's."""
    feature = nodes - label
    tags = gate_cost(1 + index_bits, words_per(nodes))
    sent = Cost(
        rounds=2,
        label_words=words_per(nodes) + index_bits * words_per(feature),
        feature_words=words_per(nodes) + index_bits * words_per(label),
    )
    return tags + sent


def open_splits(
    party: Party, candidates: Candidates, marks: SharedBits, dummies: SharedBits
) -> OwnedLevel:
    """Owners to both, each split's candidate to its owner alone; ``marks``: see ``BestSplits``."""
    tags = shown_tags(party, candidates, marks, dummies)
    owners = open_bits(party, tags[0:1], Reveal.SPLIT_OWNER)[0].astype(np.int64)
    numbers = tags[1:].flags()
    opened = together(party, *(_opening(numbers, owners, rank) for rank in np.unique(owners)))
    index = sum(opened, np.zeros(owners.size, np.int64))
    return OwnedLevel(owners, Cuts(*candidates.decode(index)))


def _opening(flags: Bits, owners: Numbers, rank: int) -> Callable[[Party], Numbers]:
    """Opens the numbers of the nodes that one party owns to it: (nodes,), elsewhere 0."""
    nodes = np.flatnonzero(owners == rank)
    asked = SharedBits(pack_bits(flags[:, nodes]), nodes.size)

    def run(party: Party) -> Numbers:
        numbers = np.zeros(owners.size, np.int64)
        opened = open_bits_to(party, rank, asked, Reveal.SPLIT_INDEX)
        if opened is not None:
            numbers[nodes] = (opened.astype(np.int64) << np.arange(len(opened))[:, None]).sum(0)
        return numbers

    return run


def shown_tags(
    party: Party, candidates: Candidates, marks: SharedBits, dummies: SharedBits
) -> SharedBits:
    """Owner and number of each node's split, the dummy's where it has none, shared.

    (1 + index bits, nodes): the owner's rank comes first, then the number's bits, the lowest first.
    """
    return and_broadcast(party, marks[-1], dummies) ^ _tags(candidates, marks[:-1])


def _tags(candidates: Candidates, marks: SharedBits) -> SharedBits:
    """Owner and number of the marked candidates; local."""
    shifts = np.arange(candidates.index_bits)[:, None]
    numbers = (candidates.index[None] >> shifts & 1).astype(np.bool_)
    public = np.concatenate([(candidates.owner == 1)[None], numbers])
    return SharedBits.concatenate([SharedBits.stack([marks[row].xor_all()]) for row in public])


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
        """``cuts``: (own columns, bins); ``nodes``: of all trees; ``private``: for dummies."""
        self._rank, self._candidates, self._cuts = party.rank, candidates, cuts
        self._dummies = draw_dummies(party, candidates, nodes, private)
        self._levels: list[OwnedLevel] = []

    def found(self, party: Party, best: BestSplits) -> OwnedLevel:
        """The next level's splits, opened."""
        first = sum(level.owners.size for level in self._levels)
        dummies = self._dummies.of(slice(first, first + best.marks.count))
        self._levels.append(open_splits(party, self._candidates, best.marks, dummies))
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
    mine = owners == rank
    thresholds = np.full(owners.size, np.nan)
    thresholds[mine] = cuts[columns[mine], bins[mine]]
    return TreeHalf(
        owners=owners.astype(np.int8),
        features=np.where(mine, columns, NOT_MINE).astype(np.int32),
        bins=np.where(mine, bins, NOT_MINE).astype(np.int32),
        thresholds=thresholds,
        missing_left=missing_left & mine,
        leaf_values=leaves,
    )
