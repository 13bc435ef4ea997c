"""What an intersection costs, exactly, from both sides' numbers of keys."""

from __future__ import annotations

from securexgb import _kernels
from securexgb.align import sizes as public
from securexgb.align.vole import requests, stages
from securexgb.mpc.protocol import Cost
from securexgb.offline.oblivious_transfer import (
    FRESH_EVERY,
    LEVELS,
    POOL_ROWS,
    STRETCH_AFTER,
    TREE_DEPTH,
    TREES,
    WORD,
)

_READY_WORDS, _COIN_WORDS, _FLAG_WORDS = 1, 4, 1
_RECORD_WORDS = 2
_BASE_WORDS = 8 + 1024 + 512
"""From each side for the base transfers of both directions: offer, reply, trees."""


def intersection_cost(sizes: public.Sizes) -> Cost:
    """Of ``align.intersect.common_keys`` with nothing kept from before; the transfers' own messages
    are in the words, and not in the rounds.
    """
    parts, bucket = public.buckets(sizes), public.bucket(sizes)
    sender, receiver = transfer_words(parts * requests(bucket.columns))
    receiver += parts * (_FLAG_WORDS + 2 * bucket.columns + bucket.words) + _FLAG_WORDS
    sender += parts * _kernels.psi_code_words(bucket.theirs, bucket.bits)
    both = _READY_WORDS + parts * (_RECORD_WORDS + _COIN_WORDS)
    plan = stages(bucket.columns)
    for stage, count in plan:
        sender += parts * 2 * stage.trees(count) * (stage.levels + 1)
    words = (receiver + both, sender + both)
    label, feature = words if public.receiver(sizes) == 0 else words[::-1]
    return Cost(2 + parts * (4 + len(plan)), label, feature)


def transfer_words(wanted: list[int]) -> tuple[int, int]:
    """What both ends of transfers in one direction send for requests of so many words of 64, from
    the first one on: the sender, and the receiver. See ``offline.oblivious_transfer``."""
    tree_words, pool_words = (1 << LEVELS) // WORD, -(-POOL_ROWS // WORD)
    reserved = -(-POOL_ROWS // (1 << LEVELS))
    pools = position = extended = grown = left = 0
    for words in wanted:
        trees = words // tree_words
        if trees > left if pools else trees and position + words > STRETCH_AFTER:
            if pools % FRESH_EVERY:
                grown += reserved
                position += reserved * tree_words
            else:
                extended += pool_words
                position += pool_words
            pools, left = pools + 1, TREES - reserved
        taken = trees if pools else 0
        grown, left = grown + taken, left - taken
        extended += words - taken * tree_words
        position += words
    return _BASE_WORDS + 2 * LEVELS * grown, _BASE_WORDS + (128 // TREE_DEPTH - 1) * extended
