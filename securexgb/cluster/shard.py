"""One side's worker of one shard: it answers what its own party's head asks.

It holds its rows, its side's shares of their margins and gradients, and a party that is linked to
the other company's worker of the same number. Both heads ask both workers the same questions in the
same order, because what a training does is public; so the two run the row pipeline together, as
two parties without shards do. What it answers is its share of a level's sums, or of margins that a
head needs to measure; it opens nothing, and refuses to go on where something was opened.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from securexgb.arith.prg import Prg
from securexgb.boost.ensemble import ModelHalf
from securexgb.cluster.commands import Said, keys_of, level_of, model_of, pack, shared_of, unpack
from securexgb.cluster.parts import ShardData
from securexgb.errors import DataError, MalformedFrame, SecureXGBError, UsageError
from securexgb.jobs.data.whole_rows import RowStart, WholeRows, planned_choices
from securexgb.jobs.resuming.checkpoint import CheckpointStore, TrainingState
from securexgb.jobs.training import fingerprint
from securexgb.mpc.party import Party


class Shard:
    """Answers one head's questions in one training; ``store``: where its margins are kept."""

    def __init__(self, party: Party, data: ShardData, store: CheckpointStore | None = None) -> None:
        self._party, self._store = party, store
        self._data, self._evals = data.training(), data.evaluation()
        self._rows = WholeRows(party, self._data, self._evals, store)
        self._all_rounds = 0
        self._answers: dict[str, Callable[[Said], Said]] = {
            "known": self._known,
            "begin": self._begin,
            "part of sums": self._part_of_sums,
            "gradients": self._gradients,
            "root sums": self._root_sums,
            "split": self._split,
            "leaves": self._leaves,
            "margins": self._margins,
            "evaluated": self._evaluated,
            "keep": self._keep,
        }

    def answer(self, command: bytes) -> bytes:
        """The answer to one question; what fails is raised, and nothing may be asked after it."""
        said = unpack(command)
        found = self._answers.get(said.name)
        if found is None:
            raise MalformedFrame(
                f"a head asks {said.name[:40]!r}, which this version does not know"
            )
        began = perf_counter()
        with self._party.step(said.name):
            answer = found(said)
        if self._party.ledger.rows():
            raise SecureXGBError("a shard has opened something")
        took = perf_counter() - began
        return pack(Said(said.name, answer.numbers, answer.texts, answer.arrays, took))

    def _known(self, said: Said) -> Said:
        return Said(said.name, tuple(sorted(self._rows.known(said.texts))))

    def _begin(self, said: Said) -> Said:
        try:
            number, start, stop, is_resumed, *sets = said.numbers
            coins, session = said.texts
            public = Prg(bytes.fromhex(coins))
        except ValueError as error:
            raise MalformedFrame("what a head says of a training's beginning is wrong") from error
        model = model_of(said)
        self._check_rows(stop - start, sets)
        keys, pads = keys_of(said, 1), self._party.source.products.pads
        if (keys is None) != (pads is None):
            raise UsageError("a head and its shard make correlations by different methods")
        if keys is not None and pads is not None:
            pads.take_up(keys, number)
        self._keep_state(model, coins, is_resumed=bool(is_resumed))
        self._all_rounds = model.params.all_rounds
        if self._party.ideal is None:
            self._party.source.begin_job(planned_choices(model, stop - start))
        self._rows.begin(RowStart(model, public, session, slice(start, stop)))
        return Said(said.name, (self._rows.shape.noise_bits,))

    def _check_rows(self, rows: int, sets: list[int]) -> None:
        mine = self._data.count, *(data.count for _, data in self._evals)
        if mine != (rows, *sets):
            raise DataError(
                f"{self._party.role} party: a shard holds {mine} rows of the training data and "
                f"the evaluation sets, and its head counts {(rows, *sets)}: give both one file"
            )

    def _keep_state(self, model: ModelHalf, coins: str, *, is_resumed: bool) -> None:
        """The store is of this training and this data from now on, or it is refused."""
        store = self._store
        if store is None:
            return
        data = fingerprint(model.params, self._data, self._evals)
        state = TrainingState(self._party.rank, model.model_id, model.job_digest, coins, data)
        found = store.state() if is_resumed else None
        if found is None:
            store.start(state)
        elif found == state:
            store.cut(len(model.rounds) - model.params.past.rounds)
        else:
            raise DataError(
                f"{self._party.role} party: the checkpoint of a shard is of another training, or "
                "of other rows: put back what belongs there, or remove it to compute its margins "
                "again"
            )

    def _part_of_sums(self, said: Said) -> Said:
        word, group = _numbers(said, 2)
        pads = self._party.source.products.pads
        if pads is None:
            raise UsageError("a head asks for a part of its matrix, and products are made here")
        return Said(said.name, arrays=(pads.part_of_sums(word, group),))

    def _gradients(self, said: Said) -> Said:
        (number,) = _numbers(said, 1)
        self._party.source.begin_tree(self._all_rounds - number)
        self._rows.gradients(number)
        return said

    def _root_sums(self, said: Said) -> Said:
        return Said(said.name, arrays=(self._rows.root_sums().sums.own_share(),))

    def _split(self, said: Said) -> Said:
        return Said(said.name, arrays=(self._rows.split(level_of(said)).sums.own_share(),))

    def _leaves(self, said: Said) -> Said:
        values = shared_of(said, len(said.arrays) - 1, 2)
        self._rows.leaves(level_of(said), values)
        return Said(said.name)

    def _margins(self, said: Said) -> Said:
        """Of ranges of its rows, first and last number of each."""
        edges = [slice(*pair) for pair in zip(said.numbers[::2], said.numbers[1::2], strict=True)]
        return Said(said.name, arrays=tuple(self._rows.margins(at).own_share() for at in edges))

    def _evaluated(self, said: Said) -> Said:
        return Said(said.name, arrays=(self._rows.evaluated(model_of(said).rounds).own_share(),))

    def _keep(self, said: Said) -> Said:
        (count,) = _numbers(said, 1)
        if len(said.texts) != 1:
            raise MalformedFrame("a head asks to keep margins of no session")
        self._rows.keep(count, said.texts[0])
        return Said(said.name)


def _numbers(said: Said, count: int) -> tuple[int, ...]:
    if len(said.numbers) != count or min(said.numbers) < 0:
        raise MalformedFrame(f"a head asks {said.name[:40]!r} of no number")
    return said.numbers
