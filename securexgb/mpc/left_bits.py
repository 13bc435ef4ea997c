"""Which rows a hidden split sends left: private bins looked up in shared tables, in shares.

At a node v each side P has a table u_P of bits, one for each of its columns and bins, in shares
x ^ y of P and of the other side Q: whether the split sends rows of that bin left. At most one
column of either side has a bit that is set, so a row goes left where the exclusive or of its bins'
entries, over all columns of both sides, is one. With P's one-hot matrix of bins M that is
M u = M x ^ M y. P looks up x by itself. Of M y a **row correlation** takes care, made before u is
known (``offline.rows.row_bits``): Q has uniform bits b and z_Q, P has z_P, and z_P ^ z_Q = M b.
Q sends d = y ^ b, uniform, P looks up x ^ d, and

    (M (x ^ d) ^ z_P) ^ z_Q = M (x ^ y ^ b) ^ M b = M u.

One message of a bit for each entry and node, whatever the rows; each b serves one node.

Looking up addresses memory by own bins, as adding up by bins does (``matrix``); nothing else
depends on data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from securexgb.arith.bits import pack_bits, transposed, unpack_bits, words_per
from securexgb.correlations.counting import Budget
from securexgb.correlations.rows import FixedRowBits, RowShape
from securexgb.errors import UsageError
from securexgb.mpc.matrix import Buckets
from securexgb.mpc.padding import pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import SharedBits, Words


class OwnBins(Protocol):
    """One party's bins, wherever its rows lie; it exchanges nothing."""

    def lookups(self, tables: Words) -> Words:
        """The xor over features of the entries of each row's bins.

        ``tables``: words (features, bins, w). Returns (w, rows).
        """


def register_rows(party: Party, shape: RowShape, own: Buckets, nodes: int, rounds: int) -> None:
    """Fix both parties' rows for a job: ``own`` (rows, features) bin indices.

    ``nodes``: of a round of trees; ``rounds``: so many at most.
    """
    if party.ideal is None:
        party.source.row_bits.register(shape, own, nodes, rounds)


def left_bits_cost(shape: RowShape, nodes: int) -> Cost:
    """Cost of ``left_bits`` for so many nodes."""
    label, feature = (words_per(entries * nodes) for entries in shape.entries)
    # Each side sends bits for the other one's table.
    return Cost(1, feature, label, Budget(row_nodes=nodes))


def _ideal(
    shape: RowShape, label: OwnBins, feature: OwnBins, of_label: SharedBits, of_feature: SharedBits
) -> SharedBits:
    found = _looked_up(label, of_label) ^ _looked_up(feature, of_feature)
    return _by_node(found, of_label.count, shape.rows)


@protocol(
    cost=lambda shape, label, feature, of_label, of_feature: left_bits_cost(shape, of_label.count),
    opens="y ^ b, uniform",
    source="docs/protocols.md, hidden splits",
    ideal=_ideal,
)
def left_bits(
    party: Party,
    shape: RowShape,
    label: OwnBins | None,
    feature: OwnBins | None,
    of_label: SharedBits,
    of_feature: SharedBits,
) -> SharedBits:
    """Whether each row goes left at each node: (nodes, rows).

    ``label`` and ``feature``: the rows' bins, at their owner only, as they were registered.
    ``of_label``, ``of_feature``: tables (features, bins, nodes) of each side's columns.
    """
    own = (label, feature)[party.rank]
    if own is None:
        raise UsageError("left bits need the own bins of the rows at each party")
    nodes = of_label.count
    made = party.source.row_bits.take(nodes)
    mine, theirs = (of_label, of_feature)[:: 1 - 2 * party.rank]
    flips = theirs.flags().reshape(-1, nodes) ^ made.masks
    expect = mine.words.shape[0] * mine.words.shape[1] * nodes
    received = party.exchange(pack_filled(party, flips.reshape(-1)), expect=words_per(expect))
    opened = unpack_bits(received, expect).reshape(*mine.shape)
    found = _looked_up(own, mine ^ SharedBits(pack_bits(opened), nodes))
    return _by_node(found, nodes, shape.rows) ^ SharedBits(made.shares, shape.rows)


class FixedTables:
    """Tables whose rows come later, as often as asked: of the model in a session of predictions.

    Q puts y itself in the place of b, so nothing is sent for a look-up but what the correlation
    takes. Both parties make one alike.
    """

    def __init__(self, party: Party, shape: RowShape, tables: SharedBits) -> None:
        """``tables``: (features of both sides, bins, nodes); ``shape`` has about so many rows as
        will be looked up."""
        self._shape, label = shape, shape.features[0]
        self._of_label, self._of_feature = tables[:label], tables[label:]
        self._made: FixedRowBits | None = None
        if party.ideal is None:
            theirs = self._of_feature if party.rank == 0 else self._of_label
            flags = theirs.flags().reshape(-1, tables.count)
            self._made = party.source.row_bits.fix(shape, flags)

    def left_bits(self, party: Party, own: OwnBins, bins: Buckets) -> SharedBits:
        """Whether each row goes left at each node: (nodes, rows); ``bins`` (rows, features)."""
        shape = replace(self._shape, rows=bins.shape[0])
        label, feature = (own, None) if party.rank == 0 else (None, own)
        made = None if self._made is None else self._made.shares(bins)
        shares = None if made is None else SharedBits(made, shape.rows)
        of_label, of_feature = self._of_label, self._of_feature
        return _fixed_left_bits(party, shape, label, feature, of_label, of_feature, shares)


def _ideal_fixed(
    shape: RowShape,
    label: OwnBins,
    feature: OwnBins,
    of_label: SharedBits,
    of_feature: SharedBits,
    _shares: None,
) -> SharedBits:
    return _ideal(shape, label, feature, of_label, of_feature)


@protocol(
    cost=lambda *_: Cost(),
    opens="nothing",
    source="docs/protocols.md, hidden splits",
    ideal=_ideal_fixed,
)
def _fixed_left_bits(
    party: Party,
    shape: RowShape,
    label: OwnBins | None,
    feature: OwnBins | None,
    of_label: SharedBits,
    of_feature: SharedBits,
    shares: SharedBits | None,
) -> SharedBits:
    """The same with ``shares`` of M y of both sides, (nodes, rows); see ``left_bits``."""
    own, mine = (label, of_label) if party.rank == 0 else (feature, of_feature)
    if own is None or shares is None:
        raise UsageError("left bits need the own bins of the rows at each party")
    return _by_node(_looked_up(own, mine), mine.count, shape.rows) ^ shares


def _looked_up(own: OwnBins, table: SharedBits) -> Words:
    """A bit a node for each row, 64 nodes to a word: (words, rows)."""
    return own.lookups(table.words)


def _by_node(found: Words, nodes: int, rows: int) -> SharedBits:
    """(nodes, rows), 64 rows to a word."""
    return SharedBits(transposed(found.T, nodes), rows)
