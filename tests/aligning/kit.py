"""A stand-in for the protocol, and two companies whose files hold different rows.

The stand-in shows all keys, so it protects nothing; what it returns, keeps in the store and refuses
is what the protocol does.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from securexgb.align.intersect import Intersection, Limits, Store
from securexgb.errors import DataError, UsageError
from securexgb.mpc.party import Party
from securexgb.terms.alignment import AlignTerms
from tests.processes.companies import SIDES, Companies

BUCKETS = 4
KEYS = ("pid",)


def in_the_clear(
    party: Party,
    keys: Sequence[bytes],
    limits: Limits,
    order_coin: bytes,
    *,
    store: Store | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Intersection:
    """See ``align.intersect.intersect``."""
    counts = [len(keys), int(party.exchange_bytes(str(len(keys)).encode()))]
    if max(counts) > limits.max_keys:
        raise UsageError(f"{party.role} party: too many keys")
    buckets: list[list[int]] = [[] for _ in range(BUCKETS)]
    for place, key in enumerate(keys):
        buckets[hashlib.sha256(key).digest()[0] % BUCKETS].append(place)
    common = []
    for number, places in enumerate(buckets):
        mark = hashlib.sha256(b"".join(keys[place] for place in places)).digest()
        kept = (None if store is None else store.load(number)) or b""
        bits = kept.removeprefix(mark) if kept.startswith(mark) else None
        ready = party.exchange_bytes(bytes([bits is not None]))
        if bits is None or not ready[0]:
            own = json.dumps([keys[place].hex() for place in places]).encode()
            theirs = set(json.loads(party.exchange_bytes(own)))
            bits = bytes(keys[place].hex() in theirs for place in places)
            if store is not None:
                store.save(number, mark + bits)
        if progress is not None:
            progress(number + 1, BUCKETS)
        common += [place for place, bit in zip(places, bits, strict=True) if bit]
    if len(common) < limits.min_common:
        raise DataError(f"{party.role} party: too few rows in common")
    common.sort(key=lambda place: hashlib.sha256(order_coin + keys[place]).digest())
    return Intersection(len(common), np.array(common, np.int64))


def two_files(
    companies: Companies, keys: Callable[[int], str] = "p{:04}ü".format, **align: Any
) -> None:
    """Each company's files in an order of its own, with rows that the other one lacks.

    Of each file's rows the bank drops the first fifth and the bureau the last; the keys, which have
    leading zeros and umlauts, take the place of the ids.
    """
    for number, name in enumerate(SIDES):
        for part in ("train", "test"):
            path = companies.root / name / f"{part}.csv"
            head, *lines = read(path)
            fifth = len(lines) // 5
            kept = lines[fifth:] if number == 0 else lines[:-fifth]
            order = np.random.default_rng(number).permutation(len(kept))
            write(
                path,
                [
                    ["pid", *head[1:]],
                    *([keys(int(kept[row][0][1:])), *kept[row][1:]] for row in order),
                ],
            )
    terms = {"keys": KEYS, "min_common": 10} | align
    companies.terms(*SIDES, id_column=None, align=AlignTerms.model_validate(terms))


def read(path: Any) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def write(path: Any, table: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(table)
