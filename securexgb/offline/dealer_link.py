"""A party's connection to the dealer: pinned TLS, one stream, one reading thread.

Whatever ends the stream (the dealer dies, refuses, or says that the other party is
gone) becomes one exception that every later call raises.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any

import grpc
import numpy as np
from cryptography import x509
from google.protobuf.message import DecodeError

from securexgb._pb import dealer_pb2 as pb
from securexgb.attestation.trust import AttestationRequirement
from securexgb.channel.probe import handshake
from securexgb.correlations.kind import Words
from securexgb.correlations.kinds import Series
from securexgb.correlations.matrices import Products
from securexgb.dealer.identity import key_hash
from securexgb.dealer.session import Refused
from securexgb.dealer.wire import (
    MESSAGE_BYTES,
    METHOD,
    VERSION,
    keep_large_buffers,
    keepalive,
    series_of,
)
from securexgb.errors import (
    CertificateRefused,
    DealerGone,
    PeerError,
    PeerGone,
    ProtocolDesync,
    SecureXGBError,
    TermsDiffer,
)
from securexgb.offline.ahead import CorrectionBuffer

_RETRY_SECONDS = 0.5
_REFUSALS = 4
"""So often the right dealer may be there without letting us in before we believe it."""
_LEAVE_SECONDS = 10.0
_UNFIT = x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType
_UNREAD = 4
"""So many answers may wait to be read; only one is ever asked for at a time."""


@dataclass(frozen=True)
class DealerEndpoint:
    """Where the dealer is and who everybody is; certificates and keys are PEM.

    ``address`` is host:port, ``name`` the dealer's name in its certificate. ``requirement``:
    what the dealer has to prove; None where its operator is trusted.
    """

    address: str
    name: str
    certificate: bytes
    own_key: bytes = field(repr=False)
    own_certificate: bytes
    peer_certificate: bytes
    timeout_seconds: float = 60.0
    requirement: AttestationRequirement | None = None

    def roster(self, rank: int) -> tuple[bytes, bytes]:
        """The hashes of both parties' keys in order, this one being party ``rank``."""
        own, peer = key_hash(self.own_certificate), key_hash(self.peer_certificate)
        return (own, peer) if rank == 0 else (peer, own)


class DealerLink:
    """The open stream; raises from every method once it has failed."""

    def __init__(self, endpoint: DealerEndpoint) -> None:
        self.bytes_sent = 0
        self.bytes_received = 0
        self._timeout_seconds = endpoint.timeout_seconds
        self._where = f"the dealer at {endpoint.address}"
        self._endpoint = endpoint
        check_certificate(endpoint.certificate, endpoint.name)
        keep_large_buffers()
        self._failure: SecureXGBError | None = None
        self._closing = False
        self._outbox: SimpleQueue[pb.DealRequest | None] = SimpleQueue()
        self._replies: SimpleQueue[pb.DealResponse | None] = SimpleQueue()
        self._buffers: dict[Series, CorrectionBuffer] = {}
        self._arrival = threading.Condition()
        self._grpc = grpc.secure_channel(
            endpoint.address,
            grpc.ssl_channel_credentials(
                endpoint.certificate, endpoint.own_key, endpoint.own_certificate
            ),
            options=_options(endpoint),
        )
        try:
            _wait_until_ready(self._grpc, endpoint)
        except BaseException:
            self._grpc.close()
            raise
        deal = self._grpc.stream_stream(
            METHOD,
            request_serializer=pb.DealRequest.SerializeToString,
            response_deserializer=response_of,
        )
        self._call = deal(self._requests())
        self._reader = threading.Thread(target=self._read, name="dealer", daemon=True)
        self._reader.start()

    def check(self) -> None:
        """Raise if the stream has failed."""
        if self._failure is not None:
            raise self._failure

    def send(self, message: pb.DealRequest) -> None:
        """Queue one message."""
        self.check()
        self.bytes_sent += message.ByteSize()
        self._outbox.put(message)

    def reply(self, expected: str) -> pb.DealResponse:
        """The next message that is no correction."""
        try:
            message = self._replies.get(timeout=self._timeout_seconds + 5)
        except Empty:
            raise self._silent() from None
        self.check()
        if message is None or message.WhichOneof("message") != expected:
            raise ProtocolDesync(f"{self._where} did not send its {expected}")
        return message

    def join(self, session: bytes, digest: str, rank: int) -> pb.Offer:
        """Enter a session; see ``DealtSource.connect``."""
        roster = self._endpoint.roster(rank)
        join = pb.Join(version=VERSION, session=session, digest=digest, rank=rank, roster=roster)
        self.send(pb.DealRequest(join=join))
        return self.reply("offer").offer

    def attest(self, challenge: pb.Attest) -> pb.Evidence:
        """The dealer's evidence about a challenge."""
        self.send(pb.DealRequest(attest=challenge))
        return self.reply("evidence").evidence

    def open_buffer(self, series: Series, buffer: CorrectionBuffer) -> None:
        """Be ready to draw from a series."""
        self._buffers[series] = buffer

    def draw(self, series: Series, at: int, count: int) -> Words:
        """Words ``at`` to ``at + count`` of a series, which must be the next ones.

        SecureXGBError where they are not: a mask would go with another mask's correction, or
        serve again.
        Waits for them, and asks further ahead.
        """
        buffer = self._buffers[series]
        if buffer.taken != at:
            raise SecureXGBError(
                f"{series.name}: word {at} is drawn where word {buffer.taken} is next"
            )
        with self._arrival:
            for start, words in buffer.ask(count):
                self.send(request(series, start, words))
            while not buffer.has(count):
                self.check()
                before = self.bytes_received
                came = self._arrival.wait(self._timeout_seconds)
                if not came and before == self.bytes_received:
                    raise self._silent()
            return buffer.take(count)

    def close(self) -> None:
        """Leave the session in order if it stands, and end the connection."""
        if self._closing:
            return
        self._closing = True
        if self._failure is None:
            self._outbox.put(pb.DealRequest(leave=pb.Leave()))
            self._outbox.put(None)
            self._reader.join(_LEAVE_SECONDS)
        self._outbox.put(None)
        self._call.cancel()
        self._grpc.close()

    def _requests(self) -> Iterator[pb.DealRequest]:
        while (message := self._outbox.get()) is not None:
            yield message

    def _read(self) -> None:
        """The reading thread: until the stream ends, for whatever reason."""
        failure: SecureXGBError = DealerGone(f"{self._where} ended the session")
        try:
            for message in self._call:
                self._take_in(message)
        except grpc.RpcError as error:
            failure = _explain(error, self._where)
        except (Refused, ProtocolDesync) as error:
            failure = ProtocolDesync(f"{self._where} sent what was not asked for: {error}")
            self._call.cancel()
        with self._arrival:
            self._failure = failure
            self._arrival.notify_all()
        self._replies.put(None)
        self._outbox.put(None)

    def _take_in(self, message: pb.DealResponse) -> None:
        kind = message.WhichOneof("message")
        if kind is None:
            raise ProtocolDesync("bytes that are no message")
        if kind != "correction":
            if self._replies.qsize() >= _UNREAD:
                raise ProtocolDesync(f"one {kind} after the other")
            self._replies.put(message)
            return
        frame = message.correction
        with self._arrival:
            self.bytes_received += len(frame.words)
            buffer = self._buffers.get(series_of(frame))
            if buffer is None or len(frame.words) % 8:
                raise ProtocolDesync("a correction of no known kind")
            if not buffer.put(frame.start, np.frombuffer(frame.words, dtype="<u8")):
                raise ProtocolDesync("a correction out of order")
            self._arrival.notify_all()

    def _silent(self) -> DealerGone:
        silent = DealerGone(f"{self._where} sent nothing for {self._timeout_seconds:g} s")
        self._failure = silent
        return silent


def response_of(content: bytes) -> pb.DealResponse:
    """A message of the dealer's; one of no kind for other bytes."""
    try:
        return pb.DealResponse.FromString(content)
    except DecodeError:
        return pb.DealResponse()


def request(series: Series, start: int, words: int) -> pb.DealRequest:
    """Party 1 asks for the next words of a series."""
    if isinstance(series, Products):
        wanted = pb.Request(kind=pb.KIND_PRODUCTS, owner=series.owner, number=series.number)
    else:
        wanted = pb.Request(kind=f"KIND_{series.name.upper()}")
    wanted.start, wanted.words = start, words
    return pb.DealRequest(request=wanted)


def check_certificate(certificate: bytes, name: str) -> None:
    """Raise CertificateRefused where a pinned certificate has another name or is out of date."""
    found = x509.load_pem_x509_certificate(certificate)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = names.get_values_for_type(x509.DNSName)
    except (ValueError, *_UNFIT):
        known = []
    if name not in known:
        raise CertificateRefused(
            f"the pinned certificate is for {', '.join(known) or 'nobody'}, not for {name}"
        )
    if not found.not_valid_before_utc <= datetime.now(UTC) <= found.not_valid_after_utc:
        raise CertificateRefused(
            f"the pinned certificate of {name} holds from {found.not_valid_before_utc:%Y-%m-%d} "
            f"to {found.not_valid_after_utc:%Y-%m-%d}, not today"
        )


def _wait_until_ready(connection: grpc.Channel, endpoint: DealerEndpoint) -> None:
    """Wait until the dealer answers; when it does not, find out why."""
    deadline = time.monotonic() + endpoint.timeout_seconds
    ready = grpc.channel_ready_future(connection)
    refusals = 0
    try:
        while True:
            try:
                ready.result(timeout=_RETRY_SECONDS)
                return
            except grpc.FutureTimeoutError:
                trouble = _diagnose(endpoint)
            refusals = 0 if trouble else refusals + 1
            if refusals == _REFUSALS:
                raise CertificateRefused(
                    f"the dealer at {endpoint.address} refuses this party's certificate; "
                    "its operator must have this party's present one"
                )
            if time.monotonic() >= deadline:
                raise DealerGone(f"no dealer answers at {endpoint.address}: {trouble}")
    finally:
        ready.cancel()


def fetch_certificate(
    address: str, name: str, own: tuple[bytes, bytes], timeout_seconds: float
) -> bytes:
    """The certificate (PEM) that a dealer shows, to be trusted only once evidence is about its key.

    ``own``: this party's key and certificate, PEM. Tries until the deadline, then DealerGone.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return handshake(address, name, own, timeout_seconds)[0]
        except PeerError as error:
            if time.monotonic() + _RETRY_SECONDS > deadline:
                raise DealerGone(f"no dealer answers at {address}: {error}") from None
        time.sleep(_RETRY_SECONDS)


def _diagnose(endpoint: DealerEndpoint) -> str:
    """Why there is no connection, in words; "" where the right dealer is there."""
    own = endpoint.own_key, endpoint.own_certificate
    try:
        shown, _ = handshake(endpoint.address, endpoint.name, own, endpoint.timeout_seconds)
        is_pinned = key_hash(shown) == key_hash(endpoint.certificate)
    except (PeerError, ValueError) as error:
        return str(error)
    if not is_pinned:
        raise CertificateRefused(
            f"the dealer at {endpoint.address} has another key than the pinned certificate; "
            "a dealer has a new key at each start, so get its new certificate from its operator"
        )
    return ""


def _options(endpoint: DealerEndpoint) -> list[tuple[str, Any]]:
    return [
        ("grpc.ssl_target_name_override", endpoint.name),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        *keepalive(endpoint.timeout_seconds),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.enable_retries", 0),
        ("grpc.enable_http_proxy", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]


def _explain(error: grpc.RpcError, where: str) -> SecureXGBError:
    """The exception for a stream that has ended with a status."""
    code, details = error.code(), error.details() or ""
    status = grpc.StatusCode
    match code:
        case status.PERMISSION_DENIED | status.UNAUTHENTICATED:
            return CertificateRefused(f"{where} refused this party's certificate: {details}")
        case status.FAILED_PRECONDITION:
            return TermsDiffer(f"{where} ended the session: {details}")
        case status.INVALID_ARGUMENT | status.RESOURCE_EXHAUSTED:
            return ProtocolDesync(f"{where}: a message was refused: {details}")
        case status.ABORTED:
            return PeerGone(f"{where} ended the session: {details}")
        case status.UNAVAILABLE if "handshake" in details.lower() or "ssl" in details.lower():
            return CertificateRefused(f"{where} and this party refuse each other: {details}")
        case status.UNAVAILABLE if "cancelling all calls" in details.lower():
            return DealerGone(f"{where} was stopped by its operator")
        case _:
            return DealerGone(f"the connection to {where} ended: {code.name} {details}")
