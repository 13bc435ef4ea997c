"""Parameters of row bits: the short ring, its noise and failure, and how a batch is laid out.

Row bits are shares of M b over GF(2): M the one-hot matrix of one party's rows, b bits of the
other, T of them (nodes) for each of D buckets (columns times bins). The ring is Z_q[X] /
(X^1024 + 1), q = 2^16; the kernels (``kernels/src/lattice/row_bits.rs``) say what is computed.
Only additions happen under encryption, so that q can be this small: 16 bits where the homomorphic
encryption standard allows 27 at this degree. Errors are centred binomial as in ``he.noise``: sums
of fair bits, exactly uniform modulo 2, which a modulus of a power of two asks for.

*Noise*, a subgaussian parameter in units of the torus, of one coefficient of C0 + C1 s:

    ciphertexts         10.5 / q^2 for each column of each row of a result: columns rho
    encryption of zero  10.5 N / q^2 for e1 s and as much for u e; C0 has no error of its own,
                        because it never leaves
    C1's rounding       N / 12 at 10 bits, times 4^-10

A bit is half the torus. The owner of M rounds C0 to quarters, by 1/8 at most, and 1/4 would be too
much; so a value is right while the rest stays below 1/8, and wrong with probability at most
2 exp(-(1/8)^2 / 2 S^2). With columns rho at most 16,384 that is 2^-59 for 2^29 values together,
and 2^-98 where columns rho is 768.

*Layout.* The T nodes are cut into k groups of V = ceil(T / k), each with a secret of its own; a
result has rho rows. One C1 serves all groups of its rows, so a larger k sends fewer results and
more ciphertexts: of 1, 2, 4, 8 the one is taken that sends least.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from securexgb.errors import UsageError
from securexgb.he.noise import ERROR_VARIANCE, STANDARD_BITS, STATISTICAL_BITS

DEGREE = 1024
MODULUS_BITS = 16
SENT_BITS = 10
"""Of a coefficient of C1; with 7 a few values in a thousand would be wrong."""
POLYNOMIAL_BYTES = DEGREE * MODULUS_BITS // 8
SENT_BYTES = DEGREE * SENT_BITS // 8
"""Of a result."""
MOST_SUMMANDS = 16_384
"""Ciphertexts in one sum: columns times the rows of a result."""
GROUPS = (1, 2, 4, 8)
LEAST_WIDTH = 32
"""Nodes of a group where there are several: below it the sums are what costs."""
TABLE_BYTES = 1 << 30
"""Most memory of the tables that the owner of M adds up from."""
MOST_BUCKETS = TABLE_BYTES // (2 * POLYNOMIAL_BYTES)
"""Columns times bins of a side, whose tables are as large with one secret at a time."""


@dataclass(frozen=True)
class RowBitsLayout:
    """How T nodes of D = ``columns`` times ``bins`` buckets lie in polynomials. Public.

    ``groups``: k secrets; ``rows``: rho, the rows of a result.
    """

    columns: int
    bins: int
    nodes: int
    groups: int
    rows: int

    @property
    def buckets(self) -> int:
        """D."""
        return self.columns * self.bins

    @property
    def kernel(self) -> tuple[int, int, int]:
        """What the kernels call the layout."""
        return self.nodes, self.groups, self.rows

    @property
    def upload_bytes(self) -> int:
        """Ciphertexts and public key: from the owner of the bits, once a batch."""
        return POLYNOMIAL_BYTES * self.groups * (self.buckets + 1)

    @property
    def table_bytes(self) -> int:
        """What the owner of the matrix holds to add up from."""
        return POLYNOMIAL_BYTES * (self.groups + 1) * self.buckets

    def results(self, rows: int) -> int:
        """C1 that so many rows take, of ``SENT_BYTES`` each."""
        return -(-rows // self.rows)

    def bytes_for(self, rows: int) -> int:
        """Bytes of a batch of so many rows in this direction, without transfers and their bits."""
        return self.upload_bytes + SENT_BYTES * self.results(rows)


def spread(summands: int) -> float:
    """S, in units of the torus, for so many ciphertexts in a sum."""
    errors = ERROR_VARIANCE * (summands + 2 * DEGREE) / 4.0**MODULUS_BITS
    return math.sqrt(errors + DEGREE / 12 / 4.0**SENT_BITS)


def failure_log2(summands: int, values: int) -> float:
    """log2 of the bound on the probability that one of a job's ``values`` row bits is wrong."""
    return 1 + math.log2(max(values, 1)) - (1 / 8 / spread(summands)) ** 2 / 2 / math.log(2)


def check_row_bits(columns: int, bins: int, values: int) -> float:
    """Refuse, as UsageError, what the ring cannot do: too many columns, bins, or values of a job.

    ``columns``: of the side that has more; ``bins``: of each, the one of missing values included.
    Returns log2 of the bound on the probability that one of these values is wrong.
    """
    if STANDARD_BITS[DEGREE] < MODULUS_BITS:
        raise UsageError(
            f"a modulus of {MODULUS_BITS} bits at degree {DEGREE} has less than 128 bits of "
            "security"
        )
    if columns > MOST_SUMMANDS:
        raise UsageError(
            f"hidden splits add up an encrypted bit for each column: one side has {columns} "
            f"columns, more than the {MOST_SUMMANDS} whose noise leaves every bit right; drop "
            'columns there, or agree on splits = "owner"'
        )
    if columns * bins > MOST_BUCKETS:
        raise UsageError(
            f"hidden splits add up from a table of ciphertexts for each bin: one side has "
            f"{columns * bins} bins in its {columns} columns, more than the {MOST_BUCKETS} that "
            f'fit: use fewer bins or columns there, or agree on splits = "owner"'
        )
    failure = failure_log2(MOST_SUMMANDS, values)
    if failure > -STATISTICAL_BITS:
        raise UsageError(
            f"hidden splits of {values} rows and nodes in one job would be wrong with a "
            f"probability above 2^-{STATISTICAL_BITS}: use fewer rows, fewer trees or less depth"
        )
    return failure


def most_groups(buckets: int) -> int:
    """So many secrets whose tables of these buckets fit; one, where none does."""
    polynomials = TABLE_BYTES // (POLYNOMIAL_BYTES * max(1, buckets))
    return max([groups for groups in GROUPS if groups < polynomials], default=1)


def plan_row_bits(columns: int, bins: int, nodes: int, rows: int) -> RowBitsLayout:
    """The layout that sends least for a batch of so many nodes and rows, in one direction.

    ``columns``, ``bins``: of the owner of the matrix, at least one. UsageError where there are
    more columns than a sum may have, or where nodes or buckets are more than fit.
    """
    check_row_bits(columns, bins, 1)
    fitting = [
        layout for groups in GROUPS if (layout := _layout(columns, bins, nodes, groups)) is not None
    ]
    if not fitting:
        raise UsageError(
            f"a batch of {nodes} nodes over {columns * bins} bins of one side's columns does not "
            f"fit the ring of hidden splits, which takes {DEGREE} nodes for each of "
            f"{max(GROUPS)} secrets, and these tables of {TABLE_BYTES} bytes: make smaller batches"
        )
    return min(fitting, key=lambda layout: layout.bytes_for(rows))


def _layout(columns: int, bins: int, nodes: int, groups: int) -> RowBitsLayout | None:
    """With so many secrets, where that is possible and worth it."""
    width = -(-nodes // groups)
    if width > DEGREE or (groups > 1 and width < LEAST_WIDTH):
        return None
    rows = min(DEGREE // width, MOST_SUMMANDS // columns)
    layout = RowBitsLayout(columns, bins, nodes, groups, rows)
    return layout if layout.table_bytes <= TABLE_BYTES else None
