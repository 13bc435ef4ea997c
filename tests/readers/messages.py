"""What the other party and the dealer send, message by message."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

import grpc
import numpy as np

from securexgb._pb import control_pb2
from securexgb._pb import dealer_pb2 as pb
from securexgb.align.ids import check_same_rows
from securexgb.attestation.trust import verdict_message
from securexgb.attestation.verdict import Verdict
from securexgb.boost.booster import _either
from securexgb.boost.importance import opened_importance
from securexgb.boost.layout import Layout
from securexgb.boost.metrics.whole import _have_both
from securexgb.boost.predict import Request, _check_request
from securexgb.boost.splits.opened import _agree as agree_on_export
from securexgb.channel.grpc import _readable
from securexgb.channel.handshake import Hello, compare, session_id
from securexgb.correlations.triples import Triples
from securexgb.dealer.evidence import Unattested
from securexgb.dealer.identity import key_hash
from securexgb.dealer.service import DealerService
from securexgb.dealer.session import Refused
from securexgb.dealer.wire import VERSION, request_of
from securexgb.errors import CertificateRefused, ProtocolDesync
from securexgb.federation.coins import _commitment, draw_coins
from securexgb.federation.session import Federation
from securexgb.jobs.agreement import JobDescription, agree
from securexgb.jobs.aligning.session import _Offer, _parsed
from securexgb.jobs.alignment import _same_alignments, column_counts, same_names
from securexgb.jobs.data.columns import ColumnFacts, agree_on_columns
from securexgb.jobs.estimating.link import measured as measured_link
from securexgb.jobs.estimating.link import measuring_cost
from securexgb.jobs.evaluation import measure
from securexgb.jobs.export import _names
from securexgb.jobs.ledgers import Books
from securexgb.jobs.resuming.choice import Offer, RunOffer, agree_on_run
from securexgb.jobs.resuming.common_model import common_model
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import FinishedRun, RunDirectory
from securexgb.offline.ahead import CorrectionBuffer
from securexgb.offline.dealer_link import DealerLink, response_of
from securexgb.offline.dealt import _agree
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from tests.dealer.running import PARTIES
from tests.readers.files import half, record
from tests.readers.table import GoesOn, Prepared, Row

DEALER = PARTIES[0].certificate


class Told:
    """A party, and a channel, to which the other side says these bytes and nothing else."""

    rank, role, place = 0, "label", ""

    def __init__(self, *said: bytes) -> None:
        self._said = list(said)

    def exchange_bytes(self, _: bytes) -> bytes:
        return self._said.pop(0)

    def send(self, tag: str, payload: bytes, awaits: int | None = None) -> None:
        """Thrown away."""

    def receive(self, _: str, at_most: int) -> memoryview:
        del at_most  # what is too long is refused by channels; tests of these are their own
        return memoryview(self._said.pop(0))

    @contextmanager
    def step(self, _: str) -> Iterator[None]:
        yield

    def __getattr__(self, name: str) -> NoReturn:
        raise GoesOn(name)


def told(good: bytes, read: Callable[[Any], object]) -> Callable[[Path], Prepared]:
    return lambda _: (good, lambda content: read(Told(content)))


def hello(_: Path) -> Prepared:
    mine = Hello("label", "bank", "bureau", "digest", "train", "1.0")
    theirs = replace(mine, role="feature", name="bureau", peer_name="bank")

    def read(content: bytes) -> object:
        found = Hello.decode(content)
        compare(mine, found)
        return session_id(mine, found)

    return theirs.encode(), read


def failure(_: Path) -> Prepared:
    return control_pb2.Failure(kind="DataError").SerializeToString(), _readable


def description(_: Path) -> Prepared:
    params = half("owner").params
    mine = JobDescription(
        json.dumps(params.to_mapping()),
        "",
        "JOB",
        40,
        ColumnFacts(1),
        False,
        (("e", 40, False),),
        "00",
        "none",
        None,
    )
    good = json.dumps(asdict(mine)).encode()
    return good, lambda content: agree(Told(content), params, mine)  # type: ignore[arg-type]


def measured(party: Any) -> object:
    data = Rows(np.zeros((40, len(MODEL.columns))), MODEL.columns, np.zeros(40))
    return measure(party, MODEL, "e", data, ["logloss"])


class Spoken:
    """A party's stream at the dealer: what it sends, and then it leaves."""

    def __init__(self, rank: int, messages: list[bytes]) -> None:
        self._rank, self._messages = rank, messages
        self.status: grpc.StatusCode | None = None

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_pem_cert": [PARTIES[self._rank].certificate]}

    async def read(self) -> object:
        return request_of(self._messages.pop(0)) if self._messages else grpc.aio.EOF

    async def write(self, message: pb.DealResponse) -> None:
        """Thrown away."""

    async def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        self.status = code
        raise CertificateRefused(details)


def spoken(rank: int) -> list[bytes]:
    """All messages of a short session of this party."""
    roster = [key_hash(party.certificate) for party in PARTIES]
    join = pb.Join(version=VERSION, session=b"session-1", digest="d", rank=rank, roster=roster)
    messages = [
        pb.DealRequest(join=join),
        pb.DealRequest(attest=pb.Attest(nonce=b"n" * 32, policy_sha256=b"p" * 32)),
        pb.DealRequest(seed=pb.Seed(seed=bytes(16))),
        pb.DealRequest(matrix=pb.Matrix(owner=0, number=0, rows=3, columns=2)),
        pb.DealRequest(request=pb.Request(kind=pb.KIND_TRIPLES, start=0, words=64)),
        pb.DealRequest(leave=pb.Leave()),
    ]
    kept = [message for message in messages if rank == 1 or not message.HasField("request")]
    return [message.SerializeToString() for message in kept]


def to_dealer(place: int) -> Callable[[Path], Prepared]:
    """One of the feature party's messages; the rest, and the label party's, are good."""
    good = spoken(1)[place]

    def read(content: bytes) -> object:
        messages = spoken(1)
        messages[place] = content
        return asyncio.run(_session([Spoken(0, spoken(0)), Spoken(1, messages)]))

    return lambda _: (good, read)


async def _session(parties: list[Spoken]) -> object:
    service = DealerService(
        DEALER, (PARTIES[0].certificate, PARTIES[1].certificate), Unattested(), 0.02
    )
    try:
        talks = (service.deal(None, party) for party in parties)
        ended = await asyncio.gather(*talks, return_exceptions=True)
    finally:
        service.close()
    for error in ended:
        if isinstance(error, BaseException) and not isinstance(error, CertificateRefused):
            raise error
    return [party.status for party in parties]


def from_dealer(_: Path) -> Prepared:
    correction = pb.Correction(kind=pb.KIND_TRIPLES, start=0, words=bytes(512))
    return pb.DealResponse(correction=correction).SerializeToString(), _taken


def evidence_from_dealer(_: Path) -> Prepared:
    evidence = pb.Evidence(type="dev", body=b"body", claims=b"claims")
    return pb.DealResponse(evidence=evidence).SerializeToString(), _taken


def _taken(content: bytes) -> object:
    """What the reading thread of a party's link does with a message."""
    link = object.__new__(DealerLink)
    link.bytes_received, link._arrival = 0, threading.Condition()
    link._replies = SimpleQueue()
    buffer = CorrectionBuffer(Triples().layout.fitted.words, 64, 64, 1)
    assert list(buffer.ask(64))
    link._buffers = {Triples(): buffer}
    try:
        link._take_in(response_of(content))
    except Refused as error:  # the thread makes the same of it
        raise ProtocolDesync(str(error)) from None
    return link.bytes_received


def verdict(party: Any) -> object:
    return _agree(party, None, bytes(32), pb.Offer(instance=bytes(16)))


def exported(party: Any) -> object:
    return agree_on_export(party, MODEL, "both")


def column_names(_: Path) -> Prepared:
    told = {"columns": ["age", "x"], "categories": {"1": ["Oslo", "Łódź"]}}
    return json.dumps(told).encode(), _names


def column_facts(_: Path) -> Prepared:
    params = replace(
        half("owner").params, enable_categorical=True, monotone_constraints=(("a", 1),)
    )
    rows = Rows(np.zeros((4, 2)), ("a", "b"), categories={"b": ("x",)})
    good = json.dumps(asdict(ColumnFacts.of(params, rows))).encode()
    return good, lambda content: agree_on_columns(Told(content), params, rows)  # type: ignore[arg-type]


def importance(party: Any) -> object:
    return opened_importance(party, half("hidden"))


def names(party: Any) -> object:
    return same_names(party, [("valid", Rows(np.zeros((1, 1)), ("a",)))])


def columns(party: Any) -> object:
    return Layout.of(half("owner").params, 40, column_counts(party, 1), False)


def link(_: Path) -> Prepared:
    """What the other side has measured, after the rounds that are timed."""
    before = [b""] * (measuring_cost().rounds - 1)
    return struct.pack("<dd", 0.02, 0.1), lambda content: measured_link(Told(*before, content))  # type: ignore[arg-type]


def ids(party: Any) -> object:
    return check_same_rows(party, None, 40, None)


def alignments(party: Any) -> object:
    return _same_alignments(party, [("valid", Rows(np.zeros((1, 1)), ("a",)))])


def asked(party: Any) -> object:
    return _check_request(party, MODEL, np.zeros((4, len(MODEL.columns))), Request("both"))


def coins(place: int) -> Callable[[Path], Prepared]:
    """One of two messages; the other one is good."""
    both = [_commitment(1, "digest", bytes(32)), bytes(32)]

    def read(content: bytes) -> object:
        return draw_coins(
            Told(*[content if at == place else both[at] for at in (0, 1)]), 0, "digest"
        )

    return lambda _: (both[place], read)


def models(folder: Path) -> Prepared:
    """Ids of the other side's models."""
    config = PartyConfig(role="label", name="bank", label_column="y")
    federation = Federation(config, JobTerms(name="n", label_party="bank", feature_party="bureau"))
    own = [FinishedRun(RunDirectory(folder), MODEL, record())]
    good = json.dumps([MODEL.model_id]).encode()
    return good, lambda content: common_model(Told(content), federation, own)  # type: ignore[arg-type]


def runs(party: Any) -> object:
    return agree_on_run(party, "resume", [], ("bank (label party)", "bureau (feature party)"))


MODEL = half("owner")
SAME = verdict_message(Verdict.unattested(), bytes(32), bytes(16))
PREDICTION = f"{MODEL.model_id} {len(MODEL.best_rounds)} 4 both 6 transfers".encode()
EXPORT = f"{MODEL.model_id} {len(MODEL.best_rounds)} both".encode()
METRIC = f"0 {MODEL.model_id} {len(MODEL.best_rounds)} 40 logloss".encode()
OFFER = _Offer("train", "members", 40, "0a", "0c")
RUN = RunOffer("one", 2, "model", "seeded", ("first", "second"))
ROWS = (
    Row("models of the other side", models),
    Row("runs of the other side", told(json.dumps(asdict(Offer("resume", ()))).encode(), runs)),
    Row("a run of the other side", told(json.dumps(asdict(Offer("new", (RUN,)))).encode(), runs)),
    Row("books of the other side", lambda _: (Books([], []).to_bytes(), Books.from_bytes)),
    Row("hello", hello),
    Row("failure", failure),
    Row("description of a job", description),
    Row("names of evaluation sets", told(b"valid", names)),
    Row("alignments that are used", told(b"0" * 64, alignments)),
    Row("what is to be aligned", lambda _: (json.dumps(asdict(OFFER)).encode(), _parsed)),
    Row("number of columns", told(b"\x01\0\0\0", columns)),
    Row("link", link),
    Row("number of rows", told(b"\x28" + bytes(7), ids)),
    Row("what is to be measured", told(METRIC, measured)),
    Row("before importance", told(b"\x02\0\0\0\0", importance)),
    Row("before an auc of all rows", told(b"\1", lambda party: _have_both(party, has=True))),
    Row("whether to stop", told(b"\0", lambda party: _either(party, stop=False))),
    Row("what is to be predicted", told(PREDICTION, asked)),
    Row("what is to be exported", told(EXPORT, exported)),
    Row("names of the other side's columns", column_names),
    Row("the other side's columns", column_facts),
    Row("public coins, commitment", coins(0)),
    Row("public coins, opening", coins(1)),
    Row("verdict on a dealer", told(SAME, verdict)),
    *(
        Row(f"to a dealer, {name}", to_dealer(place))
        for place, name in enumerate(("join", "attest", "seed", "matrix", "request", "leave"))
    ),
    Row("from a dealer, correction", from_dealer),
    Row("from a dealer, evidence", evidence_from_dealer),
)
