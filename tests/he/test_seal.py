"""Cross-check with another BFV: Microsoft SEAL, through TenSEAL, on the plaintext side.

SEAL's plaintext modulus has at most 60 bits, so both are compared modulo 2^32.
"""

from __future__ import annotations

import numpy as np
import pytest

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.he.bfv import BfvEvaluator, BfvKeyHolder
from securexgb.he.layout import Layout
from securexgb.he.noise import DEGREE, SHORT, Sums, sums_precision

seal = pytest.importorskip("tenseal.sealapi")

BITS = 32


class SealLibrary:
    """BFV of SEAL with plaintext modulus 2^32."""

    def __init__(self) -> None:
        parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.BFV)
        parameters.set_poly_modulus_degree(DEGREE)
        parameters.set_coeff_modulus(
            seal.CoeffModulus.BFVDefault(DEGREE, seal.SEC_LEVEL_TYPE.TC128)
        )
        parameters.set_plain_modulus(1 << BITS)
        self.context = seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.TC128)
        keys = seal.KeyGenerator(self.context)
        public = seal.PublicKey()
        keys.create_public_key(public)
        self.encryptor = seal.Encryptor(self.context, public)
        self.evaluator = seal.Evaluator(self.context)
        self.decryptor = seal.Decryptor(self.context, keys.secret_key())

    def plain(self, coefficients: dict[int, int]) -> object:
        terms = sorted(
            ((place, value) for place, value in coefficients.items() if value), reverse=True
        )
        return seal.Plaintext(
            " + ".join(f"{v:X}x^{place}" if place else f"{v:X}" for place, v in terms)
        )

    def encrypt(self, coefficients: dict[int, int]) -> object:
        result = seal.Ciphertext()
        self.encryptor.encrypt(self.plain(coefficients), result)
        return result

    def decrypt(self, ciphertext: object, indices: list[int]) -> list[int]:
        plain = seal.Plaintext()
        self.decryptor.decrypt(ciphertext, plain)
        return [int(plain[place]) if place < plain.coeff_count() else 0 for place in indices]


def test_sums_of_plaintext_products_are_seals() -> None:
    """Encryption, plaintext product and addition, over all groups, by both.

    Ours have noise in the low bits, so the matrix has nothing there and results are rounded.
    """
    precision = sums_precision(Sums(4096, 44, 2, 1, 100))
    noise, bits = precision.noise_bits, precision.word_bits
    layout = Layout(2, 16, precision)
    distance, key = layout.distance, bytes([7]) * 16
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 1 << BITS, (2, SHORT)).astype(object)
    drawn = _kernels.prg_words(key, 0, 16 * SHORT)
    secrets = [(int(w) * 3 >> 64) - 1 for w in drawn]

    other = SealLibrary()
    theirs = []
    for row in rows:
        total = None
        for group in range(layout.groups):
            at = range(group * distance, (group + 1) * distance)
            vector: dict[int, int] = {}
            for v in range(16):
                for j, number in enumerate(at):
                    exponent = v * distance - j
                    signed = secrets[v * SHORT + number] * (1 if exponent >= 0 else -1)
                    vector[exponent % DEGREE] = signed % (1 << BITS)
            plain = other.plain({j: int(row[number]) for j, number in enumerate(at)})
            product = seal.Ciphertext()
            other.evaluator.multiply_plain(other.encrypt(vector), plain, product)
            if total is None:
                total = product
            else:
                other.evaluator.add_inplace(total, product)
        theirs.append(other.decrypt(total, [v * distance for v in range(16)]))

    holder = BfvKeyHolder(Prg(bytes(16)))
    evaluator = BfvEvaluator(Prg(bytes([1]) * 16), holder.announcement())
    for spacing in layout.spacings:
        evaluator.add_galois_key(spacing, holder.galois_key(spacing))
    words = (rows << noise).astype(np.uint64)
    sent = holder.encrypted_ternary(layout, key, 0)
    held = evaluator.expanded(layout.groups, sent, precision)
    ((message, share, number),) = evaluator.products(layout, held, words)
    opened = holder.opened(layout, [message])
    _, vectors, columns = layout.indices(number)
    for v, column, own in zip(vectors, columns, share.astype(object), strict=True):
        both = (own + int(opened[v, column]) + (1 << noise - 1)) % (1 << bits)
        assert both >> noise & (1 << BITS) - 1 == theirs[column][v]
