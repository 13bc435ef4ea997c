"""Opening the link: one side listens, the other dials, both are who they must be.

TLS on both sides trusts exactly one certificate, the pinned one. The side that dials
looks first (``probe``), so that it can say what does not fit; the side that listens
takes the first caller that TLS lets in and whose name is right, and no second one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from securexgb.channel.frame import FRAME_BYTES
from securexgb.channel.grpc import GrpcChannel
from securexgb.channel.handshake import Hello, compare, session_id
from securexgb.channel.keys import Credentials
from securexgb.channel.probe import probe, split_address
from securexgb.errors import CertificateRefused, PeerTimeout, UsageError

SERVICE = "securexgb.v1.ChannelService"
_LINK = f"/{SERVICE}/Link"
_STOP_SECONDS = 1.0
_MOST_CALLS = 8

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class Endpoint:
    """Where and with whom to open a link. Exactly one of ``listen`` and ``connect``, host:port.

    ``timeout_seconds``: the one deadline, of the opening and of every later wait.
    """

    credentials: Credentials
    peer_name: str
    listen: str | None = None
    connect: str | None = None
    timeout_seconds: float = 60.0


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


class Listener:
    """The listening side until its caller has come.

    ``port``: where it listens. As a context manager it stops listening on an error; a
    link that was handed out lives on and stops it when it is closed.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        assert endpoint.listen is not None
        self._endpoint = endpoint
        self._arrivals: SimpleQueue[GrpcChannel] = SimpleQueue()
        self._handshakes = 0
        self._taken = threading.Lock()
        self._refusal: CertificateRefused | None = None
        self._server = grpc.server(
            _DaemonThreads(), options=_options(), maximum_concurrent_rpcs=_MOST_CALLS
        )
        handler = grpc.stream_stream_rpc_method_handler(self._link)
        self._server.add_registered_method_handlers(SERVICE, {"Link": handler})
        checks = health.HealthServicer()
        checks.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(checks, self._server)
        host, wanted = split_address(endpoint.listen)
        try:
            self.port: int = self._server.add_secure_port(endpoint.listen, self._tls())
        except RuntimeError:
            raise UsageError(
                f"cannot listen on {host} port {wanted}: the port is in use or the address is not "
                "of this machine; stop what uses it or change `listen` in party.toml"
            ) from None
        self._server.start()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.stop()

    def stop(self) -> None:
        """End whatever is open."""
        self._server.stop(_STOP_SECONDS).wait(2 * _STOP_SECONDS)

    def accept(self, hello: Hello) -> GrpcChannel:
        """Wait for the other side and compare hellos."""
        seconds = self._endpoint.timeout_seconds
        peer = _call(self._endpoint.peer_name, hello)
        try:
            channel = self._arrivals.get(timeout=seconds)
        except Empty:
            raise self._nobody(peer) from None
        channel.peer = peer
        return _greet(channel, hello)

    def _nobody(self, peer: str) -> Exception:
        where = f"port {self.port}"
        if self._refusal is not None:
            return self._refusal
        if self._handshakes:
            return CertificateRefused(
                f"callers came to {where}, but TLS let none of them in: their certificate is not "
                f"the one pinned for {peer}, {self._endpoint.credentials.peer.fingerprint[:16]}…, "
                "or they refused this side's; compare `securexgb keys show` at both sides"
            )
        seconds = self._endpoint.timeout_seconds
        return PeerTimeout(f"{peer} did not call at {where} within {seconds:g} s")

    def _tls(self) -> grpc.ServerCredentials:
        trusted = self._endpoint.credentials
        pair = (trusted.key, trusted.own.pem)
        settings = grpc.ssl_server_certificate_configuration([pair], trusted.peer.pem)

        def count() -> None:
            self._handshakes += 1  # gRPC asks at every handshake whether there is a change

        return grpc.dynamic_ssl_server_credentials(settings, count, True)

    def _link(self, frames: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """One caller whom TLS has let in."""
        expected = self._endpoint.peer_name
        names = context.auth_context().get("x509_common_name", [])
        if names != [expected.encode()]:
            self._refusal = CertificateRefused(f"a caller is {names!r} and not {expected!r}")
            context.abort(grpc.StatusCode.PERMISSION_DENIED, f"it waits for {expected!r}")
        if not self._taken.acquire(blocking=False):
            context.abort(grpc.StatusCode.ALREADY_EXISTS, "it is in a session already")
        channel = GrpcChannel(expected, self._endpoint.timeout_seconds, is_server=True)
        channel.start(frames, self.stop)
        self._arrivals.put(channel)
        return channel.outgoing()


class _DaemonThreads(Executor):
    """A thread for each call, none of which keeps a program from ending."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, name="answers a call", daemon=True).start()
        return future


def _dial(endpoint: Endpoint, hello: Hello) -> GrpcChannel:
    address, trusted = endpoint.connect or "", endpoint.credentials
    peer = _call(endpoint.peer_name, hello)
    probe(address, peer, trusted, endpoint.timeout_seconds)
    tls = grpc.ssl_channel_credentials(trusted.peer.pem, trusted.key, trusted.own.pem)
    names = [("grpc.ssl_target_name_override", endpoint.peer_name)]
    connection = grpc.secure_channel(address, tls, options=[*_options(), *names])
    channel = GrpcChannel(peer, endpoint.timeout_seconds, is_server=False)
    channel.start(connection.stream_stream(_LINK)(channel.outgoing()), connection.close)
    return channel


def _greet(channel: GrpcChannel, hello: Hello) -> GrpcChannel:
    try:
        theirs = Hello.decode(channel.greet(hello.encode()))
        compare(hello, theirs)
    except BaseException as error:
        channel.close(error)
        raise
    channel.session = session_id(hello, theirs)
    return channel


def _call(name: str, hello: Hello) -> str:
    """How messages name the other side."""
    return f"{name} ({'feature' if hello.role == 'label' else 'label'} party)"


def _options() -> list[tuple[str, Any]]:
    """Frames of 1 MiB in few pieces, windows that hold some, one server a port, no proxies."""
    return [
        ("grpc.max_send_message_length", 2 * FRAME_BYTES),
        ("grpc.max_receive_message_length", 2 * FRAME_BYTES),
        ("grpc.http2.max_frame_size", 4 * FRAME_BYTES),
        ("grpc.http2.lookahead_bytes", 16 * FRAME_BYTES),
        ("grpc.http2.write_buffer_size", FRAME_BYTES),
        ("grpc.so_reuseport", 0),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
    ]
