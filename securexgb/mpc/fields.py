"""Taking sums of gradient pairs apart: a word of three fields into the integers G and H.

A word modulo 2^(t + b + h) is 2^t (G + 2^b H) + r with noise |r| < 2^(t - 1) and a signed G. The
bias 2^(t - 1) + 2^(t + b - 1) makes its low t bits noise alone, the next b bits G + 2^(b - 1) and
the rest H, none of them negative. Each party's summands of a field are known to it; a field's
shares add up with the carry out of the fields below, and without the carry out of its own:

    G = g0 + g1 + c_t - 2^b c_b - 2^(b - 1)        H = h0 + h1 + c_b - 2^h c_h

Generate and propagate bits of all fields come from carry trees side by side.
Nothing is rounded but the noise, so G and H are exact. Without noise, t = 0, there is no c_t.
"""

from __future__ import annotations

import numpy as np

from securexgb.mpc.compare import blocks_cost, carry_blocks
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared, SharedBits, Words, words_per

Widths = tuple[int, int, int]
"""t, b and h: bits of the noise, of G and of H; t may be 0."""


def split_cost(widths: Widths, count: int) -> Cost:
    """Cost of ``split_fields`` for so many words."""
    words, fields = words_per(count), sum(width > 0 for width in widths)
    cost = blocks_cost([width for width in widths if width], count)
    return cost + and_cost(words).times(fields - 1) + lift_cost(fields * words)


def split_fields(party: Party, words: Words, widths: Widths) -> tuple[Shared, Shared]:
    """G and H of this party's summands ``words`` (..., 2): low and high words."""
    noise, low, _ = widths
    shape, both = words.shape[:-1], words.reshape(-1, 2)
    if party.rank == 0:
        both = _plus(both, (1 << noise >> 1) + (1 << (noise + low - 1)))
    starts = (0, noise, noise + low)
    fields = [_field(both, at, width) for at, width in zip(starts, widths, strict=True)]
    carries = to_arithmetic(party, _carries(party, fields, widths)).words
    zero = np.zeros_like(carries[0])
    from_noise, from_low, from_high = ([zero] if noise == 0 else []) + list(carries)
    gradient = fields[1] + from_noise - (from_low << np.uint64(low))
    if party.rank == 0:
        gradient -= np.uint64(1 << (low - 1))
    hessian = fields[2] + from_low - (from_high << np.uint64(widths[2]))
    return Shared(gradient.reshape(shape)), Shared(hessian.reshape(shape))


def _plus(words: Words, public: int) -> Words:
    """The sums modulo 2^128 of words (n, 2) and a constant."""
    low = words[:, 0] + np.uint64(public % 2**64)
    carry = low < words[:, 0]
    return np.stack([low, words[:, 1] + np.uint64(public >> 64) + carry], axis=1)


def _field(words: Words, start: int, width: int) -> Words:
    """Bits start to start + width of words (n, 2); width is at most 64."""
    at, inside = divmod(start, 64)
    field = words[:, at] >> np.uint64(inside)
    if inside and at == 0:
        field |= words[:, 1] << np.uint64(64 - inside)
    return field & np.uint64((1 << width) - 1)


def _carries(party: Party, fields: list[Words], widths: Widths) -> SharedBits:
    """The carries out of each field of some width, lowest first: (fields, n)."""
    blocks = [(field, width) for field, width in zip(fields, widths, strict=True) if width]
    g, p = carry_blocks(party, blocks)
    carries = [g[0]]
    for at in range(1, len(blocks)):
        carries.append(g[at] ^ and_bits(party, p[at], carries[-1]))
    return SharedBits.stack(carries)
