"""Shares to CKKS and back: sums of products of numbers that the two parties hold.

    label party (key holder)                    feature party (evaluator)
    encrypts its numbers u_j          ----->    sum of ciphertexts times its numbers v_j,
                                                an encryption of zero and a mask added
    decrypts: its share               <-----    keeps minus the mask: its share

Together the shares are Im(sum_j u_j v_j), with 60 fraction bits, to about 2^-17. Numbers are
real functions of own shares, so that this is the way into CKKS (encrypting functions of one's
own share) and the way out (masking against the key holder) in one round trip, each as
``hybrid.conversions`` has it. 4,096 rows go into a ciphertext; all terms of a block, then the next.

*Who learns what.* The feature party sees fresh encryptions under a key made for this job. The
label party sees, for every block, one RLWE sample and coefficients that are all masked: within
2^-40 of uniform for the whole job (see ``he.ckks``). Neither learns anything of the other's
numbers, and nothing that was decrypted goes back to the evaluator.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from securexgb.he.ckks import RESULT_BITS, CkksEvaluator, CkksNumbers, Numbers
from securexgb.hybrid import conversions
from securexgb.hybrid.conversions import Keys, encrypt, encrypt_cost, to_shares, to_shares_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared

KEY_HOLDER = 0
_PARAMETERS = CkksNumbers()


@protocol(
    cost=lambda: conversions.agree_cost(KEY_HOLDER, _PARAMETERS),
    opens="a public key",
    source="Cheon, Kim, Kim, Song, ASIACRYPT 2017; SEAL",
    ideal=None,
)
def agree_keys(party: Party) -> Keys:
    """New keys for one job: the label party makes them, the other gets the public one."""
    return conversions.agree_keys(party, KEY_HOLDER, _PARAMETERS)


def products_cost(terms: int, count: int) -> Cost:
    """Cost of ``products`` of so many terms for so many rows."""
    there = encrypt_cost(KEY_HOLDER, _PARAMETERS, count, terms)
    return there + to_shares_cost(KEY_HOLDER, _PARAMETERS, count)


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
def products(party: Party, keys: Keys, label: Numbers | None, feature: Numbers | None) -> Shared:
    """Im(sum_j u_j v_j) of both parties' numbers (terms, n), each at its owner only.

    Shared (n,) with RESULT_BITS fraction bits, error about 2^-17 times the greatest |sum_j| of
    all complex sums, which must be at most 2; |u_j| <= 1.
    """
    own = label if party.rank == KEY_HOLDER else feature
    assert own is not None
    sums = encrypt(party, keys, own, own.shape[1:])
    if isinstance(keys.public, CkksEvaluator):
        sums = replace(sums, ciphertexts=keys.public.products(sums.ciphertexts, own))
    return to_shares(party, keys, sums)
