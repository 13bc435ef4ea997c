"""One party's process of ``breakdown.py``: ``party.py``, and where its processor time goes.

    python benchmarks/spent.py FOLDER ROLE LABEL_PORT CONNECT_PORT DEALER_PORT

Protocols run on one thread and name the step that they are in, see ``Party.step``; steps that run
together take turns on it. So at every change of step, and where a step goes on after a message, the
thread's processor time since the last change is put down to the step that it was spent in. Other
threads are told apart by name.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from time import thread_time
from typing import Any

import loopback
import party as benched

from securexgb import _kernels
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.mpc import party as mpc
from securexgb.mpc.shared import Words

MESSAGES = "messages"
"""The place of what a round itself takes on the thread of the protocols."""
_TRANSFERS_A_TREE = 256


class Spent:
    """Processor seconds, rounds and bytes by place, from the first tree on."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.rounds: defaultdict[str, float] = defaultdict(float)
        self.sent: defaultdict[str, int] = defaultdict(int)
        self.transfers = 0
        self.bytes_sent: Callable[[], int] = int
        self.last: dict[str, Any] = {}
        self._place, self._since = "", thread_time()

    def goes_on(self, place: str) -> None:
        """From now on in this place."""
        now = thread_time()
        self.seconds[self._place] += now - self._since
        self._place, self._since = place, now

    def round(self, places: Sequence[str]) -> None:
        """One that several steps share counts for each in equal parts."""
        for place in places:
            self.rounds[place] += 1 / len(places)

    def send(self, messages: Sequence[mpc.Message]) -> None:
        """What each of them sends."""
        for message in messages:
            self.sent[message.place] += 0 if message.payload is None else message.payload.nbytes

    def begin(self) -> None:
        """Forget what was before the first tree."""
        for counts in (self.seconds, self.rounds, self.sent):
            counts.clear()
        self.transfers = 0
        self.threads_before, self.bytes_before = threads(), self.bytes_sent()

    def told(self, trees: int) -> dict[str, Any]:
        """A tree's mean."""
        gone = {name: s - self.threads_before.get(name, 0.0) for name, s in threads().items()}
        places = {
            place: [of[place] / trees for of in (self.seconds, self.rounds, self.sent)]
            for place in {*self.seconds, *self.rounds}
        }
        return {
            "threads": {name: seconds / trees for name, seconds in gone.items()},
            "places": places,
            "transfers": self.transfers / trees,
            "megabytes": 1e-6 * (self.bytes_sent() - self.bytes_before) / trees,
        }


def threads() -> dict[str, float]:
    """Processor seconds so far, by the thread's name (Linux)."""
    named = {thread.native_id: thread.name for thread in threading.enumerate()}
    found: defaultdict[str, float] = defaultdict(float)
    for task in Path("/proc/self/task").iterdir():
        name = named.get(int(task.name)) or (task / "comm").read_text(encoding="ascii").strip()
        found[name] += loopback.cpu_seconds(f"self/task/{task.name}")
    return dict(found)


def watch(spent: Spent) -> None:
    """Have this process's protocols and transfers counted."""
    enter, leave = mpc._Step.__enter__, mpc._Step.__exit__
    in_round, branch, tag = mpc.Party.in_round, mpc.Party.branch, mpc.Party._tag

    def entered(step: mpc._Step) -> None:
        enter(step)
        spent.goes_on(step._party.place)

    def left(step: mpc._Step, *how: object) -> None:
        leave(step, *how)
        spent.goes_on(step._party.place)

    def exchanged(party: mpc.Party, messages: Sequence[mpc.Message]) -> list[Words]:
        if party._round is None:
            spent.send(messages)
            spent.goes_on(MESSAGES)
        words = in_round(party, messages)
        spent.goes_on(party.place)
        return words

    def branched(party: mpc.Party, in_round: mpc.Round) -> mpc.Party:
        spent.goes_on(party.place)
        return branch(party, in_round)

    def tagged(party: mpc.Party, place: str, *others: str) -> str:
        spent.round((place, *others))
        return tag(party, place, *others)

    made = _kernels.ot_silent_send

    def counted(rows: Words, *others: Any) -> Any:
        spent.transfers += _TRANSFERS_A_TREE * (others[4].shape[0])
        return made(rows, *others)

    for owner, name, own in (
        (mpc._Step, "__enter__", entered),
        (mpc._Step, "__exit__", left),
        (mpc.Party, "in_round", exchanged),
        (mpc.Party, "branch", branched),
        (mpc.Party, "_tag", tagged),
        (_kernels, "ot_silent_send", counted),
    ):
        setattr(owner, name, own)


class Watch(benched.Watch):
    """Counts from the first tree to the end of the last."""

    def before_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        if epoch == 0:
            SPENT.bytes_sent = lambda: self._party.channel.traffic.bytes_sent
            SPENT.begin()
        return super().before_iteration(model, epoch, evals_log)

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        if epoch + 1 == model.params.n_estimators:
            SPENT.last = SPENT.told(epoch + 1)
        return super().after_iteration(model, epoch, evals_log)


SPENT = Spent()


def main() -> None:
    folder, role, *numbers = sys.argv[1:]
    watch(SPENT)
    benched.Watch = Watch  # type: ignore[misc]
    ports = loopback.Ports(*map(int, numbers))
    run = benched.run(Path(folder), "label" if role == "label" else "feature", ports)
    found = SPENT.last | {"trees": run["trees"]}
    (Path(folder) / f"{role}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
