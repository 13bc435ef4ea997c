"""CKKS by TenSEAL: weighted sums of encrypted numbers, returned as shares.

Two roles, named after what they hold. The key holder has complex numbers u_j and the secret
key; the evaluator has complex numbers v_j. Both end with shares of Im(sum_j u_j v_j).

    key holder: encrypted(u)           -> evaluator: one ciphertext a term and block of rows
    evaluator:  products(v), leaving() -> key holder: one ciphertext a block, masked; its share
    key holder: opened(messages)          its share

*What the key holder sees.* The evaluator multiplies by its plaintexts, adds an encryption of
zero under the public key, which makes the second polynomial c1 an RLWE sample with a secret of
the evaluator's, and adds a mask to the first one, in plain coefficients: every one of the N
coefficients gets its own integer, uniform in [0, 2^118). These are all real dimensions of the
plaintext, the imaginary halves of the slots too. With x the masked polynomial, noise included,
the view is within sum_i |x_i| / 2^118 of uniform. By Cauchy and Parseval sum_i |x_i| <=
sqrt(N) 2^54 max|slot| plus noise below 2^45, so for sums up to 2 the distance is below 2^-56 a
ciphertext and below 2^-40 for the 2^16 ciphertexts that one key serves: 40 bits *for a job* of
up to 2^28 rows. No modulus is touched: x + mask stays within (-2^63, 2^119) < q' / 2.

*What the evaluator sees.* Fresh encryptions. Nothing that comes of a decryption goes to it, so
the attacks on CKKS by decrypted results (IND-CPA-D) have nothing to work on.

*Precision.* Shares are integers, mask and message alike. Each side drops the low 30 bits of its
own (off by one unit of 2^-24 at most), and the way from coefficients to slots has integer
factors (``ckks_slots``), so that the size of the mask costs nothing: about 2^-17 in a slot.

A key serves one job: make new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.he.ckks_slots import SLOT_BITS, SlotReader
from securexgb.he.ckks_words import DEGREE, PRIMES, SLOTS, SealLibrary
from securexgb.he.scheme import Message, Words

Numbers = NDArray[np.complex128]

CIPHERTEXT_BYTES = 8 * 2 * PRIMES * DEGREE
KEY_BYTES = 8 * 2 * (PRIMES + 1) * DEGREE
_FORM = (2, PRIMES, DEGREE)

_OWN_BITS = 28  # of the key holder's numbers
_FACTOR_BITS = 26  # of the evaluator's
_SHIFT = 4.0  # above every factor's absolute value
MASK_BITS = 118
_DROPPED = 30
RESULT_BITS = _OWN_BITS + _FACTOR_BITS - _DROPPED + SLOT_BITS
"""Fraction bits of the result in the ring: 60. Sums stay below 2 in absolute value."""
CIPHERTEXTS_PER_KEY = 1 << 16
"""Results that one key serves, so that the hiding holds for all of them together."""


@dataclass(frozen=True)
class CkksNumbers:
    """Complex numbers, ``SLOTS`` a ciphertext: see ``he.scheme.Parameters``. Units are blocks."""

    announcement_bytes = KEY_BYTES
    limit = CIPHERTEXTS_PER_KEY
    summands = 1
    refusal = (
        f"a CKKS key hides {CIPHERTEXTS_PER_KEY:,} ciphertexts at 40 bits, and this run has more: "
        "take fewer trees or rows, or compute without CKKS"
    )

    def units(self, count: int) -> int:
        return len(blocks_of(count))

    def fresh_bytes(self, count: int, terms: int = 1) -> list[int]:
        return [terms * CIPHERTEXT_BYTES for _ in blocks_of(count)]

    def result_bytes(self, count: int) -> list[int]:
        return self.fresh_bytes(count)

    def key_holder(self, private: Prg) -> CkksKeyHolder:
        """``private`` is not used: SEAL draws its keys from the system's randomness."""
        return CkksKeyHolder()

    def evaluator(self, private: Prg, announcement: Message) -> CkksEvaluator:
        return CkksEvaluator(private, announcement)


class CkksKeyHolder:
    """Encrypts its own numbers, decrypts masked sums."""

    def __init__(self) -> None:
        self._seal = seal = SealLibrary()
        generator = seal.api.KeyGenerator(seal.context)
        self._public = seal.api.PublicKey()
        generator.create_public_key(self._public)
        secret = generator.secret_key()
        self._encryptor = seal.api.Encryptor(seal.context, self._public, secret)
        self._decryptor = seal.api.Decryptor(seal.context, secret)
        self._slots = SlotReader()

    def announcement(self) -> bytes:
        """The public key, (2, primes + 1, N)."""
        return self._seal.words(self._public, primes=PRIMES + 1).tobytes()

    def encrypted(self, plaintexts: Numbers) -> Iterator[bytes]:
        """Ciphertexts of numbers (terms, n), a message (terms, 2, primes, N) a block."""
        for rows in blocks_of(plaintexts.shape[1]):
            yield np.stack([self._encrypt(row) for row in plaintexts[:, rows]]).tobytes()

    def _encrypt(self, slots: Numbers) -> Words:
        result = self._seal.api.Ciphertext()
        plain = self._seal.plaintext(slots, 2.0**_OWN_BITS)
        self._encryptor.encrypt_symmetric(plain, result)
        return self._seal.words(result)

    def opened(self, messages: Iterable[Message], count: int) -> Words:
        """This side's share (count,) of masked sums, one (2, primes, N) a block."""
        shares = []
        for message in messages:
            sums = self.decrypted(np.frombuffer(message, np.uint64).reshape(_FORM))
            words = [value >> _DROPPED & 0xFFFFFFFFFFFFFFFF for value in sums]
            shares.append(self._slots.imaginary(np.array(words, np.uint64)))
        return np.concatenate([*shares, np.zeros(0, np.uint64)])[:count]

    def decrypted(self, message: Words) -> list[int]:
        """The N coefficients that a masked sum decrypts to, signed."""
        seal = self._seal
        ciphertext = seal.ciphertext(message, 2.0 ** (_OWN_BITS + _FACTOR_BITS), False)
        seal.evaluator.transform_to_ntt_inplace(ciphertext)
        plain = seal.api.Plaintext()
        self._decryptor.decrypt(ciphertext, plain)
        # SEAL transforms ciphertexts back, not plaintexts: let it think that this is one.
        twice = np.repeat(seal.words(plain, 1), 2, axis=0)
        both = seal.ciphertext(twice, 1.0)
        seal.evaluator.transform_from_ntt_inplace(both)
        return _lifted(seal.words(both)[0], seal.primes)


class CkksEvaluator:
    """Multiplies ciphertexts by its own numbers and masks what leaves."""

    def __init__(self, private: Prg, announcement: Message) -> None:
        self._seal = seal = SealLibrary()
        key = np.frombuffer(announcement, np.uint64).reshape(2, PRIMES + 1, DEGREE)
        self._encryptor = seal.api.Encryptor(seal.context, seal.public_key(key))
        self._masks = private.derive("masks")
        self._slots = SlotReader()

    def received(self, messages: Iterable[Message], count: int) -> list[Words]:
        """By block, (terms, 2, primes, N)."""
        return [np.frombuffer(message, np.uint64).reshape(-1, *_FORM) for message in messages]

    def products(self, ciphertexts: list[Words], numbers: Numbers) -> list[Any]:
        """By block the sums of ciphertexts times numbers (terms, count), rerandomised."""
        blocks = zip(ciphertexts, blocks_of(numbers.shape[1]), strict=True)
        return [self._sum(block, numbers[:, rows]) for block, rows in blocks]

    def leaving(self, ciphertexts: list[Any], count: int) -> Iterator[tuple[bytes, Words]]:
        """Each plus a mask: (2, primes, N), and this side's share of it."""
        for total, rows in zip(ciphertexts, blocks_of(count), strict=True):
            result = self._seal.words(total).copy()
            low, high = self._masks.words(2 * DEGREE).reshape(2, DEGREE)
            high >>= np.uint64(128 - MASK_BITS)
            result[0] = _added(result[0], low, high, self._seal.primes)
            own = low >> np.uint64(_DROPPED) | high << np.uint64(64 - _DROPPED)
            share = np.uint64(0) - self._slots.imaginary(own)
            yield result.tobytes(), share[: rows.stop - rows.start]

    def _sum(self, messages: Words, numbers: Numbers) -> Any:
        """The sum, rerandomised, as a ciphertext in plain coefficients.

        SEAL refuses to multiply by zero, and to skip such a term would show in the time how many of
        this party's marks are none. So every factor has ``_SHIFT`` added in all slots, which is
        one integer on the constant coefficient, and that integer times all ciphertexts is taken
        off again: the same operations for all numbers, and exactly the same sum.
        """
        seal = self._seal
        total, product, shifted = (seal.api.Ciphertext() for _ in range(3))
        self._encryptor.encrypt_zero(seal.level, total)
        total.scale = 2.0 ** (_OWN_BITS + _FACTOR_BITS)
        factors = np.zeros((len(numbers), SLOTS), np.complex128)
        factors[:, : numbers.shape[1]] = numbers
        for number, (words, row) in enumerate(zip(messages, factors, strict=True)):
            ciphertext = seal.ciphertext(words, 2.0**_OWN_BITS)
            plain = seal.plaintext(row + _SHIFT, 2.0**_FACTOR_BITS)
            seal.evaluator.multiply_plain(ciphertext, plain, product)
            seal.evaluator.add_inplace(total, product)
            if number:
                seal.evaluator.add_inplace(shifted, ciphertext)
            else:
                shifted = ciphertext
        plain = seal.plaintext(np.full(SLOTS, _SHIFT, np.complex128), 2.0**_FACTOR_BITS)
        seal.evaluator.multiply_plain(shifted, plain, product)
        seal.evaluator.sub_inplace(total, product)
        seal.evaluator.transform_from_ntt_inplace(total)
        return total


def blocks_of(count: int) -> list[slice]:
    """The rows of each ciphertext."""
    return [slice(start, min(start + SLOTS, count)) for start in range(0, count, SLOTS)]


def _added(residues: Words, low: Words, high: Words, primes: tuple[int, ...]) -> Words:
    """Residues (primes, N) plus the integers low + 2^64 high."""
    masks = low.astype(object) + (high.astype(object) << 64)
    rows = [
        (row.astype(object) + masks) % prime for row, prime in zip(residues, primes, strict=False)
    ]
    return np.array(rows, np.uint64)


def _lifted(residues: Words, primes: tuple[int, ...]) -> list[int]:
    """The integers in [-q'/2, q'/2) of residues (2, N) modulo two primes."""
    first, second = primes[:PRIMES]
    r, s = residues.astype(object)
    values = r + first * ((s - r) * pow(first, -1, second) % second)
    modulus = first * second
    return [int(value) - modulus if 2 * value >= modulus else int(value) for value in values]
