"""``securexgb dealer``: the third process, and what a party makes of its evidence."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from securexgb.attestation.policy import Policy
from securexgb.attestation.trust import (
    Appraisals,
    AttestationRequirement,
    EvidenceSubject,
    collateral_source,
)
from securexgb.attestation.verdict import Verdict
from securexgb.channel.keys import Certificate, Credentials
from securexgb.channel.probe import probe
from securexgb.cli.options import ConfigOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.dealer.attesters.choose import CHOICES, attester_for
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.dealer.evidence import Attester
from securexgb.dealer.identity import fingerprint, key_hash
from securexgb.dealer.refusal import AttestationError
from securexgb.dealer.server import DealerSettings, run
from securexgb.errors import UsageError
from securexgb.offline.dealer_link import DealerEndpoint, DealerLink, fetch_certificate
from securexgb.report.text import verdict_text
from securexgb.storage.whole import make_directory, read_whole, write_new, write_whole
from securexgb.terms.party import PartyConfig

app = typer.Typer(help="The dealer: its process, its evidence.", no_args_is_help=True)
EvidenceChoice = StrEnum("EvidenceChoice", {name: name for name in CHOICES})  # type: ignore[misc]


@app.command()
def serve(
    config: Annotated[Path, typer.Option(help="The dealer's settings.")] = Path("party.toml"),
    evidence: Annotated[
        EvidenceChoice | None,
        typer.Option(help="What vouches for this program; default: as the settings say."),
    ] = None,
    dev_key: Annotated[
        Path, typer.Option(help="The key of dev evidence; made where there is none.")
    ] = Path("dev.key"),
    form: FormatOption = Format.text,
) -> None:
    """Serve two parties until stopped; a new key and certificate at every start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = DealerSettings.from_file(config)
    software: list[DevAttester] = []

    def rehearsal() -> Attester:
        if not dev_key.exists():
            write_new(dev_key, DevAttester.new_key())
        software.append(DevAttester.from_pem(read_whole(dev_key), str(dev_key)))
        return software[0]

    attester = attester_for(evidence.value if evidence else settings.evidence, rehearsal)
    kind = attester.evidence(bytes(64)).type

    def started(port: int, certificate: bytes) -> None:
        make_directory(settings.certificate.parent)
        write_whole(settings.certificate, certificate)
        facts = {
            "port": port,
            "certificate": str(settings.certificate.absolute()),
            "fingerprint": fingerprint(certificate).hex(),
            "evidence": kind,
            "dev_key": software[0].key_hash if software else None,
        }
        text = (
            f"listening on port {port}\n"
            f"certificate {facts['certificate']}, fingerprint {facts['fingerprint']}\n"
            f"evidence: {kind}"
        )
        if software:
            text += f", no hardware; its key for a policy's [[dev]]: {facts['dev_key']}"
        result(facts, text, form)

    if kind == "none":
        note("both parties must pin the certificate of this start: `securexgb keys trust`")
    run(settings, attester, started)


@app.command()
def policy(
    path: Annotated[Path, typer.Argument(help="The policy.")] = Path("policy.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Check a policy and print the hash that both parties compare."""
    read = Policy.from_file(path)
    facts = {"file": str(path), "accept": list(read.accept), "policy_sha256": read.sha256.hex()}
    result(facts, f"accepts {', '.join(read.accept)}\nhash {facts['policy_sha256']}", form)


@app.command()
def verify(
    address: Annotated[
        str | None, typer.Argument(help="host:port; default: dealer_address of the settings.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="The policy; default: dealer_policy of the settings.")
    ] = None,
    collateral: Annotated[
        str | None,
        typer.Option(help="File, folder or https address; default: as the settings say."),
    ] = None,
    name: Annotated[str, typer.Option(help="The name in the dealer's certificate.")] = "dealer",
    config: ConfigOption = Path("party.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Ask a dealer for evidence and judge it, with this party's keys and nothing else."""
    given = {"dealer_address": address, "dealer_collateral": _absolute(collateral)}
    given["dealer_policy"] = None if policy is None else str(policy.absolute())
    settings = PartyConfig.from_file(config, given)
    if settings.dealer_policy is None or settings.dealer_address is None:
        raise UsageError("name the dealer's HOST:PORT and its --policy, here or in party.toml")
    collected = collateral_source(settings.dealer_collateral)
    try:
        requirement = AttestationRequirement(Policy.from_file(settings.dealer_policy), collected)
        verdict, shown = _ask(settings, settings.dealer_address, name, requirement)
    except AttestationError as refusal:
        facts = {"accepted": False, "code": refusal.code, "detail": refusal.detail}
        result(facts, f"refused ({refusal.code}): {refusal.detail}", form)
        raise
    accepted: dict[str, object] = {
        "accepted": True,
        "address": settings.dealer_address,
        "fingerprint": fingerprint(shown).hex(),
        "key_sha256": key_hash(shown).hex(),
        **verdict.to_dict(),
    }
    text = f"the dealer at {settings.dealer_address}, key {accepted['key_sha256']}\n"
    result(accepted, text + verdict_text(verdict), form)


def _absolute(place: str | None) -> str | None:
    """A path counts from here, not from the settings' folder."""
    return place if place is None or "://" in place else str(Path(place).absolute())


def _ask(
    settings: PartyConfig, address: str, name: str, requirement: AttestationRequirement
) -> tuple[Verdict, bytes]:
    """A session of one challenge, without a seed; the verdict and the certificate shown."""
    own = Credentials.load(settings.key, settings.certificate, settings.peer_certificate)
    shown = fetch_certificate(address, name, (own.key, own.own.pem), settings.timeout_seconds)
    what = f"the dealer at {address}"
    certificate = Certificate.parse(shown, what)
    certificate.check(name, "the certificate that the dealer shows")
    probe(address, what, replace(own, peer=certificate), settings.timeout_seconds)
    endpoint = DealerEndpoint(
        address=address,
        name=name,
        certificate=shown,
        own_key=own.key,
        own_certificate=own.own.pem,
        peer_certificate=own.peer.pem,
        timeout_seconds=settings.timeout_seconds,
    )
    link = DealerLink(endpoint)
    try:
        session = secrets.token_bytes(16)
        offer = link.join(session, "verify", settings.rank)
        roster = endpoint.roster(settings.rank)
        subject = EvidenceSubject(key_hash(shown), session + offer.instance, roster)
        return Appraisals(requirement, subject, link.attest).appraise(), shown
    finally:
        link.close()
