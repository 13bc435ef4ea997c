"""A dealer to talk to: as a process of its own, or in a thread of this one."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from securexgb.arith.prg import Prg
from securexgb.attestation.trust import AttestationRequirement
from securexgb.channel.channel import Channel
from securexgb.channel.memory import memory_pair
from securexgb.dealer import server
from securexgb.dealer.evidence import Attester, Unattested
from securexgb.dealer.identity import Identity, fresh_identity
from securexgb.offline.dealer_link import DealerEndpoint
from securexgb.offline.dealt import DealtSource
from securexgb.offline.producer import ProductsAhead

ROOT = Path(__file__).parents[2]
PARTIES = (fresh_identity("label"), fresh_identity("feature"))
"""Keys of both parties, made once for all tests."""


@dataclass
class RunningDealer:
    """Where it listens and what it presents; ``process`` is None for a thread."""

    port: int
    certificate: bytes
    process: subprocess.Popen[str] | None = None
    log: Path | None = None

    def endpoint(
        self,
        rank: int,
        timeout_seconds: float = 20,
        requirement: AttestationRequirement | None = None,
    ) -> DealerEndpoint:
        return DealerEndpoint(
            address=f"127.0.0.1:{self.port}",
            name="dealer",
            certificate=self.certificate,
            own_key=PARTIES[rank].key,
            own_certificate=PARTIES[rank].certificate,
            peer_certificate=PARTIES[1 - rank].certificate,
            timeout_seconds=timeout_seconds,
            requirement=requirement,
        )


@dataclass
class Terms:
    """What each party says of the session; tests change a part."""

    session: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    digests: tuple[str, str] = ("digest", "digest")
    endpoints: tuple[DealerEndpoint, DealerEndpoint] | None = None
    channels: Sequence[Channel] | None = None
    products: Callable[[int], ProductsAhead | None] = lambda rank: None


def connect_both(
    dealer: RunningDealer, terms: Terms | None = None, timeout_seconds: float = 20
) -> list[DealtSource | BaseException]:
    """Both parties connect at the same time; each one's source or error."""
    terms = terms or Terms()
    ends = terms.endpoints or tuple(dealer.endpoint(rank, timeout_seconds) for rank in (0, 1))
    channels = terms.channels or memory_pair(timeout_seconds)

    def one(rank: int) -> DealtSource | BaseException:
        try:
            return DealtSource.connect(
                rank,
                channels[rank],
                ends[rank],
                terms.session,
                terms.digests[rank],
                Prg.fresh(),
                terms.products(rank),
            )
        except BaseException as error:
            channels[rank].close(error)
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, (0, 1)))


@contextmanager
def connected(
    dealer: RunningDealer, terms: Terms | None = None, timeout_seconds: float = 20
) -> Iterator[tuple[DealtSource, DealtSource]]:
    """Two connected sources, closed at the end."""
    zero, one = connect_both(dealer, terms, timeout_seconds)
    for source in (zero, one):
        if isinstance(source, BaseException):
            raise source
    assert isinstance(zero, DealtSource)
    assert isinstance(one, DealtSource)
    try:
        yield zero, one
    finally:
        zero.close()
        one.close()


@contextmanager
def dealer_process(
    folder: Path,
    certificates: Sequence[bytes] | None = None,
    files: int | None = None,
    most_files: int | None = None,
) -> Iterator[RunningDealer]:
    """``parties/dealer/main.py`` in a process of its own, for the parties of ``certificates``.

    ``files``, ``most_files``: its soft and hard limit of open files when it starts; None: as here.
    """
    pinned = certificates or [party.certificate for party in PARTIES]
    (folder / "label.pem").write_bytes(pinned[0])
    (folder / "feature.pem").write_bytes(pinned[1])
    settings = (ROOT / "parties/dealer/party.toml").read_text()
    (folder / "party.toml").write_text(settings.replace("0.0.0.0:7400", "127.0.0.1:0"))
    log = folder / "dealer.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "parties/dealer/main.py"), str(folder / "party.toml")],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        if files is not None:
            _, most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
            limits = files, most if most_files is None else most_files
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline() or "{}")
        assert told, log.read_text()
        certificate = (folder / "dealer.pem").read_bytes()
        yield RunningDealer(told["port"], certificate, process, log)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def dealer_thread(
    timeout_seconds: float = 20,
    identity: Identity | None = None,
    listen: str = "127.0.0.1:0",
    attester: Attester | None = None,
    pinned: tuple[bytes, bytes] = (PARTIES[0].certificate, PARTIES[1].certificate),
) -> Iterator[RunningDealer]:
    """The same server in a thread, for tests that look inside."""
    identity = identity or fresh_identity("dealer")
    attester = attester or Unattested()
    service = server.DealerService(identity.certificate, pinned, attester, timeout_seconds)
    started, ports = threading.Event(), list[int]()
    stop: list[asyncio.Event] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        stop.append(asyncio.Event())
        async with server.serving(listen, identity, pinned, service) as port:
            ports.append(port)
            started.set()
            await stop[0].wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield RunningDealer(ports[0], identity.certificate)
    finally:
        loop.call_soon_threadsafe(stop[0].set)
        thread.join(10)
        loop.close()


def with_endpoint(dealer: RunningDealer, rank: int, **changes: object) -> Terms:
    """Terms in which one party's endpoint differs."""
    ends = [dealer.endpoint(0), dealer.endpoint(1)]
    ends[rank] = replace(ends[rank], **changes)  # type: ignore[arg-type]
    return Terms(endpoints=(ends[0], ends[1]))
