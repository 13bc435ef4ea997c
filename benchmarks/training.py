"""What does a tree cost? Two OS processes and a dealer on loopback with TLS.

    python benchmarks/training.py --work W1
    python benchmarks/training.py --data credit_default.csv --label default.payment.next.month \
        --label-columns LIMIT_BAL,SEX,EDUCATION,MARRIAGE,AGE --depth 4 --bins 32 --trees 20

Prints one JSON line. Seconds are of the slower party and include everything from the first
message of the training to the finished model; offline seconds are those in which that party
produced correlations or waited for them. Megabytes are payload bytes that both parties and
the dealer sent.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import loopback
import numpy as np
import oracle
from numpy.typing import NDArray

from securexgb.boost.booster import SideData, TrainingJob, train
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import predict
from securexgb.report import metrics

Reals = NDArray[np.float64]
WORKS = {
    "W1": {"rows": 10_000, "columns": 10, "depth": 3, "bins": 16},
    "W2": {"rows": 50_000, "columns": 12, "depth": 5, "bins": 32},
    "W3": {"rows": 200_000, "columns": 10, "depth": 4, "bins": 32},
}


def synthetic(rows: int, columns: int, seed: int) -> tuple[Reals, Reals]:
    """Columns of both sides (label party's first) and labels that depend on both."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, 2 * columns))
    margin = table[:, 0] + table[:, columns] * table[:, 1] + 0.5 * table[:, -1]
    return table, (rng.random(rows) < 1 / (1 + np.exp(-margin))).astype(np.float64)


def read(path: Path, label: str, label_columns: list[str]) -> tuple[Reals, Reals, int]:
    """The file's columns, label party's first, its labels, and how many are the label party's."""
    with path.open(encoding="utf-8", newline="") as file:
        names, *lines = csv.reader(file)
    table = np.array(lines, dtype=np.float64)
    others = [name for name in names if name not in {label, "ID", *label_columns}]
    order = [names.index(name) for name in [*label_columns, *others]]
    return table[:, order], table[:, names.index(label)], len(label_columns)


def load(options: argparse.Namespace) -> tuple[Reals, Reals, int]:
    """The table, the labels, the number of the label party's columns."""
    if options.data:
        return read(options.data, options.label, options.label_columns.split(","))
    table, labels = synthetic(options.rows, options.columns, options.seed)
    return table, labels, options.columns


def params_of(options: argparse.Namespace) -> TrainingParams:
    return TrainingParams(
        n_estimators=options.trees,
        max_depth=options.depth,
        max_bin=options.bins,
        missing_values="refused",
        base_score=0.5,
    )


def split_rows(rows: int, test_fraction: float, seed: int) -> tuple[Any, Any]:
    """Positions of training and test rows."""
    order = np.random.default_rng(seed).permutation(rows)
    cut = round(rows * test_fraction)
    return np.sort(order[cut:]), np.sort(order[:cut])


def run_side(options: argparse.Namespace) -> dict[str, Any]:
    """One party's process."""
    table, labels, mine = load(options)
    fitted, held = split_rows(len(labels), options.test_fraction, options.seed)
    is_label = options.side == "label"
    own = table[:, :mine] if is_label else table[:, mine:]
    names = tuple(f"column {i}" for i in range(own.shape[1]))
    data = SideData(np.ascontiguousarray(own[fitted]), names, labels[fitted] if is_label else None)
    ports = (options.label_port, options.dealer_port)
    federation = loopback.federation(
        options.folder, options.side, ports, params_of(options), options.source
    )
    with federation.session("train") as party:
        party.exchange_bytes(b"both are here")
        started, cpu = perf_counter(), process_time()
        waited = party.source.offline_seconds
        half = train(party, TrainingJob(params_of(options), data))
        seconds, offline = perf_counter() - started, party.source.offline_seconds - waited
        result = {
            "seconds": seconds,
            "offline_seconds": offline,
            "cpu_seconds": process_time() - cpu,
            "online_bytes": party.channel.traffic.bytes_sent - party.source.offline_channel_bytes,
            "offline_bytes": party.source.offline_bytes + party.source.offline_channel_bytes,
            "rounds": party.rounds,
            "peak_rss_mb": loopback.own_peak_rss_mb(),
            "ledger": party.ledger.rows(),
        }
        if held.size:
            scores = predict(party, half, np.ascontiguousarray(own[held]), "label", 6)
            if scores is not None:
                result["auc"] = metrics.auc(labels[held], scores)
    return result


def oracle_auc(options: argparse.Namespace) -> float | None:
    """Plain xgboost on the same bins and rows."""
    table, labels, _ = load(options)
    fitted, held = split_rows(len(labels), options.test_fraction, options.seed)
    if not held.size:
        return None
    # A process of its own: xgboost is not loaded where memory is measured.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(
            oracle.auc,
            (table[fitted], labels[fitted]),
            (table[held], labels[held]),
            params_of(options),
        ).result()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All three processes; the JSON line."""
    table, labels, mine = load(options)
    held = split_rows(len(labels), options.test_fraction, options.seed)[1].size
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loopback.prepare(folder)
        with loopback.dealer(folder) as (port, process):
            forwarded = [*sys.argv[1:], "--folder", name, "--dealer-port", str(port)]
            forwarded += ["--label-port", str(loopback.free_port())]
            sides = loopback.run_sides(__file__, forwarded)
            dealer_rss, dealer_cpu = loopback.peak_rss_mb(process), loopback.cpu_seconds(process)
    slower = max(sides, key=lambda side: float(side["seconds"]))
    sent = sum(side["online_bytes"] for side in sides)
    dealt = sum(side["offline_bytes"] for side in sides)
    total = slower["seconds"]
    return {
        "work": options.work or str(options.data.name if options.data else "synthetic"),
        "algorithm": "ss" if options.source == "dealt" else "hybrid",
        "offline_source": "dealt" if options.source == "dealt" else f"two-party, {options.source}",
        "rows": len(labels) - held,
        "label_columns": mine,
        "feature_columns": table.shape[1] - mine,
        "trees": options.trees,
        "depth": options.depth,
        "bins": options.bins,
        "seconds": {
            "offline": slower["offline_seconds"],
            "online": total - slower["offline_seconds"],
            "total": total,
        },
        "seconds_per_tree": total / options.trees,
        "megabytes_per_tree": (sent + dealt) / 1e6 / options.trees,
        "megabytes": {"online": sent / 1e6, "offline": dealt / 1e6},
        "rounds": slower["rounds"],
        "rounds_per_tree": slower["rounds"] / options.trees,
        "cpu_seconds": {
            "label": sides[0]["cpu_seconds"],
            "feature": sides[1]["cpu_seconds"],
            "dealer": dealer_cpu,
        },
        "peak_rss_mb": {
            "label": sides[0]["peak_rss_mb"],
            "feature": sides[1]["peak_rss_mb"],
            "dealer": dealer_rss,
        },
        "auc": sides[0].get("auc"),
        "xgboost_auc": oracle_auc(options),
        "ledger": sides[0]["ledger"],
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", choices=sorted(WORKS), help="one of the standard works")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--columns", type=int, default=10, help="of each side")
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--bins", type=int, default=16)
    parser.add_argument("--trees", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test-fraction", type=float, default=0.0)
    parser.add_argument("--source", choices=("dealt", "bfv", "paillier"), default="dealt")
    parser.add_argument("--data", type=Path, help="a CSV file instead of synthetic rows")
    parser.add_argument("--label", help="the label's column")
    parser.add_argument("--label-columns", help="the label party's columns, comma-separated")
    for hidden in ("--side", "--folder", "--label-port", "--dealer-port"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        vars(options).update(WORKS[options.work])
    if options.side:
        options.folder = Path(options.folder)
        options.label_port, options.dealer_port = int(options.label_port), int(options.dealer_port)
    return options


def main() -> None:
    options = parse()
    result = run_side(options) if options.side else measure(options)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
