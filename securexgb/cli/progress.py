"""Progress of a training, for people at a terminal: a bar, and whom one waits for.

Nothing is drawn where stderr is not a terminal. While no message has come for some
seconds, the line says for whom and at which step of the program this side waits.
"""

from __future__ import annotations

import sys
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.mpc.party import Party

SILENCE_SECONDS = 3.0


class _Waiting(ProgressColumn):
    """Once the peer has been silent: "waiting 12 s for bureau at tree 3/level 2/compare"."""

    max_refresh = 0.5

    def __init__(self, party: Party, peer: str) -> None:
        super().__init__()
        self._party = party
        self._peer = peer
        self._seen = -1
        self._since = monotonic()

    def render(self, task: Task) -> Text:
        seen = self._party.channel.traffic.messages_received
        if seen != self._seen:
            self._seen, self._since = seen, monotonic()
        silent = monotonic() - self._since
        if task.finished or silent < SILENCE_SECONDS:
            return Text("")
        return Text(f"waiting {silent:.0f} s for {self._peer} at {self._party.place}")


class TrainingProgress(Progress, TrainingCallback):
    """A context whose bar every tree moves; draws on stderr, terminals only."""

    def __init__(self, party: Party, peer: str, trees: int) -> None:
        self._party = party
        super().__init__(
            TextColumn("tree"),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            _Waiting(party, peer),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._task = self.add_task("training", total=trees, facts="")
        self._began, self._done = monotonic(), 0

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        self.tree_done(epoch + 1)
        return False

    def tree_done(self, trees: int, metric: str = "") -> None:
        """``trees`` are grown; ``metric``: the newest value to show, if one was opened."""
        fresh = max(trees - self._done, 1)
        seconds = (monotonic() - self._began) / fresh
        self._began, self._done = monotonic(), trees
        traffic = self._party.channel.traffic
        megabytes = (traffic.bytes_sent + traffic.bytes_received) / 1e6
        facts = f"{metric}  {seconds:.2f} s a tree  {megabytes:.0f} MB  {self._party.rounds} rounds"
        self.update(self._task, completed=trees, facts=facts.strip())
