"""What vouches for the dealer's program.

Two halves. The dealer's: ``evidence``, ``claims``, ``refusal``, ``choose`` and the
attesters ``gramine`` and ``configfs``; it is measured, so it is small and imports no
verifier. The parties': ``policy``, ``verify``, ``verdict``, ``intel``, ``snp`` and
``collateral``. ``dev`` belongs to neither: a key that plays a machine.
"""

from __future__ import annotations

from securexgb.dealer.attestation.claims import Binding, attest
from securexgb.dealer.attestation.evidence import Attester, Evidence, Unattested
from securexgb.dealer.attestation.refusal import AttestationError

__all__ = [
    "AttestationError",
    "Attester",
    "Binding",
    "Evidence",
    "Unattested",
    "attest",
]
