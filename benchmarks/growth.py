"""How does the cost of a tree grow with rows, columns, bins and depth?

    python benchmarks/growth.py                         # around W1
    python benchmarks/growth.py --vary rows --trees 3 --offline dealt

One JSON line a point: that of ``training.py`` for W1 with one dimension changed, and what the
cost model says of it before it runs: rounds and payload megabytes of the growing
(``boost.cost.tree_cost``, exact), and the correlations that it consumes. The gradients are not
in that model: what they cost a row is taken from their own declarations by a counting run.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

import loopback
import works
from measure import measured

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.cost import tree_cost
from securexgb.boost.grower import matrix_shape
from securexgb.boost.layout import Layout
from securexgb.boost.loss import Labels, gradient_pairs, objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.tree import value_bits
from securexgb.mpc.multiply import product_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.scale import scale_cost
from securexgb.mpc.shared import Shared
from securexgb.offline.budget import CountingSource
from securexgb.offline.correlations import Budget
from securexgb.testing.harness import insecure_parties, run_parties

VARIED = {
    "rows": (2_500, 5_000, 10_000, 20_000, 40_000, 80_000),
    "columns": (2, 5, 10, 20, 40),
    "bins": (4, 8, 16, 32, 64),
    "depth": (1, 2, 3, 4, 5, 6),
}
_SAMPLE_ROWS = 4096


def model(work: works.Work) -> dict[str, Any]:
    """What one tree should cost; who owns which split does not matter to these sums."""
    layout = Layout.of(work.params, work.rows, (work.columns, work.columns), False)
    numbers = layout.numbers(work.params)
    source = insecure_parties(0, method=work.method)[0].source
    vectors = work.trees << (work.depth - 1)
    source.plan(vectors, 2 * vectors * layout.total_columns * layout.all_bins)
    noise_bits = source.noise_bits(matrix_shape(layout, numbers, work.depth).matrix(0))
    owned = [(1 << level) // 2 for level in range(work.depth)]
    ring_bits = value_bits(work.params.learning_rate)
    growing = tree_cost(layout, numbers, layout.total_columns, owned, noise_bits, ring_bits)
    if not source.dealt:
        growing += without_dealer(layout, numbers, work.depth)
    gradients = gradients_cost(work.params, layout)
    whole = growing + gradients
    kinds = {kind.value: count for kind, count in whole.correlations.items().items() if count}
    return {
        "rounds": whole.rounds,
        "online_megabytes": 8e-6 * (whole.label_words + whole.feature_words),
        "gradients_megabytes": 8e-6 * (gradients.label_words + gradients.feature_words),
        "correlations": kinds,
        "vectors": sum(whole.correlations.vectors),
    }


def without_dealer(layout: Layout, numbers: NumberFormat, depth: int) -> Cost:
    """What the scores' products cost more where nobody deals triples, see ``boost.score``."""
    candidates = layout.total_columns * layout.cuts
    more = Cost()
    for level in range(depth):
        nodes = 1 << level
        more += scale_cost(2 * nodes, candidates, numbers.determinant_bits)
        more = more - product_cost(2 * nodes * candidates)
    return more


def gradients_cost(params: TrainingParams, layout: Layout) -> Cost:
    """Cost of all rows' gradients: of a sample of whole words, times as many."""
    numbers = layout.numbers(params)

    def count(party: Party, _: object) -> tuple[int, int, Budget]:
        counting = CountingSource(party.rank, party.source)
        party.source = counting
        rounds, sent = party.rounds, party.channel.traffic.bytes_sent
        margins = Shared.zeros(_SAMPLE_ROWS)
        labels = Labels(Shared.zeros(_SAMPLE_ROWS), None)
        gradient_pairs(party, objective_of(params), margins, labels, numbers)
        words = (party.channel.traffic.bytes_sent - sent) // 8
        return party.rounds - rounds, words, counting.budget

    (rounds, mine, used), (_, theirs, _) = run_parties(count, [None, None])
    times = -(-layout.rows // 64) * 64 / _SAMPLE_ROWS
    kinds = {kind: round(times * number) for kind, number in used.items().items()}
    return Cost(rounds, round(times * mine), round(times * theirs), Budget.of(kinds))


def points(base: works.Work, names: list[str]) -> list[tuple[str, int, works.Work]]:
    """Dimension, value and work of every point; the base belongs to each dimension."""
    changed = {
        "rows": lambda value: replace(base, rows=value),
        "columns": lambda value: replace(base, columns=value),
        "bins": lambda value: replace(base, bins=value),
        "depth": lambda value: replace(base, depth=value),
    }
    return [(name, value, changed[name](value)) for name in names for value in VARIED[name]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser, work="W1", trees=6)
    parser.add_argument("--vary", choices=list(VARIED), help="only this")
    parser.add_argument("--values", help="instead of the usual ones, comma-separated")
    options = parser.parse_args()
    names = [options.vary] if options.vary else list(VARIED)
    known: dict[works.Work, dict[str, Any]] = {}
    for name, value, work in points(works.chosen(options), names):
        if options.values and str(value) not in options.values.split(","):
            continue
        if work not in known:
            known[work] = {"model": model(work)} | measured(work)
        line = {"question": "growth", "varied": name, "value": value} | known[work]
        sys.stdout.write(loopback.stamped(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
