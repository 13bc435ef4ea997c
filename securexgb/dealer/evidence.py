"""Evidence as it travels, and who makes it.

It is here, in the dealer's measured program, because the dealer makes evidence; the
parties, who check it, import the same form (``attestation``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from securexgb.dealer.refusal import AttestationError

TYPES = ("sgx-dcap", "tdx-dcap", "sev-snp", "dev", "none")
BODY_BYTES, CLAIMS_BYTES, ENDORSEMENT_BYTES = 1 << 16, 1 << 10, 1 << 17
REPORT_DATA_BYTES = 64


@dataclass(frozen=True)
class Evidence:
    """A statement about the running dealer; ``type`` "none" states nothing.

    ``body``: quote or report as the platform made it. ``claims``: what the report data
    in it are the hash of. ``endorsements``: certificates that came with it (AMD).
    Raises AttestationError (malformed, unsupported) where a size or the type is off.
    """

    type: str
    body: bytes = b""
    claims: bytes = b""
    endorsements: bytes = b""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise AttestationError("unsupported", f"nobody knows the type {self.type[:32]!r}")
        caps = (BODY_BYTES, CLAIMS_BYTES, ENDORSEMENT_BYTES)
        for part, cap in zip((self.body, self.claims, self.endorsements), caps, strict=True):
            if len(part) > cap:
                raise AttestationError("malformed", f"{len(part)} bytes where {cap} is the most")


class Attester(Protocol):
    """Makes evidence at the dealer."""

    def evidence(self, report_data: bytes) -> Evidence:
        """Evidence that carries these 64 bytes; AttestationError where there is none."""


class Unattested:
    """No evidence: the parties trust whoever operates the dealer."""

    def evidence(self, report_data: bytes) -> Evidence:
        """Always of type "none"; the report data go nowhere."""
        return Evidence("none")
