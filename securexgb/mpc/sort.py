"""Sorting shared numbers, in bits, by a public network of compare-and-exchange steps.

The network (odd-even merge sort) depends on the length alone, so nothing is opened and the
transcript is the same for all inputs. Keys are numbers whose bits are shared, so an exchange is a
gate with all bits of a key behind it: that takes less than a product of words does.

Whether x > y follows from the highest bit in which they differ. Let p say that a block of bits is
equal in both, and v be x's bit at the highest place of the block where they differ (where they
do not, its lowest one). Neighbouring blocks join by v = v_0 ^ p_0 (v_0 ^ v_1), p = p_0 p_1, block
0 above block 1; a bit alone has v = x and p = not (x ^ y), both local. So no gate is needed before
the blocks join, and up to four of them do in a round: v_0 ^ p_0 (v_0 ^ v_1) ^ p_0 p_1 (v_1 ^ v_2) ^
p_0 p_1 p_2 (v_2 ^ v_3) are ends of one chain. Of equal keys v says something or other: exchanging
them changes nothing. The chains' masks of a layer are multiplied in the rounds of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import from_slices, to_slices, words_per
from securexgb.mpc.circuits.chains import (
    MOST,
    Chain,
    Masks,
    Preparation,
    Wanted,
    chains_at_once,
    chains_cost,
    masks_cost,
)
from securexgb.mpc.multiply import gate_cost, gates_at_once
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import SharedBits, Words
from securexgb.mpc.together import together

Positions = NDArray[np.intp]
Form = tuple[int, bool]
"""Of blocks that join: how many, and whether they are the lowest ones, of which nobody asks p."""


def network(count: int) -> list[tuple[Positions, Positions]]:
    """Layers of (low, high) positions to compare.

    A count that is no power of two leaves out the comparisons with greatest keys beyond it, which
    would stay where they are. Source: Batcher, AFIPS 1968, odd-even merge.
    """
    length = 1 << max(count - 1, 0).bit_length()
    layers = []
    span = 1
    while span < length:
        step = span
        while step >= 1:
            start = np.arange(step % span, length - step, 2 * step)
            low = (start[:, None] + np.arange(step)[None, :]).reshape(-1)
            low = low[(low + step < count) & (low // (2 * span) == (low + step) // (2 * span))]
            layers.append((low, low + step))
            step //= 2
        span *= 2
    return layers


def _levels(width: int) -> list[list[int]]:
    """How many blocks join, round by round, highest first: in as few rounds as can be, then in
    groups as small as can be, for long chains take more masks."""
    levels = []
    while width > 1:
        room = 1
        while (MOST + 1) * room < width:
            room *= MOST + 1
        most = -(-width // room)
        groups = -(-width // most)
        levels.append([len(part) for part in np.array_split(np.arange(width), groups)])
        width = groups
    return levels


def _chain(form: Form) -> Chain:
    size, is_lowest = form
    ends = range(1, size) if is_lowest else (*range(1, size), size - 1)
    return Chain(tuple(ends))


def _forms(sizes: list[int]) -> dict[Form, list[int]]:
    """The groups of a level that join alike, those of one block left out."""
    forms: dict[Form, list[int]] = {}
    for group, size in enumerate(sizes):
        if size > 1:
            forms.setdefault((size, group == len(sizes) - 1), []).append(group)
    return forms


def _wanted(width: int, words: int) -> list[Wanted]:
    """The chains of a layer's comparisons, for so many packed words of pairs."""
    forms = (item for sizes in _levels(width) for item in _forms(sizes).items())
    return [(_chain(form), len(groups) * words) for form, groups in forms]


def _layer_cost(width: int, words: int) -> Cost:
    """Of comparing and exchanging, the masks not counted."""
    total = gate_cost(width, words)
    for sizes in _levels(width):
        items = _forms(sizes).items()
        total += chains_cost((_chain(form), len(groups) * words) for form, groups in items)
    return total


def _preparation_cost(width: int, words: int) -> Cost:
    wanted = _wanted(width, words)
    longest = max((chain.length for chain, _ in wanted), default=1)
    return replace(masks_cost(wanted), rounds=longest - 1)


def sort_cost(width: int, rows: int, count: int) -> Cost:
    """Cost of ``sort_bits``."""
    sizes = [words_per(rows * low.size) for low, _ in network(count)]
    total = Cost()
    for number, words in enumerate(sizes):
        if number == 0:
            total += _preparation_cost(width, words)
        layer = _layer_cost(width, words)
        if number + 1 < len(sizes):
            layer = layer.at_once(_preparation_cost(width, sizes[number + 1]))
        total += layer
    return total


def _ideal_sort(keys: SharedBits) -> SharedBits:
    width = keys.words.shape[0]
    numbers = np.sort(from_slices(keys.words, keys.count), axis=-1)
    return SharedBits(to_slices(numbers, width), keys.count)


@protocol(
    cost=lambda keys: sort_cost(keys.words.shape[0], keys.words.shape[1], keys.count),
    opens=COMPOSED,
    source="odd-even merge sort: Batcher, AFIPS 1968; chains of ands as in compare",
    ideal=_ideal_sort,
)
def sort_bits(party: Party, keys: SharedBits) -> SharedBits:
    """Each row of keys (width, rows, n), lowest bit first, in ascending order; width up to 64."""
    width, rows, _ = keys.words.shape
    numbers = from_slices(keys.words, keys.count)
    layers = network(keys.count)
    wanted = [_wanted(width, words_per(rows * low.size)) for low, _ in layers]
    masks = _prepared(party, wanted[0]) if layers else []
    for (low, high), more in zip(layers, [*wanted[1:], []], strict=False):
        x, y = (to_slices(numbers[:, at].reshape(-1), width) for at in (low, high))
        exchange = partial(_move, pair=(x, y), masks=iter(masks), count=rows * low.size)
        move, masks = together(party, exchange, partial(_prepared, wanted=more))
        numbers[:, low] ^= move.reshape(rows, -1)
        numbers[:, high] ^= move.reshape(rows, -1)
    return SharedBits(to_slices(numbers, width), keys.count)


def _prepared(party: Party, wanted: Sequence[Wanted]) -> list[Masks]:
    return Preparation(party, wanted).ready()


def _move(party: Party, pair: tuple[Words, Words], masks: Iterator[Masks], count: int) -> Words:
    """x ^ y where x is greater, else 0, as words (n,); x and y in slices (width, words)."""
    x, y = pair
    apart = x ^ y
    greater = _greater(party, x[::-1], apart[::-1], masks, count)
    (moved,) = gates_at_once(party, [(greater, apart)], count)
    return from_slices(moved, count)


def _greater(party: Party, v: Words, apart: Words, masks: Iterator[Masks], count: int) -> Words:
    """Whether x > y, for x = ``v`` and x ^ y, highest bit first; anything where they are equal."""
    p = ~apart if party.rank == 0 else apart
    for sizes in _levels(len(v)):
        firsts = np.cumsum([0, *sizes])[:-1]
        forms, jobs = _forms(sizes), []
        for (size, is_lowest), groups in forms.items():
            members = firsts[groups] + np.arange(size)[:, None]
            gaps = v[members[:-1]] ^ v[members[1:]]
            parts = [p[members[:-1]], gaps, *([] if is_lowest else [p[members[-1:]]])]
            bits = np.concatenate(parts)
            jobs.append((next(masks), bits.reshape(len(bits), -1)))
        new_v, new_p = v[firsts], p[firsts]
        ends = chains_at_once(party, jobs, count)
        for ((size, is_lowest), groups), flat in zip(forms.items(), ends, strict=True):
            found = flat.reshape(len(flat), len(groups), -1)
            new_v[groups] ^= np.bitwise_xor.reduce(found[: size - 1], axis=0)
            if not is_lowest:
                new_p[groups] = found[-1]
        v, p = new_v, new_p
    greater: Words = v[0]
    return greater
