"""Objects of SEAL's CKKS as arrays of words: parameters, and reading and writing coefficients.

SEAL gives its objects out as files only. Here the file is one in memory (memfd), so nothing
touches a disk, and its payload is taken apart: what crosses the wire is the residues alone,
(polynomials, primes, N) words, a fixed size. A secret key is never written.

Parameters: N = 8192; q' = q0 q1 with two primes of 60 bits; SEAL's third prime, of 60 bits,
serves public-key encryption only. Their 180 bits are within the 218 that the table of the
homomorphic-encryption standard allows for ternary secrets and 128 bits; SEAL checks it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import ProtocolDesync, UsageError

Words = NDArray[np.uint64]

DEGREE = 8192
SLOTS = DEGREE // 2
PRIMES = 2
"""Primes of a ciphertext's modulus; a public key has one more."""
PRIME_BITS = (60, 60, 60)

_HEADER = 16  # bytes: magic and version (5), compression (1), reserved (2), total size (8)
_COMPRESSION = 5
_TOTAL = slice(8, 16)
_NONE, _ZSTD = 0, 2
_IN_SLOTS = 32  # offset of the byte that tells transformed from plain coefficients


def library() -> Any:
    """TenSEAL's low-level module; UsageError where it is not installed or cannot work."""
    try:
        from tenseal import sealapi  # noqa: PLC0415 (optional, and slow to load)
    except ImportError as error:
        raise UsageError(
            '"ckks" needs TenSEAL at both sides: pip install "securexgb[ckks]"'
        ) from error
    if not hasattr(os, "memfd_create"):
        raise UsageError('"ckks" needs files in memory, which this system has not: use Linux')
    return sealapi


class SealLibrary:
    """The context of our parameters, and the way of its objects to words and back."""

    def __init__(self) -> None:
        self.api = api = library()
        parameters = api.EncryptionParameters(api.SCHEME_TYPE.CKKS)
        parameters.set_poly_modulus_degree(DEGREE)
        parameters.set_coeff_modulus(api.CoeffModulus.Create(DEGREE, list(PRIME_BITS)))
        self.context = api.SEALContext(parameters, True, api.SEC_LEVEL_TYPE.TC128)
        if not self.context.parameters_set():
            raise UsageError(
                f"SEAL refuses the parameters of CKKS: {self.context.parameters_error_message()}; "
                'install TenSEAL as pip install "securexgb[ckks]" does'
            )
        self.primes = tuple(int(m.value()) for m in parameters.coeff_modulus())
        self.encoder = api.CKKSEncoder(self.context)
        self.evaluator = api.Evaluator(self.context)
        self.level = self.context.first_parms_id()

    def plaintext(self, slots: NDArray[np.complex128], scale: float) -> Any:
        """The encoding of up to N/2 complex numbers, the other slots zero."""
        plain = self.api.Plaintext()
        self.encoder.encode(slots.tolist(), self.level, scale, plain)
        return plain

    def words(self, stored: Any, polynomials: int = 2, primes: int = PRIMES) -> Words:
        """The residues of a ciphertext, plaintext or key: (polynomials, primes, N)."""
        size = polynomials * primes * DEGREE
        residues = np.frombuffer(_saved(stored)[1][-8 * size :], np.uint64)
        return residues.reshape(polynomials, primes, DEGREE)

    def ciphertext(self, words: Words, scale: float, is_transformed: bool = True) -> Any:
        """The ciphertext of residues (2, primes, N), transformed or plain coefficients.

        ProtocolDesync for a residue out of range.
        """
        result = self.api.Ciphertext()
        self._load(result, words, self.level, is_transformed)
        result.scale = scale
        return result

    def public_key(self, words: Words) -> Any:
        """The public key of residues (2, primes + 1, N)."""
        result = self.api.PublicKey()
        self._load(result, words, self.context.key_parms_id(), True)
        return result

    def _load(self, target: Any, words: Words, level: list[int], is_transformed: bool) -> None:
        limits = np.array(self.primes[: words.shape[1]], np.uint64)[:, None]
        if not bool((words < limits).all()):
            raise ProtocolDesync("a message of ciphertexts holds residues beyond their modulus")
        header, preamble = self._preamble(level)
        preamble[_IN_SLOTS] = is_transformed
        body = preamble + np.ascontiguousarray(words).data.cast("B")
        header[_COMPRESSION] = _NONE
        header[_TOTAL] = (len(header) + len(body)).to_bytes(8, "little")
        with _memory_file() as (path, descriptor):
            os.pwrite(descriptor, header + body, 0)
            target.load(self.context, path)

    def _preamble(self, level: list[int]) -> tuple[bytearray, bytearray]:
        """What stands before the residues in SEAL's file of a ciphertext at this level."""
        empty = self.api.Ciphertext(self.context, level, 2)
        empty.resize(2)
        header, body = _saved(empty)
        return bytearray(header), bytearray(body[: len(body) % (8 * DEGREE)])


def _saved(stored: Any) -> tuple[bytes, bytes]:
    """The file that SEAL writes of an object: its header, and its content uncompressed."""
    with _memory_file() as (path, descriptor):
        stored.save(path)
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    header = data[:_HEADER]
    if header[_COMPRESSION] != _ZSTD:
        raise UsageError(
            'this build of TenSEAL writes files in another form: pip install "securexgb[ckks]"'
        )
    import pyarrow as pa  # noqa: PLC0415  (slow to load, and of this scheme alone)

    with pa.input_stream(pa.py_buffer(data[_HEADER:]), compression="zstd") as stream:
        return header, stream.read()


@contextmanager
def _memory_file() -> Iterator[tuple[str, int]]:
    """A file that exists in memory only: its path and descriptor."""
    descriptor = os.memfd_create("securexgb-ckks")
    try:
        yield f"/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)
