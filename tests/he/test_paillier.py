"""Paillier: round trips with real keys, fresh randomness, slots, masks, refusals."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from itertools import chain

import gmpy2
import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st
from phe import paillier as phe

from securexgb.arith.prg import Prg
from securexgb.errors import ProtocolDesync, TermsDiffer, UsageError
from securexgb.he import paillier, paillier_sums
from securexgb.he.paillier import (
    InsecurePublicKey,
    InsecureSecretKey,
    PublicKey,
    SecretKey,
)
from securexgb.he.paillier_sums import (
    STATISTICAL_BITS,
    PaillierEvaluator,
    PaillierKeyHolder,
    Slots,
    Words,
    block,
)
from tests.offline.laws import one_hot
from tests.profiles import examples

BITS = 2048


@pytest.fixture(scope="module")
def secret() -> SecretKey:
    return SecretKey(BITS)


@pytest.fixture(scope="module")
def short() -> InsecureSecretKey:
    return InsecureSecretKey(512)


def prg(seed: int = 0) -> Prg:
    return Prg(bytes([seed] * 16))


def test_both_ways_to_encrypt_are_paillier(secret: SecretKey) -> None:
    top = int(secret.public.modulus) - 1
    numbers = [mpz(x) for x in (0, 1, (1 << 2000) + 17, top)]
    for ciphertexts in (secret.encrypt(numbers), secret.public.encrypt(numbers)):
        assert secret.decrypt(ciphertexts) == numbers
    library = phe.PaillierPublicKey(int(secret.public.modulus))
    assert secret.decrypt([mpz(library.raw_encrypt(12345))]) == [12345]
    x, y = secret.encrypt([mpz(top), mpz(3)])
    assert secret.decrypt([secret.public.add(x, y)]) == [2]


def test_the_owners_randomness_is_an_nth_power_and_never_repeats(short: InsecureSecretKey) -> None:
    """Without (1 + n)^m, what is left lies in the group of n-th powers: order divides phi(n)."""
    square, modulus = short.public.square, short.public.modulus
    order = (short._pair.p - 1) * (short._pair.q - 1)
    zeros = short.encrypt([mpz(0)] * 300)
    assert len(set(zeros)) == 300
    assert all(gmpy2.powmod(zero, order, square) == 1 for zero in zeros)
    # The Legendre symbols at p and q are those of uniform elements: four cells of 75.
    cells = np.bincount(
        [
            2 * (gmpy2.legendre(zero, short._pair.p) == 1)
            + (gmpy2.legendre(zero, short._pair.q) == 1)
            for zero in zeros
        ],
        minlength=4,
    )
    assert np.sum((cells - 75) ** 2) / 75 < 25  # chi-square, 3 degrees: 1.5e-5
    high = [int(zero * 16 // square) for zero in zeros]
    assert np.sum((np.bincount(high, minlength=16) - 300 / 16) ** 2) * 16 / 300 < 55
    assert modulus.bit_length() == 512


def test_the_owners_tables_cover_the_group(short: InsecureSecretKey) -> None:
    """Enough random bytes for the leftover hash lemma: the prime's bits and 192 more."""
    short.encrypt([mpz(0)])
    assert short._residues is not None
    for side in short._residues:
        assert 8 * len(side._tables) >= 256 + 192
        assert len({powers[1] for powers in side._tables}) == len(side._tables)
        assert all(len(powers) == 256 for powers in side._tables)


def test_rerandomised_ciphertexts_differ_and_mean_the_same(secret: SecretKey) -> None:
    old = secret.encrypt([mpz(5), mpz(6)])
    new, again = (
        [secret.public.add(*pair) for pair in zip(old, secret.public.encrypt([0, 0]), strict=True)]
        for _ in range(2)
    )
    assert secret.decrypt(new) == secret.decrypt(again) == [5, 6]
    assert len({*old, *new, *again}) == 6


@pytest.mark.parametrize("bits", [0, 512, 1024, 2047, 2047 + 100])
def test_refused_key_sizes(bits: int) -> None:
    with pytest.raises(UsageError, match=f"key of {bits} bits is refused: take 3072, or 2048"):
        SecretKey(bits)
    with pytest.raises(UsageError, match="is refused"):
        PublicKey((1 << 2047) + 1, bits)


def test_where_phe_is_missing_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paillier, "phe", None)
    with pytest.raises(UsageError, match="needs phe and gmpy2 at both sides: pip install"):
        SecretKey()


def test_another_size_than_agreed_is_refused(secret: SecretKey, short: InsecureSecretKey) -> None:
    with pytest.raises(TermsDiffer, match="512 bits and has to be an odd number of 2048"):
        PublicKey.announced(short.public.announcement(), BITS)
    with pytest.raises(TermsDiffer, match="2048 bits"):
        PublicKey.announced(secret.public.announcement(), 3072)
    with pytest.raises(TermsDiffer, match="odd"):
        PublicKey(1 << 2047, BITS)
    same = PublicKey.announced(secret.public.announcement(), BITS)
    assert same.name == secret.public.name


def test_a_modulus_that_betrays_its_factors_is_refused(short: InsecureSecretKey) -> None:
    p, q = short._pair.p, short._pair.q
    prime = int(gmpy2.next_prime(mpz(1) << 511))
    small = 65521 * int(gmpy2.next_prime((mpz(1) << 511) // 65521))
    for modulus in (prime, small, max(p, q) ** 2, 3 * ((1 << 511) // 3 | 1)):
        with pytest.raises(ProtocolDesync, match="no product of two large primes"):
            short.public_type(modulus, 512)
    short.public_type(p * q, 512)


def test_messages_under_another_key_are_refused(short: InsecureSecretKey) -> None:
    public, other = short.public, InsecureSecretKey(512).public
    message = public.write(public.encrypt([mpz(1), mpz(2)]))
    assert len(message) == 8 + 2 * 128
    assert short.decrypt(public.read(memoryview(message))) == [1, 2]
    for wrong in (message[:-1], b"", message + b"x"):
        with pytest.raises(ProtocolDesync, match="another Paillier key, or cut"):
            public.read(wrong)
    with pytest.raises(ProtocolDesync, match="another Paillier key"):
        other.read(message)
    for value in (0, public.square, (1 << 1024) - 1):
        with pytest.raises(ProtocolDesync, match="out of range"):
            public.read(public.write([mpz(value)]))


def test_a_secret_key_neither_shows_nor_travels(short: InsecureSecretKey) -> None:
    assert repr(short) == "InsecureSecretKey(512 bits)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(short)


@given(
    summands=st.integers(0, 1 << 40),
    values=st.integers(1, 1 << 50),
    bits=st.sampled_from([2048, 3072, 4096]),
)
def test_slots_hold_every_masked_sum_and_hide_it(summands: int, values: int, bits: int) -> None:
    slots = Slots(summands, bits, values)
    width = 8 * slots.width_bytes
    greatest_sum, masks = summands * ((1 << 64) - 1), 1 << (width - 1)
    assert greatest_sum + masks - 1 < 1 << width
    assert greatest_sum * values << STATISTICAL_BITS <= masks
    assert slots.count * width < bits  # below 2^(bits - 1), hence below the modulus


def test_slots_of_the_usual_sizes() -> None:
    shape = (10_000, 1 << 18)
    assert [Slots(shape[0], bits, shape[1]).count for bits in (2048, 3072)] == [14, 21]
    with pytest.raises(UsageError, match="do not fit"):
        Slots(1 << 20, 128, 1 << 20)


@settings(max_examples=examples(30))
@given(st.data())
def test_packing_is_undone(data: st.DataObject) -> None:
    slots = Slots(data.draw(st.integers(0, 1 << 20)), 2048, 1 << 20)
    shape = (data.draw(st.integers(0, 4)), data.draw(st.integers(0, slots.count)))
    words = np.random.default_rng(shape).integers(0, 1 << 64, shape, np.uint64, endpoint=False)
    opened = slots.words([int(number) for number in slots.pack(words)])
    np.testing.assert_array_equal(opened[:, : shape[1]], words)
    assert not opened[:, shape[1] :].any()


def products(
    secret: SecretKey, vectors: Words, buckets: np.ndarray, bins: int, slots: Slots
) -> tuple[Words, Words, list[bytes], list[bytes]]:
    """The key holder's and the evaluator's shares, and the messages each way."""
    holder = PaillierKeyHolder(secret, slots)
    public = type(secret.public).announced(holder.announcement(), secret.public.bits)
    evaluator = PaillierEvaluator(public, slots, buckets, bins, prg())
    there = list(holder.encrypted(vectors))
    back = list(evaluator.products(iter(there), len(vectors)))
    results = [message for message, _ in back]
    own = np.concatenate([share for _, share in back], axis=1)
    return holder.opened(results, len(vectors)), own, there, results


def draw(shape: tuple[int, ...], seed: int = 0) -> Words:
    return np.random.default_rng(seed).integers(0, 1 << 64, shape, np.uint64, endpoint=False)


@pytest.mark.parametrize(("rows", "features", "bins"), [(12, 2, 3), (1, 1, 1), (5, 1, 4)])
def test_products_are_exact(secret: SecretKey, rows: int, features: int, bins: int) -> None:
    slots = Slots(rows, BITS, 1 << 20)
    for vectors in (draw((slots.count, rows)), np.full((1, rows), (1 << 64) - 1, np.uint64)):
        buckets = np.random.default_rng(1).integers(0, bins, (rows, features), np.uint8)
        opened, own, _, _ = products(secret, vectors, buckets, bins, slots)
        np.testing.assert_array_equal(opened + own, vectors @ one_hot(buckets, bins))


def test_products_in_several_messages(
    short: InsecureSecretKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows and more columns than a message holds."""
    assert (block(2048), block(3072)) == (1024, 682)
    monkeypatch.setattr(paillier_sums, "MESSAGE_BYTES", 8192)
    rows, bins = block(512) + 3, 30
    features = block(512) // bins + 1
    slots = Slots(rows, 512, 1 << 20)
    buckets = np.random.default_rng(1).integers(0, bins, (rows, features), np.uint8)
    vectors = draw((slots.count, rows))
    few = buckets[:, :1]
    opened, own, there, _ = products(short, vectors, few, bins, slots)
    np.testing.assert_array_equal(opened + own, vectors @ one_hot(few, bins))
    assert [len(message) for message in there] == [8 + 128 * block(512), 8 + 128 * 3]
    opened, own, _, back = products(short, vectors[:, :2], buckets[:2], bins, slots)
    np.testing.assert_array_equal(opened + own, vectors[:, :2] @ one_hot(buckets[:2], bins))
    assert [(len(message) - 8) // 128 for message in back] == [
        block(512),
        features * bins - block(512),
    ]


def test_results_are_fresh(short: InsecureSecretKey) -> None:
    """A result is no product of the rows' ciphertexts: not even when its mask is known."""
    rows, slots = 4, Slots(4, 512, 1 << 20)
    buckets = np.zeros((rows, 1), np.uint8)
    vectors = draw((slots.count, rows))
    _, _, there, back = products(short, vectors, buckets, 2, slots)
    public = short.public
    summed = mpz(1)
    for ciphertext in chain.from_iterable(public.read(message) for message in there):
        summed = public.add(summed, ciphertext)
    results = public.read(back[0])
    masks, _ = slots.masks(prg(), 2)
    # Take the mask away with (1 + n)^-mask, which has no randomness of its own.
    bare = [
        public.add(result, 1 + (public.modulus - mask) * public.modulus)
        for result, mask in zip(results, masks, strict=True)
    ]
    assert short.decrypt([bare[0]]) == short.decrypt([summed])
    assert bare[0] != summed
    assert short.decrypt([bare[1]]) == [0]
    assert bare[1] != 1  # the empty bin, too
    assert {result % public.modulus for result in results}.isdisjoint({1, summed % public.modulus})


def decrypted_slots(
    secret: SecretKey, value: int, runs: int, rows: int = 2
) -> Iterator[np.ndarray]:
    """What the key holder decrypts, slot by slot as bytes, for vectors full of ``value``."""
    slots = Slots(rows, secret.public.bits, 1)
    buckets = np.zeros((rows, 8), np.uint8)
    holder = PaillierKeyHolder(secret, slots)
    vectors = np.full((slots.count, rows), value, np.uint64)
    for run in range(runs):
        evaluator = PaillierEvaluator(secret.public, slots, buckets, 4, prg(run))
        for message, _ in evaluator.products(holder.encrypted(vectors), slots.count):
            for plaintext in secret.decrypt(secret.public.read(message)):
                data = plaintext.to_bytes(slots.count * slots.width_bytes, "little")
                yield np.frombuffer(data, np.uint8).reshape(slots.count, slots.width_bytes)


@pytest.mark.parametrize("value", [0, (1 << 64) - 1])
def test_what_the_decryptor_sees_is_uniform(short: InsecureSecretKey, value: int) -> None:
    """Every byte of a slot, the high part too, whatever the vectors and the bin's rows."""
    seen = np.concatenate(list(decrypted_slots(short, value, 25)))
    assert seen.shape[1] == 14
    for place in range(seen.shape[1]):
        bits = 7 if place == seen.shape[1] - 1 else 8
        counts = np.bincount(seen[:, place] >> (bits - 4), minlength=16)
        assert counts[16:].sum() == 0
        expected = len(seen) / 16
        assert np.sum((counts[:16] - expected) ** 2) / expected < 55  # 15 degrees: 2e-6


def test_wrong_numbers_of_rows_and_foreign_layouts_are_refused(short: InsecureSecretKey) -> None:
    slots = Slots(4, 512, 1)
    holder = PaillierKeyHolder(short, slots)
    rows = list(holder.encrypted(draw((1, 3))))
    for count in (2, 4):
        buckets = np.zeros((count, 1), np.uint8)
        evaluator = PaillierEvaluator(short.public, slots, buckets, 1, prg())
        with pytest.raises(ProtocolDesync, match="number of rows"):
            list(evaluator.products(iter(rows), 1))
    with pytest.raises(ValueError, match="a bin is not below 1"):
        PaillierEvaluator(short.public, slots, np.ones((1, 1), np.uint8), 1, prg())
    large = short.public.write(short.public.encrypt([short.public.modulus - 1]))
    with pytest.raises(ProtocolDesync, match="larger than its slots"):
        holder.opened([large], 1)


def test_short_keys_are_named_insecure() -> None:
    assert PublicKey.least_bits == 2048
    assert SecretKey.public_type is PublicKey
    assert InsecureSecretKey.public_type is InsecurePublicKey
