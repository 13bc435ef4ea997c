"""Whoever knocks at the dealer's port without a certificate ends no session and blocks none."""

from __future__ import annotations

import resource
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest

from securexgb.channel.probe import handshake
from securexgb.correlations.triples import Triples
from securexgb.dealer import service
from securexgb.errors import DealerGone
from securexgb.offline.dealer_link import DealerLink, _diagnose, fetch_certificate
from tests.dealer.running import RunningDealer, connected, dealer_process, dealer_thread
from tests.offline.laws import check_next

CROWD = 700
"""Connections, many more than the 64 files that the dealer is started with."""


@contextmanager
def crowd(port: int, says: bytes, count: int = CROWD) -> Iterator[None]:
    """So many who say this, and then nothing."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(most, 4 * CROWD)), most))
    with ExitStack() as held:
        for _ in range(count):
            one = held.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            one.sendall(says)
        yield


@pytest.mark.parametrize("says", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_crowd_before_and_during_a_session(tmp_path: Path, says: bytes) -> None:
    """Silent, or with the beginning of a hello."""
    with ExitStack() as held:
        dealer = held.enter_context(dealer_process(tmp_path, files=64))
        held.enter_context(crowd(dealer.port, says))
        sources = held.enter_context(connected(dealer, timeout_seconds=60))
        check_next(Triples(), sources, 900)
        held.enter_context(crowd(dealer.port, says))
        check_next(Triples(), sources, 90_000)
        more = held.enter_context(connected(dealer, timeout_seconds=60))
        check_next(Triples(), more, 900)


def test_a_dealer_of_few_files_serves(tmp_path: Path) -> None:
    """A hard limit, which nobody can raise, with a crowd for which it has files."""
    with (
        dealer_process(tmp_path, files=64, most_files=64) as dealer,
        crowd(dealer.port, b"", 40),
        connected(dealer, timeout_seconds=60) as sources,
    ):
        check_next(Triples(), sources, 900)


def test_a_healthy_session_fails_no_handshake(tmp_path: Path) -> None:
    """Neither the look at the certificate, nor the first handshake, nor what asks why it waits."""
    with dealer_process(tmp_path) as dealer:
        endpoint = dealer.endpoint(0)
        own = endpoint.own_key, endpoint.own_certificate
        for _ in range(3):
            shown, is_in = handshake(endpoint.address, "dealer", own, 20.0)
            assert (shown, is_in) == (dealer.certificate, True)
            assert fetch_certificate(endpoint.address, "dealer", own, 20.0) == shown
            assert not _diagnose(endpoint)
        with connected(dealer, timeout_seconds=20) as sources:
            check_next(Triples(), sources, 64)
        assert dealer.process is not None
        assert dealer.log is not None
        dealer.process.terminate()
        dealer.process.wait(20)
        assert "andshake" not in dealer.log.read_text()


def join(dealer: RunningDealer, rank: int) -> DealerLink:
    link = DealerLink(dealer.endpoint(rank))
    link.join(secrets.token_bytes(16), "digest", rank)
    return link


@pytest.mark.parametrize("rank", [0, 1])
def test_a_party_alone_cannot_take_all_sessions(rank: int) -> None:
    with dealer_thread() as dealer, ExitStack() as held:
        for _ in range(service.SESSIONS // 2):
            held.callback(join(dealer, rank).close)
        with pytest.raises(DealerGone, match="the dealer is busy"):
            join(dealer, rank)
        for _ in range(service.SESSIONS // 2):
            held.callback(join(dealer, 1 - rank).close)


def test_streams_that_never_join_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "STREAMS", 3)
    with dealer_thread() as dealer, ExitStack() as held:
        for _ in range(3):
            link = DealerLink(dealer.endpoint(0))
            held.callback(link.close)
            held.callback(link._grpc.close)
        assert "the dealer is busy with this party" in refusal(dealer)
        held.callback(join(dealer, 1).close)


def refusal(dealer: RunningDealer) -> str:
    """What the label party is told once its streams have arrived."""
    while True:
        try:
            join(dealer, 0).close()
        except DealerGone as error:
            return str(error)


def test_health_is_asked_and_not_watched() -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with dealer_thread() as dealer:
        endpoint = dealer.endpoint(0)
        credentials = grpc.ssl_channel_credentials(
            endpoint.certificate, endpoint.own_key, endpoint.own_certificate
        )
        options = [("grpc.ssl_target_name_override", "dealer")]
        with grpc.secure_channel(endpoint.address, credentials, options) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            asked = health_pb2.HealthCheckRequest()
            assert stub.Check(asked).status == health_pb2.HealthCheckResponse.SERVING
            with pytest.raises(grpc.RpcError) as caught:
                next(stub.Watch(asked))
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
