"""What vouches for the dealer's program: the seam where evidence plugs in.

Today there is one attester, ``Unattested``, and every report says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Evidence:
    """A statement about the running dealer; ``type`` "none" states nothing."""

    type: str
    body: bytes = b""
    claims: bytes = b""


class Attester(Protocol):
    """Makes evidence at the dealer."""

    def evidence(self, report_data: bytes) -> Evidence:
        """Evidence that carries these 64 bytes."""


class Unattested:
    """No evidence: the parties trust whoever operates the dealer."""

    def evidence(self, report_data: bytes) -> Evidence:
        """Always of type "none"; the report data go nowhere."""
        return Evidence("none")
