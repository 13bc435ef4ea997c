"""How fast this machine is just now, by a trial of some hundredths of a second of its processor.

Three things are tried: steps on few words (an interpreter's work), on many (memory and arithmetic),
and kernels that correlations are made by. Each is compared with what it takes on the machine of the
prices.

A virtual machine may have two speeds and change between them every few seconds, as neighbours on
the same cores come and go. A job takes the mean of them, so the trial does: bursts of some
milliseconds, spread over most of a second, on a thread of their own beside what a command does
before it needs them. Seconds are the thread's own of the processor, so other programs count only as
far as they slow it down.
"""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from threading import Event, Thread
from time import thread_time

import numpy as np

from securexgb import _kernels
from securexgb.mpc.shared import Shared

SHORT_SECONDS, LONG_SECONDS, KERNEL_SECONDS = 11e-6, 18.5e-6, 110e-6
"""What the three took on the machine of the prices."""
BURSTS, APART_SECONDS = 24, 0.03
_SHORT, _LONG = 64, 1 << 12
_MESSAGES = 8


@dataclass(frozen=True)
class Speeds:
    """How many times as long as on the machine of the prices each of the three takes."""

    short: float
    long: float
    kernels: float


class Trial(Thread):
    """Runs from its making on; ``speeds`` waits for its end."""

    def __init__(self) -> None:
        super().__init__(name="trial of the machine", daemon=True)
        self._seen, self._ended = list[Speeds](), Event()
        # A thread that is in a kernel while the interpreter goes would end the process.
        atexit.register(self.end)
        self.start()

    def run(self) -> None:
        for _ in range(BURSTS):
            self._seen.append(burst())
            if self._ended.wait(APART_SECONDS):
                return

    def end(self) -> None:
        """At once, with the bursts that were."""
        self._ended.set()
        self.join()

    def speeds(self) -> Speeds:
        """The mean of its bursts."""
        self.join()
        return mean(self._seen)


@cache
def begun() -> Trial:
    """This process's one, begun when this is called first."""
    return Trial()


def mean(seen: list[Speeds]) -> Speeds:
    """Of some bursts."""
    short, long, kernels = (
        fmean(values)
        for values in zip(*((one.short, one.long, one.kernels) for one in seen), strict=True)
    )
    return Speeds(short, long, kernels)


def burst() -> Speeds:
    """One look; each of the three once before it counts, which brings into the caches what the
    thread's sleep has driven out."""
    _steps(_SHORT, 16)
    short = _steps(_SHORT, 64)
    _steps(_LONG, 4)
    long = _steps(_LONG, 12)
    _made()
    return Speeds(short / SHORT_SECONDS, long / LONG_SECONDS, _made() / KERNEL_SECONDS)


def _steps(count: int, times: int) -> float:
    """Processor seconds of a local step on shares of so many numbers."""
    numbers, bits = Shared(np.arange(count, dtype=np.uint64)), np.uint64(7)
    began = thread_time()
    for _ in range(times):
        more = numbers + numbers.scale(3)
        parts = Shared.stack([more, more - numbers]).reshape(-1)
        np.right_shift(parts.words, bits, out=parts.words)
    return (thread_time() - began) / times


def _made() -> float:
    """Processor seconds of messages of triples; like all of these so small that the system is not
    asked for memory, which takes more or less by what the process did before."""
    count, bits = 1 << 7, 64
    zero = np.arange(count * bits, dtype=np.uint64)
    keys, other = zero[:count], zero[::-1].copy()
    began = thread_time()
    for _ in range(_MESSAGES):
        _kernels.ot_products_send(zero, other, keys, bits)
    return thread_time() - began
