"""Products with a private one-hot matrix under Paillier: many vectors in one plaintext.

Each row's words of up to ``Slots.count`` vectors lie side by side in one plaintext, so a row
costs one encryption for all of them. The evaluator multiplies, for every feature, each row's
ciphertext into that of its bin: the same number of multiplications whatever the data. What
it starts from is a fresh encryption of its masks, with a full-size uniform r^n, so nothing
that leaves is a product of what came in alone.

*Slots.* A sum of n words is below 2^(64 + L), L = ceil(log2 n). The mask of a slot is uniform
below 2^(w - 1), w >= 64 + L + 40 + V + 1 the slot's width in whole bytes, 2^V the values of
the whole job. So a masked sum is below 2^(64 + L) + 2^(w - 1) <= 2^w and nothing carries into the
next slot: results are exact. It is within 2^-(40 + V) of uniform whatever the sum: 2^-40
over the whole job. Both sides keep the low 64 bits, which add up modulo 2^64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.errors import ProtocolDesync, UsageError
from securexgb.he.paillier import PublicKey, SecretKey

if TYPE_CHECKING:
    from gmpy2 import mpz

Words = NDArray[np.uint64]
Buckets = NDArray[np.uint8]

STATISTICAL_BITS = 40
MESSAGE_BYTES = 1 << 19
"""Ciphertexts travel in messages of about this size."""
_WORD_BYTES = 8


@dataclass(frozen=True)
class Slots:
    """Words side by side in one plaintext, with room for a masked sum of ``summands``."""

    summands: int
    key_bits: int
    values_in_job: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(
                f"sums of {self.summands} words do not fit a Paillier key of {self.key_bits} bits"
            )

    @property
    def width_bytes(self) -> int:
        """Bytes of a slot; 8 of them hold the word."""
        bits = 64 + _log2(self.summands) + STATISTICAL_BITS + _log2(self.values_in_job) + 1
        return -(-bits // 8)

    @property
    def count(self) -> int:
        """Slots of a plaintext: together below the modulus."""
        return (self.key_bits - 1) // (8 * self.width_bytes)

    def pack(self, words: Words) -> list[int]:
        """Words (n, at most ``count``), each row one plaintext."""
        slots = np.zeros((len(words), words.shape[1], self.width_bytes), np.uint8)
        little = np.ascontiguousarray(words, dtype="<u8")
        slots[..., :_WORD_BYTES] = little.view(np.uint8).reshape(*words.shape, _WORD_BYTES)
        return _numbers(slots)

    def masks(self, private: Prg, number: int) -> tuple[list[int], Words]:
        """Plaintexts of uniform masks, and what each slot's takes from its word's share."""
        size = number * self.count * self.width_bytes
        drawn = private.words(-(-size // 8)).astype("<u8").view(np.uint8)[:size]
        slots = drawn.reshape(number, self.count, self.width_bytes).copy()
        slots[..., -1] &= 0x7F
        return _numbers(slots), _low_words(slots)

    def words(self, plaintexts: Iterable[int]) -> Words:
        """The words of plaintexts, modulo 2^64: (plaintexts, count).

        ProtocolDesync where one is larger than any masked sum: the peer has used another layout.
        """
        size, plaintexts = self.count * self.width_bytes, list(plaintexts)
        if any(plaintext >> (8 * size) for plaintext in plaintexts):
            raise ProtocolDesync("a Paillier plaintext is larger than its slots")
        data = b"".join(plaintext.to_bytes(size, "little") for plaintext in plaintexts)
        slots = np.frombuffer(data, np.uint8).reshape(-1, self.count, self.width_bytes)
        return _low_words(slots)


class PaillierKeyHolder:
    """Q: encrypts random vectors under its own key, decrypts masked products."""

    __slots__ = ("_secret", "_slots")

    def __init__(self, secret: SecretKey, slots: Slots) -> None:
        self._secret = secret
        self._slots = slots

    def announcement(self) -> bytes:
        """What the evaluator needs once: the modulus."""
        return self._secret.public.announcement()

    def encrypted(self, vectors: Words) -> Iterator[bytes]:
        """Messages of the rows of vectors (v, rows), v at most ``Slots.count``."""
        step = block(self._secret.public.bits)
        for at in range(0, vectors.shape[1], step):
            rows = self._slots.pack(vectors[:, at : at + step].T)
            yield self._secret.public.write(self._secret.encrypt(rows))

    def opened(self, messages: Iterable[bytes | memoryview], vectors: int) -> Words:
        """This side's share of the products, (v, columns); see ``Slots.words``."""
        opened = [np.zeros((0, self._slots.count), np.uint64)]
        for message in messages:
            plaintexts = self._secret.decrypt(self._secret.public.read(message))
            opened.append(self._slots.words(plaintexts))
        return np.ascontiguousarray(np.concatenate(opened).T[:vectors])


class PaillierEvaluator:
    """P: sums ciphertexts by bins and masks the sums.

    ``buckets``: bin indices (rows, features), each below ``bins``.
    """

    __slots__ = ("_bins", "_buckets", "_private", "_public", "_slots")

    def __init__(
        self, public: PublicKey, slots: Slots, buckets: Buckets, bins: int, private: Prg
    ) -> None:
        if buckets.size and buckets.max() >= bins:
            raise ValueError(f"a bin is not below {bins}")
        if len(buckets) > slots.summands:
            raise UsageError(
                f"masks were made for sums of {slots.summands} rows and would not hide sums of "
                f"{len(buckets)}: state the real number of rows"
            )
        self._public = public
        self._slots = slots
        self._buckets = buckets
        self._bins = bins
        self._private = private

    def products(
        self, messages: Iterable[bytes | memoryview], vectors: int
    ) -> Iterator[tuple[bytes, Words]]:
        """Messages of masked products, each with this side's share (v, its columns).

        Masks and their encryptions are made before the first message is asked for.
        """
        columns = self._buckets.shape[1] * self._bins
        masks, shares = self._slots.masks(self._private, columns)
        sums = self._public.encrypt(masks)
        self._add_rows(sums, messages)
        step = block(self._public.bits)
        for at in range(0, columns, step):
            share = np.ascontiguousarray(shares[at : at + step].T[:vectors])
            yield self._public.write(sums[at : at + step]), np.uint64(0) - share

    def _add_rows(self, sums: list[mpz], messages: Iterable[bytes | memoryview]) -> None:
        """Multiply each row's ciphertext into the sum of its bin, feature by feature."""
        square = self._public.square
        first = np.arange(self._buckets.shape[1]) * self._bins
        done = 0
        for message in messages:
            rows = self._public.read(message)
            places = (self._buckets[done : done + len(rows)] + first).tolist()
            done += len(rows)
            if done > len(self._buckets):
                break
            for ciphertext, row in zip(rows, places, strict=True):
                for place in row:
                    sums[place] = sums[place] * ciphertext % square
        if done != len(self._buckets):
            raise ProtocolDesync("the encrypted vectors have another number of rows")


def block(key_bits: int) -> int:
    """Ciphertexts of a message, each of twice the key's size."""
    return MESSAGE_BYTES // (key_bits // 4)


def _log2(count: int) -> int:
    """ceil(log2 count), 0 for nothing."""
    return max(count - 1, 0).bit_length()


def _numbers(slots: NDArray[np.uint8]) -> list[int]:
    """Each row of bytes as a number, least significant first."""
    return [int.from_bytes(row.tobytes(), "little") for row in slots]


def _low_words(slots: NDArray[np.uint8]) -> Words:
    low = np.ascontiguousarray(slots[..., :_WORD_BYTES])
    return low.view("<u8").reshape(low.shape[:-1]).astype(np.uint64)
