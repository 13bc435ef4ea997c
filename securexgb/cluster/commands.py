"""What a head tells its shards, and what they answer: the codec.

A message is a name, public or own numbers and texts, and arrays: a header in JSON, its length
before it, then the arrays' bytes one after the other. Both ends belong to one company; all the same
nothing in a message is trusted to have the right type, size or length, and nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from securexgb.arith.prg import KEY_BYTES
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.executor import Cuts
from securexgb.boost.splits.hidden import HiddenLevel
from securexgb.boost.splits.level import Level
from securexgb.boost.splits.owned import OwnedLevel
from securexgb.cluster.parts import ShardHandle
from securexgb.correlations.source import PadKeys
from securexgb.errors import MalformedFrame, UsageError
from securexgb.model.files import dump_half, parse_half
from securexgb.mpc.shared import Shared, SharedBits

Arrays = Sequence[NDArray[Any]]
MOST_BYTES = 1 << 31
_HEADER_BYTES = 1 << 16
_LENGTH_BYTES = 4
_KINDS = {name: np.dtype(name) for name in ("uint8", "uint64", "int64", "float64", "bool")}
_STRICT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, repr=False)
class Said:
    """A question or an answer: ``name`` says what of; ``seconds``: that an answer took."""

    name: str
    numbers: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    arrays: tuple[NDArray[Any], ...] = ()
    seconds: float = 0.0

    def array(self, place: int, kind: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
        """One array of this type and shape, or MalformedFrame."""
        if place >= len(self.arrays):
            raise _malformed(self.name)
        found = self.arrays[place]
        if found.dtype != np.dtype(kind) or found.shape != shape:
            raise _malformed(self.name)
        return found


@checked(frozen=True, config=_STRICT)
class _Header:
    name: str
    numbers: tuple[int, ...]
    texts: tuple[str, ...]
    arrays: tuple[tuple[str, tuple[NonNegativeInt, ...]], ...]
    seconds: float


_HEADER = TypeAdapter(_Header)


def pack(said: Said) -> bytes:
    """One message; UsageError where it is too large."""
    header = {
        "name": said.name,
        "numbers": said.numbers,
        "texts": said.texts,
        "arrays": [(array.dtype.name, array.shape) for array in said.arrays],
        "seconds": said.seconds,
    }
    head = json.dumps(header).encode()
    size = len(head) + sum(array.nbytes for array in said.arrays)
    if len(head) > _HEADER_BYTES or size > MOST_BYTES:
        raise UsageError(f"{size} bytes are too many for what a head and a shard tell each other")
    parts = [len(head).to_bytes(_LENGTH_BYTES, "little"), head]
    return b"".join([*parts, *(np.ascontiguousarray(array).tobytes() for array in said.arrays)])


def unpack(message: bytes) -> Said:
    """What a message says; MalformedFrame for what is none."""
    length = int.from_bytes(message[:_LENGTH_BYTES], "little")
    start = _LENGTH_BYTES + length
    if length > _HEADER_BYTES or start > len(message):
        raise _malformed("message")
    try:
        header = _HEADER.validate_json(message[_LENGTH_BYTES:start])
    except ValidationError as error:
        raise _malformed("message") from error
    arrays, rest = list[NDArray[Any]](), memoryview(message)[start:]
    for kind, shape in header.arrays:
        if kind not in _KINDS:
            raise _malformed(header.name)
        count = prod(shape)
        size = count * _KINDS[kind].itemsize
        if size > len(rest):
            raise _malformed(header.name)
        try:
            arrays.append(np.frombuffer(rest[:size], _KINDS[kind]).reshape(shape).copy())
        except ValueError as error:  # too many dimensions, or too large ones of an empty array
            raise _malformed(header.name) from error
        rest = rest[size:]
    if len(rest):
        raise _malformed(header.name)
    return Said(header.name, header.numbers, header.texts, tuple(arrays), header.seconds)


def answer_of(message: bytes, name: str) -> Said:
    """The answer to the question ``name``; MalformedFrame for one to another."""
    said = unpack(message)
    if said.name != name:
        raise _malformed(name)
    return said


def ask_all(shards: Sequence[ShardHandle], name: str, questions: Iterable[bytes]) -> list[Said]:
    """Every shard its question ``name``, packed, all at once; their answers by number."""
    for shard, question in zip(shards, questions, strict=True):
        shard.ask(question)
    return [answer_of(shard.answer(), name) for shard in shards]


def told_model(model: ModelHalf) -> NDArray[np.uint8]:
    """This party's half of a model, as an array."""
    return np.frombuffer(dump_half(model), np.uint8)


def model_of(said: Said) -> ModelHalf:
    """The same back: the half that a question comes with, its first array."""
    if not said.arrays or said.arrays[0].dtype != np.uint8:
        raise MalformedFrame(f"a head asks {said.name[:40]!r} without its model")
    return parse_half(said.arrays[0].tobytes(), "the model of the head")


def told_keys(keys: PadKeys | None) -> Arrays:
    """What pads are made of, as arrays; none where shards make products of their own."""
    if keys is None:
        return ()
    parts = (*keys.coins, keys.secrets)
    return (*(np.frombuffer(part, np.uint8) for part in parts), np.array([keys.noise_bits]))


def keys_of(said: Said, place: int) -> PadKeys | None:
    """The same back, from one place of the arrays on."""
    if len(said.arrays) == place:
        return None
    noise = int(said.array(place + 3, np.int64, (1,))[0])
    found = [said.arrays[at] for at in range(place, place + 3)]
    sizes = {part.size for part in found if part.dtype == np.uint8}
    if not sizes <= {0, KEY_BYTES} or not 0 <= noise < 64:
        raise _malformed(said.name)
    label, feature, secrets = (part.tobytes() for part in found)
    return PadKeys((label, feature), secrets, noise)


def told_level(level: Level) -> tuple[tuple[int, ...], Arrays]:
    """The splits of a level, as a party's head knows them, as numbers and arrays."""
    if isinstance(level, OwnedLevel):
        cuts = level.cuts
        return (0,), (level.owners, cuts.columns, cuts.cuts, cuts.missing_left, cuts.one_hot)
    if isinstance(level, HiddenLevel):
        return (1, level.tables.count, *level.features), (level.tables.words,)
    raise UsageError(f"a shard knows no {type(level).__name__}")


def level_of(said: Said) -> Level:
    """The same back, from the beginning of what was said."""
    if said.numbers[:1] == (0,) and said.arrays:
        shape = said.arrays[0].shape
        kinds = np.int64, np.int64, np.int64, np.bool_, np.bool_
        parts = [said.array(place, kind, shape) for place, kind in enumerate(kinds)]
        if len(shape) != 1 or not bool(np.isin(parts[0], (0, 1)).all()):
            raise _malformed(said.name)
        return OwnedLevel(parts[0], Cuts(*parts[1:]))
    if said.numbers[:1] == (1,) and len(said.numbers) == 4 and said.arrays:
        _, nodes, label, feature = said.numbers
        shape = label + feature, *said.arrays[0].shape[1:]
        words = said.array(0, np.uint64, shape)
        if words.ndim != 3 or min(nodes, label, feature) < 0 or words.shape[2] != -(-nodes // 64):
            raise _malformed(said.name)
        return HiddenLevel(SharedBits(words, nodes), (label, feature))
    raise _malformed(said.name)


def shared_of(said: Said, place: int, dimensions: int) -> Shared:
    """This party's share: an array of words of so many dimensions."""
    if place >= len(said.arrays) or said.arrays[place].ndim != dimensions:
        raise _malformed(said.name)
    return Shared(said.array(place, np.uint64, said.arrays[place].shape))


def _malformed(name: str) -> MalformedFrame:
    return MalformedFrame(f"what a head and its shard say of {name[:40]!r} is malformed")
