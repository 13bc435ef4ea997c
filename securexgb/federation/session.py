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

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from securexgb import __version__
from securexgb.arith.prg import KEY_BYTES, Prg
from securexgb.attestation.trust import AttestationRequirement
from securexgb.attestation.verify import VENDORS
from securexgb.boost.objective.registry import objective_of
from securexgb.channel.channel import Channel
from securexgb.channel.endpoint import Endpoint, connect
from securexgb.channel.grpc import GrpcChannel
from securexgb.channel.handshake import Hello
from securexgb.channel.keys import Certificate, Credentials
from securexgb.channel.relay import shard_name
from securexgb.correlations.source import CorrelationSource
from securexgb.errors import PeerError, UsageError
from securexgb.federation.coins import draw_coins, seeded_coins
from securexgb.federation.dealer import (
    dealer_certificate,
    dealer_endpoint,
    dealer_requirement,
    find_dealer,
    reach_dealer,
)
from securexgb.mpc.party import Party
from securexgb.offline.dealt import DealtSource
from securexgb.offline.method import Method
from securexgb.offline.two_party import TwoPartySource
from securexgb.terms.cluster import ClusterSettings
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig

Purpose = Literal["train", "predict", "evaluate", "check", "align", "estimate", "export", "serve"]
_OF_ROWS: tuple[Purpose, ...] = ("train", "predict", "evaluate", "serve")
_BETWEEN_TWO = Method()


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
        align, own = terms.align, config.key_columns
        if align is not None and own is not None and len(own) != len(align.keys):
            raise UsageError(
                f"{config.name}: key_columns in party.toml names {len(own)} columns, and the terms "
                f"align by {len(align.keys)}: {', '.join(align.keys)}"
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

    @property
    def id_column(self) -> str | None:
        """What this side calls the rows' ids; None where the terms ask for none."""
        agreed = self.terms.id_column
        return None if agreed is None else self.config.id_column or agreed

    @property
    def key_columns(self) -> tuple[str, ...]:
        """What this side calls the keys that rows are aligned by; none where the terms do not
        align."""
        if self.terms.align is None:
            return ()
        return self.config.key_columns or self.terms.align.keys

    @property
    def id_columns(self) -> tuple[str, ...]:
        """What this side calls the columns that a row's id is made of; see ``terms.id_columns``."""
        own = self.id_column
        return self.key_columns if own is None else (own,)

    def endpoint(self) -> Endpoint:
        """Where and with whom the link is opened; UsageError for keys that cannot be used."""
        config = self.config
        credentials = Credentials.load(config.key, config.certificate, config.peer_certificate)
        return Endpoint(
            credentials,
            self.peer_name,
            config.listen,
            config.connect,
            timeout_seconds=config.timeout_seconds,
            wait_seconds=config.wait_seconds,
        )

    def shard_endpoint(self, number: int, wait_seconds: float) -> Endpoint:
        """Where own shard ``number`` meets the other side's; it asks for that by name."""
        endpoint, listen = self.endpoint(), None
        if endpoint.listen is not None:
            listen = self.cluster.bound(self.cluster.own_link(number))
        name = shard_name(number, self.peer_name)
        called = f"shard {number} of {self.peer_name}"
        return replace(
            endpoint, listen=listen, wait_seconds=wait_seconds, server_name=name, called=called
        )

    def shard_link(
        self, endpoint: Endpoint, purpose: Purpose, number: int, session: bytes
    ) -> GrpcChannel:
        """Open the link between the two shards of a number, for this ``session`` of the heads.

        PeerError where the other side's shard still works in another session.
        """
        channel = connect(endpoint, self.hello(purpose, number))
        try:
            channel.send("session", session)
            if bytes(channel.receive("session", len(session))) != session:
                raise PeerError(
                    f"shard {number} of {self.peer_name} works in another session than shard "
                    f"{number} of {self.config.name}: the one before has not ended at both sides"
                )
        except BaseException as error:
            channel.close(error)
            raise
        return channel

    @property
    def cluster(self) -> ClusterSettings:
        """This side's settings of its shards; UsageError where there are none."""
        if self.config.cluster is None:
            raise UsageError(
                f"the terms divide rows into {self.terms.shards} shards, and party.toml of "
                f"{self.config.name} has no table [cluster], which says where they run"
            )
        return self.config.cluster

    def dealer_requirement(self) -> AttestationRequirement | None:
        """What the dealer has to prove, by the terms; errors as ``federation.dealer``'s."""
        return dealer_requirement(self.config, self.terms, self.roots)

    def dealer_certificate(self) -> Certificate:
        """The dealer's pinned certificate, its name and dates checked."""
        return dealer_certificate(self.config, self.terms)

    def hello(self, purpose: Purpose, shard: int | None = None) -> Hello:
        """What this side says first; ``shard``: its number, of a link between two."""
        return Hello(
            role=self.role,
            name=self.config.name,
            peer_name=self.peer_name,
            job_digest=self.terms.full_digest,
            purpose=purpose if shard is None else f"{purpose} shard {shard}",
            package_version=__version__,
        )

    @property
    def has_dealer(self) -> bool:
        """Whether the terms ask for a dealer."""
        return self.terms.method.has_dealer

    @contextmanager
    def session(self, purpose: Purpose) -> Iterator[Party]:
        """This side's party for one run, all links open until the end of the block.

        Blocks until the other side comes, at most as long as ``wait`` of the settings says.
        """
        self._check_terms(purpose)
        endpoint = self.endpoint()
        if self.has_dealer and purpose != "align":
            find_dealer(self.config, self.terms)
        with self.joined(connect(endpoint, self.hello(purpose)), endpoint, purpose) as party:
            yield party

    @contextmanager
    def joined(
        self,
        channel: GrpcChannel,
        endpoint: Endpoint,
        purpose: Purpose,
        *,
        is_shard: bool = False,
    ) -> Iterator[Party]:
        """The same over a link that is open already, and ends with the block.

        ``is_shard``: of the rows of a head.
        """
        with ExitStack() as open_links:
            part = _parting(channel)
            open_links.push(part)
            private = Prg.fresh()
            source = self._source(
                channel, endpoint.credentials, private, purpose, is_shard=is_shard
            )
            open_links.callback(source.close)
            open_links.push(part)  # first of all the other side is told, then the dealer
            coins = self._coins(channel)
            lasting = Prg(endpoint.credentials.lasting_secret(KEY_BYTES))
            own = private.derive("protocols")
            yield Party(self.config.rank, channel, source, own, coins, lasting)

    def _check_terms(self, purpose: Purpose) -> None:
        """UsageError where the terms allow no such session."""
        align = self.terms.align
        if purpose == "export":
            _ = self.terms.model_recipient
        if align is None and purpose == "align":
            raise UsageError(
                "the terms have no table [align]: agree on its keys, or give both files the same "
                "rows in the same order"
            )
        if align is not None and align.reveal == "size" and purpose in _OF_ROWS:
            raise UsageError(
                'the terms say reveal = "size": they allow `align --dry-run` alone, for nothing '
                'can be learnt from rows that no side may know; agree on reveal = "members"'
            )

    def decline(self, purpose: Purpose, error: BaseException) -> None:
        """Join the link only to say that this side cannot go on, and of what kind the error is."""
        connect(self.endpoint(), self.hello(purpose)).close(error)

    def _source(
        self,
        channel: GrpcChannel,
        credentials: Credentials,
        private: Prg,
        purpose: Purpose,
        *,
        is_shard: bool,
    ) -> CorrelationSource:
        """Where this run's correlations come from, by the terms; an alignment has no dealer."""
        rank, method = self.config.rank, self.terms.method
        if purpose == "align":
            method = _BETWEEN_TWO
        training = self.terms.training
        a_round = objective_of(training).outputs << (training.max_depth - 1)
        make = method.shard_products if is_shard else method.products
        products = make(rank, channel, private.derive("products"), a_round)
        if products is None or method.has_dealer:
            dealer = dealer_endpoint(self.config, self.terms, credentials, self.roots)
            reach_dealer(channel, dealer, credentials)
            digest, seed = self.terms.full_digest, private.derive("dealer")
            return DealtSource.connect(
                rank, channel, dealer, channel.session, digest, seed, products
            )
        return TwoPartySource(rank, channel, private.derive("offline"), products)

    def _coins(self, channel: Channel) -> Prg:
        if self.terms.coins == "seeded":
            return seeded_coins(self.terms.training.random_state)
        return draw_coins(channel, self.config.rank, self.terms.full_digest)


def _parting(channel: Channel) -> Callable[[object, BaseException | None, object], None]:
    """Ends the link when a block ends, with the error that ended it."""
    return lambda _, error, __: channel.close(error)
