//! The local halves of gates, ands of one shared bit with several others (`securexgb/mpc/multiply.py`),
//! 64 to a word: with correlated bits a, b, c, (a0 ^ a1) & (b0 ^ b1) = c0 ^ c1, what is opened is
//! the gate ^ a and each bit behind it ^ b.
//!
//! One pass over each line where NumPy would take six.

use crate::simd::path::dispatched;

/// Words of equal length, a line for each bit behind a gate.
pub type Lines<'a> = &'a [&'a [u64]];

dispatched! {
    /// The share of what is opened: the gates' words, then those of the bits behind, line by line.
    pub fn open(gate: &[u64], bits: Lines<'_>, a: &[u64], b: Lines<'_>, out: &mut [u64]) {
        let (first, rest) = out.split_at_mut(gate.len());
        for ((out, gate), a) in first.iter_mut().zip(gate).zip(a) {
            *out = gate ^ a;
        }
        let lines = bits.iter().zip(b).zip(rest.chunks_exact_mut(gate.len().max(1)));
        for ((bits, b), line) in lines {
            for ((out, bit), b) in line.iter_mut().zip(*bits).zip(*b) {
                *out = bit ^ b;
            }
        }
    }

    /// The share of the products, line by line, for what was opened, as `open` has it. `triple`: a,
    /// and the lines of b and of c. One of the two parties adds the public part.
    pub fn close(
        opened: &[u64],
        triple: (&[u64], Lines<'_>, Lines<'_>),
        adds_public: bool,
        out: &mut [u64],
    ) {
        let (a, b, c) = triple;
        let (d, e) = opened.split_at(a.len());
        let public = if adds_public { u64::MAX } else { 0 };
        let lines = e.chunks_exact(a.len().max(1)).zip(b.iter().zip(c));
        for (out, (e, (b, c))) in out.chunks_exact_mut(a.len().max(1)).zip(lines) {
            let triples = a.iter().zip(b.iter().zip(*c));
            for ((out, (d, e)), (a, (b, c))) in out.iter_mut().zip(d.iter().zip(e)).zip(triples) {
                *out = c ^ d & (b ^ e & public) ^ e & a;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::path::Path;
    use crate::words::prg::drawn;

    #[test]
    fn every_path_multiplies_shared_bits() {
        let (count, width) = (37, 3);
        let lines = |key: u8| -> Vec<Vec<u64>> {
            (0..width).map(|line| drawn(key + 50 * line as u8, count)).collect()
        };
        let gate = [1, 2].map(|key| drawn(key, count));
        let a = [3, 4].map(|key| drawn(key, count));
        let (bits, b, first_c) = ([5, 6].map(lines), [7, 8].map(lines), lines(9));
        let mut c = [first_c.clone(), first_c];
        for (line, words) in c[1].iter_mut().enumerate() {
            for (i, word) in words.iter_mut().enumerate() {
                *word ^= (a[0][i] ^ a[1][i]) & (b[0][line][i] ^ b[1][line][i]);
            }
        }
        let held = |lines: &[Vec<u64>]| -> Vec<&'static [u64]> {
            lines.iter().map(|line| &*line.clone().leak()).collect()
        };
        let ([bits, b], c) = ([bits, b].map(|two| two.map(|of| held(&of))), c.map(|of| held(&of)));
        for path in Path::available() {
            let mut opened = vec![0; (1 + width) * count];
            for rank in [0, 1] {
                let mut own = vec![9; opened.len()];
                open(path, &gate[rank], &bits[rank], &a[rank], &b[rank], &mut own);
                opened.iter_mut().zip(own).for_each(|(sum, word)| *sum ^= word);
            }
            let shares = [0, 1].map(|rank| {
                let mut out = vec![9; width * count];
                let triple = (&*a[rank], &*b[rank], &*c[rank]);
                close(path, &opened, triple, rank == 0, &mut out);
                out
            });
            let [first, second] = &shares;
            for (place, (x, y)) in first.iter().zip(second).enumerate() {
                let (line, i) = (place / count, place % count);
                let product = (gate[0][i] ^ gate[1][i]) & (bits[0][line][i] ^ bits[1][line][i]);
                assert_eq!(x ^ y, product, "{}", path.name());
            }
            open(path, &[], &[&[], &[]], &[], &[&[], &[]], &mut []);
            close(path, &[], (&[], &[&[]], &[&[]]), true, &mut []);
        }
    }
}
