"""Is a training what its estimate says? Estimates beside runs of two processes.

    python benchmarks/estimates.py --work W1                        # all links
    python benchmarks/estimates.py --work W1 --times 5              # and how far five runs agree
    python benchmarks/estimates.py --work W1 --profile WAN --metrics auc --test-fraction 0.2
    python benchmarks/estimates.py --data credit_default.csv --label default.payment.next.month \
        --label-columns LIMIT_BAL,SEX,EDUCATION,MARRIAGE,AGE --depth 4 --bins 32

One JSON line a run: rounds, megabytes and seconds of the whole training, estimated before it with
what the link does to bare TCP (``shaper.check``) and a trial of this machine, half of whose cores
each party has; what came; and the ratio. ``cpu_seconds``: of the busier party's processor, which
other programs on the machine change far less than seconds. ``metrics``: the rows held out are
evaluated after each tree. ``trial``: how many times as long this machine takes as that of the
prices; ``trial_after`` says the same after the run, and ``prices`` has the processor seconds again,
estimated with the mean of both: what is left of a ratio is wrong in the prices, not the machine's
change of speed. Links take turns, and each run has a trial of its own. Where there are several
runs, the median of each ratio and its range are on stderr in the end.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from statistics import fmean, median
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
from securexgb.jobs.estimating.machine import ONE_CORE, Machine
from securexgb.jobs.estimating.trial import Trial

BUSY = Link(1e18, 0.0)
"""Nobody waits for it."""
RATIOS = ("rounds", "megabytes", "seconds", "cpu_seconds", "prices")


def tried() -> Machine:
    """This machine now, half of whose cores each party has; not the trial of another run."""
    found = Trial().speeds()
    return Machine(found.short, found.long, found.kernels, (os.cpu_count() or 1) / 2)


def between(first: Machine, second: Machine) -> Machine:
    """The mean of two trials."""
    means = (
        fmean(pair) for pair in zip(asdict(first).values(), asdict(second).values(), strict=True)
    )
    return Machine(*means)


def estimated(work: works.Work, link: Link, machine: Machine) -> tuple[Estimate, Estimate]:
    """Of both sides."""
    data = Data.of(work)
    columns = data.mine, data.table.shape[1] - data.mine
    layout = Layout.of(work.params, int(data.fitted.size), columns, False)
    sets = (MeasuredSet("held", int(data.held.size)),) if work.metrics else ()
    job = Job(work.params, layout, work.method, sets, by_command=False)
    label, feature = (estimate(job, rank, link, machine) for rank in (0, 1))
    return label, feature


def busy(work: works.Work, machine: Machine) -> float:
    """Processor seconds of the busier party, estimated."""
    alone = replace(machine, cores=1.0)
    return ONE_CORE * max(one.training().seconds for one in estimated(work, BUSY, alone))


def compared(work: works.Work, profile: shaper.Profile | None) -> dict[str, Any]:
    """One line."""
    line: dict[str, Any] = {"question": "estimates", "metrics": work.metrics}
    link, way = FAST, direct
    if profile is not None:
        line |= {"profile": profile._asdict(), "check": shaper.check(profile)}
        way = shaper.link(profile)
        check = line["check"]
        link = Link(1e6 * check["megabits_per_second"], 1e-3 * check["milliseconds_each_way"])
    before = tried()
    label, feature = estimated(work, link, before)
    line |= measured(work, way)
    after = tried()
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
        "cpu_seconds": busy(work, before),
        "prices": busy(work, between(before, after)),
    }
    came["prices"] = came["cpu_seconds"]
    for name, value in came.items():
        line[name] = {"estimated": said[name], "came": value, "ratio": value / said[name]}
    line |= {"trial": asdict(before), "trial_after": asdict(after)}
    line["phases"] = {name: asdict(phase) for name, phase in label.phases.items()}
    return line


def agreement(runs: Sequence[dict[str, Any]]) -> str:
    """A line for people: of each ratio the median and the range."""
    first = runs[0]
    link = first["profile"]["name"] if "profile" in first else "loopback"
    parts = []
    for name in RATIOS:
        found = [run[name]["ratio"] for run in runs]
        parts.append(f"{name} {median(found):.3f} ({min(found):.3f} to {max(found):.3f})")
    return f"{link}, metrics {first['metrics'] or 'none'}, {len(runs)} runs: {', '.join(parts)}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser)
    parser.add_argument("--profile", choices=["none", *shaper.PROFILES], help="only this link")
    parser.add_argument("--times", type=int, default=1, help="runs over each link, in turn")
    options = parser.parse_args()
    work = works.chosen(options)
    profiles = {"none": None} | shaper.PROFILES
    if options.profile:
        profiles = {options.profile: profiles[options.profile]}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in profiles}
    for _ in range(options.times):
        for name, profile in profiles.items():
            line = compared(work, profile)
            runs[name].append(line)
            sys.stdout.write(loopback.stamped(line))
            sys.stdout.flush()
    if options.times > 1:
        for found in runs.values():
            sys.stderr.write(f"{work.name}, {agreement(found)}")


if __name__ == "__main__":
    main()
