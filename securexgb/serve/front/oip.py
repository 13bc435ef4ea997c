"""The Open Inference Protocol, version 2: what a call says, and what is answered. No I/O.

A call is JSON whatever its Content-Type says. Clients may send an input's data behind the JSON,
which then has ``Inference-Header-Content-Length`` bytes: texts each with a length of four bytes,
numbers as little-endian words. Answers are always JSON, also where a client asks for binary ones:
the protocol allows it, and clients read both.

    {"id": "42",
     "inputs": [{"name": "key", "datatype": "BYTES", "shape": [2], "data": ["c7", "c8"]}],
     "parameters": {"reasons": true}}

``key``: one text a row, shape [n] or [n, 1]. ``base_margin``: one number a row (FP64 or FP32),
where the model begins with these and the caller has them at hand. Outputs:

    score    FP64 [n], or [n, classes]; null where a row has none, for JSON has no NaN
    status   BYTES [n]: "scored", or why not (``serve.parts.Status``)
    why      BYTES [n]: of a row without a score because of a budget, which; else empty
    reasons  BYTES [n, k]: where they are asked for: groups of columns, the strongest first

Who names outputs gets these alone. An error is {"error": "text"}, with any status, and repeats no
key.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from securexgb.errors import UsageError
from securexgb.serve.parts import Floats, Scores
from securexgb.terms.serving import MOST_ROWS

OUTPUTS = ("score", "status", "why", "reasons")
MOST_BYTES = 1 << 20
"""Of one call."""
_NUMBERS = {"FP64": "<f8", "FP32": "<f4"}
_LENGTH = struct.Struct("<I")
Json = Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Call:
    """What is asked: rows by key, and which outputs; ``outputs`` None: all that there are."""

    id: str | None
    keys: tuple[str, ...]
    base_margins: Floats | None
    reasons: bool
    outputs: tuple[str, ...] | None


def parse(body: bytes, json_bytes: str | None = None) -> Call:
    """A call's body; ``json_bytes``: its header Inference-Header-Content-Length, where it is there.
    UsageError for what is no call."""
    length = len(body) if json_bytes is None else _length(json_bytes, len(body))
    call, rest = _json(body[:length]), memoryview(body)[length:]
    inputs = call.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(one, dict) for one in inputs):
        raise UsageError('"inputs" must be a list of objects')
    found: dict[str, Any] = {}
    for given in inputs:
        name = given.get("name")
        if name not in ("key", "base_margin") or name in found:
            raise UsageError('inputs are "key" and, where the model has them, "base_margin", once')
        count = _count(given, name)
        size = _binary_size(given, name)
        if size is None:
            found[name] = _of_json(given, name, count)
        else:
            if size > len(rest):
                raise UsageError(f"input {name!r} has fewer binary bytes than it says")
            found[name] = _of_bytes(given, name, count, bytes(rest[:size]))
            rest = rest[size:]
    if len(rest):
        raise UsageError(f"{len(rest)} bytes behind the JSON belong to no input")
    if "key" not in found:
        raise UsageError('there is no input "key", which names the rows to score')
    margins = found.get("base_margin")
    if margins is not None and margins.size != len(found["key"]):
        raise UsageError('inputs "key" and "base_margin" have different numbers of rows')
    outputs = _outputs(call)
    reasons = _is_true(call, "reasons") or "reasons" in (outputs or ())
    return Call(_id(call), found["key"], margins, reasons, outputs)


def answer(call: Call, model: str, scores: Scores) -> dict[str, Any]:
    """The answer of a call to ``model``, as JSON may hold it."""
    rows = len(scores.statuses)
    made: dict[str, tuple[str, list[int], list[Any]]] = {
        "score": ("FP64", list(scores.values.shape), _numbers(scores.values)),
        "status": ("BYTES", [rows], list(scores.statuses)),
        "why": ("BYTES", [rows], [why or "" for why in scores.why]),
    }
    if scores.reasons is not None:
        most = max(map(len, scores.reasons), default=0)
        padded = [name for own in scores.reasons for name in (*own, *[""] * (most - len(own)))]
        made["reasons"] = ("BYTES", [rows, most], padded)
    wanted = tuple(made) if call.outputs is None else call.outputs
    told: dict[str, Any] = {"model_name": model, "model_version": scores.model}
    if call.id is not None:
        told["id"] = call.id
    told["outputs"] = [
        dict(zip(("name", "datatype", "shape", "data"), (name, *made[name]), strict=True))
        for name in wanted
        if name in made
    ]
    return told


def refusal(scores: Scores) -> str | None:
    """Why nothing is answered where budgets refuse every row: the first row's; else None."""
    if any(not status.startswith("budget") for status in scores.statuses):
        return None
    is_here = scores.statuses[0] == "budget here"
    side = "this side" if is_here else "the other side"
    return scores.why[0] or f"a budget of {side} is used up"


def about_model(name: str, versions: Sequence[str], classes: int, has_margins: bool) -> Json:
    """A model's metadata; ``classes``: scores a row."""
    inputs = [{"name": "key", "datatype": "BYTES", "shape": [-1]}]
    if has_margins:
        inputs.append({"name": "base_margin", "datatype": "FP64", "shape": [-1]})
    shape = [-1] if classes == 1 else [-1, classes]
    outputs = [{"name": "score", "datatype": "FP64", "shape": shape}]
    outputs += [{"name": named, "datatype": "BYTES", "shape": [-1]} for named in OUTPUTS[1:3]]
    return {
        "name": name,
        "versions": list(versions),
        "platform": "securexgb",
        "inputs": inputs,
        "outputs": outputs,
    }


def dumped(content: Json) -> bytes:
    """Strict JSON."""
    return _ENCODER.encode(content).encode()


def _numbers(values: Floats) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.ravel().tolist()]


def _length(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > most:
        raise UsageError("Inference-Header-Content-Length is no number of bytes of this body")
    return int(text)


def _refuse(word: str) -> None:
    raise UsageError(f"{word} is no JSON: a missing value is null")


_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _json(content: bytes) -> Json:
    try:
        call = _DECODER.decode(content.decode("utf-8-sig"))
    except UsageError:
        raise
    except (ValueError, RecursionError):
        raise UsageError("the body is no JSON") from None
    if not isinstance(call, dict):
        raise UsageError("the body must be a JSON object")
    return call


def _id(call: Json) -> str | None:
    found = call.get("id")
    if found is not None and not (isinstance(found, str) and _is_text(found)):
        raise UsageError('"id" must be text')
    return found


def _outputs(call: Json) -> tuple[str, ...] | None:
    wanted = call.get("outputs")
    if not wanted:
        if wanted not in (None, []):
            raise UsageError('"outputs" must be a list of objects')
        return None
    is_list = isinstance(wanted, list) and all(isinstance(one, dict) for one in wanted)
    names = [one.get("name") for one in wanted] if is_list else [None]
    if not all(name in OUTPUTS for name in names):
        raise UsageError(f"outputs are {', '.join(OUTPUTS)}: one that is asked for is none of them")
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def _is_true(call: Json, name: str) -> bool:
    said = call.get("parameters")
    found = said.get(name, False) if isinstance(said, dict) else False
    if not isinstance(found, bool):
        raise UsageError(f"the parameter {name!r} must be true or false")
    return found


def _count(given: Json, name: str) -> int:
    """How many rows an input has, by its shape."""
    shape, kind = given.get("shape"), given.get("datatype")
    is_fit = (
        isinstance(shape, list)
        and all(type(length) is int for length in shape)
        and (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1))
    )
    if not is_fit or not isinstance(shape, list):
        raise UsageError(f"input {name!r} must have the shape [n] or [n, 1]")
    if not 1 <= shape[0] <= MOST_ROWS:
        raise UsageError(f"a call has 1 to {MOST_ROWS} rows: input {name!r} has {shape[0]}")
    kinds = ("BYTES",) if name == "key" else tuple(_NUMBERS)
    if kind not in kinds:
        raise UsageError(f"input {name!r} must have the datatype {' or '.join(kinds)}")
    return int(shape[0])


def _binary_size(given: Json, name: str) -> int | None:
    said = given.get("parameters")
    size = said.get("binary_data_size") if isinstance(said, dict) else None
    if size is not None and (type(size) is not int or size < 0):
        raise UsageError(f"binary_data_size of input {name!r} must be a number of bytes")
    return size


def _of_json(given: Json, name: str, count: int) -> tuple[str, ...] | Floats:
    data = given.get("data")
    if not isinstance(data, list):
        raise UsageError(f"input {name!r} has no list of data")
    if data and all(isinstance(row, list) and len(row) == 1 for row in data):
        data = [row[0] for row in data]
    if len(data) != count:
        raise UsageError(f"input {name!r} has {len(data)} data, and its shape says {count}")
    if name == "key":
        return tuple(_key(key) for key in data)
    if not all(isinstance(value, (int, float)) and type(value) is not bool for value in data):
        raise UsageError("every base margin must be a number: each row begins with one")
    try:
        return _finite(np.array([float(value) for value in data]))
    except OverflowError:
        raise UsageError("every base margin must be finite") from None


def _of_bytes(given: Json, name: str, count: int, content: bytes) -> tuple[str, ...] | Floats:
    if "data" in given:
        raise UsageError(f"input {name!r} has data both as JSON and as bytes")
    if name == "key":
        return _texts(content, count)
    kind = _NUMBERS[given["datatype"]]
    if len(content) != count * np.dtype(kind).itemsize:
        raise UsageError(f"input {name!r} has {len(content)} bytes, which its shape does not take")
    return _finite(np.frombuffer(content, kind).astype(np.float64))


def _texts(content: bytes, count: int) -> tuple[str, ...]:
    """Texts one after another, each with its length before it."""
    texts, at = list[str](), 0
    while at < len(content):
        if at + _LENGTH.size > len(content):
            break
        (length,) = _LENGTH.unpack_from(content, at)
        at += _LENGTH.size + length
        if at > len(content):
            break
        try:
            texts.append(_key(content[at - length : at].decode()))
        except UnicodeDecodeError:
            raise UsageError("a key is not UTF-8") from None
    if at != len(content) or len(texts) != count:
        raise UsageError("the bytes of input 'key' are not as many texts as its shape says")
    return tuple(texts)


def _key(text: object) -> str:
    if not isinstance(text, str) or not _is_text(text):
        raise UsageError("every key must be text")
    if not text:
        raise UsageError("every key must be text that is not empty")
    return text


def _is_text(text: str) -> bool:
    """Whether it can be written: JSON's escapes make halves of characters."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _finite(values: Floats) -> Floats:
    if not np.isfinite(values).all():
        raise UsageError("every base margin must be finite")
    return values
