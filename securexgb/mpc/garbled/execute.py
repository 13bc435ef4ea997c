"""A circuit on private bits of both parties, by Yao's protocol: two rounds whatever its depth.

Each party garbles for half of the elements and evaluates for the others, so that both directions of
the link carry half of the tables. Half gates (Zahur, Rosulek, Evans, EUROCRYPT 2015) with free
XOR; the kernel says how labels lie (kernels/src/yao).

*Round 1.* The garbler sends its own bits' labels, the tables, and for each bit b of the evaluator,
with a random transfer of messages m0, m1 of 128 bits and choice c, the word m0 ^ m1 ^ D, where D is
what the labels of 0 and 1 differ by: masked by the message that the evaluator lacks. The evaluator
sends d = b ^ c. It has a label of c now, m0 ^ c D.

*Round 2.* The garbler sends the label of d, a bit that it knows. b = c ^ d costs nothing.

What comes out stays shared: the garbler's share of a bit is the lowest bit of its label for 0, the
evaluator's that of the label it holds. D, all labels and the hash's key are new in every call.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, unpack_bits, words_per
from securexgb.correlations.counting import Budget
from securexgb.correlations.transfers import Transfers
from securexgb.mpc.garbled.circuit import Circuit
from securexgb.mpc.multiplex import transfers
from securexgb.mpc.padding import pack_filled
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import SharedBits, Words

_LABEL_BITS = 128
_LABEL_WORDS = 2


def garbled_cost(circuit: Circuit, count: int) -> Cost:
    """Cost of ``garbled`` for so many elements."""
    label, feature = count - count // 2, count // 2
    bits = [words_per(circuit.inputs * half) for half in (label, feature)]
    sent = [
        _sent_words(circuit, half) + _LABEL_WORDS * circuit.inputs * half
        for half in (label, feature)
    ]
    kinds = Budget({Transfers(_LABEL_BITS, rank): 64 * bits[rank] for rank in (0, 1)})
    return Cost(2, sent[0] + bits[1], sent[1] + bits[0], kinds)


def garbled(party: Party, circuit: Circuit, bits: NDArray[np.bool_]) -> SharedBits:
    """What comes out, (outputs, n), for each party's own ``bits`` (inputs, n).

    A circuit takes both parties' bits alike: which of them garbles does not change what comes out.
    """
    half = bits.shape[1] - bits.shape[1] // 2
    parts = slice(half), slice(half, None)
    own, asked = (np.ascontiguousarray(bits[:, part]) for part in parts[:: 1 - 2 * party.rank])
    receiver, sender = transfers(party, asked.size, own.size, _LABEL_BITS)
    key = party.private.words(_LABEL_WORDS).tobytes()
    sent, zeros, offset, shares = circuit.kernel.garble(
        key, own.view(np.uint8), np.ascontiguousarray(sender.zero), np.ascontiguousarray(sender.one)
    )
    flips = pack_filled(party, asked.reshape(-1)) ^ receiver.choices
    message = np.concatenate([flips, sent[: _sent_words(circuit, own.shape[1])]])
    there = words_per(own.size)
    came = party.exchange(message, there + _sent_words(circuit, asked.shape[1]))
    told = unpack_bits(came[:there], own.size).astype(np.uint64)
    labels = zeros.reshape(-1, _LABEL_WORDS) ^ told[:, None] * offset
    given = party.exchange(labels.reshape(-1), _LABEL_WORDS * asked.size)
    found = [shares.reshape(circuit.outputs, -1)]
    if asked.size:
        choices = unpack_bits(receiver.choices, asked.size).reshape(asked.shape)
        evaluated = circuit.kernel.evaluate(
            np.ascontiguousarray(came[there:]),
            np.ascontiguousarray(choices).view(np.uint8),
            np.ascontiguousarray(receiver.chosen),
            np.ascontiguousarray(given),
        )
        found.append(evaluated.reshape(circuit.outputs, -1))
    flags = np.concatenate(found[:: 1 - 2 * party.rank], axis=1)
    return SharedBits(pack_bits(flags), flags.shape[1])


def own_bits(words: Words, width: int) -> NDArray[np.bool_]:
    """The low bits of this party's words (n,), lowest first: (width, n)."""
    places = np.arange(width, dtype=np.uint64)[:, None]
    return (words >> places & np.uint64(1)).astype(np.bool_)


def _sent_words(circuit: Circuit, count: int) -> int:
    """Words that the garbler sends at once; nothing where it garbles for no element."""
    if not count:
        return 0
    return _LABEL_WORDS * (1 + 2 * count * (circuit.inputs + circuit.ands))
