"""Shards as processes: heads and shards meet, work, fail and end as they should."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from securexgb.cluster.messages import Opening, answered, done, failed
from securexgb.cluster.worker import ShardProcess
from securexgb.errors import (
    FileError,
    MalformedFrame,
    PeerError,
    SecureXGBError,
    ShardGone,
    StoppedByPeer,
    UsageError,
)
from securexgb.mpc.party import Party
from tests.cluster.running import Sharded

SESSION = bytes(range(16))


@pytest.fixture
def two(tmp_path):
    """Two shards a side; the relay listens."""
    made = Sharded(tmp_path, 2)
    relay = made.relay()
    yield made, relay
    relay.stop()


def crossing(party: Party, opening: Opening):
    """Each command goes to the other side's shard of the number."""
    assert opening.session == SESSION

    def answer(command: bytes) -> bytes:
        if command == b"disk":
            raise FileError("cannot write tree-3.npz: No space left on device")
        return party.exchange_bytes(command)

    return answer


def test_each_shard_works_with_the_one_of_its_number_behind_one_port(two):
    made, relay = two
    with made.threads(crossing) as running:
        heads = made.heads(SESSION)
        for text in (b"first", b"second"):
            for name, shards in heads.items():
                for shard in shards.handles:
                    shard.ask(b"%s %s %d" % (text, name.encode(), shard.number))
            for name, other in (("bank", b"bureau"), ("bureau", b"bank")):
                answers = [shard.answer() for shard in heads[name].handles]
                assert answers == [b"%s %s %d" % (text, other, number) for number in (0, 1)]
        for shards in heads.values():
            shards.close()
    assert [future.exception() for future in running.values()] == [None] * 4
    passed = {one.name: one for one in relay.passed}
    assert [passed[f"shard-{number}.bank"].taken for number in (0, 1)] == [1, 1]
    assert passed["shard-0.bank"].bytes_in > 1000
    assert passed["bank"].taken == 0


def test_an_error_of_a_shard_is_its_heads_and_ends_the_other_sides(two):
    made, _ = two
    with made.threads(crossing) as running:
        heads = made.heads(SESSION)
        heads["bank"].handles[1].ask(b"disk")
        heads["bureau"].handles[1].ask(b"anything")
        with pytest.raises(FileError, match=r"^shard 1 of bank: cannot write tree-3.npz") as found:
            heads["bank"].handles[1].answer()
        with pytest.raises(StoppedByPeer, match="shard 1 of bureau: shard 1 of bank") as told:
            heads["bureau"].handles[1].answer()
        assert told.value.kind == "FileError"
        heads["bank"].close(found.value)
        heads["bureau"].close(told.value)
    ends = {place: type(future.exception()) for place, future in running.items()}
    assert ends["bank", 1] is FileError
    assert ends["bank", 0] is ends["bureau", 0] is ends["bureau", 1] is StoppedByPeer


def test_a_head_that_fails_ends_the_work_of_its_shards(two):
    """The bureau's shard waits for the bank's, whose head fails before it asks for anything."""
    made, _ = two
    with made.threads(crossing) as running:
        heads = made.heads(SESSION)
        heads["bureau"].handles[0].ask(b"anything")
        heads["bank"].close(ShardGone("shard 1 of bank is gone"))
        with pytest.raises(StoppedByPeer) as told:
            heads["bureau"].handles[0].answer()
        assert told.value.kind == "ShardGone"
        heads["bureau"].close(told.value)
    assert all(isinstance(future.exception(), SecureXGBError) for future in running.values())


def test_a_lost_shard_is_named(two):
    made, _ = two
    with made.threads(crossing) as running:
        heads = made.heads(SESSION)
        heads["bank"].handles[1]._channel.wire.close(None, 0.0, 0.0)
        with pytest.raises(ShardGone, match="shard 1 of bank"):
            heads["bank"].handles[1].answer()
        for shards in heads.values():
            shards.close(PeerError("over"))
    assert all(isinstance(future.exception(), SecureXGBError) for future in running.values())


def test_shards_of_different_sessions_do_not_work_together(two):
    """Each hears of it, from the first message between them; a shard would try again."""
    made, _ = two

    def meet(name: str, session: bytes) -> None:
        federation = made.federation(name)
        endpoint = federation.shard_endpoint(0, federation.config.wait_seconds)
        federation.shard_link(endpoint, "train", 0, session).close()

    sessions = {"bank": SESSION, "bureau": SESSION[::-1]}
    with ThreadPoolExecutor(2) as pool:
        met = {name: pool.submit(meet, name, session) for name, session in sessions.items()}
    for name, end in met.items():
        own = f"another session than shard 0 of {name}"
        with pytest.raises(PeerError, match=own):
            end.result()


def test_a_number_that_is_none_is_refused(two):
    made, _ = two
    with pytest.raises(UsageError, match="no shard 2: the terms divide rows into 2"):
        ShardProcess(made.federation("bank"), 2, crossing, print)


def test_what_a_head_says_first_is_read_and_nothing_else():
    said = Opening(SESSION, "train", "20261128T140000Z-abc", ("age",), ("no", "yes"), {"a": ("b",)})
    assert Opening.decode(said.encode()) == said
    content = said.encode()
    wrong = [b"", b"{}", b"[1]", content[:-1]]
    changes = (b"train", b"drain"), (b"20261128T", b"../../../"), (b"0001", b"00")
    wrong += [content.replace(*change) for change in changes]
    for bad in wrong:
        with pytest.raises(MalformedFrame):
            Opening.decode(bad)


def test_an_answer_is_the_answer_or_the_error():
    assert answered(done(b"sums"), "shard 3") == b"sums"
    with pytest.raises(FileError, match="shard 3: full"):
        answered(failed(FileError("full")), "shard 3")
    with pytest.raises(ShardGone, match="its operator"):
        answered(failed(KeyboardInterrupt()), "shard 3")
    with pytest.raises(SecureXGBError, match="ZeroDivisionError") as found:
        answered(failed(ZeroDivisionError("x")), "shard 3")
    assert found.value.exit_code == 1
    for bad in (b"", b"\2x", b"\1x", b'\1["KeyError", "", ""]', b"\1[1, 2]"):
        with pytest.raises(MalformedFrame):
            answered(bad, "shard 3")
