"""Triples of rows from oblivious transfers: Gilboa's multiplication, one choice for a whole row.

b = b0 + b1, and the bits of b_j are the choices of r transfers of keys from party i (K0, K1 at i,
K_c at j). The streams of a key are the messages m0, m1 of Gilboa's protocol, one word for each word
of the row:

    i sends t_b = a_i + m0 - m1 modulo 2^(r - b), and holds -2^b m0, for bit b
    j holds 2^b (m_c + c t_b) = 2^b (m0 + c a_i)

so that the sums over b are shares of a_i b_j. Each t_b is masked by the one of m0 and m1 that j
lacks. a_i may be any uniform row: it is taken as m1 - m0 of the lowest bit, which is uniform to j
who knows one of them. Then t_0 = 0 and is not sent: r (r - 1) / 2 bits a word of the row are, in
place of r (r + 1) / 2. Both directions at once, with the other party's cross product.
"""

from __future__ import annotations

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import unpack_dense, words_per
from securexgb.correlations.kind import Words
from securexgb.correlations.row_triples import RowTriplePieces, RowTriples
from securexgb.offline.oblivious_transfer import KEY, ObliviousTransfer

_CHUNK = 1 << 18
"""Words of streams held at a time: 2 MiB a kind."""


def make_row_triples(transfers: ObliviousTransfer, kind: RowTriples, rows: int) -> RowTriplePieces:
    """This party's part of so many rows."""
    bits, count = kind.ring_bits, kind.count
    words, half = words_per(rows * bits), -(-bits // 2)
    sender, receiver = transfers.transfer(words, words, KEY)
    b = unpack_dense(receiver.choices, rows, bits)
    a, c = (np.empty((rows, count), np.uint64) for _ in range(2))
    chunks, messages = _chunks(rows, count, bits), list[Words]()
    for chunk in chunks:
        zero, one = (_streams(keys, chunk, kind) for keys in (sender.zero, sender.one))
        own = one[::bits] - zero[::bits]
        message, shares = _kernels.ot_products_send(zero, one, own, bits)
        whole = message[: half * own.size].reshape(own.size, half)
        messages += [whole[:, 1:].reshape(-1), message[half * own.size :]]
        a[chunk.start : chunk.stop] = own.reshape(-1, count)
        c[chunk.start : chunk.stop] = shares.reshape(-1, count)
    mine = np.concatenate(messages)
    theirs, at = transfers.swap("row triples", mine, mine.size, bits), 0
    sent = zip(messages[::2], messages[1::2], strict=True)
    for chunk, (inner, rest) in zip(chunks, sent, strict=True):
        size = len(chunk) * count
        message = np.zeros(half * size + rest.size, np.uint64)
        whole = message[: half * size].reshape(size, half)
        whole[:, 1:] = theirs[at : at + inner.size].reshape(size, half - 1)
        message[half * size :] = theirs[at + inner.size : at + inner.size + rest.size]
        at += inner.size + rest.size
        chosen = _streams(receiver.chosen, chunk, kind)
        inside = slice(chunk.start, chunk.stop)
        received = _kernels.ot_products_receive(chosen, b[inside].repeat(count), bits, message)
        c[inside] += received.reshape(-1, count)
    c += a * b[:, None]
    return RowTriplePieces(a.T, b, c.T)


def _chunks(rows: int, count: int, bits: int) -> list[range]:
    """Rows worked on at a time."""
    most = max(1, _CHUNK // max(1, count * bits))
    return [range(at, min(at + most, rows)) for at in range(0, rows, most)]


def _streams(keys: Words, rows: range, kind: RowTriples) -> Words:
    """Of the keys (2, n) of some rows, as ``ot_products`` takes messages."""
    bits = kind.ring_bits
    part = np.ascontiguousarray(keys[:, rows.start * bits : rows.stop * bits])
    return _kernels.ot_expand(part, kind.count, bits)
