"""Correlations from a dealer, at a party: the client of ``dealer.service``.

Each party gives the dealer a seed and draws its own pieces alone. Party 0 needs
nothing more. Party 1 draws the corrections ahead of consumption, on another thread,
into bounded buffers. Before a seed leaves, each party has verified the dealer's evidence
where the terms demand any, and both have compared what they were told and what they
made of it, so that there is one dealer for both. While the session lasts, nothing of
the dealer's is taken that is due a new verdict.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from securexgb._pb import dealer_pb2 as pb
from securexgb.arith.prg import Prg
from securexgb.attestation.trust import Appraisals, EvidenceSubject, agreed_verdict, verdict_message
from securexgb.attestation.verdict import Verdict
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Kind, Words
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.source import Account
from securexgb.correlations.streams import Streams
from securexgb.dealer.identity import key_hash
from securexgb.dealer.refusal import AttestationError
from securexgb.dealer.session import session_name
from securexgb.offline.ahead import CorrectionBuffer
from securexgb.offline.dealer_link import DealerEndpoint, DealerLink
from securexgb.offline.oblivious_transfer import ObliviousTransfer
from securexgb.offline.producer import Producer, ProductsAhead
from securexgb.offline.row_pads import ShardPads
from securexgb.offline.rows.rows_ahead import RowBitsAhead
from securexgb.offline.seeded import Dealer, FixedMatrix, SeededSource

LEAST_WORDS = 1 << 14
MOST_WORDS = 1 << 20
_MOST_VERDICT_BYTES = 1 << 10
PART = 4
"""Kept ahead of consumption, a kind: a quarter of it, within 128 KiB and 8 MiB."""
MOST_VECTORS = 32
"""Kept ahead, a matrix: as many vectors as were used, but no more than these or 8 MiB.
The dealer goes through the whole mask for each request, so larger ones cost it less."""


class DealerClient(Dealer):
    """The dealer as ``SeededSource`` sees it: over a link, in buffers."""

    def __init__(self, rank: int, link: DealerLink, appraisals: Appraisals | None) -> None:
        self.appraisals = appraisals
        self._rank = rank
        self._link = link
        self._buffers = {
            kind: CorrectionBuffer(kind.layout.fitted.words, LEAST_WORDS, MOST_WORDS, PART)
            for kind in KINDS
        }
        if rank == 1:
            for kind, buffer in self._buffers.items():
                link.open_buffer(kind, buffer)

    @property
    def bytes_exchanged(self) -> int:
        """Messages to the dealer and corrections from it, payload only."""
        return self._link.bytes_sent + self._link.bytes_received

    def check(self) -> None:
        self._link.check()
        if self.appraisals is not None:
            self.appraisals.renew()

    def correction(self, kind: Kind[Any], start: int, count: int) -> Words:
        words = kind.layout.fitted.words
        return self._link.draw(kind, start * words, count * words)

    def product_correction(self, matrix: FixedMatrix, start: int, count: int) -> Words:
        shape, unit = (count, matrix.columns), matrix.columns
        if 0 in shape:
            return np.zeros(shape, np.uint64)
        return self._link.draw(matrix.products, start * unit, count * unit).reshape(shape)

    def announce(self, matrix: FixedMatrix, pairs: int | None) -> None:
        owner, number, unit = matrix.products.owner, matrix.products.number, matrix.columns
        shape = pb.Matrix(owner=owner, number=number, rows=matrix.rows, columns=unit)
        self._link.send(pb.DealRequest(matrix=shape))
        if self._rank == 1 and unit:
            most = unit * max(1, min(MOST_VECTORS, MOST_WORDS // unit))
            expected = None if pairs is None else 2 * unit * pairs
            buffer = CorrectionBuffer(unit, unit, most, 1, expected)
            self._link.open_buffer(matrix.products, buffer)

    def begin_tree(self, remaining: int) -> None:
        for buffer in self._buffers.values():
            buffer.expect(remaining)

    def close(self) -> None:
        """Leave the session."""
        self._link.close()


class DealtSource(SeededSource):
    """One party's supply from the dealer; made by ``connect``. ``verdict``: on the dealer."""

    verdict: Verdict
    row_bits: RowBitsAhead
    _producer: Producer

    @classmethod
    def connect(
        cls,
        rank: int,
        channel: Channel,
        endpoint: DealerEndpoint,
        session: bytes,
        digest: str,
        private: Prg,
        products: ProductsAhead | ShardPads | None = None,
    ) -> DealtSource:
        """Join the session at the dealer and give it a seed from ``private``.

        ``session``: 8 to 32 bytes, the same at both parties and new for each run;
        ``digest``: of the job's terms. Both parties call this at the same time; it
        speaks one message each way on ``channel``, where each also notices at once
        that the other could not join. ``products``: see ``SeededSource``. Raises DealerGone,
        CertificateRefused, EvidenceRefused, TermsDiffer, ProtocolDesync.
        """
        began = perf_counter()
        roster = endpoint.roster(rank)
        link = DealerLink(endpoint)
        try:
            offer = link.join(session, digest, rank)
            name = session + offer.instance
            subject = EvidenceSubject(key_hash(endpoint.certificate), name, roster)
            appraisals = None
            if endpoint.requirement is not None:
                appraisals = Appraisals(endpoint.requirement, subject, link.attest)
            verdict = _agree(channel, appraisals, subject.key_hash, offer)
            seed = private.derive(f"seed for the dealer in session {session.hex()}")
            link.send(pb.DealRequest(seed=pb.Seed(seed=seed.key)))
            link.reply("ready")
        except BaseException:
            link.close()
            raise
        streams = Streams(seed, session_name(session, offer.instance), rank)
        client = DealerClient(rank, link, appraisals)
        source = cls("dealt", streams, channel, client, products)
        source._producer = Producer()
        source.row_bits = _row_bits(rank, channel, private, source._producer)
        source.verdict, source.evidence = verdict, verdict.type
        source._seconds = perf_counter() - began
        return source

    @property
    def account(self) -> Account:
        made = Account(self._producer.seconds, self._producer.waited_seconds)
        return super().account + self.row_bits.account + made

    def close(self) -> None:
        super().close()
        self.row_bits.close()


def _row_bits(rank: int, channel: Channel, private: Prg, producer: Producer) -> RowBitsAhead:
    """The two parties make these alone, on the offline stream."""
    own = private.derive("transfers of row bits"), private.derive("row bits")
    transfers = ObliviousTransfer(rank, channel.stream("offline"), own[0])
    return RowBitsAhead(rank, producer, transfers, own[1])


def _agree(
    channel: Channel, appraisals: Appraisals | None, key_hash: bytes, offer: pb.Offer
) -> Verdict:
    """This party's verdict, once the other party says the same of the same dealer."""
    verdict: Verdict | AttestationError = Verdict.unattested()
    if appraisals is not None:
        try:
            verdict = appraisals.appraise()
        except AttestationError as refusal:
            verdict = refusal
    tag, own = "offline/dealer", verdict_message(verdict, key_hash, offer.instance)
    channel.send(tag, own)
    return agreed_verdict(verdict, own, bytes(channel.receive(tag, _MOST_VERDICT_BYTES)))
