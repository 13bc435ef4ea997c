"""The keys that a key service holds: one a job, each in a file that its root key encrypts.

Between two requests no key of a model lies on a disk in the clear, and none in this process's
memory for longer than it takes to wrap it.
"""

from __future__ import annotations

import re
from pathlib import Path

from securexgb.errors import DataError, UsageError
from securexgb.serve.release.settings import VARIABLE, KeyServiceSettings
from securexgb.serve.release.wrapping import KEY_BYTES
from securexgb.storage.sealed import ModelKey, find_key
from securexgb.storage.whole import make_directory, read_own, write_new

_JOB = re.compile("[A-Z2-7]{52}")
"""A full digest of terms."""


class KeptKeys:
    """Model keys by job."""

    def __init__(self, folder: Path, root: ModelKey) -> None:
        self._folder, self._root = folder, root

    def __repr__(self) -> str:
        return "KeptKeys()"

    @staticmethod
    def of(settings: KeyServiceSettings) -> KeptKeys:
        """By the settings; UsageError where there is no root key."""
        root = find_key(settings.root_key, VARIABLE)
        if root is None:
            raise UsageError(
                f"a key service needs its root key: name its file as root_key, or set {VARIABLE}"
            )
        return KeptKeys(settings.kept, root)

    def keep(self, job: str, key: bytes) -> Path:
        """Encrypt and write a job's key, which must not be there yet; where it is."""
        if len(key) != KEY_BYTES:
            raise UsageError(f"a model's key has {KEY_BYTES} bytes")
        make_directory(self._folder)
        path = self._path(job)
        write_new(path, self._root.seal(key, _about(job)))
        return path

    def key(self, job: str) -> bytes | None:
        """A job's key, or None where none is kept; DataError where its file was changed."""
        if _JOB.fullmatch(job) is None or not self._path(job).exists():
            return None
        path = self._path(job)
        about, key = self._root.open(read_own(path), path.name)
        if about != _about(job) or len(key) != KEY_BYTES:
            raise DataError(f"{path.name} holds the key of another job: restore it from a copy")
        return key

    def _path(self, job: str) -> Path:
        if _JOB.fullmatch(job) is None:
            raise UsageError("a job is named by the full digest of its terms")
        return self._folder / f"{job}.key"


def _about(job: str) -> dict[str, str | int]:
    return {"what": "model key", "job": job}
