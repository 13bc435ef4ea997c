"""Words of Z_2^64 in BFV, one a coefficient: what ``he.scheme`` asks for, by ``he.bfv``.

Both directions are exact but for 2^-40 over all words of a job together (``he.noise``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.he.bfv import ANNOUNCEMENT_BYTES, BfvEvaluator, BfvKeyHolder
from securexgb.he.layout import Indices, messages_of
from securexgb.he.noise import ADDED, DEGREE, Precision, words_precision
from securexgb.he.scheme import Message, Words


def _blocks(count: int) -> Iterator[tuple[slice, Indices]]:
    """The words of each ciphertext, and their indices in it."""
    for start in range(0, count, DEGREE):
        stop = min(start + DEGREE, count)
        yield slice(start, stop), np.arange(stop - start, dtype=np.uint32)


def _filled(words: Words) -> Words:
    """Words as ciphertexts' coefficients, (blocks, N), filled up with zeros."""
    blocks = np.zeros((-(-words.size // DEGREE), DEGREE), np.uint64)
    blocks.reshape(-1)[: words.size] = words
    return blocks


@dataclass(frozen=True)
class BfvWords:
    """``limit``: the most words that a job converts back, for the failure bound."""

    limit: int
    announcement_bytes = ANNOUNCEMENT_BYTES
    summands = ADDED

    @property
    def refusal(self) -> str:
        return f"these keys were agreed for {self.limit} words, a job converts more"

    @cached_property
    def precision(self) -> Precision:
        return words_precision(self.limit)

    def units(self, count: int) -> int:
        """Words."""
        return count

    def fresh_bytes(self, count: int, terms: int = 1) -> list[int]:
        size = DEGREE * self.precision.fresh_bytes
        return [number * size for number in messages_of(-(-count // DEGREE))]

    def result_bytes(self, count: int) -> list[int]:
        """All of c1, and c0 of the words in the block."""
        return [
            (DEGREE + indices.size) * self.precision.result_bytes for _, indices in _blocks(count)
        ]

    def key_holder(self, private: Prg) -> BfvWordHolder:
        return BfvWordHolder(BfvKeyHolder(private), self.precision)

    def evaluator(self, private: Prg, announcement: Message) -> BfvWordEvaluator:
        return BfvWordEvaluator(BfvEvaluator(private, announcement), self.precision)


class BfvWordHolder:
    """See ``he.scheme.KeyHolder``."""

    def __init__(self, holder: BfvKeyHolder, precision: Precision) -> None:
        self._holder, self._precision = holder, precision

    def announcement(self) -> bytes:
        return self._holder.announcement()

    def encrypted(self, plaintexts: Words) -> Iterator[bytes]:
        blocks = _filled(plaintexts)
        for count in messages_of(len(blocks)):
            now, blocks = blocks[:count], blocks[count:]
            yield self._holder.encrypted_words(now, self._precision)

    def opened(self, messages: Iterable[Message], count: int) -> Words:
        share = np.zeros(count, np.uint64)
        for (at, indices), message in zip(_blocks(count), messages, strict=True):
            share[at] = self._holder.decrypted(message, indices, self._precision)
        return share


class BfvWordEvaluator:
    """See ``he.scheme.WordEvaluator``; ciphertexts are (blocks, 2, 3, N)."""

    def __init__(self, evaluator: BfvEvaluator, precision: Precision) -> None:
        self._evaluator, self._precision = evaluator, precision

    def received(self, messages: Iterable[Message], count: int) -> Words:
        blocks = -(-count // DEGREE)
        transformed = self._evaluator.expanded(blocks, iter(messages), self._precision)
        return self._evaluator.coefficients(transformed)

    def plus(self, ciphertexts: Words, words: Words) -> Words:
        return self._evaluator.plus(ciphertexts, _filled(words))

    def sum(self, x: Words, y: Words) -> Words:
        return self._evaluator.sum(x, y)

    def leaving(self, ciphertexts: Words, count: int) -> Iterator[tuple[bytes, Words]]:
        for result, (_, indices) in zip(ciphertexts, _blocks(count), strict=True):
            yield self._evaluator.masked(result, indices, self._precision)
