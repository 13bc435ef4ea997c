"""Agreement: the other side's description is never trusted to be well-formed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.boost.params import TrainingParams
from securexgb.errors import MalformedFrame, UsageError
from securexgb.jobs.agreement import (
    CheckpointSummary,
    JobDescription,
    _parse,
)
from securexgb.jobs.data.columns import AgreedColumns, ColumnFacts, _parsed

FACTS = JobDescription(
    params="{}",
    past="",
    digest="d",
    rows=3,
    columns=ColumnFacts(2),
    weights=False,
    sets=(("e", 3, True),),
    nonce="00",
    checkpoint="resume",
    saved=CheckpointSummary("m", "c", ("s",), (1,)),
)


def own(**facts: Any) -> ColumnFacts:
    return ColumnFacts(2, **facts)


def test_facts_survive_the_wire() -> None:
    columns = own(categorical=(1,), directions=(0, -1), unknown=("a",))
    assert _parsed(json.dumps(asdict(columns)).encode()) == columns
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
        json.dumps(asdict(FACTS) | {"columns": 2}).encode(),
        json.dumps(asdict(FACTS) | {"columns": {"count": -1}}).encode(),
        json.dumps(asdict(FACTS) | {"sets": [1]}).encode(),
        json.dumps(asdict(FACTS) | {"saved": {}}).encode(),
        json.dumps(asdict(FACTS) | {"more": 1}).encode(),
        json.dumps(asdict(FACTS) | {"columns": {"count": 2, "directions": [2]}}).encode(),
        json.dumps(asdict(FACTS) | {"columns": {"count": 2, "strangers": 1}}).encode(),
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
    params = replace(params, enable_categorical=True)
    with pytest.raises(MalformedFrame, match="not one for each"):
        AgreedColumns.of(params, (own(directions=(1, 0)), own(directions=(1,))))
    whole = own(directions=(0, 1)), own(directions=(1, 0))
    assert AgreedColumns.of(params, whole).directions == (0, 1, 1, 0)
    kinds = replace(whole[0], categorical=(0,)), replace(whole[1], categorical=(1,))
    found = AgreedColumns.of(params, kinds)
    assert (found.directions, found.categorical) == ((0, 1, 1, 0), (0, 3))
    with pytest.raises(UsageError, match="a direction for a categorical column"):
        AgreedColumns.of(params, (whole[0], replace(whole[1], categorical=(0,))))


@pytest.mark.parametrize("told", [(2,), (1, 0), (0, 0)])
def test_categorical_columns_are_own_ones_in_order(told: tuple[int, ...]) -> None:
    params = TrainingParams(enable_categorical=True)
    assert AgreedColumns.of(params, (own(), own(categorical=(0, 1)))).categorical == (2, 3)
    with pytest.raises(MalformedFrame, match="categorical columns is malformed"):
        AgreedColumns.of(params, (own(), own(categorical=told)))
    with pytest.raises(MalformedFrame, match="categorical columns is malformed"):
        AgreedColumns.of(TrainingParams(), (own(), own(categorical=(0,))))
