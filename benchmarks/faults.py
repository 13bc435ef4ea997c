"""Which faults does a training survive without a person, and is the model the same?

    python benchmarks/faults.py                        # everything, two hours
    python benchmarks/faults.py --runs 1 --only reset "stall of 10 s"

Two companies' processes train by default terms over a wire that this program holds. At a moment
that nobody chooses (after a random share of the bytes of an unbroken training) it stalls the wire
for so many seconds, resets its connections, restarts as a proxy does, or kills one side,
which a supervisor starts again with ``--resume``. Both sides may try again ten times. Kills come
one after the other until the training is done, at most so many, without a dealer and with one.
Then HAProxy and nginx stand between the sides, which start in either order while somebody
scans their ports; or they restart in the middle. What is not on the machine is left out, and said.
Last of all sides of an alignment are killed (``killed_alignments.py``).

One JSON line a fault: how many runs there were and how many faults in all (injected), how many
runs ended with a model at both sides (survived) and how many did not (lost), how many of these
models, or orders of an alignment, are the unbroken one to the bit (same_model), how often the sides
tried again, and the seconds beyond an unbroken training.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import killed_alignments
import numpy as np
from proxies import PROXIES, Proxy, is_there, scanned

from securexgb.model.files import load_half
from tests.processes.companies import DEALT, SIDES, Companies, Ended, finish, free_port

TIMEOUT_SECONDS = 20
RETRIES = 10
PROXY_SECONDS = 3
FIRST_SECONDS = 4
STALLS = (10, 60, 300)
DEALER_STALLS = (10, 60)
RESETS = 3
KILLS = 10
TRAINING = {"n_estimators": 10, "max_depth": 3, "subsample": 0.7}
_LONGEST_SECONDS = 1500.0
_PIECE = 1 << 16
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    """What is done to a training that runs: ``inject`` says how often it did it.

    ``method``: of the terms. ``proxy``: what stands in between; ``first``: which side starts first.
    """

    name: str
    inject: Callable[[Trial], int]
    method: Mapping[str, str] = field(default_factory=dict)
    proxy: str | None = None
    first: str | None = None
    runs: int = 5


class Wire:
    """Forwards connections to a port of this machine; may stall, reset, or be down."""

    def __init__(self, target: int) -> None:
        self.bytes = 0
        self.target = target
        self._flows = threading.Event()
        self._flows.set()
        self._ends: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._listen()

    def stall(self, seconds: float) -> None:
        """Nothing goes through, and nothing is lost."""
        self._flows.clear()
        time.sleep(seconds)
        self._flows.set()

    def reset(self) -> None:
        """Every connection breaks; new ones are let in."""
        for end in list(self._ends):
            self._ends.discard(end)
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RD)  # its thread wakes
                end.close()

    def restart(self, seconds: float) -> None:
        """Every connection breaks, and for some time nobody listens."""
        self.close()
        time.sleep(seconds)
        self._server = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.reset()

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near = server.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self._ends |= {near, far}
            for ends in ((near, far), (far, near)):
                ends[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                self._flows.wait()
                sink.sendall(data)
                self.bytes += len(data)
        for end in (source, sink):
            self._ends.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # what waits in the other thread hears of it
            end.close()


class Trial:
    """The same training again and again, each time in folders of its own making."""

    def __init__(self, root: Path, method: Mapping[str, str]) -> None:
        self.companies = Companies(root, TRAINING, rows=200, method=method)
        self.dealer = self.companies.start_dealer() if method else None
        self.wire = Wire(self.companies.port)
        for name in SIDES:
            at = {} if name == "bank" else {"connect": f"127.0.0.1:{self.wire.port}"}
            self.companies.settings(name, timeout_seconds=TIMEOUT_SECONDS, retries=RETRIES, **at)
        self.sides: dict[str, subprocess.Popen[str]] = {}
        self.bytes = self.injected = 0
        began = time.monotonic()
        ended = self.run(Fault("none", lambda _: 0))
        if any(side.code for side in ended):
            raise SystemExit(f"the unbroken training failed: {ended}")
        self.seconds = time.monotonic() - began
        self.bytes, self.leaves = self.wire.bytes, self.model()

    def run(self, fault: Fault) -> list[Ended]:
        """One training with the fault, when a random share of its bytes has gone through."""
        for name in SIDES:
            shutil.rmtree(self.companies.root / name / "run", ignore_errors=True)
        self.wire.bytes = 0
        with self.behind(fault):
            for name in sorted(SIDES, key=lambda name: name != fault.first):
                self.sides[name] = self.companies.start(name, "train")
                if fault.first == name:
                    time.sleep(FIRST_SECONDS)
            if fault.first is None:
                self.wait(random.random() * self.bytes)
            self.injected = fault.inject(self)
            return [finish(side, _LONGEST_SECONDS) for side in self.sides.values()]

    def wait(self, more_bytes: float) -> bool:
        """Until so many bytes have gone through; whether both sides still run then."""
        until = self.wire.bytes + more_bytes
        while all(side.poll() is None for side in self.sides.values()):
            if self.wire.bytes >= until:
                return True
            time.sleep(0.005)
        return False

    @contextlib.contextmanager
    def behind(self, fault: Fault) -> Iterator[None]:
        """With a proxy between the sides, where the fault has one, and somebody who scans ports."""
        if fault.proxy is None:
            yield
            return
        port, listener = free_port(), self.companies.port
        with tempfile.TemporaryDirectory() as folder:
            self.proxy = Proxy(fault.proxy, Path(folder), port, listener)
            self._call(port if fault.first else self.wire.port)
            self.wire.target = port
            try:
                with scanned(listener, port):
                    yield
            finally:
                self.proxy.close()
                self.wire.target = listener
                self._call(self.wire.port)

    def _call(self, port: int) -> None:
        """Where the feature party calls."""
        settings = {"timeout_seconds": TIMEOUT_SECONDS, "retries": RETRIES}
        self.companies.settings("bureau", connect=f"127.0.0.1:{port}", **settings)

    def stall(self, seconds: float) -> None:
        """Nothing goes through between the sides, or, where there is a dealer, it stands still."""
        if self.dealer is None:
            self.wire.stall(seconds)
            return
        self.dealer.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.dealer.send_signal(signal.SIGCONT)

    def kill(self) -> int:
        """One side dies, and a supervisor starts it again; and so on, some bytes later each."""
        for number in range(KILLS):
            if number and not self.wait(
                random.random() * 2 * self.bytes / TRAINING["n_estimators"]
            ):
                return number
            victim = random.choice(list(SIDES))
            self.sides[victim].kill()
            self.sides[victim].communicate()
            self.sides[victim] = self.companies.start(victim, "train", "--resume")
        return KILLS

    def resets(self) -> int:
        """Several, each after as many bytes as there may be between two."""
        for number in range(RESETS):
            if number and not self.wait(random.random() * self.bytes / 2 / RESETS):
                return number
            self.wire.reset()
        return RESETS

    def model(self) -> np.ndarray[Any, Any]:
        """All leaf values, both halves' shares put together."""
        halves = [
            load_half(max((self.companies.root / name).glob(f"run/*/model/{role}.npz")))
            for name, role in SIDES.items()
        ]
        shares = [np.stack([tree.leaf_values for tree in half.trees]) for half in halves]
        return np.asarray(shares[0] + shares[1])


@contextlib.contextmanager
def trials(root: Path, method: Mapping[str, str]) -> Iterator[Trial]:
    """A trial that leaves no process behind."""
    trial = Trial(root, method)
    try:
        yield trial
    finally:
        trial.companies.stop()
        trial.wire.close()


@contextlib.contextmanager
def alignments(root: Path) -> Iterator[killed_alignments.Alignments]:
    """Alignments that leave no process behind."""
    trial = killed_alignments.Alignments(root, Wire)
    try:
        yield trial
    finally:
        trial.companies.stop()
        trial.wire.close()


def once(fault: Callable[[Trial], None]) -> Callable[[Trial], int]:
    """What happens once in a training."""

    def injected(trial: Trial) -> int:
        fault(trial)
        return 1

    return injected


def faults() -> Iterator[Fault]:
    """What is done to a training."""
    for seconds in STALLS:
        yield Fault(f"stall of {seconds} s", once(partial(Trial.stall, seconds=seconds)))
    yield Fault("reset", once(lambda trial: trial.wire.reset()))
    yield Fault(f"{RESETS} resets", Trial.resets)
    yield Fault("a proxy that restarts", once(lambda trial: trial.wire.restart(PROXY_SECONDS)))
    killed = Fault("a side that is killed and started again, often", Trial.kill, runs=10)
    yield killed
    yield replace(killed, name="the same with a dealer", method=DEALT)
    for seconds in DEALER_STALLS:
        said = f"a dealer that stalls for {seconds} s"
        yield Fault(said, once(partial(Trial.stall, seconds=seconds)), DEALT)
    for proxy in PROXIES:
        for name, role in SIDES.items():
            said = f"behind {proxy}, {role} party first, ports scanned"
            yield Fault(said, once(lambda _: None), proxy=proxy, first=name)
        restarts = once(lambda trial: trial.proxy.restart(PROXY_SECONDS))
        yield Fault(f"{proxy} restarts, ports scanned", restarts, proxy=proxy)


def measured(trial: Trial, fault: Fault, runs: int) -> dict[str, Any]:
    """The line of one fault."""
    survived = same = tries = injected = 0
    seconds = []
    for _ in range(runs):
        began = time.monotonic()
        ended = trial.run(fault)
        seconds.append(time.monotonic() - began - trial.seconds)
        if all(side.code == 0 for side in ended):
            survived += 1
            same += np.array_equal(trial.model(), trial.leaves)
        else:
            sys.stderr.write("".join(f"{side.code}: {side.stderr}\n" for side in ended))
        injected += trial.injected
        tries += max(side.stderr.count("; trying again, ") for side in ended)
    return {
        "fault": fault.name,
        "runs": runs,
        "injected": injected,
        "survived": survived,
        "lost": runs - survived,
        "same_model": int(same),
        "tries": tries,
        "seconds_more": round(max(0.0, float(np.median(seconds))), 1),
        "timeout_seconds": TIMEOUT_SECONDS,
        "retries": RETRIES,
    }


def main() -> None:
    """See above."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = list(faults())
    names = [*(fault.name for fault in known), killed_alignments.NAME]
    reader.add_argument("--runs", type=int, help="of each; default: 5, of kills 10")
    reader.add_argument("--only", nargs="+", choices=names, default=names)
    options = reader.parse_args()
    for proxy in PROXIES:
        if not is_there(proxy):
            sys.stderr.write(f"{proxy} is not on this machine: what stands behind it is left out\n")
    for method in ({}, DEALT):
        chosen = [fault for fault in known if fault.method == method and fault.name in options.only]
        chosen = [fault for fault in chosen if fault.proxy is None or is_there(fault.proxy)]
        if chosen:
            with tempfile.TemporaryDirectory() as folder, trials(Path(folder), method) as trial:
                for fault in chosen:
                    line = measured(trial, fault, options.runs or fault.runs)
                    _tell(line)
    if killed_alignments.NAME in options.only:
        with tempfile.TemporaryDirectory() as folder, alignments(Path(folder)) as trial:
            _tell(killed_alignments.measured(trial, options.runs or killed_alignments.KILLS))


def _tell(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
