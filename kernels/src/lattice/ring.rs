//! The ring of the homomorphic scheme: Z_q[X] / (X^N + 1), q a product of three primes.
//!
//! A number modulo q is held as its three residues ("limbs"). Packing works without the last
//! prime, which is then the special one of key switching. On the wire a number c is the fraction c / q, rounded to t bits: that is
//! modulus switching to 2^t and packing at once, and a uniform mask is just random bits.

use crate::lattice::modular::{self, Factor, Scale, add, power, subtract};
use crate::lattice::ntt::{self, Table};
use crate::simd::path::{Path, dispatched};
use crate::words::prg::Stream;

/// Primes of q.
pub const LIMBS: usize = 3;
/// Primes that packing works with: the last one is taken out of the modulus before it.
pub const PACKED: usize = LIMBS - 1;
/// Bits that are summed on each side of the centred binomial error: variance 10.5.
const ETA: u32 = 21;

/// 192 bits, little-endian words: a number, or a fraction in units of 2^-192.
pub type Wide = [u64; 3];

/// The ring and the constants of its arithmetic.
pub struct Ring {
    /// N.
    pub degree: usize,
    /// One table a prime.
    pub tables: Vec<Table>,
    /// How the transforms run; changes speed only.
    pub path: Path,
    q: Wide,
    /// (q / p)^-1 mod p, and floor(2^256 / p).
    hats: [Factor; LIMBS],
    reciprocals: [[u64; 4]; LIMBS],
    /// 2^-64, 2^-128, 2^-192 mod p.
    shifts: [[Factor; 3]; LIMBS],
    /// 1/2 mod p.
    halves: [Factor; LIMBS],
    last: [Factor; PACKED],
    /// The inverse of the last prime modulo each of the others.
    pub last_inverse: [Scale; PACKED],
}

/// a b as words, the lowest first; the words beyond the length of the result are dropped.
fn product<const N: usize>(a: &[u64], b: u64) -> [u64; N] {
    let mut result = [0; N];
    let mut carry = 0u128;
    for (i, out) in result.iter_mut().enumerate() {
        let term = a.get(i).map_or(0, |&a| u128::from(a) * u128::from(b)) + carry;
        *out = term as u64;
        carry = term >> 64;
    }
    result
}

/// a + b modulo 2^192.
pub fn plus(a: Wide, b: Wide) -> Wide {
    let mut carry = 0u128;
    std::array::from_fn(|i| {
        let sum = u128::from(a[i]) + u128::from(b[i]) + carry;
        carry = sum >> 64;
        sum as u64
    })
}

/// a - b modulo 2^192.
pub fn minus(a: Wide, b: Wide) -> Wide {
    plus(plus(a, b.map(|word| !word)), [1, 0, 0])
}

impl Ring {
    /// None where the primes are not three different ones below 2^50 that suit the degree.
    pub fn new(degree: usize, primes: &[u64]) -> Option<Ring> {
        let different = (1..primes.len()).all(|i| !primes[..i].contains(&primes[i]));
        if primes.len() != LIMBS || !different {
            return None;
        }
        let tables: Vec<Table> =
            primes.iter().map(|&p| Table::new(degree, p)).collect::<Option<_>>()?;
        let factor = |limb: usize, value: u64| Factor::new(value, primes[limb]);
        let inverse = |limb: usize, value: u64| factor(limb, modular::inverse(value, primes[limb]));
        let hat = |limb: usize| {
            let others = (0..LIMBS).filter(|&i| i != limb);
            others.fold(1, |a, i| factor(limb, a).times(primes[i]))
        };
        let q = (0..LIMBS).fold([1, 0, 0], |q: Wide, i| product(&q, primes[i]));
        let reciprocal = |p: u64| {
            let mut rest = 1u128;
            let mut words = [0; 4];
            for word in words.iter_mut().rev() {
                *word = ((rest << 64) / u128::from(p)) as u64;
                rest = (rest << 64) % u128::from(p);
            }
            words
        };
        Some(Ring {
            degree,
            path: Path::best(),
            q,
            hats: std::array::from_fn(|i| inverse(i, hat(i))),
            reciprocals: std::array::from_fn(|i| reciprocal(primes[i])),
            shifts: std::array::from_fn(|i| {
                [64, 128, 192].map(|bits| inverse(i, power(2, bits, primes[i])))
            }),
            halves: std::array::from_fn(|i| inverse(i, 2)),
            last: std::array::from_fn(|i| factor(i, primes[PACKED] % primes[i])),
            last_inverse: std::array::from_fn(|i| {
                Scale::new(modular::inverse(primes[PACKED], primes[i]), primes[i])
            }),
            tables,
        })
    }

    /// The prime of a limb.
    pub fn p(&self, limb: usize) -> u64 {
        self.tables[limb].p
    }

    /// 1/2 to the power of `times`, modulo each prime of q.
    pub fn halvings(&self, times: u32) -> [Scale; LIMBS] {
        std::array::from_fn(|i| {
            let half = self.halves[i].times(1);
            Scale::new(power(half, u64::from(times), self.p(i)), self.p(i))
        })
    }

    /// A number modulo the first two primes times the last one: the same fraction, modulo q.
    pub fn lifted(&self, residue: u64, limb: usize) -> u64 {
        self.last[limb].times(residue)
    }

    /// round(q a / 2^64): exact, because q a + 2^63 minus its low 64 bits is 2^64 times it.
    pub fn encode(&self, a: u64) -> [u64; LIMBS] {
        let low = self.q[0].wrapping_mul(a).wrapping_add(1 << 63);
        std::array::from_fn(|i| {
            subtract(self.halves[i].times(1), self.shifts[i][0].times(low), self.p(i))
        })
    }

    /// c / q in units of 2^-192, modulo 1, too small by less than 2^-190.
    pub fn fraction(&self, residues: [u64; LIMBS]) -> Wide {
        let mut sum = [0; 3];
        for (i, residue) in residues.into_iter().enumerate() {
            let words: [u64; 4] = product(&self.reciprocals[i], self.hats[i].times(residue));
            sum = plus(sum, [words[1], words[2], words[3]]);
        }
        sum
    }

    /// round(q f): the number modulo q whose fraction is nearest to f; exact.
    pub fn from_fraction(&self, f: Wide) -> [u64; LIMBS] {
        // The low 192 bits of q f, plus one half; what is above them is the result.
        let mut low = product(&f, self.q[0]);
        let [a, b]: [u64; 2] = product(&f, self.q[1]);
        low = plus(low, [0, a, b]);
        low = plus(low, [0, 0, f[0].wrapping_mul(self.q[2])]);
        low = plus(low, [0, 0, 1 << 63]);
        std::array::from_fn(|i| {
            let (p, [by_64, by_128, by_192]) = (self.p(i), self.shifts[i]);
            let rest = add(by_192.times(low[0]), by_128.times(low[1]), p);
            let rest = add(rest, by_64.times(low[2]), p);
            subtract(self.halves[i].times(1), rest, p)
        })
    }

    /// N numbers, exactly uniform below the prime of a limb: see `uniform`.
    pub fn uniform(&self, stream: &Stream, polynomial: u64, limb: usize, out: &mut [u64]) {
        uniform(stream, self.p(limb), polynomial * LIMBS as u64 + limb as u64, out);
    }
}

/// N numbers, exactly uniform below a prime, from the words of a public stream that are those of
/// this number: the low 50 bits of each word that lie below p, which nearly all do.
pub fn uniform(stream: &Stream, p: u64, number: u64, out: &mut [u64]) {
    let room = 2 * out.len() as u64;
    let mut buffer = [0; 512];
    let (mut filled, mut used) = (0, 0);
    while filled < out.len() {
        assert!(used < room, "2^-29 of the words are refused, never half of them");
        stream.fill(number * room + used, &mut buffer);
        used += buffer.len() as u64;
        for word in buffer.map(|word| word & (ntt::LIMIT - 1)) {
            if word < p && filled < out.len() {
                out[filled] = word;
                filled += 1;
            }
        }
    }
}

/// N coefficients -1, 0, 1 with equal chances (up to 2^-62).
pub fn ternary(stream: &Stream, polynomial: u64, degree: usize) -> Vec<i64> {
    let words = stream.words(polynomial * degree as u64, degree);
    words.iter().map(|&w| ((u128::from(w) * 3) >> 64) as i64 - 1).collect()
}

/// N errors, centred binomial of variance 10.5 (standard deviation 3.24), at most 21.
pub fn errors(stream: &Stream, polynomial: u64, degree: usize) -> Vec<i64> {
    let words = stream.words(polynomial * degree as u64, degree);
    let mut errors = vec![0; degree];
    binomial(Path::best(), &words, &mut errors);
    errors
}

dispatched! {
    /// Centred binomial errors of uniform words.
    pub fn binomial(words: &[u64], errors: &mut [i64]) {
        let ones = |word: u64| i64::from((word & ((1 << ETA) - 1)).count_ones());
        for (error, &word) in errors.iter_mut().zip(words) {
            *error = ones(word) - ones(word >> ETA);
        }
    }
}

/// The fraction rounded to so many leading bits, 1 to 192; what lies below them is not cleared.
fn rounded(f: Wide, bits: u32) -> Wide {
    if bits < 192 { plus(f, unit(bits + 1)) } else { f }
}

/// The t = 8 out.len() leading bits of a fraction, rounded, lowest byte first.
pub fn to_wire(f: Wide, out: &mut [u8]) {
    let bytes = bytes_of(rounded(f, 8 * out.len() as u32));
    out.copy_from_slice(&bytes[24 - out.len()..]);
}

/// The fraction whose leading bits these are.
pub fn from_wire(bytes: &[u8]) -> Wide {
    let mut all = [0; 24];
    all[24 - bytes.len()..].copy_from_slice(bytes);
    std::array::from_fn(|i| u64::from_le_bytes(std::array::from_fn(|b| all[8 * i + b])))
}

/// All bytes, the lowest first.
pub fn bytes_of(f: Wide) -> [u8; 24] {
    std::array::from_fn(|i| f[i / 8].to_le_bytes()[i % 8])
}

/// round(2^bits f) modulo 2^bits: the number that a fraction stands for; bits from 1 to 64.
pub fn to_word(f: Wide, bits: u32) -> u64 {
    let [_, _, high] = rounded(f, bits);
    high >> (64 - bits)
}

/// The fraction 2^-bits, bits from 1 to 192.
pub fn unit(bits: u32) -> Wide {
    let place = 192 - bits;
    std::array::from_fn(|i| u64::from(place / 64 == i as u32) << (place % 64))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::words::prg::drawn;

    /// The three largest primes below 2^50 that are 1 mod 2^14.
    pub const TEST_PRIMES: [u64; LIMBS] =
        [0x3_ffff_ffff_c001, 0x3_ffff_fffc_c001, 0x3_ffff_ffef_4001];

    /// The test's ring of that degree on each path.
    pub fn rings(degree: usize) -> impl Iterator<Item = Ring> {
        Path::available().into_iter().map(move |path| {
            let mut ring = Ring::new(degree, &TEST_PRIMES).unwrap();
            ring.path = path;
            ring
        })
    }

    /// So many uniform polynomials modulo each of the first primes.
    pub fn polynomials(ring: &Ring, key: u8, (count, limbs): (usize, usize)) -> Vec<u64> {
        let mut words = vec![0; count * limbs * ring.degree];
        for (i, out) in words.chunks_exact_mut(ring.degree).enumerate() {
            ring.uniform(&Stream::new(&[key; 16]), i as u64, i % limbs, out);
        }
        words
    }

    #[test]
    fn encoding_and_fractions_invert_each_other() {
        let ring = Ring::new(64, &TEST_PRIMES).unwrap();
        let mut words = drawn(1, 300);
        words.extend([0, 1, u64::MAX, 1 << 63]);
        for a in words {
            let code = ring.encode(a);
            assert_eq!(to_word(ring.fraction(code), 64), a);
            let rounded = (u128::from(a) + (1 << 23)) >> 24;
            assert_eq!(to_word(ring.fraction(code), 40), rounded as u64 & ((1 << 40) - 1));
            // 2^152 > 4 q: so many bits hold a number modulo q exactly.
            let mut wire = [0; 20];
            to_wire(ring.fraction(code), &mut wire);
            assert_eq!(ring.from_fraction(from_wire(&wire)), code);
        }
    }

    #[test]
    fn units_stand_for_one() {
        let ring = Ring::new(64, &TEST_PRIMES).unwrap();
        for bits in [1, 40, 63, 64] {
            assert_eq!(to_word(unit(bits), bits), 1);
            assert_eq!(to_word(ring.fraction(ring.from_fraction(unit(bits))), bits), 1);
        }
        assert_eq!(ring.from_fraction(unit(64)), ring.encode(1));
    }

    #[test]
    fn what_makes_no_ring_is_refused() {
        let [a, b, c] = TEST_PRIMES;
        assert!(Ring::new(8192, &[a, b, c]).is_some());
        for primes in [&[a, b][..], &[a, b, a], &[a, b, c + 2]] {
            assert!(Ring::new(8192, primes).is_none());
        }
        assert!(Ring::new(100, &TEST_PRIMES).is_none());
    }

    #[test]
    fn errors_have_their_variance_and_bound() {
        let errors = errors(&Stream::new(&[2; 16]), 0, 1 << 16);
        let square = errors.iter().map(|e| e * e).sum::<i64>() as f64 / errors.len() as f64;
        assert!((square - 10.5).abs() < 0.3, "{square}");
        assert!(errors.iter().all(|e| e.abs() <= 21));
        let counts = ternary(&Stream::new(&[3; 16]), 0, 1 << 16).iter().fold([0; 3], |mut n, s| {
            n[(s + 1) as usize] += 1;
            n
        });
        assert!(counts.iter().all(|&n: &i32| (n - (1 << 16) / 3).abs() < 700), "{counts:?}");
    }
}
