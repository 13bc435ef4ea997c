"""Export of a whole model as xgboost's JSON, to the side that both have signed for.

Both run it with their halves, in one session; ``boost.splits.opened`` says what is opened. With the
model goes what a file needs and trees do not hold: the names of the columns, of the side that does
not get the model to the one that does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from pydantic import TypeAdapter, ValidationError

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.splits.opened import OpenedModel, open_model
from securexgb.errors import MalformedFrame
from securexgb.jobs.simulation import Halves, Sides, simulate_parties
from securexgb.model.xgboost_json import (
    Columns,
    both_columns,
    check_written,
    unique_names,
    xgboost_json,
)
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Audience

_NAMES = TypeAdapter(list[str])


def joint_export(
    party: Party, half: ModelHalf, recipient: Audience, sides: tuple[str, str]
) -> bytes | None:
    """The file's content at the side that ``recipient`` names, None at one that it does not.

    ``sides``: what the label and the feature party are called, where both have a column of one
    name. Errors as of ``open_model``.
    """
    check_written(half.params)
    with party.step("export"):
        opened = open_model(party, half, recipient)
        own = half.columns if recipient != party.role else ()
        theirs = _names(party.exchange_bytes(json.dumps(own).encode()))
    if opened is None:
        return None
    if len(theirs) != half.layout.columns[1 - party.rank]:
        raise MalformedFrame("the other side's names of its columns are not as many as its columns")
    label, feature = (half.columns, theirs) if party.rank == 0 else (theirs, half.columns)
    return _content(opened, half, both_columns(label, feature, sides))


def export_alone(halves: Halves, sides: Sides, names: Sequence[str], seed: int) -> bytes:
    """The same of both halves in one process, with the columns in the order of the whole table.

    ``names``: of the table's columns, none where they have none.
    """
    check_written(halves[0].params)

    def program(party: Party, half: ModelHalf) -> OpenedModel | None:
        return open_model(party, half, "label")

    opened = simulate_parties(program, halves, seed).results[0]
    assert opened is not None
    columns = Columns(unique_names(names), np.concatenate(sides))
    return _content(opened, halves[0], columns)


def _content(opened: OpenedModel, half: ModelHalf, columns: Columns) -> bytes:
    return json.dumps(xgboost_json(opened, half, columns), allow_nan=False).encode()


def _names(payload: bytes) -> list[str]:
    try:
        return _NAMES.validate_json(payload)
    except ValidationError as error:
        raise MalformedFrame("the other side's names of its columns are malformed") from error
