"""Checking evidence that a key in a file has signed: every step, and no machine behind it.

Verifies only where a policy accepts ``dev`` and names the key; the verdict's assurance
is ``dev`` whatever else holds.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from securexgb.attestation.appraisal import Appraisal
from securexgb.attestation.policy import Policy
from securexgb.dealer.attesters.dev import LABEL
from securexgb.dealer.evidence import REPORT_DATA_BYTES, Evidence
from securexgb.dealer.refusal import AttestationError

_POINT_BYTES = 65


def appraise(evidence: Evidence, policy: Policy) -> Appraisal:
    """Check the signature and the key; AttestationError with the reason's code."""
    end, body = REPORT_DATA_BYTES + _POINT_BYTES, evidence.body
    data, point, signature = body[:REPORT_DATA_BYTES], body[REPORT_DATA_BYTES:end], body[end:]
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise AttestationError("malformed", "the body holds no public key") from None
    try:
        key.verify(signature, LABEL + data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise AttestationError("signature", "the development key has not signed this") from None
    name = hashlib.sha256(point).hexdigest()
    if name not in {entry.key for entry in policy.dev}:
        raise AttestationError("measurement", "the policy does not name this development key")
    return Appraisal(
        data,
        measurement=name,
        checked=("A development key that the policy names has signed the claims.",),
        not_checked=("Which program runs, and on which machine: this is no hardware evidence.",),
    )
