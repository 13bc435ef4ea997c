"""Correlations from a dealer, at a party: the client of ``dealer.service``.

Each party gives the dealer a seed and draws its own pieces alone. Party 0 needs
nothing more. Party 1 draws the corrections ahead of consumption, on another thread,
into bounded buffers. Before a seed leaves, each party has verified the dealer's evidence
where the terms demand any, and both have compared what they were told and what they
made of it, so that there is one dealer for both. While the session lasts, no correlation
is taken that is due a new verdict.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from securexgb._pb import dealer_pb2 as pb
from securexgb.arith.prg import Prg
from securexgb.attestation.trust import Appraisals, EvidenceSubject, agreed_verdict, verdict_message
from securexgb.attestation.verdict import Verdict
from securexgb.channel.channel import Channel
from securexgb.dealer.deal import SHAPES, Streams
from securexgb.dealer.identity import key_hash
from securexgb.dealer.refusal import AttestationError
from securexgb.dealer.session import Series, session_name
from securexgb.offline.correlations import Kind, Words
from securexgb.offline.dealer_link import DealerEndpoint, DealerLink
from securexgb.offline.line import Line
from securexgb.offline.producer import ProductsAhead
from securexgb.offline.seeded import FixedMatrix, SeededSource

LEAST_WORDS = 1 << 14
MOST_WORDS = 1 << 20
PART = 4
"""Kept ahead of consumption, a kind: a quarter of it, within 128 KiB and 8 MiB."""
MOST_VECTORS = 32
"""Kept ahead, a matrix: as many vectors as were used, but no more than these or 8 MiB.
The dealer goes through the whole mask for each request, so larger ones cost it less."""


class DealtSource(SeededSource):
    """One party's supply from the dealer; made by ``connect``. ``verdict``: on the dealer."""

    name = "dealt"

    def __init__(
        self,
        streams: Streams,
        channel: Channel,
        link: DealerLink,
        trust: tuple[Verdict, Appraisals | None],
        products: ProductsAhead | None = None,
    ) -> None:
        super().__init__(streams, channel, products)
        self.verdict, self._appraisals = trust
        self.evidence = self.verdict.type
        self._link = link
        self._vectors: int | None = None
        self._lines = {
            kind: Line(SHAPES[kind].fitted.words, LEAST_WORDS, MOST_WORDS, PART) for kind in Kind
        }
        if self._rank == 1:
            for kind, line in self._lines.items():
                link.open_line(Series(kind), line)

    @classmethod
    def connect(
        cls,
        rank: int,
        channel: Channel,
        endpoint: DealerEndpoint,
        session: bytes,
        digest: str,
        private: Prg,
        products: ProductsAhead | None = None,
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
        source = cls(streams, channel, link, (verdict, appraisals), products)
        source._seconds = perf_counter() - began
        return source

    def plan(self, vectors: int, values: int) -> None:
        """See ``offline.source``."""
        super().plan(vectors, values)
        self._vectors = vectors

    def begin_tree(self, left: int) -> None:
        """See ``offline.source``."""
        for line in self._lines.values():
            line.begin_tree(left)

    def close(self) -> None:
        """Leave the session, and stop producing."""
        self._link.close()
        super().close()

    def _check(self) -> None:
        self._link.check()
        if self._appraisals is not None:
            self._appraisals.renew()

    @property
    def offline_bytes(self) -> int:
        """Messages to the dealer and corrections from it, payload only."""
        return self._link.bytes_sent + self._link.bytes_received

    def _correction(self, kind: Kind, start: int, count: int) -> Words:
        words = SHAPES[kind].fitted.words
        return self._link.draw(Series(kind), start * words, count * words)

    def _product_correction(self, matrix: FixedMatrix, start: int, count: int) -> Words:
        shape = (count, matrix.columns)
        if 0 in shape:
            return np.zeros(shape, np.uint64)
        series = Series(None, (matrix.owner, matrix.number))
        return self._link.draw(series, start * matrix.columns, count * matrix.columns).reshape(
            shape
        )

    def _announce(self, matrix: FixedMatrix) -> None:
        shape = pb.Matrix(
            owner=matrix.owner, number=matrix.number, rows=matrix.rows, columns=matrix.columns
        )
        self._link.send(pb.DealRequest(matrix=shape))
        if self._rank == 1 and matrix.columns:
            unit = matrix.columns
            vectors = max(1, min(MOST_VECTORS, MOST_WORDS // unit))
            expected = None if self._vectors is None else 2 * unit * self._vectors
            line = Line(unit, unit, vectors * unit, 1, expected)
            self._link.open_line(Series(None, (matrix.owner, matrix.number)), line)


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
    return agreed_verdict(verdict, own, bytes(channel.receive(tag)))
