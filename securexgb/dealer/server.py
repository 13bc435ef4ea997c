"""Starting and stopping the dealer: settings, certificate, port, signals, health.

``run`` is what ``securexgb dealer serve`` and ``parties/dealer/main.py`` call.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2

from securexgb._pb import dealer_pb2 as pb
from securexgb.dealer.attesters.choose import CHOICES, attester_for
from securexgb.dealer.evidence import Attester
from securexgb.dealer.identity import NAME, Identity, fingerprint, fresh_identity, key_hash
from securexgb.dealer.service import DealerService
from securexgb.dealer.wire import (
    MESSAGE_BYTES,
    keep_large_buffers,
    keepalive,
    raise_file_limit,
    request_of,
)
from securexgb.errors import SecureXGBError, UsageError

SERVICE = "securexgb.v1.DealerService"
_DAY_SECONDS = 86_400
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DealerSettings:
    """The dealer's whole configuration; each field is a key of its ``party.toml``.

    ``certificate``: where the dealer writes its new certificate at each start, for both
    parties to pin. ``label_certificate`` and ``feature_certificate``: the parties' own.
    ``evidence``: what vouches for this program, one of ``choose.CHOICES``.
    ``timeout_seconds``: how long one party waits for the other to join.
    """

    listen: str
    label_certificate: Path
    feature_certificate: Path
    certificate: Path
    name: str = "dealer"
    role: str = "dealer"
    evidence: str = "auto"
    timeout_seconds: float = 60.0

    @staticmethod
    def from_file(path: Path) -> DealerSettings:
        """Read a TOML file; relative paths count from its folder, unknown keys are refused."""
        try:
            table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"the dealer cannot read {path}: {error}") from None
        known = {entry.name for entry in fields(DealerSettings)}
        required = {"listen", "label_certificate", "feature_certificate", "certificate"}
        wrong = sorted(set(table) - known) + sorted(required - set(table))
        if wrong or table.get("role", "dealer") != "dealer":
            raise UsageError(
                f"{path}: unknown, missing or wrong: {', '.join(wrong) or 'role'}; "
                f'a dealer has role = "dealer" and the keys {", ".join(sorted(known))}'
            )
        for key, value in table.items():
            if key == "timeout_seconds":
                is_good = type(value) in (int, float) and 0 < value <= _DAY_SECONDS
            elif key == "evidence":
                is_good = value in CHOICES
            elif key == "name":
                is_good = isinstance(value, str) and NAME.fullmatch(value) is not None
            else:
                is_good = isinstance(value, str) and value != "" and "\0" not in value
            if not is_good:
                raise UsageError(f"{path}: {key} = {value!r} is out of place")
        for key in ("label_certificate", "feature_certificate", "certificate"):
            table[key] = path.parent / table[key]
        return DealerSettings(**table)


def main(path: Path) -> int:
    """Serve by a settings file until stopped; one JSON line on stdout once it listens.

    Returns the exit code. The line holds port, certificate file, its fingerprint and the
    type of evidence.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = DealerSettings.from_file(path)
        attester = attester_for(settings.evidence)
        kind = attester.evidence(bytes(64)).type
        run(settings, attester, lambda port, pem: _announce(settings, port, pem, kind))
    except (SecureXGBError, OSError) as error:
        _log.error("%s", f"{error} {getattr(error, 'help', '')}".rstrip())
        return getattr(error, "exit_code", UsageError.exit_code)
    return 0


def _announce(settings: DealerSettings, port: int, certificate: bytes, kind: str) -> None:
    settings.certificate.parent.mkdir(0o700, parents=True, exist_ok=True)
    settings.certificate.unlink(missing_ok=True)
    own = os.open(settings.certificate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(own, "wb") as file:  # a new file, and never what a symbolic link leads to
        file.write(certificate)
    where = {"port": port, "certificate": str(settings.certificate), "evidence": kind}
    line = json.dumps(where | {"fingerprint": fingerprint(certificate).hex()})
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(
    settings: DealerSettings, attester: Attester, started: Callable[[int, bytes], None]
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP.

    ``started`` gets the port and the new certificate, and puts it where the settings say.
    """
    keep_large_buffers()
    raise_file_limit()
    asyncio.run(_run(settings, attester, started))


async def _run(
    settings: DealerSettings, attester: Attester, started: Callable[[int, bytes], None]
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    identity = fresh_identity(settings.name)
    pinned = (_read(settings.label_certificate), _read(settings.feature_certificate))
    if key_hash(pinned[0]) == key_hash(pinned[1]):
        raise UsageError("label_certificate and feature_certificate hold the same key")
    service = DealerService(identity.certificate, pinned, attester, settings.timeout_seconds)
    async with serving(settings.listen, identity, pinned, service) as port:
        shown = fingerprint(identity.certificate).hex()
        _log.info("dealer on port %d, certificate %s", port, shown)
        started(port, identity.certificate)
        await stop.wait()


@asynccontextmanager
async def serving(
    listen: str, identity: Identity, pinned: tuple[bytes, bytes], service: DealerService
) -> AsyncIterator[int]:
    """A running server; gives its port. ``pinned``: the parties' certificates by rank."""
    options = (*_OPTIONS, *keepalive(service.timeout_seconds))
    server = grpc.aio.server(options=options)  # how many calls a party may have: ``service``
    handler = grpc.stream_stream_rpc_method_handler(
        service.deal,
        request_deserializer=request_of,
        response_serializer=pb.DealResponse.SerializeToString,
    )
    status = health.aio.HealthServicer()
    check = grpc.unary_unary_rpc_method_handler(
        status.Check,
        request_deserializer=health_pb2.HealthCheckRequest.FromString,
        response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
    )
    # Health is asked, not watched: calls that last count as a party's.
    services = {SERVICE: {"Deal": handler}, "grpc.health.v1.Health": {"Check": check}}
    for name, methods in services.items():
        generic = grpc.method_handlers_generic_handler(name, methods)
        server.add_generic_rpc_handlers((generic,))
    credentials = grpc.ssl_server_credentials(
        [(identity.key, identity.certificate)],
        root_certificates=b"\n".join(pinned),
        require_client_auth=True,
    )
    try:
        port = server.add_secure_port(listen, credentials)
    except RuntimeError as error:
        raise UsageError(f"the dealer cannot listen on {listen}: {error}") from None
    await server.start()
    for name in ("", SERVICE):
        await status.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield port
    finally:
        await server.stop(grace=None)
        service.close()


_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 2_000),
    ("grpc.http2.max_ping_strikes", 0),
)


def _read(path: Path) -> bytes:
    """A certificate file's bytes, once they are known to be a certificate."""
    try:
        content = path.read_bytes()
        key_hash(content)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no certificate of a party: {error}") from None
    return content
