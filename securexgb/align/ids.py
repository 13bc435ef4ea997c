"""Checking that both sides hold the same rows in the same order, by their ids.

The ids of a job are known to both companies: that is a term of the job, for they
have exchanged a list of common customers before. This check neither finds common
rows nor hides ids from somebody who already has a list of them. What it does is to tell
as little as it can where the lists turn out to be different ones.

Each side sends digests under a key that both have drawn for this check, from the system's
randomness even where the job's public coins are seeded. First one digest of all ids: where
the two agree that is all, one bit. Only where they do not, one digest a step of the first half
of what is known to differ, down to a block of 512 to 1,023 rows (all rows, where there are
fewer than 1,024): one bit more a step.

A digest can be tried against guesses, because both sides know the key. So none is ever taken
of less than 512 rows, unless the whole table has less: who guesses must guess hundreds of
ids at once, in their order. A digest of one row would give away every id that comes from a list or
has few digits. Who knows all ids of a block but one or two can still find these; ids that must
stay hidden from the other company need private set intersection, which is not this.

No id is sent and none is put into an error message: it names the block, the same at both sides.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from securexgb.errors import DataError, MalformedFrame
from securexgb.mpc.party import Party

LEAST_ROWS = 512
"""Rows of the smallest block that a digest is taken of, unless the table has fewer."""
DIGEST_BYTES = 16
_COUNT_BYTES = 8
_NONCE_BYTES = 32


def check_same_rows(party: Party, ids: Sequence[str] | None, rows: int, column: str | None) -> None:
    """Both sides' rows are the same ones in the same order, or DataError at both.

    ``ids``: one text a row, None where the terms name no id column (then only the
    number of rows is compared). ``column``: the id column's name, for the message.
    """
    with party.step("rows"):
        nonce = secrets.token_bytes(_NONCE_BYTES if ids is not None else 0)
        message = rows.to_bytes(_COUNT_BYTES, "little") + nonce
        received = _exchange(party, message)
        theirs = int.from_bytes(received[:_COUNT_BYTES], "little")
        if theirs != rows:
            raise DataError(
                f"{party.role} party: this side has {rows} rows and the other side {theirs}: "
                f"both files must hold the same rows, in the same order{_by(column)}"
            )
        if ids is None:
            return
        nonces = (nonce, received[_COUNT_BYTES:])[:: 1 - 2 * party.rank]
        key = hashlib.sha256(b"securexgb row ids" + b"".join(nonces)).digest()
        if _agree(party, key, ids):
            return
        first, end = _first_block_that_differs(party, key, ids)
        raise DataError(
            f"{party.role} party: the ids in column {column!r} differ from the other side's, "
            f"first between data rows {first + 1} and {end}; both files must hold the same rows in "
            "the same order (`securexgb align` finds and orders them, where the terms name keys)"
        )


def _by(column: str | None) -> str:
    return f" (compare their id column {column!r})" if column is not None else ""


def _first_block_that_differs(party: Party, key: bytes, ids: Sequence[str]) -> tuple[int, int]:
    """The range of its rows, 512 to 1,023 of them, or all where there are fewer."""
    first, end = 0, len(ids)
    while end - first >= 2 * LEAST_ROWS:
        middle = (first + end) // 2
        if _agree(party, key, ids[first:middle]):
            first = middle
        else:
            end = middle
    return first, end


def _agree(party: Party, key: bytes, block: Sequence[str]) -> bool:
    """Whether both sides have these ids; one digest each way."""
    own = _digest(key, block)
    return own == _exchange(party, own)


def _digest(key: bytes, values: Sequence[str]) -> bytes:
    """Keyed digest of a list of texts; lengths are hashed too, so no two lists read alike."""
    state = hashlib.blake2b(key=key, digest_size=DIGEST_BYTES)
    for value in values:
        content = value.encode()
        state.update(len(content).to_bytes(8, "little"))
        state.update(content)
    return state.digest()


def _exchange(party: Party, message: bytes) -> bytes:
    """One round; the other side's message has this one's length."""
    received = party.exchange_bytes(message)
    if len(received) != len(message):
        raise MalformedFrame("the other side's message about its rows has a wrong length")
    return received
