"""What belongs to the greatest of many shared scores, without opening anything.

Candidates are split into groups of m; within a group all pairs are compared at once, and
a candidate wins if it wins all its comparisons (an and of m - 1 bits). Of equal scores the
one at the lower public position wins. The winner's mark chooses score and payload, and
the winners of all groups go to the next stage. A group of m takes (m - 1) / 2 comparisons a
candidate, so the first groups, of which there are most, are small and the last one is large:
three stages take less than three times as many comparisons as there are candidates.

Labels are public at first, so the first stage's winners have theirs from lifted marks, as a
sum; from there on they are shared words like the payload. The last stage has one entry more,
the fallback, which wins where its score is above all others.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.mpc.choose import choose, choose_cost
from securexgb.mpc.compare import all_cost, all_of, at_least, carry_cost, not_bits
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits

LABEL_BITS = 32
"""Labels are shared modulo 2^32."""
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


def best_cost(nodes: int, candidates: int, labels: int, payload: int, score_bits: int) -> Cost:
    """Cost of ``argmax`` with so many labels and so much payload a candidate."""
    sizes, total = stages(candidates), Cost()
    for stage, size in enumerate(sizes):
        last = stage == len(sizes) - 1
        candidates = 1 if last else -(-candidates // size)
        places = nodes * candidates
        words = words_per(size * places)
        total += carry_cost(score_bits - 1, _pairs(size) * places) + all_cost(size - 1, words)
        rows = payload + (0 if last else 1) + (labels if stage else 0)
        total += choose_cost(rows, size * places)
        total += Cost() if stage else lift_cost(words, LABEL_BITS)
    return total


@protocol(
    cost=lambda scores, labels, payload, fallback, score_bits: best_cost(
        scores.shape[0], scores.shape[1], labels.shape[0], payload.shape[0], score_bits
    ),
    opens=COMPOSED,
    source="all pairs within groups, then among the winners: docs/protocols.md, argmax",
    ideal=None,
)
def argmax(
    party: Party,
    scores: Shared,
    labels: NDArray[np.int64],
    payload: Shared,
    fallback: Shared,
    score_bits: int,
) -> tuple[Shared, Shared]:
    """Labels and payload of the best score of each row.

    ``scores`` (nodes, candidates), 0 <= score < 2^(score_bits - 1), shared modulo
    2^score_bits; ``labels`` public (k, candidates); ``payload`` (j, nodes, candidates), j >= 1;
    ``fallback`` (1 + j + k, nodes): the score, the payload and the labels of what wins where it
    is above all scores. Returns (k, nodes) modulo 2^32 and (j, nodes). Ties go to the lowest
    position, the fallback's is the last.
    """
    nodes, candidates = scores.shape
    kept = 1 + payload.shape[0]
    values = Shared.concatenate([scores.reshape(1, nodes, candidates), payload])
    *first, last = stages(candidates)
    for stage, size in enumerate(first):
        grouped = _Groups.of(values, size)
        marks = _winners(party, grouped, score_bits)
        values = grouped.chosen(party, marks, 0)
        if stage == 0:
            values = Shared.concatenate([values, _tags(party, grouped, marks, labels)])
    everything = Shared.concatenate([values, fallback.reshape(-1, nodes, 1)], axis=2)
    grouped = _Groups.of(everything, last)
    best = grouped.chosen(party, _winners(party, grouped, score_bits), 1).reshape(-1, nodes)
    return best[kept - 1 :], best[: kept - 1]


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

    def chosen(self, party: Party, marks: SharedBits, first_row: int) -> Shared:
        """The marked entries of the rows from ``first_row`` on: (rows, nodes, groups)."""
        values = self.words[first_row:]
        kept = choose(party, marks, values.reshape(values.shape[0], -1))
        return self.by_group(kept.reshape(*values.shape).sum(axis=1))

    def by_group(self, values: Shared) -> Shared:
        """(rows, places) -> (rows, nodes, groups)."""
        return values.reshape(values.shape[0], self.nodes, self.groups)


def _members(candidates: int, size: int) -> NDArray[np.intp]:
    """The positions in each group, (groups, size), ascending.

    The last group takes in the last candidates of the one before, and so no group has an element
    that both sides know: two zeros would be compared with choices that both know. A candidate in
    two groups changes nothing: where it wins both it meets itself, and ties go to the lower group.
    """
    groups = -(-candidates // size)
    firsts = np.minimum(np.arange(groups) * size, max(candidates - size, 0))
    return firsts[:, None] + np.arange(size)


def _tags(party: Party, grouped: _Groups, marks: SharedBits, labels: NDArray[np.int64]) -> Shared:
    """The winners' public labels, (k, nodes, groups): linear in the marks."""
    size, candidates = grouped.words.shape[1], labels.shape[1]
    padded = np.pad(labels, ((0, 0), (0, max(size - candidates, 0))))
    spread = padded[:, _members(candidates, size)].transpose(0, 2, 1).view(np.uint64)
    lifted = to_arithmetic(party, marks, LABEL_BITS).reshape(size, -1)
    return Shared(np.einsum("sng,ksg->kng", grouped.by_group(lifted).words, spread))


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
