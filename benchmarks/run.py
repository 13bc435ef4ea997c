"""Measures everything, one thing after the other, then writes docs/benchmarks.md and accuracy.md.

    python benchmarks/run.py                    # over an hour on two cores that do nothing else
    python benchmarks/run.py training network   # these questions only, the others as they are
    python benchmarks/run.py --tiny --results FOLDER     # does it run? The page goes there too

Each question's JSON lines replace results/QUESTION.jsonl when all of its runs have ended well;
where one fails, the old lines stay and the others go on.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import loopback
import report

How: TypeAlias = Callable[[Path, list[str]], tuple[int, str]]
HERE = Path(__file__).resolve().parent
CREDIT = "--label default.payment.next.month --label-columns LIMIT_BAL,SEX,EDUCATION,MARRIAGE,AGE"
DEALT = "--offline dealt"
_TRAINING = (
    "training.py --work W1 --repeat 3",
    "training.py --work W2",
    "training.py --work W3",
    "training.py --work 1M",
    f"training.py --work W1 {DEALT} --repeat 3",
    f"training.py --work W2 {DEALT}",
    f"training.py --work W3 {DEALT}",
    f"training.py --work 1M {DEALT}",
    f"training.py --work W1 {DEALT} --algorithm ss",
    "training.py --work W1 --he paillier --trees 4",
)
SPLITS = (("W1", 3), ("W2", 3), ("W3", 3), ("1M", 2))
"""How often each work is trained with either kind of splits, one after the other."""
ACCURACY = "training.py --data breast-cancer --depth 4 --bins 32 --trees 50 --test-fraction 0.25"
PLAN: dict[str, tuple[str, ...]] = {
    "machine": ("machine.py",),
    "training": _TRAINING,
    "accuracy": (
        f"{ACCURACY} {DEALT}",
        *(f"training.py --work W1 {DEALT} --seed {s} --test-fraction 0.25" for s in range(3)),
    ),
    "splits": tuple(
        f"training.py --work {work} --splits {kind}"
        for work, pairs in SPLITS
        for kind in pairs * ("owner", "hidden")
    ),
    "versus": ("versus.py 348e649", "versus.py 348e649 --work W1 W2 --profile WAN --pairs 1"),
    "breakdown": ("breakdown.py",),
    "rivals": ("rivals.py",),
    "estimates": (
        *(
            f"estimates.py --work {work} --trees 6{more}"
            for work in ("W1", "W2", "W3")
            for more in ("", " --test-fraction 0.2 --metrics logloss")
        ),
        f"estimates.py --work W1 --trees 6 {DEALT}",
        "estimates.py --work W1 --trees 6 --test-fraction 0.2 --metrics auc",
    ),
    "binning": ("binning.py",),
    "objectives": ("objectives.py",),
    "monotone": ("monotone.py",),
    "exports": ("exports.py",),
    "network": (
        "network.py",
        "network.py --work W1 --trees 8",
        "network.py --work W3 --trees 3",
    ),
    "memory": ("memory.py",),
    "growth": ("growth.py",),
    "complexity": ("complexity.py",),
    "published": ("published.py",),
    "operations": ("operations.py",),
    "channel": ("channel.py",),
    "alignment": ("alignment.py", "alignment.py --rows 50 --other 100000"),
    "dealer": ("dealer.py",),
    "confinement": (
        "dealer.py --tree --work W1 --repeat 6",
        "dealer.py --tree --work W1 --repeat 6 --trees 8 --algorithm ss",
    ),
    "homomorphic": ("homomorphic.py W1 W2 W3 1M", "row_bits.py"),
    "leaks": ("leaks.py",),
    "security": ("security.py",),
    "numbers": ("accuracy.py", "accuracy.py --shares", "accuracy.py --itself"),
    "serving": (
        "serving.py",
        "serving.py --only one,batches,wan --splits hidden",
        "serving.py --only one,batches --beside 348e649",
    ),
    "scores": ("row_scores.py",),
    "shards": ("shards.py", "shards.py --splits hidden"),
    "extraction": ("extraction.py",),
}
_SMALL = "--rows 300 --columns 2 --depth 2 --bins 4 --trees 2"
TINY: dict[str, tuple[str, ...]] = {
    "machine": ("machine.py",),
    "training": (f"training.py {_SMALL}",),
    "accuracy": (f"training.py {_SMALL} {DEALT} --test-fraction 0.3",),
    "splits": tuple(f"training.py {_SMALL} --splits {kind}" for kind in ("owner", "hidden")),
    "versus": (
        f"versus.py {shlex.quote(str(HERE.parent))} --work W1 --rows 300 --trees 2 --pairs 1",
    ),
    "breakdown": (f"breakdown.py --work W1 {_SMALL}",),
    "rivals": ("rivals.py --work W1 --trees 1 --pairs 1",),
    "estimates": (f"estimates.py {_SMALL} --profile none",),
    "binning": ("binning.py --rows 300 --splits 1 --weighted-sets 2 --trees 2",),
    "objectives": ("objectives.py --only diabetes --draws 2 --trees 1",),
    "monotone": ("monotone.py --share 0.01 --draws 1 --trees 1 --depth 2 --moves 100",),
    "exports": ("exports.py --here --trees 1",),
    "network": (f"network.py {_SMALL} --profile LAN",),
    "memory": ("memory.py --rows-list 200 --columns 2 --depth 2 --bins 4",),
    "growth": (f"growth.py {_SMALL} --vary depth --values 2",),
    "complexity": (f'complexity.py {_SMALL} --method "ss, o" --doubled depth',),
    "published": ("published.py --rows 300 --trees 2 --vary depth --values 3",),
    "operations": (
        "operations.py --count 64 --source insecure-local",
        "operations.py --count 64 --source two-party --only mpc.multiply",
    ),
    "channel": ("channel.py --scale 0.01",),
    "alignment": ("alignment.py --rows 300",),
    "dealer": ("dealer.py --scale 0.01",),
    "confinement": (f"dealer.py --tree --repeat 1 {_SMALL}",),
    "homomorphic": ("homomorphic.py W1", "row_bits.py W1"),
    "leaks": (
        "leaks.py --rows 60 --columns 2 --trees 2 --depth 2 --repeat 1 --sweeps 1 --splits hidden",
    ),
    "security": ("security.py --share 0.01",),
    "numbers": ("accuracy.py --quick",),
    "serving": (
        "serving.py --only one --trees 2 --depth 2 --rows 60 --seconds 0.5 --rate 20 --stock 8",
    ),
    "scores": ("row_scores.py --trees 2 --depth 2 --batches 1 --stock 8 --turns 1 --each 1",),
    "shards": ("shards.py --rows-list 1000 --shards-list 1 --trees 2",),
    "extraction": ("extraction.py --rows 300 --trees 2 --queries 30",),
}


def started(script: Path, arguments: list[str]) -> tuple[int, str]:
    """A script as a process of its own, as its figures ask for: its exit code and output."""
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env=loopback.environment(),
    )
    return done.returncode, done.stdout


def forked(script: Path, arguments: list[str]) -> tuple[int, str]:
    """The same where nobody looks at figures: it need not import again what is imported here."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.environ |= loopback.environment()
            sys.argv = [str(script), *arguments]
            runpy.run_path(str(script), run_name="__main__")
            sys.exit()
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read()


def measured(question: str, commands: tuple[str, ...], results: Path, how: How = started) -> bool:
    """Run a question's commands; whether all ended well."""
    lines = []
    for command in commands:
        began = time.monotonic()
        script, *arguments = shlex.split(command)
        code, output = how(HERE / script, arguments)
        verdict = f"failed with {code}" if code else "done"
        took = time.monotonic() - began
        sys.stderr.write(f"{command}: {verdict} after {took:.0f} s\n")
        if code:
            return False
        lines.append(output)
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{question}.jsonl").write_text("".join(lines), encoding="utf-8")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("questions", nargs="*", metavar="question", help=", ".join(PLAN))
    parser.add_argument("--tiny", action="store_true", help="seconds, not for figures")
    parser.add_argument(
        "--peer", metavar="PYTHON", help="alignment: an interpreter with openmined-psi"
    )
    parser.add_argument(
        "--credit",
        help="credit_default.csv: measured too (accuracy, leaks, binning, monotone, exports)",
    )
    parser.add_argument("--results", type=Path, default=report.RESULTS, help="folder of the lines")
    options = parser.parse_args()
    plan = dict(TINY if options.tiny else PLAN)
    if options.credit:
        more = f"--data {options.credit} {CREDIT} --depth 4 --bins 32 --trees 20"
        plan["accuracy"] += (f"training.py {more} --test-fraction 0.25",)
        plan["leaks"] = (f"leaks.py --credit {options.credit}",)
        plan["estimates"] += (
            f"estimates.py {more} --trees 6",
            f"estimates.py {more} --trees 6 --test-fraction 0.25 --metrics auc",
        )
        plan["binning"] = (f"binning.py --credit {options.credit}",)
        plan["monotone"] = (f"monotone.py --data {options.credit}",)
        plan["exports"] = (f"exports.py --credit {options.credit}",)
        plan["extraction"] = (f"extraction.py --credit {options.credit}",)
    if options.peer:
        plan["alignment"] = tuple(f"{one} --peer {options.peer}" for one in plan["alignment"])
    chosen = options.questions or list(plan)
    if options.tiny:
        for name in ("sklearn.ensemble", "xgboost", "works", "securexgb.jobs.simulation"):
            import_module(name)
    how = forked if options.tiny else started
    well = [measured(question, plan[question], options.results, how) for question in chosen]
    is_ours = options.results == report.RESULTS
    report.write(options.results, report.DOCS if is_ours else options.results)
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
