"""The dealer of a job, at a party: where it is, whom it must be, what it must prove.

The terms name the dealer and the evidence that both sides demand; ``party.toml`` says
where this side finds it. Nothing here is asked where the terms have no dealer.
"""

from __future__ import annotations

from dataclasses import replace

from securexgb.attestation.appraisal import Roots
from securexgb.attestation.policy import Policy
from securexgb.attestation.trust import AttestationRequirement, collateral_source
from securexgb.channel.channel import Channel
from securexgb.channel.keys import Certificate, Credentials, read_certificate
from securexgb.channel.probe import probe
from securexgb.dealer.refusal import AttestationError
from securexgb.errors import DealerGone, PeerError, UsageError
from securexgb.offline.dealer_link import DealerEndpoint, fetch_certificate
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig


def dealer_requirement(
    config: PartyConfig, terms: JobTerms, roots: Roots
) -> AttestationRequirement | None:
    """What the dealer has to prove, by the terms; None where its operator is trusted.

    UsageError where the settings name no policy, AttestationError (policy) where it
    cannot be used or is not the one of the terms.
    """
    agreed = terms.dealer
    if agreed.policy_sha256 is None:
        return None
    if config.dealer_policy is None:
        raise UsageError("the terms demand evidence of the dealer: set dealer_policy")
    policy = Policy.from_file(config.dealer_policy)
    if policy.sha256.hex() != agreed.policy_sha256:
        raise AttestationError(
            "policy",
            f"{config.dealer_policy} has the hash {policy.sha256.hex()[:16]}…, "
            f"the terms name {agreed.policy_sha256[:16]}…",
        )
    if set(policy.accept) != set(agreed.evidence):
        raise AttestationError(
            "policy",
            f"it accepts {', '.join(policy.accept)}, the terms {', '.join(agreed.evidence)}",
        )
    source = collateral_source(config.dealer_collateral, config.dealer_collateral_cache)
    return AttestationRequirement(policy, source, roots)


def dealer_endpoint(
    config: PartyConfig, terms: JobTerms, credentials: Credentials, roots: Roots
) -> DealerEndpoint:
    """Where the dealer is and what it must prove; UsageError where it is not said.

    The certificate is the pinned one. Where there is no such file and evidence is
    demanded it is the one that the dealer shows, and the evidence decides.
    """
    address, certificate = find_dealer(config, terms)
    name, seconds = terms.dealer.name, config.timeout_seconds
    requirement = dealer_requirement(config, terms, roots)
    if certificate is None:
        own = credentials.key, credentials.own.pem
        shown = fetch_certificate(address, name, own, seconds)
        certificate = Certificate.parse(shown, f"what listens at {address}")
        certificate.check(name, "the certificate that the dealer shows")
    return DealerEndpoint(
        address=address,
        name=name,
        certificate=certificate.pem,
        own_key=credentials.key,
        own_certificate=credentials.own.pem,
        peer_certificate=credentials.peer.pem,
        timeout_seconds=seconds,
        requirement=requirement,
    )


def find_dealer(config: PartyConfig, terms: JobTerms) -> tuple[str, Certificate | None]:
    """Address, and pinned certificate unless evidence stands in for it.

    UsageError where the settings do not say them.
    """
    if config.dealer_address is None:
        raise UsageError("the terms ask for a dealer: set dealer_address in party.toml")
    is_demanded = terms.dealer.policy_sha256 is not None
    if is_demanded and not config.dealer_certificate.exists():
        return config.dealer_address, None
    return config.dealer_address, dealer_certificate(config, terms)


def dealer_certificate(config: PartyConfig, terms: JobTerms) -> Certificate:
    """The dealer's pinned certificate, its name and dates checked."""
    certificate = read_certificate(config.dealer_certificate)
    certificate.check(terms.dealer.name, "the dealer's pinned certificate")
    return certificate


def reach_dealer(channel: Channel, dealer: DealerEndpoint, credentials: Credentials) -> None:
    """Both sides see that TLS with the dealer works before either joins it.

    So a dealer that is absent or refused at one side stops the other side at once.
    """
    what = f"the dealer ({dealer.name})"
    pinned = replace(credentials, peer=Certificate.parse(dealer.certificate, what))
    try:
        probe(dealer.address, what, pinned, dealer.timeout_seconds)
    except PeerError as error:
        raise DealerGone(str(error)) from None
    channel.send("dealer reached", b"")
    channel.receive("dealer reached", 0)
