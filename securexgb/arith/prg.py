"""The pseudorandom generator: AES-128 in counter mode, read as a sequence of words.

One ``Prg`` is one stream under one key; ``derive`` makes independent children by a label, so that
every purpose has a stream of its own and no two purposes ever read the same words. All randomness
that hides anything comes from here or from ``secrets``, never from NumPy.
"""

from __future__ import annotations

import secrets

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from securexgb import _kernels

KEY_BYTES = 16


class Prg:
    """A stream of uniform words; each word is handed out once by ``words`` and ``bits``.

    ``key``: 16 bytes, secret unless the stream is one of public coins.
    """

    __slots__ = ("_next", "key")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self.key = bytes(key)
        self._next = 0

    @classmethod
    def fresh(cls) -> Prg:
        """A stream under a new key from the operating system."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def derive(self, label: str) -> Prg:
        """The independent stream of a label: HKDF-SHA256 (RFC 5869) of this key.

        Does not depend on how much of this stream was used.
        """
        kdf = HKDF(SHA256(), KEY_BYTES, salt=b"securexgb prg", info=label.encode())
        return Prg(kdf.derive(self.key))

    def words(self, count: int) -> NDArray[np.uint64]:
        """The next ``count`` words, shape (count,), uniform in Z_2^64."""
        words = _kernels.prg_words(self.key, self._next, count)
        self._next += count
        return words

    def words_at(self, start: int, count: int) -> NDArray[np.uint64]:
        """Words ``start`` to ``start + count`` of the stream; moves nothing."""
        return _kernels.prg_words(self.key, start, count)

    def bits(self, count: int) -> NDArray[np.uint64]:
        """The next ``count`` bits, packed, shape (ceil(count / 64),).

        Whole words are used up; the bits past ``count`` in the last word are zero.
        """
        words = self.words(-(-count // 64))
        if count % 64:
            words[-1] &= np.uint64((1 << (count % 64)) - 1)
        return words

    def __repr__(self) -> str:
        return f"Prg(next word {self._next})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Prg holds a key and is not pickled")
