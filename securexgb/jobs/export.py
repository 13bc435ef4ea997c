"""Export of a whole model as xgboost's JSON, to the side that both have signed for.

Both run it with their halves, in one session; ``boost.splits.opened`` says what is opened. With the
model goes what a file needs and trees do not hold: the names of the columns, and of the categories
that splits name, of the side that does not get the model to the one that does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.splits.opened import OpenedModel, Opening, open_model
from securexgb.errors import MalformedFrame
from securexgb.jobs.simulation import Halves, Sides, simulate_parties
from securexgb.model.xgboost_json import (
    Categories,
    Columns,
    both_columns,
    check_written,
    unique_names,
    xgboost_json,
)
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Audience

EXPORTED = "xgboost.json"
"""The file in a run's directory."""


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class _Named:
    """Names of a side's columns, and by column of the categories that splits name."""

    columns: tuple[str, ...]
    categories: dict[int, tuple[str, ...]]

    def check(self, half: ModelHalf, rank: int) -> None:
        """MalformedFrame where they cannot be of the columns of side ``rank``."""
        first, count = half.layout.label_columns * rank, half.layout.columns[rank]
        if len(self.columns) != count:
            raise MalformedFrame("the other side's names of its columns are not as many as these")
        own = [n - first for n in half.layout.categorical if first <= n < first + count]
        if sorted(self.categories) != own:
            raise MalformedFrame(
                "the other side's names of categories are not of its categorical columns"
            )


_NAMED = TypeAdapter(_Named)


def joint_export(
    party: Party, half: ModelHalf, recipient: Audience, sides: tuple[str, str]
) -> bytes | None:
    """The file's content at the side that ``recipient`` names, None at one that it does not.

    ``sides``: what the label and the feature party are called, where both have a column of one
    name. Errors as of ``open_model``.
    """
    check_written(half.params)
    with party.step("export"):
        opening = open_model(party, half, recipient)
        own = _Named(half.columns, _category_names(half, opening))
        told = own if recipient != party.role else _Named((), {})
        theirs = _names(party.exchange_bytes(json.dumps(asdict(told)).encode()))
    if opening.model is None:
        return None
    theirs.check(half, 1 - party.rank)
    both = (own, theirs) if party.rank == 0 else (theirs, own)
    columns = both_columns(both[0].columns, both[1].columns, sides)
    categories = {
        first + column: Categories(names, range(len(names)))
        for first, one in zip((0, half.layout.label_columns), both, strict=True)
        for column, names in one.categories.items()
    }
    return _content(opening.model, half, replace(columns, categories=categories))


def export_alone(halves: Halves, sides: Sides, names: Sequence[str], seed: int) -> bytes:
    """The same of both halves in one process, with the columns in the order of the whole table.

    ``names``: of the table's columns, none where they have none.
    """
    check_written(halves[0].params)

    def program(party: Party, half: ModelHalf) -> Opening:
        return open_model(party, half, "label")

    openings = simulate_parties(program, halves, seed).results
    opened = openings[0].model
    assert opened is not None
    # The table's own numbers of categories, of which it has all names.
    categories = {
        half.layout.label_columns * half.rank + column: Categories(
            half.categories[half.columns[column]], numbers.tolist()
        )
        for half, opening in zip(halves, openings, strict=True)
        for column, numbers in opening.categories.items()
    }
    columns = Columns(unique_names(names), np.concatenate(sides), categories)
    return _content(opened, halves[0], columns)


def _category_names(half: ModelHalf, opening: Opening) -> dict[int, tuple[str, ...]]:
    """Of own categorical columns, the names of the categories that splits name."""
    return {
        column: tuple(half.categories[half.columns[column]][number] for number in numbers)
        for column, numbers in opening.categories.items()
    }


def _content(opened: OpenedModel, half: ModelHalf, columns: Columns) -> bytes:
    return json.dumps(xgboost_json(opened, half, columns), allow_nan=False).encode()


def _names(payload: bytes) -> _Named:
    try:
        return _NAMED.validate_json(payload)
    except ValidationError as error:
        raise MalformedFrame("the other side's names of its columns are malformed") from error
