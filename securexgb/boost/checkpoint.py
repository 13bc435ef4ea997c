"""Checkpoints: one party's state on disk after every tree, to resume a training from.

A directory holds ``state.json`` (which training this is), ``tree-N.npz`` (own half of tree
N) and ``margins-N.npz`` (own shares of all margins after tree N, for the last two trees).
Every file is written whole or not at all, a tree last, so that a tree that is there is
complete. No correlation and no mask is ever written. With a key every file is encrypted.

Shares of a tree's leaves only fit those that the other party wrote in the same session:
each tree carries the session's public id, and two parties resume after the longest common
beginning of both their lists. What one of them has beyond it is removed first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from securexgb.boost.seal import ModelKey, opened_content, sealed_content
from securexgb.boost.storage import (
    Arrays,
    make_directory,
    pack_arrays,
    pack_json,
    read_whole,
    sync_directory,
    unpack_arrays,
    unpack_json,
    write_whole,
)
from securexgb.boost.tree import TreeHalf
from securexgb.errors import DataError
from securexgb.mpc.shared import Words

FORMAT = 1
_KEPT_MARGINS = 2


@dataclass(frozen=True)
class TrainingState:
    """Which training a checkpoint belongs to.

    ``model_id``, ``job_digest``, ``coins`` (key of the public coins, hex): the same at both
    parties. ``dummies``: key of this party's random dummy splits, hex, private; it makes a
    resumed training draw the same ones. ``data``: fingerprint of this party's own data,
    which stays here.
    """

    rank: int
    model_id: str
    job_digest: str
    coins: str
    dummies: str
    data: str


@dataclass(frozen=True)
class SavedTree:
    """One finished tree: the half, the session it was grown in, its metric values."""

    half: TreeHalf
    session: str
    metrics: tuple[float, ...]


@dataclass(frozen=True)
class Saved:
    """What a directory holds. ``margins``: of the counts of trees that they are known for."""

    state: TrainingState
    trees: tuple[SavedTree, ...]
    margins: frozenset[int]


class CheckpointStore:
    """The checkpoints of one party's training in one directory."""

    def __init__(self, directory: Path, key: ModelKey | None = None) -> None:
        self._directory = directory
        self._key = key

    def start(self, state: TrainingState) -> None:
        """Begin anew: whatever was here is removed."""
        make_directory(self._directory)
        self._remove(after=0)
        self._path("state.json").unlink(missing_ok=True)
        sync_directory(self._directory)
        self._write(self._path("state.json"), pack_json(asdict(state) | {"format": FORMAT}))

    def load(self, columns: int) -> Saved | None:
        """What is here, or None where nothing is; ``columns``: own columns."""
        if not self._path("state.json").exists():
            return None
        state = self._state()
        trees: list[SavedTree] = []
        while self._path(f"tree-{len(trees)}.npz").exists():
            trees.append(self._tree(len(trees), columns))
        known = {n for n in range(len(trees) + 1) if self._margins_path(n).exists()}
        return Saved(state, tuple(trees), frozenset(known))

    def save(self, count: int, tree: SavedTree, margins: Sequence[Words]) -> None:
        """Write tree number ``count - 1`` and the margins after it, of every data set."""
        arrays = {f"set_{i}": words for i, words in enumerate(margins)}
        self._write(self._margins_path(count), pack_arrays(arrays))
        content = tree.half.arrays() | {
            "session": np.frombuffer(tree.session.encode(), np.uint8),
            "metrics": np.array(tree.metrics, np.float64),
        }
        self._write(self._path(f"tree-{count - 1}.npz"), pack_arrays(content))
        self._margins_path(count - _KEPT_MARGINS).unlink(missing_ok=True)

    def margins(self, count: int) -> list[Words]:
        """The margins after ``count`` trees."""
        path = self._margins_path(count)
        arrays = unpack_arrays(self._read(path), path.name)
        return [arrays[f"set_{i}"] for i in range(len(arrays))]

    def cut(self, count: int) -> None:
        """Forget all trees after the first ``count``, for good."""
        self._remove(after=count)
        sync_directory(self._directory)

    def _remove(self, after: int) -> None:
        for kind, first in (("tree", after), ("margins", after + 1)):
            for path in self._directory.glob(f"{kind}-*.npz"):
                number = path.stem.removeprefix(f"{kind}-")
                if number.isdigit() and int(number) >= first:
                    path.unlink()

    def _state(self) -> TrainingState:
        content = unpack_json(self._read(self._path("state.json")), "state.json")
        if content.pop("format", None) != FORMAT:
            raise DataError("the checkpoint is of another version of securexgb: start anew")
        try:
            return TrainingState(**content)
        except TypeError as error:
            raise DataError("state.json of the checkpoint is damaged: start anew") from error

    def _tree(self, number: int, columns: int) -> SavedTree:
        name = f"tree-{number}.npz"
        arrays: Arrays = unpack_arrays(self._read(self._path(name)), name)
        half = TreeHalf.from_arrays(arrays, columns)
        try:
            session = bytes(arrays["session"]).decode()
            metrics = tuple(float(value) for value in arrays["metrics"])
        except (KeyError, ValueError) as error:
            raise DataError(f"{name} of the checkpoint is damaged: start anew") from error
        return SavedTree(half, session, metrics)

    def _write(self, path: Path, content: bytes) -> None:
        write_whole(path, sealed_content(content, {"checkpoint": path.name}, self._key))

    def _read(self, path: Path) -> bytes:
        about, content = opened_content(read_whole(path), path.name, self._key)
        if about not in (None, {"checkpoint": path.name}):
            raise DataError(f"{path.name} of the checkpoint holds another file: start anew")
        return content

    def _path(self, name: str) -> Path:
        return self._directory / name

    def _margins_path(self, count: int) -> Path:
        return self._path(f"margins-{count}.npz")


def common_trees(mine: Sequence[Any], theirs: Sequence[Any]) -> int:
    """Length of the longest common beginning of two lists of session ids."""
    for place, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if one != other:
            return place
    return min(len(mine), len(theirs))
