"""Two companies on this machine, each with a Dask cluster of its own that holds its rows.

    python examples/two_clusters.py [FOLDER] [--trees N] [--rows N] [--shards S]

A bank has the labels and two columns of its customers, a bureau three columns of the same ones, in
Parquet. Each company has a cluster of S workers, and the terms divide the rows into S shards:
worker and worker of a number are linked, all of the bank's behind one port, and each company's
head adds up what its own workers answer. Between real companies each cluster is of many machines,
started by ``dask scheduler`` and ``dask worker``; everything else of such a job is as in
``two_companies.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from distributed import LocalCluster
from two_companies import (
    NO_FLOORS,
    SIDES,
    both,
    edit,
    finish,
    free_port,
    print_training,
    start,
)

from securexgb.cli.app import main as securexgb


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("folder", type=Path, nargs="?")
    options.add_argument("--trees", type=int, default=5)
    options.add_argument("--rows", type=int, default=10_000)
    options.add_argument("--shards", type=int, default=2)
    given = options.parse_args()
    root = (given.folder or Path(tempfile.mkdtemp(prefix="two-clusters-"))).absolute()
    print(f"working in {root}")
    write_data(root, given.rows)
    set_up(root)
    agree(root, given.trees, given.shards)
    with cluster(given.shards) as bank, cluster(given.shards) as bureau:
        say_where(root, {"bank": bank, "bureau": bureau}, given.shards)
        with relay(root):
            print_training(both(root, "train"))


def write_data(root: Path, rows: int) -> None:
    """The same customers at both, in the same order; the bank knows who defaulted.

    Workers read rows of their own, so row groups are small. ``securexgb convert`` makes such a file
    of CSV.
    """
    draws = np.random.default_rng(7)
    income, loan, arrears, cards, utilisation = draws.normal(size=(5, rows))
    risk = arrears * utilisation + loan - income + draws.normal(size=rows)
    customers = [f"c-{row:07}" for row in range(rows)]
    held = {
        "bank": {"income": income, "loan": loan, "default": (risk > 1.0).astype(int)},
        "bureau": {"arrears": arrears, "cards": cards, "utilisation": utilisation},
    }
    for name, columns in held.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        table = pa.table({"customer": customers, **columns})
        pa.parquet.write_table(table, root / name / "train.parquet", row_group_size=1 << 16)


def set_up(root: Path) -> None:
    """Settings, keys, pinned certificates: what operators do once."""
    for name, role in SIDES.items():
        command(root / name, "init", "--role", role, "--name", name)
        edit(root / name, train_data="train.parquet")
        command(root / name, "keys", "create")
    for name, other in (("bank", "bureau"), ("bureau", "bank")):
        command(root / name, "keys", "trust", str(root / other / "keys" / "own.pem"))


def command(folder: Path, *arguments: str) -> None:
    """A command of ``securexgb`` that needs nobody else, in this process."""
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        if code := securexgb(arguments):
            raise SystemExit(f"{folder.name} ended with exit code {code}")


def agree(root: Path, trees: int, shards: int) -> None:
    """The terms, the same at both sides; how many shards there are is one of them."""
    command(
        root / "bank", "job", "new", "--name", "defaults", "--label-party", "bank",
        "--feature-party", "bureau", "--param", f"n_estimators={trees}", "--param", "max_depth=3",
        "--param", "max_bin=16", *NO_FLOORS[:4],
    )  # fmt: skip
    terms = (root / "bank" / "job.toml").read_text()
    terms = terms.replace("# id_column =", 'id_column = "customer"')
    for name in SIDES:
        (root / name / "job.toml").write_text(f"{terms}\n[cluster]\nshards = {shards}\n")


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[str]:
    """A company's own cluster while the block runs: its scheduler's address."""
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0"
    ) as local:
        yield local.scheduler_address


def say_where(root: Path, schedulers: dict[str, str], shards: int) -> None:
    """Each company's head is told its own scheduler, and the bank's where its head and its shards
    listen. Of all that the bureau has one address."""
    relay = f"127.0.0.1:{free_port()}"
    links = [f"127.0.0.1:{free_port()}" for _ in range(shards)]
    more = {"bank": f'links = {json.dumps(links)}\nrelay = "{relay}"\n', "bureau": ""}
    for name, scheduler in schedulers.items():
        path = root / name / "party.toml"
        own = f'\n[cluster]\nengine = "dask"\nscheduler = "{scheduler}"\n{more[name]}'
        path.write_text(path.read_text() + own)
    edit(root / "bank", listen=f"127.0.0.1:{free_port()}", label_column="default")
    edit(root / "bureau", connect=relay)


@contextlib.contextmanager
def relay(root: Path) -> Iterator[None]:
    """The bank's one port while the block runs."""
    with start(root / "bank", "relay", "--format", "json") as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            passed = finish(root / "bank", process)["passed"]
    print("through the bank's one port:")
    for name, of in passed.items():
        print(f"  {name}: {of['bytes_in'] / 1e6:.1f} MB in, {of['bytes_out'] / 1e6:.1f} MB out")


if __name__ == "__main__":
    main()
