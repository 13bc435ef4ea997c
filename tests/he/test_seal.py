"""Cross-check with another BFV: Microsoft SEAL, through TenSEAL, on the plaintext side.

SEAL's plaintext modulus has at most 60 bits, so both work on words and are compared modulo 2^32.
"""

from __future__ import annotations

import numpy as np
import pytest

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.he.bfv import BfvEvaluator, BfvKeyHolder
from securexgb.he.layout import Shape, layout_of
from securexgb.he.noise import DEGREE

seal = pytest.importorskip("tenseal.sealapi")

BITS = 32


class Seal:
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

    def decrypt(self, ciphertext: object, places: list[int]) -> list[int]:
        plain = seal.Plaintext()
        self.decryptor.decrypt(ciphertext, plain)
        return [int(plain[place]) if place < plain.coeff_count() else 0 for place in places]


def test_sums_of_plaintext_products_are_seals() -> None:
    """Encryption, plaintext product and addition, over two row blocks, by both."""
    rows, width, bins = 3000, 4, 4
    layout = layout_of(Shape(rows, 1, bins, 100), 1, width, 0)
    rng = np.random.default_rng(3)
    a = rng.integers(0, 1 << 64, (1, rows), dtype=np.uint64)
    x = rng.integers(0, bins, (rows, 1), dtype=np.uint8)

    other, total = Seal(), None
    w = layout.block_rows
    for start in range(0, rows, w):
        block = range(start, min(start + w, rows))
        vector = {i - start: int(a[0, i]) % (1 << BITS) for i in block}
        ones = {}
        for i in block:
            exponent = int(x[i, 0]) * w - (i - start)
            ones[exponent % DEGREE] = 1 if exponent >= 0 else (1 << BITS) - 1
        product = seal.Ciphertext()
        other.evaluator.multiply_plain(other.encrypt(vector), other.plain(ones), product)
        if total is None:
            total = product
        else:
            other.evaluator.add_inplace(total, product)
    theirs = other.decrypt(total, [b * w for b in range(bins)])

    holder = BfvKeyHolder(Prg(bytes(16)))
    evaluator = BfvEvaluator(Prg(bytes([1]) * 16), holder.announcement())
    held = evaluator.expanded(layout, holder.encrypted(layout, a))
    ((message, share, _),) = evaluator.products(layout, held, x)
    ours = holder.opened(layout, [message])[0] + share
    np.testing.assert_array_equal(ours, _kernels.histogram(x, a, bins).reshape(-1))
    assert [int(v) % (1 << BITS) for v in ours] == theirs
