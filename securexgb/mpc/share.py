"""Making shares of a value that one party holds.

The holder keeps the value itself, the other party keeps zeros. That is a valid
sharing without any message: the value does not leave its holder, and every protocol
masks what it sends. Fresh randomness would add nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, words_per
from securexgb.errors import UsageError
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits, Words, as_words


def share(party: Party, values: Words | None, owner: int, shape: tuple[int, ...]) -> Shared:
    """Shares of ``values`` (ring elements of the given shape, read at ``owner`` only)."""
    if party.rank != owner:
        return Shared(np.zeros(shape, np.uint64))
    assert values is not None
    if values.shape != shape:
        raise UsageError(f"values of shape {values.shape} were to be shared as {shape}")
    return Shared(as_words(values))


def share_bits(party: Party, flags: NDArray[np.bool_] | None, owner: int, count: int) -> SharedBits:
    """Shares of ``flags`` (count,), read at ``owner`` only."""
    if party.rank != owner:
        return constant_bits(party, False, (), count)
    assert flags is not None
    return SharedBits(pack_bits(flags), count)


def constant(party: Party, values: object, shape: tuple[int, ...]) -> Shared:
    """Shares of public signed integers, broadcast to ``shape``: rank 0 holds them."""
    if party.rank != 0:
        return Shared(np.zeros(shape, np.uint64))
    return Shared(np.broadcast_to(as_words(values), shape))


def constant_bits(party: Party, value: bool, leading: tuple[int, ...], count: int) -> SharedBits:
    """Shares of one public bit, repeated: shape (*leading, count)."""
    fill = np.uint64(0xFFFFFFFFFFFFFFFF if value and party.rank == 0 else 0)
    return SharedBits(np.full((*leading, words_per(count)), fill, np.uint64), count)
