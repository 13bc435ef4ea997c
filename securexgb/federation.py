"""From two files to a ``Party`` that is ready to train: open the link, find the correlations.

    federation = Federation.from_file("party.toml", job="job.toml")
    with federation.session("train") as party:
        half = train(party, job)

Both companies run the same lines, each with its own ``party.toml``. On the way in, both
sides compare who they are and what they agreed on and draw public coins. Where the terms
name a dealer they join it under a session that has never been before (and verify its
evidence, where the terms demand any); by default there is none, and the two make their
correlations alone. On the way out all links end in order; an error here stops the other
side, which is told its kind and nothing else.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from securexgb import __version__
from securexgb.arith.prg import KEY_BYTES, Prg
from securexgb.channel.channel import Channel
from securexgb.channel.endpoint import Endpoint, connect
from securexgb.channel.grpc import GrpcChannel
from securexgb.channel.handshake import Hello
from securexgb.channel.keys import Certificate, Credentials, read_certificate
from securexgb.channel.probe import probe
from securexgb.config import JobTerms, PartyConfig
from securexgb.dealer.attestation import AttestationError
from securexgb.dealer.attestation.policy import Policy
from securexgb.dealer.attestation.verify import VENDORS
from securexgb.errors import DealerGone, MalformedFrame, PeerError, ProtocolDesync, UsageError
from securexgb.mpc.party import Party
from securexgb.offline.dealer_link import DealerEndpoint, fetch_certificate
from securexgb.offline.dealt import DealtSource
from securexgb.offline.producer import ProductsAhead
from securexgb.offline.source import CorrelationSource
from securexgb.offline.trust import Demand, collateral_source
from securexgb.offline.two_party import TwoPartySource

__all__ = ["Federation", "Purpose", "draw_coins"]

Purpose = Literal["train", "predict", "evaluate", "check"]
_NONCE_BYTES = 32


class Federation:
    """One side's membership in a job: its settings and the terms."""

    roots = VENDORS
    """Whom the dealer's evidence must lead to. Laboratories change it in their own code; no
    setting does, and a verdict under other roots never says hardware."""

    def __init__(self, config: PartyConfig, terms: JobTerms) -> None:
        """UsageError where the settings do not fit the terms."""
        agreed = terms.name_of(config.role)
        if config.name != agreed:
            raise UsageError(
                f"this side is {config.name!r} in party.toml, but the terms name {agreed!r} as the "
                f"{config.role} party: correct one of the two files"
            )
        self.config = config
        self.terms = terms

    @staticmethod
    def from_file(
        party: str | Path = "party.toml",
        job: str | Path = "job.toml",
        overrides: Mapping[str, Any] | None = None,
    ) -> Federation:
        """From both files; ``overrides`` are settings of ``party.toml`` given as flags."""
        return Federation(
            PartyConfig.from_file(Path(party), overrides), JobTerms.from_file(Path(job))
        )

    @property
    def role(self) -> Literal["label", "feature"]:
        return self.config.role

    @property
    def peer_name(self) -> str:
        return self.terms.name_of("feature" if self.role == "label" else "label")

    @property
    def digest(self) -> str:
        """Ten letters that are equal at both sides when the terms are."""
        return self.terms.digest

    def endpoint(self) -> Endpoint:
        """Where and with whom the link is opened; UsageError for keys that cannot be used."""
        config = self.config
        credentials = Credentials.load(config.key, config.certificate, config.peer_certificate)
        return Endpoint(
            credentials, self.peer_name, config.listen, config.connect, config.timeout_seconds
        )

    def demand(self) -> Demand | None:
        """What the dealer has to prove, by the terms; None where its operator is trusted.

        UsageError where the settings name no policy, AttestationError (policy) where it
        cannot be used or is not the one of the terms.
        """
        agreed = self.terms.dealer
        if agreed.policy_sha256 is None:
            return None
        if self.config.dealer_policy is None:
            raise UsageError("the terms demand evidence of the dealer: set dealer_policy")
        policy = Policy.from_file(self.config.dealer_policy)
        if policy.sha256.hex() != agreed.policy_sha256:
            raise AttestationError(
                "policy",
                f"{self.config.dealer_policy} has the hash {policy.sha256.hex()[:16]}…, "
                f"the terms name {agreed.policy_sha256[:16]}…",
            )
        if set(policy.accept) != set(agreed.evidence):
            raise AttestationError(
                "policy",
                f"it accepts {', '.join(policy.accept)}, the terms {', '.join(agreed.evidence)}",
            )
        config = self.config
        source = collateral_source(config.dealer_collateral, config.dealer_collateral_cache)
        return Demand(policy, source, self.roots)

    def dealer_endpoint(self, credentials: Credentials) -> DealerEndpoint:
        """Where the dealer is and what it must prove; UsageError where it is not said.

        The certificate is the pinned one. Where there is no such file and evidence is
        demanded it is the one that the dealer shows, and the evidence decides.
        """
        address, certificate = self._know_dealer()
        name, seconds, demand = self.terms.dealer.name, self.config.timeout_seconds, self.demand()
        if certificate is None:
            shown = fetch_certificate(address, name, seconds)
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
            demand=demand,
        )

    def _know_dealer(self) -> tuple[str, Certificate | None]:
        """Address, and pinned certificate unless evidence stands in for it."""
        config = self.config
        if config.dealer_address is None:
            raise UsageError("the terms ask for a dealer: set dealer_address in party.toml")
        is_demanded = self.terms.dealer.policy_sha256 is not None
        if is_demanded and not config.dealer_certificate.exists():
            return config.dealer_address, None
        return config.dealer_address, self.dealer_certificate()

    def dealer_certificate(self) -> Certificate:
        """The dealer's pinned certificate, its name and dates checked."""
        certificate = read_certificate(self.config.dealer_certificate)
        certificate.check(self.terms.dealer.name, "the dealer's pinned certificate")
        return certificate

    def hello(self, purpose: Purpose) -> Hello:
        """What this side says first."""
        return Hello(
            role=self.role,
            name=self.config.name,
            peer_name=self.peer_name,
            job_digest=self.terms.full_digest,
            purpose=purpose,
            package_version=__version__,
        )

    @property
    def has_dealer(self) -> bool:
        """Whether the terms ask for a dealer."""
        return self.terms.method.has_dealer

    @contextmanager
    def session(self, purpose: Purpose) -> Iterator[Party]:
        """This side's party for one run, all links open until the end of the block.

        Blocks until the other side comes, at most ``timeout_seconds``.
        """
        endpoint = self.endpoint()
        if self.has_dealer:
            self._know_dealer()
        with ExitStack() as open_links:
            channel = connect(endpoint, self.hello(purpose))
            part = _parting(channel)
            open_links.push(part)
            private = Prg.fresh()
            source = self._source(channel, endpoint.credentials, private)
            open_links.callback(source.close)
            open_links.push(part)  # first of all the other side is told, then the dealer
            coins = self._coins(channel)
            lasting = Prg(endpoint.credentials.lasting_secret(KEY_BYTES))
            own = private.derive("protocols")
            yield Party(self.config.rank, channel, source, own, coins, lasting)

    def _reach_dealer(self, channel: Channel, credentials: Credentials) -> DealerEndpoint:
        """Both sides see that TLS with the dealer works before either joins it.

        So a dealer that is absent or refused at one side stops the other side at once.
        """
        dealer = self.dealer_endpoint(credentials)
        what = f"the dealer ({dealer.name})"
        pinned = replace(credentials, peer=Certificate.parse(dealer.certificate, what))
        try:
            probe(dealer.address, what, pinned, dealer.timeout_seconds)
        except PeerError as error:
            raise DealerGone(str(error)) from None
        channel.send("dealer reached", b"")
        channel.receive("dealer reached")
        return dealer

    def _source(
        self, channel: GrpcChannel, credentials: Credentials, private: Prg
    ) -> CorrelationSource:
        """Where this run's correlations come from, by the terms."""
        rank, method = self.config.rank, self.terms.method
        a_tree = 1 << (self.terms.training.max_depth - 1)
        products = method.products(rank, channel, private.derive("products"), a_tree)
        if products is None or method.has_dealer:
            dealer = self._reach_dealer(channel, credentials)
            return self._join_dealer(channel, dealer, private, products)
        return TwoPartySource(rank, channel, private.derive("offline"), products)

    def _join_dealer(
        self,
        channel: GrpcChannel,
        dealer: DealerEndpoint,
        private: Prg,
        products: ProductsAhead | None,
    ) -> DealtSource:
        return DealtSource.connect(
            self.config.rank,
            channel,
            dealer,
            channel.session,
            self.terms.full_digest,
            private.derive("dealer"),
            products,
        )

    def _coins(self, channel: Channel) -> Prg:
        if self.terms.coins == "seeded":
            seed = f"securexgb coins {self.terms.training.random_state}"
            return Prg(hashlib.sha256(seed.encode()).digest()[:16])
        return draw_coins(channel, self.config.rank, self.terms.full_digest)


def _parting(channel: Channel) -> Callable[[object, BaseException | None, object], None]:
    """Ends the link when a block ends, with the error that ended it."""
    return lambda _, error, __: channel.close(error)


def draw_coins(channel: Channel, rank: int, digest: str) -> Prg:
    """Public coins that neither side can choose, while one of them is honest.

    Both commit to random bytes, then open them (Blum, CRYPTO 1981); the coins follow
    from both. ProtocolDesync where an opening does not fit its commitment.
    """
    mine = secrets.token_bytes(_NONCE_BYTES)
    channel.send("coins/commitment", _commitment(rank, digest, mine))
    commitment = bytes(channel.receive("coins/commitment"))
    channel.send("coins/opening", mine)
    theirs = bytes(channel.receive("coins/opening"))
    if len(theirs) != _NONCE_BYTES:
        raise MalformedFrame("the other side's public coins have a wrong length")
    if _commitment(1 - rank, digest, theirs) != commitment:
        raise ProtocolDesync("the other side opened other public coins than it had committed to")
    label, feature = (mine, theirs) if rank == 0 else (theirs, mine)
    joint = hashlib.sha256(b"securexgb coins" + label + feature + digest.encode())
    return Prg(joint.digest()[:16])


def _commitment(rank: int, digest: str, nonce: bytes) -> bytes:
    text = f"securexgb coins of party {rank} in job {digest}".encode()
    return hashlib.sha256(text + nonce).digest()
