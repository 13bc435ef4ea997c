"""Kinds as values: each has a name and a number of its own, and a law that says something."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import securexgb
from securexgb._pb import dealer_pb2 as pb
from securexgb.channel.memory import memory_pair
from securexgb.correlations.digits import DigitTransfers
from securexgb.correlations.gates import WIDEST, Gates
from securexgb.correlations.kind import Kind
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.row_triples import RowTriples
from securexgb.correlations.transfers import Transfers, transfer_bits
from securexgb.correlations.triples import Triples
from securexgb.dealer.wire import series_of
from securexgb.offline.ahead import cut, joined
from securexgb.offline.dealer_link import request
from securexgb.offline.local import InsecureLocalSource
from tests.offline.laws import arrays, check, check_next, holds


def test_kinds_are_values() -> None:
    assert Gates(4) == Gates(4) != Gates(2)
    assert Transfers(64, 0) != Transfers(64, 1)
    assert Triples(52) != Triples() == Triples(52).dealt
    assert all(kind.dealt == kind for kind in KINDS)


def test_every_kind_has_a_name_and_a_number_of_its_own() -> None:
    """Names are derived from in every run: a changed one would be another stream."""
    assert [kind.name for kind in KINDS] == [
        "triples",
        *(f"gates_{width}" for width in (1, 2, 4, 8, 16, 32, 64)),
        *(f"digits_{width}_from_{rank}" for width in (2, 7, 8) for rank in (0, 1)),
        "shared_bits",
        "half_bits",
        *(f"slices_{width}_from_{rank}" for width in (8, 16, 32, 64) for rank in (0, 1)),
        *(f"ot_{bits}_from_{rank}" for bits in (8, 16, 32, 64, 128) for rank in (0, 1)),
    ]
    asked = [request(kind, 64, 128).request for kind in KINDS]
    assert [series_of(message) for message in asked] == list(KINDS)
    numbers = {message.kind for message in asked}
    assert numbers == set(pb.Kind.values()) - {pb.KIND_UNSPECIFIED, pb.KIND_PRODUCTS}


def test_no_name_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the kinds are called, their laws hold: nothing is read off a name."""
    for family in {type(kind) for kind in KINDS}:
        monkeypatch.setattr(family, "name", property(lambda kind: f"{KINDS.index(kind):x}"))
    sources = [InsecureLocalSource(rank, channel, 1) for rank, channel in enumerate(memory_pair())]
    for kind in KINDS:
        check_next(kind, (sources[0], sources[1]), 192)


def test_no_name_is_written_twice_and_no_length_guessed() -> None:
    """A name is written in its kind's file; nothing follows from how many arrays there are."""
    stems = "|".join({kind.name.split("_")[0] for kind in KINDS})
    written = re.compile(rf"""["'](?:{stems})(?:_[^"' ]*)?["']""")
    guessed = re.compile(r"len\((?:first|second|pieces|free|arrays)\)")
    package = Path(securexgb.__file__).parent
    families = {Path(inspect.getfile(type(kind))) for kind in KINDS}
    for folder in ("correlations", "dealer", "offline"):
        for path in sorted((package / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            assert path in families or not written.search(text), f"{path.name} names a kind"
            assert not guessed.search(text), f"{path.name} guesses by a length"


@pytest.mark.parametrize("kind", [*KINDS, Triples(33), RowTriples(2, 33)])
def test_a_law_is_broken_by_another_piece(kind: Kind[Any]) -> None:
    zero, one = (
        InsecureLocalSource(rank, channel, 1).take(kind, 192)
        for rank, channel in enumerate(memory_pair())
    )
    check(kind, zero, one, 192)
    for wrong in (one, zero):
        *others, last = arrays(wrong)
        broken = type(wrong)(*others, ~last)
        assert not holds(kind, *((zero, broken) if wrong is one else (broken, one)))


@pytest.mark.parametrize("kind", KINDS)
def test_runs_are_cut_and_joined(kind: Kind[Any]) -> None:
    (channel, _) = memory_pair()
    whole = InsecureLocalSource(0, channel, 1).take(kind, 200)
    parts = [cut(whole, 0, 64), cut(whole, 64, 128), cut(whole, 128, 200)]
    for again, array in zip(arrays(joined(parts)), arrays(whole), strict=True):
        np.testing.assert_array_equal(again, array)


def test_the_narrowest_for_a_purpose() -> None:
    assert [Gates.at_least(width).width for width in (1, 2, 3, 8, 11, WIDEST)] == [
        1,
        2,
        4,
        8,
        16,
        64,
    ]
    assert [transfer_bits(precision) for precision in (1, 8, 9, 33, 64)] == [8, 8, 16, 64, 64]


def test_no_correlation_shows_itself() -> None:
    for kind in (Triples(), Gates(1), RandomBits(), DigitTransfers(2, 0), Transfers(64, 0)):
        for rank, channel in enumerate(memory_pair()):
            pieces = InsecureLocalSource(rank, channel, 1).take(kind, 64)
            shown = repr(pieces) + str(pieces)
            assert not any(str(array.ravel()[0]) in shown for array in arrays(pieces))
