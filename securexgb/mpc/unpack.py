"""Taking a sum of gradient pairs apart: one word G + 2^b H modulo 2^64 into the words G and H.

G is signed. It is the case of ``mpc.fields`` in which the two fields fill a word and there is no
noise below them.
"""

from __future__ import annotations

import numpy as np

from securexgb.mpc.compare import signed
from securexgb.mpc.fields import Widths, split_cost, split_fields
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared


def _ideal(pairs: Shared, low_bits: int) -> tuple[Shared, Shared]:
    gradient = signed(pairs.words, low_bits).view(np.uint64)
    return Shared(gradient), Shared((pairs.words - gradient) >> np.uint64(low_bits))


def _widths(low_bits: int) -> Widths:
    return 0, low_bits, 64 - low_bits


def unpack_cost(low_bits: int, count: int) -> Cost:
    """Cost of ``unpack_pairs`` for so many words."""
    return split_cost(_widths(low_bits), count)


@protocol(
    cost=lambda pairs, low_bits: unpack_cost(low_bits, pairs.size),
    opens="masked digits, tables and gates, and masked bits of the conversion, uniform",
    source="docs/protocols.md, gradient pairs",
    ideal=_ideal,
)
def unpack_pairs(party: Party, pairs: Shared, low_bits: int) -> tuple[Shared, Shared]:
    """(G, H) of words G + 2^low_bits H: |G| < 2^(low_bits-1), 0 <= H < 2^(64-low_bits)."""
    wide = np.stack([pairs.words, np.zeros_like(pairs.words)], axis=-1)
    return split_fields(party, wide, _widths(low_bits))
