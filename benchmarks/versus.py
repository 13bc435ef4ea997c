"""What has a tree come to cost since an older revision? Both run in turn, in the same hour.

    python benchmarks/versus.py 348e649                      # W1, W2 and 1M, three pairs each
    python benchmarks/versus.py 348e649 --work W1 --splits hidden
    python benchmarks/versus.py 348e649 --work W2 --profile WAN --pairs 1

The revision is checked out and built under target/versus, once; or it is a folder that holds a
checkout with its kernels built. Each of them runs its own benchmarks, the older one first in every
second pair. One JSON line a work: ratios are medians over the pairs, ``old`` and ``new`` medians
over their runs. A revision whose benchmarks know no ``--splits`` runs as it is, with owned splits.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import loopback
import machine
import shaper
from lines import at
from works import WORKS

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "target" / "versus"
FIGURES = {
    "seconds": "mean.total_seconds",
    "first_tree_seconds": "first_tree.total_seconds",
    "median_tree_seconds": "median.total_seconds",
    "label_cpu_seconds": "mean.label_cpu_seconds",
    "feature_cpu_seconds": "mean.feature_cpu_seconds",
    "megabytes": "mean.megabytes",
    "online_megabytes": "mean.online_megabytes",
    "rounds": "mean.rounds",
    "label_peak_rss_mb": "peak_rss_mb.label",
    "feature_peak_rss_mb": "peak_rss_mb.feature",
}
"""Of a run, by the path in the line that it prints; all but the first trees' and peaks a tree."""
RATIOS = ("seconds", "cpu", "megabytes", "online_megabytes")


def checkout(revision: str) -> Path:
    """A folder with the revision and its kernels, made where there is none yet."""
    if Path(revision).is_dir():
        return Path(revision).resolve()
    asked = ("git", "-C", str(ROOT), "rev-parse", "--verify", f"{revision}^{{commit}}")
    commit = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    folder = BUILT / commit[:12]
    if not (folder / "securexgb" / "_kernels.abi3.so").exists():
        sys.stderr.write(f"building {commit[:12]}\n")
        folder.mkdir(parents=True, exist_ok=True)
        archive = ("git", "-C", str(ROOT), "archive", commit)
        files = subprocess.run(archive, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(("tar", "-x", "-C", str(folder)), input=files, check=True)
        build(folder)
    return folder


def build(folder: Path) -> None:
    """Compile the kernels as a wheel does, and put them beside the package."""
    command = ("cargo", "build", "--quiet", "--release", "--locked", "--features", "python")
    places = {"PYO3_PYTHON": sys.executable, "CARGO_TARGET_DIR": str(folder / "target")}
    subprocess.run(command, cwd=folder, env=os.environ | places, check=True)
    made = folder / "target" / "release" / "lib_kernels.so"
    made.rename(folder / "securexgb" / "_kernels.abi3.so")


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    """The line that a benchmark of this checkout prints."""
    script, *flags = arguments
    command = (sys.executable, str(folder / "benchmarks" / script), *flags)
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return line


def knows_splits(folder: Path) -> bool:
    return '"splits"' in (folder / "benchmarks" / "works.py").read_text(encoding="utf-8")


def figures(line: dict[str, Any]) -> dict[str, float]:
    """What is compared, of one run; processor seconds are the mean of both parties'."""
    found = {name: float(at(line, path)) for name, path in FIGURES.items()}
    parties = found.pop("label_cpu_seconds"), found.pop("feature_cpu_seconds")
    return found | {"cpu": sum(parties) / 2}


def compared(old: Path, new: Path, options: argparse.Namespace, work: list[str]) -> dict[str, Any]:
    """The line of a work, ``work`` its flags."""
    script = ["training.py"]
    if options.profile:
        script = ["network.py", "--profile", options.profile]
    sides: tuple[list[dict[str, float]], ...] = ([], [])
    for number in range(options.pairs):
        for side in (0, 1) if number % 2 else (1, 0):
            folder = (old, new)[side]
            splits = ["--splits", options.splits] if knows_splits(folder) else []
            sides[side].append(figures(run(folder, *script, *work, *splits)))
    before, after = (
        {name: median(one[name] for one in side) for name in side[0]} for side in sides
    )
    pairs = list(zip(*sides, strict=True))
    ratios = {f"{name}_ratio": median(b[name] / a[name] for a, b in pairs) for name in RATIOS}
    rounds = {"rounds_old": before["rounds"], "rounds_new": after["rounds"]}
    return ratios | rounds | {"old": before, "new": after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("revision", help="a commit, or a folder with a checkout that is built")
    parser.add_argument("--work", nargs="+", choices=list(WORKS), default=["W1", "W2", "1M"])
    parser.add_argument("--trees", help="in place of the work's own")
    parser.add_argument("--rows", help="in place of the work's own")
    parser.add_argument("--splits", choices=("owner", "hidden"), default="owner")
    parser.add_argument("--profile", choices=list(shaper.PROFILES), help="over a shaped link")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each")
    options = parser.parse_args()
    old = checkout(options.revision)
    for work in options.work:
        flags = ["--work", work]
        for name in ("trees", "rows"):
            if getattr(options, name):
                flags += [f"--{name}", getattr(options, name)]
        line = {"question": "versus", "work": work, "splits": options.splits}
        line |= {"profile": options.profile, "pairs": options.pairs, "revision": options.revision}
        line |= compared(old, ROOT, options, flags)
        described = machine.described()
        line["machine"] = {key: described[key] for key in ("processor", "cores", "memory_gb")}
        sys.stdout.write(loopback.stamped(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
