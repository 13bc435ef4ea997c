"""What a side can do that has the pinned key and does not follow the protocol: to memory and time.

    python benchmarks/hostile.py            # a minute or two
    python benchmarks/hostile.py --tiny     # less of everything

One JSON line an attack: seconds from the greeting to the end of the victim, its peak of memory and
its exit code. Victims are `securexgb train` at the label party (no dealer), with a timeout of five
seconds, and a dealer that one party attacks: meanwhile the other is let in, and afterwards both are
served (exit code null: it goes on).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import loopback

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # frames and companies are those of the tests

from securexgb._pb import dealer_pb2 as pb  # noqa: E402
from securexgb.correlations.triples import Triples  # noqa: E402
from securexgb.dealer.identity import key_hash  # noqa: E402
from securexgb.dealer.wire import METHOD, VERSION  # noqa: E402
from securexgb.errors import DealerGone  # noqa: E402
from securexgb.federation.session import Federation  # noqa: E402
from securexgb.offline.dealer_link import DealerLink  # noqa: E402
from tests.channel import plain  # noqa: E402
from tests.dealer.running import PARTIES, RunningDealer, connected, dealer_process  # noqa: E402
from tests.offline.laws import check_next  # noqa: E402
from tests.processes.companies import RUN, Companies  # noqa: E402

SECONDS = 5.0
Frames = Callable[["Size"], Iterator[bytes]]


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    message: int = 1 << 30
    messages: int = 2_000_000
    connections: int = 700
    requests: int = 64


def frame(kind: int, number: int, total: int, tag: bytes, payload: bytes, stream: int = 0) -> bytes:
    return plain.encode(kind, number, total, tag, payload, stream)


def pieces(total: int, stream: int, tag: bytes = b"wrong") -> Iterator[bytes]:
    """A message of so many bytes, whole."""
    chunk = bytes(plain.LATER_CHUNK_BYTES if stream else plain.CHUNK_BYTES)
    first = 0 if stream else 1
    for number, at in enumerate(range(0, total, len(chunk))):
        payload = chunk[: min(len(chunk), total - at)]
        kind, said = (plain.MORE, 0) if at else (plain.DATA, total)
        yield frame(kind, first + number, said, b"" if at else tag, payload, stream)


def heartbeats(_: Size) -> Iterator[bytes]:
    """As fast as they go, until the victim gives up."""
    while True:
        yield frame(plain.HEARTBEAT, 0, 0, b"", b"")


def small_messages(size: Size) -> Iterator[bytes]:
    for number in range(size.messages):
        yield frame(plain.DATA, number, 1, b"x", b"x", 1)


ATTACKS: dict[str, Frames] = {
    "nothing after the greeting": lambda size: iter(()),
    "heartbeats without end": heartbeats,
    "a message of 4 GiB announced, nothing of it sent": lambda size: iter(
        [frame(plain.DATA, 1, 4 << 30, b"agree#1", b"")]
    ),
    "a message of 2^63 bytes announced": lambda size: iter(
        [frame(plain.DATA, 1, 1 << 63, b"agree#1", b"x")]
    ),
    "a message of 1 GiB to a wrong tag": lambda size: pieces(size.message, 0),
    "a message of 1 GiB where one of 16 MiB is due": lambda size: pieces(
        size.message, 0, b"agree#1"
    ),
    "a message of 1 GiB on a stream that is not read yet": lambda size: pieces(size.message, 1),
    "small messages that nobody reads": small_messages,
    "an empty message": lambda size: iter([frame(plain.DATA, 1, 0, b"agree#1", b"")]),
    "a message to a wrong tag": lambda size: iter([frame(plain.DATA, 1, 1, b"tree 9#1", b"x")]),
    "a second hello": lambda size: iter([frame(plain.HELLO, 1, 0, b"", b"x")]),
    "credit for what was never sent": lambda size: iter(
        [frame(plain.CREDIT, 0, 1 << 60, b"", b"")]
    ),
    "bytes that are no frame": lambda size: iter([b"\xff" * 100]),
    "a frame of 2 MiB": lambda size: iter([bytes(2 << 20)]),
}


def peak_bytes(process: int) -> int:
    """The most memory that it had so far; what a parent had before it started does not count."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) * 1024


class Victim:
    """A process whose end and memory are watched."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.peak_bytes = process, 0
        self.code: int | None = None
        self.ended = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        while self.code is None:
            with contextlib.suppress(ValueError, OSError):
                self.peak_bytes = peak_bytes(self.process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.code = self.process.wait(0.01)
        self.ended.set()


def wait_for(victim: Victim, port: int) -> None:
    """Until it listens; a caller who came before would come again too late."""
    while not victim.ended.wait(0.01):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return


def greeted(folder: Path, attack: Frames | None, size: Size) -> dict[str, Any]:
    """One victim, which listens, greets, and then gets these frames; None: no greeting either."""
    companies = Companies(folder, {"splits": "hidden"}, method={})
    for name in ("bank", "bureau"):
        companies.settings(name, timeout_seconds=SECONDS)
    peer = Federation.from_file(folder / "bureau/party.toml", folder / "bureau/job.toml")
    victim = Victim(
        subprocess.Popen(
            [sys.executable, "-c", RUN, "train"],
            cwd=folder / "bank", env=loopback.environment(), text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
    )  # fmt: skip
    trusted = peer.endpoint().credentials
    wait_for(victim, companies.port)
    with plain.calling(trusted, "bank", companies.port) as calling:
        began = time.monotonic()
        if attack is not None:
            calling.greet(peer.hello("train"))
            began = time.monotonic()
            for data in attack(size):
                if victim.ended.is_set():
                    break
                calling.send(data)
                while calling._outgoing.qsize() > 64 and not victim.ended.wait(0.001):
                    pass
        victim.ended.wait()
    return {"seconds": time.monotonic() - began, "peak_rss_mb": victim.peak_bytes / 1e6,
            "exit_code": victim.code}  # fmt: skip


def parties(size: Size) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as root:
        attacks: dict[str, Frames | None] = {"no greeting": None, **ATTACKS}
        for number, (name, attack) in enumerate(attacks.items()):
            found = greeted(Path(root) / str(number), attack, size)
            yield {"victim": "party", "attack": name} | found


@contextlib.contextmanager
def talking(dealer: RunningDealer) -> Iterator[Callable[[Iterator[bytes]], Any]]:
    """A party's way to send the dealer any bytes."""
    endpoint = dealer.endpoint(0)
    tls = grpc.ssl_channel_credentials(
        endpoint.certificate, endpoint.own_key, endpoint.own_certificate
    )
    options = [("grpc.ssl_target_name_override", "dealer"), ("grpc.max_send_message_length", -1)]
    with grpc.secure_channel(endpoint.address, tls, options) as channel:
        yield channel.stream_stream(METHOD)


def joined() -> bytes:
    roster = [key_hash(party.certificate) for party in PARTIES]
    join = pb.Join(version=VERSION, session=os.urandom(16), digest="d", rank=0, roster=roster)
    return pb.DealRequest(join=join).SerializeToString()


def held(first: bytes | None, stop: threading.Event) -> Iterator[bytes]:
    """A stream that says this, if anything, and stays."""
    if first is not None:
        yield first
    stop.wait()


def at_dealer(dealer: RunningDealer, attack: str, size: Size) -> None:
    """The attack by one party, during which the other is let in; then both are served."""
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        deal = stack.enter_context(talking(dealer))
        stack.callback(stop.set)
        match attack:
            case "streams that never join":
                calls = [deal(held(None, stop)) for _ in range(size.connections)]
            case "sessions alone":
                calls = [deal(held(joined(), stop)) for _ in range(size.connections)]
            case "bytes that are no message":
                calls = [deal(iter([b"\xff" * 1000])) for _ in range(size.connections)]
            case "messages of 64 MiB":
                calls = [deal(iter([bytes(64 << 20)])) for _ in range(size.requests // 8)]
            case _:
                calls = []
        for call in calls:
            stack.callback(call.cancel)
        link = DealerLink(dealer.endpoint(1))
        stack.callback(link.close)
        link.join(os.urandom(16), "d", 1)
    while True:
        try:
            with connected(dealer, timeout_seconds=60) as sources:
                check_next(Triples(), sources, 90_000)
                return
        except DealerGone:  # it has not seen yet that the attacker is gone
            continue


def dealers(size: Size) -> Iterator[dict[str, Any]]:
    attacks = ("none", "streams that never join", "sessions alone", "bytes that are no message",
               "messages of 64 MiB")  # fmt: skip
    for attack in attacks:
        with tempfile.TemporaryDirectory() as folder, dealer_process(Path(folder)) as dealer:
            began = time.monotonic()
            at_dealer(dealer, attack, size)
            seconds = time.monotonic() - began
            assert dealer.process is not None
            megabytes, code = peak_bytes(dealer.process.pid) / 1e6, dealer.process.poll()
            found = {"seconds": seconds, "peak_rss_mb": megabytes, "exit_code": code}
            yield {"victim": "dealer", "attack": attack} | found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--tiny", action="store_true", help="does it run?")
    parser.add_argument("--only", choices=("party", "dealer"), help="this victim alone")
    options = parser.parse_args()
    size = Size(4 << 20, 1000, 20, 8) if options.tiny else Size()
    victims = {"party": parties, "dealer": dealers}
    for of_victim in [victims[options.only]] if options.only else victims.values():
        for line in of_victim(size):
            stamped = json.loads(loopback.stamped({"question": "hostile", **line}))
            stamped["at"] = stamped.pop("date")
            sys.stdout.write(json.dumps(stamped) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
