"""A public seed that neither side can choose alone: from fresh bytes of both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import KEY_BYTES


def joint_seed(purpose: bytes, coins: Sequence[NDArray[np.uint64]]) -> bytes:
    """The 16 bytes of a stream of public polynomials; ``coins``: of both sides, by rank."""
    whole = hashlib.sha256(purpose + b"".join(words.tobytes() for words in coins))
    return whole.digest()[:KEY_BYTES]
