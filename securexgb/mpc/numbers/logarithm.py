"""Binary logarithms of shared bits, for ranking products and quotients by sums.

The leading one of x is found and brought to the top by a binary search in boolean shares: the
or of the upper half of a window says which half goes on, and is a bit of the exponent. The
ors of all aligned blocks are made beforehand, one and for each, since the ones that are
needed later go through the same gates. That is a gate a bit of x and one a level. Ors of four
blocks, and of both pairs of them, take one round (``mpc.circuits.chains``), for which masks are
multiplied while the bits of x are still in the making. Where the caller takes all x below 2^j for
zero, only the bits from j on are searched.

Of x = 2^e (1 + f) the 14 bits m of f below the leading one are kept, so that f is at most 2^-14
too small. log2(1 + f) is the sum of two entries of tables (a bipartite table: Das Sarma, Matula,
ARITH 1995): with a the upper four bits of m, b the middle and c the lower five,

    log2(1 + f) = base[a, b] + slope[a] c

in units of 2^-15. For x > 0 with no more than 14 bits below the leading one the error is less
than 2^-13.6 (a test runs through all m), else the logarithm is moreover too small by less than
2^-14 / ln 2. Equal x have equal logarithms. The entries come as bits, and stay so: a caller
lifts, scales and adds them all at once, see ``log2_weights``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise

import numpy as np

from securexgb.arith.bits import WORD, stacked
from securexgb.mpc.circuits.carries import depth_of
from securexgb.mpc.circuits.chains import Masks, Wanted, and_of, chains_cost, opened_at_once
from securexgb.mpc.compare import not_bits
from securexgb.mpc.multiply import and_broadcast, gate_cost
from securexgb.mpc.numbers.table import Lookups, Place, Tables, lookups, lookups_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import SharedBits, Words

LOG_BITS = 15
"""Fraction bits of a logarithm."""
MANTISSA_BITS = 14
_LOW, _MIDDLE, _HIGH = 5, 5, 4
_SLOPE_BITS = 7
_GATED = 2
"""Upper bits of a that are looked up last, behind gates that both tables share; its others go with
b and with c: the cheapest of all cuts."""
_LOOKUPS = Lookups(
    widths=(_LOW, _MIDDLE, _HIGH - _GATED, _GATED),
    places=(Place(low=1, between=2, high=3), Place(low=0, between=2, high=3)),
    out_bits=(LOG_BITS, _SLOPE_BITS),
)
Group = tuple[int, tuple[int, ...]]
"""The number that blocks are of, and which ones are joined."""
_FEW_BITS = 16
"""Numbers with so many bits searched join pairs of blocks: H has time, next to D."""
Blocks = tuple[int, int]
"""How many blocks a number has, and how many of them are joined at once."""
_JOINED = {
    2: ((0, 1), (0, 1)),
    3: ((0, 1), (2,), (0, 1, 2)),
    4: ((0, 1), (2, 3), (0, 1, 2, 3)),
}
"""Of so many neighbouring blocks the ors that are wanted: of pairs, then of all."""


@cache
def log_tables() -> tuple[Words, Words]:
    """base (2^4, 2^5) by a and b, slope[a] c (2^4, 2^5) by a and c, in units of 2^-15."""
    f = np.arange(1 << MANTISSA_BITS) / (1 << MANTISSA_BITS)
    exact = (np.log2(1 + f) * (1 << LOG_BITS)).reshape(1 << _HIGH, 1 << _MIDDLE, 1 << _LOW)
    ends = np.log2(1 + np.arange((1 << _HIGH) + 1) / (1 << _HIGH)) * (1 << LOG_BITS)
    steps = np.diff(ends) / (1 << (_MIDDLE + _LOW))
    slope = np.rint(steps[:, None] * np.arange(1 << _LOW))
    rest = exact - slope[:, None]
    base = np.rint((rest.max(axis=2) + rest.min(axis=2)) / 2)
    return base.astype(np.uint64), slope.astype(np.uint64)


@cache
def _tables() -> tuple[Tables, ...]:
    """``log_tables`` as they are looked up."""
    return tuple(
        Tables(entries.reshape(1, 1 << _GATED, -1), out_bits, place)
        for entries, out_bits, place in zip(
            log_tables(), _LOOKUPS.out_bits, _LOOKUPS.places, strict=True
        )
    )


def log2_weights(width: int) -> list[int]:
    """What each bit of a logarithm counts, in units of 2^-15, ``width`` bits being searched."""
    powers = [*range(LOG_BITS), *range(_SLOPE_BITS)]
    powers += [LOG_BITS + level for level in range(depth_of(width))]
    return [1 << power for power in powers]


def _block_sizes(widths: Sequence[int]) -> list[list[Blocks]]:
    """Step by step the blocks of each number that has more than two, which are enough."""
    steps, sizes = [], [(width, 2 if width <= _FEW_BITS else 4) for width in widths if width > 2]
    while sizes:
        steps.append(sizes)
        left = [(len(_groups(blocks)), blocks[1]) for blocks in sizes]
        sizes = [blocks for blocks in left if blocks[0] > 2]
    return steps


def _groups(blocks: Blocks) -> list[tuple[int, ...]]:
    """Neighbours that are joined in one step."""
    size, most = blocks
    most = most if size > 4 else 2
    return [tuple(range(at, min(at + most, size))) for at in range(0, size, most)]


def _step_wanted(step: Sequence[Blocks], words: int) -> list[Wanted]:
    lengths = [len(group) for blocks in step for group in _groups(blocks)]
    counts = [(length, lengths.count(length)) for length in (2, 3, 4)]
    return [(and_of(length), count * words) for length, count in counts if count]


def searched(numbers: Sequence[SharedBits], least: Sequence[int]) -> list[int]:
    """How many bits of each number are searched for its leading one."""
    return [bits.words.shape[0] - low for bits, low in zip(numbers, least, strict=True)]


def normal_masks(widths: Sequence[int], words: int) -> list[Wanted]:
    """The masks that ``normalised`` takes, for numbers with so many bits searched."""
    return [one for step in _block_sizes(widths) for one in _step_wanted(step, words)]


def normal_cost(widths: Sequence[int], words: int) -> Cost:
    """Cost of ``normalised`` for 64 * ``words`` elements, its masks not counted."""
    total = Cost()
    for step in _block_sizes(widths):
        total += chains_cost(_step_wanted(step, words))
    depths = [depth_of(width) for width in widths]
    for level in reversed(range(max(depths))):
        active = sum(depth > level for depth in depths)
        total += gate_cost(_gated(level), active * words)
    return total


def log2_cost(numbers: int, words: int) -> Cost:
    """Cost of ``log2_bits`` for so many numbers of 64 * ``words`` elements."""
    return lookups_cost(_LOOKUPS, numbers * words)


def _gated(level: int) -> int:
    """Bits behind the gate that halves a window of 2^(level + 1)."""
    return MANTISSA_BITS + (1 << level) + sum(1 << (level - 1 - k) for k in range(1, level))


@dataclass(frozen=True, repr=False)
class Normalised:
    """Shared numbers with their leading ones at the top, k of them for each element.

    ``exponents``: bits of where the leading one was, lowest first, (d, n) for each number, d of
    each its own; ``mantissas``: (14, k, n) below it; ``above``: whether a number reaches 2^j,
    (k, n).
    """

    exponents: tuple[SharedBits, ...]
    mantissas: SharedBits
    above: SharedBits

    @staticmethod
    def joined(parts: Sequence[Normalised]) -> Normalised:
        """The numbers of all parts, of the same elements."""
        return Normalised(
            tuple(bits for part in parts for bits in part.exponents),
            SharedBits.concatenate([part.mantissas for part in parts], axis=1),
            SharedBits.concatenate([part.above for part in parts]),
        )


def _normal_cost(
    numbers: tuple[SharedBits, ...],
    least: tuple[int, ...],
    masks: Sequence[Masks],  # noqa: ARG001
) -> Cost:
    return normal_cost(searched(numbers, least), numbers[0].words.shape[1])


@protocol(
    cost=lambda found: log2_cost(*found.above.words.shape),
    opens=COMPOSED,
    source="table of two parts: Das Sarma, Matula, ARITH 1995",
    ideal=None,
)
def log2_bits(party: Party, found: Normalised) -> tuple[SharedBits, ...]:
    """log2(x / 2^j) of unsigned numbers, as bits.

    Returns for each number bits (k, n) whose sum with ``log2_weights(w - j)`` is the logarithm in
    units of 2^-15, some value below 1 where the number is below 2^j; see ``normalised``.
    """
    mantissas, (numbers, words) = found.mantissas.words, found.above.words.shape
    flat = SharedBits(mantissas.reshape(MANTISSA_BITS, -1), numbers * words * WORD)
    ends = [0, *accumulate(_LOOKUPS.widths)]
    parts = [flat[at:to] for at, to in pairwise(ends)]
    base, slope = (
        found.words.reshape(-1, numbers, words)
        for found in lookups(party, parts, _tables(), (flat.count,))
    )
    return tuple(
        SharedBits(np.concatenate([base[:, k], slope[:, k], bits.words]), bits.count)
        for k, bits in enumerate(found.exponents)
    )


def _blocks(
    party: Party, heads: list[Words], masks: Iterator[Masks], count: int
) -> list[list[Words]]:
    """For each number, the ors of its aligned blocks of 1, 2, 4, ... bits; two last of all."""
    levels = [[head] for head in heads]
    for step in _block_sizes([len(head) for head in heads]):
        grow = [known for known in levels if len(known[-1]) > 2]
        tops = [not_bits(party, SharedBits(known[-1], count)).words for known in grow]
        own = [_groups(blocks) for blocks in step]
        groups = [(at, group) for at, some in enumerate(own) for group in some]
        # A block that stays alone is its own or, with one neighbour and with three.
        found: dict[Group, Words] = {
            (at, g): grow[at][-1][[*g, *g]] for at, g in groups if len(g) == 1
        }
        found |= _ors(party, tops, [one for one in groups if len(one[1]) > 1], masks, count)
        for at, (known, some) in enumerate(zip(grow, own, strict=True)):
            if len(some[0]) == 4:
                known.append(np.concatenate([found[at, group][:-1] for group in some]))
            known.append(stacked([found[at, group][-1] for group in some]))
    return levels


def _ors(
    party: Party, rows: list[Words], groups: list[Group], masks: Iterator[Masks], count: int
) -> dict[Group, Words]:
    """Of each group of blocks, whose complements are ``rows``, the ors of ``_JOINED``."""
    by_length = [[one for one in groups if len(one[1]) == length] for length in _JOINED]
    jobs, kinds = [], [(some, _JOINED[len(some[0][1])]) for some in by_length if some]
    for some, _ in kinds:
        bits = np.stack([rows[at][list(group)] for at, group in some], axis=1)
        jobs.append((next(masks), bits.reshape(bits.shape[0], -1)))
    opened = opened_at_once(party, jobs, count)
    result: dict[Group, Words] = {}
    for (some, wanted), (own, _), public in zip(kinds, jobs, opened, strict=True):
        none = stacked([own.product(public, party.rank, members) for members in wanted])
        ors = not_bits(party, SharedBits(none.reshape(len(wanted), len(some), -1), count)).words
        result |= dict(zip(some, ors.swapaxes(0, 1), strict=True))
    return result


@protocol(
    cost=_normal_cost,
    opens=COMPOSED,
    source="leading one by binary search",
    ideal=None,
)
def normalised(
    party: Party,
    numbers: tuple[SharedBits, ...],
    least: tuple[int, ...],
    masks: Sequence[Masks],
) -> Normalised:
    """Unsigned numbers with their leading ones at the top, and whether each reaches 2^j.

    ``numbers``: bits (w, n), lowest first, w of each its own, n the same for all; ``least``: j of
    each, w - j >= 2; ``masks``: those of ``normal_masks``.
    """
    count, windows, ors = numbers[0].count, [], []
    heads = [bits.words[low:] for bits, low in zip(numbers, least, strict=True)]
    depths = [depth_of(head.shape[0]) for head in heads]
    for depth, known, bits, cut in zip(
        depths, _blocks(party, heads, iter(masks), count), numbers, least, strict=True
    ):
        padded = [_filled(rows, 1 << (depth - level)) for level, rows in enumerate(known)]
        below = bits.words[max(cut - MANTISSA_BITS, 0) : cut]
        nothing = np.zeros((MANTISSA_BITS - below.shape[0], below.shape[1]), np.uint64)
        windows.append(np.concatenate([nothing, below, padded[0]]))
        # Of two neighbouring blocks the upper one's or decides.
        ors.append([rows[1::2] for rows in padded])
    exponents: list[list[Words]] = [[] for _ in numbers]
    for level in reversed(range(max(depths))):
        active = [k for k, depth in enumerate(depths) if depth > level]
        gates, highs, lows = [], [], []
        for k in active:
            half, blocks = 1 << level, ors[k][1:level]
            gates.append(ors[k][level][0] if level else windows[k][-1])
            parts = [rows.reshape(2, -1, rows.shape[1]) for rows in blocks]
            lows.append(np.concatenate([windows[k][:-half], *(part[0] for part in parts)]))
            highs.append(np.concatenate([windows[k][half:], *(part[1] for part in parts)]))
        gate, low = stacked(gates), np.stack(lows, axis=1)
        differ = SharedBits(low ^ np.stack(highs, axis=1), count)
        kept = low ^ and_broadcast(party, SharedBits(gate, count), differ).words
        for place, k in enumerate(active):
            exponents[k].insert(0, gate[place : place + 1])
            windows[k], ors[k] = _taken_apart(kept[:, place], level)
    mantissas = np.stack([window[:MANTISSA_BITS] for window in windows], axis=1)
    above = stacked([window[-1] for window in windows])
    found = tuple(SharedBits(np.concatenate(bits), count) for bits in exponents)
    return Normalised(found, SharedBits(mantissas, count), SharedBits(above, count))


def _taken_apart(rows: Words, level: int) -> tuple[Words, list[Words]]:
    """A window of 2^level bits and what lies below, and the ors of its upper blocks."""
    end = MANTISSA_BITS + (1 << level)
    window, blocks = rows[:end], [rows[:0]]
    for size in range(1, level):
        blocks.append(rows[end : end + (1 << (level - 1 - size))])
        end += 1 << (level - 1 - size)
    return window, blocks


def _filled(rows: Words, length: int) -> Words:
    """Rows of zeros above, up to ``length``."""
    return np.pad(rows, ((0, length - rows.shape[0]), (0, 0)))
