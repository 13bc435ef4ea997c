"""What ``check`` hears of this side's shards before a job, and whether the job fits them.

Of each shard: that it is there, has the same terms and version, and reads its own rows, as many as
its head counts; and that its machine has memory enough. The other side's shards are not met.
"""

from __future__ import annotations

import platform
import secrets
from collections.abc import Sequence
from itertools import repeat

from securexgb.cluster.about import ABOUT, AboutShard
from securexgb.cluster.commands import Said, ask_all, pack
from securexgb.cluster.head import own_shards
from securexgb.cluster.messages import SESSION_BYTES, Opening
from securexgb.cluster.parts import check_shards, failing_together
from securexgb.cluster.rows import RowCounts
from securexgb.errors import DataError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.checks import Checks
from securexgb.jobs.estimating.estimate import Estimate
from securexgb.jobs.table import NamedTables, Table

_MOST_NAMED = 4


def ask_shards(federation: Federation, rows: Table) -> list[AboutShard]:
    """Of all own shards, by number; ShardGone where one is not there, and what one raises."""
    opening = Opening(
        session=secrets.token_bytes(SESSION_BYTES),
        purpose="check",
        run="check",
        columns=rows.column_names,
        classes=rows.classes,
        categories=rows.categories,
    )
    shards = own_shards(federation)
    with failing_together(shards):
        shards.open(opening)
        question = pack(Said(ABOUT))
        answers = ask_all(shards.handles, ABOUT, repeat(question, len(shards.handles)))
    shards.close()
    return [AboutShard.of(said) for said in answers]


def shards_line(checks: Checks) -> str:
    """What is to be said of this side's shards; raises what a training would fail with."""
    federation, rows = checks.federation, checks.training
    if rows is None:
        return "not asked: see what failed"
    check_shards(rows.count, federation.terms.shards)
    found = ask_shards(federation, rows)
    ranges = _ranges(federation, rows, checks.sets, found)
    text = f"{len(found)} shards have the same terms and version, and read their rows: {ranges}"
    if checks.estimate is not None:
        text += f"; {_memory(federation, checks.estimate, found)}"
    return text


def _ranges(
    federation: Federation, rows: Table, sets: NamedTables, found: Sequence[AboutShard]
) -> str:
    """Which rows each has; DataError where that is not what its head counts."""
    counts = RowCounts(rows.count, tuple(own.count for _, own in sets))
    texts = []
    for number, (about, parts) in enumerate(zip(found, counts.shards(len(found)), strict=True)):
        expected = tuple(part.stop - part.start for part in parts)
        if about.rows != expected:
            raise DataError(
                f"shard {number} of {federation.config.name} reads {about.rows} rows of the "
                f"training data and the evaluation sets, and its head counts {expected}: give "
                f"both one file; there it is {about.file}"
            )
        texts.append(f"{number}: {parts[0].start:,} to {parts[0].stop:,} of {about.file}")
    shown = texts if len(texts) <= _MOST_NAMED else [*texts[: _MOST_NAMED - 1], "…", texts[-1]]
    return ", ".join(shown)


def _memory(federation: Federation, estimate: Estimate, found: Sequence[AboutShard]) -> str:
    """What each needs and its machine has; UsageError for the first machine that has too little,
    where several shards, or the head, may be on one."""
    parts = estimate.shards
    assert parts is not None
    name, here, each = federation.config.name, platform.node(), parts.shard.memory.total
    for machine in dict.fromkeys(about.machine for about in found):
        there = [number for number, about in enumerate(found) if about.machine == machine]
        has = min(found[number].memory for number in there)
        needed = len(there) * each + (estimate.memory.total if machine == here else 0.0)
        if needed > has:
            who = "shards " + ", ".join(map(str, there)) if len(there) > 1 else f"shard {there[0]}"
            if machine == here:
                who += " and the head"
            raise UsageError(
                f"{name}: {who} take some {needed / 1e9:.2g} GB, and their machine {machine} has "
                f"{has / 1e9:.1f} GB: agree on more shards, on fewer bins, columns, levels or "
                "rows, or give them larger machines"
            )
    least = min(about.memory for about in found)
    return f"some {each / 1e9:.2g} GB each, and the least of their machines has {least / 1e9:.1f}"
