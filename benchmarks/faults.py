"""Which faults does a training survive without a person, and is the model the same?

    python benchmarks/faults.py                        # everything, some forty minutes
    python benchmarks/faults.py --runs 1 --only reset "stall of 10 s"

Two companies' processes train by default terms over a wire that this program holds. At a moment
that nobody chooses (after a random share of the bytes of an unbroken training) it stalls the wire
for so many seconds, resets its connections, restarts as a proxy does, or kills one side,
which a supervisor starts again with ``--resume``. Both sides may try again ten times.

One JSON line a fault: how many runs there were, how many ended with a model at both sides
(survived) and how many did not (lost), how many of these models are the unbroken one to the bit
(same_model), how often the sides tried again, and the seconds beyond an unbroken training.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from securexgb.model.files import load_half
from tests.processes.companies import SIDES, Companies, Ended, finish

TIMEOUT_SECONDS = 20
RETRIES = 10
PROXY_SECONDS = 3
STALLS = (10, 60, 300)
RESETS = 3
TRAINING = {"n_estimators": 10, "max_depth": 3, "subsample": 0.7}
_LONGEST_SECONDS = 1500.0
_PIECE = 1 << 16
_RESET = struct.pack("ii", 1, 0)


class Wire:
    """Forwards connections to a port of this machine; may stall, reset, or be down."""

    def __init__(self, target: int) -> None:
        self.bytes = 0
        self._target = target
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
                far = socket.create_connection(("127.0.0.1", self._target))
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
            end.close()


class Trial:
    """The same training again and again, each time in folders of its own making."""

    def __init__(self, root: Path) -> None:
        self.companies = Companies(root, TRAINING, rows=200, method={})
        self.wire = Wire(self.companies.port)
        for name in SIDES:
            at = {} if name == "bank" else {"connect": f"127.0.0.1:{self.wire.port}"}
            self.companies.settings(name, timeout_seconds=TIMEOUT_SECONDS, retries=RETRIES, **at)
        began = time.monotonic()
        ended = self.run(lambda _: None, 0.0)
        if any(side.code for side in ended):
            raise SystemExit(f"the unbroken training failed: {ended}")
        self.seconds = time.monotonic() - began
        self.bytes, self.leaves = self.wire.bytes, self.model()

    def run(self, fault: Callable[[Trial], None], after_bytes: float) -> list[Ended]:
        """One training, with the fault when so many bytes have gone through."""
        for name in SIDES:
            shutil.rmtree(self.companies.root / name / "run", ignore_errors=True)
        self.wire.bytes = 0
        self.sides = {name: self.companies.start(name, "train") for name in SIDES}
        while self.wire.bytes < after_bytes:
            if any(side.poll() is not None for side in self.sides.values()):
                break
            time.sleep(0.005)
        fault(self)
        return [finish(side, _LONGEST_SECONDS) for side in self.sides.values()]

    def kill(self) -> None:
        """One side dies, and a supervisor starts it again."""
        victim = random.choice(list(SIDES))
        self.sides[victim].kill()
        self.sides[victim].communicate()
        self.sides[victim] = self.companies.start(victim, "train", "--resume")

    def resets(self) -> None:
        """Several, each after as many bytes as there may be between two."""
        for _ in range(RESETS):
            self.wire.reset()
            until = self.wire.bytes + random.random() * self.bytes / 2 / RESETS
            while self.wire.bytes < until and all(
                side.poll() is None for side in self.sides.values()
            ):
                time.sleep(0.005)

    def model(self) -> np.ndarray[Any, Any]:
        """All leaf values, both halves' shares put together."""
        halves = [
            load_half(max((self.companies.root / name).glob(f"run/*/model/{role}.npz")))
            for name, role in SIDES.items()
        ]
        shares = [np.stack([tree.leaf_values for tree in half.trees]) for half in halves]
        return np.asarray(shares[0] + shares[1])


def faults() -> Iterator[tuple[str, Callable[[Trial], None]]]:
    """What is done to a training, by name."""
    for seconds in STALLS:
        yield f"stall of {seconds} s", lambda trial, s=seconds: trial.wire.stall(s)
    yield "reset", lambda trial: trial.wire.reset()
    yield f"{RESETS} resets", Trial.resets
    yield "a proxy that restarts", lambda trial: trial.wire.restart(PROXY_SECONDS)
    yield "a side that is killed and started again", Trial.kill


def measured(trial: Trial, name: str, fault: Callable[[Trial], None], runs: int) -> dict[str, Any]:
    """The line of one fault."""
    survived = same = tries = 0
    seconds = []
    for _ in range(runs):
        began = time.monotonic()
        ended = trial.run(fault, random.random() * trial.bytes)
        seconds.append(time.monotonic() - began - trial.seconds)
        if all(side.code == 0 for side in ended):
            survived += 1
            same += np.array_equal(trial.model(), trial.leaves)
        else:
            sys.stderr.write("".join(f"{side.code}: {side.stderr}\n" for side in ended))
        tries += max(side.stderr.count("; trying again, ") for side in ended)
    return {
        "fault": name,
        "runs": runs,
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
    known = dict(faults())
    reader.add_argument("--runs", type=int, default=5)
    reader.add_argument("--only", nargs="+", choices=sorted(known), default=list(known))
    options = reader.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder))
        try:
            for name, fault in known.items():
                if name in options.only:
                    line = measured(trial, name, fault, options.runs)
                    sys.stdout.write(json.dumps(line) + "\n")
                    sys.stdout.flush()
        finally:
            trial.companies.stop()
            trial.wire.close()


if __name__ == "__main__":
    main()
