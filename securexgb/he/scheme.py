"""What a homomorphic scheme is to the protocols: two roles, and the messages between them.

The *key holder* has the secret key; the *evaluator* computes on ciphertexts under it. Whatever
leaves the evaluator was made fit to leave: rerandomised, so that it does not show what was
computed, and masked, so that its decryption is uniform; minus the mask is the evaluator's
additive share, the decryption is the key holder's.

``Parameters`` of a scheme are public, checked when they are made, and say how long messages are;
keys are made from them, for one job: ``he.bfv_words`` and ``he.paillier_words`` for words of
Z_2^64, ``he.ckks`` for complex numbers. ``hybrid.conversions`` turns shares into ciphertexts and
back, for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg

Words = NDArray[np.uint64]
Plaintexts = NDArray[Any]
"""Words (n,), or complex numbers (terms, n): n along the last axis."""
Message = bytes | memoryview
Ciphertexts = Any
"""Of one scheme; nobody but its evaluator looks inside."""


class KeyHolder(Protocol):
    """Encrypts under its own key, and decrypts what the evaluator lets go."""

    def announcement(self) -> bytes:
        """What the evaluator needs once: the public key."""

    def encrypted(self, plaintexts: Plaintexts) -> Iterator[bytes]:
        """Messages of fresh ciphertexts, as long as ``Parameters.fresh_bytes`` says."""

    def opened(self, messages: Iterable[Message], count: int) -> Words:
        """This side's share (count,) of a masked result."""


class Evaluator(Protocol):
    """Computes on ciphertexts under the other side's key."""

    def received(self, messages: Iterable[Message], count: int) -> Ciphertexts:
        """The ciphertexts of ``count`` plaintexts."""

    def leaving(self, ciphertexts: Ciphertexts, count: int) -> Iterator[tuple[bytes, Words]]:
        """Messages of a result, rerandomised and masked, each with this side's share of it."""


@runtime_checkable
class WordEvaluator(Evaluator, Protocol):
    """Of a scheme whose plaintexts are words: sums modulo 2^64."""

    def plus(self, ciphertexts: Ciphertexts, words: Words) -> Ciphertexts:
        """Plus own words (n,)."""

    def sum(self, x: Ciphertexts, y: Ciphertexts) -> Ciphertexts:
        """Of two ciphertexts of equally many words."""


class Parameters(Protocol):
    """Public parameters of one job.

    ``limit``: how much one key may convert back, in the ``units`` of a count; ``refusal``: the
    sentence for more. ``summands``: the most fresh plaintexts in a sum that is converted back.
    """

    @property
    def announcement_bytes(self) -> int: ...
    @property
    def limit(self) -> int: ...
    @property
    def refusal(self) -> str: ...
    @property
    def summands(self) -> int: ...
    def units(self, count: int) -> int: ...
    def fresh_bytes(self, count: int, terms: int = 1) -> list[int]:
        """Lengths of the messages of so many fresh plaintexts; words have one term."""

    def result_bytes(self, count: int) -> list[int]:
        """Lengths of the messages of so many results."""

    def key_holder(self, private: Prg) -> KeyHolder: ...
    def evaluator(self, private: Prg, announcement: Message) -> Evaluator: ...
