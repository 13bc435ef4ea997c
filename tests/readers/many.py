"""A million bad files and messages: ``python -m tests.readers.many``, a step of ``make thorough``.

Prints one JSON line: how many bytes were refused and how many read, by reader. Ends with exit code
1, the seed and the bytes where a reader raised anything but an error of ours; so does a reader
that takes more memory than ``MOST_BYTES``, or a minute. What slow readers do not come to within
their share of the time goes to the others.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType

from securexgb.errors import SecureXGBError
from tests.readers.mutations import Mutations
from tests.readers.table import GoesOn, rows

MOST_BYTES = 6 << 30
"""Of addresses, libraries included."""
MOST_SECONDS = 60


def bombard(name: str, seed: int, count: int, seconds: float) -> tuple[str, Counter[str], str]:
    """So many bad ones for one reader, within so many seconds; what was found, "" for nothing."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, _too_long)
    told = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        good, read = rows()[name].prepare(Path(folder))
        with suppress(GoesOn):
            read(good)
        bad, ends = Mutations(name, seed), time.monotonic() + seconds
        for number in range(count):
            if time.monotonic() > ends:
                break
            content = bad.of(good)
            signal.alarm(MOST_SECONDS)
            try:
                read(content)
                told["read"] += 1
            except SecureXGBError:
                told["refused"] += 1
            except BaseException as error:
                what = f"{type(error).__name__}: {error}"
                return name, told, f"mutation {number}: {what[:300]} of {content[:1000]!r}"
            finally:
                signal.alarm(0)
    return name, told, ""


def _too_long(_: int, __: FrameType | None) -> None:
    raise TimeoutError(f"a reader took {MOST_SECONDS} s")


def main() -> int:
    """All readers; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--total", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=40.0, help="of all readers together")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--only", action="append", help="these readers alone")
    options = parser.parse_args()
    names = quick = options.only or list(rows())
    workers = os.cpu_count() or 1
    seconds = 60 * options.minutes * workers / len(names)
    found: dict[str, Counter[str]] = {name: Counter() for name in names}
    wrong: dict[str, str] = {}
    sums, seed = Counter[str](), options.seed
    with ProcessPoolExecutor(workers) as pool:
        while quick and (left := options.total - sums.total()) > 0:
            count = -(-left // len(quick))
            tasks = [pool.submit(bombard, name, seed, count, seconds) for name in quick]
            quick, seed = [], seed + 1
            for task in tasks:
                name, told, error = task.result()
                found[name] += told
                if error:
                    wrong[name] = f"seed {seed - 1}: {error}"
                elif told.total() == count:
                    quick.append(name)
            sums = sum(found.values(), Counter[str]())
    line = {"seed": options.seed, "readers": len(names), "inputs": sums.total(), **sums}
    print(json.dumps(line | {"wrong": wrong, "by_reader": {n: dict(c) for n, c in found.items()}}))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
