"""What an alignment leaves: ``aligned/<set>.npz`` and ``.json``, and the order coin.

    train.npz         own row numbers, from 0, in the common order, and eight bytes of each key's
                      digest under the order coin
    train.json        a ``Record``: of which file, under which terms, how many, which order
    order.json        the order coin, by the other side's name: drawn together once
    train.buckets/    of an alignment that is not finished: see ``aligning.buckets``
    log.jsonl         one object an event, the newest last: what was opened, and when

Sets are "train", "predict" and "eval.NAME". The npz file is written first, so a record always
speaks of arrays that are there; where a crash came between the two the record does not fit them,
and both sides align again. An alignment fits a file by the file's SHA-256, whatever its name: rows
that were aligned as one set may be used as another. It is refused where the file has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from securexgb.align.row_keys import Keys, RowNumbers
from securexgb.errors import DataError
from securexgb.federation.session import Federation
from securexgb.jobs.runs import timestamp
from securexgb.report.record import AlignedSet
from securexgb.storage.records import read_record
from securexgb.storage.trouble import file_error
from securexgb.storage.whole import (
    append_line,
    make_directory,
    pack_arrays,
    pack_json,
    read_own,
    strict_json,
    unpack_arrays,
    write_whole,
)

FORMAT = 2
_ORDER, _LOG = "order", "log.jsonl"
_HASHED_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Record(AlignedSet):
    """What is kept of an alignment beside its rows: what is shown of it, and more.

    ``file``, ``file_sha256``: of what, empty for a table in memory; ``keys_sha256``: of its keys;
    ``job``: digest of the terms it was made under; ``coin_sha256``: which order coin;
    ``rows_sha256``: of the row numbers in the npz file.
    """

    file_sha256: str
    keys_sha256: str
    job: str
    coin_sha256: str
    rows_sha256: str

    @property
    def shown(self) -> AlignedSet:
        """What a run's ledger and report say of it."""
        names = {one.name for one in fields(AlignedSet)}
        facts = {name: value for name, value in asdict(self).items() if name in names}
        return AlignedSet(**facts)


@dataclass(frozen=True, eq=False, repr=False)
class Aligned:
    """One set's alignment: its record, own rows in the common order, and marks of their keys."""

    record: Record
    rows: RowNumbers
    marks: NDArray[np.uint64]


_RECORDS = TypeAdapter(Record)
_COINS = TypeAdapter(dict[str, str])


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_HASHED_BYTES):
                digest.update(block)
    except OSError as error:
        raise file_error("read", path, error) from error
    return digest.hexdigest()


def rows_sha256(rows: RowNumbers) -> str:
    """SHA-256 of row numbers."""
    return hashlib.sha256(np.ascontiguousarray(rows, "<i8").tobytes()).hexdigest()


def set_path(folder: Path, data_set: str, end: str) -> Path:
    """A file of a set; its name is one part of a path, whatever the set is called."""
    return folder / f"{quote(data_set, safe=' ')}{end}"


def save(folder: Path, aligned: Aligned) -> None:
    """Write an alignment, in place of an older one of the set."""
    make_directory(folder)
    name = aligned.record.data_set
    arrays = {"rows": aligned.rows.astype("<i8"), "marks": aligned.marks.astype("<u8")}
    write_whole(set_path(folder, name, ".npz"), pack_arrays(arrays))
    facts = {"format": FORMAT, **asdict(aligned.record)}
    write_whole(set_path(folder, name, ".json"), pack_json(facts))


def load(folder: Path, data_set: str) -> Aligned | None:
    """The alignment of a set; None where there is none, DataError where it is damaged."""
    path, arrays_path = (set_path(folder, data_set, end) for end in (".json", ".npz"))
    if not path.exists():
        return None
    record = read_record(path, _RECORDS, FORMAT)
    found = unpack_arrays(read_own(arrays_path), arrays_path.name) if arrays_path.exists() else {}
    rows, marks = found.get("rows"), found.get("marks")
    if (
        rows is None
        or marks is None
        or (rows.dtype, marks.dtype) != (np.dtype("<i8"), np.dtype("<u8"))
        or rows.shape != (record.common,)
        or marks.shape != rows.shape
        or rows_sha256(rows) != record.rows_sha256
    ):
        raise DataError(f"{path} and its .npz file do not go together: {advice(data_set)}")
    return Aligned(record, rows, marks)


def find(federation: Federation, path: Path, data_set: str | None) -> Aligned | None:
    """The alignment of a file; None where the terms name no keys, or nothing was aligned.

    ``data_set``: as what the file is used, or None for whatever fits it. DataError where that set
    was aligned, and the file or the terms are not those of then.
    """
    folder = federation.config.aligned_directory
    names = _sets(folder)
    if federation.terms.align is None or not names:
        return None
    digest = file_sha256(path)
    fits = [name for name in names if _record(folder, name).file_sha256 == digest]
    for name in sorted(fits, key=lambda name: name != data_set):
        found = load(folder, name)
        if found is not None and why_unfit(federation, found.record) is None:
            return found
    if data_set not in names:
        return None
    record, side = _record(folder, data_set), federation.config.name
    reason = why_unfit(federation, record)
    if reason is None:
        reason = f"{path} is not the file that it was then ({record.file}, by its SHA-256)"
    raise DataError(
        f"{side}: rows were aligned as {data_set} on {record.time[:10]}, but {reason}: "
        f"{advice(data_set)}"
    )


def find_keys(federation: Federation, keys: Keys, data_set: str) -> Aligned | None:
    """The alignment of a table that has these keys in this order, or None."""
    folder, digest = federation.config.aligned_directory, keys.sha256
    names = [name for name in _sets(folder) if _record(folder, name).keys_sha256 == digest]
    for name in sorted(names, key=lambda name: name != data_set):
        found = load(folder, name)
        if found is not None and why_unfit(federation, found.record) is None:
            return found
    return None


def why_unfit(federation: Federation, record: Record) -> str | None:
    """Why an alignment is none of this job's; None where it is one."""
    align = federation.terms.align
    if record.peer != federation.peer_name:
        return f"with {record.peer}, and the other side is {federation.peer_name}"
    if align is None or record.align_sha256 != align.sha256:
        return "under other terms (keys, normalise, duplicates)"
    if record.common < align.min_common:
        return f"with {record.common:,} rows in common, and the terms ask for {align.min_common:,}"
    return None


def advice(data_set: str) -> str:
    """What to type."""
    return f"align again, at both sides: `{command(data_set)}`"


def command(data_set: str) -> str:
    """The command that aligns a set."""
    kind, dot, name = data_set.partition(".")
    return f"securexgb align --set {kind}{f' {name}' if dot else ''}"


def read_coin(folder: Path, peer: str) -> bytes | None:
    """The order coin that was drawn with the other side; None where none was."""
    path = folder / f"{_ORDER}.json"
    text = read_record(path, _COINS, FORMAT).get(peer) if path.exists() else None
    return None if text is None else _coin(text, path)


def write_coin(folder: Path, peer: str, coin: bytes) -> None:
    """Keep a new order coin, in place of an older one with this side."""
    make_directory(folder)
    path = folder / f"{_ORDER}.json"
    coins = read_record(path, _COINS, FORMAT) if path.exists() else {}
    write_whole(path, pack_json({"format": FORMAT, **coins, peer: coin.hex()}))


def log_event(folder: Path, event: str, data_set: str, peer: str, facts: Mapping[str, Any]) -> None:
    """Add a line to the log: what happened to a set, with whom, and when."""
    make_directory(folder)
    line = {"time": timestamp(), "event": event, "set": data_set, "peer": peer, **facts}
    append_line(folder / _LOG, json.dumps(line))


def times_begun(folder: Path, event: str, data_set: str, peer: str) -> int:
    """How many lines of the log say so of this set; what is no line counts as none."""
    path, wanted = folder / _LOG, (event, data_set, peer)
    return (
        sum(_said(line) == wanted for line in read_own(path).splitlines()) if path.exists() else 0
    )


def _said(line: bytes) -> tuple[Any, ...]:
    try:
        facts = strict_json(line)
    except ValueError:
        return ()
    return tuple(map(facts.get, ("event", "set", "peer"))) if isinstance(facts, dict) else ()


def _coin(text: str, path: Path) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise DataError(f"{path} is damaged: remove it, and align again") from None


def _sets(folder: Path) -> list[str]:
    """The sets of which there is a record."""
    paths: Iterable[Path] = sorted(folder.glob("*.json")) if folder.is_dir() else ()
    return [unquote(path.stem) for path in paths if path.stem != _ORDER]


def _record(folder: Path, data_set: str) -> Record:
    return read_record(set_path(folder, data_set, ".json"), _RECORDS, FORMAT)
