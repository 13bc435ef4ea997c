"""The best of many shared scores: what belongs to it and which one it is, without opening anything.

Candidates are split into groups of m; within a group all pairs are compared at once, and
a candidate wins if it wins all its comparisons (an and of m - 1 bits). Of equal scores the
one at the lower public position wins. The winner's mark chooses score and payload, and
the winners of all groups go to the next stage. A group of m takes (m - 1) / 2 comparisons a
candidate, so with three stages the first groups, of which there are most, are small and the last
one is large: less than three times as many comparisons as there are candidates. Two stages take
some rounds less and more comparisons: the choice where there are few nodes, or where rounds are
slow, see ``stages``.

The last stage has one entry more, the fallback, whose score the caller names: it wins where no
other score reaches it, and then nobody else does. A candidate is the best where it has won in its
group and the group has won above: the last stage's marks let those of the stages below
through, which were joined while the last stage compared. What is
public of a candidate is linear in these marks, so whoever opens a function of them (its owner, its
number, the bins that it sends left) needs no message more. What is shared and belongs to the
fallback goes through a gate of its mark in the last round, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.correlations.prices import Prices
from securexgb.mpc.circuits.chains import all_ahead, all_cost, all_wanted
from securexgb.mpc.compare import blocks_cost, carry_blocks, not_bits, plain_bits
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.multiply import and_broadcast, gate_cost
from securexgb.mpc.packed import RingBits
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.together import together

Sizes = NDArray[np.int64]
PAYLOAD_BITS = 32
"""The words of a payload count modulo 2 to this power."""
_LARGEST = 128
"""Groups of the first stages are no larger: the best sizes are far below it."""
_ROUND_WORTH = 400
"""A round is as dear as so many comparisons on a fast link: some tenths of a millisecond without a
dealer."""
_COMPARISON_WORDS = 6
"""One way, of a comparison and of what is made ahead for it; more beside its time."""
_FIXED_ROUNDS = 5
"""Of a stage, beside those in which its marks are joined: those of a comparison and a choice."""


def _pairs(size: int) -> int:
    return size * (size - 1) // 2


def _dear(sizes: Sizes, places: Sizes, worth: int) -> Sizes:
    """Comparisons of groups of such sizes at so many places, and what the stage's rounds count, of
    which each is worth so many."""
    joined = np.frexp(np.maximum(sizes - 2, 0))[1] + 1 >> 1  # in fours: of sizes - 1 bits
    cost: Sizes = places * (sizes * (sizes - 1) // 2) + worth * (_FIXED_ROUNDS + joined)
    return cost


@cache
def stages(nodes: int, candidates: int, round_words: int) -> tuple[int, ...]:
    """Group sizes, stage after stage: the least comparisons and rounds of all nodes together.

    The fallback is in the last one. ``round_words``: see ``correlations.prices``.
    """
    worth = _ROUND_WORTH + round_words // _COMPARISON_WORDS
    first = np.arange(2, 1 + min(max(candidates, 2), _LARGEST))[:, None]
    groups = -(-candidates // first)
    second = np.arange(1, 1 + min(int(groups.max()), _LARGEST))
    left = -(-groups // second)
    cost = _dear(first, nodes * groups, worth) + _dear(left + 1, np.array(nodes), worth)
    cost = cost + np.where(second > 1, _dear(second, nodes * left, worth), 0)
    cost = np.where(second > groups, cost.max(), cost)
    row, column = divmod(int(cost.argmin()), second.size)
    sizes = int(first[row, 0]), int(second[column]), int(left[row, column]) + 1
    return (sizes[0], sizes[2]) if sizes[1] == 1 else sizes


def best_cost(
    shape: tuple[int, int], score_bits: int, words: int, behind: int, prices: Prices
) -> Cost:
    """Cost of ``argmax`` of scores (nodes, candidates).

    ``words``: of a payload; ``behind``: bits that the fallback lets through.
    """
    nodes, candidates = shape
    *first, last = stages(nodes, candidates, prices.round_words)
    payload = (PAYLOAD_BITS,) * words
    total, joined, members = Cost(), Cost(), 1
    for size in first:
        candidates = -(-candidates // size)
        places = nodes * candidates
        total += winners_cost(size, places, score_bits)
        total += multiplex_shared_cost(size * places, (score_bits, *payload))
        if members > 1:
            joined = gate_cost(members, words_per(size * places))
        members *= size
    total += winners_cost(last, nodes, score_bits).at_once(joined)
    found = gate_cost(members, words_per(nodes * candidates))
    return total + multiplex_shared_cost(last * nodes, payload).at_once(
        found, gate_cost(behind, words_per(nodes))
    )


def winners_cost(size: int, places: int, score_bits: int) -> Cost:
    """Cost of ``winners``: the marks of the winners of so many groups of one size."""
    words = words_per(size * places)
    more = all_wanted(size - 1, words)
    return blocks_cost([score_bits - 1], _pairs(size) * places, more) + all_cost(size - 1, words)


@protocol(
    priced=lambda prices, scores, payload, behind, score_bits, fallback: best_cost(
        scores.shape, score_bits, payload.shape[0], behind.words.shape[0], prices
    ),
    opens=COMPOSED,
    source="all pairs within groups, then among the winners: docs/protocols.md, argmax",
    ideal=None,
)
def argmax(
    party: Party,
    scores: Shared,
    payload: Shared,
    behind: SharedBits,
    score_bits: int,
    fallback: int,
) -> tuple[SharedBits, Shared, SharedBits]:
    """Marks and payload of the best score of each row; neither where no score reaches ``fallback``.

    ``scores`` (nodes, candidates), 0 <= score < 2^(score_bits - 1), shared modulo 2^score_bits;
    ``payload`` (k, nodes, candidates), modulo 2^32; ``behind`` (w, nodes); ``fallback``: a score,
    public. Returns bits (candidates + 1, nodes), one of which is set at each node, the last one
    where no score reaches ``fallback``; the payload (k, nodes), else 0; and ``behind`` where the
    last mark is set, else 0. Ties go to the lowest position.
    """
    nodes, candidates = scores.shape
    *first, last = stages(nodes, candidates, party.prices.round_words)
    widths = (PAYLOAD_BITS,) * payload.shape[0]
    values, won = Shared.concatenate([scores[None], payload]), list[_Marks]()
    for size in first:
        grouped = _Groups.of(values, size)
        marks = winners(party, grouped.words[0], score_bits)
        won.append(_Marks.of(marks, grouped, values.shape[2]))
        values = grouped.chosen(party, marks, (score_bits, *widths))
    empty = Shared.zeros(payload.shape[0], nodes, 1)
    score = constant(party, fallback, (1, nodes, 1))
    values = Shared.concatenate([values, Shared.concatenate([score, empty])], axis=2)
    grouped = _Groups.of(values, last)
    marks, below = together(
        party,
        lambda part: winners(part, grouped.words[0], score_bits),
        lambda part: won[0] if len(won) == 1 else won[0].within(part, won[1]),
    )
    top, none = _split_fallback(marks, nodes, last)
    best, found, let_through = together(
        party,
        lambda part: grouped.chosen(part, marks, widths, first_row=1),
        lambda part: below.behind(part, top, candidates),
        lambda part: and_broadcast(part, none[0], behind),
    )
    return SharedBits.concatenate([found, none]), best[:, :, 0], let_through


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


@dataclass(frozen=True, repr=False)
class _Marks:
    """Shares of which members of groups have won: ``flags`` (size, nodes, groups).

    ``members``: the candidates that they are, (groups, size); one may be in a group twice.
    """

    flags: NDArray[np.bool_]
    members: NDArray[np.intp]

    @staticmethod
    def of(marks: SharedBits, grouped: _Groups, candidates: int) -> _Marks:
        """A stage's marks, of so many entries in groups."""
        size = grouped.words.shape[1]
        flags = marks.flags().reshape(size, grouped.nodes, grouped.groups)
        return _Marks(flags, _members(candidates, size))

    def within(self, party: Party, above: _Marks) -> _Marks:
        """The winners whose group has won in its own group above: in groups of that stage."""
        behind = self.flags[:, :, above.members]
        through = _gated(party, above.flags.transpose(1, 2, 0), behind)
        size, nodes, groups, others = through.shape
        flags = through.transpose(3, 0, 1, 2).reshape(others * size, nodes, groups)
        return _Marks(flags, self.members[above.members].reshape(groups, -1))

    def behind(self, party: Party, above: SharedBits, candidates: int) -> SharedBits:
        """The winners that win above, too: (candidates, nodes), for marks (groups, nodes)."""
        through = _gated(party, above.flags().T, self.flags)
        nodes = through.shape[1]
        found = np.zeros((max(candidates, self.members.max() + 1), nodes), np.bool_)
        # A candidate in two groups wins in one of them at most, for there is one winner; members
        # at one place of all groups differ.
        for place, members in enumerate(self.members.T):
            found[members] ^= through[place].T
        return SharedBits(pack_bits(found[:candidates]), nodes)


def _gated(party: Party, gate: NDArray[np.bool_], bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Shares of single bits, let through by gates: (...) and (k, ...)."""
    gates = SharedBits(pack_bits(gate.reshape(-1)), gate.size)
    behind = SharedBits(pack_bits(bits.reshape(len(bits), -1)), gate.size)
    return and_broadcast(party, gates, behind).flags().reshape(bits.shape)


def _ideal_winners(scores: Shared, score_bits: int) -> SharedBits:
    values = scores.words << np.uint64(64 - score_bits)
    marks = np.arange(len(values))[:, None] == values.argmax(axis=0)
    return plain_bits(marks.reshape(-1))


@protocol(
    cost=lambda scores, score_bits: winners_cost(scores.shape[0], scores.shape[1], score_bits),
    opens="masked digits, tables and gates, uniform",
    source="all pairs, then an and of each one's comparisons",
    ideal=_ideal_winners,
)
def winners(party: Party, scores: Shared, score_bits: int) -> SharedBits:
    """Marks of the winners of groups, scores (size, groups): one in each, flat, (size * groups,).

    Masks of the ands are multiplied while the digits of the comparisons are asked for.
    """
    size, places = scores.shape
    first, second = _pairs_of(size)
    gaps = (scores[first] - scores[second]).words.reshape(-1)
    more = all_wanted(size - 1, words_per(size * places))
    carries, _, masks = carry_blocks(party, [(gaps, score_bits - 1)], more)
    is_less = Shared(gaps >> np.uint64(score_bits - 1)).lowest_bits() ^ carries[0]
    # Rows of single bits, so that places need not fill whole words.
    holds = not_bits(party, is_less).flags().reshape(first.size, places)
    pair, is_second = _contests(size)
    contests = holds[pair] ^ (is_second & (party.rank == 0))[:, :, None]
    words = pack_bits(contests.reshape(size - 1, -1))
    return all_ahead(party, SharedBits(words, size * places), iter(masks))


@cache
def _pairs_of(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The members that are compared, the lower one first."""
    first, second = np.triu_indices(size, 1)
    return first, second


@cache
def _contests(size: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Each member's pairs (size - 1, size), and whether it is the second one, who wins if it is
    greater."""
    pair_of = np.zeros((size, size), np.intp)
    first, second = _pairs_of(size)
    pair_of[first, second] = pair_of[second, first] = np.arange(first.size)
    own, row = np.arange(size), np.arange(size - 1)[:, None]
    other = row + (row >= own)
    return pair_of[own, other], other < own
