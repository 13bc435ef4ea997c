"""A party's side of the dealer's evidence: what it demands, asks, and asks again.

``AttestationRequirement`` is what a party brings: the policy and where collateral comes from.
``Appraisals`` is one session's series of challenges to one dealer, each with a fresh
nonce of this party's own. The first comes before any seed; the next is due after the
policy's time, and before collateral runs out. All of it happens at the party: nothing
of this module is part of the dealer's program.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from securexgb._pb import dealer_pb2 as pb
from securexgb.attestation.appraisal import Roots
from securexgb.attestation.collateral import (
    CollateralSource,
    Fetch,
    FileCollateral,
    FolderCollateral,
    UrlCollateral,
)
from securexgb.attestation.collateral_cache import BEFORE_EXPIRY, ServiceCollateral, utc_now
from securexgb.attestation.policy import Policy
from securexgb.attestation.verdict import Verdict
from securexgb.attestation.verify import VENDORS, Challenge
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError
from securexgb.errors import EvidenceRefused

_INTEL = "https://api.trustedservices.intel.com"
_INTEL_ROOT_CRL = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"


@dataclass(frozen=True)
class AttestationRequirement:
    """What this party demands of the dealer.

    ``collateral``: None where the accepted types need none, or bring their own.
    ``roots``: other than the vendors' in laboratories only; the verdict says so.
    """

    policy: Policy
    collateral: CollateralSource | None = None
    roots: Roots = VENDORS
    now: Callable[[], datetime] = utc_now


def collateral_source(
    place: Path | str | None, cache: Path | None = None, fetch: Fetch | None = None
) -> CollateralSource | None:
    """From a setting: a file, a folder of files, or an https address; None for nothing.

    ``cache``: a folder that keeps what an address answers, for a day, and until it runs
    out while the address does not answer; None: every challenge fetches anew.
    ``fetch``: other than by https, in tests.

    Intel's own service keeps its root revocation list at another address; any other
    service must have it where a PCCS has it.
    """
    if place is None:
        return None
    if isinstance(place, str):
        root_crl = _INTEL_ROOT_CRL if place.rstrip("/") == _INTEL else None
        service = UrlCollateral(place, root_crl, fetch)
        return service if cache is None else ServiceCollateral(FolderCollateral(cache), service)
    return FolderCollateral(place) if place.is_dir() else FileCollateral(place)


@dataclass(frozen=True)
class EvidenceSubject:
    """Whom the evidence must be about: dealer's key, session's name, parties in order."""

    key_hash: bytes
    session: bytes
    roster: tuple[bytes, bytes]


class Appraisals:
    """Challenges to one dealer in one session; ``ask`` sends one and waits for its answer."""

    def __init__(
        self,
        requirement: AttestationRequirement,
        subject: EvidenceSubject,
        ask: Callable[[pb.Attest], pb.Evidence],
    ) -> None:
        self._requirement = requirement
        self._subject = subject
        self._ask = ask
        self._first: Verdict | None = None
        self._again = 0.0
        self._expiry: datetime | None = None

    def appraise(self) -> Verdict:
        """One challenge; AttestationError where the answer is not accepted."""
        requirement, subject = self._requirement, self._subject
        challenge = Challenge.fresh(
            requirement.policy, subject.key_hash, subject.session, subject.roster
        )
        binding = challenge.binding
        answer = self._ask(pb.Attest(nonce=binding.nonce, policy_sha256=binding.policy_sha256))
        evidence = Evidence(answer.type, answer.body, answer.claims, answer.endorsements)
        if evidence.type not in requirement.policy.accept:
            raise AttestationError(
                "type_not_allowed",
                f"the dealer's is {evidence.type}, the policy accepts "
                f"{', '.join(requirement.policy.accept)}",
            )
        source = requirement.collateral
        collateral = None if source is None else source.collateral(evidence)
        now = requirement.now()
        verdict = challenge.accept(evidence, now, collateral, requirement.roots)
        self._again = time.monotonic() + requirement.policy.reattest_seconds
        self._expiry = verdict.collateral_until
        if self._expiry is not None and now < self._expiry - BEFORE_EXPIRY:
            self._expiry -= BEFORE_EXPIRY
        return self._same(verdict)

    def renew(self) -> None:
        """Ask again where it is time; AttestationError where the dealer fails then."""
        is_late = time.monotonic() >= self._again
        if is_late or (self._expiry is not None and self._requirement.now() >= self._expiry):
            self.appraise()

    def _same(self, verdict: Verdict) -> Verdict:
        """Within a session the program stays the same, even where a policy names several."""
        first = self._first = self._first or verdict
        if (verdict.type, verdict.measurement) != (first.type, first.measurement):
            raise AttestationError("measurement", "the dealer shows another program than before")
        return verdict


def verdict_message(verdict: Verdict | AttestationError, key_hash: bytes, instance: bytes) -> bytes:
    """What a party says of the dealer to the other party, over their own link."""
    if isinstance(verdict, AttestationError):
        return b"refused " + verdict.code.encode()
    policy = verdict.policy_sha256.encode()
    return b"accepted " + verdict.dealer_digest(key_hash, instance) + policy


def agreed_verdict(verdict: Verdict | AttestationError, own: bytes, theirs: bytes) -> Verdict:
    """This party's verdict where both accept the same dealer, else EvidenceRefused."""
    if isinstance(verdict, AttestationError):
        raise verdict
    if theirs.startswith(b"refused "):
        code = "".join(c for c in theirs[8:40].decode(errors="replace") if c.isalpha() or c == "_")
        raise EvidenceRefused(f"the other side refuses the dealer's evidence ({code}): see there")
    if theirs != own:
        raise EvidenceRefused(
            "the two parties have reached different dealers, or were told different things; "
            "compare the dealer's address and certificate with the other side"
        )
    return verdict
