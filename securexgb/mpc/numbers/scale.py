"""Rows of shared words times one shared number each: x y for x (rows, k), y (rows,).

With x = x0 + x1 and y = y0 + y1 each party computes x_i y_i; of the other products party i
knows x_i and party j the bits of y_j, sum of 2^b y_jb. That is Gilboa's multiplication, bit by
bit, and one choice serves the whole row: by a random transfer for each bit of y_j (keys K0,
K1 of 128 bits; choice c with K_c) j sends d = y_jb ^ c, uniform. With the streams s_d of K_d
and s_e of K_(1-d), one word for each word of the row, i puts -2^b s_d as its share and sends
x_i + s_d - s_e modulo 2^(r-b), masked by whichever of the two j lacks; j takes 2^b s_d where
the bit is 0, and adds what was sent to s_e where it is 1. Modulo 2^r, r = ``ring_bits``.

Beaver's triples would take 2 r transfers an element; here it is 2 r a row.
"""

from __future__ import annotations

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import pack_dense, unpack_dense, words_per
from securexgb.correlations.prices import Prices
from securexgb.correlations.transfers import Transfers
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.padding import pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.select import transfers
from securexgb.mpc.shared import Shared, Words

_KEY_BITS = 128
_CHUNK = 1 << 18
"""Words of streams held at a time: 2 MiB a kind."""


def _chunks(rows: int, count: int, ring_bits: int) -> list[range]:
    """Rows worked on at a time."""
    most = max(1, _CHUNK // max(1, count * ring_bits))
    return [range(at, min(at + most, rows)) for at in range(0, rows, most)]


def _message_words(products: int, ring_bits: int) -> int:
    """Words of ``ring_bits`` bits for so many products, see kernels/src/ot/gilboa.rs."""
    halves = 0 if ring_bits % 2 else -(-products // 2)
    return -(-ring_bits // 2) * products + halves


def scale_cost(rows: int, count: int, ring_bits: int) -> Cost:
    """Cost of ``scale_rows`` for (rows, count) words."""
    words = words_per(rows * ring_bits)
    sums = (_message_words(len(c) * count, ring_bits) for c in _chunks(rows, count, ring_bits))
    sent = words + words_per(sum(sums) * ring_bits)
    return Cost.alike(2, sent, {Transfers(_KEY_BITS, rank): 64 * words for rank in (0, 1)})


@protocol(
    cost=lambda x, y, ring_bits: scale_cost(x.shape[0], x.shape[1], ring_bits),
    opens="bits of y ^ c, and words masked by streams unknown to the receiver, uniform",
    source="Gilboa, CRYPTO 1999, section 4; one choice for many products",
    ideal=lambda x, y, ring_bits: Shared(x.words * y.words[:, None]),
)
def scale_rows(party: Party, x: Shared, y: Shared, ring_bits: int) -> Shared:
    """x (rows, k) times y (rows,), right modulo 2^ring_bits (1 to 64) only."""
    rows, count = x.shape
    total = rows * ring_bits
    receiver, sender = transfers(party, total, total, _KEY_BITS)
    places = np.arange(ring_bits, dtype=np.uint64)
    bits = ((y.words[:, None] >> places) & np.uint64(1)).astype(np.uint8).reshape(-1)
    asked = party.exchange(pack_filled(party, bits) ^ receiver.choices)
    d = _kernels.unpack_bits(asked, total).astype(np.bool_)
    keys = (np.where(d, sender.one, sender.zero), np.where(d, sender.zero, sender.one))

    shares, messages = np.empty((rows, count), np.uint64), []
    chunks = _chunks(rows, count, ring_bits)
    for chunk in chunks:
        first, second = (_streams(part, chunk, count, ring_bits) for part in keys)
        own = np.ascontiguousarray(x.words[chunk.start : chunk.stop]).reshape(-1)
        message, mine = _kernels.ot_products_send(first, second, own, ring_bits)
        messages.append(message)
        shares[chunk.start : chunk.stop] = mine.reshape(-1, count)
    theirs = iter(_swapped(party, messages, ring_bits))
    shares += x.words * y.words[:, None]
    for chunk in chunks:
        chosen = _streams(receiver.chosen, chunk, count, ring_bits)
        factors = np.repeat(y.words[chunk.start : chunk.stop], count)
        taken = _kernels.ot_products_receive(chosen, factors, ring_bits, next(theirs))
        shares[chunk.start : chunk.stop] += taken.reshape(-1, count)
    return Shared(shares)


def row_products_cost(rows: int, count: int, ring_bits: int, prices: Prices) -> Cost:
    """Cost of ``row_products`` for (rows, count) words."""
    return (
        product_cost(rows * count) if prices.cheap_triples else scale_cost(rows, count, ring_bits)
    )


def row_products(party: Party, x: Shared, y: Shared, ring_bits: int) -> Shared:
    """As ``scale_rows``, but by triples where these are cheap, as they are from a dealer."""
    if party.source.prices.cheap_triples:
        return multiply(party, x, y[:, None].broadcast_to(*x.shape), ring_bits)
    return scale_rows(party, x, y, ring_bits)


def _streams(keys: Words, rows: range, count: int, ring_bits: int) -> Words:
    """Of the keys (2, n) of some rows, as ``ot_products`` takes messages."""
    part = keys[:, rows.start * ring_bits : rows.stop * ring_bits]
    return _kernels.ot_expand(np.ascontiguousarray(part), count, ring_bits)


def _swapped(party: Party, messages: list[Words], ring_bits: int) -> list[Words]:
    """The other party's messages for this party's, packed on their way."""
    words = np.concatenate(messages) if messages else np.zeros(0, np.uint64)
    received = party.exchange(pack_dense(words, ring_bits))
    theirs = unpack_dense(received, words.size, ring_bits)
    return np.split(theirs, np.cumsum([message.size for message in messages])[:-1])
