"""Rows of shared words times one shared number each: x y for x (rows, k), y (rows,).

With x = x0 + x1 and y = y0 + y1 each party computes x_i y_i; of the other products party i
knows x_i and party j the bits of y_j, sum of 2^b y_jb. That is Gilboa's multiplication, bit by
bit, and one choice serves the whole row: by a random transfer for each bit of y_j (keys K0,
K1 of 128 bits; choice c with K_c), as in ``mpc.multiplex``. j sends d = y_jb ^ c, uniform. With the
streams s0 and s1 of the keys, one word for each word of the row, i sends x_i - (s1 - s0) modulo
2^(r-b), masked by whichever of the two j lacks, at the same time. By its choice j gets a share of
c x_i, and -s0 is the other one; where d = 1 both change the sign and i adds x_i. So i makes the
streams s0 once more when it knows d. Modulo 2^r, r = ``ring_bits``. One round.

Beaver's triples would take 2 r transfers an element; here it is 2 r a row.
"""

from __future__ import annotations

import numpy as np

from securexgb import _kernels
from securexgb.arith.bits import unpack_dense, words_per
from securexgb.correlations.prices import Prices
from securexgb.correlations.transfers import Transfers
from securexgb.mpc.multiplex import transfers
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.packed import swapped_with
from securexgb.mpc.padding import pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
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
    return Cost.alike(1, sent, {Transfers(_KEY_BITS, rank): 64 * words for rank in (0, 1)})


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
    flips = pack_filled(party, bits) ^ receiver.choices
    messages, chunks = [], _chunks(rows, count, ring_bits)
    for chunk in chunks:
        zero, one = (_streams(keys, chunk, count, ring_bits) for keys in (sender.zero, sender.one))
        own = np.ascontiguousarray(x.words[chunk.start : chunk.stop]).reshape(-1)
        messages.append(_kernels.ot_products_send(zero, one, own, ring_bits)[0])
    payload = np.concatenate([np.zeros(0, np.uint64), *messages])
    asked, (received,) = swapped_with(
        party, flips, flips.size, [payload], (payload.size, (ring_bits,))
    )
    # Bits of a row's number, as the sender and as the receiver.
    theirs, mine, choices = (
        unpack_dense(packed, rows, ring_bits) for packed in (asked, flips, receiver.choices)
    )
    shares, at = x.words * (y.words + theirs)[:, None], 0
    for chunk, message in zip(chunks, messages, strict=True):
        inside = slice(chunk.start, chunk.stop)
        part, at = received[at : at + message.size], at + message.size
        chosen = _streams(receiver.chosen, chunk, count, ring_bits)
        chose, flipped = (np.repeat(words[inside], count) for words in (choices, mine))
        sums = _kernels.ot_products_receive(chosen, chose, flipped, ring_bits, part)
        keys = _keys(sender.zero, chunk, ring_bits)
        sums += _kernels.ot_signed_sums(keys, theirs[inside], count)
        shares[inside] += sums.reshape(-1, count)
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


def _keys(keys: Words, rows: range, ring_bits: int) -> Words:
    """Of the keys (2, n) those of some rows."""
    return np.ascontiguousarray(keys[:, rows.start * ring_bits : rows.stop * ring_bits])


def _streams(keys: Words, rows: range, count: int, ring_bits: int) -> Words:
    """Of the keys (2, n) of some rows, as ``ot_products`` takes messages."""
    return _kernels.ot_expand(_keys(keys, rows, ring_bits), count, ring_bits)
