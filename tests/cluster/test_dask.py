"""Shards on Dask: what an actor and its head make of silence, loss and errors, without a cluster.

A real one loses its worker in test_lost_worker.py; two, of two companies, are in
examples/two_clusters.py, which a test runs.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from securexgb.cluster import actor as actors
from securexgb.cluster import dask, worker
from securexgb.cluster.actor import ShardActor
from securexgb.cluster.dask import DaskShard
from securexgb.cluster.messages import Opening, answered, done, failed
from securexgb.errors import (
    DataError,
    FileError,
    MalformedFrame,
    PeerError,
    PeerGone,
    PortTaken,
    SecureXGBError,
    ShardGone,
    UsageError,
)
from securexgb.federation.session import Federation
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.terms.toml import to_toml
from tests.processes.companies import free_port

OPENING = Opening(bytes(16), "train", "a-run", ("age",))
TERMS = JobTerms(name="job", label_party="bank", feature_party="bureau", cluster={"shards": 2})


def config(scheduler="tcp://127.0.0.1:8786", **more):
    cluster = {"engine": "dask", "scheduler": scheduler}
    return PartyConfig(role="feature", name="bureau", cluster=cluster | more)


@pytest.fixture
def actor():
    settings = to_toml(config().with_whole_paths())
    return ShardActor(settings, TERMS.to_toml(), 1)


def serving(monkeypatch, work):
    """A session that answers by ``work``, without the other side's shard."""

    def session(federation, number, _, head, tell):
        assert (federation.config.name, federation.terms.shards, number) == ("bureau", 2, 1)
        try:
            head.start()
            head.reply(done(b""))
            while (command := head.next_command()) is not None:
                head.reply(done(work(command)))
        except BaseException as error:
            head.fail(error)
            raise
        head.end()

    monkeypatch.setattr(actors, "session", session)


def run(*calls):
    """The results of an actor's methods, one after the other, on one loop."""

    async def all_of_them():
        return [await call() for call in calls]

    return asyncio.run(all_of_them())


def test_an_actor_answers_in_order_and_ends(actor, monkeypatch):
    serving(monkeypatch, bytes.upper)
    found = run(
        lambda: actor.open(OPENING.encode()),
        actor.ready,
        lambda: actor.answer(b"first"),
        actor.beat,
        lambda: actor.answer(b"second"),
        lambda: actor.answer(b""),
        lambda: actor.answer(b"after"),
    )
    assert found[1:6] == [done(b""), done(b"FIRST"), None, done(b"SECOND"), done(b"")]


def test_an_error_is_the_answer_to_whatever_is_asked_from_then_on(actor, monkeypatch):
    def full(command):
        raise FileError("cannot write: No space left on device")

    serving(monkeypatch, full)
    *_, first, second = run(
        lambda: actor.open(OPENING.encode()),
        actor.ready,
        lambda: actor.answer(b"keep"),
        lambda: actor.answer(b"keep"),
    )
    assert first == second
    with pytest.raises(FileError, match="shard 1: cannot write"):
        answered(first, "shard 1")


def test_nothing_is_answered_before_a_session(actor):
    for content in run(actor.ready, lambda: actor.answer(b"x")):
        with pytest.raises(UsageError, match="opened"):
            answered(content, "shard 1")
    with pytest.raises(MalformedFrame):
        run(lambda: actor.open(b"{}"))


@pytest.mark.parametrize("how", ["stopped", "silent", "forgotten"])
def test_a_head_that_is_gone_ends_the_session_and_its_link(monkeypatch, how):
    """It says so, or is silent for as long as the settings allow, or Dask drops its actor."""
    ended, closed = threading.Event(), []

    def session(federation, number, work, head, tell):
        head.takes_along(SimpleNamespace(close=closed.append))
        try:
            head.next_command()
        except SecureXGBError as error:
            closed.append(error)
        ended.set()
        head.fail(closed[-1])

    monkeypatch.setattr(actors, "session", session)
    seconds = 0.2 if how == "silent" else 60.0
    settings = config().model_copy(update={"timeout_seconds": seconds})
    kept = [ShardActor(to_toml(settings), TERMS.to_toml(), 1)]
    run(lambda: kept[0].open(OPENING.encode()))
    if how == "stopped":
        run(lambda: kept[0].stop("the own head has ended with DataError"))
    elif how == "forgotten":
        kept.clear()
    assert ended.wait(60)
    assert [type(error) for error in closed] == [PeerGone, PeerGone]
    said = {"stopped": "ended with DataError", "silent": "nothing was heard", "forgotten": "gone"}
    assert said[how] in str(closed[0])


class Future:
    """Of a call: what comes of it, once it comes."""

    def __init__(self, outcome):
        self.outcome = outcome

    def done(self):
        return self.outcome is not TimeoutError

    def result(self, timeout=None):
        if isinstance(self.outcome, (bytes, type(None))):
            return self.outcome
        raise self.outcome if isinstance(self.outcome, Exception) else self.outcome("timed out")


class Far:
    """An actor of whose answers the outcomes are given, and of whose beats, too."""

    def __init__(self, answers, beat=None):
        self.answers, self.asked, self.stopped, self._beat = list(answers), [], [], beat
        self.beaten, self.is_lost = threading.Event(), False

    def answer(self, command):
        self.asked.append(command)
        return Future(self.answers.pop(0))

    def beat(self):
        self.beaten.set()
        return Future(self._beat)

    def stop(self, kind):
        self.stopped.append(kind)


@pytest.fixture
def shard(monkeypatch):
    """A handle on such an actor."""
    over = threading.Event()
    monkeypatch.setattr(dask, "_GLANCE_SECONDS", 0.0)

    def make(answers, beat=None, silence=60.0):
        far = Far(answers, beat)
        return DaskShard(0, "shard 0 of bank", far, dask._Beats([far], silence, over)), far

    yield make
    over.set()


def test_a_question_waits_for_the_answer_before_it(shard):
    handle, far = shard([done(b"1"), done(b"2"), done(b"")])
    handle.ask(b"first")
    handle.ask(b"second")
    assert far.asked == [b"first"]
    assert handle.answer() == b"1"
    assert far.asked == [b"first", b"second"]
    assert handle.answer() == b"2"
    handle.close()
    assert (handle.answer(), far.asked[-1], far.stopped) == (b"", b"", [])


def test_what_a_worker_raises_is_raised(shard):
    handle, far = shard([failed(DataError("column 'a' holds infinity"))])
    handle.ask(b"begin")
    with pytest.raises(DataError, match="shard 0 of bank: column 'a'") as found:
        handle.answer()
    handle.close(found.value)
    assert far.stopped == ["DataError"]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (OSError("Unable to contact Actor's worker"), "is lost .OSError: Unable to contact"),
        (RuntimeError("Worker holding Actor was lost"), "is lost .RuntimeError"),
        (TimeoutError, "said nothing for"),
    ],
)
def test_a_lost_worker_and_a_silent_one_are_lost_shards(shard, outcome, words):
    handle, _ = shard([outcome], beat=TimeoutError, silence=0.1)
    handle.ask(b"split")
    with pytest.raises(ShardGone, match=f"shard 0 of bank.* {words}"):
        handle.answer()


def test_a_call_that_never_ends_of_an_actor_that_is_lost_is_a_lost_shard(shard):
    """Dask tells of a worker's death before the connection to it breaks."""
    handle, far = shard([TimeoutError], beat=TimeoutError)
    handle.ask(b"split")
    far.is_lost = True
    with pytest.raises(ShardGone, match="shard 0 of bank is lost: its Dask worker has died"):
        handle.answer()


def test_a_question_to_an_actor_that_is_lost_is_answered_by_that():
    """So that what the other shards answered before is heard first."""

    class Lost:
        def answer(self, command):
            raise RuntimeError("Worker holding Actor was lost")

    client = SimpleNamespace(as_current=nullcontext)
    made = SimpleNamespace(status="error", result=lambda timeout: Lost())
    far = dask._Actor(client, made, "tcp://10.0.0.7:1", 60.0)
    assert far.is_lost
    over = threading.Event()
    handle = DaskShard(0, "shard 0 of bank", far, dask._Beats([], 60.0, over))
    handle.ask(b"split")
    with pytest.raises(ShardGone, match=r"shard 0 of bank is lost .RuntimeError: Worker holding"):
        handle.answer()
    over.set()


def test_an_actor_that_does_not_come_is_not_waited_for_when_its_worker_is_gone(monkeypatch):
    def never(timeout):
        raise TimeoutError

    future, at = SimpleNamespace(result=never), "tcp://10.0.0.7:1"
    client = SimpleNamespace(as_current=nullcontext, nthreads=dict)
    with pytest.raises(ShardGone, match=r"worker at tcp://10\.0\.0\.7:1 is gone"):
        dask._Actor(client, future, at, 60.0)
    client.nthreads = lambda: {at: 1}
    monkeypatch.setattr(dask, "_MAKING_SECONDS", 0.0)
    with pytest.raises(ShardGone, match="did not begin within 0 s"):
        dask._Actor(client, future, at, 0.0)


def test_a_worker_that_beats_may_take_its_time(shard):
    handle, far = shard([TimeoutError], silence=0.5)
    handle.ask(b"split")
    waiting = threading.Thread(target=lambda: handle.answer() == b"sums", daemon=True)
    waiting.start()
    for _ in range(20):  # of which each is an eighth of the silence that is allowed
        far.beaten.clear()
        assert far.beaten.wait(60)
    assert waiting.is_alive()
    handle._under_way.outcome = done(b"sums")
    waiting.join(60)
    assert not waiting.is_alive()


class Client:
    """Knows so many workers, the last of which comes when it is asked for the second time."""

    def __init__(self, *workers, silent=()):
        self.workers, self.last, self.silent = iter((workers[:-1], workers)), (), silent

    def scheduler_info(self, n_workers):
        self.last = next(self.workers, None) or self.last
        seen = {at: {"last_seen": 1000.0 - 60.0 * (at in self.silent)} for at in self.last}
        return {"workers": seen}


def test_each_shard_has_a_worker_where_it_listens(monkeypatch):
    monkeypatch.setattr(dask, "_GLANCE_SECONDS", 0.0)
    everyone = "tls://10.0.0.7:1", "tls://10.0.0.8:1", "tls://10.0.0.7:2"
    anywhere = Federation(config(), TERMS)
    assert dask._workers(Client(*everyone), anywhere) == ["tls://10.0.0.7:1", "tls://10.0.0.8:1"]
    both = Client("tls://10.0.0.7:1", "tls://10.0.0.7:2")
    assert len(dask._workers(both, anywhere)) == 2  # once the second is there
    most = dask._workers(Client(*everyone, silent=everyone[:1]), anywhere)
    assert most == ["tls://10.0.0.7:2", "tls://10.0.0.8:1"]
    soon = config().model_copy(update={"timeout_seconds": 0.01})
    with pytest.raises(ShardGone, match="has 1 workers, and each of 2 shards needs one"):
        dask._workers(Client("tls://10.0.0.7:1"), Federation(soon, TERMS))
    own = config(links=("10.0.0.8:7301", "10.0.0.7:7301"))
    listening = Federation(own.model_copy(update={"listen": "0.0.0.0:7300"}), TERMS)
    found = dask._workers(Client(*everyone, "tls://10.0.0.9:1"), listening)
    assert found == ["tls://10.0.0.8:1", "tls://10.0.0.7:1"]
    with pytest.raises(UsageError, match=r"shard 0 listens .* at 10\.0\.0\.8"):
        dask._workers(Client("tls://10.0.0.7:1", "tls://10.0.0.7:2"), listening)


def test_an_open_scheduler_is_used_on_this_machine_alone():
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    for address in ("tcp://10.0.0.9:8786", "scheduler:8786", "tcp://scheduler:8786"):
        with pytest.raises(UsageError, match="write tls"):
            dask._client(Federation(config(address), TERMS))
    for address in ("tcp://127.0.0.1:8786", "tcp://[::1]:8786", "tcp://localhost:1"):
        assert dask._is_here(address)


FILES = {f"scheduler_{name}": f"dask/{name}" for name in ("ca", "certificate", "key")}


def test_certificates_of_the_cluster_are_three_files_that_can_be_read():
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    at = "tls://scheduler:8786"
    with pytest.raises(ValueError, match="come together"):
        config(at, scheduler_ca="dask/ca")
    with pytest.raises(ValueError, match="written as tls"):
        config(**FILES)
    for more, why in (({}, "there is none"), (FILES, "FileNotFoundError")):
        with pytest.raises(UsageError, match=f"no certificate for the Dask cluster .*{why}"):
            dask._client(Federation(config(at, **more), TERMS))


def test_a_scheduler_that_nobody_runs_is_said():
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    soon = config(f"tcp://127.0.0.1:{free_port()}").model_copy(update={"timeout_seconds": 0.1})
    with pytest.raises(ShardGone, match=r"scheduler tcp://127\.0\.0\.1:\d+ of bureau cannot be"):
        dask._client(Federation(soon, TERMS))


def test_a_port_that_the_session_before_still_holds_is_waited_for(monkeypatch):
    """On Dask a worker may begin the next session before the last has heard of its end."""
    monkeypatch.setattr(worker, "_AGAIN_SECONDS", 0.0)
    channel = SimpleNamespace()
    tries = iter([PortTaken("in use"), PeerError("of another session"), channel])

    def shard_link(*_):
        found = next(tries)
        if isinstance(found, Exception):
            raise found
        return found

    federation = SimpleNamespace(config=config(), shard_link=shard_link)
    head = actors._Head(OPENING, 60.0)
    assert worker._meet(federation, 0, head, None) is channel


def test_another_installation_on_a_worker_is_said():
    error = dask._ours("a Dask worker of bank", ModuleNotFoundError("No module named 'securexgb'"))
    assert isinstance(error, UsageError)
    assert "install the same version" in str(error)
    for kept in (UsageError("x"), KeyboardInterrupt()):
        assert dask._ours("x", kept) is kept
