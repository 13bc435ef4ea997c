"""Aligning tables in memory, as an estimator's: the same protocol, terms and files as for a file.

A table has no bytes to be known again by, so its alignment fits where its keys are the same ones in
the same order. What `securexgb align` found of a file therefore serves a table read from it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np

from securexgb.align.row_keys import KeyColumn, Keys, RowNumbers, make_keys
from securexgb.errors import DataError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.aligning.kept import Aligned, find_keys
from securexgb.jobs.aligning.session import Alignment, Source, Watching, align_terms
from securexgb.jobs.alignment import Named
from securexgb.jobs.data.ids import different_ids, in_file, joined_ids
from securexgb.jobs.prediction import Predictor, Reals
from securexgb.jobs.rows import Rows
from securexgb.mpc.party import Party

_log = logging.getLogger(__name__)
_TAKEN = (str, int, np.integer, date)


def aligns(federation: Federation | None, align: bool | None) -> bool:
    """Whether tables are to be aligned: as the terms say, unless ``align`` is False."""
    terms = None if federation is None else federation.terms.align
    if align and terms is None:
        raise UsageError("align=True is for a federation whose terms have a table [align]")
    return terms is not None and align is not False


def own_ids(
    federation: Federation | None, X: Any, ids: Any, align: bool | None
) -> tuple[Any, tuple[str, ...] | None, Keys | None]:
    """A caller's table without the columns of its ids and keys, and these as text: given apart or
    in the table; keys only where tables are aligned, see ``aligns``.

    None where the terms ask for none. UsageError where they ask for ids and none are here, or
    ids are given that nobody would compare; DataError where these are not one id a row.
    """
    if federation is None or not federation.id_columns:
        aligns(federation, align)
        if ids is not None:
            raise UsageError(
                "ids are for a federation whose terms name an id_column: nobody would compare these"
            )
        return X, None, None
    has_keys = aligns(federation, align)
    side, names = federation.config.name, federation.id_columns
    needed = tuple(dict.fromkeys((*names, *federation.key_columns)))
    X, found = _taken_out(X, needed)
    if ids is not None:
        if len(names) > 1:
            raise UsageError(
                f"{side}: ids are several columns here, {', '.join(names)}: let X be a table with "
                "these"
            )
        if names[0] in found:
            raise UsageError(f"{side}: ids are given, and X has a column {names[0]!r}: give one")
        found[names[0]] = list(ids)
    absent = [name for name in (needed if has_keys else names) if name not in found]
    if absent:
        kind = "id" if absent[0] in names else "key"
        raise UsageError(
            f"{side}: the terms name the {kind} column {absent[0]!r}, by which both sides know "
            "their rows: pass ids= (eval_set_ids=), one a row, or tables with a column "
            f"{absent[0]!r}"
        )
    texts = {name: _texts(values, name, side) for name, values in found.items()}
    where = f"{side}: id column {', '.join(map(repr, names))}"
    own = tuple(joined_ids([texts[name] for name in names]))
    if not has_keys:
        return X, different_ids(own, where), None
    return X, own, _keys(federation, texts)


def align_tables(
    party: Party, federation: Federation, sets: Sequence[tuple[str, Rows]]
) -> list[tuple[Rows, RowNumbers]]:
    """Of each table the rows that both sides have, in the common order, and their numbers from 0.

    An alignment that both sides have of the same keys is used again, else one is made and kept.
    """
    done = []
    for name, rows in sets:
        if rows.keys is None:
            raise UsageError(f"{name} comes without the keys that the terms align by")
        with party.step(name):
            found = _known(party, federation, name, rows.keys)
            if found is None:
                watching = Watching(_log.warning)
                found = Alignment(
                    party, federation, Source(name, rows.keys), watching=watching
                ).run()
        places = found.rows
        taken = replace(rows.take(places.astype(np.intp)), aligned=found.record.shown)
        if taken.ids is not None:
            different_ids(taken.ids, f"{federation.config.name}: the ids", in_file(places))
        done.append((taken, places))
    return done


def align_training(
    party: Party, federation: Federation, train: Rows, evals: Named
) -> tuple[Rows, Named]:
    """Training rows and evaluation sets, aligned where they come with keys."""
    if train.keys is None:
        return train, evals
    sets = [("train", train), *((f"eval.{name}", rows) for name, rows in evals)]
    first, *others = [rows for rows, _ in align_tables(party, federation, sets)]
    return first, [(name, rows) for (name, _), rows in zip(evals, others, strict=True)]


def aligned_margins(predictor: Predictor, federation: Federation, rows: Rows) -> Reals | None:
    """Margins in the order of ``rows``; where these come with keys they are aligned first, and
    those that the other side lacks have NaN."""
    if rows.keys is None:
        return predictor.margins(rows)
    ((common, places),) = align_tables(predictor.party, federation, [("predict", rows)])
    found = predictor.margins(common)
    if found is None:
        return None
    margins = np.full((rows.count, *found.shape[1:]), np.nan)
    margins[places] = found
    return margins


def _known(party: Party, federation: Federation, name: str, keys: Keys) -> Aligned | None:
    """The alignment of these keys that both sides have."""
    found = find_keys(federation, keys, name)
    mine = b"" if found is None else found.record.order_sha256.encode()
    theirs = party.exchange_bytes(mine)
    return found if mine and mine == theirs else None


def _keys(federation: Federation, texts: Mapping[str, Sequence[str]]) -> Keys:
    terms = align_terms(federation)
    pairs = zip(terms.keys, federation.key_columns, strict=True)
    columns = [KeyColumn(own, texts[own], terms.steps(agreed)) for agreed, own in pairs]
    return make_keys(columns, federation.config.name, terms.duplicates)


def _taken_out(X: Any, names: Sequence[str]) -> tuple[Any, dict[str, list[Any]]]:
    """A table without these columns, and those of them that it has."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return X, {}
    there = [name for name in names if name in frame.columns]
    if not there:
        return X, {}
    return frame.drop(*there).to_native(), {name: frame[name].to_list() for name in there}


def _texts(values: Sequence[Any], name: str, side: str) -> list[str]:
    if not all(isinstance(value, _TAKEN) for value in values):
        raise DataError(
            f"{side}: the ids {name!r} must be texts or whole numbers; a number with a point is "
            "another text at the other side, so read the column as text"
        )
    return [str(value) for value in values]
