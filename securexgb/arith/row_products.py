"""Products of a row of words with one number: Gilboa's multiplication, one choice for a whole row.

Party i has a row a, party j the bits of b, which are its choices c in r transfers of keys (K0, K1
at i, K_c at j). The streams of a key are the messages m0, m1 of Gilboa's protocol, one word for
each word of the row. For bit number p of b

    i sends t_p = a + m0 - m1 modulo 2^(r - p), and holds -2^p m0
    j holds 2^p (m_c + c t_p) = 2^p (m0 + c a)

so that the sums over p are shares of a b modulo 2^r. Streams of different keys begin at places of
their own (``place``, public, each used for one key of a direction and session): who guesses keys
tests one of them at a time. Each t_p is masked by the one of m0 and m1
that j lacks. Here a may be any uniform row: it is taken as m1 - m0 of the lowest bit, uniform to j
who knows one of them. Then t_0 = 0 and is not sent: a word of the row takes r (r - 1) / 2 bits.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels

Words = NDArray[np.uint64]

_CHUNK = 1 << 18
"""Words of streams held at a time: 2 MiB a kind."""


def places(shape: tuple[int, int], bits: int) -> int:
    """How many places the streams of rows take."""
    rows, count = shape
    return rows * bits * (count + count % 2)


def sent(
    keys: tuple[Words, Words], place: int, shape: tuple[int, int], bits: int
) -> tuple[Words, Words, Words]:
    """The message, in words of so many bits, the row a (rows, count) and the shares of a b.

    ``keys``: both of each transfer, (2, n); ``place``: of the first; ``shape``: rows and words of a
    row.
    """
    a, share = np.empty(shape, np.uint64), np.empty(shape, np.uint64)
    half, messages = -(-bits // 2), [np.zeros(0, np.uint64)]
    for rows in _chunks(shape, bits):
        zero, one = (_streams(part, place, rows, shape[1], bits) for part in keys)
        own = one[::bits] - zero[::bits]
        message, products = _kernels.ot_products_send(zero, one, own, bits)
        whole = message[: half * own.size].reshape(own.size, half)
        messages += [whole[:, 1:].reshape(-1), message[half * own.size :]]
        a[rows], share[rows] = own.reshape(-1, shape[1]), products.reshape(-1, shape[1])
    return np.concatenate(messages), a, share


def received(chosen: Words, place: int, b: Words, count: int, bits: int, message: Words) -> Words:
    """The shares (rows, count) of a b; ``chosen``: the keys (2, n) by the bits of b (rows,)."""
    shape, half, at = (b.size, count), -(-bits // 2), 0
    share = np.empty(shape, np.uint64)
    for rows in _chunks(shape, bits):
        numbers = b[rows].repeat(count)
        size, inner = half * numbers.size, (half - 1) * numbers.size
        rest = 0 if bits % 2 else -(-numbers.size // 2)
        whole = np.zeros(size + rest, np.uint64)
        own = message[at : at + inner].reshape(numbers.size, half - 1)
        whole[:size].reshape(numbers.size, half)[:, 1:] = own
        whole[size:] = message[at + inner : at + inner + rest]
        at += inner + rest
        streams = _streams(chosen, place, rows, count, bits)
        products = _kernels.ot_products_receive(streams, numbers, bits, whole)
        share[rows] = products.reshape(-1, count)
    return share


def _chunks(shape: tuple[int, int], bits: int) -> Iterator[slice]:
    """Rows worked on at a time."""
    most = max(1, _CHUNK // max(1, shape[1] * bits))
    return (slice(at, min(at + most, shape[0])) for at in range(0, shape[0], most))


def _streams(keys: Words, place: int, rows: slice, count: int, bits: int) -> Words:
    """Of the keys (2, n) of some rows, as ``ot_products`` takes messages."""
    part = np.ascontiguousarray(keys[:, rows.start * bits : rows.stop * bits])
    first = place + places((rows.start, count), bits)
    return _kernels.ot_expand(part, first, count, bits)
