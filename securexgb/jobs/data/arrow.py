"""Arrays of NumPy and Python as Arrow's, and the other way round.

Arrow's own ways of doing it import pandas first, wherever that is installed: half a second and
tens of megabytes of a process that has no use for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from securexgb.jobs.table import Reals


def row_numbers(rows: NDArray[np.int64]) -> pa.Array:
    """Row numbers (n,), for Arrow to take those rows; without a copy where they are contiguous."""
    own = np.ascontiguousarray(rows, np.int64)
    return pa.Array.from_buffers(pa.int64(), own.size, [None, pa.py_buffer(own)])


def texts(values: Sequence[str]) -> pa.Array:
    """These texts (n,)."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    parts = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), parts)


def reals(column: pa.ChunkedArray) -> Reals:
    """A column (n,) of numbers or truth values as float64, NaN where it holds nothing.

    A view where it is float64 in one piece without gaps, which nobody may write to.
    """
    parts = [_values(part) for part in column.cast(pa.float64(), safe=False).chunks if len(part)]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])


def _values(part: Any) -> Reals:
    """What one piece holds."""
    held, values = part.buffers()
    here = slice(part.offset, part.offset + len(part))
    found = np.frombuffer(values, np.float64, here.stop)[here]
    if not part.null_count:
        return found
    is_held = np.unpackbits(np.frombuffer(held, np.uint8), count=here.stop, bitorder="little")
    return np.where(is_held[here], found, math.nan)
