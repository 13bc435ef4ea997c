"""The softmax of shared margins, each class against all others: p = sigmoid(x_k - L_k).

L_k is the logarithm of the sum of exp over all margins but x_k. So p near 0 and p near 1, and
p (1 - p), come from the same tables as those of two classes, with the same coins and the same
relative error; rows of equal margins have equal p where it is not tiny. What one divides by is
never computed: exp(x_k) / sum_j exp(x_j) would need a maximum that keeps it in range, K
exponentials, a reciprocal and products that are rounded, and a p near 1 would be what all these
leave of 1.

Logarithms of sums are joined two by two,

    log(exp(a) + exp(b)) = b + softplus(a - b),

along a binary tree of the classes: first what the classes of each subtree have together, from the
leaves up, then what all others have, from the root down, a sibling and what lies outside of both.
That is less than 3 K look-ups in at most 2 log2 K - 1 steps, one step for three classes. Each is
off by half a step of the table at most.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from securexgb.mpc.numbers.sigmoid import (
    Shape,
    SigmoidTable,
    sigmoid,
    sigmoid_cost,
    softplus,
    softplus_cost,
)
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared


@dataclass(eq=False)
class _Plan:
    """Which values are joined to which: the margins come first, then each join's result.

    ``pairs``: of each result; ``depths``: of each value, after how many steps it is there.
    """

    pairs: list[tuple[int, int]]
    depths: list[int]
    totals: dict[tuple[int, int], int] = field(default_factory=dict)
    others: dict[int, int] = field(default_factory=dict)

    def join(self, a: int, b: int) -> int:
        self.pairs.append((a, b))
        self.depths.append(max(self.depths[a], self.depths[b]) + 1)
        return len(self.depths) - 1

    def total(self, first: int, last: int) -> int:
        """The value of the classes from ``first`` on, ``last`` not included."""
        if last - first == 1:
            return first
        if (first, last) not in self.totals:
            middle = (first + last + 1) // 2
            both = self.total(first, middle), self.total(middle, last)
            self.totals[first, last] = self.join(*both)
        return self.totals[first, last]

    def descend(self, first: int, last: int, outside: tuple[int, ...] = ()) -> None:
        """Find what all others have than each of these classes, two or more of them at the root;
        ``outside``: than all of these, one value, none at the root."""
        if last - first == 1:
            (self.others[first],) = outside
            return
        middle = (first + last + 1) // 2
        for part, sibling in (
            ((first, middle), (middle, last)),
            ((middle, last), (first, middle)),
        ):
            beside = self.total(*sibling)
            self.descend(*part, (self.join(beside, *outside) if outside else beside,))

    @property
    def steps(self) -> list[list[int]]:
        """The results that can be had at once, step by step."""
        first = len(self.depths) - len(self.pairs)
        results = range(first, len(self.depths))
        most = max(self.depths)
        return [[at for at in results if self.depths[at] == k + 1] for k in range(most)]

    def values(self, party: Party, margins: Shared, range_bits: int) -> list[Shared]:
        """All values, (n,) each, of margins (classes, n)."""
        classes, rows = margins.shape
        found = {k: margins[k] for k in range(classes)}
        for step in self.steps:
            first, second = (
                Shared.stack([found[self.pairs[at - classes][side]] for at in step])
                for side in (0, 1)
            )
            line = softplus(party, (first - second).reshape(-1), range_bits)
            joined = second + line.reshape(len(step), rows)
            found |= {at: joined[k] for k, at in enumerate(step)}
        return [found[at] for at in range(len(found))]

    def cost(self, rows: int, range_bits: int) -> Cost:
        """Cost of ``values`` of so many rows."""
        costs = (softplus_cost(len(step) * rows, range_bits) for step in self.steps)
        return sum(costs, Cost())


@cache
def _plan(classes: int, *, whole: bool) -> _Plan:
    """Of all classes together, or of all others than each."""
    plan = _Plan([], [0] * classes)
    if whole:
        plan.total(0, classes)
    else:
        plan.descend(0, classes)
    return plan


def log_sum_cost(classes: int, rows: int, range_bits: int) -> Cost:
    """Cost of ``log_sum`` of so many classes and rows."""
    return _plan(classes, whole=True).cost(rows, range_bits)


def log_sum(party: Party, margins: Shared, range_bits: int) -> Shared:
    """log(sum of exp(margin)) over the classes, (n,), of margins (classes, n); see ``softmax``."""
    return _plan(margins.shape[0], whole=True).values(party, margins, range_bits)[-1]


def softmax_cost(shape: Shape, margins: tuple[int, ...], range_bits: int) -> Cost:
    """Cost of ``softmax`` of margins of this shape, (classes, rows)."""
    classes, rows = margins
    cost = _plan(classes, whole=False).cost(rows, range_bits)
    return cost + sigmoid_cost(shape, classes * rows, range_bits)


@protocol(
    cost=lambda margins, table, range_bits: softmax_cost(table.shape, margins.shape, range_bits),
    opens=COMPOSED,
    source="docs/training.md, several classes",
    ideal=None,
)
def softmax(
    party: Party, margins: Shared, table: SigmoidTable, range_bits: int
) -> tuple[Shared, Shared]:
    """(p, p (1 - p)) of margins (classes, n), the same shape each, with the table's fraction bits.

    Two classes or more. Differences of margins, and log(classes) more, are below
    2^(range_bits - 1) units of 2^-20. Coins are those of rows, for all classes of one alike.
    """
    plan = _plan(margins.shape[0], whole=False)
    values = plan.values(party, margins, range_bits)
    rest = Shared.stack([values[plan.others[k]] for k in range(margins.shape[0])])
    return sigmoid(party, margins - rest, table, range_bits)
