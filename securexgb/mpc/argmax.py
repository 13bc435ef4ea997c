"""The best of many shared scores: what belongs to it and which one it is, without opening anything.

Candidates are split into groups of m; within a group all pairs are compared at once, and
a candidate wins if it wins all its comparisons (an and of m - 1 bits). Of equal scores the
one at the lower public position wins. The winner's mark chooses score and payload, and
the winners of all groups go to the next stage. A group of m takes (m - 1) / 2 comparisons a
candidate, so the first groups, of which there are most, are small and the last one is large:
three stages take less than three times as many comparisons as there are candidates.

The last stage has one entry more, the fallback, of score 1: it wins where no other score reaches
1, and then nobody else does. A candidate is the best where it has won in its group and the group
has won above: the last stage's marks let those of the stage below through, and so on down. What is
public of a candidate is linear in these marks, so whoever opens a function of them (its owner, its
number, the bins that it sends left) needs no message more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.mpc.compare import all_cost, all_of, at_least, carry_cost, not_bits
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.multiply import and_broadcast, gate_cost
from securexgb.mpc.packed import RingBits
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.together import together

_LARGEST = 128
"""Groups of the first stages are no larger: the best sizes are far below it."""
_TWO_STAGES = 48
"""Up to so many candidates two stages do; a third saves comparisons, for ten rounds more."""


def _pairs(size: int) -> int:
    return size * (size - 1) // 2


@cache
def stages(candidates: int) -> tuple[int, ...]:
    """Group sizes, stage after stage: the fewest comparisons; the fallback is in the last one."""
    plans = []
    for first in range(2, min(max(candidates, 2), _LARGEST) + 1):
        groups = -(-candidates // first)
        for second in range(1, 1 + (min(groups, _LARGEST) if candidates > _TWO_STAGES else 1)):
            left = -(-groups // second)
            count = groups * _pairs(first) + left * _pairs(second) + _pairs(left + 1)
            plans.append((count, first, second, left + 1))
    _, first, second, last = min(plans)
    return (first, last) if second == 1 else (first, second, last)


def best_cost(nodes: int, candidates: int, score_bits: int) -> Cost:
    """Cost of ``argmax`` of so many candidates at so many nodes."""
    *first, last = stages(candidates)
    total, behind = Cost(), Cost()
    for size in first:
        candidates = -(-candidates // size)
        places = nodes * candidates
        total += _stage_cost(size, places, score_bits)
        total += multiplex_shared_cost(size * places, (score_bits, 64))
        behind += gate_cost(size, words_per(places))
    total += _stage_cost(last, nodes, score_bits)
    return total + multiplex_shared_cost(last * nodes, (64,)).at_once(behind)


def _stage_cost(size: int, places: int, score_bits: int) -> Cost:
    """Cost of the marks of the winners of so many groups of one size."""
    marks = all_cost(size - 1, words_per(size * places))
    return carry_cost(score_bits - 1, _pairs(size) * places) + marks


@protocol(
    cost=lambda scores, payload, score_bits: best_cost(
        scores.shape[0], scores.shape[1], score_bits
    ),
    opens=COMPOSED,
    source="all pairs within groups, then among the winners: docs/protocols.md, argmax",
    ideal=None,
)
def argmax(
    party: Party, scores: Shared, payload: Shared, score_bits: int
) -> tuple[SharedBits, Shared]:
    """Marks and payload of the best score of each row; neither where no score reaches 1.

    ``scores``, ``payload`` (nodes, candidates), 0 <= score < 2^(score_bits - 1), scores shared
    modulo 2^score_bits. Returns bits (candidates + 1, nodes), one of which is set at each node,
    the last one where no score reaches 1; and (nodes,). Ties go to the lowest position.
    """
    nodes = scores.shape[0]
    *first, last = stages(scores.shape[1])
    values, won = Shared.stack([scores, payload]), list[_Marks]()
    for size in first:
        grouped = _Groups.of(values, size)
        marks = _winners(party, grouped, score_bits)
        won.append(_Marks(marks, grouped, values.shape[2]))
        values = grouped.chosen(party, marks, (score_bits, 64))
    fallback = Shared.stack([constant(party, 1, (nodes, 1)), Shared.zeros(nodes, 1)])
    grouped = _Groups.of(Shared.concatenate([values, fallback], axis=2), last)
    marks = _winners(party, grouped, score_bits)
    top, none = _split_fallback(marks, nodes, last)

    def found(party: Party) -> SharedBits:
        result = top
        for below in reversed(won):
            result = below.behind(party, result)
        return result

    best, below = together(
        party, lambda part: grouped.chosen(part, marks, (64,), first_row=1), found
    )
    return SharedBits.concatenate([below, none]), best.reshape(nodes)


def _split_fallback(marks: SharedBits, nodes: int, last: int) -> tuple[SharedBits, SharedBits]:
    """The last stage's marks by entry, (entries, nodes), and the fallback's, (1, nodes)."""
    by_entry = SharedBits(pack_bits(marks.flags().reshape(last, nodes)), nodes)
    return by_entry[:-1], by_entry[-1:]


class _Groups:
    """Rows of values (k, nodes, candidates) in groups of ``size``.

    ``words``: (k, size, places), a place for every group of every node; see ``_members``.
    """

    def __init__(self, words: Shared, nodes: int, groups: int) -> None:
        self.words, self.nodes, self.groups = words, nodes, groups

    @staticmethod
    def of(values: Shared, size: int) -> _Groups:
        rows, nodes, candidates = values.shape
        members = _members(candidates, size)
        missing = max(size - candidates, 0)
        filled = np.pad(values.words, ((0, 0), (0, 0), (0, missing)))[:, :, members]
        by_place = filled.transpose(0, 3, 1, 2)
        groups = len(members)
        return _Groups(Shared(by_place.reshape(rows, size, nodes * groups)), nodes, groups)

    def chosen(
        self, party: Party, marks: SharedBits, ring_bits: RingBits, first_row: int = 0
    ) -> Shared:
        """The marked entries of the rows from ``first_row`` on: (rows, nodes, groups)."""
        values = self.words[first_row:]
        flat = values.reshape(1, values.shape[0], -1)
        kept = multiplex_shared(party, SharedBits.stack([marks]), flat, ring_bits)
        chosen = kept.reshape(*values.shape).sum(axis=1)
        return chosen.reshape(values.shape[0], self.nodes, self.groups)


def _members(candidates: int, size: int) -> NDArray[np.intp]:
    """The positions in each group, (groups, size), ascending.

    The last group takes in the last candidates of the one before, and so no group has an element
    that both sides know: two zeros would be compared with choices that both know. A candidate in
    two groups changes nothing: where it wins both it meets itself, and ties go to the lower group.
    """
    groups = -(-candidates // size)
    firsts = np.minimum(np.arange(groups) * size, max(candidates - size, 0))
    return firsts[:, None] + np.arange(size)


@dataclass(frozen=True)
class _Marks:
    """One stage's winners, of ``candidates`` entries in groups."""

    marks: SharedBits
    grouped: _Groups
    candidates: int

    def behind(self, party: Party, above: SharedBits) -> SharedBits:
        """The winners that win above, too: (candidates, nodes), for marks (groups, nodes)."""
        nodes, groups = self.grouped.nodes, self.grouped.groups
        size = self.grouped.words.shape[1]
        gate = SharedBits(pack_bits(above.flags().T.reshape(-1)), nodes * groups)
        own = SharedBits(pack_bits(self.marks.flags().reshape(size, -1)), nodes * groups)
        both = and_broadcast(party, gate, own).flags().reshape(size, nodes, groups)
        # A candidate in two groups wins in one of them at most, for there is one winner.
        found = np.zeros((max(self.candidates, size), nodes), np.bool_)
        for group, members in enumerate(_members(self.candidates, size)):
            found[members] ^= both[:, :, group]
        return SharedBits(pack_bits(found[: self.candidates]), nodes)


def _winners(party: Party, grouped: _Groups, score_bits: int) -> SharedBits:
    """Marks of the winners, one in each group, flat: (size * places,)."""
    scores = grouped.words[0]
    size, places = scores.shape
    pairs = list(combinations(range(size), 2))
    position = {pair: place for place, pair in enumerate(pairs)}
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    holds = at_least(party, scores[first], scores[second], score_bits)
    # Rows of single bits, so that places need not fill whole words.
    both = [bits.flags().reshape(len(pairs), places) for bits in (holds, not_bits(party, holds))]
    contests = np.empty((size - 1, size, places), np.bool_)
    for j in range(size):
        for row, i in enumerate(place for place in range(size) if place != j):
            contests[row, j] = both[0][position[j, i]] if j < i else both[1][position[i, j]]
    words = pack_bits(contests.reshape(size - 1, -1))
    return all_of(party, SharedBits(words, size * places))
