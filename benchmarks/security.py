"""What does each assumption hold, in bits? Computed from the parameters that the code runs with.

    python benchmarks/security.py                      # half a minute: the whole matrix is measured
    python benchmarks/security.py --share 0.01         # a hundredth of it
    python benchmarks/security.py --page docs/offline.md

One JSON line for each assumption and attack: ``bits`` and its ``basis``,

    estimate     a published attack's cost, by the formulas of parity.py and lattices.py
    measured     the same, with a number taken from the real matrix
    proof        a bound that a reduction or a hash argument gives, by counting
    standard     what a standards body says of such sizes
    floor        for comparison: a price below what anybody can do, not counted as an attack
    reported     a figure of others that is not computed here

Statistical lines state the failure or the distance that the code's own rules allow for a whole
job. A table of the lines goes to standard error, or into a page.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import lattices
import lines
import parity

from securexgb.align import vole
from securexgb.align.sizes import OUTPUT_BITS
from securexgb.he import fixed_sums, noise, row_bits
from securexgb.he.ckks import CIPHERTEXTS_PER_KEY, MASK_BITS
from securexgb.he.ckks_words import DEGREE as CKKS_DEGREE
from securexgb.he.ckks_words import PRIME_BITS
from securexgb.he.paillier import DEFAULT_BITS, LEAST_BITS
from securexgb.he.paillier_sums import STATISTICAL_BITS
from securexgb.offline.method import VALUES_IN_JOB
from securexgb.offline.oblivious_transfer import LEVELS, TREE_DEPTH, TREES

VECTORS_LOG2 = 17
"""Vectors of one job under the same public matrix A: 131,072, as of 1,000 trees of depth 8."""
PLACE_BITS = 127
"""Of D, whose lowest bit is one."""
CHUNK = 1 << 13
"""Transfers under one key of the hash, see kernels/src/ot/extension.rs; a tree's are 2^LEVELS."""
LEAF_KEYS = (128 // TREE_DEPTH) << TREE_DEPTH
GROUP_LOG2 = 252.0
"""Of ristretto255's prime order."""
NIST_FACTORING = {2048: 112, 3072: 128}
"""SP 800-57 part 1, revision 5, table 2."""
RANDOMNESS_BITS = 75
"""Of a Paillier ciphertext's randomness, see he/paillier.py."""
RESULTS_LOG2 = 20
"""Results under one public key, each with a secret u of its own: a million single predictions."""
ROW_BITS_IN_JOB = 1 << 29
"""Rows times nodes, of both sides: 1M rows, 15 nodes and 10 trees are 2^28.2."""
TYPICAL_ROWS, TYPICAL_SUM_BITS = 1_000_000, 37
TYPICAL_BINS, TYPICAL_DEPTH = 33, 4
SMALL_FRACTION, LARGE_FRACTION = 0.685, 0.628
"""Of the columns of a stage's matrix in a shrinking set: random ones were measured."""
ENCODING_BITS = 46.6
"""Of the failures of an encoding of 2^20 keys; drawn on from smaller widths, docs/alignment.md."""
DEVIATION = math.sqrt(noise.ERROR_VARIANCE)
TEMPLATE = re.compile(r"(<!-- generated: security -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One line: ``bits`` is log2 of an attack's work, or of one over a probability."""

    assumption: str
    parameters: str
    attack: str
    bits: float
    basis: str


def parities(fraction: float) -> Iterator[Row]:
    """The parity problem; ``fraction``: measured, of a shrinking set."""
    instance = parity.Parity()
    name = "learning parity with regular noise"
    sizes = (
        f"dimension {instance.dimension:,}, {instance.samples:,} samples of six ones, "
        f"{instance.trees:,} of them noisy"
    )
    attack = parity.algebraic(instance)
    how = (
        f"equations of degree {attack.degree} after {attack.guessed:,} guesses, sparse, "
        f"2^{attack.monomials_log2:.0f} monomials"
    )
    yield Row(name, sizes, how, attack.bits, "estimate")
    how = f"shrinking sets: {fraction:.3f} of the columns"
    yield Row(name, sizes, how, parity.shrinking_bits(instance, fraction), "measured")
    how = "shrinking sets, up to four wrong samples found by lists"
    yield Row(name, sizes, how, parity.listed_bits(instance, fraction), "measured")
    how = "as published estimators count: dense equations, permuted blocks"
    yield Row(name, sizes, how, parity.published_bits(instance), "estimate")
    rows, needed = parity.relations(instance)
    how = f"relations of {rows:,} rows, the fewest that there are: so many of them"
    yield Row(name, sizes, how, needed, "floor")


def field_parities() -> Iterator[Row]:
    """The same over the field of an alignment's products: elements in place of bits, so that the
    noise of a tree does not add up to a known one, lists find fewer wrong samples, and nothing gets
    easier."""
    name = "learning parity with regular noise over 2^128 elements"
    for stage, columns in ((vole.SMALL, SMALL_FRACTION), (vole.LARGE, LARGE_FRACTION)):
        instance = parity.Parity(stage.dimension, stage.most_trees, 1 << stage.levels, ones=10)
        sizes = (
            f"dimension {instance.dimension:,}, {instance.samples:,} samples of ten factors, "
            f"{instance.trees:,} of them noisy"
        )
        attack = parity.algebraic(instance)
        how = f"equations of degree {attack.degree} after {attack.guessed:,} guesses, sparse"
        yield Row(name, sizes, how, attack.bits, "estimate")
        how = f"shrinking sets: {columns:.3f} of the columns"
        yield Row(name, sizes, how, parity.shrinking_bits(instance, columns), "measured")
        how = "shrinking sets, up to three wrong samples found by lists"
        yield Row(name, sizes, how, parity.listed_bits(instance, columns, wrong=3), "measured")
        how = "as published estimators count, over bits"
        yield Row(name, sizes, how, parity.published_bits(instance), "estimate")


def rings() -> Iterator[Row]:
    """Ring-LWE, wherever it is assumed."""
    q = math.log2(noise.MODULUS)
    attack = "primal, sieving"
    for name, degree, bits, reported in (
        ("ring-LWE: pads", noise.SHORT, noise.MOST_PAD_BITS, 177),
        ("ring-LWE: BFV ciphertexts", noise.DEGREE, q, 189),
        ("ring-LWE, circular: keys for merging", noise.DEGREE, q, 189),
        ("ring-LWE: CKKS public key", CKKS_DEGREE, float(sum(PRIME_BITS)), 0),
        ("ring-LWE: row bits", row_bits.DEGREE, row_bits.MODULUS_BITS, 214),
        ("ring-LWE: fixed words", fixed_sums.DEGREE, fixed_sums.PRIME_BITS, 0),
    ):
        deviation = DEVIATION if "CKKS" not in name else 3.2
        found = lattices.ring_lwe(degree, bits, deviation)
        sizes = f"degree {degree:,}, modulus 2^{bits:.0f}, deviation {deviation:.2f}, ternary"
        yield Row(name, sizes, attack, found.operations, "estimate")
        if name.endswith("pads"):
            shared = f"{attack}; 2^{VECTORS_LOG2} vectors under one A, by a hybrid argument"
            yield Row(name, sizes, shared, found.operations - VECTORS_LOG2, "estimate")
            shared = f"full estimator, for 2^79; 2^{VECTORS_LOG2} vectors under one A"
            yield Row(name, sizes, shared, reported - VECTORS_LOG2, "reported")
        if name.endswith("row bits"):
            secrets = max(row_bits.GROUPS)
            shared = f"{attack}; {secrets} secrets share public halves, by a hybrid argument"
            yield Row(name, sizes, shared, found.operations - math.log2(secrets), "estimate")
            shared = f"{attack}; 2^{RESULTS_LOG2} results under one p1, by a hybrid argument"
            yield Row(name, sizes, shared, found.operations - RESULTS_LOG2, "estimate")
        if name.endswith("fixed words"):
            shared = f"{attack}; 2^{RESULTS_LOG2} results under one p1, by a hybrid argument"
            yield Row(name, sizes, shared, found.operations - RESULTS_LOG2, "estimate")
        if reported:
            whole = "full estimator, primal and dual" + (", for 2^79" if "pads" in name else "")
            yield Row(name, sizes, whole, reported, "reported")
        yield Row(name, sizes, "primal, one block without any factor", found.core, "floor")


def symmetric() -> Iterator[Row]:
    """AES, hashes and the group."""
    name = "AES as correlation-robust hash, D"
    for what, tested in (
        ("extended transfers", 2 * CHUNK),
        ("stretched transfers", 2 << LEVELS),
    ):
        attack = f"a guess of D tests {tested:,} messages under one key"
        yield Row(name, f"{what}, ideal cipher", attack, PLACE_BITS - math.log2(tested), "proof")
    nodes = 2 * (LEVELS - 1) * TREES
    attack = f"a guess of D tests {nodes:,} nodes' hashes under one key"
    bits = PLACE_BITS - math.log2(nodes)
    yield Row("AES as circular correlation-robust hash, D", "a pool's trees", attack, bits, "proof")
    attack = f"key search against {LEAF_KEYS} leaf keys at once"
    yield Row("AES-128 in counter mode", "streams of the extension", attack,
              128 - math.log2(LEAF_KEYS), "proof")  # fmt: skip
    yield Row("AES-128 in counter mode", "all other streams, one key", "key search", 128, "proof")
    yield Row("HKDF-SHA256", "labels, keys of 128 bits", "key search", 128, "proof")
    rho = math.log2(math.sqrt(math.pi / 4)) + GROUP_LOG2 / 2
    yield Row("Diffie-Hellman on ristretto255, random oracle", "base transfers",
              "Pollard's rho", rho, "estimate")  # fmt: skip
    for size in (LEAST_BITS, DEFAULT_BITS):
        yield Row("Paillier", f"{size} bits", "factoring", NIST_FACTORING[size], "standard")
    yield Row("TLS 1.3 between the processes", "AES-128-GCM or stronger, P-256 or X25519",
              "of its primitives", 128, "standard")  # fmt: skip


def statistical() -> Iterator[Row]:
    """What is wrong, or seen, with a probability that no computation changes; for a whole job."""
    sums = noise.Sums(TYPICAL_ROWS, TYPICAL_SUM_BITS, TYPICAL_BINS, TYPICAL_DEPTH, VALUES_IN_JOB)
    precision = noise.sums_precision(sums)
    failure = noise.sums_failure_log2(sums, precision.spread, precision.noise_bits)
    values = f"2^{math.log2(VALUES_IN_JOB):.0f} values"
    sizes = f"{TYPICAL_ROWS:,} rows, {values}"
    yield Row("sums of BFV and pads are right", sizes, "noise over half a unit", -failure, "proof")
    failure = row_bits.failure_log2(row_bits.MOST_SUMMANDS, ROW_BITS_IN_JOB)
    sizes = f"2^{math.log2(ROW_BITS_IN_JOB):.0f} values, {row_bits.MOST_SUMMANDS:,} in a sum"
    yield Row("row bits are right", sizes, "noise over an eighth", -failure, "proof")
    layout = fixed_sums.plan_fixed_sums(100, 16, 31)
    assert layout is not None
    failure, sizes = fixed_sums.failure_log2(layout), "100 trees of 16 leaves, a row"
    yield Row("sums of fixed words are right", sizes, "noise over half a unit", -failure, "proof")
    precision = noise.words_precision(VALUES_IN_JOB)
    failure = noise.words_failure_log2(precision.spread, VALUES_IN_JOB)
    yield Row("words converted by BFV are right", values, "noise at a rounding", -failure, "proof")
    # Section "what the key holder sees" of he/ckks.py: sqrt(N) 2^54 times sums of at most 2.
    spread = math.log2(CKKS_DEGREE) / 2 + 54 + 1
    hiding = MASK_BITS - spread - math.log2(CIPHERTEXTS_PER_KEY)
    sizes = f"{CIPHERTEXTS_PER_KEY:,} ciphertexts"
    yield Row("CKKS masks hide sums", sizes, "distance from uniform", hiding, "proof")
    yield Row(
        "Paillier masks hide sums", values, "distance from uniform", STATISTICAL_BITS, "proof"
    )
    parts = 10
    sizes = f"{parts} buckets of 2^20 keys"
    bits = ENCODING_BITS - math.log2(parts)
    yield Row("encodings of keys exist", sizes, "dependent rows, a new coin", bits, "measured")
    attack, sizes = "two of all pairs of keys look alike", "an alignment of any size"
    yield Row("alignment finds common keys only", sizes, attack, OUTPUT_BITS, "proof")
    ciphertexts = math.log2(VALUES_IN_JOB)
    sizes = f"2^{ciphertexts:.0f} ciphertexts"
    attack = f"leftover hash lemma, 2^-{RANDOMNESS_BITS} each at 2048 bits"
    bits = RANDOMNESS_BITS - ciphertexts
    yield Row("Paillier randomness is uniform", sizes, attack, bits, "proof")


_STATISTICAL = frozenset(row.assumption for row in statistical())


def rows(fraction: float) -> list[Row]:
    """All lines."""
    return [*parities(fraction), *field_parities(), *rings(), *symmetric(), *statistical()]


def table(found: list[Row]) -> str:
    """Markdown, bits rounded down."""
    head = ("assumption", "parameters", "best attack known, or what fails", "bits", "basis")
    cells = [
        (row.assumption, row.parameters, row.attack, math.floor(row.bits), row.basis)
        for row in found
    ]
    return lines.table(head, cells)


def least(found: list[Row]) -> float:
    """The bits of the best attack on anything that is always assumed: no option's, no failure."""
    counted = {"estimate", "measured", "proof"}
    always = [row for row in found if row.basis in counted and row.assumption not in _STATISTICAL]
    return min(row.bits for row in always)


def page(text: str, found: list[Row]) -> str:
    """A page with the table made anew."""
    made = table(found)
    return TEMPLATE.sub(lambda match: f"{match[1]}\n{made}\n{match[2]}", text)


def measured(share: float) -> float:
    """The fraction of columns in a shrinking set, on a matrix of this share of the real size."""
    whole = parity.Parity()
    dimension = 1 << round(math.log2(whole.dimension * share))
    trees = max(1, round(whole.trees * dimension / whole.dimension))
    small = parity.Parity(dimension, trees)
    return parity.shrunk(parity.matrix(small, bytes(16)), dimension)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the real matrix, measured")
    parser.add_argument("--page", type=Path, help="a page whose table is written anew")
    options = parser.parse_args()
    fraction = measured(options.share)
    found = rows(fraction)
    sys.stdout.write(json.dumps({"question": "security", "share": options.share,
                                 "shrinking_fraction": fraction}) + "\n")  # fmt: skip
    for row in found:
        line = {"question": "security"} | asdict(row) | {"bits": round(row.bits, 1)}
        sys.stdout.write(json.dumps(line) + "\n")
    if options.page is None:
        sys.stderr.write(table(found))
    else:
        options.page.write_text(page(options.page.read_text("utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
