"""The dealer's conversation: who is let in, what ends a session, what it gets to see."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securexgb._pb import dealer_pb2 as pb
from securexgb.arith.prg import Prg
from securexgb.boost.params import TrainingParams
from securexgb.channel.memory import memory_pair
from securexgb.correlations.gates import Gates
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.transfers import Transfers
from securexgb.correlations.triples import Triples
from securexgb.dealer import server
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.dealer.identity import fresh_identity, key_hash
from securexgb.dealer.service import Context, DealerService
from securexgb.dealer.wire import METHOD, VERSION
from securexgb.errors import (
    CertificateRefused,
    DealerGone,
    EvidenceRefused,
    PeerError,
    PeerGone,
    PeerTimeout,
    ProtocolDesync,
    SecureXGBError,
    StoppedByPeer,
    TermsDiffer,
)
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.offline.dealer_link import DealerLink
from securexgb.offline.dealt import DealtSource
from securexgb.offline.producer import ProductsAhead
from securexgb.testing.harness import run_both
from tests.dealer.running import (
    PARTIES,
    RunningDealer,
    Terms,
    connect_both,
    connected,
    dealer_process,
    dealer_thread,
    with_endpoint,
)
from tests.offline.laws import bucket_matrix, check_next
from tests.offline.pairs import SlowProducts
from tests.profiles import examples

HANGS_SECONDS = 60.0
"""A stream that goes on for so long goes on for ever; no test waits for that."""


@pytest.fixture(scope="module")
def dealer() -> Iterator[RunningDealer]:
    with dealer_thread(timeout_seconds=1.5) as running:
        yield running


def ended(source: DealtSource) -> SecureXGBError:
    """What a source raises once its stream has ended, which is the event to wait for."""
    source._dealer._link._reader.join(HANGS_SECONDS)
    assert not source._dealer._link._reader.is_alive(), "the stream did not end"
    with pytest.raises(SecureXGBError) as caught:
        source.take(Triples(), 5000)
    return caught.value


def test_a_killed_dealer_stops_both_parties(tmp_path: Path) -> None:
    with dealer_process(tmp_path) as dealer, connected(dealer) as (zero, one):
        check_next(Triples(), (zero, one), 100)
        assert dealer.process is not None
        dealer.process.kill()
        for source in (one, zero):
            assert isinstance(ended(source), DealerGone)


def test_a_killed_dealer_stops_products_that_the_parties_make(tmp_path: Path) -> None:
    terms = Terms(products=lambda rank: ProductsAhead(SlowProducts()))
    with dealer_process(tmp_path) as dealer, connected(dealer, terms) as (zero, one):
        for source in (zero, one):
            source.products.vector_products(0, 1)
        assert dealer.process is not None
        dealer.process.kill()
        for source in (zero, one):
            source._dealer._link._reader.join(10)
            with pytest.raises(DealerGone):
                source.products.vector_products(0, 1)


def test_a_silent_dealer_is_noticed(tmp_path: Path) -> None:
    with (
        dealer_process(tmp_path) as dealer,
        connected(dealer, timeout_seconds=2) as (_, one),
    ):
        one.take(Triples(), 100)
        assert dealer.process is not None
        os.kill(dealer.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(DealerGone):
            one.take(Triples(), 10_000_000)
        assert time.monotonic() - began < HANGS_SECONDS
        os.kill(dealer.process.pid, signal.SIGCONT)


def test_nobody_there() -> None:
    nowhere = RunningDealer(1, fresh_identity("dealer").certificate)
    began = time.monotonic()
    zero, one = connect_both(nowhere, timeout_seconds=1)
    assert time.monotonic() - began < 8
    assert isinstance(zero, PeerError)
    assert isinstance(one, PeerError)
    assert isinstance(zero, DealerGone) or isinstance(one, DealerGone)


def test_a_dealer_may_start_later(tmp_path: Path) -> None:
    """Connecting is tried again until the deadline."""
    with dealer_thread() as running:
        port = running.port
    identity = fresh_identity("dealer")
    gone = RunningDealer(port, identity.certificate)
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.extend(connect_both(gone)))
    thread.start()
    with dealer_thread(identity=identity, listen=f"127.0.0.1:{port}"):
        thread.join(20)
        assert all(isinstance(source, DealtSource) for source in results), results
        for source in results:
            source.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_wrong_pin_is_refused(dealer: RunningDealer, rank: int) -> None:
    other = fresh_identity("dealer").certificate
    results = connect_both(dealer, with_endpoint(dealer, rank, certificate=other))
    assert isinstance(results[rank], CertificateRefused), results
    assert isinstance(results[1 - rank], SecureXGBError)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_wrong_name_is_refused(dealer: RunningDealer, rank: int) -> None:
    changed = with_endpoint(dealer, rank, name="somebody", timeout_seconds=2)
    results = connect_both(dealer, changed)
    assert isinstance(results[rank], CertificateRefused), results


@pytest.mark.parametrize("rank", [0, 1])
def test_an_unknown_party_is_refused(dealer: RunningDealer, rank: int) -> None:
    stranger = fresh_identity(("label", "feature")[rank])
    changed = with_endpoint(
        dealer, rank, own_key=stranger.key, own_certificate=stranger.certificate
    )
    results = connect_both(dealer, changed)
    assert isinstance(results[rank], CertificateRefused), results


@pytest.mark.parametrize("rank", [0, 1])
def test_a_party_in_the_others_place_is_refused(dealer: RunningDealer, rank: int) -> None:
    both = PARTIES[1 - rank]
    changed = with_endpoint(dealer, rank, own_key=both.key, own_certificate=both.certificate)
    results = connect_both(dealer, changed)
    assert isinstance(results[rank], TermsDiffer), results


def test_other_terms_stop_both(dealer: RunningDealer) -> None:
    began = time.monotonic()
    for _ in range(10):  # a refusal may cross an offer
        results = connect_both(dealer, Terms(digests=("one", "another")))
        kinds = {type(result) for result in results}
        assert TermsDiffer in kinds
        assert kinds <= {TermsDiffer, StoppedByPeer}
    assert time.monotonic() - began < 9


def test_two_dealers_are_noticed() -> None:
    """Each party at another dealer, even of the same key: no seed leaves."""
    identity = fresh_identity("dealer")
    with dealer_thread(2, identity) as first, dealer_thread(2, identity) as second:
        results = connect_both(first, Terms(endpoints=(first.endpoint(0), second.endpoint(1))))
    assert any(isinstance(result, EvidenceRefused) for result in results), results


def test_an_offer_that_differs_stops_both_before_a_seed_leaves(
    dealer: RunningDealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str | None] = []
    original = DealerService._next

    async def spy(self, context, expected, seconds):  # type: ignore[no-untyped-def]
        message = await original(self, context, expected, seconds)
        sent.append(message.WhichOneof("message"))
        return message

    monkeypatch.setattr(DealerService, "_next", spy)
    label, feature = memory_pair(5)
    send = feature.send
    monkeypatch.setattr(feature, "send", lambda tag, told: send(tag, bytes(told)[::-1]))
    zero, _ = connect_both(dealer, Terms(channels=(label, feature)))
    assert isinstance(zero, EvidenceRefused)
    assert sent.count("seed") <= 1  # the side that lied


def test_one_party_alone_waits_no_longer_than_the_deadline(dealer: RunningDealer) -> None:
    label, _ = memory_pair(0.5)
    with pytest.raises(PeerTimeout):
        DealtSource.connect(0, label, dealer.endpoint(0), b"s" * 16, "digest", Prg.fresh())


def test_a_party_without_the_dealer_stops_the_other_at_once(dealer: RunningDealer) -> None:
    other = fresh_identity("dealer").certificate
    began = time.monotonic()
    results = connect_both(dealer, with_endpoint(dealer, 0, certificate=other))
    assert isinstance(results[0], CertificateRefused)
    assert isinstance(results[1], StoppedByPeer)
    assert time.monotonic() - began < 5


def test_evidence_that_nobody_demands_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str | None] = []
    send = DealerLink.send

    def spy(self: DealerLink, message: pb.DealRequest) -> None:
        sent.append(message.WhichOneof("message"))
        send(self, message)

    monkeypatch.setattr(DealerLink, "send", spy)
    with dealer_thread(attester=DevAttester.fresh()) as running, connected(running) as sources:
        assert [source.verdict.assurance for source in sources] == ["none", "none"]
    assert "attest" not in sent


def test_a_party_that_vanishes_ends_the_session(dealer: RunningDealer) -> None:
    with connected(dealer) as (zero, one):
        zero._dealer._link._call.cancel()
        assert isinstance(ended(one), PeerGone)


def test_the_first_to_leave_does_not_stop_the_other(dealer: RunningDealer) -> None:
    with connected(dealer) as (zero, one):
        zero.close()
        for _ in range(20):
            one.take(Triples(), 50_000)
    with connected(dealer) as (zero, one):
        one.take(Triples(), 1)
        one.close()
        for _ in range(20):
            zero.take(Triples(), 50_000)


def test_sessions_side_by_side(dealer: RunningDealer) -> None:
    with connected(dealer) as (zero, one), connected(dealer) as (other_zero, other_one):
        check_next(Triples(), (zero, one), 900)
        check_next(Triples(), (other_zero, other_one), 900)
    with connected(dealer, Terms(session=b"s" * 16)) as (zero, one):
        check_next(Triples(), (zero, one), 900)


class RawParty:
    """A party that sends what it likes."""

    def __init__(self, dealer: RunningDealer, rank: int) -> None:
        self.rank = rank
        identity = PARTIES[rank]
        credentials = grpc.ssl_channel_credentials(
            dealer.certificate, identity.key, identity.certificate
        )
        options = [("grpc.ssl_target_name_override", "dealer")]
        self.channel = grpc.secure_channel(f"127.0.0.1:{dealer.port}", credentials, options)

    def status(self, messages: list[bytes]) -> grpc.StatusCode:
        """How the dealer ends a stream of these messages."""
        call = self.channel.stream_stream(METHOD)(iter(messages), timeout=20)
        try:
            for _ in call:
                pass
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def join(self, session: bytes = b"raw session 1234", **changes: object) -> bytes:
        roster = [key_hash(party.certificate) for party in PARTIES]
        fields = {
            "version": VERSION,
            "session": session,
            "digest": "digest",
            "rank": self.rank,
            "roster": roster,
            **changes,
        }
        return pb.DealRequest(join=pb.Join(**fields)).SerializeToString()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def raw() -> Iterator[RawParty]:
    with dealer_thread(timeout_seconds=0.1) as impatient:
        party = RawParty(impatient, 1)
        yield party
        party.channel.close()


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_random_bytes_are_refused(raw: RawParty, messages: list[bytes]) -> None:
    assert raw.status(messages) is not grpc.StatusCode.OK


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_damaged_joins_are_refused(raw: RawParty, data: st.DataObject) -> None:
    good = bytearray(raw.join())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    assert raw.status([bytes(good), b"\x12\x00"]) is not grpc.StatusCode.OK


@pytest.mark.parametrize(
    "changes",
    [
        {"version": VERSION + 1},
        {"session": b""},
        {"session": b"x" * 33},
        {"digest": "x" * 65},
        {"rank": 0},
        {"rank": 7},
        {"roster": []},
        {"roster": [key_hash(party.certificate) for party in PARTIES[::-1]]},
    ],
)
def test_wrong_joins_are_refused(raw: RawParty, changes: dict[str, object]) -> None:
    assert raw.status([raw.join(**changes)]) in (  # type: ignore[arg-type]
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
    )


def test_an_oversize_message_is_refused(raw: RawParty) -> None:
    assert raw.status([bytes(2 << 20)]) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_certificate_is_asked_for(dealer: RunningDealer) -> None:
    credentials = grpc.ssl_channel_credentials(dealer.certificate)
    options = [("grpc.ssl_target_name_override", "dealer")]
    with grpc.secure_channel(f"127.0.0.1:{dealer.port}", credentials, options) as channel:
        call = channel.stream_stream(METHOD)(iter([b""]), timeout=10)
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    "message",
    [
        pb.DealRequest(),
        pb.DealRequest(seed=pb.Seed(seed=b"x" * 16)),
        pb.DealRequest(request=pb.Request(kind=pb.KIND_TRIPLES, start=64, words=64)),
        pb.DealRequest(request=pb.Request(kind=pb.KIND_TRIPLES, start=0, words=63)),
        pb.DealRequest(request=pb.Request(kind=pb.KIND_UNSPECIFIED, start=0, words=64)),
        pb.DealRequest(request=pb.Request(kind=99, start=0, words=64)),  # type: ignore[arg-type]
        pb.DealRequest(request=pb.Request(kind=pb.KIND_TRIPLES, owner=1, words=64)),
        pb.DealRequest(matrix=pb.Matrix(owner=2, rows=1, columns=1)),
        pb.DealRequest(matrix=pb.Matrix(owner=0, number=5, rows=1, columns=1)),
        pb.DealRequest(matrix=pb.Matrix(owner=0, rows=1 << 62, columns=1 << 62)),
    ],
)
def test_wrong_requests_end_the_session(dealer: RunningDealer, message: pb.DealRequest) -> None:
    with connected(dealer) as (zero, one):
        one._dealer._link.send(message)
        error = ended(one)
        assert isinstance(error, ProtocolDesync)
        ended(zero)


def test_party_0_gets_no_corrections(dealer: RunningDealer) -> None:
    with connected(dealer) as (zero, _):
        asked = pb.Request(kind=pb.KIND_TRIPLES, start=0, words=64)
        zero._dealer._link.send(pb.DealRequest(request=asked))
        error = ended(zero)
        assert isinstance(error, ProtocolDesync)


def test_what_reaches_the_dealer_does_not_depend_on_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two data sets of one shape: the same messages, of the same sizes, from each party."""
    seen: dict[bytes, list[tuple[str, int, str]]] = {}

    class Recording(DealerService):
        async def _next(
            self, context: Context, expected: str | None, seconds: float | None
        ) -> pb.DealRequest:
            message = await super()._next(context, expected, seconds)
            party = context.auth_context()["x509_common_name"][0]
            which = message.WhichOneof("message") or ""
            public = str(message) if which in ("matrix", "request", "leave") else ""
            seen.setdefault(party, []).append((which, message.ByteSize(), public))
            return message

    monkeypatch.setattr(server, "DealerService", Recording)
    records = []
    for data_set in range(2):
        seen.clear()
        channels = memory_pair(20)
        rng = np.random.default_rng(data_set)
        with dealer_thread() as running, connected(running, Terms(channels=channels)) as sources:
            _consume(sources, rng)
            parties = [
                Party(rank, channels[rank], sources[rank], Prg.fresh(), Prg(b"c" * 16), Prg.fresh())
                for rank in (0, 1)
            ]
            run_both(_grow, parties, _sides(rng))
        records.append(dict(seen))
    assert records[0] == records[1]
    assert {which for which, _, _ in records[0][b"feature"]} == {
        "join", "seed", "matrix", "request", "leave",
    }  # fmt: skip
    assert {which for which, _, _ in records[0][b"label"]} == {"join", "seed", "matrix", "leave"}


def _consume(sources: tuple[DealtSource, DealtSource], rng: np.random.Generator) -> None:
    rows, features, n_bins = 40, 2, 5
    for owner in (0, 1):
        bins = rng.integers(0, n_bins, (rows, features), np.uint8)
        matrix = bucket_matrix(owner, rows, features, n_bins)
        for rank in (owner, 1 - owner):
            sources[rank].products.register_matrix(matrix, bins if rank == owner else None)
    for count in (1, 30, 2000, 70_000):
        for source in sources:
            source.take(Triples(), count)
            source.take(Gates(4), count // 10)
            source.take(RandomBits(32), count)
            source.take(RandomBits(), count)
            source.products.vector_products(0, 3)
            source.products.vector_products(1, 5)
        sources[0].take(Transfers(64, 0), count)
        sources[1].take(Transfers(64, 0), count)
        sources[1].take(Transfers(64, 1), count)
        sources[0].take(Transfers(64, 1), count)


def _grow(party: Party, side: Rows) -> None:
    params = TrainingParams(n_estimators=2, max_depth=2, max_bin=8)
    train(party, TrainingJob(params=params.decided(can_hide=False), data=side))


def _sides(rng: np.random.Generator) -> tuple[Rows, Rows]:
    columns = rng.normal(size=(50, 4))
    labels = (columns[:, 0] + rng.normal(size=50) > 0).astype(np.float64)
    return (
        Rows(np.ascontiguousarray(columns[:, :2]), ("a", "b"), labels),
        Rows(np.ascontiguousarray(columns[:, 2:]), ("c", "d")),
    )
