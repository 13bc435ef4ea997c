"""Shares: what is local, and what they refuse."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from securexgb.arith.bits import words_per
from securexgb.mpc.share import constant, constant_bits, share, share_bits
from securexgb.mpc.shared import Shared, SharedBits, as_words
from securexgb.testing.harness import insecure_parties
from tests.mpc.kit import revealed, shared, shared_bits

X = np.array([[3, -5, 2**62], [0, 7, -(2**63)]])
Y = np.array([[1, 9, -4], [2**62, -1, 5]])

REFUSED: dict[str, Callable[[Any], Any]] = {
    "truth": bool,
    "not": operator.not_,
    "equal": lambda x: x == 1,
    "unequal": lambda x: x != 0,
    "less": lambda x: x < 1,
    "at most": lambda x: x <= 0,
    "greater": lambda x: x > 0,
    "at least": lambda x: x >= 1,
    "index": operator.index,
    "float": float,
    "int": int,
    "len": len,
    "hash": hash,
    "range": range,
    "membership": lambda x: x in [0],
    "max": lambda x: max(x, x),
}


@pytest.mark.parametrize("secret", [Shared.zeros(2), SharedBits(np.zeros(1, np.uint64), 2)])
@pytest.mark.parametrize("use", REFUSED.values(), ids=REFUSED)
def test_a_share_cannot_be_read_or_branched_on(use: Callable[[Any], Any], secret: Any) -> None:
    with pytest.raises(TypeError, match="a share cannot be read"):
        use(secret)


@pytest.mark.parametrize("secret", [Shared.zeros(3), SharedBits(np.zeros(1, np.uint64), 3)])
def test_printing_shows_the_shape_alone(secret: Any) -> None:
    assert repr(secret).endswith("(shape=(3,))")
    assert str(secret) == repr(secret)


def test_local_operations() -> None:
    x, y = shared(X, 1), shared(Y, 2)
    operations: list[tuple[Callable[[Shared, Shared], Shared], Any]] = [
        (lambda a, b: a + b, X + Y),
        (lambda a, b: a - b, X - Y),
        (lambda a, _: -a, -X),
        (lambda a, _: a.scale([[2], [-3]]), X * np.array([[2], [-3]])),
        (lambda a, _: a[:, 1], X[:, 1]),
        (lambda a, _: a.reshape(-1), X.reshape(-1)),
        (lambda a, _: a.sum(), X.sum()),
        (lambda a, _: a.sum(axis=1), X.sum(axis=1)),
        (lambda a, _: a.cumsum(axis=1), X.cumsum(axis=1)),
        (lambda a, b: Shared.concatenate([a, b], axis=1), np.concatenate([X, Y], axis=1)),
        (lambda a, b: Shared.stack([a, b]), np.stack([X, Y])),
        (Shared.interleave, np.array([X[0], Y[0], X[1], Y[1]])),
        (lambda a, b: Shared.where(X > 0, a, b), np.where(X > 0, X, Y)),
        (lambda a, _: a[:, None].broadcast_to(2, 4, 3), np.broadcast_to(X[:, None], (2, 4, 3))),
        (lambda a, _: a.lowest_bits(), X % 2),
    ]
    for operation, expected in operations:
        both = [operation(a, b) for a, b in zip(x, y, strict=True)]
        np.testing.assert_array_equal(revealed(*both), expected)


def test_local_operations_on_bits() -> None:
    draw = np.random.default_rng(3)
    a, b = draw.integers(0, 2, (2, 3, 70))
    x, y = shared_bits(a, 1), shared_bits(b, 2)
    np.testing.assert_array_equal(revealed(x[0] ^ y[0], x[1] ^ y[1]), a ^ b)
    np.testing.assert_array_equal(revealed(x[0][1], x[1][1]), a[1])
    np.testing.assert_array_equal(revealed(x[0].xor_all(), x[1].xor_all()), a.sum(axis=0) % 2)
    stacked = [SharedBits.stack([p, q]) for p, q in zip(x, y, strict=True)]
    np.testing.assert_array_equal(revealed(*stacked), np.stack([a, b]))
    joined = [SharedBits.concatenate([p, q]) for p, q in zip(x, y, strict=True)]
    np.testing.assert_array_equal(revealed(*joined), np.concatenate([a, b]))


def test_a_sum_in_place() -> None:
    x, y = shared(X, 1), shared(Y[0], 2)
    for own, more in zip(x, y, strict=True):
        words = own.words
        own += more
        assert own.words is words
    np.testing.assert_array_equal(revealed(*x), X + Y[0])


@pytest.mark.parametrize("count", [64, 128])
def test_rows_of_whole_words_one_after_the_other(count: int) -> None:
    flags = np.random.default_rng(4).integers(0, 2, (2, 3, count))
    joined = [part.joined() for part in shared_bits(flags, 1)]
    assert joined[0].shape == (2, 3 * count)
    np.testing.assert_array_equal(revealed(*joined), flags.reshape(2, -1))
    cut = [part.cut(3, count - 1) for part in joined]
    np.testing.assert_array_equal(revealed(*cut), flags[..., :-1])
    with pytest.raises(ValueError, match="2 rows of whole words"):
        joined[0].cut(2, count)
    with pytest.raises(ValueError, match="do not fill whole words"):
        cut[0].joined()


def test_private_bits_stay_at_their_holder() -> None:
    flags = np.random.default_rng(5).integers(0, 2, 70).astype(np.bool_)
    for owner in (0, 1):
        pieces = [
            share_bits(party, flags if party.rank == owner else None, owner, 70)
            for party in insecure_parties(0)
        ]
        np.testing.assert_array_equal(revealed(*pieces), flags)
        assert not pieces[1 - owner].words.any()


def test_sharing_keeps_the_value_at_its_holder() -> None:
    values = as_words([4, -1])
    for owner in (0, 1):
        pieces = [
            share(party, values if party.rank == owner else None, owner, (2,))
            for party in insecure_parties(0)
        ]
        np.testing.assert_array_equal(revealed(*pieces), [4, -1])
        assert not pieces[1 - owner].words.any()
        assert all(party.rounds == 0 for party in insecure_parties(0))


def test_public_values_as_shares() -> None:
    zero, one = insecure_parties(0)
    pieces = [constant(party, [[-7], [2]], (2, 3)) for party in (zero, one)]
    np.testing.assert_array_equal(revealed(*pieces), [[-7] * 3, [2] * 3])
    for value in (True, False):
        bits = [constant_bits(party, value, (2,), 65) for party in (zero, one)]
        np.testing.assert_array_equal(revealed(*bits), np.full((2, 65), int(value)))


@pytest.mark.parametrize(("count", "words"), [(0, 0), (1, 1), (64, 1), (65, 2)])
def test_packed_size(count: int, words: int) -> None:
    assert words_per(count) == words
