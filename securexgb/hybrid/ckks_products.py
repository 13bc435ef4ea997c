"""Shares to CKKS and back: sums of products of numbers that the two parties hold.

    label party (key holder)                    feature party (evaluator)
    encrypts its numbers u_j          ----->    sum of ciphertexts times its numbers v_j,
                                                an encryption of zero and a mask added
    decrypts: its share               <-----    keeps minus the mask: its share

Together the shares are Im(sum_j u_j v_j), with 60 fraction bits, to about 2^-17. Numbers are
real functions of own shares, so that this is the way into CKKS (encrypting functions of one's
own share) and the way out (masking against the key holder) in one round trip. 4,096 rows go
into a ciphertext; all terms of a block, then the next block.

*Who learns what.* The feature party sees fresh encryptions under a key made for this job. The
label party sees, for every block, one RLWE sample and coefficients that are all masked: within
2^-40 of uniform for the whole job (see ``he.ckks``). Neither learns anything of the other's
numbers, and nothing that was decrypted goes back to the evaluator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.errors import UsageError
from securexgb.he.ckks import (
    CIPHERTEXT_WORDS,
    CIPHERTEXTS_PER_KEY,
    KEY_WORDS,
    RESULT_BITS,
    CkksEvaluator,
    CkksKeyHolder,
    Numbers,
    blocks_of,
)
from securexgb.he.ckks_words import DEGREE, PRIMES
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared

KEY_HOLDER = 0
EVALUATOR = 1
_FORM = (2, PRIMES, DEGREE)


@dataclass(eq=False, repr=False)
class CkksKeys:
    """One party's part of a job's keys: the key holder's or the evaluator's."""

    role: CkksKeyHolder | CkksEvaluator
    masks: Prg
    served: int = 0

    def holder(self) -> CkksKeyHolder:
        assert isinstance(self.role, CkksKeyHolder)
        return self.role

    def evaluator(self) -> CkksEvaluator:
        assert isinstance(self.role, CkksEvaluator)
        return self.role

    def serve(self, ciphertexts: int) -> None:
        """Count results; UsageError beyond what one key may serve."""
        self.served += ciphertexts
        if self.served > CIPHERTEXTS_PER_KEY:
            raise UsageError(
                f"a CKKS key hides {CIPHERTEXTS_PER_KEY:,} ciphertexts at 40 bits, and this run "
                "has more: take fewer trees or rows, or compute without CKKS"
            )


def agree_cost() -> Cost:
    """Cost of ``agree_keys``."""
    return Cost(rounds=1, label_words=KEY_WORDS)


@protocol(
    cost=agree_cost,
    opens="a public key",
    source="Cheon, Kim, Kim, Song, ASIACRYPT 2017; SEAL",
    ideal=None,
)
def agree_keys(party: Party) -> CkksKeys:
    """New keys for one job: the label party makes them, the other gets the public one."""
    masks = Prg.fresh()
    if party.rank == KEY_HOLDER:
        holder = CkksKeyHolder()
        party.pass_words(KEY_HOLDER, holder.announcement(), KEY_WORDS)
        return CkksKeys(holder, masks)
    public = party.pass_words(KEY_HOLDER, np.zeros(0, np.uint64), KEY_WORDS)
    return CkksKeys(CkksEvaluator(public.reshape(2, PRIMES + 1, DEGREE)), masks)


def products_cost(terms: int, count: int) -> Cost:
    """Cost of ``products`` of so many terms for so many rows."""
    blocks = len(blocks_of(count))
    return Cost(
        rounds=2 * blocks,
        label_words=blocks * terms * CIPHERTEXT_WORDS,
        feature_words=blocks * CIPHERTEXT_WORDS,
    )


def _ideal(label: Numbers, feature: Numbers) -> Shared:
    exact = np.round((label * feature).sum(axis=0).imag * 2.0**RESULT_BITS)
    return Shared(exact.astype(np.int64).view(np.uint64))


@protocol(
    cost=lambda keys, label, feature: products_cost(
        *(label if label is not None else feature).shape
    ),
    opens="fresh encryptions; all coefficients of a sum masked, its second half an RLWE sample",
    source="docs/ckks.md",
    ideal=lambda keys, label, feature: _ideal(label, feature),
)
def products(
    party: Party, keys: CkksKeys, label: Numbers | None, feature: Numbers | None
) -> Shared:
    """Im(sum_j u_j v_j) of both parties' numbers (terms, n), each at its owner only.

    Shared (n,) with RESULT_BITS fraction bits, error about 2^-17 times the greatest |sum_j| of
    all complex sums, which must be at most 2; |u_j| <= 1.
    """
    own = label if party.rank == KEY_HOLDER else feature
    assert own is not None
    blocks = blocks_of(own.shape[1])
    keys.serve(len(blocks))
    if party.rank == KEY_HOLDER:
        return _as_key_holder(party, keys.holder(), own, blocks)
    return _as_evaluator(party, keys, own, blocks)


def _as_key_holder(
    party: Party, holder: CkksKeyHolder, own: Numbers, blocks: list[slice]
) -> Shared:
    size = own.shape[0] * CIPHERTEXT_WORDS
    for rows in blocks:
        party.pass_words(KEY_HOLDER, holder.encrypted(own[:, rows]), size)
    shares = []
    for rows in blocks:
        masked = party.pass_words(EVALUATOR, np.zeros(0, np.uint64), CIPHERTEXT_WORDS)
        shares.append(holder.opened(masked.reshape(_FORM), rows.stop - rows.start))
    return Shared(np.concatenate(shares))


def _as_evaluator(party: Party, keys: CkksKeys, own: Numbers, blocks: list[slice]) -> Shared:
    size = own.shape[0] * CIPHERTEXT_WORDS
    results = []
    for rows in blocks:
        messages = party.pass_words(KEY_HOLDER, np.zeros(0, np.uint64), size)
        results.append(
            keys.evaluator().masked_sum(messages.reshape(-1, *_FORM), own[:, rows], keys.masks)
        )
    for masked, _ in results:
        party.pass_words(EVALUATOR, masked, CIPHERTEXT_WORDS)
    return Shared(np.concatenate([share for _, share in results]))
