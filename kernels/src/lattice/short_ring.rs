//! The ring Z_q[X] / (X^1024 + 1), q = 2^16: what `row_bits` computes in.
//!
//! Sums are wrapping words of 16 bits. Products with ternary polynomials are taken over the
//! integers, modulo a prime of 50 bits, two at a time: with a the centred coefficients of one
//! polynomial and s + 2^25 s' of two, a (s + 2^25 s') holds both products, because either is
//! below 2^24 in size. Of 10 bits each that is certain: 1024 2^9 = 2^19. Of uniform 16 bits it
//! fails with 2^-183 a coefficient (Hoeffding: 2 exp(-2 (2^24)^2 / (1024 2^32))).

use crate::lattice::ntt::{self, Table};
use crate::lattice::ring::{binomial, residue};
use crate::simd::path::Path;
use crate::words::prg::Stream;

/// N.
pub const DEGREE: usize = 1024;
/// Words that a polynomial's coefficients take, and that the stream gives for one.
pub const WORDS: usize = DEGREE / 4;
/// Words of a stream for one small secret, and for one error.
pub const TERNARY_WORDS: usize = DEGREE / 4;
/// See above: 48 bits a coefficient.
pub const ERROR_WORDS: usize = DEGREE / 4 * 3;
/// The largest prime below 2^50 that is 1 modulo 2^14.
const PRIME: u64 = 0x3_ffff_ffff_c001;
/// Where the second of two products begins.
const GAP: u32 = 25;

/// Coefficients modulo 2^16.
pub type Polynomial = [u16; DEGREE];

/// Tables of the transform.
pub struct ShortRing {
    table: Table,
    path: Path,
}

impl ShortRing {
    /// With the fastest code that this machine runs.
    pub fn new() -> ShortRing {
        let table = Table::new(DEGREE, PRIME).expect("the prime suits the degree");
        ShortRing { table, path: Path::best() }
    }

    /// How the transforms run.
    pub fn path(&self) -> Path {
        self.path
    }

    /// The transform of signed coefficients below 2^48 in size.
    pub fn transformed(&self, coefficients: impl Iterator<Item = i64>) -> Vec<u64> {
        let mut words: Vec<u64> = coefficients.map(|x| residue(x, PRIME)).collect();
        ntt::forward(self.path, &self.table, &mut words);
        words
    }

    /// The transform of coefficients modulo 2^16, centred.
    pub fn transformed_words(&self, polynomial: &[u16]) -> Vec<u64> {
        self.transformed(polynomial.iter().map(|&x| i64::from(x as i16)))
    }

    /// The transforms of first + 2^25 second of every pair of polynomials; the last may be alone.
    pub fn transformed_pairs(&self, polynomials: &[Vec<i64>]) -> Vec<Vec<u64>> {
        let pair = |pair: &[Vec<i64>]| match pair {
            [first, second] => {
                self.transformed(first.iter().zip(second).map(|(a, b)| a + (b << GAP)))
            }
            _ => self.transformed(pair[0].iter().copied()),
        };
        polynomials.chunks(2).map(pair).collect()
    }

    /// The integer coefficients of the product of two transforms, in `out`, as signed numbers.
    pub fn multiply(&self, a: &[u64], b: &[u64], out: &mut [u64]) {
        ntt::multiply(self.path, &self.table.constants, a, b, out);
        ntt::inverse(self.path, &self.table, out);
        for word in out {
            let negative = ((PRIME / 2).wrapping_sub(*word) as i64 >> 63) as u64;
            *word = word.wrapping_sub(PRIME & negative);
        }
    }
}

impl Default for ShortRing {
    fn default() -> Self {
        Self::new()
    }
}

/// Both products of one coefficient that `ShortRing::multiply` gave, modulo 2^16.
#[inline(always)]
pub fn both(word: u64) -> [u16; 2] {
    [word as u16, (word.wrapping_add(1 << (GAP - 1)) >> GAP) as u16]
}

/// Polynomial `number` of a public stream, uniform.
pub fn uniform(stream: &Stream, number: usize) -> Polynomial {
    let mut words = [0; WORDS];
    stream.fill((number * WORDS) as u64, &mut words);
    std::array::from_fn(|i| (words[i / 4] >> (16 * (i % 4))) as u16)
}

/// Coefficients -1, 0, 1 from `TERNARY_WORDS` words of a stream, four of each word: their
/// distance from equal chances is below 2^-57 a word.
pub fn ternary(stream: &Stream, start: u64) -> Vec<i64> {
    let mut words = [0; TERNARY_WORDS];
    stream.fill(start, &mut words);
    let mut out = Vec::with_capacity(DEGREE);
    for mut rest in words {
        for _ in 0..4 {
            let digit = u128::from(rest) * 3;
            out.push((digit >> 64) as i64 - 1);
            rest = digit as u64;
        }
    }
    out
}

/// Centred binomial errors, variance 10.5, from `ERROR_WORDS` words of a stream: 42 bits of
/// every 48. Sums of fair bits: modulo 2 they are exactly uniform.
pub fn errors(stream: &Stream, start: u64) -> [i64; DEGREE] {
    let mut words = [0; ERROR_WORDS];
    stream.fill(start, &mut words);
    let mut spread = [0; DEGREE];
    for (out, three) in spread.as_chunks_mut::<4>().0.iter_mut().zip(words.as_chunks::<3>().0) {
        let [a, b, c] = *three;
        *out = [a, a >> 48 | b << 16, b >> 32 | c << 32, c >> 16];
    }
    let mut errors = [0; DEGREE];
    binomial(Path::best(), &spread, &mut errors);
    errors
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::lattice::modular::power;

    /// a s in the ring, by the definition, for a small s.
    pub fn schoolbook(a: &[u16], s: &[i64]) -> Vec<u16> {
        let mut out = vec![0u16; DEGREE];
        for (i, &a) in a.iter().enumerate() {
            for (j, &s) in s.iter().enumerate() {
                let term = a.wrapping_mul(s as u16);
                let place = &mut out[(i + j) % DEGREE];
                *place = if i + j < DEGREE {
                    place.wrapping_add(term)
                } else {
                    place.wrapping_sub(term)
                };
            }
        }
        out
    }

    #[test]
    fn the_prime_is_the_one_that_is_named() {
        assert_eq!(PRIME % (1 << 14), 1);
        assert_eq!(power(3, PRIME - 1, PRIME), 1);
    }

    #[test]
    fn products_come_two_at_a_time() {
        for path in Path::available() {
            let ring = ShortRing { path, ..ShortRing::new() };
            let a = uniform(&Stream::new(&[1; 16]), 3);
            let secrets: Vec<Vec<i64>> =
                (0..3).map(|i| ternary(&Stream::new(&[2; 16]), i * 256)).collect();
            let pairs = ring.transformed_pairs(&secrets);
            assert_eq!(pairs.len(), 2);
            let a_words = ring.transformed_words(&a);
            let mut out = vec![0; DEGREE];
            for (pair, secrets) in pairs.iter().zip(secrets.chunks(2)) {
                ring.multiply(&a_words, pair, &mut out);
                for (which, s) in secrets.iter().enumerate() {
                    let found: Vec<u16> = out.iter().map(|&word| both(word)[which]).collect();
                    assert_eq!(found, schoolbook(&a, s), "{}", path.name());
                }
            }
        }
    }

    #[test]
    fn the_largest_received_numbers_do_not_meet() {
        // 10 bits, all at the edge, secrets without a zero: the sum takes all that there is.
        let ring = ShortRing::new();
        let a = vec![512u16.wrapping_neg(); DEGREE];
        let secrets = vec![vec![-1; DEGREE], vec![1; DEGREE]];
        let mut out = vec![0; DEGREE];
        ring.multiply(&ring.transformed_words(&a), &ring.transformed_pairs(&secrets)[0], &mut out);
        for (which, s) in secrets.iter().enumerate() {
            let found: Vec<u16> = out.iter().map(|&word| both(word)[which]).collect();
            assert_eq!(found, schoolbook(&a, s));
        }
    }

    #[test]
    fn small_numbers_have_their_laws() {
        let stream = Stream::new(&[4; 16]);
        let (mut counts, mut pairs, mut square) = ([0i64; 3], [0i64; 9], 0);
        let rounds = 64;
        for i in 0..rounds {
            let s = ternary(&stream, i * TERNARY_WORDS as u64);
            s.iter().for_each(|&x| counts[(x + 1) as usize] += 1);
            s.windows(2).for_each(|x| pairs[(3 * x[0] + x[1] + 4) as usize] += 1);
            let e = errors(&stream, i * ERROR_WORDS as u64);
            assert!(e.iter().all(|e| e.abs() <= 21));
            square += e.iter().map(|e| e * e).sum::<i64>();
        }
        let all = rounds as i64 * DEGREE as i64;
        assert!((square as f64 / all as f64 - 10.5).abs() < 0.3);
        assert!(counts.iter().all(|n| (n - all / 3).abs() < 800), "{counts:?}");
        assert!(pairs.iter().all(|n| (n - all / 9).abs() < 800), "{pairs:?}");
    }
}
