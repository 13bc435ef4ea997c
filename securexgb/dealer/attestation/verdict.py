"""What checking evidence ends with: a verdict, or a refusal with a stable reason code."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from securexgb.errors import EvidenceRefused

Code = Literal[
    "malformed",  # not evidence, claims or collateral of the expected form, or too large
    "unsupported",  # a version or kind that nobody here can check
    "type_not_allowed",  # the policy does not accept this type of evidence
    "signature",  # something signed does not fit its signature
    "untrusted_root",  # signed, but not under the vendor's root
    "revoked",  # the vendor has withdrawn a certificate
    "collateral_expired",
    "collateral_future",
    "collateral_mismatch",  # collateral for another platform or technology, or none at all
    "tcb_status",  # what the vendor says of the platform is not accepted
    "tcb_unknown",  # the platform is below every level that the vendor lists
    "advisory",  # a security advisory that the policy does not accept
    "eval_number",  # collateral from an older evaluation than the policy wants
    "platform",  # a property of the machine that the policy does not accept
    "debug",
    "migratable",
    "measurement",  # another program, or the right one with other attributes
    "svn",  # the right program, too old
    "report_data",  # evidence about other claims
    "key",  # claims for another key
    "nonce",  # claims for another challenge, or one that was used before
    "roster",  # claims for other parties, another order, session, role or policy
    "policy",  # the policy itself is not usable
]
CODES: tuple[str, ...] = get_args(Code)

Assurance = Literal["none", "dev", "hardware"]


class AttestationError(EvidenceRefused):
    """Evidence that is not accepted. ``code`` is stable; ``detail`` is for people."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"the dealer's evidence is refused ({code}): {detail}")
        self.code: Code = code
        self.detail = detail


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
