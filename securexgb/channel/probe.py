"""A first TLS handshake with a dealer before the real one, to say exactly what does not fit.

Python's gRPC, which speaks with dealers, reports every trouble of a handshake as "unavailable" and
tries again. This asks the same port once with Python's own TLS 1.3 and names the cause:
nobody there, no TLS 1.3, another certificate, or our own refused.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import time

from securexgb.channel.keys import Credentials
from securexgb.errors import CertificateRefused, PeerError, PeerGone, PeerTimeout, UsageError
from securexgb.storage.trouble import refuse_machine

_RETRY_SECONDS = 0.2
_ANSWER_SECONDS = 5.0


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port"; UsageError if it is not that."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{address!r} is no address: write it as host:port")
    return host.strip("[]"), int(port)


def probe(address: str, peer: str, credentials: Credentials, timeout_seconds: float) -> None:
    """Wait until ``peer`` listens at ``address`` and TLS with both pins succeeds.

    ``peer``: for messages, such as "bureau (feature party)". Nobody there: tries again
    until the deadline, then PeerGone. The wrong one there, or this side's certificate
    refused: CertificateRefused at once.
    """
    deadline = time.monotonic() + timeout_seconds
    host, port = split_address(address)
    while True:
        try:
            plain = socket.create_connection((host, port), min(timeout_seconds, _ANSWER_SECONDS))
        except socket.gaierror as error:
            raise UsageError(f"{address}, where {peer} should be, is unknown: {error}") from None
        except OSError as error:
            refuse_machine("open", f"a connection to {address}", error)
            if time.monotonic() + _RETRY_SECONDS > deadline:
                raise PeerGone(
                    f"{peer} does not listen at {address}: {error.strerror or error}"
                    f" (tried for {timeout_seconds:g} s)"
                ) from None
            time.sleep(_RETRY_SECONDS)
            continue
        with plain:
            return _greet(plain, address, peer, credentials)


def _greet(plain: socket.socket, address: str, peer: str, credentials: Credentials) -> None:
    """One handshake; the listener's first bytes after it show that it accepts us."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the pin is compared below, byte by byte
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(credentials.certificate_path, credentials.key_path)
    try:
        link = context.wrap_socket(plain, server_hostname=credentials.peer.name)
    except TimeoutError:
        raise PeerTimeout(f"{peer} at {address} takes connections but does not answer") from None
    except OSError as error:
        raise PeerError(f"what listens at {address} is not {peer}: no TLS 1.3 ({error})") from None
    with link:
        presented = hashlib.sha256(link.getpeercert(binary_form=True) or b"").hexdigest()
        if presented != credentials.peer.fingerprint:
            raise CertificateRefused(
                f"what listens at {address} shows a certificate {presented[:16]}… that is not the "
                f"one pinned for {peer}, {credentials.peer.fingerprint[:16]}…: compare "
                "`securexgb keys show` at both sides"
            )
        try:
            is_refused = link.recv(1) == b""
        except TimeoutError:
            raise PeerTimeout(f"{peer} at {address} falls silent after the handshake") from None
        except OSError:
            is_refused = True
    if is_refused:
        raise CertificateRefused(
            f"{peer} at {address} refused this side's certificate "
            f"{credentials.own.fingerprint[:16]}… ({credentials.own.name}): it has pinned another "
            "one; let it `securexgb keys trust` the present one"
        )
