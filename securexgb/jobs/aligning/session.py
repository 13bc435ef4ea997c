"""Aligning one set with the other side: agree on what is aligned, find the common rows, keep them.

    agree       set, mode, counts, order coin, what either side has already: one message each way
    coin        only where the two have none together: drawn by both (``federation.coins``)
    intersect   the protocol, ``align.intersect``; finished buckets are kept
    compare     a digest of the common keys in their order: equal, or nothing is kept
    keep        the files, then one message each way: both have them

With ``resume`` at both sides what both have is used: all buckets that are finished at both, or the
alignment itself where both have it. Either way the order is the same, for it follows from
the keys and the order coin alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from securexgb.align.intersect import CommonSize, Intersection, Limits, count_common, intersect
from securexgb.align.row_keys import Keys, order_check, order_marks
from securexgb.errors import (
    DataError,
    MalformedFrame,
    ProtocolDesync,
    SecureXGBError,
    UsageError,
)
from securexgb.federation.coins import draw_coins
from securexgb.federation.session import Federation
from securexgb.jobs.aligning.buckets import Buckets
from securexgb.jobs.aligning.kept import (
    Aligned,
    Record,
    load,
    log_event,
    read_coin,
    rows_sha256,
    save,
    set_path,
    times_begun,
    why_unfit,
    write_coin,
)
from securexgb.jobs.ledgers import add_ledgers
from securexgb.jobs.runs import timestamp
from securexgb.mpc.party import Party
from securexgb.terms.alignment import AlignTerms

Mode = Literal["members", "size"]


def _nobody(_: str) -> None:
    pass


def _nothing(_: int, __: int) -> None:
    pass


@dataclass(frozen=True, repr=False)
class Source:
    """What this side puts in: its keys, and the file that they are from (empty: a table)."""

    data_set: str
    keys: Keys
    file: str = ""
    file_sha256: str = ""


@dataclass(frozen=True)
class Watching:
    """Who is told on the way: sentences for people, and finished buckets of all."""

    tell: Callable[[str], None] = _nobody
    progress: Callable[[int, int], None] = _nothing


@dataclass(frozen=True)
class _Offer:
    """One side's message; ``coin``: digest of its order coin; ``done``: the order that it ended
    with; empty where it has none, or begins anew."""

    data_set: str
    mode: Mode
    keys: NonNegativeInt
    coin: str
    done: str = ""


_OFFER = TypeAdapter(_Offer)


@dataclass(eq=False)
class Alignment:
    """One set at this side, in a session with the other."""

    party: Party
    federation: Federation
    source: Source
    resume: bool = False
    watching: Watching = field(default_factory=Watching)

    def run(self) -> Aligned:
        """Find the common rows and keep them; both sides call it alike.

        Raises UsageError at both where the sides do not align the same set in the same way, or a
        side has more rows than the terms allow, and DataError where too few are in common.
        """
        with self.party.step("align"), self._failure_logged():
            older = self._older()
            mine, theirs = self._agree("members", older)
            if mine.done and mine.done == theirs.done and older is not None:
                self.watching.tell("both sides have this alignment already")
                return older
            coin = self._coin(mine, theirs)
            self.watching.tell(f"{mine.keys:,} rows here, {theirs.keys:,} at the other side")
            self._warn_before(older)
            self._log("aligning", keys=mine.keys, peer_keys=theirs.keys)
            found = self._found(coin)
            aligned = self._aligned(found, coin, theirs.keys)
            self._compare(aligned)
            save(self._folder, aligned)
            self._log("aligned", common=found.common, ledger=self.party.ledger.rows())
            with self.party.step("kept"):
                self.party.exchange_bytes(b"")
        self._work.clear()
        self._warn_after(older, aligned)
        return aligned

    def _found(self, coin: bytes) -> Intersection:
        """What both have; where that is refused, as too little, no part of it stays on the disk."""
        bounds, values = limits(self._terms), self.source.keys.values
        progress = self.watching.progress
        try:
            return intersect(
                self.party, values, bounds, coin, store=self._buckets(), progress=progress
            )
        except DataError:
            self._work.clear()
            raise

    def _older(self) -> Aligned | None:
        """The alignment of this set that is here; a damaged one is made anew."""
        if not self._has_older():
            return None
        try:
            return load(self._folder, self.source.data_set)
        except DataError as error:
            self.watching.tell(f"what was kept is of no use, and is made anew ({error})")
            return None

    def count(self, *, exact: bool) -> tuple[int, int, CommonSize]:
        """A dry run: how many keys this side has and the other one, and how many are in common,
        of a sample unless ``exact``. Nothing is kept."""
        with self.party.step("align"), self._failure_logged():
            mine, theirs = self._agree("size", None)
            self._log("counting", keys=mine.keys, peer_keys=theirs.keys)
            bounds, values = limits(self._terms), self.source.keys.values
            found = count_common(self.party, values, bounds, sample=not exact)
            self._log("counted", common=found.common, ledger=self.party.ledger.rows())
            return mine.keys, theirs.keys, found

    @property
    def _terms(self) -> AlignTerms:
        return align_terms(self.federation)

    @property
    def _folder(self) -> Path:
        return self.federation.config.aligned_directory

    @property
    def _work(self) -> Buckets:
        return Buckets(set_path(self._folder, self.source.data_set, ".buckets"))

    def _has_older(self) -> bool:
        return set_path(self._folder, self.source.data_set, ".json").exists()

    def _agree(self, mode: Mode, older: Aligned | None) -> tuple[_Offer, _Offer]:
        digest = _digest(read_coin(self._folder, self.federation.peer_name))
        done = older is not None and self._is_done(older, digest)
        mine = _Offer(
            data_set=self.source.data_set,
            mode=mode,
            keys=len(self.source.keys.values),
            coin=digest,
            done=older.record.order_sha256 if self.resume and done and older is not None else "",
        )
        theirs = _parsed(self.party.exchange_bytes(json.dumps(asdict(mine)).encode()))
        for what, here, there in (
            ("set", mine.data_set, theirs.data_set),
            ("mode", mine.mode, theirs.mode),
        ):
            if here != there:
                raise UsageError(
                    f"{self.party.role} party: the {what} to align is {here!r} here and "
                    f"{there[:80]!r} at the other side: type the same command at both sides"
                )
        return mine, theirs

    def _is_done(self, older: Aligned, coin: str) -> bool:
        record, source = older.record, self.source
        return (
            why_unfit(self.federation, record) is None
            and record.coin_sha256 == coin
            and (record.keys_sha256, record.file_sha256) == (source.keys.sha256, source.file_sha256)
        )

    def _coin(self, mine: _Offer, theirs: _Offer) -> bytes:
        """The order coin that both have, or a new one."""
        folder, peer = self._folder, self.federation.peer_name
        kept = read_coin(folder, peer)
        if kept is not None and mine.coin == theirs.coin:
            return kept
        drawn = draw_coins(self.party.channel, self.party.rank, self.federation.terms.full_digest)
        write_coin(folder, peer, drawn.key)
        return drawn.key

    def _buckets(self) -> Buckets:
        """Where finished buckets are; those of earlier alignments only to go on with."""
        work = self._work
        if not self.resume:
            work.clear()
        elif work.is_empty:
            self.watching.tell("nothing is there to go on with: from the start")
        return work

    def _aligned(self, found: Intersection, coin: bytes, peer_keys: int) -> Aligned:
        source, keys = self.source, self.source.keys
        common = [keys.values[place] for place in found.rows]
        rows = keys.rows[found.rows]
        record = Record(
            data_set=source.data_set,
            time=timestamp(),
            peer=self.federation.peer_name,
            file=source.file,
            file_sha256=source.file_sha256,
            keys_sha256=keys.sha256,
            job=self.federation.terms.full_digest,
            align_sha256=self._terms.sha256,
            rows=keys.count,
            keys=len(keys.values),
            peer_keys=peer_keys,
            common=found.common,
            dry_runs=self._begun("counting"),
            attempts=self._begun("aligning"),
            coin_sha256=_digest(coin),
            order_sha256=order_check(coin, common),
            rows_sha256=rows_sha256(rows),
        )
        return Aligned(record, rows, order_marks(coin, common))

    def _compare(self, aligned: Aligned) -> None:
        mine = aligned.record.order_sha256
        if self.party.exchange_bytes(mine.encode()) != mine.encode():
            raise ProtocolDesync(
                f"{self.party.role} party: the two sides ended with different rows in common, so "
                "nothing is kept: start `securexgb align` again at both sides"
            )

    def _warn_before(self, older: Aligned | None) -> None:
        if older is not None and older.record.keys_sha256 != self.source.keys.sha256:
            self.watching.tell(
                "this set was aligned before, with other rows: both sides will see which rows "
                "have come to those in common, and which have gone"
            )

    def _warn_after(self, older: Aligned | None, aligned: Aligned) -> None:
        if older is None:
            return
        if older.record.coin_sha256 != aligned.record.coin_sha256:
            self.watching.tell(
                f"the order is another one than on {older.record.time[:10]}: how many rows came or "
                "went since then is not counted"
            )
            return
        changed, least = _changed(older, aligned), self._terms.min_common
        if 0 < changed < least:
            self.watching.tell(
                f"warning: {changed:,} rows differ from what was in common on "
                f"{older.record.time[:10]}, fewer than min_common ({least:,}): each side now knows "
                "of these few people that they came or went at the other; align seldom, and after "
                "many changes"
            )

    @contextmanager
    def _failure_logged(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            with suppress(SecureXGBError):  # the first error counts, and the disk may be full
                ledger = self.party.ledger
                opened = add_ledgers(ledger.settled_rows(), ledger.rows_in_work())
                self._log("failed", kind=type(error).__name__, ledger=opened)
            raise

    def _log(self, event: str, **facts: Any) -> None:
        log_event(self._folder, event, self.source.data_set, self.federation.peer_name, facts)

    def _begun(self, event: str) -> int:
        return times_begun(self._folder, event, self.source.data_set, self.federation.peer_name)


def align_terms(federation: Federation) -> AlignTerms:
    """The terms' alignment; UsageError where they have none."""
    terms = federation.terms.align
    if terms is None:
        raise UsageError("the terms have no table [align]: agree on its keys first")
    return terms


def limits(terms: AlignTerms) -> Limits:
    """The bounds of the terms, as the protocol takes them."""
    return Limits(terms.min_common, terms.max_keys)


def _changed(older: Aligned, newer: Aligned) -> int:
    """How many keys are in common in one of the two alone."""
    return int(np.setxor1d(older.marks, newer.marks).size)


def _digest(coin: bytes | None) -> str:
    return "" if coin is None else hashlib.sha256(b"securexgb order coin" + coin).hexdigest()


def _parsed(payload: bytes) -> _Offer:
    try:
        return _OFFER.validate_json(payload)
    except ValidationError as error:
        raise MalformedFrame("the other side's message about its alignment is malformed") from error
