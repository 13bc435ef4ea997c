"""Shares to Paillier and back: between additive shares and ciphertexts of one party's key.

    shares_to_paillier   the key holder encrypts its share and sends it; the evaluator adds its
                         own: ciphertexts of x0 + x1 as an integer, which is x modulo 2^64
    add                  sums of ciphertexts, at the evaluator alone
    paillier_to_shares   the evaluator adds fresh encryptions of masks and sends; the key
                         holder decrypts. Shares: the low words of what it sees, and minus the
                         masks' low words

*Who learns what.* The evaluator sees ciphertexts under the holder's key: nothing, by decisional
composite residuosity. The holder sees fresh encryptions (a full-size uniform r^n each, so
nothing of what was added up) of masked integers, within 2^-40 of uniform for the whole job
(``he.paillier_sums``, which says how many words of what size go into a plaintext). Exact.

These are apart from the registry of ``mpc.protocol``, which is read where phe need not be
installed; their costs are declared by the functions ``..._cost``, and tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.errors import UsageError
from securexgb.he.paillier import DEFAULT_BITS, PublicKey, SecretKey
from securexgb.he.paillier_sums import Slots, Words, block
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared

if TYPE_CHECKING:
    from gmpy2 import mpz

_NOTHING = np.zeros(0, np.uint64)


@dataclass(eq=False, repr=False)
class PaillierKeys:
    """One party's part of party ``holder``'s keys; ``secret`` at the holder only.

    ``converted``: words that were converted back so far, for the bound over a job.
    """

    holder: int
    public: PublicKey
    secret: SecretKey | None
    masks: Prg
    converted: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class Encrypted:
    """Sums of at most ``summands`` words each, of this shape: equal to the secret mod 2^64.

    ``ciphertexts`` at the evaluator, none at the key holder.
    """

    shape: tuple[int, ...]
    slots: Slots
    summands: int
    ciphertexts: list[mpz]


def agree_cost(holder: int, bits: int) -> Cost:
    """Cost of ``agree_keys``."""
    return _sent(holder, 1, bits // 64)


def agree_keys(
    party: Party,
    holder: int,
    bits: int = DEFAULT_BITS,
    key_type: type[SecretKey] = SecretKey,
) -> PaillierKeys:
    """A new key for one job: party ``holder`` makes it, the other gets the modulus."""
    masks = Prg.fresh()
    with party.step("agree_keys"):
        if party.rank == holder:
            secret = key_type(bits)
            _pass(party, holder, secret.public.announcement(), bits // 8)
            return PaillierKeys(holder, secret.public, secret, masks)
        announced = _pass(party, holder, b"", bits // 8)
        return PaillierKeys(holder, key_type.public_type.announced(announced, bits), None, masks)


def conversion_cost(sender: int, words: int, slots: Slots) -> Cost:
    """Cost of ``shares_to_paillier`` (sent by the holder) and of ``paillier_to_shares`` (sent
    by the evaluator): a name of one word with every message of ciphertexts.
    """
    ciphertexts = -(-words // slots.count)
    messages = -(-ciphertexts // block(slots.key_bits))
    return _sent(sender, messages, messages + ciphertexts * slots.key_bits // 32)


def shares_to_paillier(party: Party, keys: PaillierKeys, x: Shared, slots: Slots) -> Encrypted:
    """Ciphertexts of a shared array, at the party that does not hold the key.

    UsageError where slots have no room for a sum of two words, one of each party.
    """
    _check_room(slots, 2)
    words = np.zeros((-(-x.size // slots.count), slots.count), np.uint64)
    words.reshape(-1)[: x.size] = x.words.reshape(-1)
    own = slots.pack(words)
    with party.step("shares_to_paillier"):
        if keys.secret is not None:
            _pass_all(party, keys, keys.holder, keys.secret.encrypt(own), len(own))
            return Encrypted(x.shape, slots, 2, [])
        received = _pass_all(party, keys, keys.holder, [], len(own))
    n = keys.public.modulus
    sums = [keys.public.add(c, 1 + m * n) for c, m in zip(received, own, strict=True)]
    return Encrypted(x.shape, slots, 2, sums)


def add(keys: PaillierKeys, x: Encrypted, y: Encrypted) -> Encrypted:
    """The sum, local. UsageError where slots have no room for it, so that masks would not hide it,
    and where the two are laid out differently.
    """
    summands = x.summands + y.summands
    if x.shape != y.shape or x.slots != y.slots:
        raise UsageError("two arrays of ciphertexts with different shapes or slots have no sum")
    _check_room(x.slots, summands)
    pairs = zip(x.ciphertexts, y.ciphertexts, strict=True)
    return Encrypted(x.shape, x.slots, summands, [keys.public.add(*pair) for pair in pairs])


def paillier_to_shares(party: Party, keys: PaillierKeys, x: Encrypted) -> Shared:
    """Additive shares of what the evaluator has encrypted.

    UsageError for more words than the slots' masks were made for, in one job.
    """
    keys.converted += prod(x.shape)
    if keys.converted > x.slots.values_in_job:
        raise UsageError(
            f"the masks were made for {x.slots.values_in_job} words a job, and more are converted: "
            "state the job's real size"
        )
    evaluator, number = 1 - keys.holder, -(-prod(x.shape) // x.slots.count)
    with party.step("paillier_to_shares"):
        if keys.secret is not None:
            received = _pass_all(party, keys, evaluator, [], number)
            opened = x.slots.words(keys.secret.decrypt(received))
            return _shaped(opened, x.shape)
        masks, low = x.slots.masks(keys.masks, number)
        fresh = keys.public.encrypt(masks)
        masked = [keys.public.add(*pair) for pair in zip(x.ciphertexts, fresh, strict=True)]
        _pass_all(party, keys, evaluator, masked, number)
    return -_shaped(low, x.shape)


def _check_room(slots: Slots, summands: int) -> None:
    if summands > slots.summands:
        raise UsageError(
            f"masks were made for sums of {slots.summands} words and would not hide sums of "
            f"{summands}: state the real number"
        )


def _pass_all(
    party: Party, keys: PaillierKeys, sender: int, ciphertexts: list[mpz], number: int
) -> list[mpz]:
    """So many ciphertexts from one party to the other, in messages of bounded size."""
    passed = []
    step = block(keys.public.bits)
    for at in range(0, number, step):
        size = keys.public.message_bytes(min(step, number - at))
        own = b""
        if party.rank == sender:
            own = keys.public.write(ciphertexts[at : at + step])
        message = _pass(party, sender, own, size)
        if party.rank != sender:
            passed += keys.public.read(message)
    return passed


def _pass(party: Party, sender: int, own: bytes, size: int) -> bytes:
    """One message of ``size`` bytes, whole words."""
    words = np.frombuffer(own, np.uint64) if party.rank == sender else _NOTHING
    return party.pass_words(sender, words, size // 8).tobytes()


def _sent(sender: int, rounds: int, words: int) -> Cost:
    if sender == 0:
        return Cost(rounds=rounds, label_words=words)
    return Cost(rounds=rounds, feature_words=words)


def _shaped(words: Words, shape: tuple[int, ...]) -> Shared:
    """The first words of the slots, in this shape."""
    return Shared(words.reshape(-1)[: prod(shape)].reshape(shape))
