"""Progress of a training: at a terminal a bar, elsewhere a plain line a minute, both on stderr.

How long it will take is said from the beginning where there is an estimate (``jobs.estimating``):
what the estimate says of the trees to come, times by how much those that are there took longer.

While no message has come for some seconds, they say for whom and at which step of the program
this side waits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.text import Text

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.cli.output import note, shown
from securexgb.mpc.party import Party
from securexgb.report.aligned import duration, figure

SILENCE_SECONDS = 3.0
LINE_SECONDS = 60.0
"""Between two plain lines, where stderr is no terminal: a log grows by little."""


class _Waiting(ProgressColumn):
    """Once the peer has been silent: "waiting 12 s for bureau at tree 3/level 2/compare"."""

    max_refresh = 0.5

    def __init__(self, party: Party, peer: str) -> None:
        super().__init__()
        self._silence = _Silence(party, peer)

    def render(self, task: Task) -> Text:
        return Text("" if task.finished else self._silence.text(monotonic(), SILENCE_SECONDS))


class _Left(ProgressColumn):
    """How long it will still take: "12 min left"."""

    max_refresh = 0.5

    def __init__(self, of: TrainingProgress) -> None:
        self._of = of
        super().__init__()

    def render(self, task: Task) -> Text:
        left = None if task.finished else self._of.left()
        return Text("" if left is None else f"{duration(left)} left", style="progress.remaining")


class _Silence:
    """Since when no message has come; asked again and again."""

    def __init__(self, party: Party, peer: str) -> None:
        self._party = party
        self._peer = peer
        self._seen = -1
        self._since = monotonic()

    def text(self, now: float, least_seconds: float) -> str:
        """Whom this side waits for, and where; empty before ``least_seconds`` of silence."""
        seen = self._party.channel.traffic.messages_received
        if seen != self._seen:
            self._seen, self._since = seen, now
        silent = now - self._since
        if silent < least_seconds:
            return ""
        return shown(f"waiting {silent:.0f} s for {self._peer} at {self._party.place}")


class PlainLines:
    """What a log shows of a training: tree, metric, seconds a tree, and how long it will take.

    ``seconds_of(first, last)``: what these trees are expected to take, in any unit.
    """

    def __init__(self, trees: int, silence: Callable[[float], str], now: float) -> None:
        self._trees, self._silence = trees, silence
        self._began, self._first, self._done, self._metric = now, 0, 0, ""
        self._seconds_of: Callable[[int, int], float] = lambda first, last: last - first
        self._is_expected = False

    def expect(self, seconds_of: Callable[[int, int], float], first: int, now: float) -> None:
        """From now on trees are grown, after the ``first`` ones; ``seconds_of`` in seconds."""
        self._seconds_of, self._is_expected = seconds_of, True
        self._first = self._done = first
        self._began = now

    def left(self, now: float) -> float | None:
        """Seconds that are still to come, where anything is known of them."""
        taken, to_come = now - self._began, self._seconds_of(self._done, self._trees)
        grown = self._seconds_of(self._first, self._done)
        if grown > 0.0:
            return to_come * taken / grown
        return max(to_come - taken, 0.0) if self._is_expected else None

    def tree_done(self, trees: int, metric: str, now: float) -> None:
        """``trees`` are grown; the first ones may be of an earlier session."""
        if self._done == 0 and trees > 1:
            self._first, self._began = trees, now
        self._done, self._metric = trees, metric

    def line(self, now: float) -> str:
        """How far it is now."""
        facts = [f"tree {self._done} of {self._trees}", self._metric]
        fresh, left = self._done - self._first, self.left(now)
        if fresh > 0:
            facts.append(f"{figure((now - self._began) / fresh)} s a tree")
        if left is not None:
            facts.append(f"{duration(left)} left")
        return ", ".join(fact for fact in [*facts, self._silence(now)] if fact)


class TrainingProgress(Progress, TrainingCallback):
    """A context whose bar every tree moves; a terminal sees the bar, a log a line a minute."""

    def __init__(self, party: Party, peer: str, trees: int) -> None:
        self._party = party
        super().__init__(
            TextColumn("tree"),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[facts]}", markup=False),
            _Left(self),
            _Waiting(party, peer),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self.add_task("training", total=trees, facts="")
        self._began, self._done = monotonic(), 0
        silence = _Silence(party, peer)
        self._lines = PlainLines(
            trees, lambda now: silence.text(now, LINE_SECONDS / 2), self._began
        )
        self._ended = Event()

    def start(self) -> None:
        super().start()
        if self.disable:
            Thread(target=self._write_lines, daemon=True).start()

    def stop(self) -> None:
        self._ended.set()
        super().stop()

    def _write_lines(self) -> None:
        while not self._ended.wait(LINE_SECONDS):
            note(self._lines.line(monotonic()))

    def left(self) -> float | None:
        """See ``PlainLines.left``."""
        return self._lines.left(monotonic())

    def expect(self, seconds_of: Callable[[int, int], float], first: int) -> None:
        """See ``PlainLines.expect``."""
        self._began = monotonic()
        self._lines.expect(seconds_of, first, self._began)

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        self.tree_done(epoch + 1)
        return False

    def tree_done(self, trees: int, metric: str = "") -> None:
        """``trees`` are grown; ``metric``: the newest value to show, if one was opened."""
        fresh = max(trees - self._done, 1)
        seconds = (monotonic() - self._began) / fresh
        self._began, self._done = monotonic(), trees
        self._lines.tree_done(trees, metric, self._began)
        traffic = self._party.channel.traffic
        megabytes = (traffic.bytes_sent + traffic.bytes_received) / 1e6
        facts = (
            f"{metric}  {figure(seconds)} s a tree  {megabytes:.0f} MB  {self._party.rounds} rounds"
        )
        self.update(self._task, completed=trees, facts=shown(facts.strip()))
