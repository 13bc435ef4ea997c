"""Rows of shared words times one shared number each: x y for x (rows, k), y (rows,).

With a shared random triple c = a b of a row a and a number b (``correlations.row_triples``), open
d = x - a and e = y - b. Both are uniform, so they say nothing of x and y. Then x y = c + d b + a e
+ d e. It is Beaver's product with one b for a whole row: one round, a word for each word of the
row, and one more. Modulo 2^r, r = ``ring_bits``.

Beaver's triples would take 2 r transfers an element when they are made; here it is 2 r a row.
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.bits import words_per
from securexgb.correlations.prices import Prices
from securexgb.correlations.row_triples import RowTriples
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.packed import swapped
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared


def scale_cost(rows: int, count: int, ring_bits: int) -> Cost:
    """Cost of ``scale_rows`` for (rows, count) words."""
    sent = words_per(rows * (count + 1) * ring_bits)
    return Cost.alike(1, sent, {RowTriples(count, ring_bits): rows})


@protocol(
    cost=lambda x, y, ring_bits: scale_cost(x.shape[0], x.shape[1], ring_bits),
    opens="x - a and y - b, uniform",
    source="Beaver, CRYPTO 1991, section 2; b shared by a row, after Gilboa, CRYPTO 1999",
    ideal=lambda x, y, ring_bits: Shared(x.words * y.words[:, None]),
)
def scale_rows(party: Party, x: Shared, y: Shared, ring_bits: int) -> Shared:
    """x (rows, k) times y (rows,), right modulo 2^ring_bits (1 to 64) only."""
    rows, count = x.shape
    triple = party.source.take(RowTriples(count, ring_bits), rows)
    a, b, c = triple.a.T, triple.b[:, None], triple.c.T
    mine = np.concatenate([x.words - a, y.words[:, None] - b], axis=1)
    opened = mine + swapped(party, [mine], mine.size, (ring_bits,))[0].reshape(mine.shape)
    d, e = opened[:, :-1], opened[:, -1:]
    product = c + d * b + a * e
    if party.rank == 0:
        product += d * e
    return Shared(product)


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
