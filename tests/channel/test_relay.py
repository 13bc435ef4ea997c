"""The relay passes streams on to whom they name, untouched, and strangers cost it little."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack

import pytest

from securexgb import _kernels
from securexgb.channel.relay import Relay, shard_name
from securexgb.errors import UsageError

SECONDS = 30.0
MOST = 3


def hello(name: str | None) -> bytes:
    """TLS's first message, as OpenSSL writes it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    link = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        link.do_handshake()
    return outgoing.read()


@pytest.fixture
def place():
    """Two targets that listen, one that does not, and what opens connections to their relay."""
    with ExitStack() as open_ones:
        targets = {name: socket.create_server(("127.0.0.1", 0)) for name in ("bank", "absent")}
        targets["shard-3.bank"] = socket.create_server(("127.0.0.1", 0))
        ports = {name: one.getsockname()[1] for name, one in targets.items()}
        targets.pop("absent").close()
        routes = [(name, "127.0.0.1", port) for name, port in ports.items()]
        relay = _kernels.LinkRelay("127.0.0.1", 0, routes, MOST)
        open_ones.callback(relay.stop)

        def call(source: str = "127.0.0.1") -> socket.socket:
            made = socket.create_connection(("127.0.0.1", relay.port), SECONDS, (source, 0))
            return open_ones.enter_context(made)

        for one in targets.values():
            one.settimeout(SECONDS)
            open_ones.enter_context(one)
        yield targets, relay, call


def taken(target: socket.socket, content: bytes) -> socket.socket:
    """The connection that comes there, after so many bytes, which are these."""
    connection, _ = target.accept()
    connection.settimeout(SECONDS)
    assert exactly(connection, len(content)) == content
    return connection


def exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = connection.recv(size - len(found))
        assert piece
        found += piece
    return found


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("name", ["bank", "shard-3.bank"])
def test_a_stream_goes_to_whom_it_names_and_back(place, name):
    targets, relay, call = place
    near, content = call(), hello(name)
    near.sendall(content)
    far = taken(targets[name], content)
    with far:
        far.sendall(b"an answer")
        assert exactly(near, 9) == b"an answer"
        long = bytes(range(256)) * 4000
        near.sendall(long)
        assert exactly(far, len(long)) == long
        near.shutdown(socket.SHUT_WR)
        assert is_closed(far)
        far.sendall(b"more")
        assert exactly(near, 4) == b"more"
    assert is_closed(near)
    counted = {of[0]: of[2:] for of in relay.passed()}
    assert counted.pop(name) == (1, 0, len(content) + len(long), 13)
    assert set(counted.values()) == {(0, 0, 0, 0)}


def test_a_first_message_may_come_in_pieces(place):
    targets, _, call = place
    near, content = call(), hello("bank")
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start in range(0, len(content), 100):
        near.sendall(content[start : start + 100])
    taken(targets["bank"], content).close()


@pytest.mark.parametrize(
    "content",
    [
        hello("nobody"),
        hello(None),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x40\x00" + bytes(1 << 15),
    ],
    ids=["nobody", "no name", "http", "endless"],
)
def test_whoever_names_no_target_is_closed(place, content):
    _, relay, call = place
    near = call()
    near.sendall(content)
    assert is_closed(near)
    assert relay.strangers() == 1
    assert {of[2:4] for of in relay.passed()} == {(0, 0)}


def test_a_target_that_does_not_listen_closes_the_call(place):
    _, relay, call = place
    near = call()
    near.sendall(hello("absent"))
    assert is_closed(near)
    assert {of[0]: of[3] for of in relay.passed()}["absent"] == 1


def test_silent_callers_are_few_and_neither_cost_others_nor_what_is_let_in(place):
    targets, _, call = place
    inside, content = call(), hello("bank")
    inside.sendall(content)
    far = taken(targets["bank"], content)
    with far:
        far.sendall(b"certificate")
        assert exactly(inside, 11) == b"certificate"
        inside.sendall(b"finished")
        assert exactly(far, 8) == b"finished"
        far.sendall(b"come in")
        assert exactly(inside, 7) == b"come in"
        other = call("127.0.0.2")
        crowd = [call() for _ in range(2 * MOST)]
        assert all(is_closed(one) for one in crowd[: MOST + 1])
        other.sendall(content)
        taken(targets["bank"], content).close()
        inside.sendall(b"still here")
        assert exactly(far, 10) == b"still here"


def test_a_port_in_use_is_said(place):
    _, relay, _ = place
    with pytest.raises(UsageError, match="change `relay`"):
        Relay(f"127.0.0.1:{relay.port}", {"bank": ("127.0.0.1", 1)})


def test_what_has_passed_is_told_by_name():
    relay = Relay("127.0.0.1:0", {shard_name(2, "bank"): ("127.0.0.1", 1)})
    (passed,) = relay.passed
    assert (passed.name, passed.taken, passed.bytes_in, relay.strangers) == (
        "shard-2.bank",
        0,
        0,
        0,
    )
    relay.stop()
