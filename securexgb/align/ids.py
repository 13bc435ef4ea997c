"""Checking that both sides hold the same rows in the same order, by their ids.

The ids of a job are known to both companies: that is a term of the job, for they
have exchanged a list of common customers before. This check neither finds common
rows nor hides ids from somebody who already has a list of them: each side sends
digests under a key that both have drawn for this job. What the other side can do with them
is try ids that it knows. Where all rows agree it learns nothing new; where they do
not, it can test guesses against the rows of one block, the first that differs. So
ids that must stay hidden from the other company need private set intersection,
which is not this.

What is sent: the number of rows; 16 bytes for every 1,024 rows; and only where
those differ, 16 bytes for each row of the first block that does. No id is sent and
none is put into an error message: each side names the number of its own row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from securexgb.errors import DataError
from securexgb.mpc.party import Party

__all__ = ["BLOCK_ROWS", "check_same_rows"]

BLOCK_ROWS = 1024
DIGEST_BYTES = 16
MOST_NAMED = 5


def check_same_rows(party: Party, ids: Sequence[str] | None, rows: int, column: str | None) -> None:
    """Both sides' rows are the same ones in the same order, or DataError at both.

    ``ids``: one text a row, None where the terms name no id column (then only the
    number of rows is compared). ``column``: the id column's name, for the message.
    """
    with party.step("rows"):
        key = party.coins.derive("row ids").key
        theirs = int.from_bytes(party.exchange_bytes(rows.to_bytes(8, "little")), "little")
        if theirs != rows:
            raise DataError(
                f"{party.role} party: this side has {rows} rows and the other side {theirs}: "
                f"both files must hold the same rows, in the same order{_by(column)}"
            )
        if ids is None:
            return
        blocks = [_digest(key, block) for block in _blocks(ids)]
        differing = _first_differences(blocks, _exchange(party, blocks))
        if not differing:
            return
        first = differing[0] * BLOCK_ROWS
        block = ids[first : first + BLOCK_ROWS]
        singles = [_digest(key, [value]) for value in block]
        wrong = _first_differences(singles, _exchange(party, singles))
        named = ", ".join(str(first + row + 1) for row in wrong[:MOST_NAMED])
        raise DataError(
            f"{party.role} party: the ids in column {column!r} differ from the other side's, "
            f"first in data row {named}{' and more' if len(wrong) > MOST_NAMED else ''}; both "
            "files must hold the same rows in the same order (aligning them is not built in yet)"
        )


def _by(column: str | None) -> str:
    return f" (compare their id column {column!r})" if column is not None else ""


def _blocks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), BLOCK_ROWS):
        yield ids[start : start + BLOCK_ROWS]


def _digest(key: bytes, values: Sequence[str]) -> bytes:
    """Keyed digest of a list of texts; lengths are hashed too, so no two lists read alike."""
    state = hashlib.blake2b(key=key, digest_size=DIGEST_BYTES)
    for value in values:
        content = value.encode()
        state.update(len(content).to_bytes(8, "little"))
        state.update(content)
    return state.digest()


def _exchange(party: Party, digests: Sequence[bytes]) -> list[bytes]:
    content = party.exchange_bytes(b"".join(digests))
    return [content[at : at + DIGEST_BYTES] for at in range(0, len(content), DIGEST_BYTES)]


def _first_differences(own: Sequence[bytes], theirs: Sequence[bytes]) -> list[int]:
    return [place for place, pair in enumerate(zip(own, theirs, strict=True)) if pair[0] != pair[1]]
