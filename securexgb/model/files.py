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
from pathlib import Path
from typing import Any

import numpy as np

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.tree import Tree, check_trees, tree_of
from securexgb.errors import DataError, UsageError
from securexgb.mpc.party import ROLES
from securexgb.storage.sealed import About, ModelKey, opened_content, sealed_content
from securexgb.storage.whole import (
    Arrays,
    pack_arrays,
    read_whole,
    unpack_arrays,
    unpack_json,
    write_whole,
)

FORMAT = 3


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
        "base": str(model.base),
        "centre": model.centre,
        "history": model.history,
        "best_iteration": model.best_iteration,
        "importance": None if model.importance is None else list(model.importance),
        "trees": len(model.trees),
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
    header = unpack_json(header_bytes.tobytes(), name)
    if header.get("format") != FORMAT:
        raise DataError(
            f"{name} has format {header.get('format')!r}, this version of securexgb reads "
            f"format {FORMAT}: use the version that wrote it"
        )
    try:
        return _half(header, arrays)
    except UsageError as error:
        raise DataError(f"{name} holds parameters that are not valid: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} is damaged: restore it from a copy") from error


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


def _half(header: dict[str, Any], arrays: Arrays) -> ModelHalf:
    columns = tuple(str(column) for column in header["columns"])
    layout = Layout(**header["layout"])
    rank = ROLES.index(header["role"])
    if layout.columns[rank] != len(columns):
        raise ValueError("columns")
    cuts = arrays.pop("cuts")
    if cuts.dtype != np.float64 or cuts.shape != (len(columns), layout.bins):
        raise ValueError("cuts")
    best, count = header["best_iteration"], int(header["trees"])
    importance = header["importance"]
    if importance is not None:
        importance = tuple(int(value) for value in importance)
        if len(importance) != layout.total_columns:
            raise ValueError("importance")
    trees = unstacked(arrays, count, len(columns))
    params = TrainingParams.from_mapping(header["params"])
    check_trees(trees, layout, is_hidden=params.is_hidden)
    return ModelHalf(
        rank=rank,
        model_id=str(header["model_id"]),
        job_digest=str(header["job_digest"]),
        params=params,
        layout=layout,
        columns=columns,
        cuts=cuts,
        base=int(header["base"]) % 2**64,
        centre=float(header["centre"]),
        trees=trees,
        history={
            str(name): {str(metric): [float(v) for v in values] for metric, values in sets.items()}
            for name, sets in header["history"].items()
        },
        best_iteration=None if best is None else int(best),
        importance=importance,
    )
