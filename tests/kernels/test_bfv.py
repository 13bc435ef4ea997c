"""The kernels of the homomorphic scheme against their definitions in Python's integers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.he.noise import MODULUS, PRIMES
from tests.kernels.reference import prg_words

N = 64
RING = _kernels.BfvRing(N, [*PRIMES])
SECRET, PUBLIC, PRIVATE, MASKS = (bytes([i]) * 16 for i in range(1, 5))
EXACT = 20
BITS = 57
WIDE = _kernels.BfvRing(512, [*PRIMES])
PREPARED = WIDE.prepare(np.zeros((8, 2, 3, 512), np.uint64), (16, 1), 256)
Integers = NDArray[np.object_]


def key(first: int = 0, public: bytes = PUBLIC) -> _kernels.BfvSecretKey:
    """The key whose next ciphertext has the number ``first``."""
    made = _kernels.BfvSecretKey(RING, SECRET, public, PRIVATE)
    made.encrypt(np.zeros((first, N), np.uint64), EXACT)
    assert made.used == first
    return made


def negacyclic(a: Integers, b: Integers) -> Integers:
    """a b mod X^N + 1, over the integers."""
    whole = np.convolve(a, b)
    result = whole[:N].copy()
    result[: len(whole) - N] -= whole[N:]
    return result


def secret() -> Integers:
    """The ternary secret of the key, from its definition."""
    return np.array([(int(w) * 3 >> 64) - 1 for w in prg_words(SECRET, 0, N)], dtype=object)


def errors(key: bytes, number: int) -> Integers:
    """Centred binomial: 21 bits minus 21 bits."""
    words = [int(w) for w in prg_words(key, number * N, N)]
    low = (1 << 21) - 1
    return np.array(
        [(w & low).bit_count() - (w >> 21 & low).bit_count() for w in words], dtype=object
    )


def integers(ciphertext: NDArray[np.uint64]) -> Integers:
    """(2, 3, N) transformed residues as coefficients modulo q, (2, N)."""
    result = np.zeros((2, N), dtype=object)
    for limb, p in enumerate(PRIMES):
        part = RING.transform(np.ascontiguousarray(ciphertext[:, limb]), limb, back=True)
        hat = MODULUS // p
        result += part.astype(object) * (hat * pow(hat, -1, p))
    return result % MODULUS


def centred(x: Integers, modulus: int) -> Integers:
    return (x + modulus // 2) % modulus - modulus // 2


def encode(words: NDArray[np.uint64]) -> Integers:
    return np.array([(MODULUS * int(a) + (1 << 63)) >> 64 for a in words], dtype=object)


def random_words(count: int, seed: int = 0) -> NDArray[np.uint64]:
    return np.random.default_rng(seed).integers(0, 1 << 64, count, dtype=np.uint64)


def test_transforms_multiply() -> None:
    rng = np.random.default_rng(1)
    for prime, p in enumerate(PRIMES):
        a, b = rng.integers(0, p, (2, 1, N), dtype=np.uint64)
        x, y = RING.transform(a, prime, back=False), RING.transform(b, prime, back=False)
        product = (x.astype(object) * y.astype(object) % p).astype(np.uint64)
        expected = negacyclic(a[0].astype(object), b[0].astype(object)) % p
        np.testing.assert_array_equal(RING.transform(product, prime, back=True)[0], expected)


@pytest.mark.parametrize("first", [0, 5])
def test_an_encryption_is_the_rounded_message_and_a_small_error(first: int) -> None:
    words = random_words(N)
    words[:4] = 0, 1, 1 << 63, (1 << 64) - 1
    wire = key(first).encrypt(words[None], EXACT)
    c0, c1 = integers(RING.expand(PUBLIC, first, wire)[0])
    phase = c0 + negacyclic(c1, secret())
    np.testing.assert_array_equal(centred(phase - encode(words), MODULUS), errors(PRIVATE, first))
    # Never floor(q / 2^64) a: it is off by up to 2^64.
    floored = (MODULUS >> 64) * words.astype(object)
    assert max(abs(centred(phase - floored, MODULUS))) > 1 << 60


def test_short_wires_round_to_nearest() -> None:
    words = random_words(N)
    exact = key().encrypt(words[None], EXACT)
    short = key().encrypt(words[None], 17)
    (c0, c1), (d0, d1) = (integers(RING.expand(PUBLIC, 0, w)[0]) for w in (exact, short))
    np.testing.assert_array_equal(c1, d1)
    assert max(abs(centred(c0 - d0, MODULUS))) <= (MODULUS >> 137) + 1


@pytest.mark.parametrize("piece", [16, 4])
def test_short_secrets_lie_one_distance_apart_backwards(piece: int) -> None:
    """Numbers g d to g d + d of four secrets of 32 numbers, D = 16, in ciphertext g."""
    vectors, length, distance, first = 4, 32, N // 4, 3
    wire = key(5).encrypt_ternary(MASKS, (first, vectors), (length, piece), BITS, EXACT)
    assert len(wire) == length // piece
    unit = (MODULUS + (1 << BITS - 1)) >> BITS
    drawn = prg_words(MASKS, first * length, vectors * length)
    secrets = np.array([(int(w) * 3 >> 64) - 1 for w in drawn], object).reshape(vectors, length)
    for g, ciphertext in enumerate(RING.expand(PUBLIC, 5, wire)):
        expected = np.zeros(N, object)
        for v in range(vectors):
            for j in range(piece):
                exponent = v * distance - j
                sign = 1 if exponent >= 0 else -1
                expected[exponent % N] += sign * unit * secrets[v, g * piece + j]
        c0, c1 = integers(ciphertext)
        phase = c0 + negacyclic(c1, secret())
        off = centred(phase - expected, MODULUS)
        np.testing.assert_array_equal(off, errors(PRIVATE, 5 + g))


def switched(masks: bytes, private: bytes, width: int) -> tuple[Integers, Integers, Integers]:
    """c1, c0 and share of the zero result under an honest public key."""
    public_key = RING.expand(PUBLIC, 0, key().encrypt(np.zeros((1, N), np.uint64), EXACT))[0]
    indices = np.arange(N, dtype=np.uint32)
    zero = np.zeros((2, 3, N), np.uint64)
    masker = _kernels.BfvMasker(RING, public_key, private, masks)
    for _ in range(3):
        masker.rerandomise_and_switch(zero, indices[:0], width, BITS)
    assert masker.used == 3
    parts = masker.rerandomise_and_switch(zero, indices, width, BITS)
    c1, c0 = (
        np.array([int.from_bytes(v.tobytes(), "little") for v in part.reshape(N, width)], object)
        for part in parts[:2]
    )
    return c1, c0, parts[2].astype(object)


def test_results_are_rerandomised_then_masked_last_and_uniformly() -> None:
    width = 16
    mask = [
        int.from_bytes(prg_words(MASKS, 9 * N + 3 * i, 3).tobytes()[:width], "little")
        for i in range(N)
    ]
    one, two = switched(MASKS, PRIVATE, width), switched(MASKS, bytes(16), width)
    other = switched(b"other masks here", PRIVATE, width)
    # A zero result has a random c1, new for new randomness of the evaluator ...
    assert not np.any(one[0] == 0)
    assert not np.any(one[0] == two[0])
    # ... which the mask does not touch; c0 is what it was plus exactly the mask: nothing is
    # rounded, added or switched after it.
    np.testing.assert_array_equal(one[0], other[0])
    phase = (one[1] - np.array(mask, object) + negacyclic(one[0], secret())) % (1 << 8 * width)
    assert max(abs(centred(phase, 1 << 8 * width))) < 200
    again = (two[1] - np.array(mask, object) + negacyclic(two[0], secret())) % (1 << 8 * width)
    assert max(abs(centred(again, 1 << 8 * width))) < 200
    # The evaluator's share is minus the mask, rounded to numbers of so many bits.
    half = 1 << (8 * width - BITS - 1)
    expected = [-((m + half) >> (8 * width - BITS)) % (1 << BITS) for m in mask]
    np.testing.assert_array_equal(one[2], np.array(expected, object))


def test_merging_keeps_both_parts_and_adds_little() -> None:
    spacing = 16
    galois = RING.galois_key(PUBLIC, 7, key(7).galois_key_half(spacing))
    messages = random_words(2 * N).reshape(2, N)
    wire = key(public=MASKS).encrypt(messages, EXACT)
    # Modulo the first two primes, for which the third was divided out by rounding.
    summands = np.zeros((2, 2, 2, N), np.uint64)
    packed_modulus = PRIMES[0] * PRIMES[1]
    for i, ciphertext in enumerate(RING.expand(MASKS, 0, wire)):
        rounded = (integers(ciphertext) + PRIMES[2] // 2) // PRIMES[2]
        for limb in range(2):
            summands[i, :, limb] = (rounded % PRIMES[limb]).astype(np.uint64)
    packed = RING.pack([galois], spacing, summands).astype(object)
    hats = [PRIMES[1 - limb] * pow(PRIMES[1 - limb], -1, PRIMES[limb]) for limb in range(2)]
    c0, c1 = (packed[:, 0] * hats[0] + packed[:, 1] * hats[1]) % packed_modulus
    phase = c0 + negacyclic(c1, secret())
    for i in range(2):
        at = slice(i * spacing // 2, None, spacing)
        expected = 2 * (encode(messages[i])[::spacing] // PRIMES[2])
        # A digit of 72 bits leaves out 28 of c1's 100, and meets errors of variance 10.5.
        deviation = math.sqrt(N * (2**56 / 12 + 10.5 * 2**44 / 3))
        assert max(abs(centred(phase[at] - expected, packed_modulus))) < 6 * deviation


def test_packed_results_leave_as_the_same_fractions() -> None:
    """A result modulo two primes is one modulo q, times the third prime."""
    public_key = RING.expand(PUBLIC, 0, key().encrypt(np.zeros((1, N), np.uint64), EXACT))[0]
    packed = np.random.default_rng(2).integers(0, 1 << 49, (2, 2, N), dtype=np.uint64)
    whole = np.zeros((2, 3, N), np.uint64)
    for limb in range(2):
        whole[:, limb] = packed[:, limb].astype(object) * PRIMES[2] % PRIMES[limb]
    indices = np.arange(N, dtype=np.uint32)
    found = [
        _kernels.BfvMasker(RING, public_key, PRIVATE, MASKS).rerandomise_and_switch(
            result, indices, 16, BITS
        )
        for result in (packed, whole)
    ]
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_no_polynomial_serves_twice() -> None:
    """Two encryptions of the same words, one call or two: every number moves on."""
    words = random_words(N)[None]
    holder, zero = key(), np.zeros((2, 3, N), np.uint64)
    first, second = holder.encrypt(words, EXACT), holder.encrypt(words, EXACT)
    np.testing.assert_array_equal(key().encrypt(np.concatenate([words, words]), EXACT)[0], first[0])
    assert not np.array_equal(first, second)
    assert not np.array_equal(holder.galois_key_half(16), holder.galois_key_half(16))
    holder.encrypt_ternary(MASKS, (0, 4), (32, 16), BITS, EXACT)
    assert holder.used == 6
    public_key = RING.expand(PUBLIC, 0, key().encrypt(np.zeros((1, N), np.uint64), EXACT))[0]
    masker = _kernels.BfvMasker(RING, public_key, PRIVATE, MASKS)
    indices = np.arange(N, dtype=np.uint32)
    pairs = zip(
        masker.rerandomise_and_switch(zero, indices, 16, BITS),
        masker.rerandomise_and_switch(zero, indices, 16, BITS),
        strict=True,
    )
    assert not any(np.array_equal(*pair) for pair in pairs)


def test_what_does_not_fit_is_refused() -> None:
    good = [*PRIMES]
    words = np.zeros((1, N), np.uint64)
    zero = np.zeros((2, 3, N), np.uint64)
    zeros = np.zeros((1, 512), np.uint64)
    indices = np.array([N], np.uint32)
    masker = _kernels.BfvMasker(RING, zero, PRIVATE, MASKS)
    refused = [
        lambda: _kernels.BfvRing(100, good),
        lambda: _kernels.BfvRing(N, good[:2]),
        lambda: _kernels.BfvRing(N, [*good[:2], good[0]]),
        lambda: _kernels.BfvSecretKey(RING, b"short", PUBLIC, PRIVATE),
        lambda: _kernels.BfvSecretKey(RING, SECRET, PUBLIC, b""),
        lambda: key().encrypt(words, 25),
        lambda: key().encrypt(np.zeros((1, N + 1), np.uint64), EXACT),
        lambda: RING.expand(PUBLIC, 0, np.zeros((1, N * 17 + 1), np.uint8)),
        lambda: RING.transform(words, 3, back=False),
        lambda: RING.transform(words + np.uint64(1 << 63), 0, back=False),
        lambda: RING.pack([], 16, np.zeros((2, 2, 2, N), np.uint64)),
        lambda: RING.galois_key(PUBLIC, 0, np.full((3, N), 1 << 63, np.uint64)),
        lambda: key().galois_key_half(3),
        lambda: _kernels.BfvMasker(RING, zero[:1], PRIVATE, MASKS),
        lambda: masker.rerandomise_and_switch(zero, indices, 16, BITS),
        lambda: masker.rerandomise_and_switch(zero, indices[:0], 16, 65),
        lambda: key().decrypt(
            np.zeros(N * 16, np.uint8), np.zeros(9, np.uint8), indices - np.uint32(2), BITS
        ),
        lambda: masker.rerandomise_and_switch(zero[:, :1], indices[:0], 16, BITS),
        lambda: key().encrypt_ternary(b"", (0, 4), (32, 16), BITS, EXACT),
        lambda: key().encrypt_ternary(MASKS, (0, 3), (32, 16), BITS, EXACT),
        lambda: key().encrypt_ternary(MASKS, (0, 4), (8, 16), BITS, EXACT),
        lambda: key().encrypt_ternary(MASKS, (0, 4), (32, 12), BITS, EXACT),
        lambda: RING.prepare(np.zeros((1, 2, 3, N), np.uint64), (1, 1), N),
        lambda: WIDE.prepare(np.zeros((7, 2, 3, 512), np.uint64), (16, 1), 256),
        lambda: WIDE.prepare(np.zeros((8, 2, 3, 512), np.uint64), (16, 2), 256),
        lambda: WIDE.products(PREPARED[1:], (16, 1), zeros[:, :256], BITS, 0, []),
        lambda: WIDE.products(PREPARED, (16, 1), zeros[:, :128], BITS, 0, []),
        lambda: WIDE.products(PREPARED, (16, 1), zeros[:, :256], 1, 0, []),
        lambda: WIDE.products(PREPARED, (16, 3), zeros[:, :256], BITS, 0, []),
    ]
    for call in refused:
        with pytest.raises(ValueError):  # noqa: PT011
            call()
