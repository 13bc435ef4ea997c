"""A first TLS handshake with a dealer before the real one, to say exactly what does not fit.

Python's gRPC, which speaks with dealers, reports every trouble of a handshake as "unavailable" and
tries again. This asks the same port with Python's own TLS 1.3 until the deadline, and names the
cause: no such host, nobody there, somebody who closes or is silent (a box in between whose target
is not up), no TLS 1.3. Another certificate, or our own refused, is said at once. Each handshake
shows this side's certificate and waits for the dealer's first byte, so none fails at the dealer.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
import time

from cryptography import x509

from securexgb.channel.keys import Credentials
from securexgb.errors import CertificateRefused, PeerError, PeerGone, PeerTimeout, UsageError
from securexgb.storage.trouble import refuse_machine

_RETRY_SECONDS = 0.2
_ANSWER_SECONDS = 5.0
_REFUSALS = 4
"""A dealer that refuses a certificate closes without a word: so often it is no accident."""


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port"; UsageError if it is not that."""
    host, _, port = address.rpartition(":")
    name = host.strip("[]")
    try:
        is_name = name.isprintable() and " " not in name and bool(name.encode("idna"))
    except UnicodeError:
        is_name = False
    if not is_name or re.fullmatch("[0-9]{1,5}", port) is None or int(port) > 65535:
        raise UsageError(f"{address[:300]!r} is no address: write it as host:port")
    return name, int(port)


def probe(address: str, peer: str, credentials: Credentials, timeout_seconds: float) -> None:
    """Wait until ``peer`` listens at ``address`` and TLS with both pins succeeds.

    ``peer``: for messages, such as "bureau (feature party)". Nobody there: tries again
    until the deadline, then PeerGone, PeerTimeout or PeerError. The wrong one there, or this side's
    certificate refused: CertificateRefused.
    """
    own, deadline = (credentials.key, credentials.own.pem), time.monotonic() + timeout_seconds
    pinned, refusals = credentials.peer.fingerprint, 0
    while True:
        try:
            shown, is_in = handshake(address, credentials.peer.name, own, timeout_seconds)
        except PeerError as error:
            if time.monotonic() + _RETRY_SECONDS > deadline:
                raise type(error)(
                    f"{peer} is not to be reached at {address}: {error} "
                    f"(tried for {timeout_seconds:g} s)"
                ) from None
            time.sleep(_RETRY_SECONDS)
            continue
        presented = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown.decode())).hexdigest()
        if presented != pinned:
            raise CertificateRefused(
                f"what listens at {address} shows a certificate {presented[:16]}… that is not the "
                f"one pinned for {peer}, {pinned[:16]}…: compare `securexgb keys show` at both "
                "sides"
            )
        if is_in:
            return
        refusals += 1
        if refusals == _REFUSALS:
            raise CertificateRefused(
                f"{peer} at {address} refused this side's certificate "
                f"{credentials.own.fingerprint[:16]}… ({credentials.own.name}): it has pinned "
                "another one; let it `securexgb keys trust` the present one"
            )
        time.sleep(_RETRY_SECONDS)


def handshake(
    address: str, name: str, own: tuple[bytes, bytes], within_seconds: float
) -> tuple[bytes, bool]:
    """One TLS 1.3 handshake: the certificate that is shown (PEM), and whether we were let in.

    ``own``: this side's key and certificate, PEM. PeerError, or one of its kinds, with a few words
    where there was none.
    """
    at_most = min(within_seconds, _ANSWER_SECONDS)
    try:
        plain = socket.create_connection(split_address(address), at_most)
    except socket.gaierror as error:
        raise PeerGone(f"no such host is known here: {error.strerror}") from None
    except OSError as error:
        refuse_machine("open", f"a connection to {address}", error)
        raise PeerGone(f"nobody listens: {error.strerror or error}") from None
    try:
        with plain, _context(*own).wrap_socket(plain, server_hostname=name) as link:
            shown = ssl.DER_cert_to_PEM_cert(link.getpeercert(binary_form=True) or b"").encode()
            x509.load_pem_x509_certificate(shown)
            try:
                return shown, link.recv(1) != b""
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
                return shown, False
    except TimeoutError:
        raise PeerTimeout("what listens there takes connections and says nothing") from None
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
        raise PeerGone("what listens there takes connections and closes them") from None
    except (OSError, ValueError, x509.InvalidVersion) as error:
        raise PeerError(f"what listens there speaks no TLS 1.3 ({error})") from None


def _context(key: bytes, certificate: bytes) -> ssl.SSLContext:
    """TLS 1.3 with this side's certificate; pins are compared above, byte by byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with os.fdopen(os.memfd_create("own"), "wb") as file:  # it takes files alone
        file.write(key + b"\n" + certificate)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return context
