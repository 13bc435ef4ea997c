"""The dealer's state machine: counters, bounds, nothing before both have given their parts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securexgb.correlations.kinds import Series
from securexgb.correlations.matrices import Products
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.transfers import Transfers
from securexgb.correlations.triples import Triples
from securexgb.dealer.session import COLUMNS, REQUEST_WORDS, Refused, Session
from tests.profiles import examples

TRIPLES = Triples()
PRODUCTS = Products(0, 0)


def seeded() -> Session:
    session = Session(b"s" * 16, "digest")
    session.add_seed(0, b"a" * 16)
    session.add_seed(1, b"b" * 16)
    return session


def served(session: Session, series: Series, start: int, count: int) -> int:
    return sum(work().size for work in session.corrections(series, start, count))


def test_words_come_in_order_and_once() -> None:
    session = seeded()
    assert served(session, TRIPLES, 0, 128) == 128
    assert served(session, TRIPLES, 128, 64) == 64
    for start in (0, 128, 256, 191):
        with pytest.raises(Refused, match="not the next"):
            session.corrections(TRIPLES, start, 64)
    assert served(session, RandomBits(), 0, 64) == 64


def test_a_refused_request_moves_no_counter() -> None:
    session = seeded()
    with pytest.raises(Refused):
        session.corrections(TRIPLES, 64, 64)
    assert served(session, TRIPLES, 0, 64) == 64


@pytest.mark.parametrize("count", [0, 1, 63, 65, REQUEST_WORDS + 64, 1 << 63])
def test_odd_sizes_are_refused(count: int) -> None:
    with pytest.raises(Refused, match="cannot be served"):
        seeded().corrections(TRIPLES, 0, count)


def test_large_requests_are_cut_into_bounded_work() -> None:
    sizes = [work().size for work in seeded().corrections(TRIPLES, 0, 200_000 - 200_000 % 64)]
    assert max(sizes) <= 1 << 16
    assert sum(sizes) == 200_000 - 200_000 % 64


def test_nothing_before_both_seeds() -> None:
    session = Session(b"s" * 16, "digest")
    session.add_seed(0, b"a" * 16)
    with pytest.raises(Refused, match="both parties"):
        session.corrections(TRIPLES, 0, 64)
    assert not session.is_seeded


@pytest.mark.parametrize("seed", [b"", b"a" * 15, b"a" * 17])
def test_a_seed_has_its_size(seed: bytes) -> None:
    with pytest.raises(Refused, match="16 bytes"):
        Session(b"s" * 16, "digest").add_seed(0, seed)


def test_a_seed_is_given_once() -> None:
    session = Session(b"s" * 16, "digest")
    session.add_seed(0, b"a" * 16)
    with pytest.raises(Refused, match="once"):
        session.add_seed(0, b"c" * 16)


def test_products_need_the_shape_from_both() -> None:
    session = seeded()
    session.register(1, Products(0, 0), (5, 7))
    with pytest.raises(Refused, match="both parties"):
        session.corrections(PRODUCTS, 0, 7)
    session.register(0, Products(0, 0), (5, 7))
    assert served(session, PRODUCTS, 0, 14) == 14
    with pytest.raises(Refused, match="cannot be served"):
        session.corrections(PRODUCTS, 14, 8)


def test_shapes_must_agree_and_be_numbered() -> None:
    session = seeded()
    session.register(0, Products(0, 0), (5, 7))
    with pytest.raises(Refused, match="different shapes"):
        session.register(1, Products(0, 0), (5, 8))
    with pytest.raises(Refused, match="in order"):
        session.register(0, Products(0, 0), (5, 7))
    with pytest.raises(Refused, match="in order"):
        session.register(0, Products(0, 2), (5, 7))
    session.register(0, Products(0, 1), (5, 7))
    session.register(0, Products(1, 0), (9, 9))


@pytest.mark.parametrize(
    ("matrix", "shape"),
    [((2, 0), (1, 1)), ((0, 0), (1, COLUMNS + 1)), ((0, 0), (1 << 28, 1 << 19))],
)
def test_absurd_matrices_are_refused(matrix: tuple[int, int], shape: tuple[int, int]) -> None:
    with pytest.raises(Refused, match="no such matrix"):
        seeded().register(0, Products(*matrix), shape)


def test_two_sessions_of_one_name_and_equal_seeds_share_nothing() -> None:
    """Each has a name of the dealer's own, mixed into every stream."""
    first, second = (next(s.corrections(TRIPLES, 0, 64))() for s in (seeded(), seeded()))
    assert not (first == second).any()


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([TRIPLES, Transfers(64, 1), PRODUCTS, Products(1, 0)]),
            st.integers(0, 5).map(lambda units: 64 * units),
            st.sampled_from([0, 7, 14, 64, 128, 192, 448]),
        ),
        max_size=20,
    )
)
def test_no_order_of_requests_serves_a_word_twice(wanted: list[tuple[Series, int, int]]) -> None:
    session = seeded()
    for rank in (0, 1):
        session.register(rank, Products(0, 0), (3, 7))
    given_out: dict[Series, int] = {}
    for series, start, count in wanted:
        try:
            words = served(session, series, start, count)
        except Refused:
            continue
        assert start == given_out.get(series, 0)
        assert words == count
        given_out[series] = start + count


def test_a_session_shows_no_seed() -> None:
    assert "a" * 16 not in repr(seeded())
    assert b"a".hex() * 16 not in repr(seeded())
