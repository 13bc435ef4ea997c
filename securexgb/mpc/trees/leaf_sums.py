"""Leaf values by shared marks, where the leaf values stay the same for long: not a word a leaf.

A row's marks of a tree's K leaves are shared as exclusive ors, m ^ m', and one of them is set, k's.
So m and m' are equal everywhere but at k, and of the leaf values L, shared as a sum,

    sum_j m_j L_j - sum_j m'_j L_j = s L_k,    s = 1 where m_k is set, and -1 where m'_k is:

linear, while choosing one of K words by transfers takes K - 1 of them. Each side knows its marks
and its share of the leaf values. What it does not know are the other side's shares, which are the
same for all rows of a session: each side has sent them once, under ring-LWE (``he.fixed_sums``),
and now adds them up by its own marks. Shares come of it, noisy in g bits below the number.

The sign is known in shares: the numbers of marks set at both sides differ by s, so modulo four

    [s = -1] = a_1 ^ a'_1 ^ a'_0,

a_1 and a_0 being bits of the label party's number and a' those of the other one's, which is odd
where a is even. One transfer a tree, row and direction turns the value round.

Neither m nor m' shows k. The label party's message is ring-LWE samples to the other side, which
then has a share of the sum, uniform without C_0; docs/proof.md has both views.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.arith.joint_seed import joint_seed
from securexgb.arith.prg import KEY_BYTES, Prg
from securexgb.correlations.counting import Budget
from securexgb.he.fixed_sums import PRIME, FixedLayout
from securexgb.mpc.convert import plain_values
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.numbers.lift import widen, widen_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words

_COIN_WORDS = KEY_BYTES // 8
_WORD_BYTES = 8

Signed = tuple[Shared, SharedBits]
"""Values (n,) and marks of those that are to be turned round."""


@dataclass(frozen=True, eq=False, repr=False)
class LeafKeys:
    """One side's ends of both directions, for one session: counts what it draws."""

    key: _kernels.FixedWordsKey
    sums: _kernels.FixedSums


def agree_leaves(party: Party, leaves: Shared, layout: FixedLayout) -> LeafKeys | None:
    """Exchange the leaf values (K, T) under encryption, once a session; None in the clear.

    Two rounds: coins of both sides, from which the public halves come, then ciphertexts.
    """
    if party.ideal is not None:
        return None
    with party.step("leaf values"):
        fresh = Prg(party.private.words(_COIN_WORDS).tobytes())
        coins = fresh.derive("coins").words(_COIN_WORDS)
        both = (coins, party.exchange(coins))[:: 1 - 2 * party.rank]
        own_seed, their_seed = (
            joint_seed(b"securexgb leaf values of %d: " % owner, both)
            for owner in (party.rank, 1 - party.rank)
        )
        secrets, errors, private = (
            fresh.derive(label).key for label in ("secrets", "errors", "sums")
        )
        words = np.ascontiguousarray(leaves.words.T)
        key, upload = _kernels.FixedWordsKey.encrypt(
            layout.kernel, PRIME, own_seed, secrets, errors, words
        )
        received = party.exchange(upload.view(np.uint64))
    sums = _kernels.FixedSums(layout.kernel, PRIME, their_seed, received.view(np.uint8), private)
    return LeafKeys(key, sums)


def leaf_sums_cost(layout: FixedLayout, rows: int) -> Cost:
    """Cost of ``leaf_sums`` of so many rows."""
    words = layout.results(rows) * layout.sent_bytes // _WORD_BYTES
    return Cost(1, words, words, Budget())


def _ideal(marks: SharedBits, leaves: Shared, layout: FixedLayout, _keys: None) -> Signed:
    values, rows = leaves.words, marks.count // layout.trees
    chosen = (plain_values(marks) * np.repeat(values, rows, axis=1)).sum(axis=0, dtype=np.uint64)
    return Shared(chosen << np.uint64(layout.guard_bits)), SharedBits.zeros(count=marks.count)


@protocol(
    cost=lambda marks, leaves, layout, keys: leaf_sums_cost(layout, marks.count // layout.trees),
    opens="C1 of ring-LWE, masked by a fresh encryption of zero",
    source="docs/homomorphic.md, sums of fixed words; ring-LWE: Lyubashevsky, Peikert, Regev, "
    "EUROCRYPT 2010",
    ideal=_ideal,
)
def leaf_sums(
    party: Party, marks: SharedBits, leaves: Shared, layout: FixedLayout, keys: LeafKeys | None
) -> Signed:
    """The leaf values (T rows,) of marks (K, T rows), tree after tree, up to their signs.

    One mark of an element is set. ``leaves`` (K, T), as they were exchanged; ``keys``: of that.
    Right modulo 2^sent_bits up to noise below half of 2^guard_bits, and ``guard_bits`` below the
    number.
    """
    if keys is None:
        raise TypeError("leaf values were not exchanged")
    elements, rows = marks.count, marks.count // layout.trees
    known = np.ascontiguousarray(leaves.words.T)
    sent, value = keys.sums.add_up(np.ascontiguousarray(marks.words), known, rows)
    came = party.exchange(sent.reshape(-1).view(np.uint64))
    theirs = keys.key.read(came.view(np.uint8).reshape(sent.shape), rows)
    odd, two = _counted(marks.words)
    if party.rank == 0:
        return Shared(value - theirs), SharedBits(two, elements)
    return Shared(theirs - value), SharedBits(two ^ odd, elements)


def _counted(lines: Words) -> tuple[Words, Words]:
    """The two lowest bits of how many of the lines (K, words) are set, place by place."""
    odd, two = np.zeros_like(lines[0]), np.zeros_like(lines[0])
    for line in lines:
        two ^= odd & line
        odd ^= line
    return odd, two


def leaf_values_cost(layout: FixedLayout, rows: int, whole_bits: int) -> Cost:
    """Cost of ``leaf_values`` of so many rows."""
    elements, bits = layout.trees * rows, layout.sent_bits
    turned = multiplex_shared_cost(elements, (bits - 1,))
    return leaf_sums_cost(layout, rows) + turned + widen_cost(bits, elements, whole_bits)


@protocol(
    cost=lambda marks, leaves, layout, keys, whole_bits: leaf_values_cost(
        layout, marks.count // layout.trees, whole_bits
    ),
    opens=COMPOSED,
    source="leaf sums, turned round where they are negative",
    ideal=None,
)
def leaf_values(
    party: Party,
    marks: SharedBits,
    leaves: Shared,
    layout: FixedLayout,
    keys: LeafKeys | None,
    whole_bits: int,
) -> Shared:
    """The leaf values (T rows,) of marks (K, T rows), ``guard_bits`` below the number.

    Right modulo 2^whole_bits up to noise, see ``leaf_sums``; leaf values are below
    2^(word_bits - 2).
    """
    bits = layout.sent_bits
    value, negative = leaf_sums(party, marks, leaves, layout, keys)
    twice = multiplex_shared(
        party, negative.reshape(1), value.reshape(1, 1, -1), (bits - 1,)
    ).scale(2)
    return widen(party, value - twice.reshape(-1), bits, whole_bits)


__all__ = ["LeafKeys", "agree_leaves", "leaf_sums", "leaf_values", "leaf_values_cost"]
