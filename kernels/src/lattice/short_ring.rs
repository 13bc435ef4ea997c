//! The ring Z_q[X] / (X^1024 + 1), q = 2^16: what `row_bits` computes in.
//!
//! Sums are wrapping words of 16 bits. Products with ternary polynomials are exact: with centred
//! coefficients they are integers up to 1024 2^15 = 2^25 in size, and are computed modulo two
//! primes whose product is above 2^26, then put together modulo 2^16 (Chung and others, *NTT
//! Multiplication for NTT-unfriendly Rings*, CHES 2021). All products here are of many
//! polynomials with one, so `LANES` of them go through the transform side by side, word by word:
//! every step is a plain loop over 16-bit words, which compiles to vector code.
//!
//! Both primes are 1 modulo 512, so X^1024 + 1 falls apart into 256 factors X^4 - root. Products
//! with constants are Montgomery's, with 2^16: |a w / 2^16| stays below p / 2 + |a| p / 2^17, at
//! most 3/4 p for whatever word a. Words of 16 bits hold 3.04 p of the larger prime.

use crate::lattice::ring::binomial;
use crate::simd::path::{Path, dispatched};
use crate::words::prg::Stream;

/// N.
pub const DEGREE: usize = 1024;
/// Polynomials that are multiplied at once.
pub const LANES: usize = 16;
/// Words that a polynomial's coefficients take, and that the stream gives for one.
pub const WORDS: usize = DEGREE / 4;
/// Words of a stream for one small secret, and for one error.
pub const TERNARY_WORDS: usize = DEGREE / 4;
/// See above: 48 bits a coefficient.
pub const ERROR_WORDS: usize = DEGREE / 4 * 3;
/// Half their product is 2^25.3: above the largest coefficient.
const PRIMES: [i16; 2] = [7681, 10753];
/// Factors of X^1024 + 1, of degree 4.
const BLOCKS: usize = 256;
const LEVELS: usize = BLOCKS.trailing_zeros() as usize;

/// Coefficients modulo 2^16.
pub type Polynomial = [u16; DEGREE];
/// `LANES` polynomials, (DEGREE, LANES).
pub type Side = [[i16; LANES]; DEGREE];

/// A constant modulo a prime: times 2^16, centred, and that times 1 / p modulo 2^16.
type Constant = (i16, i16);

/// a w / 2^16 modulo p, below 3/4 p in size.
#[inline(always)]
fn times(a: i16, (w, ratio): Constant, p: i16) -> i16 {
    let high = |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16;
    high(a, w).wrapping_sub(high(a.wrapping_mul(ratio), p))
}

/// One prime's constants.
pub struct Modulus {
    p: i16,
    inverse: i16,
    /// 2^26 / p, for rounding.
    reciprocal: i16,
    /// Roots in bit-reversed order, and their inverses.
    roots: [Constant; BLOCKS],
    back: [Constant; BLOCKS],
    /// 2^16: makes a number a constant. 1 / 256: undoes the transform.
    twice: Constant,
    last: Constant,
}

fn power(base: i64, exponent: u32, p: i64) -> i64 {
    (0..exponent).fold(1, |product, _| product * base % p)
}

impl Modulus {
    fn new(p: i16) -> Modulus {
        let wide = i64::from(p);
        // Newton: each step doubles the bits of 1 / p modulo 2^16.
        let inverse = (0..4).fold(p, |x, _| x.wrapping_mul(2i16.wrapping_sub(x.wrapping_mul(p))));
        let constant = |value: i64| -> Constant {
            let scaled = (value << 16) % wide;
            let centred = if scaled > wide / 2 { scaled - wide } else { scaled } as i16;
            (centred, centred.wrapping_mul(inverse))
        };
        let order = 2 * BLOCKS as u32;
        let root = (2..wide)
            .map(|base| power(base, (wide as u32 - 1) / order, wide))
            .find(|&root| power(root, order / 2, wide) == wide - 1)
            .expect("the prime is 1 modulo 512");
        let reversed = |i: usize| (i.reverse_bits() >> (usize::BITS as usize - LEVELS)) as u32;
        Modulus {
            p,
            inverse,
            reciprocal: ((1i64 << 26) / wide) as i16,
            roots: std::array::from_fn(|i| constant(power(root, reversed(i), wide))),
            back: std::array::from_fn(|i| constant(power(root, order - reversed(i), wide))),
            twice: constant((1 << 16) % wide),
            last: constant(power(BLOCKS as i64, wide as u32 - 2, wide)),
        }
    }

    /// A remainder of at most p / 2 + p / 512 in size, for any word.
    #[inline(always)]
    fn reduced(&self, x: i16) -> i16 {
        let high = ((i32::from(x) * i32::from(self.reciprocal)) >> 16) as i16;
        x.wrapping_sub(((high.wrapping_add(512)) >> 10).wrapping_mul(self.p))
    }

    /// The centred remainder of what is below 3/2 p in size.
    #[inline(always)]
    fn centred(&self, x: i16) -> i16 {
        let half = self.p / 2;
        let above = if x > half { self.p } else { 0 };
        let below = if x < -half { self.p } else { 0 };
        x.wrapping_sub(above).wrapping_add(below)
    }
}

#[inline(always)]
fn reduce_all(m: &Modulus, values: &mut [[i16; LANES]]) {
    for x in values.as_flattened_mut() {
        *x = m.reduced(*x);
    }
}

/// Levels of butterflies: sizes below p / 2 grow by 3/4 p a level, so three fit a word.
#[inline(always)]
fn forward_body(m: &Modulus, values: &mut [[i16; LANES]]) {
    for level in 0..LEVELS {
        if level % 3 == 0 {
            reduce_all(m, values);
        }
        let size = DEGREE >> level;
        for (block, root) in values.chunks_exact_mut(size).zip(&m.roots[1 << level..]) {
            let (a, b) = block.split_at_mut(size / 2);
            for (a, b) in a.as_flattened_mut().iter_mut().zip(b.as_flattened_mut()) {
                let (x, y) = (*a, times(*b, *root, m.p));
                (*a, *b) = (x.wrapping_add(y), x.wrapping_sub(y));
            }
        }
    }
}

dispatched! {
    /// The transform of `LANES` polynomials modulo one prime.
    pub fn forward = forward_body(m: &Modulus, values: &mut [[i16; LANES]]);
}

/// Undoes `forward`. Sums double, so two levels fit after each reduction.
#[inline(always)]
fn inverse_body(m: &Modulus, values: &mut [[i16; LANES]]) {
    for level in (0..LEVELS).rev() {
        if level % 2 == 1 {
            reduce_all(m, values);
        }
        let size = DEGREE >> level;
        for (block, root) in values.chunks_exact_mut(size).zip(&m.back[1 << level..]) {
            let (a, b) = block.split_at_mut(size / 2);
            for (a, b) in a.as_flattened_mut().iter_mut().zip(b.as_flattened_mut()) {
                let (x, y) = (*a, *b);
                (*a, *b) = (x.wrapping_add(y), times(x.wrapping_sub(y), *root, m.p));
            }
        }
    }
}

dispatched! {
    /// See above.
    pub fn inverse = inverse_body(m: &Modulus, values: &mut [[i16; LANES]]);
}

/// Products modulo X^4 - root of each block: four of at most 3/4 p each, which fit a word.
#[inline(always)]
fn blocks_body(p: i16, a: &[[i16; LANES]], by: &[[Constant; 8]], out: &mut [[i16; LANES]]) {
    let blocks = a.as_chunks::<4>().0.iter().zip(out.as_chunks_mut::<4>().0).zip(by);
    for ((a, out), by) in blocks {
        for (i, out) in out.iter_mut().enumerate() {
            let mut sum = [0i16; LANES];
            for (j, a) in a.iter().enumerate() {
                // by[4 + i] is that of X^i, by[i] the one times the root.
                let factor = by[4 + i - j];
                for (sum, &a) in sum.iter_mut().zip(a) {
                    *sum = sum.wrapping_add(times(a, factor, p));
                }
            }
            *out = sum;
        }
    }
}

dispatched! {
    /// See above.
    pub fn blocks = blocks_body(p: i16, a: &[[i16; LANES]], by: &[[Constant; 8]], out: &mut [[i16; LANES]]);
}

/// Of transforms back, not yet divided by 256, both residues: the integer modulo 2^16.
#[inline(always)]
fn join_body(
    m: &[Modulus; 2],
    first: &[[i16; LANES]],
    second: &[[i16; LANES]],
    by: Constant,
    out: &mut [[u16; LANES]],
) {
    let values = first.as_flattened().iter().zip(second.as_flattened());
    for (out, (&first, &second)) in out.as_flattened_mut().iter_mut().zip(values) {
        let x = m[0].centred(times(first, m[0].last, m[0].p));
        let y = times(second, m[1].last, m[1].p);
        let t = m[1].centred(times(y.wrapping_sub(x), by, m[1].p));
        *out = x.wrapping_add(t.wrapping_mul(m[0].p)) as u16;
    }
}

dispatched! {
    /// See above.
    pub fn join = join_body(m: &[Modulus; 2], first: &[[i16; LANES]], second: &[[i16; LANES]], by: Constant, out: &mut [[u16; LANES]]);
}

/// One polynomial, transformed, ready to be multiplied with.
pub struct Factor([Vec<[Constant; 8]>; 2]);

/// `LANES` polynomials, transformed.
pub struct Many([Vec<[i16; LANES]>; 2]);

/// The constants of both primes.
pub struct ShortRing {
    moduli: [Modulus; 2],
    /// 1 / p_0 modulo p_1.
    joining: Constant,
    path: Path,
}

impl ShortRing {
    /// With the fastest code that this machine runs.
    pub fn new() -> ShortRing {
        let moduli = PRIMES.map(Modulus::new);
        let [p, other] = PRIMES.map(i64::from);
        let value = (power(p, other as u32 - 2, other) << 16) % other;
        let centred = if value > other / 2 { value - other } else { value } as i16;
        let joining = (centred, centred.wrapping_mul(moduli[1].inverse));
        ShortRing { moduli, joining, path: Path::best() }
    }

    /// How the transforms run.
    pub fn path(&self) -> Path {
        self.path
    }

    /// The transforms of `LANES` polynomials of centred coefficients.
    pub fn many(&self, polynomials: &Side) -> Many {
        Many(std::array::from_fn(|i| {
            let mut values = polynomials.to_vec();
            forward(self.path, &self.moduli[i], &mut values);
            values
        }))
    }

    /// The transform of one polynomial of centred coefficients.
    pub fn factor(&self, polynomial: &[i16; DEGREE]) -> Factor {
        let mut side = [[0; LANES]; DEGREE];
        put(&mut side, 0, polynomial);
        let Many(all) = self.many(&side);
        Factor(std::array::from_fn(|i| {
            let m = &self.moduli[i];
            let constant = |x: i16| (x, x.wrapping_mul(m.inverse));
            let block = |(number, values): (usize, &[[i16; LANES]; 4])| -> [Constant; 8] {
                let root = m.roots[BLOCKS / 2 + number / 2];
                std::array::from_fn(|at| {
                    let x = times(values[at % 4][0], m.twice, m.p);
                    let turned = times(x, root, m.p);
                    let turned = if number % 2 == 0 { turned } else { -turned };
                    constant(m.centred(if at < 4 { turned } else { x }))
                })
            };
            all[i].as_chunks::<4>().0.iter().enumerate().map(block).collect()
        }))
    }

    /// Overwrites `out` with the products, exact integers modulo 2^16. Of the two one has
    /// coefficients -1 to 1, or their products are otherwise at most 2^25 in size.
    pub fn multiply(&self, many: &Many, factor: &Factor, out: &mut [[u16; LANES]]) {
        let [first, second] = std::array::from_fn(|i| {
            let m = &self.moduli[i];
            let mut values = vec![[0; LANES]; DEGREE];
            blocks(self.path, m.p, &many.0[i], &factor.0[i], &mut values);
            inverse(self.path, m, &mut values);
            values
        });
        join(self.path, &self.moduli, &first, &second, self.joining, out);
    }
}

impl Default for ShortRing {
    fn default() -> Self {
        Self::new()
    }
}

/// Puts a polynomial of centred coefficients in one lane.
pub fn put(side: &mut Side, lane: usize, polynomial: &[i16; DEGREE]) {
    for (lanes, &x) in side.iter_mut().zip(polynomial) {
        lanes[lane] = x;
    }
}

/// The polynomial in one lane of a product.
pub fn lane(products: &[[u16; LANES]], lane: usize) -> Polynomial {
    std::array::from_fn(|j| products[j][lane])
}

/// Polynomial `number` of a public stream, uniform.
pub fn uniform(stream: &Stream, number: usize) -> Polynomial {
    let mut words = [0; WORDS];
    stream.fill((number * WORDS) as u64, &mut words);
    std::array::from_fn(|i| (words[i / 4] >> (16 * (i % 4))) as u16)
}

/// Coefficients -1, 0, 1 from `TERNARY_WORDS` words of a stream, four of each word: their
/// distance from equal chances is below 2^-57 a word.
pub fn ternary(stream: &Stream, start: u64) -> [i16; DEGREE] {
    let mut words = [0; TERNARY_WORDS];
    stream.fill(start, &mut words);
    let mut out = [0; DEGREE];
    for (out, mut rest) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        for out in out {
            let digit = u128::from(rest) * 3;
            *out = (digit >> 64) as i16 - 1;
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

    /// a s in the ring, by the definition.
    pub fn schoolbook(a: &[u16], s: &[i16]) -> Vec<u16> {
        let mut out = vec![0u16; DEGREE];
        for (i, &a) in a.iter().enumerate() {
            for (j, &s) in s.iter().enumerate().filter(|(_, s)| **s != 0) {
                let term = a.wrapping_mul(s as u16);
                let place = &mut out[(i + j) % DEGREE];
                let signed = if i + j < DEGREE { term } else { term.wrapping_neg() };
                *place = place.wrapping_add(signed);
            }
        }
        out
    }

    #[test]
    fn products_are_the_definition_on_every_path() {
        let stream = Stream::new(&[1; 16]);
        let edges = |value: i16| [value as u16; DEGREE];
        let alternating: Polynomial =
            std::array::from_fn(|i| if i % 2 == 0 { 1 << 15 } else { (1 << 15) - 1 });
        // The largest products are those of all coefficients at the edge.
        let many =
            [uniform(&stream, 0), edges(i16::MIN), edges(i16::MAX), edges(-512), alternating];
        let ones = [1; DEGREE];
        let factors = [ternary(&stream, 9999), ones, ones.map(|x| -x)];
        let mut side = [[0; LANES]; DEGREE];
        for (lane, polynomial) in many.iter().enumerate() {
            put(&mut side, LANES - 1 - lane, &polynomial.map(|x| x as i16));
        }
        for path in Path::available() {
            let ring = ShortRing { path, ..ShortRing::new() };
            let transformed = ring.many(&side);
            let mut out = vec![[9; LANES]; DEGREE];
            for factor in &factors {
                ring.multiply(&transformed, &ring.factor(factor), &mut out);
                for (at, polynomial) in many.iter().enumerate() {
                    let found = lane(&out, LANES - 1 - at).to_vec();
                    assert_eq!(found, schoolbook(polynomial, factor), "{}", path.name());
                }
                assert!(out.iter().all(|lanes| lanes[0] == 0));
            }
            // And the other way round: small ones at once, times one of 16 bits.
            let mut small = [[0; LANES]; DEGREE];
            put(&mut small, 5, &factors[0]);
            let factor = ring.factor(&many[0].map(|x| x as i16));
            ring.multiply(&ring.many(&small), &factor, &mut out);
            assert_eq!(lane(&out, 5).to_vec(), schoolbook(&many[0], &factors[0]));
        }
    }

    #[test]
    fn remainders_are_small_for_every_word() {
        for m in PRIMES.map(Modulus::new) {
            assert_eq!(m.p.wrapping_mul(m.inverse), 1);
            for x in i16::MIN..=i16::MAX {
                let reduced = m.reduced(x);
                assert!(reduced.abs() <= m.p / 2 + m.p / 512);
                assert_eq!((i32::from(x) - i32::from(reduced)) % i32::from(m.p), 0);
                for w in [m.roots[7], m.back[200], m.last, m.twice] {
                    let product = i32::from(times(x, w, m.p));
                    assert!(product.abs() <= i32::from(m.p) * 3 / 4 + 1);
                    let difference = i64::from(x) * i64::from(w.0) - (i64::from(product) << 16);
                    assert_eq!(difference % i64::from(m.p), 0);
                }
            }
            for x in -m.p..=m.p {
                assert!(m.centred(x).abs() <= m.p / 2);
                assert_eq!((x - m.centred(x)) % m.p, 0);
            }
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
