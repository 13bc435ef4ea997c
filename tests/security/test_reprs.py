"""No default repr shows an array or a key: tracebacks, logs and notebooks print what objects say.

Shares, bins, labels, thresholds and tables lie in arrays. So no field of a dataclass that its repr
shows may be one, nor hold one; a share's own repr says its shape, a stream's how far it has come.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import securexgb
from securexgb.arith.prg import Prg
from securexgb.boost.params import TrainingParams
from securexgb.mpc.shared import Shared, SharedBits
from tests.boost.data import sides, table, train_both

SKIPPED = ("_pb2", "__main__")


def shown() -> Iterator[tuple[str, object]]:
    """Name and type of every field that a generated repr of the package shows."""
    for found in pkgutil.walk_packages(securexgb.__path__, "securexgb."):
        if any(part in found.name for part in SKIPPED):
            continue
        module = importlib.import_module(found.name)
        for name, item in inspect.getmembers(module, inspect.isclass):
            if item.__module__ != found.name or not dataclasses.is_dataclass(item):
                continue
            if not item.__dataclass_params__.repr:  # type: ignore[attr-defined]
                continue
            hints = typing.get_type_hints(item)
            for field in dataclasses.fields(item):
                if field.repr:
                    yield f"{found.name} {name}.{field.name}", hints[field.name]


SHOWN = dict(shown())


def holds(hint: object, kind: type) -> bool:
    """Whether a value of the type ``hint`` is a ``kind`` or holds one, by its text."""
    if inspect.isclass(hint) and issubclass(hint, kind):
        return True
    return typing.get_origin(hint) is kind or any(
        holds(part, kind) for part in typing.get_args(hint)
    )


def test_no_shown_field_is_an_array() -> None:
    assert len(SHOWN) > 300
    assert [name for name, hint in SHOWN.items() if holds(hint, np.ndarray)] == []


def test_what_may_be_shown_in_their_place_says_nothing() -> None:
    stream = Prg(b"0123456789abcdef")
    texts = [repr(stream), repr(Shared(stream.words(3))), repr(SharedBits(stream.words(1), 60))]
    assert texts == ["Prg(next word 0)", "Shared(shape=(3,))", "SharedBits(shape=(60,))"]


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_a_models_half_shows_no_number_of_its_own(splits: str) -> None:
    params = TrainingParams(n_estimators=1, max_depth=2, max_bin=8, splits=splits)
    data = sides(*table(60), 2)
    for half, rows in zip(train_both(params, data), data, strict=True):
        known = replace(half, base=(987654321987,), centre=12345.5)
        for text in (repr(known), repr(rows)):
            assert "array(" not in text
            assert "987654321987" not in text
            assert "12345.5" not in text
