"""What rows take of correlations, known before a training, so that it is made before it is asked
for: what gradients take is counted on a sample, whatever the objective."""

from __future__ import annotations

from functools import cache

from securexgb.boost.costs.trees import halved_splits, row_parts
from securexgb.boost.dither import Dither
from securexgb.boost.layout import Layout
from securexgb.boost.objective.objective import Labels, gradient_vectors
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.rows import blocks, sending_block
from securexgb.channel.memory import memory_pair
from securexgb.correlations.counting import Budget, CountingSource
from securexgb.correlations.kind import BLOCK
from securexgb.jobs.local import join_parties, run_both
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared

_SAMPLE_ROWS = 4096
"""Most that are gone through."""
_WAIT_SECONDS = 60.0


def taken_by_rows(
    params: TrainingParams, layout: Layout, noise_bits: int, rows: int, evaluation_rows: int
) -> list[Budget]:
    """Correlations for the rows of the first two rounds, about, and for the third one's gradients,
    which are the first that it takes: splits that are owned are taken as half the label party's,
    and the first gradients as the label party's own, which a training that goes on makes of
    shares."""
    parts = row_parts(params, layout, halved_splits(params), noise_bits, rows, evaluation_rows)
    moved = sum(parts.values(), Cost()).correlations
    gradients = gradients_cost(params, layout, rows).correlations
    return [moved, moved + gradients, gradients]


@cache
def gradients_cost(params: TrainingParams, layout: Layout, rows: int) -> Cost:
    """Cost of so many rows' gradients, in the numbers of the whole job: of a sample of whole words,
    times as many; rounds by block."""
    numbers, whole = layout.numbers(params), -(-rows // BLOCK) * BLOCK
    sample = min(max(whole, BLOCK), _SAMPLE_ROWS)

    def count(party: Party, _: None) -> tuple[int, int, Budget]:
        counting = CountingSource(party.source)
        party.source = counting
        rounds, sent = party.rounds, party.channel.traffic.bytes_sent
        objective, zeros = objective_of(params), Shared.zeros(sample)
        targets = Shared.zeros(*objective.targets_shape(sample))
        margins = Shared.zeros(objective.outputs, sample)
        labels = Labels(targets, zeros if layout.weights else None)
        gradient_vectors(party, objective, margins, labels, numbers, Dither.of(0, 0))
        words = (party.channel.traffic.bytes_sent - sent) // 8
        return party.rounds - rounds, words, counting.budget

    parties = join_parties(memory_pair(_WAIT_SECONDS), seed=0)
    (rounds, mine, used), (_, theirs, _) = run_both(count, parties, [None, None])
    times = whole / sample
    kinds = {kind: round(times * number) for kind, number in used.counts.items()}
    rounds *= len(list(blocks(rows, sending_block(rows))))
    return Cost(rounds, round(times * mine), round(times * theirs), Budget(kinds))
