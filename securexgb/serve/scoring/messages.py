"""What the two ends of a session tell each other in the clear, as JSON: a call, and its answer.

The label party's end calls, the other one answers; calls are numbered by the caller. A call says
that it is there (nothing but its number and its models), or opens a model for this session, or asks
for rows to be scored. Keys are in it: the feature party learns who is scored, which terms say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from securexgb.errors import MalformedFrame
from securexgb.mpc.party import Party
from securexgb.terms.serving import MOST_ROWS

MOST_MODELS = 16
"""So many of a side's newest models are told."""
MOST_KEY = 256
"""Characters of a key."""
MOST_BYTES = 1 << 20
"""Of a call or an answer."""
_STRICT = ConfigDict(extra="forbid")
Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
Name = Annotated[str, StringConstraints(max_length=32, pattern=r"^[0-9a-f]*$")]
Key = Annotated[str, StringConstraints(max_length=MOST_KEY)]
Models = Annotated[tuple[Id, ...], Field(max_length=MOST_MODELS)]
Mark = Literal["scored", "unknown", "budget"]
"""Of a row, at the side that answers."""
MOST_WHY = 200
Why = Annotated[str, StringConstraints(max_length=MOST_WHY)]


@dataclass(frozen=True, repr=False)
class Asked:
    """Rows that are to be scored, filled up to ``rows`` by ones without a value. ``name``: of the
    batch, drawn for it: what both audits know it by."""

    __pydantic_config__ = _STRICT
    model: Id
    rows: Annotated[int, Field(ge=1, le=MOST_ROWS)]
    keys: Annotated[tuple[Key, ...], Field(min_length=1, max_length=MOST_ROWS)]
    reasons: bool = False
    name: Name = ""


@dataclass(frozen=True, repr=False)
class Call:
    """``models``: ids, the newest last; told where nothing is asked. ``open``: the id of a model
    that both sides have and that this session has not opened, and ``trees``, with which it
    predicts."""

    __pydantic_config__ = _STRICT
    number: int
    models: Models | None = None
    open: Id | None = None
    trees: int = 0
    asked: Asked | None = None


@dataclass(frozen=True, repr=False)
class Answer:
    """``is_leaving``: this replica ends soon, find another one. ``marks``: one a key, and ``why``
    of those that a budget refuses. ``failure``: rows could not be looked up; nothing is scored."""

    __pydantic_config__ = _STRICT
    number: int
    is_leaving: bool = False
    models: Models | None = None
    marks: Annotated[tuple[Mark, ...], Field(max_length=MOST_ROWS)] = ()
    why: dict[int, Why] | None = None
    failure: bool = False


Told = TypeVar("Told", Call, Answer)
_CALLS, _ANSWERS = TypeAdapter(Call), TypeAdapter(Answer)


def tell(party: Party, said: Call | Answer) -> None:
    """One message to the other side."""
    if isinstance(said, Answer):
        payload = _ANSWERS.dump_json(said, exclude_defaults=True)
    else:
        payload = _CALLS.dump_json(said, exclude_defaults=True)
    party.pass_bytes(party.rank, payload)


def hear_call(party: Party) -> Call:
    """The next call, once it comes; MalformedFrame where it is none."""
    return _heard(party, _CALLS)


def hear_answer(party: Party) -> Answer:
    """The answer to this side's call; MalformedFrame where it is none."""
    return _heard(party, _ANSWERS)


def _heard(party: Party, adapter: TypeAdapter[Told]) -> Told:
    payload = party.pass_bytes(1 - party.rank, most=MOST_BYTES)
    try:
        return adapter.validate_json(payload)
    except ValidationError:  # its text would have keys in it
        raise MalformedFrame("the other side's message about rows to score is malformed") from None
