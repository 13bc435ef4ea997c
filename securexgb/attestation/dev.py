"""Checking evidence that a key in a file has signed: every step, and no machine behind it.

Verifies only where a policy accepts ``dev`` and names the key; the verdict's assurance
is ``dev`` whatever else holds.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from securexgb.dealer.attesters.dev import LABEL
from securexgb.dealer.evidence import REPORT_DATA_BYTES
from securexgb.dealer.refusal import AttestationError

_POINT_BYTES = 65


def verify_dev(body: bytes) -> tuple[bytes, str]:
    """Report data and the hash of the key (hex) of well-signed development evidence."""
    end = REPORT_DATA_BYTES + _POINT_BYTES
    data, point, signature = body[:REPORT_DATA_BYTES], body[REPORT_DATA_BYTES:end], body[end:]
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise AttestationError("malformed", "the body holds no public key") from None
    try:
        key.verify(signature, LABEL + data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise AttestationError("signature", "the development key has not signed this") from None
    return data, hashlib.sha256(point).hexdigest()
