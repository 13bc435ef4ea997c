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

from securexgb.mpc.choose import choose, choose_cost
from securexgb.mpc.compare import all_cost, all_of, at_least, carry_cost, not_bits
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, words_per

LABEL_BITS = 32
"""Labels are shared modulo 2^32."""
_TWO_STAGES = 48
"""Up to so many candidates two stages do; a third saves comparisons, for ten rounds more."""


def _pairs(size: int) -> int:
    return size * (size - 1) // 2


@cache
def stages(candidates: int) -> tuple[int, ...]:
    """Group sizes, stage after stage: the fewest comparisons; the fallback is in the last one."""
    plans = []
    for first in range(2, max(3, candidates + 1)):
        groups = -(-candidates // first)
        for second in range(1, 1 + (groups if candidates > _TWO_STAGES else 1)):
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
        words = words_per(nodes * candidates)
        total += carry_cost(score_bits - 1, 64 * _pairs(size) * words)
        total += all_cost(size - 1, size * words)
        rows = payload + (0 if last else 1) + (labels if stage else 0)
        total += choose_cost(rows, 64 * size * words)
        total += Cost() if stage else lift_cost(size * words, LABEL_BITS)
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

    ``words``: (k, size, places), a place for every group of every node, filled up with zeros to
    whole packed words; the last group of a node is filled up with zeros too.
    """

    def __init__(self, words: Shared, nodes: int, groups: int) -> None:
        self.words, self.nodes, self.groups = words, nodes, groups

    @staticmethod
    def of(values: Shared, size: int) -> _Groups:
        rows, nodes, candidates = values.shape
        groups = -(-candidates // size)
        padded = np.pad(values.words, ((0, 0), (0, 0), (0, groups * size - candidates)))
        by_place = padded.reshape(rows, nodes, groups, size).transpose(0, 3, 1, 2)
        flat = by_place.reshape(rows, size, nodes * groups)
        filled = np.pad(flat, ((0, 0), (0, 0), (0, -(nodes * groups) % 64)))
        return _Groups(Shared(filled), nodes, groups)

    def chosen(self, party: Party, marks: SharedBits, first_row: int) -> Shared:
        """The marked entries of the rows from ``first_row`` on: (rows, nodes, groups)."""
        rows, size, _ = self.words[first_row:].shape
        flat = self.words[first_row:].reshape(rows, -1)
        kept = choose(party, SharedBits(marks.words.reshape(-1), flat.shape[1]), flat)
        return self.by_node(kept.reshape(rows, size, -1).sum(axis=1))

    def by_node(self, values: Shared) -> Shared:
        """(rows, places) -> (rows, nodes, groups)."""
        shape = (values.shape[0], self.nodes, self.groups)
        return values[:, : self.nodes * self.groups].reshape(*shape)


def _tags(party: Party, grouped: _Groups, marks: SharedBits, labels: NDArray[np.int64]) -> Shared:
    """The winners' public labels, (k, nodes, groups): linear in the marks."""
    size, groups = marks.words.shape[0], grouped.groups
    padded = np.pad(labels, ((0, 0), (0, groups * size - labels.shape[1])))
    spread = padded.reshape(-1, groups, size).transpose(0, 2, 1).view(np.uint64)
    lifted = to_arithmetic(party, marks, LABEL_BITS)
    flags = grouped.by_node(lifted).words
    return Shared(np.einsum("sng,ksg->kng", flags, spread))


def _winners(party: Party, grouped: _Groups, score_bits: int) -> SharedBits:
    """Marks of the winners, one in each group: (size, places)."""
    scores = grouped.words[0]
    size, places = scores.shape
    pairs = list(combinations(range(size), 2))
    position = {pair: place for place, pair in enumerate(pairs)}
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    flat = at_least(party, scores[first], scores[second], score_bits)
    holds = SharedBits(flat.words.reshape(len(pairs), -1), places)
    beats = not_bits(party, holds)
    contests = [
        [holds[position[j, i]] if j < i else beats[position[i, j]] for i in range(size) if i != j]
        for j in range(size)
    ]
    words = np.stack([[bits.words for bits in contest] for contest in contests], axis=1)
    return all_of(party, SharedBits(words, places))
