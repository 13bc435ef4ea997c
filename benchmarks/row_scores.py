"""What does a row of a batch cost, of owned and of hidden splits? Scores alone, without a service.

    python benchmarks/row_scores.py
    python benchmarks/row_scores.py --batches 256 --splits hidden --profile

Both parties are in one process on a channel in memory, with correlations that they make themselves
and a stock of them, as a session has. Kinds of splits take turns, so that a busy machine does the
same to all of them. One JSON line for each kind and number of rows: processor milliseconds a row,
of both parties and all their threads (the quickest batch, and the mean, which has what is made
ahead in it), kilobytes a row and side, correlations included, and the rounds of a batch.
``session_*``: once a session, without its stock.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from inputs import synthetic
from loopback import ROLES
from replicas import Companies, Shape

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.scoring.row_scores import RowScores
from securexgb.channel.memory import memory_pair
from securexgb.jobs import local
from securexgb.model.files import load_half
from securexgb.mpc.party import Party
from securexgb.offline.method import Method
from securexgb.serve.memory import keep_freed_memory
from securexgb.serve.scoring.stock import Stock

DECIMALS = 4
TIMEOUT = 600.0
KINDS = ("owner", "hidden")


@dataclass
class Session:
    """Both ends of a session with a model, in one process; ``sides``: own columns of rows."""

    splits: str
    halves: tuple[ModelHalf, ...]
    sides: tuple[Any, Any]
    stock_rows: int
    parties: tuple[Party, Party] = field(init=False)
    opened: dict[str, float] = field(init=False)
    _ready: list[tuple[RowScores, Stock]] = field(init=False)

    def __post_init__(self) -> None:
        self.parties = local.join_parties(memory_pair(TIMEOUT), 1, Method())

        def open_model(party: Party, half: ModelHalf) -> tuple[RowScores, Stock]:
            return RowScores(party, half, DECIMALS), Stock(party, self.stock_rows)

        began, before = time.process_time(), self.bytes()
        self._ready = local.run_both(open_model, self.parties, self.halves)
        self.opened = {
            "session_cpu_seconds": time.process_time() - began,
            "session_megabytes": (self.bytes() - before) / 1e6,
        }

        def fill(_: Party, ready: tuple[RowScores, Stock]) -> None:
            ready[1].open(ready[0])
            ready[1].fill()

        local.run_both(fill, self.parties, self._ready)

    def bytes(self) -> int:
        """That both have sent."""
        return sum(party.channel.traffic.bytes_sent for party in self.parties)

    def settle(self) -> None:
        """Until what was used up of the stock is there again."""
        local.run_both(lambda _, ready: ready[1].fill(), self.parties, self._ready)

    def score(self, rows: int) -> None:
        """A batch of rows at random."""
        chosen = np.random.default_rng(rows).integers(0, len(self.sides[0]), rows)

        def scored(_: Party, rank: int) -> None:
            scores = self._ready[rank][0]
            margins, centre = scores.margins(self.sides[rank][chosen], None)
            scores.opened(margins, centre, np.arange(rows))

        local.run_both(scored, self.parties, (0, 1))


def session(splits: str, given: argparse.Namespace) -> Session:
    """With a model that was trained in the clear."""
    shape = Shape(given.trees, given.depth, rows=2000, splits=splits)
    with tempfile.TemporaryDirectory() as folder:
        made, root = Companies.prepare(Path(folder), shape), Path(folder)
        halves = [load_half(next(root.glob(f"{role}/*/model/{role}.npz"))) for role in ROLES]
    table, own = np.round(synthetic(shape.rows, shape.columns, 0)[0], 2), made.shape.columns
    sides = np.ascontiguousarray(table[:, :own]), np.ascontiguousarray(table[:, own:])
    return Session(splits, tuple(halves), sides, given.stock)


def measured(
    one: Session, rows: int, batches: int, around: Callable[[Callable[[], None]], None]
) -> dict[str, Any]:
    """One turn: so many batches, the stock made up after each."""
    quickest, before, rounds = float("inf"), one.bytes(), one.parties[0].rounds
    began = time.process_time()
    for _ in range(batches):
        start = time.process_time()
        around(lambda: one.score(rows))
        quickest = min(quickest, time.process_time() - start)
        one.settle()
    return {
        "cpu": time.process_time() - began,
        "quickest": quickest,
        "bytes": one.bytes() - before,
        "rounds": (one.parties[0].rounds - rounds) / batches,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--batches", default="1,64,256", help="their rows, by comma")
    parser.add_argument("--splits", default=",".join(KINDS), help="by comma")
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--stock", type=int, default=2048, help="rows in stock")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--each", type=int, default=8, help="batches of a turn")
    parser.add_argument("--profile", action="store_true", help="the label party's calls by time")
    given = parser.parse_args()
    profile = cProfile.Profile()

    def around(work: Callable[[], None]) -> None:
        if given.profile:
            profile.runcall(work)
        else:
            work()

    keep_freed_memory()  # as a replica does
    sessions = [session(splits, given) for splits in given.splits.split(",")]
    for rows in (int(rows) for rows in given.batches.split(",")):
        for one in sessions:
            measured(one, rows, 1, lambda work: work())
        turns = [
            [measured(one, rows, given.each, around) for one in sessions]
            for _ in range(given.turns)
        ]
        for one, found in zip(sessions, zip(*turns, strict=True), strict=True):
            scored = rows * given.each
            line = {
                "question": "row_scores",
                "splits": one.splits,
                "rows": rows,
                "trees": given.trees,
                "depth": given.depth,
                "cpu_ms_a_row": min(turn["quickest"] for turn in found) * 1e3 / rows,
                "cpu_ms_a_row_with_stock": float(np.median([t["cpu"] for t in found]))
                * 1e3
                / scored,
                "kilobytes_per_row_and_side": sum(t["bytes"] for t in found)
                / (2e3 * scored * given.turns),
                "rounds": found[0]["rounds"],
                **one.opened,
            }
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
    if given.profile:
        profile.print_stats("tottime")


if __name__ == "__main__":
    main()
