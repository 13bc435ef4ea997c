"""What does a tree cost? Two processes, and a dealer where there is one, on loopback with TLS.

    python benchmarks/training.py --work W1
    python benchmarks/training.py --work W1 --offline dealt --repeat 3
    python benchmarks/training.py --work W1 --he paillier --paillier-bits 2048 --trees 3
    python benchmarks/training.py --data credit_default.csv --label default.payment.next.month \
        --label-columns LIMIT_BAL,SEX,EDUCATION,MARRIAGE,AGE --depth 4 --bins 32 --trees 20 \
        --test-fraction 0.25

One JSON line a run, see ``measure.measured``: seconds (offline, online, total), payload
megabytes, rounds and processor seconds a tree as mean and median over trees; what is paid once
a job; peak memory; AUC beside plain xgboost's where rows are held out.
"""

from __future__ import annotations

import argparse
import sys

import loopback
import works
from measure import measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser)
    parser.add_argument("--repeat", type=int, default=1, help="runs, one line each")
    options = parser.parse_args()
    for _ in range(options.repeat):
        line = {"question": "training"} | measured(works.chosen(options))
        sys.stdout.write(loopback.stamped(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
