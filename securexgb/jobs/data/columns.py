"""What two sides tell each other of their columns: numbers, and which of the terms' names are none.

How many columns a side has, which of them are categorical, and for each the direction and the
groups of interactions that the terms name it for. Names stay where they are: a side says which
names of the terms it does not have, so that one that neither has is refused at both. A training
agrees on it with everything else (``jobs.agreement``), ``check`` asks for it before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from pydantic import ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.directions import (
    in_order,
    is_by_name,
    no_column,
    of_columns,
    strangers,
)
from securexgb.boost.splits.interactions import (
    MOST_GROUPS,
    check_owned,
    groups_of,
    in_all,
    is_of_names,
    unknown_columns,
)
from securexgb.errors import MalformedFrame, UsageError
from securexgb.jobs.table import Table
from securexgb.mpc.party import Party

_STRICT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class ColumnFacts:
    """Of one side's columns.

    ``categorical``: which of them are, ascending. ``directions``: of each, where the terms name
    some, else (); ``strangers``: names of the terms' directions that none has. ``groups``,
    ``unknown``: likewise of interaction constraints, see ``splits.interactions``.
    """

    count: NonNegativeInt
    categorical: tuple[NonNegativeInt, ...] = ()
    directions: tuple[Annotated[int, Field(ge=-1, le=1)], ...] = ()
    strangers: tuple[str, ...] = ()
    groups: tuple[Annotated[int, Field(ge=0, lt=1 << MOST_GROUPS)], ...] = ()
    unknown: tuple[str, ...] = ()

    @staticmethod
    def of(params: TrainingParams, rows: Table) -> ColumnFacts:
        terms, interactions = params.monotone_constraints, params.interaction_constraints
        names = rows.column_names
        return ColumnFacts(
            count=len(names),
            categorical=rows.categorical,
            directions=of_columns(terms, names) if is_by_name(terms) else (),
            strangers=strangers(terms, names),
            groups=groups_of(interactions, names) if is_of_names(interactions) else (),
            unknown=unknown_columns(interactions, names),
        )


_FACTS = TypeAdapter(ColumnFacts)
Both = tuple[ColumnFacts, ColumnFacts]


@dataclass(frozen=True)
class AgreedColumns:
    """Of the columns of both sides, the label party's first: how many each has; which are
    categorical, ascending; directions and groups, None where the terms have none."""

    counts: tuple[int, int]
    categorical: tuple[int, ...]
    directions: tuple[int, ...] | None
    groups: tuple[int, ...] | None

    @staticmethod
    def of(params: TrainingParams, both: Both) -> AgreedColumns:
        """What both sides hold after they have told each other; UsageError at both for terms that
        do not fit the columns, MalformedFrame for facts that cannot be."""
        for one in both:
            _check_categorical(params, one)
        first = both[0].count
        categorical = *both[0].categorical, *(first + own for own in both[1].categorical)
        return AgreedColumns(
            counts=(first, both[1].count),
            categorical=categorical,
            directions=_directions(params, both, categorical),
            groups=_groups(params, both),
        )


def agree_on_columns(party: Party, params: TrainingParams, rows: Table) -> AgreedColumns:
    """One message each way, before a training that would say the same."""
    mine = ColumnFacts.of(params, rows)
    theirs = _parsed(party.exchange_bytes(json.dumps(asdict(mine)).encode()))
    return AgreedColumns.of(params, (mine, theirs) if party.rank == 0 else (theirs, mine))


def _parsed(payload: bytes) -> ColumnFacts:
    try:
        return _FACTS.validate_json(payload)
    except ValidationError as error:
        raise MalformedFrame("what the other side says of its columns is malformed") from error


def _check_categorical(params: TrainingParams, one: ColumnFacts) -> None:
    """Refuse numbers of categorical columns that cannot be."""
    told = list(one.categorical)
    is_allowed = params.enable_categorical or not told
    if not is_allowed or told != sorted(set(told)) or any(n >= one.count for n in told):
        raise MalformedFrame("a side's list of its categorical columns is malformed")


def _directions(
    params: TrainingParams, both: Both, categorical: Sequence[int]
) -> tuple[int, ...] | None:
    """UsageError at both for names that neither of them has, and for categorical columns."""
    terms = params.monotone_constraints
    if not terms:
        return None
    ways = tuple(way for side in both for way in side.directions)
    if not is_by_name(terms):
        ways = in_order(terms, sum(side.count for side in both))
    elif unknown := [name for name in both[0].strangers if name in both[1].strangers]:
        raise UsageError(no_column("monotone_constraints", unknown))
    elif any(len(side.directions) != side.count for side in both):
        raise MalformedFrame("a side's directions are not one for each of its columns")
    if any(ways[number] for number in categorical):
        raise UsageError(
            "monotone_constraints has a direction for a categorical column, whose values have no "
            "order: leave it out"
        )
    return ways


def _groups(params: TrainingParams, both: Both) -> tuple[int, ...] | None:
    """UsageError at both for names that neither of them has."""
    terms = params.interaction_constraints
    if not terms:
        return None
    groups = in_all(terms, sum(side.count for side in both))
    if is_of_names(terms):
        if unknown := [name for name in both[0].unknown if name in both[1].unknown]:
            raise UsageError(no_column("interaction_constraints", unknown))
        if any(len(side.groups) != side.count for side in both):
            raise MalformedFrame("a side's groups are not of each of its columns")
        groups = tuple(of_column for side in both for of_column in side.groups)
    if not params.is_hidden:
        check_owned(groups, both[0].count)
    return groups
