"""Carries over many positions: one network, run by whoever has its pieces.

A block of positions makes a carry (g) or lets one through (p). Neighbouring blocks combine by
(g, p) o (g', p') = (g ^ p g', p p'), the primed one below; that is associative. A *fold* joins
all positions into one block, in a binary tree; a *prefix* (Sklansky, IRE Trans. El. Comp. 1960)
joins each position with all that lie below it. Both take log2 of their positions in rounds, and
networks that do not depend on each other go through in the same ones.

A single position that takes in a block is a gate p with two bits behind it, g' and p'. Many that
take in the same block are two gates, g' and p', with all their p behind each. Where that block is
the lowest one and no carry comes into it, nobody asks for its p, and g' is the only gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from securexgb.mpc.multiply import gate_cost, gates_at_once
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Words


def depth_of(width: int) -> int:
    """Levels of a binary tree over ``width`` leaves."""
    return max(width - 1, 0).bit_length()


@dataclass(frozen=True)
class Join:
    """The positions of a block, each of which takes in the block that ends at ``below``.

    ``closed``: that block begins where no carry comes in.
    """

    block: tuple[int, ...]
    below: int
    closed: bool = False


Network = list[list[Join]]
"""Level by level what is joined at once."""


def fold(start: int, stop: int) -> Network:
    """A tree whose root, at the last position, is the whole block."""
    ends, levels = list(range(start, stop)), []
    while len(ends) > 1:
        levels.append([Join((end,), low) for low, end in zip(ends[::2], ends[1::2], strict=False)])
        ends = ends[1::2] + ends[len(ends) & ~1 :]
    return levels


def prefix(start: int, stop: int, *, closed: bool = False) -> Network:
    """Every position ends up as the block from the start to itself.

    ``closed``: no carry comes in at the start, and only g is right in the end.
    """
    levels = []
    for level in range(depth_of(stop - start)):
        size = 1 << level
        firsts = range(start + size, stop, 2 * size)
        blocks = [tuple(range(first, min(first + size, stop))) for first in firsts]
        levels.append([Join(b, b[0] - 1, closed and at == 0) for at, b in enumerate(blocks)])
    return levels


def side_by_side(networks: Sequence[Network]) -> Network:
    """Networks over different positions, in the same rounds."""
    nothing: list[Join] = []
    levels = zip_longest(*networks, fillvalue=nothing)
    return [[join for joins in level for join in joins] for level in levels]


def _parts(level: Sequence[Join]) -> tuple[list[Join], list[Join]]:
    """Joins that are one position's, with its p as the gate, and those with the block's."""
    single = [join for join in level if len(join.block) == 1 and not join.closed]
    return single, [join for join in level if len(join.block) > 1 or join.closed]


def network_cost(network: Network, words: int) -> Cost:
    """Cost of ``join_carries`` for 64 * ``words`` elements."""
    total = Cost()
    for level in network:
        single, wide = _parts(level)
        cost = gate_cost(2, len(single) * words)
        for join in wide:
            cost += gate_cost(len(join.block), words).times(1 if join.closed else 2)
        total += replace(cost, rounds=1)
    return total


def join_carries(party: Party, network: Network, g: Words, p: Words, count: int) -> None:
    """Run the network over (g, p), (positions, words) of ``count`` bits each, in place."""
    for level in network:
        single, wide = _parts(level)
        into, below = [join.block[0] for join in single], [join.below for join in single]
        jobs = [(p[into], np.stack([g[below], p[below]]))] if single else []
        for join in wide:
            gates = [g[join.below]] if join.closed else [g[join.below], p[join.below]]
            jobs += [(gate, p[list(join.block)]) for gate in gates]
        products = iter(gates_at_once(party, jobs, count))
        if single:
            made, passed = next(products)
            g[into] ^= made
            p[into] = passed
        for join in wide:
            g[list(join.block)] ^= next(products)
            if not join.closed:
                p[list(join.block)] = next(products)
