"""Between boolean and additive shares.

To additive shares: open the bit masked by a random one that is known in both
sharings, e = b ^ r; then b = e + r - 2 e r is linear in r. One round, one bit.

To boolean shares: add both parties' words. Tables give for each digit of four bits what it
makes of a carry in; a prefix network over the digits (``carries``, 2 + log2(width / 4) rounds)
gives the carries in, and a gate a digit lets them into its sum bits.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from securexgb.arith.bits import WORD, to_slices, unpack_bits, words_per
from securexgb.correlations.digits import DIGIT
from securexgb.correlations.random_bits import RandomBits
from securexgb.mpc.circuits.carries import join_carries, network_cost, prefix
from securexgb.mpc.digits import (
    CARRIES,
    SUMS,
    Beside,
    Digits,
    digit_cost,
    digit_tables,
    digits_in,
    own_digits,
)
from securexgb.mpc.multiply import and_broadcast, gate_cost, gates_at_once
from securexgb.mpc.padding import fill_up
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words
from securexgb.mpc.together import together


def lift_cost(words: int, ring_bits: int = 64) -> Cost:
    """Cost of ``to_arithmetic`` for so many packed words."""
    return Cost.alike(1, words, {RandomBits(ring_bits): 64 * words})


def plain_values(bits: SharedBits) -> Words:
    """0/1 words of bits in the clear, shape (leading..., count); for functionalities."""
    return bits.flags().astype(np.uint64)


@protocol(
    cost=lambda bits, ring_bits=64: lift_cost(bits.words.size, ring_bits),
    opens="b ^ r, uniform",
    source="daBits: Rotaru, Wood, INDOCRYPT 2019, section 3",
    ideal=lambda bits, ring_bits=64: Shared(plain_values(bits)),
)
def to_arithmetic(party: Party, bits: SharedBits, ring_bits: int = 64) -> Shared:
    """Additive shares of each bit, 0 or 1, modulo 2^ring_bits (64, 32): (leading..., count)."""
    random = party.source.take(RandomBits(ring_bits), bits.words.size * WORD)
    masked = bits.words ^ random.boolean.reshape(bits.words.shape)
    mine = fill_up(party, masked, bits.count).reshape(-1)
    flags = unpack_bits(mine ^ party.exchange(mine), mine.size * WORD).astype(np.uint64)
    words = random.arithmetic * (np.uint64(1) - np.uint64(2) * flags)
    if party.rank == 0:
        words += flags
    return Shared(words.reshape(*bits.words.shape[:-1], -1)[..., : bits.count])


def rows_words(shape: tuple[int, ...]) -> int:
    """Words of packed bits for rows of elements, each of which begins a new one."""
    return math.prod(shape[:-1]) * words_per(shape[-1])


def _skipped_digits(width: int, skipped: int) -> int:
    """Digits of which no bit is wanted; they are filled up from below."""
    spare = DIGIT * digits_in(width) - width
    return max(spare + skipped, 0) // DIGIT if skipped else 0


def bits_cost(width: int, words: int, skipped: int = 0) -> Cost:
    """Cost of ``to_bits`` for 64 * ``words`` elements."""
    digits, low = digits_in(width), _skipped_digits(width, skipped)
    tables = digit_cost((digits - low) * words, SUMS)
    if low:
        tables = tables.at_once(digit_cost(low * words, CARRIES))
    carries = network_cost(prefix(0, digits - 1, closed=True), words)
    met = digits - max(low, 1)
    return tables + carries + (gate_cost(DIGIT - 1, met * words) if met else Cost())


def _ideal_bits(
    x: Shared,
    width: int,
    skipped: int = 0,
    beside: Beside | None = None,  # noqa: ARG001
) -> SharedBits:
    bits = to_slices(x.words, width)
    low = _skipped_digits(width, skipped)
    bits[: max(DIGIT * low - (DIGIT * digits_in(width) - width), 0)] = 0
    return SharedBits(bits, x.shape[-1])


@protocol(
    cost=lambda x, width, skipped=0, beside=None: bits_cost(width, rows_words(x.shape), skipped),
    opens="masked digits, tables and gates, uniform",
    source="tables of digits as in compare; prefix network: Sklansky, IRE Trans. El. Comp. 1960",
    ideal=_ideal_bits,
)
def to_bits(
    party: Party, x: Shared, width: int, skipped: int = 0, beside: Beside | None = None
) -> SharedBits:
    """The low ``width`` bits of each element (..., n), row by row: (width, ..., n).

    Of the lowest ``skipped`` bits, fewer than ``width`` - 4, nobody reads any: as many as make up
    whole digits come as zeros, and only their carries are found. ``beside``: goes along with the
    digits, not counted in the cost.
    """
    count, low = x.shape[-1], _skipped_digits(width, skipped)
    own = own_digits(party, x.words, width)
    below, table = _digits_of_both(party, own, low, beside)
    sums = own.bits.copy()
    sums[:low] = 0
    sums[low:, 1:] ^= table[2:5].swapaxes(0, 1)
    digits, first = sums.shape[0], max(low, 1)
    if digits > 1:
        # Into each digit from the second one on.
        carries, passed = (np.concatenate([below[bit], table[bit]])[:-1] for bit in range(CARRIES))
        join_carries(party, prefix(0, digits - 1, closed=True), carries, passed, count)
        into = carries[first - 1 :]
        sums[first:, 0] ^= into
        reached = np.stack([own.bits[first:, 0], table[5, first - low :], table[6, first - low :]])
        flips = and_broadcast(party, SharedBits(into, count), SharedBits(reached, count))
        sums[first:, 1:] ^= flips.words.swapaxes(0, 1)
    found = sums.reshape(DIGIT * digits, *x.shape[:-1], words_per(count))
    return SharedBits(found[DIGIT * digits - width :], count)


def _digits_of_both(
    party: Party, own: Digits, low: int, beside: Beside | None
) -> tuple[Words, Words]:
    """Carries alone of the lowest digits, (2, low, n), and all of the others (7, rest, n)."""
    if not low:
        nothing = np.zeros((CARRIES, 0, own.bits.shape[-1]), np.uint64)
        return nothing, digit_tables(party, own, SUMS, beside)
    parts = [Digits(own.bits[at], own.free[at]) for at in (slice(low), slice(low, None))]
    return together(
        party,
        lambda part: digit_tables(part, parts[0], CARRIES),
        lambda part: digit_tables(part, parts[1], SUMS, beside),
    )


def _ideal_highest(bits: SharedBits) -> SharedBits:
    words = np.bitwise_or.accumulate(bits.words[::-1], axis=0)
    words[1:] ^= words[:-1].copy()
    return SharedBits(words[::-1].copy(), bits.count)


def highest_cost(width: int, words: int) -> Cost:
    """Cost of ``highest_bit`` for ``width`` bits of each of 64 * ``words`` elements."""
    total = Cost()
    for level in prefix(0, width):
        joins = sum((gate_cost(len(join.block), words) for join in level), Cost())
        total += replace(joins, rounds=1)
    return total


@protocol(
    cost=lambda bits: highest_cost(bits.words.shape[0], bits.words[0].size),
    opens="masked gates, uniform",
    source="prefix or, then differences of neighbours; as in MPyC's norm",
    ideal=_ideal_highest,
)
def highest_bit(party: Party, bits: SharedBits) -> SharedBits:
    """One-hot mark of the highest set bit along the leading axis; all zero for zero."""
    words = bits.words[::-1].copy()
    for level in prefix(0, words.shape[0]):
        gates = [(words[join.below], words[list(join.block)]) for join in level]
        products = gates_at_once(party, gates, bits.count)
        for join, product in zip(level, products, strict=True):
            words[list(join.block)] ^= words[join.below] ^ product
    words[1:] ^= words[:-1].copy()
    return SharedBits(words[::-1].copy(), bits.count)
