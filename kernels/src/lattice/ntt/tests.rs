//! The transform against its definition.

use super::*;
use crate::lattice::modular::{add, subtract};
use crate::simd::lanes::{Eight, Portable};
use crate::words::prg::drawn;

const PRIME: u64 = 0x3_ffff_ffff_c001;

fn words(key: u8, count: usize, p: u64) -> Vec<u64> {
    drawn(key, count).iter().map(|w| w % p).collect()
}

/// Adds the product of a, of lower degree, and b modulo X^N + 1, by the definition.
pub fn add_negacyclic(a: &[u64], b: &[u64], p: u64, out: &mut [u64]) {
    let degree = out.len();
    for (i, &a) in a.iter().enumerate() {
        for (j, &b) in b.iter().enumerate() {
            let sum = &mut out[(i + j) % degree];
            *sum = if i + j < degree { add } else { subtract }(*sum, multiply(a, b, p), p);
        }
    }
}

#[test]
fn products_are_negacyclic_on_every_path() {
    for degree in [64, 128, 512] {
        let table = Table::new(degree, PRIME).unwrap();
        let p = table.p;
        let (a, b) = (words(1, degree, p), words(2, degree, p));
        let mut expected = vec![0; degree];
        add_negacyclic(&a, &b, p, &mut expected);
        for path in Path::available() {
            let (mut x, mut y) = (a.clone(), b.clone());
            forward(path, &table, &mut x);
            forward(path, &table, &mut y);
            assert_eq!(product(path, &table, &x, &y), expected, "{} {degree}", path.name());
        }
    }
}

#[test]
fn the_first_levels_are_remainders() {
    let table = Table::new(128, PRIME).unwrap();
    let p = u128::from(table.p);
    let values = words(5, 128, table.p);
    for levels in 0..5 {
        let size = 128 >> levels;
        for path in Path::available() {
            let mut found = values.clone();
            forward_levels(path, &table, levels, &mut found);
            for (i, block) in found.chunks_exact(size).enumerate() {
                let root = u128::from(table.root((1 << levels) + i));
                let zeta = root * root % p;
                for (j, &word) in block.iter().enumerate() {
                    let sum = (0..1 << levels).rev().fold(0, |sum, part| {
                        (sum * zeta + u128::from(values[part * size + j])) % p
                    });
                    assert_eq!(u128::from(word), sum, "{} {levels}", path.name());
                }
            }
            let back = modular::inverse(1 << levels, table.p);
            inverse_levels(path, &table, levels, Scale::new(back, table.p), &mut found);
            assert_eq!(found, values);
        }
    }
}

#[test]
fn every_path_has_the_same_transform_also_of_short_polynomials() {
    for degree in [64, 128, 512, 8192] {
        let table = Table::new(degree, PRIME).unwrap();
        for length in [1, 2, 8, 32, degree / 4, degree / 2, degree] {
            let edges = (0..length).map(|i| (table.p - 1) * u64::from(i % 5 != 2)).collect();
            for short in [words(4, length, table.p), edges] {
                let mut expected = short.clone();
                expected.resize(degree, 0);
                forward(Path::PORTABLE, &table, &mut expected);
                for path in Path::available() {
                    let mut values = vec![7; degree];
                    forward_short(path, &table, &short, &mut values);
                    assert_eq!(values, expected, "{} {degree} {length}", path.name());
                    inverse(path, &table, &mut values);
                    assert_eq!(values[..length], short, "{} {degree} {length}", path.name());
                }
            }
        }
    }
}

dispatched! {
    pub fn scaled<L: Residues>(factor: Scale, values: &mut [u64]) {
        eights!([], [values], factor.times(L::load(values)).store(values));
    }
}

#[test]
fn factors_at_the_edges_are_exact_on_every_path() {
    let table = Table::new(64, PRIME).unwrap();
    let (p, most) = (table.p, MASK);
    let mut values = words(6, 64, 1 << 52);
    let edges = [0, 1, p - 1, p, 2 * p - 1, 2 * p, 4 * p - 1, most - 1, most, 1 << 51];
    values[..10].copy_from_slice(&edges);
    let factors = [0, 1, 2, p / 2, p / 2 + 1, p - 2, p - 1, 1 << 49, values[20] % p];
    for factor in factors {
        for path in Path::available() {
            let mut found = values.clone();
            scaled(path, Scale::new(factor, p), &mut found);
            for (&x, found) in values.iter().zip(found) {
                let expected = u128::from(x) * u128::from(factor) % u128::from(p);
                assert_eq!(u128::from(found), expected, "{} {x} {factor}", path.name());
            }
        }
    }
}

#[test]
fn words_at_the_edges_are_multiplied_exactly_on_every_path() {
    // The largest prime of the degree and the smallest.
    for p in [PRIME, 0x2_0000_0000_0881] {
        let table = Table::new(64, p).unwrap();
        let edges = [0, 1, 2, p - 1, p - 2, p / 2, p / 2 + 1, (1 << 49) - 1];
        let a: Vec<u64> = (0..64).map(|i| edges[i / 8]).collect();
        let b: Vec<u64> = (0..64).map(|i| edges[i % 8]).collect();
        let expected: Vec<u64> = a.iter().zip(&b).map(|(a, b)| multiply(*a, *b, p)).collect();
        for path in Path::available() {
            let mut out = vec![0; 64];
            pointwise(path, &table, &a, &b, &mut out);
            assert_eq!(out, expected, "{} {p}", path.name());
        }
    }
}

dispatched! {
    pub fn summed<L: Residues>(table: &Table, times: u64, a: &[u64], b: &[u64], out: &mut [u64]) {
        eights!([a, b], [out], {
            let mut sums = (L::splat(0), L::splat(0));
            for _ in 0..times {
                sums = L::add_product(sums, a.operand(), b.operand());
            }
            fold(L::settled(sums, times), table).store(out);
        });
    }
}

#[test]
fn many_products_at_the_edges_add_up_on_every_path() {
    let table = Table::new(64, PRIME).unwrap();
    let most = (1 << 51) - 1;
    let edges = [0, 1, 2, 1 << 25, (1 << 26) - 1, 1 << 50, most - 1, most];
    let a: Vec<u64> = (0..64).map(|i| edges[i / 8]).collect();
    let b: Vec<u64> = (0..64).map(|i| edges[i % 8]).collect();
    for times in [1, 3, 1 << 10] {
        for path in Path::available() {
            let mut found = vec![0; 64];
            summed(path, &table, times, &a, &b, &mut found);
            for (i, &found) in found.iter().enumerate() {
                let product = u128::from(a[i]) * u128::from(b[i]);
                let expected = product * u128::from(times) % u128::from(table.p);
                assert_eq!(u128::from(found), expected, "{} {i} {times}", path.name());
            }
        }
    }
}

#[test]
fn sums_of_many_products_fold() {
    let table = Table::new(8192, PRIME).unwrap();
    for (low, high) in [(u64::MAX >> 1, u64::MAX >> 1), (0, 0), (1 << 62, 3), (7, 1 << 62)] {
        let expected = (u128::from(low) + u128::from(high) * (1 << 52)) % u128::from(table.p);
        let mut out = [0; 8];
        fold((Portable::splat(low), Portable::splat(high)), &table).store(&mut out);
        assert_eq!(u128::from(out[0]), expected);
    }
}

#[test]
fn what_is_no_prime_of_the_degree_is_refused() {
    for p in [PRIME - 2, PRIME + 2, (1 << 50) + 1, 17] {
        assert!(Table::new(8192, p).is_none());
    }
}
