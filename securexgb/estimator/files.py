"""A fitted estimator on disk: a directory with estimator.json and one npz file a half.

No pickle, no channel. An estimator that played both parties writes both halves;
one side of a federation writes its own. Halves are encrypted where there is a model key: in
the environment, or as the federation's settings say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from securexgb.errors import DataError, UsageError
from securexgb.model.files import load_half, save_half
from securexgb.mpc.party import Role
from securexgb.storage.records import read_record
from securexgb.storage.sealed import ModelKey, find_key
from securexgb.storage.whole import damaged, make_directory, pack_json, write_whole

FORMAT = 2
DESCRIPTION = "estimator.json"


_Count = Annotated[int, Field(ge=0, lt=1 << 31)]


@dataclass(frozen=True)
class _Classes:
    """The labels, in numpy's name of their type; of two the one that counts as 1."""

    dtype: Annotated[str, Field(pattern=r"^([<|>][biufUS][0-9]{1,6}|\|O)$")]
    values: Annotated[tuple[bool | int | float | str, ...], Field(min_length=2)]
    positive: Literal[0, 1] | None


@dataclass(frozen=True)
class _Description:
    """What the file says of an estimator."""

    estimator: str
    halves: tuple[Role, ...]
    sides: tuple[tuple[_Count, ...], ...]
    seed: int
    n_features_in: _Count
    feature_names_in: tuple[str, ...] | None
    classes: _Classes | None


_FILE = TypeAdapter(_Description)


def save_estimator(model: Any, directory: Path) -> None:
    """Write a fitted estimator; the directory is made where it does not exist."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file: name a directory to save the model in")
    make_directory(directory)
    key = _key(model)
    for half in model._halves:
        save_half(half, directory / f"{half.role}.npz", key)
    classes = getattr(model, "classes_", None)
    names = getattr(model, "feature_names_in_", None)
    facts = {
        "format": FORMAT,
        "estimator": type(model).__name__,
        "halves": [half.role for half in model._halves],
        "sides": [side.tolist() for side in model._sides],
        "seed": model._seed,
        "n_features_in": model.n_features_in_,
        "feature_names_in": None if names is None else [str(name) for name in names],
        "classes": None
        if classes is None
        else {
            "dtype": classes.dtype.str,
            "values": classes.tolist(),
            "positive": model._positive,
        },
    }
    write_whole(directory / DESCRIPTION, pack_json(facts))


def _key(model: Any) -> ModelKey | None:
    return find_key(None if model.federation is None else model.federation.config.model_key)


def saved_kind(directory: Path) -> str:
    """Name of the class whose model a directory holds."""
    return read_record(directory / DESCRIPTION, _FILE, FORMAT).estimator


def restore_estimator(model: Any, directory: Path) -> None:
    """Read what ``save_estimator`` wrote into an estimator of the same class."""
    facts = read_record(directory / DESCRIPTION, _FILE, FORMAT)
    if facts.estimator != type(model).__name__:
        raise DataError(f"{directory} holds {facts.estimator!r}, not a {type(model).__name__}")
    key = _key(model)
    halves = tuple(load_half(directory / f"{role}.npz", key) for role in facts.halves)
    fitted = {
        "_halves": halves,
        "_sides": tuple(np.asarray(side, np.intp) for side in facts.sides),
        "_seed": facts.seed,
        "_categories": {name: of for half in halves for name, of in half.categories.items()},
        "n_features_in_": facts.n_features_in,
    }
    if facts.feature_names_in is not None:
        fitted["feature_names_in_"] = np.asarray(facts.feature_names_in, dtype=object)
    if facts.classes is not None:
        try:
            fitted["classes_"] = np.asarray(facts.classes.values, dtype=facts.classes.dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise damaged(DESCRIPTION) from error
        fitted["_positive"] = facts.classes.positive
        outputs = halves[0].outputs if halves else 0
        if len(facts.classes.values) != (2 if facts.classes.positive is not None else outputs):
            raise damaged(DESCRIPTION)
    is_swapped = [half.role for half in halves] != list(facts.halves)
    if is_swapped or len({half.model_id for half in halves}) != 1:
        raise DataError(f"the halves in {directory} do not belong together: restore a copy")
    if not halves or [len(half.columns) for half in halves] != [len(s) for s in facts.sides]:
        raise damaged(DESCRIPTION)
    if any(place >= facts.n_features_in for side in facts.sides for place in side):
        raise damaged(DESCRIPTION)
    for name, value in fitted.items():
        setattr(model, name, value)
