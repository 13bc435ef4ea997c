"""The kernels of oblivious transfer: their laws, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from securexgb import _kernels as k
from securexgb.offline.oblivious_transfer import DIMENSION, LEVELS

RANDOM = np.random.default_rng(1)
TAG = np.array([1, 2], np.uint64)
PLACES = np.array([0x0123456789ABCDEF, 0xF0F1F2F3F4F5F6F7], np.uint64)


def words(*shape: int) -> k.Words:
    return RANDOM.integers(0, 2**64, shape, np.uint64)


def leaves(depth: int) -> tuple[k.Words, k.Words]:
    pads = words(128, 2, 2)
    everything, sums = k.ot_grow(depth, words(128 // depth, 2), pads)
    off = 1 - k.unpack_bits(PLACES, 128).astype(int)
    return everything, k.ot_puncture(depth, PLACES, pads[np.arange(128), off], sums)


def test_base_transfers() -> None:
    secret, session = bytes(range(64)), bytes(32)
    offer = k.ot_offer(secret)
    reply, chosen = k.ot_choose(session, offer, PLACES, words(128 * 16).tobytes())
    keys = k.ot_finish(session, secret, reply)
    bits = k.unpack_bits(PLACES, 128).astype(int)
    np.testing.assert_array_equal(keys[np.arange(128), bits], chosen)
    assert np.all(keys[np.arange(128), 1 - bits] != chosen)
    assert np.all(k.ot_finish(b"\x01" * 32, secret, reply) != keys)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_all_leaves_but_one(depth: int) -> None:
    everything, known = leaves(depth)
    bits = k.unpack_bits(PLACES, 128).reshape(-1, depth)
    places = bits @ (1 << np.arange(depth)[::-1])
    x = np.arange(1 << depth)
    for place, whole, ordered in zip(places, everything, known, strict=True):
        assert np.all(ordered[0] == 0)
        np.testing.assert_array_equal(ordered[1:], whole[x ^ place][1:])


@pytest.mark.parametrize("width", [0, 1, 7, 63, 64, 128])
def test_windows_of_positions_agree(width: int) -> None:
    everything, _ = leaves(4)
    whole = k.ot_receive(everything, TAG, 0, 256, width)
    part = k.ot_receive(everything, TAG, 128, 128, width)
    np.testing.assert_array_equal(whole[0].reshape(31, 256)[:, 128:], part[0].reshape(31, 128))
    np.testing.assert_array_equal(whole[1][128:], part[1])
    rows = {0: 1, 64: 1, 128: 2}.get(width, width)
    ends = [chosen.reshape(rows, -1) for chosen in (whole[2], part[2])]
    np.testing.assert_array_equal(ends[0][:, ends[0].shape[1] // 2 :], ends[1])


@pytest.mark.parametrize("ring_bits", [64, 63, 52, 33])
@pytest.mark.parametrize("count", [0, 1, 2, 33])
def test_products(count: int, ring_bits: int) -> None:
    zero, one = words(ring_bits * count), words(ring_bits * count)
    a, b = words(count), words(count)
    places = np.arange(ring_bits, dtype=np.uint64)
    chosen = np.where(((b[:, None] >> places) & np.uint64(1)).ravel() == 1, one, zero)
    message, mine = k.ot_products_send(zero, one, a, ring_bits)
    bits = ring_bits * (ring_bits + 1) // 2
    assert 0 <= message.size * ring_bits - count * bits < ring_bits
    assert not (message >> np.uint64(ring_bits - 1) >> np.uint64(1)).any()
    both = mine + k.ot_products_receive(chosen, b, ring_bits, message)
    np.testing.assert_array_equal((both - a * b) << np.uint64(64 - ring_bits), 0)


@pytest.mark.parametrize("width", [1, 16, 64])
def test_stretched_transfers(width: int) -> None:
    trees, tags, places = 2, words(3, 2), PLACES | np.uint64(1)
    rows = words(DIMENSION + 3 * LEVELS, 2)
    rows[:, 0] &= ~np.uint64(1)
    turned = rows ^ (np.uint64(0) - (words(len(rows)) & np.uint64(1)))[:, None] & places
    sums, zero, one = k.ot_silent_send(rows, tags, 1, 9, places, words(trees, 2), width)
    choices, chosen = k.ot_silent_receive(turned, tags, 1, 9, sums, width)
    assert zero.shape == one.shape == chosen.shape == ((trees << LEVELS) // 64 * width,)
    if width == 64:
        ones = np.where(k.unpack_bits(choices, choices.size * 64) == 1, one, zero)
        np.testing.assert_array_equal(chosen, ones)
        assert np.all(zero != one)
    else:
        zero, one, chosen = (part.reshape(width, -1) for part in (zero, one, chosen))
        np.testing.assert_array_equal(chosen, (zero & ~choices) | (one & choices))


@pytest.mark.parametrize("count", [0, 1, 9])
def test_keys_are_expanded_for_products(count: int) -> None:
    keys = words(2, 6)
    streams = k.ot_expand(keys, 12, count, 3).reshape(2, count, 3)
    for number, key in enumerate(keys.T):
        expected = k.prg_words(key.tobytes(), 12 + number * (count + count % 2), count)
        np.testing.assert_array_equal(streams[number // 3, :, number % 3], expected)


def packed(numbers: np.ndarray, bits: int) -> k.Words:
    return k.to_slices(numbers.astype(np.uint64), bits)


@pytest.mark.parametrize("width", [2, 7])
@pytest.mark.parametrize("count", [0, 64, 640])
def test_digits(count: int, width: int) -> None:
    x, y = RANDOM.integers(0, 16, (2, count))
    n = count // 64
    zero, one, choices = words(8 * width, 4 * n), words(8 * width, 4 * n), words(4, n)
    flat = choices.reshape(-1)
    messages = k.digit_pads(zero, one)
    chosen = k.digit_pad((zero & ~flat) | (one & flat), choices)
    free = RANDOM.integers(0, 16, n, np.uint8)
    sent = k.digit_answer(messages, packed(x, 4) ^ choices, packed(y, 4), free, width)
    both = sent[0] ^ k.digit_take(sent[1:], chosen, packed(x, 4))
    x = x | np.repeat(free, 64)
    carries = [((x % (1 << j)) + (y % (1 << j))) >> j for j in (4, 1, 2, 3)]
    through = [((x ^ y) % (1 << j)) == (1 << j) - 1 for j in (4, 2, 3)]
    expected = [carries[0], through[0], *carries[1:], *through[1:]][:width]
    found = [k.unpack_bits(row, count) for row in both]
    np.testing.assert_array_equal(found, expected)


def test_pads_of_digits_use_every_segment_once() -> None:
    """What makes the pads that were not chosen independent; see two_party."""
    keys, width = np.zeros((2, 8, 2, 4), np.uint64), 2
    places = [(b, s, j) for b in (0, 1) for s in range(8) for j in range(4)]
    for bit, (b, s, j) in enumerate(places):
        keys[b, s, :, j] = 1 << bit
    pads = k.digit_pads(*keys.reshape(2, 8 * width, 4))
    for entry, pad in enumerate(pads[..., 0]):
        bits = k.unpack_bits(pad[:1], 64)
        used = [places[at] for at in np.flatnonzero(bits)]
        assert sorted((j, b) for b, _, j in used) == [(j, entry >> j & 1) for j in range(4)]
        assert pad[0] == pad[1]
        others = np.delete(pads[:, 0, 0], entry)
        assert not (others & pad[0]).any()


W = np.zeros(64, np.uint64)
DIGITS = np.zeros((4, 1), np.uint64)
KEYS = np.zeros((16, 4), np.uint64)
ENTRIES, FREE = np.zeros((16, 2, 1), np.uint64), np.zeros(1, np.uint8)
CUBE = np.zeros((32, 16, 2), np.uint64)
PAIRS = np.zeros((128, 2, 2), np.uint64)
POOL, TAGS = np.zeros((DIMENSION + LEVELS, 2), np.uint64), np.zeros((3, 2), np.uint64)
CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "short secret": (k.ot_offer, (bytes(63),), "secret must have 64 bytes"),
    "no point": (k.ot_choose, (bytes(32), b"\xff" * 32, TAG, bytes(16384)), "must be a point"),
    "little randomness": (k.ot_choose, (bytes(32), bytes(32), TAG, bytes(8)), "16384 bytes"),
    "few choices": (k.ot_choose, (bytes(32), bytes(32), W, bytes(16384)), "2 words"),
    "short reply": (k.ot_finish, (bytes(32), bytes(64), bytes(8)), "8192 bytes"),
    "no points": (k.ot_finish, (bytes(32), bytes(64), b"\xff" * 8192), "must be points"),
    "depth 3": (k.ot_grow, (3, PAIRS[:, 0].copy(), PAIRS), "depth must be"),
    "few roots": (k.ot_grow, (4, PAIRS[:5, 0].copy(), PAIRS), "roots must have the shape"),
    "few pads": (k.ot_grow, (4, PAIRS[:32, 0].copy(), PAIRS[:5]), "pads must have the shape"),
    "pads of both": (k.ot_puncture, (4, TAG, PAIRS, PAIRS), "2 dimension[^']*'pads'"),
    "few leaves": (k.ot_receive, (CUBE[:3], TAG, 0, 1, 1), "depth must be"),
    "leaves of another depth": (k.ot_receive, (CUBE[:, :8].copy(), TAG, 0, 1, 1), "leaves"),
    "no leaves": (k.ot_receive, (CUBE[:0], TAG, 0, 1, 1), "depth must be"),
    "far": (k.ot_receive, (CUBE, TAG, 2**62, 1, 1), "too many"),
    "rows": (k.ot_send, (CUBE, TAG, TAG, 0, np.zeros((30, 1), np.uint64), 1), "31 rows"),
    "width": (k.ot_receive, (CUBE, TAG, 0, 1, 65), "width must be 1 to 64"),
    "odd keys": (k.ot_expand, (KEYS[:2], 0, 5, 3), "keys must have the shape"),
    "few rows": (k.ot_silent_send, (POOL, TAGS, 1, 0, TAG, TAGS[:1], 1), "rows must have"),
    "far tree": (k.ot_silent_send, (POOL, TAGS, 2**63, 0, TAG, TAGS[:1], 1), "too far"),
    "even places": (k.ot_silent_send, (POOL, TAGS, 0, 0, TAG + 1, TAGS[:1], 1), "must be odd"),
    "two tags": (k.ot_silent_send, (POOL, TAGS[:2], 0, 0, TAG, TAGS[:1], 1), "tags must have"),
    "half a tree": (
        k.ot_silent_receive,
        (POOL, TAGS, 0, 0, W[:11], 1),
        f"{2 * LEVELS} words a tree",
    ),
    "factors": (k.ot_products_send, (W, W, W, 64), "64 messages a factor"),
    "message": (k.ot_products_receive, (W, W[:1], 64, W), "message must have 33 words"),
    "chosen": (k.ot_products_receive, (W[:1], W[:1], 64, W), "64 messages a product"),
    "three bits": (k.digit_pad, (KEYS, KEYS[:3]), "4 rows, not 3"),
    "short keys": (k.digit_pads, (KEYS[:15], KEYS[:15]), "width must be 2, 7 or 8"),
    "other keys": (k.digit_pads, (KEYS, KEYS[:8]), "one must have the shape"),
    "more keys": (k.digit_pad, (KEYS, np.zeros((4, 2), np.uint64)), "keys must have the shape"),
    "entries": (
        k.digit_answer,
        (CUBE[:16], DIGITS, DIGITS, FREE, 2),
        "messages must have the shape",
    ),
    "free": (k.digit_answer, (ENTRIES, DIGITS, DIGITS, FREE[:0], 2), "free must have the shape"),
    "answers": (k.digit_take, (CUBE[:16], KEYS[:2, :1].copy(), DIGITS), "answers must have"),
    "no ring": (k.ot_products_send, (W, W, W[:1], 0), "ring_bits must be 1 to 64"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str) -> None:
    kernel, arguments, sentence = CASES[case]
    with pytest.raises(ValueError, match=sentence):
        kernel(*arguments)
