"""Model files: one party's half in one npz file, without pickled objects.

The file holds ``model`` (JSON as bytes: format, role, model id, job digest, parameters,
layout, own column names, metric history), the own bins' cuts, and each part of the trees as one
array over all trees. A half alone predicts nothing and tells nothing of the other side's splits;
its leaf values are shares. With a key the file is encrypted (``storage.sealed``), bound to format,
role, model id and schema (layout and own columns).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import NonNegativeInt, TypeAdapter

from securexgb.boost.ensemble import History, ModelHalf
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.tree import Tree, check_trees, tree_of
from securexgb.errors import DataError, UsageError
from securexgb.mpc.party import ROLES, Role
from securexgb.storage.records import of_format, typed
from securexgb.storage.sealed import About, ModelKey, opened_content, sealed_content
from securexgb.storage.whole import (
    Arrays,
    damaged,
    pack_arrays,
    read_whole,
    unpack_arrays,
    unpack_json,
    write_whole,
)

FORMAT = 4


@dataclass(frozen=True)
class _Header:
    """What a model file says beside its arrays; every value is public or this side's own."""

    role: Role
    model_id: str
    job_digest: str
    params: dict[str, Any]
    layout: Layout
    columns: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    base: str
    centre: float
    history: History
    best_iteration: NonNegativeInt | None
    importance: tuple[NonNegativeInt, ...] | None
    trees: NonNegativeInt
    whole_auc: dict[str, float]


_HEADER = TypeAdapter(_Header)


def save_half(model: ModelHalf, path: Path, key: ModelKey | None = None) -> None:
    """Write a half to ``path``, whole or not at all; an older file there is replaced."""
    if not path.parent.is_dir():
        raise UsageError(f"cannot save the model: there is no directory {path.parent}")
    write_whole(path, sealed_content(dump_half(model), _about(model), key))


def load_half(path: Path, key: ModelKey | None = None) -> ModelHalf:
    """Read a half; UsageError where there is no file or no key for it, DataError where it is no
    model, or not what it says."""
    about, content = opened_content(read_whole(path), path.name, key)
    model = parse_half(content, path.name)
    if about not in (None, _about(model)):
        raise DataError(f"{path.name} is sealed as another half: restore it from a copy")
    return model


def _about(model: ModelHalf) -> About:
    schema = json.dumps([model.layout.to_mapping(), list(model.columns)], sort_keys=True)
    return {
        "format": FORMAT,
        "role": model.role,
        "model_id": model.model_id,
        "schema": hashlib.sha256(schema.encode()).hexdigest(),
    }


def dump_half(model: ModelHalf) -> bytes:
    """The content of a model file."""
    header = {
        "format": FORMAT,
        "role": model.role,
        "model_id": model.model_id,
        "job_digest": model.job_digest,
        "params": model.params.to_mapping(),
        "layout": model.layout.to_mapping(),
        "columns": list(model.columns),
        "categories": {name: list(names) for name, names in model.categories.items()},
        "base": str(model.base),
        "centre": model.centre,
        "history": model.history,
        "best_iteration": model.best_iteration,
        "importance": None if model.importance is None else list(model.importance),
        "trees": len(model.trees),
        "whole_auc": model.whole_auc,
    }
    header_bytes = np.frombuffer(json.dumps(header).encode(), np.uint8)
    content: Arrays = {"model": header_bytes, "cuts": model.cuts}
    return pack_arrays(content | stacked(model.trees))


def parse_half(content: bytes, name: str) -> ModelHalf:
    """The half that a model file's content holds; ``name`` is for messages."""
    arrays = unpack_arrays(content, name)
    header_bytes = arrays.pop("model", None)
    if header_bytes is None or header_bytes.dtype != np.uint8:
        raise DataError(f"{name} is not a model file of securexgb: check the path")
    header = of_format(unpack_json(header_bytes.tobytes(), name), name, FORMAT)
    try:
        return _half(typed(header, name, _HEADER), arrays)
    except UsageError as error:
        raise DataError(f"{name} holds parameters that are not valid: {error}") from error
    except (KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        raise damaged(name) from error


def stacked(trees: Sequence[Tree]) -> Arrays:
    """Each part of these trees as one array over all of them; no array of no tree."""
    parts = [tree.arrays() for tree in trees]
    return {name: np.stack([part[name] for part in parts]) for part in parts[:1] for name in part}


def unstacked(arrays: Arrays, trees: int, columns: int) -> list[Tree]:
    """So many trees back from ``stacked``, for a party with so many columns.

    IndexError where there are fewer, DataError where one is none.
    """
    return [
        tree_of({name: part[number] for name, part in arrays.items()}, columns)
        for number in range(trees)
    ]


def _half(header: _Header, arrays: Arrays) -> ModelHalf:
    """ValueError, and what follows from wrong shapes, where the parts do not fit."""
    params, layout = TrainingParams.restored(header.params), header.layout
    rank, columns = ROLES.index(header.role), header.columns
    if layout != Layout.of(params, layout.rows, layout.columns, layout.weights, layout.categorical):
        raise ValueError("layout")
    if layout.columns[rank] != len(columns):
        raise ValueError("columns")
    cuts = arrays.pop("cuts")
    if cuts.dtype != np.float64 or cuts.shape != (len(columns), layout.bins):
        raise ValueError("cuts")
    if header.importance is not None and len(header.importance) != layout.total_columns:
        raise ValueError("importance")
    if any(part.shape[:1] != (header.trees,) for part in arrays.values()):
        raise ValueError("trees")
    if params.past.rounds > header.trees:
        raise ValueError("past")
    if header.best_iteration is not None and header.best_iteration >= max(header.trees, 1):
        raise ValueError("best iteration")
    trees = unstacked(arrays, header.trees, len(columns))
    check_trees(trees, layout, is_hidden=params.is_hidden)
    return ModelHalf(
        rank=rank,
        model_id=header.model_id,
        job_digest=header.job_digest,
        params=params,
        layout=layout,
        columns=columns,
        cuts=cuts,
        base=int(header.base) % 2**64,
        centre=header.centre,
        categories=header.categories,
        trees=trees,
        history=header.history,
        best_iteration=header.best_iteration,
        importance=header.importance,
        whole_auc=header.whole_auc,
    )
