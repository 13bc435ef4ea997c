"""The link over gRPC: messages, ends, and every way in which it may fail."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from securexgb.channel import endpoint as endpoints
from securexgb.channel.channel import MESSAGE_BYTES, STREAMS, StreamName
from securexgb.channel.endpoint import Listener, connect
from securexgb.channel.grpc import GrpcChannel
from securexgb.channel.handshake import Hello
from securexgb.channel.keys import create_keys
from securexgb.errors import (
    CertificateRefused,
    DataError,
    PeerGone,
    PeerTimeout,
    ProtocolDesync,
    SecureXGBError,
    StoppedByPeer,
    TermsDiffer,
    UsageError,
)
from tests.channel.conftest import Sides, hello
from tests.channel.plain import FRAME_BYTES

Opened = GrpcChannel | SecureXGBError


def open_both(
    sides: Sides, label: Hello, feature: Hello, seconds: float = 5.0
) -> tuple[Opened, Opened]:
    """What ``connect`` gives or raises at both sides, each in its thread."""
    with Listener(sides.endpoint("label", 0, seconds)) as listener:
        dialling = sides.endpoint("feature", listener.port, seconds)
        with ThreadPoolExecutor(2) as pool:
            jobs = [
                pool.submit(attempt, lambda: listener.accept(label)),
                pool.submit(attempt, lambda: connect(dialling, feature)),
            ]
            both = jobs[0].result(), jobs[1].result()
    if not isinstance(both[0], GrpcChannel):
        listener.stop()
    return both


def attempt(action: Callable[[], GrpcChannel]) -> Opened:
    try:
        return action()
    except SecureXGBError as error:
        return error


@pytest.fixture
def link(sides: Sides) -> Iterator[tuple[GrpcChannel, GrpcChannel]]:
    label, feature = open_both(sides, hello("label"), hello("feature"))
    assert isinstance(label, GrpcChannel)
    assert isinstance(feature, GrpcChannel)
    yield label, feature
    both = [threading.Thread(target=end.close) for end in (label, feature)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()


def test_messages_pass_both_ways_and_are_counted(link: tuple[GrpcChannel, GrpcChannel]) -> None:
    sizes = [0, 1, 1000, FRAME_BYTES, 3 * FRAME_BYTES + 17]
    for size in sizes:
        payload = os.urandom(size)
        for end in link:
            end.send("a#1", memoryview(payload))
        for end in link:
            assert bytes(end.receive("a#1", MESSAGE_BYTES)) == payload
    for end in link:
        assert end.traffic.bytes_sent == end.traffic.bytes_received == sum(sizes)
        assert end.traffic.messages_sent == end.traffic.messages_received == len(sizes)
    assert link[0].session == link[1].session
    assert len(link[0].session) == 16


def test_both_may_send_more_than_the_buffers_hold(link: tuple[GrpcChannel, GrpcChannel]) -> None:
    payload = bytes(100 << 20)

    def round_trip(end: GrpcChannel) -> int:
        end.send("large", payload, len(payload))
        return len(end.receive("large", MESSAGE_BYTES))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(round_trip, link)) == [len(payload)] * 2


def test_a_long_message_waits_for_its_receiver(link: tuple[GrpcChannel, GrpcChannel]) -> None:
    """The window of 64 MiB alone is let in before that; then all of it, and the next one."""
    label, feature = link
    payload, begun = bytes(100 << 20), threading.Event()

    def send() -> None:
        for _ in range(2):
            label.send("long", payload)
            begun.set()

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(send)
        assert not begun.wait(0.5)
        for _ in range(2):
            assert len(feature.receive("long", len(payload))) == len(payload)
        job.result(10)


@pytest.mark.parametrize("size", [9, 3 << 20])
def test_a_longer_message_than_is_due_is_a_desync(
    link: tuple[GrpcChannel, GrpcChannel], size: int
) -> None:
    label, feature = link
    label.send("t#1", bytes(size))
    with pytest.raises(ProtocolDesync, match=rf"at t#1, but .* sent {size} bytes for .*8 are due"):
        feature.receive("t#1", 8)
    with pytest.raises(StoppedByPeer, match="stopped with ProtocolDesync"):
        label.receive("t#2", 8)


def test_another_tag_is_a_desync(link: tuple[GrpcChannel, GrpcChannel]) -> None:
    link[0].send("tree 1#2", b"")
    with pytest.raises(ProtocolDesync, match=r"at tree 1#3, but bank \(label party\) sent .*1#2"):
        link[1].receive("tree 1#3", MESSAGE_BYTES)


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_stops_the_other_side_at_once(
    link: tuple[GrpcChannel, GrpcChannel], failing: int
) -> None:
    failed, waiting = link[failing], link[1 - failing]
    failed.send("before", b"x")
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(failed.close, DataError("row 3 holds 17"))
        assert bytes(waiting.receive("before", MESSAGE_BYTES)) == b"x"
        with pytest.raises(StoppedByPeer) as caught:
            waiting.receive("after", MESSAGE_BYTES)
        closing.result()
    assert time.monotonic() - started < 3
    assert str(caught.value) == f"{waiting.peer} stopped with DataError"
    with pytest.raises(StoppedByPeer):
        waiting.send("more", b"")
    with pytest.raises(StoppedByPeer):
        waiting.receive("more", MESSAGE_BYTES)
    with pytest.raises(PeerGone, match="this side has closed"):
        failed.send("more", b"")


@pytest.mark.parametrize("closing", [0, 1])
def test_what_was_sent_before_an_orderly_end_is_read(
    link: tuple[GrpcChannel, GrpcChannel], closing: int
) -> None:
    payload = os.urandom(5 << 20)
    link[closing].send("last", payload)
    link[closing].close()
    assert bytes(link[1 - closing].receive("last", MESSAGE_BYTES)) == payload
    with pytest.raises(PeerGone, match="closed the link before"):
        link[1 - closing].receive("none", MESSAGE_BYTES)


def test_silence_of_a_living_peer_is_a_timeout(sides: Sides) -> None:
    label, feature = open_both(sides, hello("label"), hello("feature"), seconds=1.0)
    assert isinstance(label, GrpcChannel)
    assert isinstance(feature, GrpcChannel)
    started = time.monotonic()
    with pytest.raises(PeerTimeout, match="is alive but sent no message for 1 s"):
        label.receive("tree 1#1", MESSAGE_BYTES)
    assert time.monotonic() - started < 3
    label.close(PeerTimeout(""))
    with pytest.raises(StoppedByPeer, match="stopped with PeerTimeout"):
        feature.receive("tree 1#1", MESSAGE_BYTES)


class Slow:
    """A wire on which a long message comes in as many pieces as glances, and then is whole."""

    def __init__(self, pieces: int, is_whole: bool) -> None:
        self.pieces, self.is_whole = pieces, is_whole

    def quiet_seconds(self) -> float:
        return 0.0

    def stalled_seconds(self, _: int) -> float:
        return 0.0 if self.pieces else float("inf")

    def receive(self, _: int, __: int, ___: float) -> tuple[str, str] | None:
        self.pieces -= 1
        return ("t", "whole") if self.is_whole and not self.pieces else None


def test_each_piece_of_a_long_message_counts_the_deadline_anew() -> None:
    """With a deadline that has passed already where no piece comes."""
    for is_whole in (True, False):
        wire: Any = Slow(5, is_whole)
        channel = GrpcChannel(wire, "bureau", 0.5)
        if is_whole:
            assert channel.wait(channel, "t", 5) == ("t", "whole")
        else:
            with pytest.raises(PeerTimeout, match="alive but sent no message"):
                channel.wait(channel, "t", 5)
        assert wire.pieces == 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"job_digest": "B" * 52}, TermsDiffer),
        ({"package_version": "2"}, TermsDiffer),
        ({"purpose": "predict"}, TermsDiffer),
        ({"role": "label"}, TermsDiffer),
        ({"wire_version": 1}, TermsDiffer),
        ({"name": "office"}, CertificateRefused),
        ({"peer_name": "insurer"}, CertificateRefused),
    ],
)
def test_a_difference_in_the_hellos_is_an_error_at_both_sides(
    sides: Sides, change: dict[str, Any], error: type[SecureXGBError]
) -> None:
    changed = Hello(**({**vars(hello("feature"))} | change))
    with Listener(sides.endpoint("label", 0)) as listener, ThreadPoolExecutor(1) as pool:
        job = pool.submit(attempt, lambda: listener.accept(hello("label")))
        dialling = sides.endpoint("feature", listener.port)
        theirs = attempt(lambda: endpoints._greet(endpoints._dial(dialling, changed), changed))
        ours = job.result()
        assert type(ours) is error, ours
        assert type(theirs) is error, theirs
        listener.stop()


def replace_pin(sides: Sides, role: str, name: str) -> None:
    """Let ``role`` pin a certificate of the right or wrong name, but of another key."""
    create_keys(name, sides.folder / "other.key", sides.folder / "other.pem")
    (sides.folder / f"{role}.peer.pem").write_bytes((sides.folder / "other.pem").read_bytes())


@pytest.mark.parametrize(("role", "name"), [("label", "bureau"), ("feature", "bank")])
def test_a_wrong_pin_is_refused_at_both_sides(sides: Sides, role: str, name: str) -> None:
    """Who listens has seen nobody, but says what callers showed: these may have been strangers."""
    replace_pin(sides, role, name)
    label, feature = open_both(sides, hello("label"), hello("feature"), seconds=2.0)
    assert type(label) is PeerTimeout, label
    assert type(feature) is CertificateRefused, feature
    assert "compare `securexgb keys show`" in str(label)
    assert "pinned" in str(feature)


def test_a_pin_of_another_name_is_refused_before_anything_is_sent(sides: Sides) -> None:
    replace_pin(sides, "feature", "insurer")
    with pytest.raises(CertificateRefused, match="bears the name 'insurer'"):
        connect(sides.endpoint("feature", 9), hello("feature"))


def test_an_expired_certificate_is_refused_at_both_sides(sides: Sides) -> None:
    for name in ("feature.key", "feature.pem"):
        (sides.folder / name).unlink()
    create_keys("bureau", sides.folder / "feature.key", sides.folder / "feature.pem", days=0)
    (sides.folder / "label.peer.pem").write_bytes((sides.folder / "feature.pem").read_bytes())
    for role in ("label", "feature"):
        with pytest.raises(CertificateRefused, match="expired on"):
            connect(sides.endpoint(role, 0), hello(role))


def test_a_port_in_use_is_a_usage_error(sides: Sides) -> None:
    with Listener(sides.endpoint("label", 0)) as listener:
        with pytest.raises(UsageError, match="port is in use"):
            connect(sides.endpoint("label", listener.port), hello("label"))
        listener.stop()


def test_nobody_there_is_an_error_at_either_side(sides: Sides) -> None:
    with pytest.raises(PeerTimeout, match=r"bureau \(feature party\) did not call"):
        connect(sides.endpoint("label", 0, 0.3), hello("label"))
    with pytest.raises(PeerGone, match=r"bank \(label party\) does not listen"):
        connect(sides.endpoint("feature", 1, 0.3), hello("feature"))


def test_a_second_caller_finds_nobody_listening(sides: Sides) -> None:
    """Once the peer is in, the port is free: for a second caller as for another listener."""
    with Listener(sides.endpoint("label", 0)) as listener, ThreadPoolExecutor(1) as pool:
        dialling = sides.endpoint("feature", listener.port)
        job = pool.submit(connect, dialling, hello("feature"))
        label = listener.accept(hello("label"))
        feature = job.result()
        with pytest.raises(PeerGone, match="does not listen"):
            connect(sides.endpoint("feature", listener.port, 0.3), hello("feature"))
        with Listener(sides.endpoint("label", listener.port)) as again:
            again.stop()
        closing = pool.submit(feature.close)
        label.close()
        closing.result()


def test_only_the_pinned_client_over_tls_1_3_gets_in(sides: Sides) -> None:
    with Listener(sides.endpoint("label", 0)) as listener:
        assert shake(sides, listener.port, "feature").startswith("TLSv1.3")
        for name in (None, "stranger"):
            if name is not None:
                create_keys("bureau", sides.folder / f"{name}.key", sides.folder / f"{name}.pem")
            with pytest.raises(OSError):  # noqa: PT011  an alert or a closed socket
                shake(sides, listener.port, name)
        listener.stop()


def shake(sides: Sides, port: int, role: str | None) -> str:
    """The TLS version of a connection that the server goes on with."""
    import socket

    context = ssl.create_default_context(cafile=str(sides.folder / "label.pem"))
    context.set_alpn_protocols(["h2"])
    if role is not None:
        context.load_cert_chain(sides.folder / f"{role}.pem", sides.folder / f"{role}.key")
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="bank") as tls,
    ):
        if not tls.recv(1):
            raise ConnectionResetError
        return tls.version() or ""


def test_the_health_service_answers_the_pinned_peer(sides: Sides) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with Listener(sides.endpoint("label", 0)) as listener:
        trusted = sides.credentials("feature")
        tls = grpc.ssl_channel_credentials(trusted.peer.pem, trusted.key, trusted.own.pem)
        name = [("grpc.ssl_target_name_override", "bank")]
        with grpc.secure_channel(f"127.0.0.1:{listener.port}", tls, options=name) as connection:
            stub = health_pb2_grpc.HealthStub(connection)
            asked = health_pb2.HealthCheckRequest(service=endpoints.SERVICE)
            answer = stub.Check(asked, timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        listener.stop()


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.channel.conftest import Sides, hello
from securexgb.channel.endpoint import Listener, connect
sides, role = Sides(Path(sys.argv[1])), sys.argv[2]
if role == "label":
    listener = Listener(sides.endpoint("label", 0, 20.0))
    print(listener.port, flush=True)
    channel = listener.accept(hello("label"))
else:
    channel = connect(sides.endpoint("feature", int(sys.argv[4]), 20.0), hello("feature"))
print("open", flush=True)
channel.receive("last", 1)
"""


@contextmanager
def other_process(
    sides: Sides, role: str, seconds: float
) -> Iterator[tuple[subprocess.Popen[str], GrpcChannel]]:
    """The given role in a process of its own, and this side's end of the link."""
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", PROGRAM, str(sides.folder), role, root]
    with ExitStack() as cleaning:
        port = []
        if role == "feature":
            listener = Listener(sides.endpoint("label", 0, seconds))
            cleaning.callback(listener.stop)
            port = [str(listener.port)]
        process = subprocess.Popen([*command, *port], stdout=subprocess.PIPE, text=True, cwd=root)
        cleaning.push(process)
        cleaning.callback(process.kill)
        assert process.stdout is not None
        if role == "feature":
            channel = listener.accept(hello("label"))
        else:
            told = int(process.stdout.readline())
            channel = connect(sides.endpoint("feature", told, seconds), hello("feature"))
        assert process.stdout.readline() == "open\n"
        yield process, channel
        channel.close(PeerGone(""))


@pytest.mark.parametrize("role", ["label", "feature"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_vanishes_is_noticed(sides: Sides, role: str, number: int) -> None:
    """Killed: at once. Stopped: when its heartbeats are missed."""
    with other_process(sides, role, seconds=20.0) as (process, channel):
        if number == signal.SIGSTOP:
            channel.timeout_seconds = 2.0
        process.send_signal(number)
        started = time.monotonic()
        with pytest.raises(PeerGone, match="broke" if number == signal.SIGKILL else "no heartbeat"):
            channel.receive("never", MESSAGE_BYTES)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("role", ["label", "feature"])
def test_a_program_that_forgets_to_close_still_ends(sides: Sides, role: str) -> None:
    with other_process(sides, role, seconds=20.0) as (process, channel):
        channel.send("last", b"")
        with pytest.raises(PeerGone, match="broke"):
            channel.receive("never", MESSAGE_BYTES)
        assert process.wait(10) == 0


def test_bounded_buffers_hold_a_sender_back(sides: Sides) -> None:
    """A sender waits once the peer does not read; the peer's end sets it free."""
    label, feature = open_both(sides, hello("label"), hello("feature"))
    assert isinstance(label, GrpcChannel)
    assert isinstance(feature, GrpcChannel)
    sent: list[int] = []

    def send() -> None:
        for number in range(1000):
            label.send("much", bytes(1 << 20))
            sent.append(number)

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(send)
        while len(sent) < 63:
            assert not job.done()
        feature.close(DataError(""))
        with pytest.raises(StoppedByPeer):
            job.result(10)
    assert len(sent) <= 64
    label.close()


def test_streams_do_not_wait_for_each_other(link: tuple[GrpcChannel, GrpcChannel]) -> None:
    """A stream that nobody reads stops its own sender; the other one flows, many times over."""
    label, feature = link
    chunk = bytes(1 << 20)

    def fill() -> None:
        for _ in range(90):
            label.stream("offline").send("ahead", chunk)

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(fill)
        for number in range(200):
            label.send(f"now#{number}", chunk)
            assert len(feature.receive(f"now#{number}", MESSAGE_BYTES)) == len(chunk)
        assert not job.done()
        for _ in range(90):
            assert len(feature.stream("offline").receive("ahead", MESSAGE_BYTES)) == len(chunk)
        job.result(10)
    assert label.traffic.bytes_sent == feature.traffic.bytes_received == 290 << 20
    assert feature.stream("online").traffic is feature.traffic


def test_messages_of_two_streams_pass_at_once(link: tuple[GrpcChannel, GrpcChannel]) -> None:
    sizes = [0, 1, FRAME_BYTES, 3 * FRAME_BYTES + 17] * 20

    def work(end: GrpcChannel, name: StreamName) -> list[int]:
        stream, got = end.stream(name), []
        for number, size in enumerate(sizes):
            stream.send(f"{name}#{number}", bytes(size))
            got.append(len(stream.receive(f"{name}#{number}", MESSAGE_BYTES)))
        return got

    jobs: list[tuple[GrpcChannel, StreamName]] = [(end, name) for end in link for name in STREAMS]
    with ThreadPoolExecutor(4) as pool:
        assert all(got == sizes for got in pool.map(lambda job: work(*job), jobs))


@pytest.mark.parametrize("name", STREAMS)
def test_the_end_reaches_whoever_waits_on_a_stream(
    link: tuple[GrpcChannel, GrpcChannel], name: StreamName
) -> None:
    label, feature = link
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(label.stream(name).receive, "never", 1)
        feature.stream("offline").close(DataError(""))
        with pytest.raises(StoppedByPeer, match="DataError"):
            job.result(10)


@pytest.mark.parametrize("name", STREAMS)
def test_closing_frees_the_own_threads(
    link: tuple[GrpcChannel, GrpcChannel], name: StreamName
) -> None:
    label, _ = link
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(label.stream(name).receive, "never", 1)
        full = pool.submit(
            lambda: [label.stream("offline").send("much", bytes(1 << 20)) for _ in range(99)]
        )
        label.close()
        for job in (waiting, full):
            with pytest.raises(PeerGone):
                job.result(10)


def test_what_was_sent_ahead_is_read_after_an_orderly_end(
    link: tuple[GrpcChannel, GrpcChannel],
) -> None:
    label, feature = link
    label.stream("offline").send("ahead", bytes(9 << 20))
    label.close()
    assert len(feature.stream("offline").receive("ahead", MESSAGE_BYTES)) == 9 << 20
