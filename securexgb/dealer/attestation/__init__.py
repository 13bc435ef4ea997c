"""What vouches for the dealer's program.

Two halves. The dealer's: ``evidence``, ``claims``, ``verdict`` (for its error) and the
attesters ``gramine``, ``configfs``, ``dev`` and ``choose``; it is measured, so it is
small and imports no verifier. The parties': ``policy``, ``verify``, ``intel``, ``snp``
and ``collateral``.
"""

from __future__ import annotations

from securexgb.dealer.attestation.claims import Binding, attest
from securexgb.dealer.attestation.evidence import Attester, Evidence, Unattested
from securexgb.dealer.attestation.verdict import AttestationError, Verdict

__all__ = [
    "AttestationError",
    "Attester",
    "Binding",
    "Evidence",
    "Unattested",
    "Verdict",
    "attest",
]
