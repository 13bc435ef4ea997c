"""What checking evidence ends with, unless it is refused: a verdict for reports."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Assurance = Literal["none", "dev", "hardware"]


@dataclass(frozen=True)
class Verdict:
    """Accepted evidence, in the words of a report.

    ``measurement``, ``signer`` and ``platform_id`` are hexadecimal, "" where the type has
    none. ``collateral_until``: from then on the same evidence needs fresh collateral.
    ``checked`` and ``not_checked`` are sentences.
    """

    assurance: Assurance
    type: str
    measurement: str = ""
    signer: str = ""
    tcb_status: str = ""
    advisories: tuple[str, ...] = ()
    platform_id: str = ""
    collateral_until: datetime | None = None
    policy_sha256: str = ""
    checked: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()

    @staticmethod
    def unattested() -> Verdict:
        """For a run whose terms name no policy: the dealer's operator is trusted."""
        return Verdict(
            "none", "none", not_checked=("Nothing vouches for the dealer's program or machine.",)
        )

    def to_dict(self) -> dict[str, object]:
        """For JSON: times as ISO 8601, tuples as lists."""
        until = self.collateral_until
        return {
            **self.__dict__,
            "collateral_until": until.isoformat() if until else None,
            "advisories": list(self.advisories),
            "checked": list(self.checked),
            "not_checked": list(self.not_checked),
        }

    def dealer_digest(self, key_hash: bytes, instance: bytes) -> bytes:
        """32 bytes that both parties compare, so that both have verified the same dealer."""
        parts = (key_hash, instance, self.type.encode(), self.measurement.encode())
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
