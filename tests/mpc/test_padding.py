"""No mask is sent where no element is: those bits are random, in every protocol that sends masks.

A program is run many times with everything equal but the parties' streams of padding. Bits of the
first messages that then differ from run to run are filled up; all others have to be elements,
whose number is known. Were one bit past the elements a constant, its mask, a choice of a transfer,
would be read in the clear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from securexgb.arith.bits import words_per
from securexgb.arith.prg import Prg
from securexgb.mpc.compare import all_of, is_negative
from securexgb.mpc.convert import highest_bit, to_arithmetic, to_bits
from securexgb.mpc.digits import CARRIES, DIGIT, SUMS, digit_tables, own_digits
from securexgb.mpc.multiplex import multiplex_private, multiplex_shared
from securexgb.mpc.multiply import and_bits, and_broadcast
from securexgb.mpc.numbers.lift import binary, lift_numbers, widen
from securexgb.mpc.numbers.magnitude import Index, magnitude
from securexgb.mpc.numbers.marked import marked_sums
from securexgb.mpc.numbers.signs import sign_tables
from securexgb.mpc.numbers.table import Place, Tables, lookups
from securexgb.mpc.packed import packed_words
from securexgb.mpc.padding import filled
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.trees.halves import halves
from securexgb.testing.harness import insecure_parties
from tests.mpc.kit import Pair, public, recorded, shared, shared_bits

RUNS = 24
Program = Callable[..., Any]
DRAW = np.random.default_rng(5)


def numbers(*shape: int) -> Pair:
    return shared(DRAW.integers(-(1 << 20), 1 << 20, shape))


def bits(*shape: int) -> Pair:
    return shared_bits(DRAW.integers(0, 2, shape))


def selection(*shape: int) -> Pair:
    """One owner's private bits, all rows the label party's."""
    return DRAW.integers(0, 2, shape).astype(bool), np.zeros(shape, np.bool_)


def tables(party: Party, x: Shared, width: int, entry: int) -> Any:
    return digit_tables(party, own_digits(party, x.words, width), entry)


def marks(party: Party, x: Shared, carry: SharedBits) -> Any:
    return marked_sums(party, x.words, 8, carry)


def look_up(party: Party, *parts: SharedBits) -> Any:
    entries = np.arange(8, dtype=np.uint64).reshape(1, 2, 4)
    return lookups(party, parts, [Tables(entries, 3, Place(0, 1))], (parts[0].count,))


def chains(count: int) -> int:
    """Bits that multiply the masks of the chains which fold 16 digits, six groups of three.

    Of the lowest group of either level nobody wants p.
    """
    return 64 * words_per(count) * (2 * (1 + 2) + 4 * (1 + 4))


def signs(party: Party, x: Shared, width: int) -> Any:
    return sign_tables(party, x.words, width)


def packed(count: int, *ring_bits: int) -> int:
    """Bits of an answer of so many elements, in whole words: numbers, which the flips do not touch,
    and zeros after the last one."""
    return 64 * packed_words(count, ring_bits)


def sliced(count: int, bits: int) -> int:
    """The same of an answer in bit slices."""
    return 64 * bits * words_per(count)


INDEX = Index(step_bits=6, parts=(3, 2), range_bits=16)
# The program, its arguments for n elements, and how many bits of their first messages are not
# filled up at the label and at the feature party, a number for each message, by n: elements' bits
# and, where a transfer's answers go with its flips, these.
CASES: dict[str, tuple[Program, Callable[[int], list[Pair]], Callable[[int], Any]]] = {
    "multiplex_private": (
        multiplex_private,
        lambda n: [
            public(np.zeros(3, np.int64)),
            selection(3, n),
            numbers(3, 2, n),
            public((35, 31)),
        ],
        lambda n: ([3 * n], [packed(3 * n, 35, 31)]),
    ),
    "multiplex_private half words": (
        multiplex_private,
        lambda n: [
            public(np.zeros(1, np.int64)),
            selection(1, n),
            numbers(1, 1, n),
            public((32,)),
        ],
        lambda n: ([n], [packed(n, 32)]),
    ),
    "multiplex_shared": (
        multiplex_shared,
        lambda n: [bits(3, n), numbers(3, 2, n), public((41, 64))],
        lambda n: ([3 * n + packed(3 * n, 41, 64)],) * 2,
    ),
    "multiplex_shared half words": (
        multiplex_shared,
        lambda n: [bits(1, n), numbers(1, 1, n), public((32,))],
        lambda n: ([n + packed(n, 32)],) * 2,
    ),
    "halves": (
        halves,
        lambda n: [bits(n), bits(1, n), numbers(2, n), public(39)],
        lambda n: ([2 * n + packed(2 * n, 39)],) * 2,
    ),
    # Of three bits the label party receives two; then one number's carry, which it receives too.
    "lift_numbers": (
        lift_numbers,
        lambda n: [bits(3, n), public((binary(3),))],
        lambda n: ([2 * n + sliced(n, 2)], [n + sliced(n, 3 + 1)]),
    ),
    "widen": (widen, lambda n: [numbers(n), public(32)], lambda n: ([n], [sliced(n, 32)])),
    # The label party answers for the lower half, where the free bits are. Masks of chains, which
    # go along, are random bits in whole words.
    "is_negative": (
        is_negative,
        lambda n: [numbers(n)],
        lambda n: ([32 * n + chains(n)], [31 * n + chains(n)]),
    ),
    "to_bits": (
        to_bits,
        lambda n: [numbers(n), public(22)],
        lambda n: ([12 * n], [10 * n]),
    ),
    "to_bits of rows": (
        to_bits,
        lambda n: [numbers(2, n), public(22)],
        lambda n: ([24 * n], [20 * n]),
    ),
    "carries of one digit": (
        tables,
        lambda n: [numbers(n), public(1), public(CARRIES)],
        lambda n: ([n], [0]) if n <= 64 else ([n - 64], [64]),
    ),
    "sums": (
        tables,
        lambda n: [numbers(n), public(8), public(SUMS)],
        lambda n: ([4 * n], [4 * n]),
    ),
    "signs": (signs, lambda n: [numbers(n), public(13)], lambda n: ([8 * n], [5 * n])),
    # Two digits of the low part (6 bits) and two of the high one (5), all in one message.
    "magnitude": (
        magnitude,
        lambda n: [numbers(n), public(INDEX)],
        lambda n: ([(4 + 4) * n], [(2 + 1) * n]),
    ),
    # Of the lowest digit (8 bits) two are no free ones, and there is the carry.
    "marked_sums": (
        marks,
        lambda n: [numbers(n), bits(n)],
        lambda n: ([3 * n], [0]) if n <= 64 else ([3 * (n - 64)], [3 * 64]),
    ),
    "and_bits": (and_bits, lambda n: [bits(3, n), bits(3, n)], lambda n: ([6 * n], [6 * n])),
    "and_broadcast": (
        and_broadcast,
        lambda n: [bits(2, n), bits(5, 2, n)],
        lambda n: ([12 * n], [12 * n]),
    ),
    "all_of": (all_of, lambda n: [bits(5, n)], lambda n: ([4 * n, 2 * n], [4 * n, 2 * n])),
    "lookups": (
        look_up,
        lambda n: [bits(2, n), bits(1, n)],
        lambda n: ([2 * n, 4 * n], [2 * n, 4 * n]),
    ),
    "highest_bit": (highest_bit, lambda n: [bits(2, n)], lambda n: ([2 * n], [2 * n])),
    "to_arithmetic": (to_arithmetic, lambda n: [bits(3, n)], lambda n: ([3 * n], [3 * n])),
}


DIGITS = {"is_negative", "to_bits", "to_bits of rows", "carries of one digit", "sums", "signs"}
DIGITS |= {"magnitude", "marked_sums"}


def messages(program: Program, arguments: list[Pair], run: int) -> list[list[bytes]]:
    """What both parties send, in one of many runs that differ in padding."""

    def padded(party: Party, given: list[Any]) -> None:
        party.padding = Prg(bytes([run, party.rank] * 8))
        program(party, *given)

    sides = [[pair[rank] for pair in arguments] for rank in (0, 1)]
    _, channels, _ = recorded(padded, sides)
    return [[payload for _, payload in channel.sent] for channel in channels]


def masks_of(name: str) -> int:
    """Every how-manieth message has masked bits: digits' flips come before their answers."""
    return 2 if name in DIGITS else 1


@pytest.mark.parametrize("count", [1, 65])
@pytest.mark.parametrize("name", CASES)
def test_only_elements_are_masked_constants(name: str, count: int) -> None:
    program, arguments, expected = CASES[name]
    given = arguments(count)
    runs = [messages(program, given, run) for run in range(RUNS)]
    for rank in (0, 1):
        for number, elements in enumerate(expected(count)[rank]):
            at = masks_of(name) * number
            drawn = np.array([np.frombuffer(run[rank][at], np.uint8) for run in runs])
            fixed = ~np.bitwise_or.reduce(drawn ^ drawn[0], axis=0)
            assert int(np.unpackbits(fixed).sum()) == elements, (rank, number)


@pytest.mark.parametrize("count", [0, 3, 64, 70])
def test_rows_are_filled_up_with_words_of_either_party(count: int) -> None:
    x = numbers(2, count)
    for party, given in zip(insecure_parties(0), x, strict=True):
        words = filled(party, given).words
        assert words.shape == (2, -(-count // 64) * 64)
        np.testing.assert_array_equal(words[:, :count], given.words)
        assert np.unique(words[:, count:]).size == words[:, count:].size


def test_what_fills_up_is_uniform() -> None:
    n, drawn = 65, []
    for run in range(200):
        sent = messages(and_bits, [bits(3, n), bits(3, n)], run)
        tails = np.frombuffer(sent[0][0], np.uint64).reshape(-1, 2)[:, 1] >> np.uint64(n - 64)
        drawn.append(tails)
    words = np.concatenate(drawn)
    ones = [(words >> np.uint64(place) & np.uint64(1)).mean() for place in range(63)]
    assert np.all(np.abs(np.array(ones) - 0.5) < 5 * 0.5 / np.sqrt(words.size))
    assert np.unique(words).size == words.size


def test_free_bits_are_of_the_digits_that_are_not_full() -> None:
    def digits(party: Party, x: Shared) -> Any:
        return own_digits(party, x.words, 9)

    pair = numbers(70)
    (label, _), _, _ = recorded(digits, list(pair))
    assert label.free.tolist() == [7, 0, 0]
    assert label.bits.shape == (3, DIGIT, 2)
    assert not label.bits[0, :3, 0].any()
