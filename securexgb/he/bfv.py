"""BFV with coefficient encoding: short secrets times a private matrix, words to and fro.

The key holder Q encrypts symmetrically; the uniform half c1 of each ciphertext comes from a seed
that both know. The evaluator P multiplies with the rows of its matrix, sums over all groups,
packs them into fewer ciphertexts, and makes each result fit to leave, in this order:

    1. add an encryption of zero under Q's public key: c1 would be a linear image of the matrix
    2. switch to modulus 2^t
    3. add a uniform mask modulo 2^t to every c0 coefficient that is sent, and send only those

so Q sees uniform c0 and a c1 hidden by P's fresh RLWE sample. See ``noise`` for the parameters,
``layout`` for what lies where, docs/homomorphic.md for the arguments.

Keys: one per key holder, for one job. Streams of errors, masks and zeros are derived from the
private ``Prg`` by label; the kernels' keys count their polynomials, so that none serves twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.prg import KEY_BYTES as SEED_BYTES
from securexgb.arith.prg import Prg
from securexgb.errors import ProtocolDesync
from securexgb.he.layout import GALOIS_KEY_BYTES, PUBLIC_KEY_BYTES, Indices, Layout, messages_of
from securexgb.he.made_matrix import Matrix
from securexgb.he.noise import DEGREE, KEY_BYTES, PRIMES, SHORT, Precision

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

_TILE_LEVELS = 5
"""2^5 summands are made at a time."""
_PRIME_BITS = 50
ANNOUNCEMENT_BYTES = SEED_BYTES + PUBLIC_KEY_BYTES
_LIMBS = len(PRIMES)
_COLUMN = np.array(PRIMES, np.uint64)[:, None]


def _ring() -> _kernels.BfvRing:
    return _kernels.BfvRing(DEGREE, [*PRIMES])


def _bytes(message: bytes | memoryview, size: int) -> Bytes:
    """A received message as bytes; ProtocolDesync where it has another size."""
    if len(message) != size:
        raise ProtocolDesync(
            f"a message of the homomorphic scheme has {len(message)} bytes instead of {size}: "
            "the two sides hold different terms"
        )
    return np.frombuffer(message, dtype=np.uint8)


class BfvKeyHolder:
    """Q: holds the secret, draws errors."""

    __slots__ = ("_galois", "_private", "_public", "_ring", "_secret", "_vectors")

    def __init__(self, private: Prg) -> None:
        self._ring = _ring()
        self._private = private
        self._public = Prg(private.derive("public seed").key)
        self._secret = private.derive("secret").key
        self._galois = self._key("galois", "errors of keys, galois")
        self._vectors = self._key("vectors", "errors of vectors")

    def _key(self, public: str, errors: str) -> _kernels.BfvSecretKey:
        """The secret with these streams."""
        streams = (self._public.derive(public).key, self._private.derive(errors).key)
        return _kernels.BfvSecretKey(self._ring, self._secret, *streams)

    def announcement(self) -> bytes:
        """The public seed and half of an encryption of zero, the public key."""
        zeros = np.zeros((1, DEGREE), np.uint64)
        key = self._key("public key", "errors of keys, public key").encrypt(zeros, KEY_BYTES)
        return self._public.key + key.tobytes()

    def galois_key(self, spacing: int) -> bytes:
        """What the evaluator needs to pack coefficients ``spacing`` apart; ask once for each."""
        key = self._galois.galois_key_half(spacing)
        return _kernels.pack_words(key.reshape(-1), _PRIME_BITS).tobytes()

    def encrypted_words(self, words: Words, precision: Precision) -> bytes:
        """Ciphertexts of words (count, <= N)."""
        return self._vectors.encrypt(words, precision.fresh_bytes).tobytes()

    def encrypted_ternary(self, layout: Layout, secrets: bytes, first: int) -> Iterator[bytes]:
        """Messages of a batch: the secrets first, first + 1, ... of the stream of this key."""
        precision = layout.precision
        vectors, numbers = (first, layout.vectors), (SHORT, layout.distance)
        sent = self._vectors.encrypt_ternary(
            secrets, vectors, numbers, precision.word_bits, precision.fresh_bytes
        )
        for count in messages_of(layout.groups):
            now, sent = sent[:count], sent[count:]
            yield now.tobytes()

    def opened(self, layout: Layout, messages: Iterable[bytes | memoryview]) -> Words:
        """This side's share of the products, (v, columns)."""
        share = np.zeros((layout.vectors, layout.columns), np.uint64)
        for result, message in zip(range(layout.results), messages, strict=True):
            indices, vectors, columns = layout.indices(result)
            share[vectors, columns] = self.decrypted(message, indices, layout.precision)
        return share

    def decrypted(
        self, message: bytes | memoryview, indices: Indices, precision: Precision
    ) -> Words:
        """This side's share of one result's numbers, (indices,)."""
        width = precision.result_bytes
        data = _bytes(message, (DEGREE + indices.size) * width)
        c1, c0 = data[: DEGREE * width], data[DEGREE * width :]
        return self._vectors.decrypt(c1, c0, indices, precision.word_bits)

    def __repr__(self) -> str:
        return f"BfvKeyHolder({self._vectors.used} ciphertexts)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key holder has a secret and is not pickled")


class BfvEvaluator:
    """P: multiplies ciphertexts under Q's key with its own one-hot columns."""

    __slots__ = ("_keys", "_masker", "_public", "_ring", "_seen")

    def __init__(self, private: Prg, announcement: bytes | memoryview) -> None:
        data = _bytes(announcement, ANNOUNCEMENT_BYTES)
        self._ring = _ring()
        self._public = Prg(data[:SEED_BYTES].tobytes())
        key = self._public.derive("public key").key
        sent = np.ascontiguousarray(data[SEED_BYTES:]).reshape(1, -1)
        zeros, masks = (private.derive(name).key for name in ("encryptions of zero", "masks"))
        public_key = self._ring.expand(key, 0, sent)[0]
        self._masker = _kernels.BfvMasker(self._ring, public_key, zeros, masks)
        self._keys: dict[int, Words] = {}
        self._seen = 0

    def add_galois_key(self, spacing: int, message: bytes | memoryview) -> None:
        """For packing coefficients ``spacing`` apart; keys come in the order of their making."""
        data = _bytes(message, GALOIS_KEY_BYTES)
        words = _kernels.unpack_words(data, _LIMBS * DEGREE, _PRIME_BITS)
        sent = words.reshape(_LIMBS, DEGREE)
        public = self._public.derive("galois").key
        self._keys[spacing] = self._ring.galois_key(public, len(self._keys), sent)

    def products(
        self, layout: Layout, ciphertexts: Words, matrix: Matrix
    ) -> Iterator[tuple[bytes, Words, int]]:
        """Messages of results, this side's share of each, and its number.

        ``ciphertexts`` as ``expanded`` gives them; ``matrix``: the columns of W.
        """
        for number, result in enumerate(self._results(layout, ciphertexts, matrix)):
            indices, _, _ = layout.indices(number)
            message, share = self.masked(result, indices, layout.precision)
            yield message, share, number

    def masked(self, result: Words, indices: Indices, precision: Precision) -> tuple[bytes, Words]:
        """The message of a result, rerandomised, switched, masked; the own share.

        Results are (2, 3, N), packed ones (2, 2, N).
        """
        width, bits = precision.result_bytes, precision.word_bits
        c1, c0, share = self._masker.rerandomise_and_switch(result, indices, width, bits)
        return c1.tobytes() + c0.tobytes(), share

    def coefficients(self, ciphertexts: Words) -> Words:
        """Transformed ciphertexts (n, 2, 3, N) as coefficients."""
        result = np.empty_like(ciphertexts)
        for limb in range(_LIMBS):
            for part in (0, 1):
                given = np.ascontiguousarray(ciphertexts[:, part, limb])
                result[:, part, limb] = self._ring.transform(given, limb, back=True)
        return result

    def plus(self, ciphertexts: Words, words: Words) -> Words:
        """Ciphertexts (n, 2, 3, N) as coefficients, plus encoded words (n, N)."""
        result = ciphertexts.copy()
        result[:, 0] = (result[:, 0] + self._ring.encode(words)) % _COLUMN
        return result

    def sum(self, x: Words, y: Words) -> Words:
        """Sums of ciphertexts (n, 2, 3, N) as coefficients."""
        return (x + y) % _COLUMN

    def expanded(
        self, ciphertexts: int, messages: Iterator[bytes | memoryview], precision: Precision
    ) -> Words:
        """Received ciphertexts (count, 2, 3, N), transformed."""
        size = DEGREE * precision.fresh_bytes
        public = self._public.derive("vectors").key
        held = np.empty((ciphertexts, 2, _LIMBS, DEGREE), np.uint64)
        done = 0
        for count in messages_of(ciphertexts):
            wire = _bytes(next(messages), count * size).reshape(count, size)
            held[done : done + count] = self._ring.expand(public, self._seen, wire)
            done += count
            self._seen += count
        return held

    def _results(self, layout: Layout, ciphertexts: Words, matrix: Matrix) -> Iterator[Words]:
        """Packed results, (2, 2, N) each: some columns at a time, then runs of what they give."""
        keys = [self._keys[spacing] for spacing in layout.spacings]
        early = min(layout.levels, _TILE_LEVELS)
        run = 1 << (layout.levels - early)
        bits = layout.precision.word_bits
        parts, tile = (layout.vectors, layout.side), layout.side << _TILE_LEVELS
        prepared = self._ring.prepare(ciphertexts, parts, SHORT)
        waiting: list[Words] = []
        for first in range(0, layout.columns, tile):
            now = matrix[first : first + tile]
            waiting.extend(
                self._ring.products(prepared, parts, now, bits, layout.levels, keys[:early])
            )
            while len(waiting) >= run:
                yield self._joined(layout, waiting[:run], keys[early:], early)
                waiting = waiting[run:]
        if waiting:
            yield self._joined(layout, waiting, keys[early:], early)

    def _joined(self, layout: Layout, results: list[Words], keys: list[Words], early: int) -> Words:
        if not keys:
            return results[0]
        return self._ring.pack(keys, layout.distance >> early, np.stack(results))

    def __repr__(self) -> str:
        return f"BfvEvaluator({self._masker.used} results)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("an evaluator has masks and is not pickled")
