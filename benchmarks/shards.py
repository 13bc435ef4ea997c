"""What do shards save? Two companies of S shards each on one machine, one shard at a time.

    python benchmarks/shards.py                                   # 1,000,000 rows, 8 shards
    python benchmarks/shards.py --rows-list 100000,400000 --shards-list 1,2,4 --trees 4
    python benchmarks/shards.py --rows-list 5000000 --shards-list 5 --trees 1
    python benchmarks/shards.py --computed --rows-list 1000000,100000000 --shards-list 8,64

Rows of 10 + 10 columns in Parquet, trees of depth 4. Every shard is a process of ``securexgb
shard``, linked through ``securexgb relay``; both heads are processes, too. A machine with two cores
cannot run 16 of them at once as 16 machines would, so heads ask one pair of shards after the other,
and all others are stopped meanwhile (SIGSTOP), with whatever they would do ahead. ``emulated
seconds`` of a tree are the head's own, and of each question its slowest shard's.

One JSON line a point. Of heads: their processor seconds a tree, bytes to the other head and to and
from own shards, which should not grow with rows; of shards: processor seconds a tree and the peak
of memory.

``--computed`` runs nothing: it asks the cost model, as `securexgb estimate` does, for this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import inputs
import loopback
import pyarrow as pa
import pyarrow.parquet
import works
from works import Work

from securexgb.boost.layout import Layout
from securexgb.jobs.data.parquet import BATCH_ROWS
from securexgb.jobs.estimating.estimate import estimate
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.link import Link
from securexgb.jobs.estimating.machine import this_machine
from securexgb.terms.cluster import ClusterSettings
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.terms.toml import to_toml

_HERE = Path(__file__).resolve().parent
_WIDE = Link(1e15, 0.0)
_A_DAY = 86_400.0
"""Stopped processes are silent for long."""


def prepare(folder: Path, work: Work, shards: int) -> None:
    """Keys, data, settings and terms of both companies."""
    loopback.prepare(folder)
    data = inputs.Data.of(work)
    columns = {"label": data.table[:, : data.mine], "feature": data.table[:, data.mine :]}
    labels = {"label": {"label": data.labels}, "feature": {}}
    for role, own in columns.items():
        named = {f"column {n}": column for n, column in enumerate(own.T)} | labels[role]
        path = folder / f"{role}.parquet"
        pa.parquet.write_table(pa.table(named), path, row_group_size=BATCH_ROWS)
    terms = {
        "name": "benchmark",
        "label_party": "label-party",
        "feature_party": "feature-party",
        "training": work.params,
        "cluster": {"shards": shards},
    }
    text = JobTerms.from_mapping(terms, "the benchmark's terms").to_toml()
    relay, head = loopback.free_port(), loopback.free_port()
    for role in loopback.ROLES:
        (folder / role).mkdir()
        os.mkfifo(folder / f"{role}.pipe")
        (folder / role / "job.toml").write_text(text, encoding="utf-8")
        settings = _settings(folder, role, shards, relay, head)
        (folder / role / "party.toml").write_text(to_toml(settings), encoding="utf-8")


def _settings(folder: Path, role: loopback.Role, shards: int, relay: int, head: int) -> PartyConfig:
    is_label = role == "label"
    links = _addresses(shards) if is_label else None
    return PartyConfig(
        **loopback.identity(folder, role),
        listen=f"127.0.0.1:{head}" if is_label else None,
        connect=None if is_label else f"127.0.0.1:{relay}",
        label_column="label" if is_label else None,
        train_data=folder / f"{role}.parquet",
        run_directory=folder / role / "run",
        timeout_seconds=_A_DAY,
        cluster=ClusterSettings(
            shards=_addresses(shards),
            links=links,
            relay=f"127.0.0.1:{relay}" if is_label else None,
        ),
    )


def _addresses(count: int) -> tuple[str, ...]:
    return tuple(f"127.0.0.1:{loopback.free_port()}" for _ in range(count))


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process while the block runs; in the end it is told to stop."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=loopback.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def measured(work: Work, shards: int) -> dict[str, Any]:
    """The JSON line of a point."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        prepare(folder, work, shards)
        command = ("-m", "securexgb")
        relay = running.enter_context(started(folder / "label", *command, "relay"))
        own = {
            role: [
                running.enter_context(
                    started(folder / role, *command, "shard", "--number", str(number))
                )
                for number in range(shards)
            ]
            for role in loopback.ROLES
        }
        program = str(_HERE / "sharded_head.py")
        numbers = {role: [str(process.pid) for process in of] for role, of in own.items()}
        heads = {
            role: running.enter_context(started(folder / role, program, *numbers[role]))
            for role in loopback.ROLES
        }
        found: dict[str, Any] = {
            role: json.loads(_line(role, head)) for role, head in heads.items()
        }
        peaks: dict[str, list[float]] = {
            role: [loopback.peak_rss_mb(process) for process in processes]
            for role, processes in own.items()
        }
        passed = loopback.cpu_seconds(relay.pid)
    return _line_of(work, shards, found, peaks) | {"relay_cpu_seconds": passed}


def _line(role: str, head: subprocess.Popen[str]) -> str:
    assert head.stdout is not None
    line = head.stdout.readline()
    if not line:
        sys.exit(f"the head of the {role} party ended without a result")
    return line


def _line_of(
    work: Work, shards: int, found: Mapping[str, Any], peaks: Mapping[str, list[float]]
) -> dict[str, Any]:
    trees = {role: of["trees"][1:] or of["trees"] for role, of in found.items()}
    middle = {
        role: {key: median(tree[key] for tree in own) for key in own[0]}
        for role, own in trees.items()
    }
    slower = max(middle.values(), key=lambda side: side["emulated_seconds"])
    return {
        "question": "shards",
        "rows": work.rows,
        "shards": shards,
        "columns": work.columns,
        "depth": work.depth,
        "bins": work.bins,
        "splits": work.params.splits,
        "trees": work.trees,
        "load": round(os.getloadavg()[0], 2),
        "emulated_seconds": slower["emulated_seconds"],
        "of_it_head_seconds": slower["head_seconds"],
        "a_tree": middle,
        "head_peak_rss_mb": {role: of["peak_rss_mb"] for role, of in found.items()},
        "shard_peak_rss_mb": {role: max(of) for role, of in peaks.items()},
        "set_up_seconds": {role: of["set_up_seconds"] for role, of in found.items()},
    }


def computed(work: Work, shards: int, cores: float) -> dict[str, Any]:
    """The line of a point that is not run, on machines as fast as this one.

    It is what `estimate` says, on a line so wide that it takes no time."""
    layout = Layout.of(work.params, work.rows, (work.columns, work.columns), False)
    job = Job(work.params, layout, work.method, shards=shards)
    found = estimate(job, 0, _WIDE, replace(this_machine(), cores=cores))
    assert found.shards is not None
    head, shard = found.shards.head, found.shards.shard
    return {
        "question": "shards, computed",
        "rows": work.rows,
        "shards": shards,
        "splits": work.params.splits,
        "cores": cores,
        "first_tree_seconds": found.first_tree.seconds,
        "tree_seconds": found.tree.seconds,
        "of_it_head_seconds": head.tree.seconds,
        "rounds": found.tree.rounds,
        "shard_memory_gb": shard.memory.total / 1e9,
        "head_memory_gb": head.memory.total / 1e9,
        "megabytes_a_tree_a_shard": shard.tree.bytes / 1e6,
        "megabytes_a_tree_heads": head.tree.bytes / 1e6,
        "megabytes_a_tree_head_and_shards": found.shards.own_bytes / 1e6,
        "gigabytes_a_tree_between_companies": found.tree.bytes / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows-list", default="1000000", help="comma-separated")
    parser.add_argument("--shards-list", default="8", help="comma-separated")
    parser.add_argument("--trees", type=int, default=3, help="the first is not counted")
    parser.add_argument("--splits", choices=("owner", "hidden"), default="owner")
    parser.add_argument("--computed", action="store_true", help="by the cost model; runs nothing")
    parser.add_argument("--cores", type=float, default=2.0, help="of a process, where computed")
    options = parser.parse_args()
    for rows in map(int, options.rows_list.split(",")):
        for shards in map(int, options.shards_list.split(",")):
            work = works.Work(
                rows=rows, columns=10, depth=4, bins=16, trees=options.trees, splits=options.splits
            )
            if options.computed:
                line = computed(work, shards, options.cores)
            else:
                line = measured(work, shards)
            sys.stdout.write(loopback.stamped(line))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
