"""The greatest of many shared scores, and what belongs to it, without opening anything.

Candidates are split into groups of m; within a group all pairs are compared at once, and
a candidate wins if it wins all its comparisons (an and of m - 1 bits). Of equal scores the
one at the lower public position wins. The winner's mark multiplies scores and labels, and
the winners of all groups go to the next stage. Three stages of groups of ten need far
fewer rounds than ten stages of pairs, for some four times as many comparisons.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from securexgb.mpc.compare import all_cost, all_of, at_least, carry_cost, not_bits
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits, words_per

_LOWEST = -(1 << 61)
SCORE_BITS = 63
"""|score| < 2^61, so a difference needs 63 bits with its sign."""


def stages(candidates: int) -> list[int]:
    """Group sizes, stage after stage."""
    count = 1 if candidates <= 10 else 2 if candidates <= 80 else 3 if candidates <= 2000 else 4
    sizes = []
    while candidates > 1:
        size = max(2, int(np.ceil(candidates ** (1 / count))))
        sizes.append(size)
        candidates = -(-candidates // size)
        count = max(count - 1, 1)
    return sizes


def best_cost(nodes: int, candidates: int, labels: int, payload: int) -> Cost:
    """Cost of ``argmax`` with so many labels and so much payload a candidate."""
    total, values = Cost(), 1 + payload
    for size in stages(candidates):
        groups = -(-candidates // size)
        words, pairs = words_per(nodes * groups), size * (size - 1) // 2
        total += carry_cost(SCORE_BITS - 1, 64 * pairs * words)
        total += all_cost(size - 1, size * words) + lift_cost(size * words)
        total += product_cost(values * nodes * groups * size)
        candidates, values = groups, 1 + payload + labels
    return total


def _cost(scores: Shared, labels: NDArray[np.int64], payload: Shared) -> Cost:
    nodes, candidates = scores.shape
    return best_cost(nodes, candidates, labels.shape[0], payload.shape[0])


@protocol(
    cost=_cost,
    opens=COMPOSED,
    source="all pairs within groups, then among the winners: docs/protocols.md, argmax",
    ideal=None,
)
def argmax(
    party: Party, scores: Shared, labels: NDArray[np.int64], payload: Shared
) -> tuple[Shared, Shared, Shared]:
    """The best score of each row with its labels and payload.

    ``scores`` (nodes, candidates), |score| < 2^61; ``labels`` public (k, candidates);
    ``payload`` shared (j, nodes, candidates), j >= 0. Returns shapes (nodes,), (k, nodes),
    (j, nodes). Ties go to the lowest position.
    """
    nodes, candidates = scores.shape
    secret = Shared.concatenate([scores.reshape(1, nodes, candidates), payload])
    tags: Shared | None = None
    for size in stages(candidates):
        groups = -(-secret.shape[2] // size)
        lowest = _padded(party, secret[:1], groups * size, _LOWEST)
        winners = _winners(party, lowest.reshape(nodes, groups, size))
        secret = Shared.concatenate([lowest, _padded(party, secret[1:], groups * size, 0)]).reshape(
            -1, nodes, groups, size
        )
        if tags is None:
            secret = _pick(party, winners, secret)
            tags = _tag(winners, labels)
        else:
            rest = _padded(party, tags, groups * size, 0).reshape(-1, nodes, groups, size)
            picked = _pick(party, winners, Shared.concatenate([secret, rest]))
            secret, tags = picked[: secret.shape[0]], picked[secret.shape[0] :]
    if tags is None:
        tags = constant(party, labels[:, None, :], (len(labels), nodes, 1))
    return secret[0, :, 0], tags[:, :, 0], secret[1:, :, 0]


def _tag(winners: Shared, labels: NDArray[np.int64]) -> Shared:
    """The winners' public labels, (k, nodes, groups): linear in the marks, so local."""
    _, groups, size = winners.shape
    padded = np.pad(labels, ((0, 0), (0, groups * size - labels.shape[1])))
    spread = padded.reshape(len(labels), 1, groups, size).view(np.uint64)
    return Shared((winners.words[None] * spread).sum(axis=3, dtype=np.uint64))


def _padded(party: Party, values: Shared, length: int, fill: int) -> Shared:
    missing = length - values.shape[-1]
    if not missing:
        return values
    pad = constant(party, fill, (*values.shape[:-1], missing))
    return Shared.concatenate([values, pad], axis=-1)


def _winners(party: Party, scores: Shared) -> Shared:
    """0/1 marks of the winners, one in each group: (nodes, groups, size)."""
    nodes, groups, size = scores.shape
    pairs = list(combinations(range(size), 2))
    position = {pair: place for place, pair in enumerate(pairs)}
    width = nodes * groups
    by_place = scores.words.transpose(2, 0, 1).reshape(size, width)
    by_place = np.pad(by_place, ((0, 0), (0, -width % 64)))  # a row fills whole packed words
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    flat = at_least(party, Shared(by_place[first]), Shared(by_place[second]), SCORE_BITS)
    holds = SharedBits(flat.words.reshape(len(pairs), -1), width)
    beats = not_bits(party, holds)
    contests = [
        SharedBits.stack(
            [
                holds[position[j, i]] if j < i else beats[position[i, j]]
                for i in range(size)
                if i != j
            ]
        )
        for j in range(size)
    ]
    joined = SharedBits(np.stack([contest.words for contest in contests], axis=1), width)
    marks = to_arithmetic(party, all_of(party, joined)).words
    return Shared(np.ascontiguousarray(marks.reshape(size, nodes, groups).transpose(1, 2, 0)))


def _pick(party: Party, winners: Shared, values: Shared) -> Shared:
    """The winner's entry of each group: values (k, nodes, groups, size) -> (k, nodes, groups)."""
    marks = np.broadcast_to(winners.words, values.shape)
    product = multiply(party, values, Shared(np.ascontiguousarray(marks)))
    return product.sum(axis=3)
