"""Who may ask for scores: callers by name, each with the digest of its token.

    [callers]                                # callers.toml, named by callers in [serve]
    loans = "SHA-256 of the token, 64 hex digits"
    cards = ["of the old token", "of the new one"]

A call says ``Authorization: Bearer TOKEN``. The file has no token, so who reads it cannot ask; a
token is long and random (``openssl rand -hex 32``), so its digest tells nothing of it. Every digest
is compared, each in constant time, whichever fits. The file is read again when it changes: a token
comes or goes without a restart. One that cannot be used is told in the log, and nobody who was
allowed is shut out by it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from securexgb.errors import SecureXGBError, UsageError
from securexgb.terms.toml import Name, TomlFile, read_toml, validate

_LOG = logging.getLogger(__name__)
_SCHEME = "bearer"


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Digests = Annotated[tuple[Digest, ...], BeforeValidator(_listed), Field(min_length=1)]


class CallersFile(TomlFile):
    """The file of callers."""

    callers: Annotated[dict[Name, Digests], Field(min_length=1)]
    """Names, and the SHA-256 of each one's tokens."""


class Callers:
    """The callers of a file."""

    def __init__(self, path: Path) -> None:
        """Read it; UsageError where it cannot be used."""
        self._path = path
        self._mark = self._looked()
        self._known = self._read()

    def name_of(self, authorization: str | None) -> str | None:
        """Whose token a call's header Authorization has; None: nobody's."""
        self._refresh()
        scheme, _, token = (authorization or "").partition(" ")
        shown = hashlib.sha256(token.strip().encode()).hexdigest().encode()
        found = None
        for digest, name in self._known:
            if hmac.compare_digest(digest, shown):
                found = name
        return found if scheme.lower() == _SCHEME else None

    @property
    def count(self) -> int:
        """How many callers there are."""
        return len({name for _, name in self._known})

    def _refresh(self) -> None:
        mark = self._looked()
        if mark == self._mark:
            return
        self._mark = mark
        try:
            self._known = self._read()
            _LOG.info("the callers were read anew: there are %d", self.count)
        except SecureXGBError as error:
            _LOG.error("the callers stay as they were: %s", error)

    def _looked(self) -> tuple[int, int, int] | None:
        try:
            about = self._path.stat()
        except OSError:
            return None
        return about.st_ino, about.st_mtime_ns, about.st_size

    def _read(self) -> list[tuple[bytes, str]]:
        file = validate(CallersFile, read_toml(self._path), str(self._path))
        known = [(digest.encode(), name) for name, own in file.callers.items() for digest in own]
        if len({digest for digest, _ in known}) < len(known):
            raise UsageError(f"{self._path}: the same token is there twice: give each its own")
        return known
