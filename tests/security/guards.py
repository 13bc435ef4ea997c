"""What guards masks, keys and messages, each broken once: it must raise, under ``python -O`` too.

``python -O -m tests.security.guards`` runs them all and prints what did not raise: asserts, ours
and pytest's, vanish there, so nothing here is asserted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.channel.channel import MESSAGE_BYTES, Channel
from securexgb.channel.handshake import Hello
from securexgb.channel.memory import memory_pair
from securexgb.correlations.source import BucketMatrix, PadProducts
from securexgb.correlations.triples import Triples
from securexgb.errors import (
    MalformedFrame,
    ProtocolDesync,
    SecureXGBError,
    TermsDiffer,
    UsageError,
)
from securexgb.federation.coins import draw_coins
from securexgb.he import ckks_words
from securexgb.he.bfv_words import BfvWords
from securexgb.he.ckks import CIPHERTEXTS_PER_KEY, CkksEvaluator, CkksNumbers
from securexgb.he.paillier import InsecurePublicKey, InsecureSecretKey
from securexgb.he.paillier_sums import PaillierEvaluator, Slots
from securexgb.he.paillier_words import PaillierWords
from securexgb.he.scheme import Parameters
from securexgb.hybrid.conversions import Encrypted, Keys, add, to_shares
from securexgb.mpc.party import Party
from securexgb.mpc.together import together
from securexgb.offline.ahead import CorrectionBuffer
from securexgb.offline.dealer_link import DealerLink
from securexgb.offline.matrix_products import BfvMatrixProducts
from securexgb.testing import run_parties

SLOTS = Slots(4, 512, 10)


class NotRaisedError(Exception):
    """The guard let it through."""


def expect(kind: type[SecureXGBError], text: str, broken: Callable[[], object]) -> None:
    """``broken`` raises exactly this class, with this text in its message."""
    try:
        broken()
    except SecureXGBError as error:
        if type(error) is not kind or text not in str(error):
            raise NotRaisedError(f"{type(error).__name__}: {error}") from error
        return
    raise NotRaisedError(f"no {kind.__name__} about {text!r}")


def both(program: Callable[[int, Channel], Any]) -> list[Any]:
    channels = memory_pair(20)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(program, (0, 1), channels))


def products(then: Callable[[BfvMatrixProducts], Any], values: int = 1000) -> list[Any]:
    """Two parties with a matrix of ten rows and one column of two bins each."""

    def program(rank: int, channel: Channel) -> Any:
        maker = BfvMatrixProducts(rank, channel, Prg(bytes([rank]) * 16), values)
        for owner in (0, 1):
            own = np.zeros((10, 1), np.uint8) if owner == rank else None
            maker.register_matrix(BucketMatrix(owner, 10, 2, 2, 35, 31), own)
        return then(maker)

    return both(program)


def a_pad_serves_once() -> None:
    def take(maker: BfvMatrixProducts) -> list[PadProducts]:
        return [maker.vector_products(owner, 2) for owner in (0, 1)]

    pads = products(take)[1][0].pads
    vectors = np.zeros((2, 2, 10), np.uint64)
    expect(SecureXGBError, "serves once", lambda: pads.masked(vectors[:1]))
    pads.masked(vectors)
    expect(SecureXGBError, "serves once", lambda: pads.masked(vectors))


def pads_end_with_the_job() -> None:
    def take(maker: BfvMatrixProducts) -> None:
        expect(UsageError, "state the job's real size", lambda: maker.vector_products(0, 3))

    products(take, values=5)


def pads_coins_have_their_length() -> None:
    def program(rank: int, channel: Channel) -> None:
        if rank == 1:
            channel.send("offline/he/0/coins", b"short")
            return
        maker = BfvMatrixProducts(rank, channel, Prg(bytes(16)), 1000)
        own = np.zeros((10, 1), np.uint8)
        matrix = BucketMatrix(0, 10, 2, 2, 35, 31)
        register = lambda: maker.register_matrix(matrix, own)  # noqa: E731
        expect(ProtocolDesync, "different lengths", register)

    both(program)


def corrections_are_drawn_in_order() -> None:
    buffer = CorrectionBuffer(64, 64, 64, 2)
    expect(SecureXGBError, "more corrections", lambda: buffer.take(64))
    series = Triples()
    link = SimpleNamespace(_buffers={series: buffer})
    expect(SecureXGBError, "is next", lambda: DealerLink.draw(link, series, 64, 64))  # type: ignore[arg-type]


def seal_checks_its_parameters() -> None:
    kept = ckks_words.PRIME_BITS
    ckks_words.PRIME_BITS = (60, 60, 60, 60)  # 240 bits, where 218 have 128 bits of security
    try:
        expect(UsageError, "SEAL refuses the parameters", ckks_words.SealLibrary)
    finally:
        ckks_words.PRIME_BITS = kept


def ckks_residues_are_below_their_primes() -> None:
    seal = ckks_words.SealLibrary()
    words = np.full((2, ckks_words.PRIMES, ckks_words.DEGREE), 1 << 63, np.uint64)
    expect(ProtocolDesync, "residues", lambda: seal.ciphertext(words, 1.0))
    keys = np.full((2, ckks_words.PRIMES + 1, ckks_words.DEGREE), 1 << 63, np.uint64)
    expect(ProtocolDesync, "residues", lambda: CkksEvaluator(Prg(bytes(16)), keys.tobytes()))


def a_ckks_key_has_a_budget() -> None:
    keys = Keys(0, CkksNumbers(), None, None)
    keys.spend(CIPHERTEXTS_PER_KEY * ckks_words.SLOTS)
    expect(UsageError, "take fewer trees", lambda: keys.spend(1))


def a_bfv_key_has_a_budget() -> None:
    _spent(BfvWords(10), "agreed for 10 words")


def _spent(parameters: Parameters, sentence: str) -> None:
    def program(party: Party, _: object) -> None:
        keys = Keys(0, parameters, None, None, used=8)
        words = Encrypted((3,), 2, None)
        expect(UsageError, sentence, lambda: to_shares(party, keys, words))

    run_parties(program, [None, None])


def paillier_masks_fit_what_they_hide() -> None:
    public = InsecureSecretKey(512).public
    rows = np.zeros((5, 1), np.uint8)
    prg = Prg(bytes(16))
    evaluator = lambda: PaillierEvaluator(public, SLOTS, rows, 1, prg)  # noqa: E731
    expect(UsageError, "would not hide sums of 5", evaluator)
    keys = Keys(0, PaillierWords(SLOTS), None, None)
    three, two = (Encrypted((1,), summands, None) for summands in (3, 2))
    expect(UsageError, "would not hide sums of 5", lambda: add(keys, three, two))
    other = Encrypted((2,), 2, None)
    expect(UsageError, "different shapes", lambda: add(keys, two, other))


def paillier_masks_have_a_budget() -> None:
    _spent(PaillierWords(SLOTS), "10 words a job")


def paillier_plaintexts_and_keys_have_their_size() -> None:
    large = 1 << (8 * SLOTS.count * SLOTS.width_bytes)
    expect(ProtocolDesync, "larger than its slots", lambda: SLOTS.words([large]))
    for modulus, kind in ((1, TermsDiffer), ((1 << 511) + 1, ProtocolDesync)):
        announced = modulus.to_bytes(64, "big")
        key = partial(InsecurePublicKey.announced, announced, 512)
        expect(kind, "Paillier modulus", key)


def messages_have_their_length() -> None:
    def program(party: Party, _: object) -> None:
        if party.rank == 0:
            party.exchange(np.zeros(2, np.uint64), expect=3)
            return
        more = np.zeros(3, np.uint64)
        expect(ProtocolDesync, "16 bytes instead of 24", lambda: party.exchange(more))

    run_parties(program, [None, None])


def steps_side_by_side_wait_for_words() -> None:
    def program(party: Party, _: object) -> None:
        def step(part: Party) -> None:
            expect(UsageError, "beside other steps", lambda: part.exchange_bytes(b"1"))

        together(party, step, step)

    run_parties(program, [None, None])


def greetings_have_their_form() -> None:
    expect(MalformedFrame, "", lambda: Hello.decode(b"\xff" * 64))


def coins_are_those_committed_to() -> None:
    def program(rank: int, channel: Channel) -> None:
        if rank == 1:
            channel.send("coins/commitment", bytes(32))
            channel.receive("coins/commitment", MESSAGE_BYTES)
            channel.send("coins/opening", bytes(32))
            return
        expect(ProtocolDesync, "committed to", lambda: draw_coins(channel, 0, "JOB"))

    both(program)


GUARDS = (
    a_pad_serves_once,
    pads_end_with_the_job,
    pads_coins_have_their_length,
    corrections_are_drawn_in_order,
    seal_checks_its_parameters,
    ckks_residues_are_below_their_primes,
    a_ckks_key_has_a_budget,
    a_bfv_key_has_a_budget,
    paillier_masks_fit_what_they_hide,
    paillier_masks_have_a_budget,
    paillier_plaintexts_and_keys_have_their_size,
    messages_have_their_length,
    steps_side_by_side_wait_for_words,
    greetings_have_their_form,
    coins_are_those_committed_to,
)


def main() -> int:
    """Run all; 1 where one did not raise."""
    failed = 0
    for guard in GUARDS:
        try:
            guard()
        except Exception as error:
            failed = 1
            print(f"{guard.__name__}: {type(error).__name__}: {error}")
    print(f"{len(GUARDS)} guards, asserts {'on' if __debug__ else 'off'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
