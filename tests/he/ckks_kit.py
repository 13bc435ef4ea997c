"""One block of rows through both roles of CKKS."""

from __future__ import annotations

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.he.ckks import CkksEvaluator, CkksKeyHolder, Numbers
from securexgb.he.ckks_words import DEGREE, PRIMES
from securexgb.he.scheme import Words

FORM = (2, PRIMES, DEGREE)


def evaluator_of(holder: CkksKeyHolder) -> CkksEvaluator:
    """With masks of its own."""
    return CkksEvaluator(Prg.fresh(), holder.announcement())


def encrypted(holder: CkksKeyHolder, numbers: Numbers) -> Words:
    """Ciphertexts (terms, 2, primes, N) of numbers (terms, count) of one block."""
    (message,) = holder.encrypted(numbers)
    return np.frombuffer(message, np.uint64).reshape(-1, *FORM).copy()


def masked_sum(
    evaluator: CkksEvaluator, ciphertexts: Words, numbers: Numbers
) -> tuple[Words, Words]:
    """What leaves, (2, primes, N), and the evaluator's share."""
    received = evaluator.received([ciphertexts.tobytes()], numbers.shape[1])
    ((message, share),) = evaluator.leaving(evaluator.products(received, numbers), numbers.shape[1])
    return np.frombuffer(message, np.uint64).reshape(FORM), share
