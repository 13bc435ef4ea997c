"""Two companies on this machine, each with a Dask cluster of its own that holds its rows.

    python examples/two_clusters.py [FOLDER] [--trees N] [--shards S]

The companies and their data are those of ``two_companies.py``. Here each has a cluster of S
workers, and the terms divide the rows into S shards: worker and worker of a number are linked,
behind the bank's one port, and each company's head adds up what its own workers answer. Between
real companies a cluster is of many machines, started by ``dask scheduler`` and ``dask worker``.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import LocalCluster
from two_companies import (
    SIDES,
    agree,
    align,
    both,
    edit,
    finish,
    free_port,
    print_training,
    run,
    set_up,
    start,
    write_data,
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("folder", type=Path, nargs="?")
    options.add_argument("--trees", type=int, default=5)
    options.add_argument("--rows", type=int, default=3000)
    options.add_argument("--shards", type=int, default=2)
    given = options.parse_args()
    root = (given.folder or Path(tempfile.mkdtemp(prefix="two-clusters-"))).absolute()
    print(f"working in {root}")
    write_data(root, given.rows)
    ports = {name: free_port() for name in ("bank", "dealer", "relay")}
    set_up(root, ports)
    agree(root, given.trees)
    divide(root, given.shards)
    convert(root)
    align(root)
    with cluster(given.shards) as bank, cluster(given.shards) as bureau:
        say_where(root, {"bank": bank, "bureau": bureau}, ports["relay"], given.shards)
        with relay(root):
            print("\n== train")
            print_training(both(root, "train"))


def divide(root: Path, shards: int) -> None:
    """The number of shards is a term, the same at both sides."""
    for name in SIDES:
        path = root / name / "job.toml"
        path.write_text(path.read_text() + f"\n[cluster]\nshards = {shards}\n")


def convert(root: Path) -> None:
    """Workers read their own rows, so files are Parquet, of which a part can be read."""
    for name in SIDES:
        for part in ("train", "test"):
            print(name, run(root / name, "convert", f"{part}.csv", f"{part}.parquet"))
        edit(
            root / name,
            train_data="train.parquet",
            eval_data={"test": "test.parquet"},
            predict_data="test.parquet",
        )


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """A company's own cluster while the block runs: its scheduler's address."""
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0"
    ) as local:
        yield local.scheduler_address


def say_where(root: Path, schedulers: dict[str, str], port: int, shards: int) -> None:
    """Each company's head is told its own scheduler, and the bank's where its shards listen; the
    bureau has one address of the bank's for all."""
    links = [f"127.0.0.1:{free_port()}" for _ in range(shards)]
    lines = {"bank": f'links = {links}\nrelay = "127.0.0.1:{port}"\n', "bureau": ""}
    for name, scheduler in schedulers.items():
        path = root / name / "party.toml"
        cluster = f'\n[cluster]\nengine = "dask"\nscheduler = "{scheduler}"\n{lines[name]}'
        path.write_text(path.read_text() + cluster)
    edit(root / "bureau", connect=f"127.0.0.1:{port}")


@contextmanager
def relay(root: Path) -> Iterator[None]:
    """The bank's one port while the block runs."""
    with start(root / "bank", "relay", "--format", "json") as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            passed = finish(root / "bank", process)["passed"]
    print("\nthrough the bank's one port:")
    for name, of in passed.items():
        print(f"  {name}: {of['bytes_in'] / 1e6:.1f} MB in, {of['bytes_out'] / 1e6:.1f} MB out")


if __name__ == "__main__":
    main()
