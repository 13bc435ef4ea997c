"""The dealer's arithmetic: block borders do not matter, streams are independent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.arith.prg import Prg
from securexgb.correlations.kind import Kind
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.matrices import Products
from securexgb.correlations.streams import Streams, correction


def parties(session: str = "s") -> tuple[Streams, Streams]:
    return Streams(Prg(b"a" * 16), session, 0), Streams(Prg(b"b" * 16), session, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_may_be_cut_anywhere(kind: Kind[Any]) -> None:
    both = parties()
    whole = correction(kind, both, range(5))
    parts = [correction(kind, both, range(*cut)) for cut in ((0, 1), (1, 4), (4, 5))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_party_needs_no_other_seed_than_its_own(kind: Kind[Any]) -> None:
    """Party i's free pieces stay the same whatever the other party's seed is."""
    for rank in (0, 1):
        ours = Streams(Prg(b"a" * 16), "s", rank)
        free = ours.free(kind, 1, 2)
        assert len(free) == len(kind.layout.free[rank])
        again = Streams(Prg(b"a" * 16), "s", rank).free(kind, 1, 2)
        for left, right in zip(free, again, strict=True):
            np.testing.assert_array_equal(left, right)


def test_every_stream_is_its_own() -> None:
    """No two pieces, kinds, matrices, parties or sessions share a word."""
    words = []
    for session in ("s", "t"):
        for streams in parties(session):
            for kind in KINDS:
                words += [piece.ravel() for piece in streams.free(kind, 0, 10)]
            for products in (Products(0, 0), Products(0, 1), Products(1, 0)):
                words.append(products.vectors(streams, 5, 0, 10).ravel())
                words.append(products.shares(streams, 7, 0, 10).ravel())
                words.append(Prg(products.mask_key(streams)).words_at(0, 50))
    pool = np.concatenate(words)
    assert len(np.unique(pool)) == len(pool)


@pytest.mark.parametrize("owner", [0, 1])
def test_product_corrections_may_be_cut_anywhere(owner: int) -> None:
    both = parties()
    products = Products(owner, 0)
    whole = products.correction((9, 4), both, range(5))
    parts = [products.correction((9, 4), both, at) for at in (range(2), range(2, 5))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_corrections_look_uniform() -> None:
    """One bit in two is set, in each of the 64 places, for every kind."""
    for kind in KINDS:
        words = correction(kind, parties(), range(1 << 9))
        share = np.array([((words >> np.uint64(bit)) & np.uint64(1)).mean() for bit in range(64)])
        assert np.abs(share - 0.5).max() < 0.03


def test_nothing_shows_a_seed() -> None:
    assert "a" * 16 not in repr(parties()[0])
