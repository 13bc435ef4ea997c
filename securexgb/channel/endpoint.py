"""Opening the link: one side listens, the other dials, both are who they must be.

TLS 1.3 on both sides trusts exactly one certificate, the pinned one (kernels/src/link). The side
that dials tries until it is let in and says what does not fit; the side that listens takes
the first caller that TLS lets in, and then listens no more: no second one, and nobody who
knocks, costs a running job anything.
"""

from __future__ import annotations

import hashlib
import resource
import time
from dataclasses import dataclass

from securexgb import _kernels
from securexgb._kernels import LinkEnded
from securexgb.channel.grpc import GrpcChannel, beat_seconds
from securexgb.channel.handshake import Hello, compare, session_id
from securexgb.channel.keys import Credentials
from securexgb.channel.probe import split_address
from securexgb.errors import (
    CertificateRefused,
    PeerError,
    PeerGone,
    PeerTimeout,
    PortTaken,
    SecureXGBError,
    UsageError,
)
from securexgb.storage.trouble import check_files_left

SERVICE = "securexgb.v1.ChannelService"
_ABSENT = frozenset({"nobody", "closes", "silent", "unknown"})
"""Ends of a dialling that has tried all its time."""
_LEAST_SECONDS = 1.0
"""Less than this is not worth another dialling."""
_ONCE_SECONDS = 5.0
MOST_UNKNOWN = 64
"""So many connections may be open that have shown no certificate, where files are not scarce."""


def most_unknown() -> int:
    """At most a quarter of the files that this process may open: the rest is the job's."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    scarce = max(1, files // 4) if files != resource.RLIM_INFINITY else MOST_UNKNOWN
    return min(MOST_UNKNOWN, scarce)


@dataclass(frozen=True)
class Endpoint:
    """Where and with whom to open a link. Exactly one of ``listen`` and ``connect``, host:port.

    ``timeout_seconds``: the deadline of every wait within the job; ``wait_seconds``: that of the
    first contact, None: the same. ``server_name``: whom a caller names in the clear, for a relay;
    None: ``peer_name``. ``called``: what messages call the other side where it is not a party.
    """

    credentials: Credentials
    peer_name: str
    listen: str | None = None
    connect: str | None = None
    timeout_seconds: float = 60.0
    wait_seconds: float | None = None
    server_name: str | None = None
    called: str | None = None

    @property
    def opening_seconds(self) -> float:
        """How long the other side may take to come."""
        return self.timeout_seconds if self.wait_seconds is None else self.wait_seconds


def connect(endpoint: Endpoint, hello: Hello) -> GrpcChannel:
    """Open the link and compare hellos; the channel's ``session`` names it at both sides.

    Raises PeerGone or PeerTimeout where nobody comes, CertificateRefused, TermsDiffer,
    UsageError for a port in use.
    """
    endpoint.credentials.own.check(hello.name, "this side's own certificate")
    endpoint.credentials.peer.check(endpoint.peer_name, "the certificate pinned for the other side")
    if (endpoint.listen is None) == (endpoint.connect is None):
        raise UsageError("give exactly one of listen and connect: one side listens, one dials")
    if endpoint.listen is not None:
        with Listener(endpoint) as listener:
            return listener.accept(hello)
    return _greet(_dial(endpoint, hello), hello)


def cannot_listen(host: str, port: int, setting: str, error: OSError) -> PortTaken:
    """What is wrong with a port that a ``setting`` of party.toml names; raises at once where it is
    that no file may be opened any more."""
    check_files_left(f"port {port}", str(error))
    return PortTaken(
        f"cannot listen on {host} port {port}: the port is in use or the address is not "
        f"of this machine; stop what uses it or change `{setting}` in party.toml"
    )


class Listener:
    """The listening side until its caller has come.

    ``port``: where it listens. As a context manager it stops listening on an error; a
    link that was handed out lives on and ends by itself.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        host, wanted = split_address(endpoint.listen or "")
        identity = _identity(endpoint)
        beat = beat_seconds(endpoint.timeout_seconds)
        try:
            self._wire = identity.listen(host, wanted, beat, most_unknown())
        except OSError as error:
            raise cannot_listen(host, wanted, "listen", error) from None
        except LinkEnded as error:
            raise _own(error) from None
        self.port: int = self._wire.port

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.stop()

    def stop(self) -> None:
        """End whatever is open."""
        self._wire.stop()

    def accept(self, hello: Hello) -> GrpcChannel:
        """Wait for the other side and compare hellos."""
        peer = _call(self._endpoint, hello)
        wire = self._wire.accept(self._endpoint.opening_seconds)
        if wire is None:
            raise self._nobody(peer)
        return _greet(GrpcChannel(wire, peer, self._endpoint.timeout_seconds), hello)

    def _nobody(self, peer: str) -> SecureXGBError:
        check_files_left(f"a connection from {peer}")
        where, seconds = f"port {self.port}", self._endpoint.opening_seconds
        strangers, last, refusals = self._wire.unfit()
        told = ""
        if strangers:
            told = (
                f"; callers showed another certificate {strangers} times, at last "
                f"{hashlib.sha256(last).hexdigest()[:16]}… and not the pinned "
                f"{self._endpoint.credentials.peer.fingerprint[:16]}…"
            )
        if refusals:
            told += f"; callers refused this side's certificate {refusals} times"
        if told:
            told += f": was that {peer}, compare `securexgb keys show` at both sides"
        return PeerTimeout(f"{peer} did not call at {where} within {seconds:g} s{told}")


def _identity(endpoint: Endpoint) -> _kernels.LinkIdentity:
    """What this side brings to TLS. Equal bytes bear the name and the dates that were read here."""
    trusted = endpoint.credentials
    trusted.peer.check(endpoint.peer_name, "the certificate pinned for the other side")
    dates = [int(date.timestamp()) for date in (trusted.peer.not_before, trusted.peer.not_after)]
    return _kernels.LinkIdentity(trusted.own.pem, trusted.key, trusted.peer.pem, *dates)


def _dial(endpoint: Endpoint, hello: Hello) -> GrpcChannel:
    peer, seconds = _call(endpoint, hello), endpoint.timeout_seconds
    address, name = split_address(endpoint.connect or ""), endpoint.server_name
    until = time.monotonic() + endpoint.opening_seconds
    while True:
        # A box in between may have forgotten a connection, which then says nothing for ever.
        # So one connection takes a third of the time at most, where that is long enough for TLS.
        once = max(endpoint.opening_seconds / 3, _ONCE_SECONDS)
        within = min(seconds, once, max(until - time.monotonic(), 0.0))
        beat = beat_seconds(seconds)
        try:
            wire = _identity(endpoint).dial(address, name or endpoint.peer_name, within, beat)
        except LinkEnded as error:
            if error.args[0] in _ABSENT and until - time.monotonic() > _LEAST_SECONDS:
                continue
            raise _unreachable(error, endpoint, peer) from None
        return GrpcChannel(wire, peer, seconds)


def _unreachable(error: LinkEnded, endpoint: Endpoint, peer: str) -> SecureXGBError:
    """Why nothing could be opened, for whoever has to mend it."""
    reason, detail = error.args
    check_files_left(f"a connection to {peer}", detail.decode(errors="replace"))
    address, trusted = endpoint.connect, endpoint.credentials
    tried = f"(tried for {endpoint.opening_seconds:g} s)"
    match reason:
        case "unknown":
            return PeerGone(
                f"{address}, where {peer} should be, is not known: {detail.decode()} {tried}; "
                "correct it in party.toml, or see why this machine's names are not found"
            )
        case "nobody":
            return PeerGone(f"{peer} does not listen at {address}: {detail.decode()} {tried}")
        case "closes":
            return PeerGone(
                f"{peer} is not to be reached at {address}: what listens there takes connections "
                f"and closes them {tried}"
            )
        case "silent":
            return PeerTimeout(
                f"{peer} is not to be reached at {address}: what listens there takes connections "
                f"and says nothing {tried}"
            )
        case "no tls":
            return PeerError(
                f"what listens at {address} is not {peer}: no TLS 1.3 ({detail.decode()}) {tried}"
            )
        case "stranger":
            return CertificateRefused(
                f"what listens at {address} shows a certificate "
                f"{hashlib.sha256(detail).hexdigest()[:16]}… that is not the one pinned for "
                f"{peer}, {trusted.peer.fingerprint[:16]}…: compare `securexgb keys show` at both "
                "sides"
            )
        case "dates":
            return CertificateRefused(
                f"the certificate of {peer} is outside its dates: check the clock of this machine"
            )
        case "refused":
            return CertificateRefused(
                f"{peer} at {address} refused this side's certificate "
                f"{trusted.own.fingerprint[:16]}… ({trusted.own.name}): it has pinned another "
                "one; let it `securexgb keys trust` the present one"
            )
    return _own(error)


def _own(error: LinkEnded) -> UsageError:
    check_files_left("a link", error.args[1].decode(errors="replace"))
    return UsageError(
        f"this side's keys or machine do not do for a link: {error.args[1].decode()}; see "
        "`securexgb keys`"
    )


def _greet(channel: GrpcChannel, hello: Hello) -> GrpcChannel:
    try:
        theirs = Hello.decode(channel.greet(hello.encode()))
        compare(hello, theirs)
    except BaseException as error:
        channel.close(error)
        raise
    channel.session = session_id(hello, theirs)
    return channel


def _call(endpoint: Endpoint, hello: Hello) -> str:
    """How messages name the other side."""
    if endpoint.called is not None:
        return endpoint.called
    return f"{endpoint.peer_name} ({'feature' if hello.role == 'label' else 'label'} party)"
