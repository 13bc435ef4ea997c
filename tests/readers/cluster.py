"""What reads what a head and its shards tell each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from securexgb.boost.executor import Cuts
from securexgb.boost.splits.hidden import HiddenLevel
from securexgb.boost.splits.owned import OwnedLevel
from securexgb.cluster.about import AboutShard
from securexgb.cluster.commands import (
    Said,
    answer_of,
    keys_of,
    level_of,
    pack,
    shared_of,
    told_keys,
    told_level,
    unpack,
)
from securexgb.cluster.messages import Opening, answered, failed
from securexgb.correlations.source import PadKeys
from securexgb.errors import DataError
from securexgb.jobs.data.parquet import ParquetFile
from securexgb.mpc.shared import SharedBits
from tests.readers.table import Prepared, Row, at

_FLAGS = np.array([True, False])
_NUMBERS = np.array([1, 0])
_OWNED = OwnedLevel(_NUMBERS, Cuts(_NUMBERS, _NUMBERS + 3, _FLAGS, ~_FLAGS))
_HIDDEN = HiddenLevel(SharedBits(np.arange(12, dtype=np.uint64).reshape(3, 4, 1), 2), (2, 1))
_KEYS = PadKeys((bytes(16), b""), bytes(range(16)), 9)


def _leaves(level: OwnedLevel | HiddenLevel) -> Callable[[Path], Prepared]:
    numbers, arrays = told_level(level)
    values = np.arange(4, dtype=np.uint64).reshape(1, 4)
    said = pack(Said("leaves", numbers, arrays=(*arrays, values)))

    def read(content: bytes) -> object:
        found = unpack(content)
        return level_of(found), shared_of(found, len(found.arrays) - 1, 2)

    return lambda _: (said, read)


def _keys(_: Path) -> Prepared:
    model = np.frombuffer(b"a model", np.uint8)
    said = Said("begin", (0, 1, 2), ("coins", "session"), (model, *told_keys(_KEYS)))
    return pack(said), lambda content: keys_of(unpack(content), 1)


def _opening(_: Path) -> Prepared:
    opening = Opening(bytes(16), "train", "2026-run", ("a", "b"), (0, 1), {"a": ("x", "y")})
    return opening.encode(), Opening.decode


def _answer(_: Path) -> Prepared:
    return failed(DataError("no such column")), _answered


def _answered(content: bytes) -> object:
    try:
        return answered(content, "shard 0")
    except DataError as error:  # what the good message says
        return error


def _parquet(folder: Path) -> Prepared:
    path, numbers = folder / "rows.parquet", np.array([1, 0, 2])
    pa.parquet.write_table(pa.table({"a": [1.0, None, 2.0], "kind": ["x", "y", "x"]}), path)

    def read() -> object:
        file = ParquetFile(path, "bank")
        return file["a"], file["kind"], file.rows(numbers, ["a", "kind"])

    return at(path, path.read_bytes(), read)


def _sums(_: Path) -> Prepared:
    sums = np.zeros((2, 2, 3, 4), np.uint64)
    said = pack(Said("split", arrays=(sums,), seconds=0.5))
    return said, lambda content: answer_of(content, "split").array(0, np.uint64, sums.shape)


def _about(_: Path) -> Prepared:
    about = AboutShard((64, 20), "train.parquet", "a-machine", 1 << 34)
    return pack(about.said()), lambda content: AboutShard.of(unpack(content))


ROWS = (
    Row("to a shard, owned splits", _leaves(_OWNED)),
    Row("to a shard, hidden splits", _leaves(_HIDDEN)),
    Row("to a shard, keys of pads", _keys),
    Row("to a shard, its session", _opening),
    Row("rows of a shard in Parquet", _parquet),
    Row("from a shard, an error", _answer),
    Row("from a shard, sums", _sums),
    Row("from a shard, of itself", _about),
)
