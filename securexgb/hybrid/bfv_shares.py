"""Shares to BFV and back: between additive shares and ciphertexts of one party's key.

    shares_to_bfv   the key holder encrypts its share and sends it; the evaluator adds its own,
                    encoded: ciphertexts of x = x0 + x1 mod 2^64
    add             sums of ciphertexts, at the evaluator alone
    bfv_to_shares   the evaluator adds an encryption of zero, switches the modulus, adds a
                    uniform mask and sends; the key holder decrypts. Shares: what it sees, and
                    minus the mask

*Who learns what.* The evaluator sees ciphertexts under the holder's key: nothing, by RLWE. The
holder sees uniform c0, and c1 hidden by the evaluator's own RLWE sample (``he.bfv``). Both
directions are exact but for 2^-40 over all ``values`` of a job together.

These are apart from the registry of ``mpc.protocol``, which is about the online phase; costs are
declared by the functions ``..._cost``, and tested. Products with a one-hot matrix, the use
that training makes of the scheme, are in ``offline.matrix_products``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.errors import UsageError
from securexgb.he.bfv import ANNOUNCEMENT_BYTES, BfvEvaluator, BfvKeyHolder
from securexgb.he.layout import messages_of
from securexgb.he.noise import DEGREE, Precision, words_precision
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared, Words

_NOTHING = np.zeros(0, np.uint64)


@dataclass(eq=False, repr=False)
class BfvKeys:
    """One party's part of party ``holder``'s keys: ``secret`` there, ``public`` at the other.

    ``values``: the most words that a job will convert, for the failure bound; ``converted``:
    those that it has.
    """

    holder: int
    values: int
    secret: BfvKeyHolder | None
    public: BfvEvaluator | None
    converted: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class EncryptedWords:
    """Encrypted words of this shape; ``ciphertexts`` (blocks, 2, 3, N) at the evaluator."""

    shape: tuple[int, ...]
    ciphertexts: Words | None


def agree_cost(holder: int) -> Cost:
    """Cost of ``agree_keys``."""
    return _sent(holder, 1, ANNOUNCEMENT_BYTES // 8)


def agree_keys(party: Party, holder: int, values: int) -> BfvKeys:
    """New keys for one job: party ``holder`` makes them, the other gets the public part."""
    private = Prg(party.private.words(2).tobytes())  # drawn: a second call has other masks
    with party.step("agree_keys"):
        if party.rank == holder:
            secret = BfvKeyHolder(private)
            _pass(party, holder, secret.announcement(), ANNOUNCEMENT_BYTES)
            return BfvKeys(holder, values, secret, None)
        announced = _pass(party, holder, b"", ANNOUNCEMENT_BYTES)
        return BfvKeys(holder, values, None, BfvEvaluator(private, announced))


def to_bfv_cost(holder: int, words: int, values: int) -> Cost:
    """Cost of ``shares_to_bfv``."""
    if not words:
        return Cost()
    blocks = -(-words // DEGREE)
    size = blocks * DEGREE * words_precision(values).fresh_bytes
    return _sent(holder, len(messages_of(blocks)), size // 8)


def shares_to_bfv(party: Party, keys: BfvKeys, x: Shared) -> EncryptedWords:
    """Ciphertexts of a shared array, at the party that does not hold the key."""
    if not x.size:
        return EncryptedWords(x.shape, None)
    precision = words_precision(keys.values)
    blocks = -(-x.size // DEGREE)
    own = np.zeros((blocks, DEGREE), np.uint64)
    own.reshape(-1)[: x.size] = x.words.reshape(-1)
    counts, size = messages_of(blocks), DEGREE * precision.fresh_bytes
    with party.step("shares_to_bfv"):
        if keys.secret is not None:
            for count in counts:
                now, own = own[:count], own[count:]
                message = keys.secret.encrypted_words(now, precision)
                _pass(party, keys.holder, message, len(message))
            return EncryptedWords(x.shape, None)
        assert keys.public is not None
        received = (_pass(party, keys.holder, b"", n * size) for n in counts)
        ciphertexts = keys.public.expanded(blocks, received, precision)
    return EncryptedWords(x.shape, keys.public.plus(ciphertexts, own))


def add(keys: BfvKeys, x: EncryptedWords, y: EncryptedWords) -> EncryptedWords:
    """The sum, local. The noise of one is below 2^-10 of the bound's: hundreds may be added.

    UsageError where the shapes differ.
    """
    if x.shape != y.shape:
        raise UsageError("two arrays of ciphertexts with different shapes have no sum")
    if keys.public is None or x.ciphertexts is None or y.ciphertexts is None:
        return EncryptedWords(x.shape, None)
    return EncryptedWords(x.shape, keys.public.sum(x.ciphertexts, y.ciphertexts))


def to_shares_cost(holder: int, words: int, values: int) -> Cost:
    """Cost of ``bfv_to_shares``."""
    if not words:
        return Cost()
    sizes = _result_bytes(words, words_precision(values))
    return _sent(1 - holder, len(sizes), sum(-(-size // 8) for size in sizes))


def bfv_to_shares(party: Party, keys: BfvKeys, x: EncryptedWords) -> Shared:
    """Additive shares of what the evaluator has encrypted."""
    count = prod(x.shape)
    if not count:
        return Shared.zeros(*x.shape)
    keys.converted += count
    if keys.converted > keys.values:
        raise UsageError(f"these keys were agreed for {keys.values} words, a job converts more")
    precision = words_precision(keys.values)
    share = np.zeros(count, np.uint64)
    with party.step("bfv_to_shares"):
        for block, size in enumerate(_result_bytes(count, precision)):
            at = slice(block * DEGREE, min((block + 1) * DEGREE, count))
            places = np.arange(at.stop - at.start, dtype=np.uint32)
            if keys.secret is not None:
                message = _pass(party, 1 - keys.holder, b"", size)
                share[at] = keys.secret.decrypted(message, places, precision)
            else:
                assert keys.public is not None
                assert x.ciphertexts is not None
                message, share[at] = keys.public.masked(x.ciphertexts[block], places, precision)
                _pass(party, 1 - keys.holder, message, size)
    return Shared(share.reshape(x.shape))


def _result_bytes(words: int, precision: Precision) -> list[int]:
    """Size of each result's message: all of c1, and c0 of the words in the block."""
    full, rest = divmod(words, DEGREE)
    counts = [DEGREE] * full + [rest] * (rest > 0)
    return [(DEGREE + count) * precision.result_bytes for count in counts]


def _pass(party: Party, sender: int, own: bytes, size: int) -> bytes:
    """One message of ``size`` bytes, filled up to whole words."""
    words = _NOTHING
    if party.rank == sender:
        words = np.frombuffer(own + bytes(-len(own) % 8), np.uint64)
    return party.pass_words(sender, words, -(-size // 8)).tobytes()[:size]


def _sent(sender: int, rounds: int, words: int) -> Cost:
    if sender == 0:
        return Cost(rounds=rounds, label_words=words)
    return Cost(rounds=rounds, feature_words=words)
