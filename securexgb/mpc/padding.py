"""What stands where nothing is sent: random bits.

Packed bits travel in whole words, masked by correlated randomness. Were the bits past the last
element zeros, the masks there would be read in the clear, and these masks are not only random: of
transfers without a dealer they are choices, samples u A ^ e of a parity problem whose secret is
the same for millions of them (docs/offline.md). A mask that is read serves nothing else, so
nothing follows from one; but whoever attacks the parity problem needs many known samples, and gets
none for nothing. So what is no element is drawn from a stream of this party's own.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import WORD, pack_bits
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, Words


def fill_up(party: Party, words: Words, count: int) -> Words:
    """Packed bits (..., ceil(count / 64)), those past ``count`` made random; in place."""
    used = count % WORD
    if used and words.size:
        tails = words[..., -1]
        random = party.padding.words(tails.size).reshape(tails.shape)
        tails ^= random << np.uint64(used)
    return words


def filling(party: Party, count: int) -> int:
    """What stands past so many packed bits, where they do not fill a word: a random one, shifted
    behind them by who packs."""
    return int(party.padding.words(1)[0]) if count % WORD else 0


def filled(party: Party, x: Shared) -> Shared:
    """Words (..., n), with random ones up to a multiple of 64: what is no element has no range."""
    missing = (*x.shape[:-1], -x.shape[-1] % WORD)
    random = party.padding.words(math.prod(missing)).reshape(missing)
    return Shared.concatenate([x, Shared(random)], axis=-1)


def pack_filled(party: Party, bits: NDArray[np.bool_] | NDArray[np.uint8]) -> Words:
    """Bits (n,) packed to whole words (ceil(n / 64),), the last filled up."""
    return fill_up(party, pack_bits(bits), bits.size)
