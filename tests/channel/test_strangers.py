"""Whoever knocks at a port, or answers at one, without being the peer: nothing is lost by it."""

from __future__ import annotations

import itertools
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.endpoint import MOST_UNKNOWN, Endpoint, Listener, connect
from securexgb.channel.keys import create_keys
from securexgb.errors import (
    CertificateRefused,
    PeerError,
    PeerGone,
    PeerTimeout,
    SecureXGBError,
    UsageError,
)
from tests.channel.conftest import Sides, hello


def open_and_close(sides: Sides, listener: Listener) -> None:
    """The right caller comes, and all is well."""
    with ThreadPoolExecutor(1) as pool:
        dialling = sides.endpoint("feature", listener.port)
        job = pool.submit(connect, dialling, hello("feature"))
        label = listener.accept(hello("label"))
        feature = job.result()
        closing = pool.submit(feature.close)
        label.close()
        closing.result()


def reach(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 5, (source, 0))


def test_silent_connections_are_few_and_keep_nobody_out(sides: Sides) -> None:
    with Listener(sides.endpoint("label", 0)) as listener, ExitStack() as held:
        silent = [held.enter_context(reach(listener.port)) for _ in range(3 * MOST_UNKNOWN)]
        for given_up in silent[: 2 * MOST_UNKNOWN]:
            assert given_up.recv(1) == b""
        silent[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            silent[-1].recv(1)
        silent[-1].settimeout(5)
        open_and_close(sides, listener)
        assert silent[-1].recv(1) == b""


def test_many_from_one_place_put_out_nobody_from_elsewhere(sides: Sides) -> None:
    with Listener(sides.endpoint("label", 0)) as listener, ExitStack() as held:
        elsewhere = held.enter_context(reach(listener.port, "127.0.0.3"))
        crowd = [
            held.enter_context(reach(listener.port, "127.0.0.2")) for _ in range(2 * MOST_UNKNOWN)
        ]
        for given_up in crowd[: MOST_UNKNOWN + 1]:
            assert given_up.recv(1) == b""
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.recv(1)
        listener.stop()


FEW_FILES = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.channel.conftest import Sides, hello
from securexgb.channel.endpoint import Listener, most_unknown
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
assert most_unknown() == 16
listener = Listener(Sides(Path(sys.argv[1])).endpoint("label", 0, 60.0))
files = [open("/dev/null") for _ in range(int(sys.argv[3]))]
print(listener.port, flush=True)
channel = listener.accept(hello("label"))
channel.send("in", b"")
channel.close()
"""


@pytest.mark.parametrize("files", [0, 45])
def test_silent_connections_under_a_limit_of_64_files(sides: Sides, files: int) -> None:
    """Where the program itself has used up nearly all of them, too."""
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", FEW_FILES, str(sides.folder), root, str(files)]
    with ExitStack() as held:
        process = held.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root))
        held.callback(process.kill)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        for _ in range(600):
            held.enter_context(reach(port))
        channel = connect(sides.endpoint("feature", port), hello("feature"))
        assert bytes(channel.receive("in", MESSAGE_BYTES)) == b""
        channel.close()
        assert process.wait(10) == 0


def knock(context: ssl.SSLContext, port: int) -> None:
    """Shakes hands; OSError where the other side does not go on with it."""
    with reach(port) as plain, context.wrap_socket(plain, server_hostname="bank") as tls:
        if not tls.recv(1):
            raise ConnectionResetError


def trusting(sides: Sides, name: str) -> ssl.SSLContext:
    """Whoever trusts the label party and shows this certificate."""
    context = ssl.create_default_context(cafile=str(sides.folder / "label.pem"))
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(sides.folder / f"{name}.pem", sides.folder / f"{name}.key")
    return context


def scan(sides: Sides, port: int) -> None:
    """Connects, talks HTTP, sends an alert, has no certificate, refuses ours as a browser does."""
    reach(port).close()
    access_denied = b"\x15\x03\x03\x00\x02\x02\x31"
    for noise in (b"GET / HTTP/1.1\r\n\r\n", access_denied):
        with reach(port) as plain, suppress(ConnectionResetError):
            plain.sendall(noise)
            plain.recv(100)
    for is_trusting in (True, False):
        context = ssl.create_default_context()
        context.set_alpn_protocols(["h2"])
        if is_trusting:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with pytest.raises(OSError):  # noqa: PT011
            knock(context, port)


def test_a_port_scan_is_no_wrong_certificate(sides: Sides) -> None:
    with Listener(sides.endpoint("label", 0, 0.3)) as listener:
        scan(sides, listener.port)
        with pytest.raises(PeerTimeout, match="did not call"):
            listener.accept(hello("label"))
        listener.stop()


def test_another_certificate_is_told_and_is_no_more_than_nobody(sides: Sides) -> None:
    """Anybody may show one, with the peer's name in it."""
    made = create_keys("bureau", sides.folder / "other.key", sides.folder / "other.pem")
    with Listener(sides.endpoint("label", 0, 0.3)) as listener:
        with pytest.raises(OSError):  # noqa: PT011
            knock(trusting(sides, "other"), listener.port)
        shown = f"another certificate 1 times, at last {made.fingerprint[:16]}"
        with pytest.raises(PeerTimeout, match=shown):
            listener.accept(hello("label"))
        listener.stop()


def test_tls_1_2_and_other_protocols_are_refused(sides: Sides) -> None:
    with Listener(sides.endpoint("label", 0)) as listener:
        old, other = trusting(sides, "feature"), trusting(sides, "feature")
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
        other.set_alpn_protocols(["http/1.1"])
        for context in (old, other):
            with pytest.raises(OSError):  # noqa: PT011
                knock(context, listener.port)
        open_and_close(sides, listener)


def test_nothing_is_resumed(sides: Sides) -> None:
    with Listener(sides.endpoint("label", 0)) as listener:
        context = trusting(sides, "feature")
        with (
            reach(listener.port) as plain,
            context.wrap_socket(plain, server_hostname="bank") as tls,
        ):
            assert tls.recv(1)
            assert tls.session is None or not tls.session.has_ticket
        listener.stop()


@contextmanager
def behaving(act: Callable[[socket.socket, int], None]) -> Iterator[int]:
    """The port of a server that does ``act`` with connection after connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for number in itertools.count():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    act(connection, number)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def feature(sides: Sides, port: int, seconds: float = 5.0) -> SecureXGBError:
    with pytest.raises(SecureXGBError) as caught:
        connect(sides.endpoint("feature", port, seconds), hello("feature"))
    return caught.value


def test_what_accepts_and_closes_is_tried_again_until_the_deadline(sides: Sides) -> None:
    seen: list[int] = []
    with behaving(lambda _, number: seen.append(number)) as port:
        error = feature(sides, port, 0.7)
    assert type(error) is PeerGone
    assert "takes connections and closes them (tried for 0.7 s)" in str(error)
    assert len(seen) > 1


def test_the_peer_may_come_up_behind_what_closes(sides: Sides) -> None:
    """A box in between closes three connections, and then passes the fourth one on."""
    with Listener(sides.endpoint("label", 0)) as listener, ThreadPoolExecutor(3) as pool:

        def copy(source: socket.socket, target: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(1 << 16):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

        def act(near: socket.socket, number: int) -> None:
            if number >= 3:
                with reach(listener.port) as far:
                    there = pool.submit(copy, near, far)
                    copy(far, near)
                    there.result()

        with behaving(act) as port:
            dialling = replace(sides.endpoint("feature", port), timeout_seconds=10.0)
            job = pool.submit(connect, dialling, hello("feature"))
            label = listener.accept(hello("label"))
            channel = job.result()
            closing = pool.submit(channel.close)
            label.close()
            closing.result()


def test_what_does_not_speak_tls_is_not_the_peer(sides: Sides) -> None:
    def act(connection: socket.socket, _: int) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(1 << 16)

    with behaving(act) as port:
        error = feature(sides, port, 0.3)
    assert type(error) is PeerError
    assert "is not bank (label party): no TLS 1.3" in str(error)


def test_a_silent_server_is_a_timeout(sides: Sides) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        error = feature(sides, server.getsockname()[1], 0.3)
    assert type(error) is PeerTimeout
    assert "takes connections and says nothing (tried for 0.3 s)" in str(error)


def test_a_connection_that_says_nothing_is_given_up_while_there_is_time(sides: Sides) -> None:
    """The first contact may take long; one silent connection does not take all of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        patient = replace(sides.endpoint("feature", port, 0.3), wait_seconds=20.0)
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(connect, patient, hello("feature"))
            silent = server.accept()[0]
            again = server.accept()[0]
            for connection in (silent, again):
                connection.close()
            server.close()
            with Listener(sides.endpoint("label", port)) as listener:
                label = listener.accept(hello("label"))
            closing = pool.submit(job.result().close)
            label.close()
            closing.result()


def test_an_unknown_host_may_be_known_before_the_deadline(sides: Sides) -> None:
    """As the name of a container is once that has started."""
    endpoint = replace(sides.endpoint("feature", 1, 0.3), connect="no-such-host.invalid:1")
    with pytest.raises(PeerGone, match=r"is not known: .* \(tried for 0.3 s\)"):
        connect(endpoint, hello("feature"))


def test_dates_are_looked_at_in_every_handshake(sides: Sides) -> None:
    """A side that has waited for long may find that the pin has expired since it was read."""
    past = datetime.now(UTC) - timedelta(seconds=5)

    def later(endpoint: Endpoint) -> Endpoint:
        peer = replace(endpoint.credentials.peer, not_after=past)
        object.__setattr__(peer, "check", lambda *_: None)
        return replace(endpoint, credentials=replace(endpoint.credentials, peer=peer))

    with Listener(sides.endpoint("label", 0)) as listener:
        with pytest.raises(CertificateRefused, match="outside its dates"):
            connect(later(sides.endpoint("feature", listener.port)), hello("feature"))
        listener.stop()
    with Listener(later(sides.endpoint("label", 0))) as listener:
        assert "refused this side's certificate" in str(feature(sides, listener.port))
        listener.stop()


def test_after_a_fork_a_link_is_the_parent_s(sides: Sides) -> None:
    with Listener(sides.endpoint("label", 0)) as listener, ThreadPoolExecutor(1) as pool:
        dialling = sides.endpoint("feature", listener.port)
        job = pool.submit(connect, dialling, hello("feature"))
        label, other = listener.accept(hello("label")), job.result()

        def child() -> int:
            for use in (
                lambda: other.send("t", b""),
                lambda: other.receive("t", MESSAGE_BYTES),
                other.close,
            ):
                try:
                    use()
                except UsageError as error:
                    if "forked" in str(error):
                        continue
                return 1
            return 0

        number = os.fork()
        if number == 0:
            os._exit(child())
        assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0
        other.send("t", b"still here")
        assert bytes(label.receive("t", MESSAGE_BYTES)) == b"still here"
        closing = pool.submit(other.close)
        label.close()
        closing.result()
