"""Readers of files and messages: whatever bytes come, an object or an error of ours."""

from __future__ import annotations

import os
import random
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

from securexgb.errors import SecureXGBError
from tests.profiles import is_thorough
from tests.readers import jobs
from tests.readers.mutations import Mutations
from tests.readers.source import PACKAGE, places
from tests.readers.table import GoesOn, Read, rows

TABLE = rows()
MUTATIONS = 2_000 if is_thorough() else 40
JOBS = dict.fromkeys(jobs.METHODS, 300) if is_thorough() else {"bfv": 2, "ss": 8}
SEED = int.from_bytes(os.urandom(4)) if is_thorough() else 0
ELSEWHERE = {
    "channel.endpoint:Listener.__init__": "takes an address apart that settings have checked",
    "channel.endpoint:_dial": "likewise",
    "channel.probe:handshake": "likewise; a certificate that is shown is given to what parses it",
    "channel.grpc:GrpcChannel.wait": "passes on what the link has taken apart",
    "channel.grpc:_Stream.take": "likewise: the frames are read in the kernels",
    "cli.dealer:serve.rehearsal": "gives a key's file to DevAttester, which has a row",
    "channel.relay:Relay.__init__": "takes an address apart that settings have checked",
    "cli.convert:convert": "gives the file to read_table, which rows of files reach",
    "cli.relay:_targets": "takes addresses apart that settings have checked",
    "cluster.actor:ShardActor.__init__": "takes both files of settings, which have rows",
    "cluster.head:_common_session": "a name of the right length, whatever has come",
    "cluster.link:LinkedShard.answer": "gives the message to answered, which has a row",
    "cluster.worker:_Head._read": "gives commands to unpack, which has a row",
    "cluster.worker:_Head.start": "gives the message to Opening, which has a row",
    "federation.session:Federation.shard_link": "equal or not, whatever has come",
    "terms.cluster:_place": "takes an address apart that settings have checked",
    "jobs.aligning.kept:_record": "reads the record of a set, which has a row, in the same way",
    "jobs.aligning.kept:write_coin": "likewise the order coin",
    "jobs.aligning.session:Alignment._agree": "gives the message to _parsed, which has a row",
    "jobs.aligning.session:Alignment._compare": "equal or not, whatever has come",
    "jobs.aligning.session:Alignment.run": "a message without content",
    "jobs.aligning.tables:_known": "equal or not, whatever has come",
    "jobs.data.tables:_first_strange_line": "finds the line in a file that was refused",
    "jobs.export:joint_export": "gives the message to _parsed, which has a row",
    "jobs.ledgers:RunLedger.__init__": "gives the message to Books, which has a row",
    "jobs.reports:keep_prediction": "reads predicted.json, which has a row, in the same way",
    "jobs.training:train": "a message without content",
    "jobs.checks:machine_bytes": "a file of the kernel's",
    "federation.dealer:reach_dealer": "a message without content",
    "serve.front.server:listen": "takes an address apart that settings have checked",
    "serve.release.client:attester_of.rehearsal": "gives a key's file to DevAttester, likewise",
    "serve.release.client:key_for": "gives a half to read_about, which has a row",
    "serve.release.client:released_key": "gives a file to Certificate.parse, which has a row",
    "he.ckks_words:_saved": "what this side's own library has written",
    **dict.fromkeys(jobs.MESSAGES, "a message of a protocol: see the last test"),
}
"""Places that no row reaches, and why."""


@pytest.mark.filterwarnings("ignore::UserWarning")  # cryptography's, of serial numbers and such
@pytest.mark.parametrize("name", TABLE)
def test_good_bytes_are_read_and_bad_ones_are_refused(name: str, tmp_path: Path) -> None:
    good, read = TABLE[name].prepare(tmp_path)
    with suppress(GoesOn):
        read(good)
    bad = Mutations(name, SEED)
    for number in range(MUTATIONS):
        refused_or_read(read, bad.of(good), f"{name}, seed {SEED}, mutation {number}")


def refused_or_read(read: Read, content: bytes, which: str) -> None:
    try:
        read(content)
    except SecureXGBError:
        return
    except BaseException as error:
        error.add_note(f"{which}: {content[:2000]!r}")
        raise


def test_every_place_where_bytes_become_objects_has_a_row(tmp_path: Path) -> None:
    reached: set[str] = set()

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            path = Path(frame.f_code.co_filename).relative_to(PACKAGE).with_suffix("")
            name = frame.f_code.co_qualname.replace(".<locals>", "")
            reached.add(f"{'.'.join(path.parts)}:{name}")

    for number, row in enumerate(TABLE.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        good, read = row.prepare(folder)
        sys.setprofile(look)
        try:
            with suppress(GoesOn):
                read(good)
        finally:
            sys.setprofile(None)
    found = places()
    assert set(ELSEWHERE) <= found
    assert found <= reached | set(ELSEWHERE)


@pytest.mark.parametrize("method", jobs.METHODS)
def test_messages_of_a_job(method: str) -> None:
    """Whichever message is another one, both sides end with an error of ours, or with a model."""
    count = jobs.run(method, -1, lambda payload: payload)
    bad, chance = Mutations(method, SEED), random.Random(SEED)
    for number in range(JOBS[method]):
        place = chance.randrange(count)
        which = f"{method}, seed {SEED}, job {number}, message {place}"
        refused_or_read(lambda _, at=place: jobs.run(method, at, bad.of), b"", which)
