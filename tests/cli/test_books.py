"""The ledger of a side that dies at any moment never says too little, and both sides' agree again.

A side that dies writes nothing more, as with SIGKILL: here it is stopped at any of its messages, by
an exception that it cannot answer.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import suppress

import pytest

from securexgb.cli.evaluate import evaluate
from securexgb.cli.predict import predict
from securexgb.cli.train import train
from securexgb.errors import MalformedFrame, SecureXGBError
from securexgb.jobs.ledgers import Books, agreed
from securexgb.jobs.runs import RunDirectory
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Ledger, Reveal
from securexgb.storage import whole
from tests.processes.companies import SIDES
from tests.profiles import moments

TREES, DEPTH, ROWS = 2, 2, 60
SMALL = {"n_estimators": TREES, "max_depth": DEPTH, "max_bin": 2}
SPLITS = 2**DEPTH - 1
KILLS = moments(3, 60)

pytestmark = pytest.mark.timeout(120 + 10 * KILLS)


class Killed(BaseException):
    """No handler of the product's may do anything about it."""


class World:
    """What is truly opened, by both sides' own counts; and one side's death at a message."""

    def __init__(self, monkeypatch) -> None:
        self.opened = [Counter[tuple[str, str]](), Counter[tuple[str, str]]()]
        self.messages = 0
        self.victim, self.last = -1, 0
        in_round, record = Party.in_round, Ledger.record
        ranks = {}

        def counted(party, messages):
            ranks[id(party.ledger)] = party.rank
            if party.rank == self.victim:
                self.messages += 1
                if self.messages > self.last:
                    # A dead process writes nothing, whatever its handlers would like to.
                    monkeypatch.setattr(RunDirectory, "log", lambda *_, **__: None)
                    raise Killed
            return in_round(party, messages)

        def recorded(ledger, reveal, audience, values):
            record(ledger, reveal, audience, values)
            self.opened[ranks[id(ledger)]][reveal.name, audience] += values

        monkeypatch.setattr(Party, "in_round", counted)
        monkeypatch.setattr(Ledger, "record", recorded)

    @property
    def truth(self) -> Counter:
        """Neither side has seen more than both sent; what only one has counted may be under way."""
        return self.opened[0] & self.opened[1]


def books(made, name):
    facts = json.loads((made.run_directory(name) / "ledger.json").read_text())
    rows = [facts[key] for key in ("revealed", "in_work")]
    return [Counter({(r["reveal"], r["to"]): r["values"] for r in found}) for found in rows]


def worst(splits):
    most = Counter({("METRIC", "both"): 1})
    if splits == "owner":
        most |= Counter({("SPLIT_OWNER", "both"): SPLITS})
        most |= Counter({("SPLIT_INDEX", side): SPLITS for side in SIDES.values()})
    return most


@pytest.mark.parametrize("splits", ["hidden", "owner"])
def test_killed_at_any_message_of_a_training(both, companies, monkeypatch, splits):
    world, unbroken = World(monkeypatch), companies("unbroken", splits=splits, **SMALL)
    world.victim, world.last = 0, 1 << 30
    both(unbroken, train)
    whole_truth, messages = world.truth, world.messages
    for name in SIDES:
        assert books(unbroken, name) == [whole_truth, Counter()]
    for number, last in enumerate(random.sample(range(messages), KILLS)):
        victim = random.choice([0, 1])
        case = f"{list(SIDES)[victim]} after message {last} of {messages}"
        made = companies(str(number), splits=splits, **SMALL)
        with monkeypatch.context() as patched:
            world = World(patched)
            world.victim, world.last = victim, last
            # Dummies follow from keys: with other ones a training may have fewer messages, and end.
            with suppress(Killed):
                both(made, train)
        kept = {}
        for name in SIDES:
            if (made.run_directory(name) / "ledger.json").exists():
                revealed, in_work = books(made, name)
                assert in_work in (Counter(), worst(splits)), case
                kept[name] = revealed
            assert world.truth <= kept.get(name, Counter()), (case, name)
        with monkeypatch.context() as patched:
            resumed = World(patched)
            both(made, train, resume=True)
        (bank, rest), (bureau, _) = (books(made, name) for name in SIDES)
        assert bank == bureau, case
        assert not rest, case
        assert world.truth + resumed.truth <= bank, case
        assert bank <= resumed.truth + max(kept.values(), key=Counter.total, default=Counter()), (
            case
        )
        report = json.loads((made.run_directory("bureau") / "report.json").read_text())
        assert Counter({(r["reveal"], r["to"]): r["values"] for r in report["ledger"]}) == bank


def test_reports_of_both_sides_follow_every_session(both, companies, monkeypatch):
    made = companies("loans", **SMALL)
    for command, options in ((train, {}), (predict, {}), (evaluate, {}), (predict, {})):
        both(made, command, **options)
        for name in SIDES:
            run = made.run_directory(name)
            kept = json.loads((run / "ledger.json").read_text())["revealed"]
            assert json.loads((run / "report.json").read_text())["ledger"] == kept
    assert books(made, "bureau")[0]["PREDICTION", "label"] == 2 * ROWS
    with monkeypatch.context() as patched:
        world = World(patched)
        world.victim, world.last = 1, 6
        with pytest.raises(Killed):
            both(made, predict)
    assert {books(made, name)[0]["PREDICTION", "label"] for name in SIDES} <= {120, 180}


def test_what_was_not_announced_is_not_opened():
    told: list[dict] = []
    ledger = Ledger()
    ledger.record(Reveal.METRIC, "both", 5)  # nobody keeps it
    ledger.keeper = lambda: told.append(dict(ledger.in_work))
    with pytest.raises(SecureXGBError, match="without having been announced"):
        ledger.record(Reveal.METRIC, "both", 1)
    with ledger.announced({(Reveal.METRIC, "both"): 3, (Reveal.IMPORTANCE, "both"): 0}):
        assert told == [{(Reveal.METRIC, "both"): 3}]
        ledger.record(Reveal.METRIC, "both", 1)
        ledger.record(Reveal.METRIC, "both", 2)
        assert [row["values"] for row in ledger.settled_rows()] == [5]
        with pytest.raises(SecureXGBError, match="METRIC to both"):
            ledger.record(Reveal.METRIC, "both", 1)
        with pytest.raises(SecureXGBError, match="PREDICTION to label"):
            ledger.record(Reveal.PREDICTION, "label", 1)
    assert told[1:] == [{}]
    assert [row["values"] for row in ledger.settled_rows()] == [8]


def rows(**values):
    return [{"reveal": name, "meaning": Reveal[name].value, "to": "both", "values": n}
            for name, n in sorted(values.items())]  # fmt: skip


def test_books_agree_at_what_is_true():
    """Ahead of the other: the true count. Both in the step: its worst case. A lost file: the other.

    The same at both sides, and never less than either side has settled.
    """
    base, step = rows(METRIC=4, SPLIT_OWNER=6), rows(METRIC=6, SPLIT_OWNER=9)
    done = rows(METRIC=5, SPLIT_OWNER=9)
    work = rows(METRIC=2, SPLIT_OWNER=3)
    for one, other, expected in (
        (Books(base, []), Books(base, []), base),
        (Books(step, work), Books(step, work), step),
        (Books(step, work), Books(base, []), step),
        (Books(step, work), Books(done, []), done),
        (Books([], []), Books(done, []), done),
        (Books(rows(METRIC=9), []), Books(done, []), rows(METRIC=9, SPLIT_OWNER=9)),
    ):
        assert agreed(one, other) == agreed(other, one) == expected
        assert Books.from_bytes(one.to_bytes()) == one


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"[[], []", b"[[], [1]]", b'[[["METRIC", "both", -1]], []]', b"[" * 100_000,
     b'[[["METRIC", "nobody", 1]], []]', b'[[["ALL", "both", 1]], []]', b'[[], {"a": 1}]',
     b'[[["METRIC", ["both"], 1]], []]', b'[[["METRIC", "both", true]], []]', b"\xff", b"3"],
)  # fmt: skip
def test_what_is_no_ledger_is_refused(content):
    with pytest.raises(MalformedFrame, match="the other side's ledger is malformed"):
        Books.from_bytes(content)


def test_a_ledger_is_on_disk_before_anything_is_opened(both, companies, monkeypatch):
    """Where it cannot be written, nothing is opened at either side."""
    made, world = companies("loans", splits="owner", **SMALL), World(monkeypatch)
    write_whole = whole.write_whole

    def refused(path, content):
        if path.name == "ledger.json":
            raise SecureXGBError("no room")
        write_whole(path, content)

    monkeypatch.setattr("securexgb.jobs.runs.write_whole", refused)
    with pytest.raises(SecureXGBError, match="no room"):
        both(made, train)
    assert not world.truth
