"""Is a training what its estimate says? Estimates beside runs of two processes.

    python benchmarks/estimates.py                                  # W1 to W3, all links
    python benchmarks/estimates.py --work W1 --profile WAN --metrics auc --test-fraction 0.2
    python benchmarks/estimates.py --data credit_default.csv --label default.payment.next.month \
        --label-columns LIMIT_BAL,SEX,EDUCATION,MARRIAGE,AGE --depth 4 --bins 32

One JSON line a run: rounds, megabytes and seconds of the whole training, estimated before it with
what the link does to bare TCP (``shaper.check``) and a trial of this machine, half of whose cores
each party has; what came; and the ratio. ``cpu_seconds``: of the busier party's processor, which
other programs on the machine change far less than seconds. ``metrics``: the rows held out are
evaluated after each tree. ``trial``: how many times as long this machine takes as that of the
prices.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict, replace
from typing import Any

import loopback
import shaper
import works
from inputs import Data
from measure import direct, measured

from securexgb.boost.costs.metrics import MeasuredSet
from securexgb.boost.layout import Layout
from securexgb.jobs.estimating.estimate import Estimate, estimate
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.link import FAST, Link
from securexgb.jobs.estimating.machine import ONE_CORE, this_machine

BUSY = Link(1e18, 0.0)
"""Nobody waits for it."""


def estimated(work: works.Work, link: Link, cores: float) -> tuple[Estimate, Estimate]:
    """Of both sides, each with so many cores."""
    data = Data.of(work)
    columns = data.mine, data.table.shape[1] - data.mine
    layout = Layout.of(work.params, int(data.fitted.size), columns, False)
    sets = (MeasuredSet("held", int(data.held.size)),) if work.metrics else ()
    job = Job(work.params, layout, work.method, sets, by_command=False)
    machine = replace(this_machine(), cores=cores)
    label, feature = (estimate(job, rank, link, machine) for rank in (0, 1))
    return label, feature


def compared(work: works.Work, profile: shaper.Profile | None) -> dict[str, Any]:
    """One line."""
    line: dict[str, Any] = {"question": "estimates", "metrics": work.metrics}
    link, between = FAST, direct
    if profile is not None:
        line |= {"profile": profile._asdict(), "check": shaper.check(profile)}
        between = shaper.link(profile)
        check = line["check"]
        link = Link(1e6 * check["megabits_per_second"], 1e-3 * check["milliseconds_each_way"])
    label, feature = estimated(work, link, (os.cpu_count() or 1) / 2)
    busy = max(one.training().seconds for one in estimated(work, BUSY, 1.0))
    line |= measured(work, between)
    phases = [line["before_first_tree"], *([line["mean"]] * work.trees)]
    came = {
        name: sum(phase[key] for phase in phases)
        for name, key in (
            ("rounds", "rounds"), ("megabytes", "megabytes"), ("seconds", "total_seconds"),
        )
    }  # fmt: skip
    came["cpu_seconds"] = max(
        sum(phase[f"{role}_cpu_seconds"] for phase in phases) for role in loopback.ROLES
    )
    whole, theirs = label.training(), feature.training()
    # What a dealer sends reaches the feature party alone.
    said = {
        "rounds": whole.rounds,
        "megabytes": max(whole.bytes, theirs.bytes) / 1e6,
        "seconds": max(whole.seconds, theirs.seconds),
        "cpu_seconds": busy * ONE_CORE,
    }
    for name, value in came.items():
        line[name] = {"estimated": said[name], "came": value, "ratio": value / said[name]}
    line["trial"] = asdict(this_machine())
    line["phases"] = {name: asdict(phase) for name, phase in label.phases.items()}
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser)
    parser.add_argument("--profile", choices=["none", *shaper.PROFILES], help="only this link")
    options = parser.parse_args()
    for name in (None, *shaper.PROFILES):
        if options.profile in (None, name or "none"):
            profile = None if name is None else shaper.PROFILES[name]
            sys.stdout.write(loopback.stamped(compared(works.chosen(options), profile)))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
