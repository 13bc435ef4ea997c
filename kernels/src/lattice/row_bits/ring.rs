//! The ring Z_q[X] / (X^1024 + 1), q = 2^16: what row bits are computed in.
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

use crate::lattice::modular;
use crate::lattice::ring::binomial;
use crate::simd::path::{Path, dispatched};
use crate::simd::shorts::{HasShorts, SHORTS, Shorts};
use crate::words::prg::Stream;

/// N.
pub const DEGREE: usize = 1024;
/// Polynomials that are multiplied at once.
pub const LANES: usize = SHORTS;
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

#[inline(always)]
fn splat<S: Shorts>((w, ratio): Constant) -> (S, S) {
    (S::splat(w), S::splat(ratio))
}

/// a w / 2^16 modulo p, below 3/4 p in size.
#[inline(always)]
fn times<S: Shorts>(a: S, (w, ratio): (S, S), p: S) -> S {
    a.times_high(w).minus(a.times_low(ratio).times_high(p))
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
    /// 1 / 256: undoes the transform.
    last: Constant,
}

fn power(base: i64, exponent: usize, p: i64) -> i64 {
    modular::power(base as u64, exponent as u64, p as u64) as i64
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
        let order = 2 * BLOCKS;
        let root = (2..wide)
            .map(|base| power(base, (p as usize - 1) / order, wide))
            .find(|&root| power(root, order / 2, wide) == wide - 1)
            .expect("the prime is 1 modulo 512");
        let reversed = |i: usize| i.reverse_bits() >> (usize::BITS as usize - LEVELS);
        Modulus {
            p,
            inverse,
            reciprocal: ((1i64 << 26) / wide) as i16,
            roots: std::array::from_fn(|i| constant(power(root, reversed(i), wide))),
            back: std::array::from_fn(|i| constant(power(root, order - reversed(i), wide))),
            last: constant(power(BLOCKS as i64, p as usize - 2, wide)),
        }
    }

    /// A remainder of at most p / 2 + p / 512 in size, for any word.
    #[inline(always)]
    fn reduced<S: Shorts>(&self, x: S) -> S {
        let quotient = x.times_high(S::splat(self.reciprocal)).plus(S::splat(512));
        x.minus(quotient.shifted_by_ten().times_low(S::splat(self.p)))
    }

    /// The centred remainder of what is below 3/2 p in size.
    #[inline(always)]
    fn centred<S: Shorts>(&self, x: S) -> S {
        let (p, half) = (S::splat(self.p), self.p / 2);
        let above = p.where_less(S::splat(half), x);
        x.minus(above).plus(p.where_less(x, S::splat(-half)))
    }

    /// The constant of what is already times 2^16.
    fn scaled(&self, x: i64) -> Constant {
        let p = i64::from(self.p);
        let rest = x.rem_euclid(p);
        let centred = if rest > p / 2 { rest - p } else { rest } as i16;
        (centred, centred.wrapping_mul(self.inverse))
    }
}

dispatched! {
    /// Levels of butterflies: sizes below p / 2 grow by 3/4 p a level, so three fit a word.
    pub fn forward<L: HasShorts>(m: &Modulus, values: &mut [[i16; LANES]]) {
        let p = L::Shorts::splat(m.p);
        for level in 0..LEVELS {
            let size = DEGREE >> level;
            for (block, &root) in values.chunks_exact_mut(size).zip(&m.roots[1 << level..]) {
                let root = splat(root);
                let (a, b) = block.split_at_mut(size / 2);
                for (a, b) in a.iter_mut().zip(b) {
                    let (mut x, mut y) = (L::Shorts::load(a), L::Shorts::load(b));
                    if level % 3 == 0 {
                        (x, y) = (m.reduced(x), m.reduced(y));
                    }
                    let y = times(y, root, p);
                    x.plus(y).store(a);
                    x.minus(y).store(b);
                }
            }
        }
    }
}

dispatched! {
    /// Undoes `forward`. Sums double, so two levels fit after each reduction.
    pub fn inverse<L: HasShorts>(m: &Modulus, values: &mut [[i16; LANES]]) {
        let p = L::Shorts::splat(m.p);
        for level in (0..LEVELS).rev() {
            let size = DEGREE >> level;
            for (block, &root) in values.chunks_exact_mut(size).zip(&m.back[1 << level..]) {
                let root = splat(root);
                let (a, b) = block.split_at_mut(size / 2);
                for (a, b) in a.iter_mut().zip(b) {
                    let (mut x, mut y) = (L::Shorts::load(a), L::Shorts::load(b));
                    if level % 2 == 1 {
                        (x, y) = (m.reduced(x), m.reduced(y));
                    }
                    x.plus(y).store(a);
                    times(x.minus(y), root, p).store(b);
                }
            }
        }
    }
}

dispatched! {
    /// Products modulo X^4 - root of each block: four of at most 3/4 p each, which fit a word.
    pub fn blocks<L: HasShorts>(
        p: i16,
        a: &[[i16; LANES]],
        by: &[[Constant; 8]],
        out: &mut [[i16; LANES]],
    ) {
        let p = L::Shorts::splat(p);
        let blocks = a.as_chunks::<4>().0.iter().zip(out.as_chunks_mut::<4>().0).zip(by);
        for ((a, out), by) in blocks {
            let [a, b, c, d] = [0, 1, 2, 3].map(|j| L::Shorts::load(&a[j]));
            for (i, out) in out.iter_mut().enumerate() {
                // by[4 + i] is that of X^i, by[i] the one times the root.
                let term = |a: L::Shorts, j: usize| times(a, splat(by[4 + i - j]), p);
                term(a, 0).plus(term(b, 1)).plus(term(c, 2).plus(term(d, 3))).store(out);
            }
        }
    }
}

dispatched! {
    /// Of transforms back, not yet divided by 256, both residues: overwrites the first with the integer
    /// modulo 2^16. `by`: 1 / p_0 modulo p_1.
    pub fn join<L: HasShorts>(
        m: &[Modulus; 2],
        by: Constant,
        first: &mut [[i16; LANES]],
        second: &[[i16; LANES]],
    ) {
        let [p, other] = [0, 1].map(|i| L::Shorts::splat(m[i].p));
        let (last, other_last, by) = (splat(m[0].last), splat(m[1].last), splat(by));
        for (first, second) in first.iter_mut().zip(second) {
            let x = m[0].centred(times(L::Shorts::load(first), last, p));
            let y = times(L::Shorts::load(second), other_last, other);
            let t = m[1].centred(times(y.minus(x), by, other));
            x.plus(t.times_low(p)).store(first);
        }
    }
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
        let joining = moduli[1].scaled(power(p, other as usize - 2, other) << 16);
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
            let block = |(number, values): (usize, &[[i16; LANES]; 4])| -> [Constant; 8] {
                let (root, sign) =
                    (m.roots[BLOCKS / 2 + number / 2].0, 1 - 2 * (number as i64 % 2));
                std::array::from_fn(|at| {
                    let scaled = i64::from(values[at % 4][0]) << 16;
                    // The root is scaled itself.
                    let turned = i64::from(values[at % 4][0]) * i64::from(root) * sign;
                    m.scaled(if at < 4 { turned } else { scaled })
                })
            };
            all[i].as_chunks::<4>().0.iter().enumerate().map(block).collect()
        }))
    }

    /// Overwrites `out` with the products, exact integers modulo 2^16. Of the two one has
    /// coefficients -1 to 1, or their products are otherwise at most 2^25 in size.
    pub fn multiply(&self, many: &Many, factor: &Factor, out: &mut [[i16; LANES]]) {
        let mut second = vec![[0; LANES]; DEGREE];
        for (i, out) in [&mut *out, &mut second].into_iter().enumerate() {
            blocks(self.path, self.moduli[i].p, &many.0[i], &factor.0[i], out);
            inverse(self.path, &self.moduli[i], out);
        }
        join(self.path, &self.moduli, self.joining, out, &second);
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
pub fn lane(products: &[[i16; LANES]], lane: usize) -> Polynomial {
    std::array::from_fn(|j| products[j][lane] as u16)
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
    use crate::simd::shorts::PortableShorts;

    /// a s in the ring, by the definition.
    pub fn schoolbook(a: &[u16], s: &[i16]) -> Vec<u16> {
        let mut out = vec![0u16; DEGREE];
        for (j, &s) in s.iter().enumerate().filter(|(_, s)| **s != 0) {
            let (wraps, stays) = out.split_at_mut(j);
            for (out, &a) in stays.iter_mut().zip(a) {
                *out = out.wrapping_add(a.wrapping_mul(s as u16));
            }
            for (out, &a) in wraps.iter_mut().zip(&a[DEGREE - j..]) {
                *out = out.wrapping_sub(a.wrapping_mul(s as u16));
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
        let plain = |x: PortableShorts| {
            let mut out = [0; LANES];
            x.store(&mut out);
            out[3]
        };
        for m in PRIMES.map(Modulus::new) {
            assert_eq!(m.p.wrapping_mul(m.inverse), 1);
            let p = PortableShorts::splat(m.p);
            for x in i16::MIN..=i16::MAX {
                let word = PortableShorts::splat(x);
                let reduced = plain(m.reduced(word));
                assert!(reduced.abs() <= m.p / 2 + m.p / 512);
                assert_eq!((i32::from(x) - i32::from(reduced)) % i32::from(m.p), 0);
                for w in [m.roots[7], m.back[200], m.last, m.scaled(i64::from(m.p / 2))] {
                    let product = i64::from(plain(times(word, splat(w), p)));
                    assert!(product.abs() <= i64::from(m.p) * 3 / 4 + 1);
                    let difference = i64::from(x) * i64::from(w.0) - (product << 16);
                    assert_eq!(difference % i64::from(m.p), 0);
                }
                if x.unsigned_abs() < m.p as u16 {
                    let centred = plain(m.centred(word));
                    assert!(centred.abs() <= m.p / 2);
                    assert_eq!((x - centred) % m.p, 0);
                }
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
