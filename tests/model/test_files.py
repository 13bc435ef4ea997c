"""Model files: what is loaded is what was saved; anything else is refused by a sentence."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.boost.ensemble import check_pair
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.errors import DataError, SecureXGBError, TermsDiffer, UsageError
from securexgb.model.files import dump_half, load_half, parse_half, save_half
from securexgb.storage.whole import pack_arrays, unpack_arrays
from securexgb.testing import run_parties
from tests.boost.data import same_model, sides, table, train_both

DATA = sides(*table(60, missing=0.1), 2)
PARAMS = TrainingParams(n_estimators=3, max_depth=2, max_bin=8, early_stopping_rounds=3)
HALVES = train_both(PARAMS, DATA, evals={"e": DATA})
CONTENT = dump_half(HALVES[0])


def test_a_saved_model_predicts_the_same(tmp_path: Path) -> None:
    loaded = []
    for half in HALVES:
        path = tmp_path / f"{half.role}.model"
        save_half(half, path)
        loaded.append(load_half(path))
    check_pair(*loaded)
    assert same_model((loaded[0], loaded[1]), HALVES)
    for one, two in zip(loaded, HALVES, strict=True):
        for name in ("params", "layout", "history", "columns", "best_iteration", "base"):
            assert getattr(one, name) == getattr(two, name)

    def program(party, half_and_side):
        half, side = half_and_side
        return predict(party, half, side.values, Request("both"))

    scores = [
        run_parties(program, list(zip(pair, DATA, strict=True)))[0] for pair in (HALVES, loaded)
    ]
    assert np.array_equal(*scores)


def test_a_model_without_trees_round_trips() -> None:
    empty = replace(HALVES[0], trees=[], best_iteration=None)
    assert parse_half(dump_half(empty), "x").trees == []


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "m"
    save_half(HALVES[0], path)
    save_half(HALVES[1], path)
    assert load_half(path).rank == 1
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("keep", [0, 1, 100, 1000, len(CONTENT) - 30])
def test_truncated_files_are_refused(keep: int) -> None:
    with pytest.raises(DataError, match="m is truncated or damaged"):
        parse_half(CONTENT[:keep], "m")


@given(st.data())
def test_damaged_files_are_refused_or_equal(data: st.DataObject) -> None:
    """A flipped byte is found by the archive's checksums, or lies where nothing is read."""
    place = data.draw(st.integers(0, len(CONTENT) - 1))
    damaged = bytearray(CONTENT)
    damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        half = parse_half(bytes(damaged), "m")
    except SecureXGBError:
        return
    assert dump_half(half) == CONTENT


def test_files_of_another_kind_are_refused() -> None:
    for content in (b"{}", pickle.dumps({"a": 1}), pack_arrays({"a": np.zeros(3)})):
        with pytest.raises(DataError):
            parse_half(content, "m")


def test_pickled_objects_are_never_loaded() -> None:
    import io

    buffer = io.BytesIO()
    np.savez(buffer, model=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError):
        parse_half(buffer.getvalue(), "m")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", 99, "format 99"),
        ("role", "dealer", "damaged"),
        ("columns", ["a"], "damaged"),
        ("trees", 9, "damaged"),
        ("params", {"max_depth": 99}, "not valid"),
        ("base", "x", "damaged"),
        ("history", [], "damaged"),
    ],
)
def test_headers_that_do_not_fit_are_refused(key: str, value: object, words: str) -> None:
    arrays = unpack_arrays(CONTENT, "m")
    header = json.loads(arrays["model"].tobytes()) | {key: value}
    arrays["model"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with pytest.raises(DataError, match=words):
        parse_half(pack_arrays(arrays), "m")


def test_no_file_and_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load_half(tmp_path / "nothing")
    with pytest.raises(UsageError, match="no directory"):
        save_half(HALVES[0], tmp_path / "a" / "b")


def test_halves_that_do_not_belong_together_are_refused() -> None:
    other = train_both(PARAMS, DATA, evals={"e": DATA}, seed=7)
    with pytest.raises(TermsDiffer, match="do not belong together"):
        check_pair(HALVES[0], other[1])
    with pytest.raises(TermsDiffer, match="label half"):
        check_pair(HALVES[0], HALVES[0])
