"""What a key service and a replica compute alike: the binding, and the wrapped key.

The key goes by HPKE (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM) to
a key pair that the replica has made for this one request. The evidence is about that public key,
about the nonce that the service has just drawn, about job and model, both certificates and the
policy. Job, model, policy and nonce are in HPKE's ``info`` too: a wrapped key opens for nothing
else. There are no further associated data.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from securexgb.dealer.claims import Binding
from securexgb.errors import TrustError

ROLE = "replica that asks for a model's key"
KEY_BYTES, NONCE_BYTES, POINT_BYTES = 32, 32, 32
MESSAGE_BYTES = 1 << 18
"""No message is longer."""
CHALLENGE = "/securexgb.v1.KeyService/Challenge"
RELEASE = "/securexgb.v1.KeyService/Release"
_LABEL = b"securexgb model key 1"


@dataclass(frozen=True)
class Wanted:
    """Which key is asked for: of which job's halves (the terms' full digest), for which model."""

    job: str
    model: str


@dataclass(frozen=True)
class Asking:
    """One request as both ends see it.

    ``service`` and ``party``: hashes of the keys (SPKI) of the two certificates that made the
    link.
    """

    wanted: Wanted
    nonce: bytes
    policy_sha256: bytes
    service: bytes
    party: bytes

    def binding(self, public: bytes) -> Binding:
        """What the evidence has to be about; AttestationError for what has another size."""
        spki = X25519PublicKey.from_public_bytes(public).public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return Binding(
            key_hash=hashlib.sha256(spki).digest(),
            nonce=self.nonce,
            session=hashlib.sha256(self.info()).digest(),
            roster=(self.service, self.party),
            policy_sha256=self.policy_sha256,
            role=ROLE,
        )

    def info(self) -> bytes:
        """Every part after its length."""
        wanted = self.wanted
        parts = (
            _LABEL, wanted.job.encode(), wanted.model.encode(), self.policy_sha256, self.nonce,
        )  # fmt: skip
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def wrap(key: bytes, public: bytes, asking: Asking) -> bytes:
    """The encapsulated key and the ciphertext."""
    recipient = X25519PublicKey.from_public_bytes(public)
    return bytes(_suite().encrypt(key, recipient, info=asking.info()))


def unwrap(sealed: bytes, private: X25519PrivateKey, asking: Asking) -> bytes:
    """The key; TrustError where it was wrapped for anything else, or by nobody."""
    try:
        key = bytes(_suite().decrypt(sealed, private, info=asking.info()))
    except (InvalidTag, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise TrustError("what the key service sent was not wrapped for this replica's request")
    return key
