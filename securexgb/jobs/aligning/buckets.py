"""What an alignment that was cut off left: the match bits of its finished buckets.

    state.json    which alignment: the number that both sides drew for it, and this side's keys
    12.bits       a bucket's bits, behind their SHA-256

The bits say which of this side's rows the other one has, and are kept like the alignment itself. No
share, no key of a transfer and no other secret of the protocol is ever written.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from securexgb.errors import DataError
from securexgb.storage.records import read_record
from securexgb.storage.whole import (
    make_directory,
    pack_json,
    read_own,
    remove,
    remove_parts,
    write_whole,
)

FORMAT = 1
_STATE = "state.json"
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class State:
    """Which alignment the buckets are of: ``run`` is equal at both sides, the others say what this
    side put in."""

    run: str
    peer: str
    keys_sha256: str
    align_sha256: str
    coin_sha256: str


_STATES = TypeAdapter(State)


class Buckets:
    """The buckets of one set; see ``align.intersect.Store``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def state(self) -> State | None:
        """Of what the buckets are; None where there are none, or nobody can tell."""
        path = self.folder / _STATE
        try:
            return read_record(path, _STATES, FORMAT) if path.exists() else None
        except DataError:
            return None

    def start(self, state: State) -> None:
        """Forget what was there, and begin."""
        self.clear()
        make_directory(self.folder)
        write_whole(self.folder / _STATE, pack_json({"format": FORMAT, **asdict(state)}))

    def load(self, bucket: int) -> bytes | None:
        """The bits of a finished bucket; None where it is not finished."""
        path = self._path(bucket)
        if not path.exists():
            return None
        content = read_own(path)
        digest, bits = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        return bits if hashlib.sha256(bits).digest() == digest else None

    def save(self, bucket: int, bits: bytes) -> None:
        """Keep the bits of a bucket that is finished; they are on disk when this returns."""
        write_whole(self._path(bucket), hashlib.sha256(bits).digest() + bits)

    def clear(self) -> None:
        """Remove all; the state first, so that what is left says nothing."""
        if self.folder.is_dir():
            remove(self.folder / _STATE)
            remove_parts(self.folder)
            for path in self.folder.glob("*.bits"):
                remove(path)
            self.folder.rmdir()

    def _path(self, bucket: int) -> Path:
        return self.folder / f"{bucket}.bits"
