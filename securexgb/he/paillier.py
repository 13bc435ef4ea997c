"""Paillier encryption through phe, with uniform randomness in every ciphertext.

phe (python-paillier) makes the keys, encrypts for others and decrypts (by the Chinese
remainder theorem). Two things are ours, both under docs/homomorphic.md, "Paillier":

*Encryption by the key's owner*, who knows n = p q and need not compute r^n modulo n^2. The
n-th powers modulo n^2 are pairs of p-th powers modulo p^2 and q-th powers modulo q^2, groups
of p - 1 and q - 1 elements. An element of either is the product of fixed, uniform elements
R_i raised to random bytes d_i, looked up in tables. By the leftover hash lemma a product of
(bits of p + 192) / 8 factors is so close to uniform, even given the tables, that a ciphertext is
within 2^-75 of a fresh one at 2048 bits and 2^-95 at 3072 (the page has the sum), to be
multiplied by a job's number of ciphertexts. Full-size randomness, and no assumption on p and q.
Fixed-base tables with *short* exponents would need p = q = 3 mod 4 and gcd(p - 1, q - 1) = 2,
which phe's key generation (random primes of half the length) does not ensure, and an assumption
besides; so there are none here.

*Messages*: the key's name (8 bytes of a hash of n), then ciphertexts of fixed length.

All randomness of encryption is the operating system's. The arithmetic (GMP) does not run in
constant time; there is no remote timing to read it from but that of whole messages.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

from securexgb.errors import ProtocolDesync, TermsDiffer, UsageError

try:
    import gmpy2
    from gmpy2 import mpz
    from phe import paillier as phe
except ImportError:  # they are optional: ``check_bits`` says so to who asks for a key
    gmpy2 = mpz = phe = None

DEFAULT_BITS = 3072
LEAST_BITS = 2048
NAME_BYTES = 8
_SMALL = 1 << 16
_SURPLUS_BITS = 192
"""Random bits of a product above the size of its group; see the module's docstring."""


def message_bytes(key_bits: int, ciphertexts: int) -> int:
    """The size of a message of so many ciphertexts, each of twice the key's size."""
    return NAME_BYTES + ciphertexts * (key_bits // 4)


class PublicKey:
    """The modulus n of ``bits`` bits: encrypts for its owner, adds, reads and writes.

    Raises UsageError where ``bits`` is too small a size, TermsDiffer where ``modulus`` has
    another size, ProtocolDesync where it is no product of two large primes as far as can be
    seen: it is prime, a power, or has a prime factor below 2^16.
    """

    __slots__ = ("_phe", "bits", "ciphertext_bytes", "modulus", "name", "square")

    least_bits = LEAST_BITS

    def __init__(self, modulus: int, bits: int) -> None:
        check_bits(bits, self.least_bits)
        if modulus.bit_length() != bits or not modulus & 1:
            raise TermsDiffer(
                f"the Paillier modulus that arrived has {modulus.bit_length()} bits and has to be "
                f"an odd number of {bits}: set the same key size at both sides"
            )
        if _is_implausible(mpz(modulus)):
            raise ProtocolDesync(
                "the Paillier modulus that arrived is no product of two large primes: the other "
                "side's key generation is broken"
            )
        self.bits = bits
        self.ciphertext_bytes = bits // 4
        self.modulus = mpz(modulus)
        self.square = self.modulus**2
        self.name = hashlib.sha256(self.announcement()).digest()[:NAME_BYTES]
        self._phe = phe.PaillierPublicKey(modulus)

    @classmethod
    def announced(cls, message: bytes | memoryview, bits: int) -> PublicKey:
        """The key of a peer's announcement."""
        return cls(int.from_bytes(message, "big"), bits)

    def announcement(self) -> bytes:
        """The modulus, most significant byte first."""
        return int(self.modulus).to_bytes(self.bits // 8, "big")

    def encrypt(self, plaintexts: Sequence[int]) -> list[mpz]:
        """Ciphertexts of numbers below n, each with r^n for its own uniform r below n.

        Whatever leaves an evaluator has one of these added to it. That hides where it comes from
        even from the key's owner, who knows the factors and with them the groups' orders: r^n has
        its full size, so no assumption on short exponents is needed.
        """
        return [mpz(self._phe.raw_encrypt(int(plaintext))) for plaintext in plaintexts]

    def add(self, x: mpz, y: mpz) -> mpz:
        """A ciphertext of the sum; *not* fresh: its randomness is the product of theirs."""
        return x * y % self.square

    def write(self, ciphertexts: Sequence[mpz]) -> bytes:
        """A message: the key's name and the ciphertexts."""
        size = self.ciphertext_bytes
        return b"".join([self.name, *(int(c).to_bytes(size, "little") for c in ciphertexts)])

    def read(self, message: bytes | memoryview) -> list[mpz]:
        """The ciphertexts of a message; ProtocolDesync where it is none under this key."""
        data = bytes(message)
        size = self.ciphertext_bytes
        if data[:NAME_BYTES] != self.name or (len(data) - NAME_BYTES) % size:
            raise ProtocolDesync("a message under another Paillier key, or cut, arrived")
        edges = range(NAME_BYTES, len(data) + 1, size)
        ciphertexts = [mpz(int.from_bytes(data[a:b], "little")) for a, b in pairwise(edges)]
        if not all(0 < ciphertext < self.square for ciphertext in ciphertexts):
            raise ProtocolDesync("a Paillier ciphertext out of range arrived")
        return ciphertexts


class SecretKey:
    """A key pair made by phe; one for each party and job, never written anywhere."""

    __slots__ = ("_pair", "_residues", "_step", "public")

    public_type: type[PublicKey] = PublicKey

    def __init__(self, bits: int = DEFAULT_BITS) -> None:
        check_bits(bits, self.public_type.least_bits)
        public, self._pair = phe.generate_paillier_keypair(n_length=bits)
        self.public = self.public_type(public.n, bits)
        self._residues: tuple[_Residues, _Residues] | None = None
        self._step = mpz(0)

    def encrypt(self, plaintexts: Sequence[int]) -> list[mpz]:
        """Ciphertexts of numbers below n, faster than who has only the public key.

        The first call makes the tables: 22 MB and half a second at 2048 bits.
        """
        if self._residues is None:
            self._residues = _Residues(mpz(self._pair.p)), _Residues(mpz(self._pair.q))
            p_square, q_square = (side.square for side in self._residues)
            self._step = p_square * gmpy2.invert(p_square, q_square)
        modulus, square = self.public.modulus, self.public.square
        p_side, q_side = self._residues
        ciphertexts = []
        for plaintext in plaintexts:
            at_p, at_q = p_side.draw(), q_side.draw()
            power = at_p + self._step * (at_q - at_p)
            ciphertexts.append((1 + plaintext * modulus) * power % square)
        return ciphertexts

    def decrypt(self, ciphertexts: Sequence[mpz]) -> list[int]:
        """The plaintexts, below n."""
        return [self._pair.raw_decrypt(int(ciphertext)) for ciphertext in ciphertexts]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.public.bits} bits)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret key is not pickled")


class InsecurePublicKey(PublicKey):
    """Any size of key: for tests of what does not depend on it."""

    __slots__ = ()
    least_bits = 256


class InsecureSecretKey(SecretKey):
    """Any size of key: for tests of what does not depend on it."""

    __slots__ = ()
    public_type = InsecurePublicKey


class _Residues:
    """Uniform elements of the group of p-th powers modulo p^2, p a prime factor of n."""

    __slots__ = ("_tables", "square")

    def __init__(self, prime: mpz) -> None:
        self.square = prime**2
        factors = -(-(prime.bit_length() + _SURPLUS_BITS) // 8)
        self._tables = [self._powers(prime) for _ in range(factors)]

    def _powers(self, prime: mpz) -> list[mpz]:
        """A uniform element to the powers 0 .. 255: x^p is one-to-one for x below p."""
        base = gmpy2.powmod(1 + secrets.randbelow(int(prime) - 1), prime, self.square)
        powers = [mpz(1)]
        for _ in range(255):
            powers.append(powers[-1] * base % self.square)
        return powers

    def draw(self) -> mpz:
        """The product of all bases to the powers of fresh random bytes."""
        square, element = self.square, mpz(1)
        for powers, digit in zip(self._tables, secrets.token_bytes(len(self._tables)), strict=True):
            element = element * powers[digit] % square
        return element


def _is_implausible(modulus: mpz) -> bool:
    """Whether a modulus would betray its factors, or has none. Not whether r^n hides: for that
    n must be prime to the group's order, which holds for two primes of equal length and cannot be
    seen without them."""
    has_small = gmpy2.gcd(modulus, gmpy2.primorial(_SMALL)) != 1
    return bool(has_small or gmpy2.is_power(modulus) or gmpy2.is_prime(modulus))


def check_bits(bits: int, least: int = LEAST_BITS) -> None:
    """UsageError for a key size that is too small or not whole words of both factors, and
    where phe or gmpy2 is not installed.
    """
    if phe is None:
        raise UsageError(
            'he="paillier" needs phe and gmpy2 at both sides: pip install "securexgb[paillier]"'
        )
    if bits < least or bits % 128:
        raise UsageError(
            f"a Paillier key of {bits} bits is refused: take {DEFAULT_BITS}, or {LEAST_BITS} "
            f"at the least, in steps of 128"
        )
