"""What does a tree cost over a slower link? Both parties' TLS goes through a shaped relay.

    python benchmarks/network.py          # W2: 1 Gbit/s and 0.5 ms, 100 Mbit/s and 20 ms
    python benchmarks/network.py --work W1 --profile WAN --offline dealt

One JSON line a profile: that of ``training.py``, with what the relay did to bare TCP just
before (``check``), the megabytes that passed it, and why it is no network namespace with netem.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from typing import Any

import loopback
import shaper
import works
from measure import measured


def netem() -> str:
    """What the kernel says to a delay of a network namespace: "available", or why not."""
    if shutil.which("unshare") is None or shutil.which("tc") is None:
        return "unshare or tc is not installed"
    command = "unshare --user --map-root-user --net tc qdisc add dev lo root netem delay 1ms"
    tried = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    return "available" if tried.returncode == 0 else tried.stderr.strip().split("\n")[0]


def over(work: works.Work, profile: shaper.Profile) -> dict[str, Any]:
    """One line; without a profile, of the loopback itself."""
    passed: list[dict[str, float]] = []
    line: dict[str, Any] = {"question": "network", "profile": profile._asdict(), "netem": netem()}
    line["check"] = shaper.check(profile)
    line |= measured(work, shaper.link(profile, passed))
    line["megabytes_on_the_links"] = [sum(one.values()) for one in passed]
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser, work="W2", trees=4)
    parser.add_argument("--profile", choices=list(shaper.PROFILES), help="only this one")
    options = parser.parse_args()
    for name, profile in shaper.PROFILES.items():
        if options.profile in (None, name):
            sys.stdout.write(loopback.stamped(over(works.chosen(options), profile)))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
