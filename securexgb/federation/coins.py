"""Public coins of a run: bits that both sides know and that neither has chosen.

Samples of rows and columns follow from them, so a side that could choose them could choose
which of the other's rows a tree sees.
"""

from __future__ import annotations

import hashlib
import secrets

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.errors import MalformedFrame, ProtocolDesync

_NONCE_BYTES = 32


def seeded_coins(random_state: int) -> Prg:
    """Coins that follow from the terms alone, the same in every run of them."""
    seed = f"securexgb coins {random_state}"
    return Prg(hashlib.sha256(seed.encode()).digest()[:16])


def draw_coins(channel: Channel, rank: int, digest: str) -> Prg:
    """Public coins that neither side can choose, while one of them is honest.

    Both commit to random bytes, then open them (Blum, CRYPTO 1981); the coins follow
    from both. ProtocolDesync where an opening does not fit its commitment.
    """
    mine = secrets.token_bytes(_NONCE_BYTES)
    own = _commitment(rank, digest, mine)
    channel.send("coins/commitment", own)
    commitment = bytes(channel.receive("coins/commitment", len(own)))
    channel.send("coins/opening", mine)
    theirs = bytes(channel.receive("coins/opening", _NONCE_BYTES))
    if len(theirs) != _NONCE_BYTES:
        raise MalformedFrame("the other side's public coins have a wrong length")
    if _commitment(1 - rank, digest, theirs) != commitment:
        raise ProtocolDesync("the other side opened other public coins than it had committed to")
    label, feature = (mine, theirs) if rank == 0 else (theirs, mine)
    joint = hashlib.sha256(b"securexgb coins" + label + feature + digest.encode())
    return Prg(joint.digest()[:16])


def _commitment(rank: int, digest: str, nonce: bytes) -> bytes:
    text = f"securexgb coins of party {rank} in job {digest}".encode()
    return hashlib.sha256(text + nonce).digest()
