"""Interaction constraints in shares: which groups of columns are open at a node.

Which groups of columns (``splits.interactions``) are open at a node says which columns its path has
used, so it is a shared bit of each group. At the root all are open. A group is open at a child
where it is open at the parent, and the parent's best candidate is of a column of this group: an
exclusive or of marks, and an and. A node may use a column where one of its groups is open: columns
that are in the same groups are of one kind and share this bit, which joins the tests that make a
candidate valid (``splits.score``). All this goes on beside the rounding of the level's sums.

A node without a valid candidate closes all groups, so that nothing is valid below it. What stops
splits all the same, by its best candidate, and so do the groups below; nothing of that counts.

With owned splits the owner of a node without a valid candidate is a fair coin (``splits.owned``). A
group of one side's columns would tell this side, now and then, that a split of the other one must
be a dummy, since no real one could be its. So each column must be in a group then, each group have
columns of both sides, and columns must not be drawn by lot: whoever owns a path's splits, a further
one may then be of either side (``interactions.check_owned``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.boost.splits.interactions import MOST_GROUPS
from securexgb.boost.splits.split import BestSplits, Candidates
from securexgb.mpc.compare import all_cost, all_of, not_bits
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant_bits
from securexgb.mpc.shared import SharedBits


@dataclass(frozen=True, repr=False)
class Groups:
    """Public: ``member`` (groups, columns), those of single columns the last; ``kind``: of each
    column, (columns,); ``groups``: of each kind, (kinds, most groups), -1 where it has fewer."""

    member: NDArray[np.bool_]
    kind: NDArray[np.int64]
    groups: NDArray[np.int64]

    @staticmethod
    def of(memberships: Sequence[int]) -> Groups:
        """Of all columns: bit g of group g, see ``interactions.groups_of``."""
        masks = np.array(memberships, np.int64)
        named = (masks >> np.arange(MOST_GROUPS)[:, None] & 1).astype(np.bool_)
        alone = np.identity(masks.size, np.bool_)[masks == 0]
        member = np.concatenate([named[named.any(axis=1)], alone])
        kinds, kind = np.unique(member.T, axis=0, return_inverse=True)
        groups = np.full((len(kinds), int(kinds.sum(axis=1).max())), -1, np.int64)
        for row, of_kind in zip(groups, kinds, strict=True):
            own = np.flatnonzero(of_kind)
            row[: own.size] = own
        return Groups(member, kind.reshape(-1).astype(np.int64), groups)

    def chosen(self, marks: SharedBits, candidates: Candidates) -> SharedBits:
        """Whether a node's best candidate is of a column of a group, (groups, nodes); local.

        ``marks``: (c, nodes), of these candidates.
        """
        used = candidates.used
        of_column = marks.reshape(used.shape[-1], candidates.per_column).xor_all(axis=1)
        return SharedBits.stack([of_column.masked(group[used]).xor_all() for group in self.member])


def groups_cost(groups: Groups, parents: int, *, is_first: bool) -> Cost:
    """Cost of ``next_groups``; ``is_first``: of the roots' children."""
    words, (kinds, most) = words_per(parents), groups.groups.shape
    total = Cost() if is_first else and_cost(len(groups.member) * words)
    return total + (all_cost(most, kinds * words) if most > 1 else Cost())


@protocol(
    cost=lambda groups, chosen, above: groups_cost(groups, chosen.count, is_first=above is None),
    opens=COMPOSED,
    source="xgboost 3.2: FeatureInteractionConstraintHost::SplitImpl",
    ideal=None,
)
def next_groups(
    party: Party, groups: Groups, chosen: SharedBits, above: SharedBits | None
) -> tuple[SharedBits, SharedBits]:
    """Whether groups are open at nodes' children, and kinds of columns may be used there.

    (groups, nodes) and (kinds, nodes). ``chosen``: whether a node's best candidate is of a column
    of a group, (groups, nodes); ``above``: whether a group is open at a node; None where all are.
    """
    is_open = chosen if above is None else and_bits(party, above, chosen)
    places = groups.groups.T
    if len(places) == 1:
        return is_open, is_open[places[0]]
    # Or by the groups of a kind: none of them is closed.
    nothing = constant_bits(party, True, (1,), is_open.count)
    closed = SharedBits.concatenate([not_bits(party, is_open), nothing])
    return is_open, not_bits(party, all_of(party, closed[places]))


class Paths:
    """Which columns the nodes of a level may use, level after level."""

    def __init__(self, groups: Groups | None) -> None:
        self._groups = groups
        self._open: SharedBits | None = None
        self._usable: SharedBits | None = None

    def descend(self, party: Party, best: BestSplits, candidates: Candidates) -> None:
        """To the next level, of the best splits of this one among its candidates."""
        if self._groups is None:
            return
        chosen = self._groups.chosen(best.marks[:-1], candidates)
        found = next_groups(party, self._groups, chosen, self._open)
        self._open, self._usable = (bits.for_each(2) for bits in found)

    def usable(self, candidates: Candidates) -> SharedBits | None:
        """Whether a node may use each of its columns, (k, nodes); None where it may all."""
        if self._groups is None or self._usable is None:
            return None
        kinds = self._groups.kind[candidates.used]
        if kinds.ndim == 1:
            return self._usable[kinds]
        flags = self._usable.flags()[kinds.T, np.arange(len(kinds))]
        return SharedBits(pack_bits(flags), len(kinds))
