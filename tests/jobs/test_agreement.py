"""Agreement: the other side's description is never trusted to be well-formed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.boost.params import TrainingParams
from securexgb.errors import MalformedFrame, UsageError
from securexgb.jobs.agreement import (
    CheckpointSummary,
    JobDescription,
    _check_categorical,
    _directions,
    _parse,
)

FACTS = JobDescription(
    params="{}",
    past="",
    digest="d",
    rows=3,
    columns=2,
    weights=False,
    sets=(("e", 3, True),),
    nonce="00",
    checkpoint="resume",
    saved=CheckpointSummary("m", "c", ("s",), (1,)),
)


def test_facts_survive_the_wire() -> None:
    assert _parse(json.dumps(asdict(FACTS)).encode()) == FACTS


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\x00",
        b"[" * 100_000,
        json.dumps(asdict(FACTS) | {"rows": "many"}).encode(),
        json.dumps(asdict(FACTS) | {"columns": -1}).encode(),
        json.dumps(asdict(FACTS) | {"sets": [1]}).encode(),
        json.dumps(asdict(FACTS) | {"saved": {}}).encode(),
        json.dumps(asdict(FACTS) | {"more": 1}).encode(),
        json.dumps(asdict(FACTS) | {"directions": [2]}).encode(),
        json.dumps(asdict(FACTS) | {"strangers": 1}).encode(),
    ],
)
def test_malformed_facts_are_refused(payload: bytes) -> None:
    with pytest.raises(MalformedFrame):
        _parse(payload)


@given(st.binary(max_size=200))
def test_noise_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedFrame):
        _parse(payload)


@pytest.mark.parametrize("rows", ["Infinity", "1e400", "true", '"7"', "1.5", "-1"])
def test_a_count_is_a_count(rows: str) -> None:
    text = json.dumps(asdict(FACTS)).replace(f'"rows": {FACTS.rows}', f'"rows": {rows}')
    with pytest.raises(MalformedFrame):
        _parse(text.encode())


def test_directions_are_one_for_each_column() -> None:
    params = TrainingParams(monotone_constraints={"a": 1})
    short = replace(FACTS, directions=(1,))
    with pytest.raises(MalformedFrame, match="not one for each"):
        _directions(params, (replace(FACTS, directions=(1, 0)), short))
    whole = replace(FACTS, directions=(0, 1)), replace(FACTS, directions=(1, 0))
    assert _directions(params, whole) == (0, 1, 1, 0)
    kinds = replace(whole[0], categorical=(0,)), replace(whole[1], categorical=(1,))
    assert _directions(params, kinds) == (0, 1, 1, 0)
    with pytest.raises(UsageError, match="a direction for a categorical column"):
        _directions(params, (whole[0], replace(whole[1], categorical=(0,))))


@pytest.mark.parametrize("told", [(2,), (1, 0), (0, 0)])
def test_categorical_columns_are_own_ones_in_order(told: tuple[int, ...]) -> None:
    params = TrainingParams(enable_categorical=True)
    _check_categorical(replace(FACTS, categorical=(0, 1)), params)
    with pytest.raises(MalformedFrame, match="categorical columns is malformed"):
        _check_categorical(replace(FACTS, categorical=told), params)
    with pytest.raises(MalformedFrame, match="categorical columns is malformed"):
        _check_categorical(replace(FACTS, categorical=(0,)), TrainingParams())
