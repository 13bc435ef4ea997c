"""What a shard says of itself to a head that checks a job: its rows, its file, its machine.

The link between the two compares terms and versions; the shard then reads its ranges of rows as a
training does. The other side's shard is not met.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass

from securexgb.cluster.commands import Said, pack, unpack
from securexgb.cluster.data import FileShard
from securexgb.cluster.messages import Opening
from securexgb.errors import MalformedFrame
from securexgb.federation.session import Federation
from securexgb.jobs.checks import machine_bytes
from securexgb.jobs.rows import Rows

ABOUT = "about"


@dataclass(frozen=True)
class AboutShard:
    """``rows``: of the training data and of each set; ``machine``: its name; ``memory``: bytes that
    it has for this process."""

    rows: tuple[int, ...]
    file: str
    machine: str
    memory: int

    def said(self) -> Said:
        return Said(ABOUT, (self.memory, *self.rows), (self.file, self.machine))

    @staticmethod
    def of(said: Said) -> AboutShard:
        """The same back; MalformedFrame for another answer."""
        if len(said.numbers) < 2 or len(said.texts) != 2:
            raise MalformedFrame("what a shard says of itself is malformed")
        memory, *rows = said.numbers
        return AboutShard(tuple(rows), *said.texts, memory)


def about_shard(federation: Federation, number: int, opening: Opening) -> Callable[[bytes], bytes]:
    """The answers of own shard ``number`` in a session of ``check``; its rows are read."""
    like = Rows.none_of(opening.columns, opening.classes, opening.categories)
    data = FileShard(federation, like, number, federation.terms.shards)
    counts = data.training().count, *(own.count for _, own in data.evaluation())
    file = str(federation.config.train_data)
    about = AboutShard(counts, file, platform.node(), machine_bytes())

    def answer(command: bytes) -> bytes:
        if unpack(command).name != ABOUT:
            raise MalformedFrame("a head that checks its shards asks for something else")
        return pack(about.said())

    return answer
