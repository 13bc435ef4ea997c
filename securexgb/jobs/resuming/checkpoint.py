"""Checkpoints: one party's state on disk after every round, to resume a training from.

A directory holds ``state.json`` (which training this is), ``tree-N.npz`` (own halves of the trees
of round N, one for each output, as in a model file), ``margins-N.npz`` (own shares of the margins
of the rows that are here after N rounds, for the last two; a range of rows in a process of its own
has a directory of its own with these alone) and, of a finished training whose terms ask for it,
``ending.npz`` (what was opened when it had ended: importance, and the auc of all rows). Every file
is written whole or not at all, the trees last, so that a round that is there is complete. No
correlation and no mask is ever written. With a key every file is encrypted.

Every file says what it is: its name, the format, role, model id and job digest, and of a
round and the margins after it the session too. Trees and margins hold this header beside
their arrays; an encrypted file shows the same, authenticated. A file of another run, side
or round in the place of the right one is refused (``DataError``).

Shares of a tree's leaves only fit those that the other party wrote in the same session:
each round carries the session's public id, and two parties resume after the longest common
beginning of both their lists. What one of them has beyond it is removed first. Where a training
is finished nothing is removed or written any more.

A newest file that is damaged, by a disk or by hand, costs no more than itself: without its newest
tree a training goes on from the one before, margins are computed from the trees, and what an ending
opens is opened again. An older tree that is damaged is named, and nothing is thrown away unasked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from securexgb.boost.ensemble import Round
from securexgb.errors import DataError, UsageError
from securexgb.model.files import stacked, unstacked
from securexgb.mpc.shared import Words
from securexgb.storage.records import unpack_record
from securexgb.storage.sealed import About, ModelKey, opened_content, sealed_content
from securexgb.storage.whole import (
    Arrays,
    make_directory,
    pack_arrays,
    pack_json,
    read_own,
    remove,
    remove_parts,
    sync_directory,
    unpack_arrays,
    unpack_json,
    write_whole,
)

FORMAT = 7
MOST_AHEAD = 1
"""So many rounds a side may have that the other side was killed before it kept them."""
_KEPT_MARGINS = 2
_ENDING = "ending.npz"


@dataclass(frozen=True)
class TrainingState:
    """Which training a checkpoint belongs to.

    ``model_id``, ``job_digest``, ``coins`` (key of the public coins, hex): the same at both
    parties. ``data``: fingerprint of this party's own data, which stays here.
    """

    rank: int
    model_id: str
    job_digest: str
    coins: str
    data: str

    def about(self, name: str) -> dict[str, str | int]:
        """What the file ``name`` of this training is, but for a session: its header."""
        return {
            "checkpoint": name,
            "format": FORMAT,
            "role": "label" if self.rank == 0 else "feature",
            "model_id": self.model_id,
            "job_digest": self.job_digest,
        }


_STATE = TypeAdapter(TrainingState)


@dataclass(frozen=True)
class SavedRound:
    """One finished round: its trees' halves, the session they were grown in, metric values."""

    trees: Round
    session: str
    metrics: tuple[float, ...]


@dataclass(frozen=True)
class Ending:
    """What was opened when a training had ended: ``importance`` and ``whole_auc`` as in a
    ``ModelHalf``, the latter in the order of the sets; empty where there is none."""

    importance: tuple[int, ...] = ()
    whole_auc: tuple[float, ...] = ()


@dataclass(frozen=True)
class LoadedCheckpoint:
    """What a directory holds.

    ``margins``: after how many rounds they are known, as whoever keeps the rows says. ``ending``:
    of a finished training.
    """

    state: TrainingState
    rounds: tuple[SavedRound, ...]
    margins: frozenset[int] = frozenset()
    ending: Ending = Ending()


class CheckpointStore:
    """The checkpoints of one party's training in one directory.

    ``tell``: is given a sentence for people where a damaged file is left out. ``is_finished``: of a
    training whose model is written; every change is a UsageError.
    """

    def __init__(
        self,
        directory: Path,
        key: ModelKey | None = None,
        tell: Callable[[str], None] = lambda _: None,
        *,
        is_finished: bool = False,
    ) -> None:
        self.is_finished = is_finished
        self._directory = directory
        self._key = key
        self._tell = tell
        self._training: TrainingState | None = None

    def start(self, state: TrainingState) -> None:
        """Begin anew, where no tree is: UsageError where one would be lost."""
        make_directory(self._directory)
        if self.rounds_here():
            raise UsageError(f"{self._directory} has trees: start anew in another directory")
        remove_parts(self._directory)
        self._remove(after=0)
        remove(self._path("state.json"))
        sync_directory(self._directory)
        content = pack_json(asdict(state) | {"format": FORMAT})
        self._write("state.json", content, state.about("state.json"))
        self._training = state

    def rounds_here(self) -> int:
        """How many files of rounds there are, readable or not."""
        return sum(1 for _ in self._directory.glob("tree-*.npz"))

    def load(self, columns: int, outputs: int) -> LoadedCheckpoint | None:
        """What is here, or None where nothing is, of so many own columns and trees a round.

        DataError for what cannot be gone on from, with the file that may be removed.
        """
        state = self.state()
        if state is None:
            return None
        rounds: list[SavedRound] = []
        while self._path(f"tree-{len(rounds)}.npz").exists():
            try:
                rounds.append(self._round(len(rounds), columns, outputs))
            except DataError as error:
                self._pass_over(len(rounds), error)
                break
        return LoadedCheckpoint(state, tuple(rounds), ending=self._ending())

    def margins_known(self, sessions: Sequence[str]) -> frozenset[int]:
        """After how many rounds, which were grown in these sessions, margins can be taken up."""
        if self.state() is None:
            return frozenset()
        return frozenset(n for n, newest in enumerate(sessions, 1) if self._has_margins(n, newest))

    def state(self) -> TrainingState | None:
        """Which training is here, if any."""
        if not self._path("state.json").exists():
            return None
        self._training = self._state()
        return self._training

    def _pass_over(self, number: int, error: DataError) -> None:
        """Leave out the damaged round ``number``; the error again unless it is the newest."""
        path = self._path(f"tree-{number}.npz")
        if isinstance(error, _AnotherFile):
            raise error
        if self._path(f"tree-{number + 1}.npz").exists():
            raise DataError(
                f"{path} is damaged, and there are trees after it: put it back from a copy, or "
                f"remove it to go on from the {number} trees before it"
            ) from error
        self._tell(f"{path} is damaged: it is left out, and its tree is grown again")

    def _has_margins(self, count: int, session: str) -> bool:
        """Whether those after ``count`` rounds can be taken up; what is damaged is made again."""
        path = self._margins_path(count)
        if not path.exists():
            return False
        try:
            self.margins(count, session)
        except _AnotherFile:
            return True  # refused when it is taken up, if that comes to pass
        except DataError:
            self._tell(f"{path} is damaged: the margins are computed again from the trees")
            return False
        return True

    def save_margins(self, count: int, session: str, margins: Words) -> None:
        """Write the margins after ``count`` rounds; the last of them was grown in ``session``."""
        self._write_arrays(self._margins_path(count).name, {"margins": margins}, session)
        remove(self._margins_path(count - _KEPT_MARGINS))

    def save(self, count: int, newest: SavedRound) -> None:
        """Write round number ``count - 1``, after the margins that belong to it."""
        # What may be there is of fewer trees.
        remove(self._path(_ENDING))
        arrays = stacked(newest.trees) | {"metrics": np.array(newest.metrics, np.float64)}
        self._write_arrays(f"tree-{count - 1}.npz", arrays, newest.session)

    def save_ending(self, ending: Ending) -> None:
        """Write what was opened when the training had ended."""
        arrays: Arrays = {
            "per_cents": np.array(ending.importance, np.int64),
            "whole_auc": np.array(ending.whole_auc, np.float64),
        }
        self._write_arrays(_ENDING, arrays, "")

    def margins(self, count: int, session: str) -> Words:
        """The margins after ``count`` rounds, the last of which was grown in ``session``."""
        name = self._margins_path(count).name
        arrays, of_session = self._read_arrays(name)
        if of_session != session:
            raise _another_file(name)
        return _part(arrays, "margins", np.dtype(np.uint64), name)

    def cut(self, count: int) -> None:
        """Forget all rounds after the first ``count``, for good."""
        if self.is_finished and not self._path(f"tree-{count}.npz").exists():
            return
        self._check_unfinished()
        remove_parts(self._directory)
        self._remove(after=count)
        sync_directory(self._directory)

    def _ending(self) -> Ending:
        if not self._path(_ENDING).exists():
            return Ending()
        try:
            arrays, _ = self._read_arrays(_ENDING)
            per_cents = _part(arrays, "per_cents", np.dtype(np.int64), _ENDING)
            aucs = _part(arrays, "whole_auc", np.dtype(np.float64), _ENDING)
        except _AnotherFile:
            raise
        except DataError:
            self._tell(f"{self._path(_ENDING)} is damaged: what it has is opened again")
            return Ending()
        values = aucs.reshape(-1).tolist()
        return Ending(tuple(int(value) for value in per_cents.reshape(-1)), tuple(values))

    def _remove(self, after: int) -> None:
        # An ending is of all the trees that there are.
        if not after or self._path(f"tree-{after}.npz").exists():
            remove(self._path(_ENDING))
        for kind, first in (("tree", after), ("margins", after + 1)):
            for path in self._directory.glob(f"{kind}-*.npz"):
                number = path.stem.removeprefix(f"{kind}-")
                if number.isdigit() and int(number) >= first:
                    remove(path)

    def _state(self) -> TrainingState:
        about, packed = self._read("state.json")
        state = unpack_record(packed, "state.json", _STATE, FORMAT)
        if about not in (None, state.about("state.json")):
            raise _another_file("state.json")
        return state

    def _round(self, number: int, columns: int, outputs: int) -> SavedRound:
        name = f"tree-{number}.npz"
        arrays, session = self._read_arrays(name)
        metrics = _part(arrays, "metrics", np.dtype(np.float64), name)
        try:
            trees = tuple(unstacked(arrays, outputs, columns))
        except (ValueError, IndexError) as error:
            raise _damaged(name) from error
        return SavedRound(trees, session, tuple(float(value) for value in metrics.reshape(-1)))

    def _about(self, name: str) -> dict[str, str | int]:
        """The header that ``name`` must have, but for its session."""
        if self._training is None:
            self._training = self._state()
        return self._training.about(name)

    def _write_arrays(self, name: str, arrays: Arrays, session: str) -> None:
        about = self._about(name) | {"session": session}
        header = np.frombuffer(pack_json(about), np.uint8)
        self._write(name, pack_arrays(arrays | {"header": header}), about)

    def _read_arrays(self, name: str) -> tuple[Arrays, str]:
        """Arrays and session of a file that is the one its name says, of this training."""
        shown, content = self._read(name)
        arrays: Arrays = unpack_arrays(content, name)
        if "header" not in arrays:
            raise _damaged(name)
        about = unpack_json(arrays.pop("header").tobytes(), name)
        session = about.get("session")
        if not isinstance(session, str) or about != self._about(name) | {"session": session}:
            raise _another_file(name)
        if shown not in (None, about):
            raise _another_file(name)
        return arrays, session

    def _check_unfinished(self) -> None:
        if self.is_finished:
            raise UsageError(f"{self._directory} is of a finished run, which stays as it is")

    def _write(self, name: str, content: bytes, about: About) -> None:
        self._check_unfinished()
        write_whole(self._path(name), sealed_content(content, about, self._key))

    def _read(self, name: str) -> tuple[About | None, bytes]:
        """The header that an encrypted file shows (None of a plain one), and the content."""
        about, content = opened_content(read_own(self._path(name)), name, self._key)
        if about is not None and about.get("checkpoint") != name:
            raise _another_file(name)
        return about, content

    def _path(self, name: str) -> Path:
        return self._directory / name

    def _margins_path(self, count: int) -> Path:
        return self._path(f"margins-{count}.npz")


def _part(arrays: Arrays, part: str, kind: np.dtype[Any], name: str) -> NDArray[Any]:
    """Takes an array of this type out of a file's; DataError where there is none."""
    found = arrays.pop(part, None)
    if found is None or found.dtype != kind:
        raise _damaged(name)
    return found


def common_rounds(mine: Sequence[Any], theirs: Sequence[Any]) -> int:
    """Length of the longest common beginning of two lists of session ids."""
    for place, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if one != other:
            return place
    return min(len(mine), len(theirs))


class _AnotherFile(DataError):
    """A good file in the wrong place: somebody put it there, so nothing is done unasked."""


def _damaged(name: str) -> DataError:
    return DataError(f"{name} of the checkpoint is damaged: start anew")


def _another_file(name: str) -> DataError:
    return _AnotherFile(
        f"{name} of the checkpoint holds another file, of another run, side or tree: put the right "
        "one back, or start anew"
    )
