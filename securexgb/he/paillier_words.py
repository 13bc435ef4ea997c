"""Words of Z_2^64 in Paillier, some side by side in a plaintext: what ``he.scheme`` asks for.

A plaintext holds integers that are equal to words modulo 2^64. Masks are integers, too: what the
key holder sees is within 2^-40 of uniform for a whole job (``he.paillier_sums``). Exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.he.paillier import DEFAULT_BITS, PublicKey, SecretKey, message_bytes
from securexgb.he.paillier_sums import PaillierKeyHolder, Slots, block
from securexgb.he.scheme import Message, Words

if TYPE_CHECKING:
    from gmpy2 import mpz


@dataclass(frozen=True)
class PaillierWords:
    """``slots`` say how many words of what size go into a plaintext."""

    slots: Slots
    key_type: type[SecretKey] = SecretKey

    @classmethod
    def of(cls, values: int, summands: int = 2, bits: int = DEFAULT_BITS) -> PaillierWords:
        """For a job that converts so many words."""
        return cls(Slots(summands, bits, values))

    @property
    def announcement_bytes(self) -> int:
        return self.slots.key_bits // 8

    @property
    def limit(self) -> int:
        return self.slots.values_in_job

    @property
    def summands(self) -> int:
        return self.slots.summands

    @property
    def refusal(self) -> str:
        return (
            f"the masks were made for {self.limit} words a job, and more are converted: state the "
            "job's real size"
        )

    def units(self, count: int) -> int:
        """Words."""
        return count

    def fresh_bytes(self, count: int, terms: int = 1) -> list[int]:
        number, step = -(-count // self.slots.count), block(self.slots.key_bits)
        sizes = [min(step, number - at) for at in range(0, number, step)]
        return [message_bytes(self.slots.key_bits, size) for size in sizes]

    def result_bytes(self, count: int) -> list[int]:
        return self.fresh_bytes(count)

    def key_holder(self, private: Prg) -> PaillierWordHolder:
        """``private`` is not used: the key is of the system's randomness."""
        return PaillierWordHolder(self.key_type(self.slots.key_bits), self.slots)

    def evaluator(self, private: Prg, announcement: Message) -> PaillierWordEvaluator:
        public = self.key_type.public_type.announced(announcement, self.slots.key_bits)
        return PaillierWordEvaluator(public, self.slots, private)


def _filled(words: Words, slots: Slots) -> Words:
    """Words in rows of a plaintext's slots, (plaintexts, slots), filled up with zeros."""
    rows = np.zeros((-(-words.size // slots.count), slots.count), np.uint64)
    rows.reshape(-1)[: words.size] = words
    return rows


class PaillierWordHolder:
    """See ``he.scheme.KeyHolder``; a plaintext is a row of as many vectors as there are slots."""

    def __init__(self, secret: SecretKey, slots: Slots) -> None:
        self.secret, self._slots = secret, slots
        self._vectors = PaillierKeyHolder(secret, slots)

    def announcement(self) -> bytes:
        return self._vectors.announcement()

    def encrypted(self, plaintexts: Words) -> Iterator[bytes]:
        return self._vectors.encrypted(_filled(plaintexts, self._slots).T)

    def opened(self, messages: Iterable[Message], count: int) -> Words:
        return self._vectors.opened(messages, self._slots.count).T.reshape(-1)[:count]


class PaillierWordEvaluator:
    """See ``he.scheme.WordEvaluator``; ciphertexts are a list."""

    def __init__(self, public: PublicKey, slots: Slots, masks: Prg) -> None:
        self._public, self._slots, self._masks = public, slots, masks

    def received(self, messages: Iterable[Message], count: int) -> list[mpz]:
        return [ciphertext for message in messages for ciphertext in self._public.read(message)]

    def plus(self, ciphertexts: list[mpz], words: Words) -> list[mpz]:
        numbers, n = self._slots.pack(_filled(words, self._slots)), self._public.modulus
        pairs = zip(ciphertexts, numbers, strict=True)
        return [self._public.add(ciphertext, 1 + number * n) for ciphertext, number in pairs]

    def sum(self, x: list[mpz], y: list[mpz]) -> list[mpz]:
        return [self._public.add(*pair) for pair in zip(x, y, strict=True)]

    def leaving(self, ciphertexts: list[mpz], count: int) -> Iterator[tuple[bytes, Words]]:
        """With fresh encryptions of masks: a full-size uniform r^n each."""
        step, slots = block(self._slots.key_bits), self._slots.count
        for at in range(0, len(ciphertexts), step):
            now = ciphertexts[at : at + step]
            masks, low = self._slots.masks(self._masks, len(now))
            masked = self.sum(now, self._public.encrypt(masks))
            share = np.uint64(0) - low.reshape(-1)[: count - at * slots]
            yield self._public.write(masked), share
