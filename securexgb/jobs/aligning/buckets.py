"""What an alignment that was cut off left: ``train.buckets/12.bits``, a finished bucket each.

Whether a bucket is of these keys and of the same alignment at both sides the protocol sees for
itself (``align.intersect``). What it keeps says which of this side's rows the other one may have,
and is as private as the alignment itself. No share, no key of a transfer and no other secret of the
protocol is ever written. Each file begins with its content's SHA-256; a damaged one counts as none.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from securexgb.storage.whole import make_directory, read_own, remove, remove_parts, write_whole

_DIGEST_BYTES = 32


class Buckets:
    """The buckets of one set; see ``align.intersect.Store``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to go on with."""
        return not any(self.folder.glob("*.bits"))

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
        make_directory(self.folder)
        write_whole(self._path(bucket), hashlib.sha256(bits).digest() + bits)

    def clear(self) -> None:
        """Remove all."""
        if self.folder.is_dir():
            remove_parts(self.folder)
            for path in self.folder.glob("*.bits"):
                remove(path)
            self.folder.rmdir()

    def _path(self, bucket: int) -> Path:
        return self.folder / f"{bucket}.bits"
