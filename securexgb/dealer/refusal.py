"""Why evidence is refused: an error with a stable reason code.

The parties' verifiers raise it, and so does the dealer where its own machine makes no
evidence: it is here because the dealer imports nothing of the parties'.
"""

from __future__ import annotations

from typing import Literal

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


class AttestationError(EvidenceRefused):
    """Evidence that is not accepted. ``code`` is stable; ``detail`` is for people."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"the dealer's evidence is refused ({code}): {detail}")
        self.code: Code = code
        self.detail = detail
