"""What does scoring on request do, at which load? Two companies' replicas, asked over HTTP.

    python benchmarks/serving.py                         # everything; some twenty minutes
    python benchmarks/serving.py --only one,batches --splits hidden
    python benchmarks/serving.py --only lasting          # five minutes at 70 % of saturation
    python benchmarks/serving.py --only one,batches --beside 348e649    # or a folder, built

Calls come in an open loop (``arrivals``), apart from "batches", where so many callers ask again as
soon as they are answered. A line: times from when a call was due, what failed, rows a second, and
how late the generator itself was; ``kilobytes_per_row_and_side`` is all that passed the link, TLS
and correlations included, over two; ``hops`` are the one-way latencies of the link within one
answer: what 20 ms each way add to the median, over 20. ``label_cpu_ms`` and ``feature_cpu_ms``:
processor time of a replica a call, all its threads.

With ``--beside`` secure prediction of that revision, without a service, is asked in turn with the
replicas that are linked directly (``beside`` says what either figure includes): ratios are this
build's figure over that one's, ``queued_*`` where calls of both count from when they were due.

- one: a row a call, seldom: nothing waits;
- steps: a row a call, more and more of them, 1 and 2 replicas a side;
- batches: 256 rows a call;
- wan: a row a call over a link of 20 ms each way and 100 Mbit/s;
- kill: a replica of either side ends by SIGKILL under load, and another one is started;
- rolling: all four replicas are replaced one after the other under load;
- lasting: 70 % of the rate at which "steps" saturated, for long.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import beside
import loopback
import replicas
import shaper
from arrivals import OK, TOO_MANY, UNAVAILABLE, Load, closed_loop, open_loop
from replicas import Companies, Line, Replica, Shape

WHAT = ("one", "steps", "batches", "wan", "kill", "rolling", "lasting")
STEPS = (25, 50, 100, 150, 200, 300, 400)
SATURATED_MILLISECONDS = 250.0
"""A step whose p99 is above is the last."""
ROWS_OF_BATCHES = 256
TURNS = 4
"""Of each, where an older revision is asked beside."""
SELDOM = 3.0
"""Calls a second over a slow link, so that none waits for the one before."""


@dataclass(frozen=True)
class Options:
    """Of the command."""

    splits: str
    seconds: float
    rate: float
    steps: tuple[int, ...]
    lasting_seconds: float
    beside: str = ""


@dataclass
class Bench:
    """The companies, how they are linked, and what is measured on them."""

    companies: Companies
    options: Options
    saturated: float = 0.0

    @contextmanager
    def serving(
        self, count: int = 1, link: loopback.Link | None = None
    ) -> Iterator[tuple[list[Replica], Line]]:
        """So many replicas a side, ready; the label party's, and the line between."""
        ports = [loopback.free_port() for _ in range(count)]
        for port in ports:
            self.companies.start("feature", port)
        with replicas.balanced(ports, link) as line:
            try:
                labels = [self.companies.start("label", line.port) for _ in range(count)]
                for replica in labels:
                    replica.wait_ready()
                yield labels, line
            finally:
                self.companies.close()

    @contextmanager
    def direct(self) -> Iterator[list[Replica]]:
        """One replica a side, ready, with nothing between them."""
        port = loopback.free_port()
        self.companies.start("feature", port)
        try:
            label = self.companies.start("label", port)
            label.wait_ready()
            yield [label]
        finally:
            self.companies.close()

    @contextmanager
    def earlier(self) -> Iterator[beside.Earlier | None]:
        """The older revision, where one is asked beside."""
        if not self.options.beside:
            yield None
            return
        companies = self.companies
        decimals = companies.terms.prediction_decimals
        with (
            tempfile.TemporaryDirectory(dir=companies.folder) as folder,
            beside.earlier(self.options.beside, companies.shape, decimals, Path(folder)) as found,
        ):
            yield found

    def cpu(self, role: loopback.Role) -> float:
        """Processor seconds of that party's replicas so far."""
        return sum(loopback.cpu_seconds(one.process.pid) for one in self.companies.of(role))

    def asked(self, ports: list[int], rate: float, seconds: float) -> Load:
        return open_loop(ports, replicas.PATH, self.body(1), rate, seconds)

    def body(self, rows: int) -> Callable[[], bytes]:
        """Keys at random."""
        draw, keys = random.Random(2), self.companies.keys

        def made() -> bytes:
            chosen = draw.sample(keys, min(rows, len(keys)))
            asked = {"name": "key", "datatype": "BYTES", "shape": [len(chosen)], "data": chosen}
            return json.dumps({"inputs": [asked]}).encode()

        return made

    def line(self, what: str, load: Load, rows: int, seconds: float, **more: Any) -> dict[str, Any]:
        shape = self.companies.shape
        answered = sum(call.status == OK for call in load.calls)
        return {
            "question": "serving",
            "what": what,
            "trees": shape.trees,
            "depth": shape.depth,
            "splits": shape.splits,
            "rows_per_request": rows,
            "requests": len(load.calls),
            "p50_ms": load.milliseconds(0.5),
            "p90_ms": load.milliseconds(0.9),
            "p99_ms": load.milliseconds(0.99),
            "rows_per_second": answered * rows / seconds,
            "failed": len(load.failed),
            "refused": sum(call.status == TOO_MANY for call in load.calls),
            "not_ready": sum(call.status == UNAVAILABLE for call in load.calls),
            "late_p99_ms": load.late_milliseconds(0.99),
            **more,
        }

    def one(self, name: str, rate: float, link: loopback.Link | None = None) -> dict[str, Any]:
        with self.serving(link=link) as (labels, wire):
            ports = [replica.port for replica in labels]
            self.asked(ports, rate, min(2.0, self.options.seconds))  # warm
            before = wire.bytes()
            load = self.asked(ports, rate, self.options.seconds)
            kilobytes = (wire.bytes() - before) / 2e3 / max(1, len(load.calls))
        return self.line(
            name, load, 1, self.options.seconds, rate=rate, replicas=1,
            kilobytes_per_row_and_side=kilobytes,
        )  # fmt: skip

    def run_one(self) -> Iterator[dict[str, Any]]:
        """Times of replicas that are linked directly; bytes, and times again, through the balancer,
        which is Python and on the same processors."""
        rate, seconds = self.options.rate, self.options.seconds
        counted, load, more = self.one("one", rate), Load(), dict[str, Any]()
        with self.direct() as labels, self.earlier() as earlier:
            ports = [replica.port for replica in labels]
            asks = [lambda: load.calls.extend(self.asked(ports, rate, seconds).calls)]
            self.asked(ports, rate, min(2.0, seconds))  # warm
            if earlier is not None:
                earlier.ask_one(rate, min(2.0, seconds))
                earlier.single.calls.clear()
                asks.append(lambda: earlier.ask_one(rate, seconds))
            before = {role: self.cpu(role) for role in loopback.ROLES}
            turns = _in_turn(asks)
            for role, spent in before.items():
                more[f"{role}_cpu_ms"] = 1e3 * (self.cpu(role) - spent) / len(load.calls)
            if earlier is not None:
                more |= earlier.ratios(load)
        line = self.line("one", load, 1, seconds * turns, rate=rate, replicas=1, link="loopback")
        yield (
            line
            | more
            | {
                "kilobytes_per_row_and_side": counted["kilobytes_per_row_and_side"],
                "balanced_p50_ms": counted["p50_ms"],
                "balanced_p99_ms": counted["p99_ms"],
            }
        )

    def run_wan(self) -> Iterator[dict[str, Any]]:
        """The same without and with a link that is slow, in turn."""
        profile = shaper.PROFILES["WAN"]
        rate = min(SELDOM, self.options.rate)
        near, far = self.one("near", rate), self.one("wan", rate, shaper.link(profile))
        hops = (far["p50_ms"] - near["p50_ms"]) / profile.milliseconds
        yield far | {"hops": hops, "near_p50_ms": near["p50_ms"], "link": profile.name}

    def run_steps(self) -> Iterator[dict[str, Any]]:
        for count in (1, 2):
            with self.serving(count) as (labels, _):
                for rate in self.options.steps:
                    load = self.asked([one.port for one in labels], rate, self.options.seconds)
                    line = self.line("steps", load, 1, self.options.seconds, replicas=count)
                    yield line | {"rate": rate, "link": "loopback"}
                    if count == 1 and not load.failed:
                        self.saturated = max(self.saturated, line["rows_per_second"])
                    if load.failed or not line["p99_ms"] < SATURATED_MILLISECONDS:
                        break

    def run_batches(self) -> Iterator[dict[str, Any]]:
        seconds = self.options.seconds
        with self.serving() as (labels, wire):
            ports, body = [one.port for one in labels], self.body(ROWS_OF_BATCHES)
            closed_loop(ports, replicas.PATH, body, 1, min(2.0, seconds))
            for users in (1, 4):
                before = wire.bytes()
                load = closed_loop(ports, replicas.PATH, body, users, seconds)
                rows = max(1, sum(call.status == OK for call in load.calls)) * ROWS_OF_BATCHES
                kilobytes = (wire.bytes() - before) / 2e3 / rows
                yield self.line(
                    "batches", load, ROWS_OF_BATCHES, seconds, replicas=1, callers=users,
                    kilobytes_per_row_and_side=kilobytes, link="loopback",
                )  # fmt: skip
        if self.options.beside:
            yield self.batches_beside()

    def batches_beside(self) -> dict[str, Any]:
        """Batches of one caller, in turn with the older revision's; nothing between replicas."""
        seconds, body, load = self.options.seconds, self.body(ROWS_OF_BATCHES), Load()
        with self.direct() as labels, self.earlier() as earlier:
            assert earlier is not None
            ports = [one.port for one in labels]

            def ask() -> None:
                load.calls += closed_loop(ports, replicas.PATH, body, 1, seconds).calls

            def ask_earlier() -> None:
                earlier.ask_batches(ROWS_OF_BATCHES, seconds)

            closed_loop(ports, replicas.PATH, body, 1, min(2.0, seconds))
            _in_turn([ask, ask_earlier])
        took = sum(call.took for call in load.calls)
        line = self.line("batches", load, ROWS_OF_BATCHES, took, replicas=1, callers=1)
        older = earlier.rows_per_second
        return line | {
            "link": "loopback",
            "rows_per_second_ratio": line["rows_per_second"] / older,
            "earlier_rows_per_second": older,
        }

    def run_kill(self) -> Iterator[dict[str, Any]]:
        for role in loopback.ROLES:
            is_done = threading.Event()
            with self.serving(2) as (labels, _):
                victim = self.companies.of(role)[0]
                loads: list[Load] = []
                began = time.perf_counter()
                asking = self._asking([one.port for one in labels], loads, is_done)
                time.sleep(self.options.seconds / 3)
                killed = time.perf_counter() - began
                self.companies.kill(victim)
                if role == "feature":
                    self.companies.start(role, victim.link).wait_ready()
                is_done.set()
                asking.join()
                load = loads[0]
                last = max((call.due for call in load.failed), default=killed)
                yield self.line(
                    "kill", load, 1, max(call.due for call in load.calls), replicas=2,
                    killed=role, rate=self.options.rate,
                    recovered_seconds=max(last - killed, 0.0), statuses=load.statuses(),
                    link="loopback",
                )  # fmt: skip

    def run_rolling(self) -> Iterator[dict[str, Any]]:
        """Two and two; each is asked to end, and only when it has is the next one started: callers
        go to those that are ready. They call until all of it is done."""
        is_done = threading.Event()
        with self.serving(2) as (labels, _):
            loads: list[Load] = []
            ports = [one.port for one in labels]
            asking = self._asking(ports, loads, is_done)
            time.sleep(self.options.seconds / 5)
            began = time.perf_counter()
            for role in ("feature", "label"):
                for replica in self.companies.of(role):
                    self.companies.stop(replica)
                    new = self.companies.start(role, replica.link)
                    new.wait_ready()
                    if role == "label":
                        ports[ports.index(replica.port)] = new.port
                    time.sleep(self.options.seconds / 5)
            took = time.perf_counter() - began
            is_done.set()
            asking.join()
            seconds = max(call.due for call in loads[0].calls)
            yield self.line(
                "rolling", loads[0], 1, seconds, replicas=2, rate=self.options.rate,
                update_seconds=took, statuses=loads[0].statuses(), link="loopback",
            )  # fmt: skip

    def run_lasting(self) -> Iterator[dict[str, Any]]:
        if not self.saturated:
            for _ in self.run_steps():
                pass
        rate, seconds = 0.7 * self.saturated, self.options.lasting_seconds
        with self.serving() as (labels, _):
            load = self.asked([one.port for one in labels], rate, seconds)
        yield self.line("lasting", load, 1, seconds, replicas=1, rate=rate, link="loopback")

    def _asking(
        self, ports: list[int], loads: list[Load], is_done: threading.Event
    ) -> threading.Thread:
        """Calls in a thread until it is done; ``ports`` may change meanwhile."""
        body, rate, seconds = self.body(1), self.options.rate, self.options.seconds

        def ask() -> None:
            loads.append(open_loop(ports, replicas.PATH, body, rate, seconds, is_done.is_set))

        thread = threading.Thread(target=ask)
        thread.start()
        return thread


def _in_turn(asks: list[Callable[[], Any]]) -> int:
    """Each asked equally often, the last one first in every second turn; how often."""
    count = TURNS if len(asks) > 1 else 1
    for number in range(count):
        for ask in asks[:: 1 - 2 * (number % 2)]:
            ask()
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default=",".join(WHAT), help="by comma")
    parser.add_argument("--splits", default="owner", choices=["owner", "hidden"])
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--rows", type=int, default=2000, help="of the model and to ask for")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--rate", type=float, default=50.0, help="calls a second, but for steps")
    parser.add_argument("--steps", default=",".join(map(str, STEPS)), help="calls a second")
    parser.add_argument("--lasting-seconds", type=float, default=300.0)
    parser.add_argument("--beside", default="", help="a revision, or a folder where it is built")
    parser.add_argument("--stock", type=int, default=2048, help="rows in stock")
    given = parser.parse_args()
    steps = tuple(int(step) for step in given.steps.split(","))
    options = Options(
        given.splits, given.seconds, given.rate, steps, given.lasting_seconds, given.beside
    )
    shape = Shape(
        given.trees, given.depth, rows=given.rows, splits=given.splits, stock_rows=given.stock
    )
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Companies.prepare(Path(folder), shape), options)
        runs = {
            "one": bench.run_one, "steps": bench.run_steps, "batches": bench.run_batches,
            "wan": bench.run_wan, "kill": bench.run_kill, "rolling": bench.run_rolling,
            "lasting": bench.run_lasting,
        }  # fmt: skip
        for what in given.only.split(","):
            for line in runs[what]():
                sys.stdout.write(loopback.stamped(line))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
