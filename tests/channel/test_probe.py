"""The first look at an address: what it says of what it finds there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from securexgb.channel.probe import probe, split_address
from securexgb.errors import PeerError, PeerTimeout, UsageError
from tests.channel.conftest import Sides


@contextmanager
def answering(reply: bytes | None) -> Iterator[str]:
    """The address of a plain TCP server that answers so, or never."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            connection, _ = server.accept()
            held.append(connection)
            if reply is not None:
                connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()
        for connection in held:
            connection.close()


def test_a_server_without_tls_is_not_the_peer(sides: Sides) -> None:
    reply = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    with answering(reply) as address, pytest.raises(PeerError, match="is not bank: no TLS"):
        probe(address, "bank", sides.credentials("feature"), 5.0)


def test_a_silent_server_is_a_timeout(sides: Sides) -> None:
    with answering(None) as address, pytest.raises(PeerTimeout, match="does not answer"):
        probe(address, "bank", sides.credentials("feature"), 0.3)


def test_an_unknown_host_is_a_usage_error(sides: Sides) -> None:
    with pytest.raises(UsageError, match="is unknown"):
        probe("no-such-host.invalid:1", "bank", sides.credentials("feature"), 0.3)


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:x", "host:99999", "a:-1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="write it as host:port"):
        split_address(address)


def test_addresses_are_split() -> None:
    assert split_address("bank.example:7300") == ("bank.example", 7300)
    assert split_address("[::1]:7300") == ("::1", 7300)
