"""Shares to ciphertexts and back: written once, over ``he.scheme``, for BFV, Paillier and CKKS.

    to_ciphertexts   the key holder encrypts its share and sends it; the evaluator adds its own:
                     ciphertexts of x = x0 + x1
    encrypt          the first half of it: the key holder's own plaintexts, at the evaluator
    add              sums of ciphertexts, at the evaluator alone
    to_shares        the evaluator makes a result fit to leave, masked, and sends it; the key holder
                     decrypts. Shares: what it sees, and minus the masks

*Who learns what.* The evaluator sees fresh ciphertexts under the holder's key: nothing. The
holder sees masked results, rerandomised before (``he.scheme``): uniform, and nothing of what was
computed. How exact they are is the scheme's to say.

These are apart from the registry of ``mpc.protocol``, which is about the online phase of words;
costs are declared by the functions ``..._cost``, and tested. Products with a one-hot matrix, the
use that training makes of BFV and Paillier, are in ``offline``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.errors import UsageError
from securexgb.he.scheme import (
    Ciphertexts,
    Evaluator,
    KeyHolder,
    Parameters,
    Plaintexts,
    WordEvaluator,
)
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared

_NOTHING = np.zeros(0, np.uint64)


@dataclass(eq=False, repr=False)
class Keys:
    """One party's part of party ``holder``'s keys: ``secret`` there, ``public`` at the other.

    ``used``: what was converted back so far, in the parameters' units.
    """

    holder: int
    parameters: Parameters
    secret: KeyHolder | None
    public: Evaluator | None
    used: int = 0

    def spend(self, count: int) -> None:
        """Count so many results; UsageError beyond what one key may serve."""
        self.used += self.parameters.units(count)
        if self.used > self.parameters.limit:
            raise UsageError(self.parameters.refusal)


@dataclass(frozen=True, eq=False, repr=False)
class Encrypted:
    """Sums of at most ``summands`` fresh plaintexts each, of this shape.

    ``ciphertexts`` at the evaluator, None at the key holder.
    """

    shape: tuple[int, ...]
    summands: int
    ciphertexts: Ciphertexts

    @property
    def size(self) -> int:
        return prod(self.shape)


def agree_cost(holder: int, parameters: Parameters) -> Cost:
    """Cost of ``agree_keys``."""
    return _sent(holder, [parameters.announcement_bytes])


def agree_keys(party: Party, holder: int, parameters: Parameters) -> Keys:
    """New keys for one job: party ``holder`` makes them, the other gets the public part."""
    private = Prg(party.private.words(2).tobytes())  # drawn: a second call has other masks
    size = parameters.announcement_bytes
    with party.step("agree_keys"):
        if party.rank == holder:
            secret = parameters.key_holder(private)
            _pass(party, holder, secret.announcement(), size)
            return Keys(holder, parameters, secret, None)
        announced = _pass(party, holder, b"", size)
        return Keys(holder, parameters, None, parameters.evaluator(private, announced))


def encrypt_cost(holder: int, parameters: Parameters, count: int, terms: int = 1) -> Cost:
    """Cost of ``encrypt``, and of ``to_ciphertexts``."""
    return _sent(holder, parameters.fresh_bytes(count, terms))


def encrypt(party: Party, keys: Keys, own: Plaintexts, shape: tuple[int, ...]) -> Encrypted:
    """The key holder's plaintexts, (prod(shape),) or (terms, prod(shape)), encrypted.

    The other side's ``own``, of the same shape, stay where they are.
    """
    count = prod(shape)
    sizes = keys.parameters.fresh_bytes(count, own.size // count if count else 1)
    with party.step("encrypt"):
        if keys.secret is not None:
            messages = keys.secret.encrypted(own) if count else ()
            for message, size in zip(messages, sizes, strict=True):
                _pass(party, party.rank, message, size)
            return Encrypted(shape, 1, None)
        assert keys.public is not None
        received = _received(party, keys.holder, sizes)
        return Encrypted(shape, 1, keys.public.received(received, count))


def to_ciphertexts(party: Party, keys: Keys, x: Shared) -> Encrypted:
    """Ciphertexts of a shared array, at the party that does not hold the key.

    UsageError where the parameters have no room for a sum of two words, one of each party.
    """
    _check_room(keys, 2)
    own = x.words.reshape(-1)
    sent = encrypt(party, keys, own, x.shape)
    if keys.public is None:
        return Encrypted(x.shape, 2, None)
    return Encrypted(x.shape, 2, _adds(keys.public).plus(sent.ciphertexts, own))


def add(keys: Keys, x: Encrypted, y: Encrypted) -> Encrypted:
    """The sum, local. UsageError where the shapes differ, and where the parameters have no room
    for it, so that masks would not hide it or noise would grow too large.
    """
    summands = x.summands + y.summands
    if x.shape != y.shape:
        raise UsageError("two arrays of ciphertexts with different shapes have no sum")
    _check_room(keys, summands)
    if keys.public is None:
        return Encrypted(x.shape, summands, None)
    both = _adds(keys.public).sum(x.ciphertexts, y.ciphertexts)
    return Encrypted(x.shape, summands, both)


def to_shares_cost(holder: int, parameters: Parameters, count: int) -> Cost:
    """Cost of ``to_shares``."""
    return _sent(1 - holder, parameters.result_bytes(count))


def to_shares(party: Party, keys: Keys, x: Encrypted) -> Shared:
    """Additive shares of what the evaluator has encrypted.

    UsageError for more than the parameters were made for, in one job.
    """
    keys.spend(x.size)
    sizes = keys.parameters.result_bytes(x.size)
    with party.step("to_shares"):
        if keys.secret is not None:
            received = _received(party, 1 - keys.holder, sizes)
            return Shared(keys.secret.opened(received, x.size).reshape(x.shape))
        assert keys.public is not None
        shares = [np.zeros(0, np.uint64)]
        leaving = keys.public.leaving(x.ciphertexts, x.size) if x.size else ()
        for (message, share), size in zip(leaving, sizes, strict=True):
            _pass(party, party.rank, message, size)
            shares.append(share)
    return Shared(np.concatenate(shares).reshape(x.shape))


def _adds(evaluator: Evaluator) -> WordEvaluator:
    if not isinstance(evaluator, WordEvaluator):
        raise UsageError("ciphertexts of this scheme hold no words that could be added")
    return evaluator


def _check_room(keys: Keys, summands: int) -> None:
    if summands > keys.parameters.summands:
        raise UsageError(
            f"masks were made for sums of {keys.parameters.summands} words and would not hide sums "
            f"of {summands}: state the real number"
        )


def _received(party: Party, sender: int, sizes: list[int]) -> Iterator[bytes]:
    return (_pass(party, sender, b"", size) for size in sizes)


def _pass(party: Party, sender: int, own: bytes, size: int) -> bytes:
    """One message of ``size`` bytes, filled up to whole words."""
    words = _NOTHING
    if party.rank == sender:
        words = np.frombuffer(own + bytes(-len(own) % 8), np.uint64)
    return party.pass_words(sender, words, -(-size // 8)).tobytes()[:size]


def _sent(sender: int, sizes: list[int]) -> Cost:
    words = sum(-(-size // 8) for size in sizes)
    if sender == 0:
        return Cost(rounds=len(sizes), label_words=words)
    return Cost(rounds=len(sizes), feature_words=words)
