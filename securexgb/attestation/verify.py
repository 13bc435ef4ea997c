"""The parties' side: from evidence to a verdict, offline and at a given time.

``verify`` is a pure function: no network, no clock, no state. What it cannot know is
whether a nonce was used before, so a party asks through a ``Challenge``, which accepts
once. Everything that is refused is an AttestationError with a stable code.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime

from securexgb.attestation import dev, intel, snp
from securexgb.attestation.appraisal import Appraisal, Roots
from securexgb.attestation.policy import Policy
from securexgb.attestation.verdict import Verdict
from securexgb.dealer.claims import BEFORE_CONTEXT, BEFORE_KEY, BEFORE_NONCE, HASH_BYTES, Binding
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError

VENDORS = Roots()
_BOUND = (
    "The evidence is about this connection's key, this challenge, this session, the two "
    "parties in order, and this policy."
)
_ALWAYS_OPEN = (
    "Whoever holds the machine: keys extracted by physical attacks forge evidence.",
    "Whether the dealer's program itself is right: a measurement names it, no more.",
)


def verify(
    evidence: Evidence,
    expected: Binding,
    policy: Policy,
    now: datetime,
    collateral: bytes | None,
    roots: Roots = VENDORS,
) -> Verdict:
    """Check evidence against binding, policy and collateral; AttestationError if it fails.

    ``now``: with a time zone. ``collateral``: for Intel dcap-qvl's JSON, for AMD a PEM
    chain (None where the evidence brought its own), for dev None. ``roots`` other than
    the vendors' are for laboratories: the verdict then says ``dev``, never ``hardware``.
    """
    if evidence.type not in policy.accept:
        raise AttestationError("type_not_allowed", f"the policy does not accept {evidence.type}")
    if expected.policy_sha256 != policy.sha256:
        raise AttestationError("policy", "the binding names another policy")
    check_claims(evidence.claims, expected)
    found = appraise(evidence, policy, now, collateral, roots)
    if found.report_data != expected.report_data():
        raise AttestationError("report_data", "it was made about other claims than those shown")
    is_hardware = evidence.type != "dev" and roots == VENDORS
    return Verdict(
        assurance="hardware" if is_hardware else "dev",
        type=evidence.type,
        measurement=found.measurement,
        signer=found.signer,
        tcb_status=found.tcb_status,
        advisories=found.advisories,
        platform_id=found.platform_id,
        collateral_until=found.until,
        policy_sha256=policy.sha256.hex(),
        checked=(*found.checked, _BOUND),
        not_checked=(*found.not_checked, *_ALWAYS_OPEN),
    )


def check_claims(claims: bytes, expected: Binding) -> None:
    """Raise AttestationError where claims are not exactly the expected ones."""
    form = expected.claims()
    if claims == form:
        return
    start = 0
    for before in (BEFORE_CONTEXT, BEFORE_NONCE, BEFORE_KEY):
        if claims[start : start + len(before)] != before:
            raise AttestationError("malformed", "the claims are not in their one form")
        start += len(before) + HASH_BYTES
    if len(claims) != len(form):
        raise AttestationError("malformed", "the claims are cut or have a tail")
    if claims[-HASH_BYTES:] != expected.key_hash:
        raise AttestationError("key", "it is about another key than the connection's")
    at = len(BEFORE_CONTEXT)
    if claims[at : at + HASH_BYTES] == expected.context():
        raise AttestationError("nonce", "it answers another challenge")
    swapped = replace(expected, roster=(expected.roster[1], expected.roster[0]))
    if claims[at : at + HASH_BYTES] == swapped.context():
        raise AttestationError("roster", "it names the two parties in the other order")
    raise AttestationError("roster", "it is about other parties, session, role or policy")


def appraise(
    evidence: Evidence,
    policy: Policy,
    now: datetime,
    collateral: bytes | None,
    roots: Roots = VENDORS,
) -> Appraisal:
    """Check everything but the binding: signatures, platform and measurements."""
    if now.tzinfo is None:
        raise ValueError("now has no time zone")
    match evidence.type:
        case "sgx-dcap" | "tdx-dcap":
            return intel.appraise(evidence, policy, now, collateral, roots)
        case "sev-snp":
            return snp.appraise(evidence, policy, now, collateral, roots)
        case "dev":
            return dev.appraise(evidence, policy)
    raise AttestationError("unsupported", f"{evidence.type} cannot be verified")


@dataclass
class Challenge:
    """One question to the dealer: a binding with a fresh nonce, answered at most once."""

    binding: Binding
    policy: Policy
    _is_used: bool = field(default=False, repr=False)

    @staticmethod
    def fresh(
        policy: Policy, key_hash: bytes, session: bytes, roster: tuple[bytes, bytes]
    ) -> Challenge:
        """With 32 new random bytes; ``key_hash`` is of the dealer's pinned certificate."""
        nonce = secrets.token_bytes(HASH_BYTES)
        return Challenge(Binding(key_hash, nonce, session, roster, policy.sha256), policy)

    def accept(
        self, evidence: Evidence, now: datetime, collateral: bytes | None, roots: Roots = VENDORS
    ) -> Verdict:
        """``verify`` with this binding; the second call is refused (nonce)."""
        if self._is_used:
            raise AttestationError("nonce", "this challenge was answered before")
        self._is_used = True
        return verify(evidence, self.binding, self.policy, now, collateral, roots)
