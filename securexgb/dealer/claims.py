"""What evidence is bound to: this dealer's key, this challenge, this session.

Claims are CBOR in RFC 8949's deterministic form, with the names of interoperable RA-TLS:

    {"ctx": 32 bytes, "nonce": 32 bytes, "pubkey-hash": << [1, SHA-256 of the SPKI] >>}

(1 is the registered number of SHA-256; << >> is CBOR within a byte string, as Gramine
and others write it.) The report data are SHA-256(claims) and 32 zero bytes. Every claim
has a fixed size, so claims have one encoding, of 128 bytes, and reading them is
comparing with it: there is nothing to decode that could surprise.
``ctx`` hashes everything else that both ends must agree on, each part after its length.
Both halves need this one form, so it is on the dealer's side, which imports nothing of the
parties'; what compares claims with the expected ones is ``attestation.verify``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from securexgb.dealer.evidence import REPORT_DATA_BYTES, Attester, Evidence
from securexgb.dealer.refusal import AttestationError

LABEL, VERSION, RING = b"securexgb dealer attestation", 1, b"Z_2^64"
HASH_BYTES = 32
BEFORE_CONTEXT, BEFORE_NONCE, BEFORE_KEY = (
    b"\xa3\x63ctx\x58\x20", b"\x65nonce\x58\x20", b"\x6bpubkey-hash\x58\x24\x82\x01\x58\x20"
)  # fmt: skip
"""What stands before each claim's 32 bytes."""


def report_data(claims: bytes) -> bytes:
    """The 64 bytes that a report about these claims carries."""
    return hashlib.sha256(claims).digest().ljust(REPORT_DATA_BYTES, b"\0")


@dataclass(frozen=True)
class Binding:
    """What a party expects the evidence to be about.

    ``key_hash``: SHA-256 of the dealer's public key (SPKI). ``nonce``: 32 bytes, fresh,
    the party's own. ``session``: the session's name. ``roster``: the SPKI hashes of
    party 0 and party 1, in this order. ``policy_sha256``: 32 bytes. ``role``: what the
    attested program is to the parties.
    """

    key_hash: bytes
    nonce: bytes
    session: bytes
    roster: tuple[bytes, bytes]
    policy_sha256: bytes
    role: str = "dealer"

    def __post_init__(self) -> None:
        hashes = (self.key_hash, self.nonce, *self.roster, self.policy_sha256)
        if any(len(part) != HASH_BYTES for part in hashes) or not self.session:
            raise AttestationError("malformed", "a nonce and every hash have 32 bytes")

    def context(self) -> bytes:
        """SHA-256 over the parts, each after its length (4 bytes, big-endian)."""
        parts = (
            LABEL, bytes([VERSION]), self.role.encode(), self.session, *self.roster,
            RING, self.policy_sha256,
        )  # fmt: skip
        prefixed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.sha256(prefixed).digest()

    def claims(self) -> bytes:
        """The claims' bytes."""
        parts = (BEFORE_CONTEXT, self.context(), BEFORE_NONCE, self.nonce, BEFORE_KEY)
        return b"".join(parts) + self.key_hash

    def report_data(self) -> bytes:
        """The 64 bytes for the report."""
        return report_data(self.claims())


def attest(attester: Attester, binding: Binding) -> Evidence:
    """Evidence from this attester about this binding; what the dealer sends."""
    evidence = attester.evidence(binding.report_data())
    return evidence if evidence.type == "none" else replace(evidence, claims=binding.claims())
