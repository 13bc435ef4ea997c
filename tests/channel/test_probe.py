"""The first look at an address: what it says of what it finds there."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from securexgb.channel.probe import probe, split_address
from securexgb.errors import PeerError, PeerGone, PeerTimeout, SecureXGBError, UsageError
from tests.channel.conftest import Sides
from tests.channel.test_strangers import behaving


def looked(sides: Sides, address: str, seconds: float = 0.3) -> SecureXGBError:
    with pytest.raises(SecureXGBError) as caught:
        probe(address, "bank", sides.credentials("feature"), seconds)
    return caught.value


def test_what_is_there_without_being_the_peer_is_said_at_the_deadline(sides: Sides) -> None:
    """A box in between may answer so until the dealer behind it has started."""

    def refuse(connection: socket.socket, _: int) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(1 << 16)

    cases: list[tuple[Callable[[socket.socket, int], object], type[PeerError], str]] = [
        (refuse, PeerError, "speaks no TLS 1.3"),
        (lambda *_: None, PeerGone, "takes connections and closes them"),
        (lambda connection, _: connection.recv(1) and connection.recv(1 << 16) and
         connection.recv(1), PeerTimeout, "takes connections and says nothing"),
    ]  # fmt: skip
    for act, kind, words in cases:
        with behaving(act) as port:
            error = looked(sides, f"127.0.0.1:{port}")
        assert type(error) is kind
        assert str(error).endswith(f"what listens there {words} (tried for 0.3 s)") or (
            kind is PeerError and words in str(error)
        )


def test_an_unknown_host_may_be_known_before_the_deadline(sides: Sides) -> None:
    error = looked(sides, "no-such-host.invalid:1")
    assert type(error) is PeerGone
    assert "no such host is known here" in str(error)


@pytest.mark.parametrize("address", [
    "", "host", "host:", ":1", "host:x", "host:99999", "a:-1", "host:\u00b2", "host:\u0663",
    "host:1_0", "host: 1", "host:" + "1" * 5000, "ho st:1", "a..b:1", "a\x00:1", "a\x1b[2J:1",
])  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="write it as host:port"):
        split_address(address)


def test_addresses_are_split() -> None:
    assert split_address("bank.example:7300") == ("bank.example", 7300)
    assert split_address("[::1]:7300") == ("::1", 7300)
