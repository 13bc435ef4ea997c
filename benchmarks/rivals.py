"""How long does a tree take elsewhere? Ours and SecretFlow's SGB in turn, on the same machine.

    python benchmarks/rivals.py --peer /path/to/python --work W1 W2

``--peer``: an interpreter that has secretflow (or secretflow-lite). Without it, those on the path
are asked; where none has it the line says so. SGB opens to the label party what we never open,
see ``sgb_party.py``: it is a yardstick of speed alone. Ours is what ``training.py`` prints.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import loopback
import works
from inputs import Data
from measure import measured

CANDIDATES = ("python3.10", "python3.11", "python3")
_HERE = Path(__file__).resolve().parent
_LIMIT_SECONDS = 3600


def interpreter(named: str | None) -> str | None:
    """The first interpreter that imports secretflow."""
    for candidate in [named] if named else CANDIDATES:
        found = shutil.which(candidate)
        if found is not None:
            asked = [
                found,
                "-c",
                "import importlib.util as u, sys; sys.exit(not u.find_spec('spu'))",
            ]
            if subprocess.run(asked, check=False).returncode == 0:
                return found
    return None


def sgb_seconds(python: str, work: works.Work) -> float:
    """Of a tree of SGB: the slower party's."""
    with tempfile.TemporaryDirectory() as folder:
        data = Data.of(work)
        data.save(Path(folder))
        columns = {"fitted": work.columns, "labels": 1}
        asked = {"depth": work.depth, "bins": work.bins, "trees": work.trees, "columns": columns}
        ports = [str(loopback.free_port()) for _ in loopback.ROLES]
        command = [python, "-W", "ignore", str(_HERE / "sgb_party.py"), folder]
        started = [
            subprocess.Popen(
                [*command, role, *ports, json.dumps(asked)], stdout=subprocess.PIPE, text=True
            )
            for role in loopback.ROLES
        ]
        try:
            said = [process.communicate(timeout=_LIMIT_SECONDS)[0] for process in started]
        finally:
            for process in started:
                process.kill()
    return max(float(json.loads(text.splitlines()[-1])["a_tree"]) for text in said)


def seconds(work: works.Work) -> float:
    """Of all trees of ours, from the start of the first one on."""
    return work.trees * float(measured(work)["mean"]["total_seconds"])


def compared(python: str, work: works.Work, pairs: int) -> dict[str, Any]:
    """Ours and theirs, one after the other so many times.

    A tree of ours twice: the mean of all, with what the first one carries for all of them, and as
    SGB is timed: what a training of so many more takes beyond one of a single tree.
    """
    ours, later, theirs = [], [], []
    for _ in range(pairs):
        ours.append(seconds(work) / work.trees)
        theirs.append(sgb_seconds(python, work))
        more = seconds(replace(work, trees=1 + work.trees)) - seconds(replace(work, trees=1))
        later.append(more / work.trees)
    faster, faster_later = (
        median(b / a for a, b in zip(mine, theirs, strict=True)) for mine in (ours, later)
    )
    return {
        "ours_seconds": median(ours),
        "ours_later_seconds": median(later),
        "sgb_seconds": median(theirs),
        "times_faster": faster,
        "times_faster_later": faster_later,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter that has secretflow")
    parser.add_argument("--work", nargs="+", choices=list(works.WORKS), default=["W1", "W2"])
    parser.add_argument("--trees", type=int, help="in place of the work's own")
    parser.add_argument("--splits", choices=("owner", "hidden"), default="owner")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each")
    options = parser.parse_args()
    python = interpreter(options.peer)
    for name in options.work:
        work = replace(works.WORKS[name], splits=options.splits)
        work = replace(work, trees=options.trees or work.trees)
        line = {"question": "rivals", "work": name, "splits": options.splits}
        if python is None:
            line["skipped"] = "no interpreter here has secretflow: name one with --peer"
        else:
            line |= compared(python, work, options.pairs)
        sys.stdout.write(loopback.stamped(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
