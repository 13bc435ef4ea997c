"""Both sides hold the same rows in the same order, or both say in which block they differ."""

from __future__ import annotations

from typing import Any

import pytest

from securexgb.align import ids as module
from securexgb.align.ids import DIGEST_BYTES, LEAST_ROWS, check_same_rows
from securexgb.errors import DataError, MalformedFrame
from securexgb.jobs.simulation import simulate_parties
from securexgb.mpc.party import Party
from securexgb.testing import run_parties
from tests.mpc.kit import recorded

FIRST = 8 + 32
"""Bytes of the first message: the number of rows, and this side's part of the key."""


def program(party: Party, ids: list[str] | None) -> str:
    try:
        check_same_rows(party, ids, len(ids or ()), "customer")
    except DataError as error:
        return str(error)
    return "same"


def compare(label_ids, feature_ids):
    return simulate_parties(program, [label_ids, feature_ids], seed=3)


def names(count: int) -> list[str]:
    return [f"c{number:06}" for number in range(count)]


def differing(count: int, *rows: int) -> list[str]:
    """The same, but for these rows."""
    return [f"Zz{i}" if i in rows else name for i, name in enumerate(names(count))]


@pytest.mark.parametrize("rows", [0, 1, LEAST_ROWS, 3 * LEAST_ROWS + 1, 20_000])
def test_equal_ids_cost_one_digest(rows: int) -> None:
    results, ends, _ = recorded(program, [names(rows), names(rows)])
    assert results == ["same", "same"]
    for end in ends:
        assert [len(payload) for _, payload in end.sent] == [FIRST, DIGEST_BYTES]


def test_without_ids_only_counts_are_compared() -> None:
    results, ends, _ = recorded(program, [None, None])
    assert results == ["same", "same"]
    assert [len(payload) for _, payload in ends[0].sent] == [8]


def test_different_counts() -> None:
    left, right = compare(names(4), names(5)).results
    assert "label party: this side has 4 rows and the other side 5" in left
    assert "feature party: this side has 5 rows and the other side 4" in right


@pytest.mark.parametrize(
    ("rows", "wrong", "block"),
    [
        (1, (0,), (1, 1)),
        (3, (1,), (1, 3)),
        (LEAST_ROWS, (5,), (1, 512)),
        (2 * LEAST_ROWS - 1, (5, 1000), (1, 1023)),
        (2 * LEAST_ROWS, (5, 1000), (1, 512)),
        (2 * LEAST_ROWS, (1000,), (513, 1024)),
        (2 * LEAST_ROWS + 1, (1024,), (513, 1025)),
        (3000, (2001, 2002), (1501, 2250)),
        (3000, (2999,), (2251, 3000)),
    ],
)
def test_the_first_block_that_differs_is_named_and_no_id(
    rows: int, wrong: tuple[int, ...], block: tuple[int, int]
) -> None:
    messages = compare(names(rows), differing(rows, *wrong)).results
    for message, side in zip(messages, ("label", "feature"), strict=True):
        assert message.startswith(f"{side} party: ")
        assert "column 'customer'" in message
        assert f"first between data rows {block[0]} and {block[1]};" in message
        assert "c00" not in message
        assert "Zz" not in message


@pytest.mark.parametrize("rows", [2, 511, 1023, 1024, 1537, 5000])
def test_no_digest_is_of_fewer_than_512_rows(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for a table that has fewer; whichever row differs, the last one too."""
    sizes: list[int] = []
    digest = module._digest

    def counted(key: bytes, values: Any) -> bytes:
        sizes.append(len(values))
        return digest(key, values)

    monkeypatch.setattr(module, "_digest", counted)
    for row in {0, rows // 2, rows - 2, rows - 1}:
        sizes.clear()
        results, ends, _ = recorded(program, [names(rows), differing(rows, row)])
        assert "differ" in results[0]
        assert min(sizes) >= min(rows, LEAST_ROWS)
        assert sizes.count(rows) == 2  # one of everything, at each side
        # One message a halving and not one of a block that was known to be equal.
        assert len(sizes) == 2 * (1 + max(0, (rows // LEAST_ROWS).bit_length() - 1))
        assert [len(p) for _, p in ends[0].sent][1:] == [DIGEST_BYTES] * (len(sizes) // 2)


def test_the_key_is_drawn_whatever_the_coins_are() -> None:
    """Two runs under one seed, so with the same coins and private streams: no digest repeats."""
    sent = [recorded(program, [names(50), names(50)], seed=3)[1][0].sent[1][1] for _ in range(2)]
    assert sent[0] != sent[1]

    def keys(party: Party, _: object) -> bytes:
        return party.coins.derive("x").key

    assert run_parties(keys, [None, None], seed=3) == run_parties(keys, [None, None], seed=3)


def test_both_sides_parts_make_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """With either side's part kept the digests change with the other's."""
    drawn = iter([b"a", b"b", b"a", b"c", b"d", b"b"])
    monkeypatch.setattr(module.secrets, "token_bytes", lambda size: next(drawn) * size)
    digests = set()
    for _ in range(3):
        _, (end, _), _ = recorded(program, [names(9), names(9)])
        digests.add(end.sent[1][1])
    assert len(digests) == 3


def test_messages_of_another_length_are_refused() -> None:
    def odd(party: Party, ids: list[str]) -> None:
        if party.rank == 0:
            check_same_rows(party, ids, len(ids), "customer")
        else:
            with party.step("rows"):
                party.exchange_bytes(bytes(7))

    with pytest.raises(MalformedFrame, match="wrong length"):
        run_parties(odd, [names(3), names(3)])


def test_concatenation_does_not_hide_a_difference() -> None:
    assert "data rows 1 and 2;" in compare(["ab", "c"], ["a", "bc"]).results[0]
