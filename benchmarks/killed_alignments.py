"""Sides of an alignment are killed at moments that nobody chooses; both go on with ``--resume``.

Two companies' processes align two files of 40,000 rows over a wire that this program holds, in ten
buckets: of 4,096 keys here, of a million between companies. After a random share of the bytes of an
unbroken alignment one side is killed (-9), or the other, or both; what is left of them ends by
itself. Then both are started with ``--resume``, and must end with the order of the unbroken one.
``benchmarks/faults.py`` counts these runs among its own.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.aligning.kit import two_files
from tests.processes.companies import RUN, SIDES, Companies, Ended, finish

NAME = "an alignment of which a side is killed, or both, then resumed"
ROWS = 50_000
KILLS = 20
BUCKET = 4096
PROGRAM = f"""
from securexgb.align import sizes
sizes.BUCKET = {BUCKET}
{RUN}
"""
_LONGEST_SECONDS = 600.0


class Wire(Protocol):
    """What lies between: see ``faults.Wire``."""

    bytes: int
    port: int

    def close(self) -> None:
        """Break every connection and listen no more."""


class Alignments:
    """The same two files, aligned again and again under one order coin."""

    def __init__(self, root: Path, wire: Callable[[int], Wire]) -> None:
        self.companies = Companies(root, rows=ROWS)
        two_files(self.companies, keys="p{:06}".format)
        self.wire = wire(self.companies.port)
        self.companies.settings("bureau", connect=f"127.0.0.1:{self.wire.port}")
        began = time.monotonic()
        self.order = _order(self.both())
        self.seconds, self.bytes = time.monotonic() - began, self.wire.bytes

    def both(self, *options: str) -> list[Ended]:
        """Align to the end."""
        return [finish(side, _LONGEST_SECONDS) for side in self._started(*options).values()]

    def killed(self) -> tuple[bool, bool, int]:
        """Once from the start: whether both have it in the end, whether it is the unbroken one, and
        how many buckets both had kept."""
        for name in SIDES:
            for path in (self.companies.root / name / "aligned").glob("train.*"):
                path.unlink()
        self.wire.bytes, share = 0, random.random()
        sides = self._started()
        while all(side.poll() is None for side in sides.values()):
            if self.wire.bytes >= share * self.bytes:
                break
            time.sleep(0.002)
        victims = random.choice([[name] for name in SIDES] + [list(SIDES)])
        for name in victims:
            sides[name].kill()
        for side in sides.values():
            finish(side, _LONGEST_SECONDS)
        kept = [self._kept(name) for name in SIDES]
        ended = self.both("--resume")
        done = all(side.code == 0 for side in ended) and not any(map(self._kept, SIDES))
        if not done:
            sys.stderr.write("".join(f"{side.code}: {side.stderr}\n" for side in ended))
        return done, done and _order(ended) == self.order, min(kept)

    def _started(self, *options: str) -> dict[str, subprocess.Popen[str]]:
        start = self.companies.start
        return {name: start(name, "align", *options, code=PROGRAM) for name in SIDES}

    def _kept(self, name: str) -> int:
        return len(list((self.companies.root / name / "aligned").glob("*.buckets/*.bits")))


def _order(ended: list[Ended]) -> str:
    """The digest of the rows in their order, which both sides print."""
    orders = {side.json["order"] for side in ended}
    if len(orders) > 1:
        raise SystemExit(f"the two sides ended with different orders: {ended}")
    return str(orders.pop())


def measured(trial: Alignments, runs: int = KILLS) -> dict[str, Any]:
    """The line of all of them; ``buckets_kept``: how many were not done again, in all."""
    survived = same = kept = 0
    seconds = []
    for _ in range(runs):
        began = time.monotonic()
        done, is_same, buckets = trial.killed()
        seconds.append(time.monotonic() - began - trial.seconds)
        survived, same, kept = survived + done, same + is_same, kept + buckets
    return {
        "fault": NAME,
        "runs": runs,
        "injected": runs,
        "survived": survived,
        "lost": runs - survived,
        "same_model": same,
        "tries": 0,
        "seconds_more": round(max(0.0, sorted(seconds)[len(seconds) // 2]), 1),
        "buckets_kept": kept,
    }
