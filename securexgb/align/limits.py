"""What both sides' terms allow: the first thing that is compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb.align.sizes import Sizes
from securexgb.errors import DataError, UsageError
from securexgb.mpc.party import ROLES, Party


@dataclass(frozen=True)
class Limits:
    """Public, in the terms: the fewest keys in common, and the most of one side."""

    min_common: int
    max_keys: int


def agree_on_sizes(party: Party, keys: int, limits: Limits) -> Sizes:
    """Both sides' numbers of keys, which are public; errors at both where one is not allowed."""
    with party.step("counts"):
        theirs = int(party.exchange(np.array([keys], np.uint64))[0])
    sizes = (keys, theirs) if party.rank == 0 else (theirs, keys)
    for role, count in zip(ROLES, sizes, strict=True):
        if count > limits.max_keys:
            raise UsageError(
                f"{party.role} party: the {role} party has {count} keys, more than the "
                f"{limits.max_keys} that the terms allow a side (max_keys)"
            )
    for role, count in zip(ROLES, sizes, strict=True):
        if count < max(limits.min_common, 1):
            raise DataError(
                f"{party.role} party: the {role} party has {count} keys, so fewer than "
                f"{max(limits.min_common, 1)} can be in common, the least that the terms allow "
                "(min_common)"
            )
    return sizes
