//! The local halves of a multiplication with Beaver triples (Beaver, CRYPTO 1991).

use crate::simd::path::dispatched;

/// This party's four arrays of one multiplication, of equal length: its shares of both
/// factors and the first two pieces of its triple.
#[derive(Clone, Copy)]
pub struct Masked<'a> {
    /// Share of the first factor.
    pub x: &'a [u64],
    /// Share of the second factor.
    pub y: &'a [u64],
    /// Share of the first mask.
    pub a: &'a [u64],
    /// Share of the second mask.
    pub b: &'a [u64],
}

/// What a party holds when both masked factors have been opened; equal lengths.
#[derive(Clone, Copy)]
pub struct Opened<'a> {
    /// The first masked factor, public.
    pub d: &'a [u64],
    /// The second masked factor, public.
    pub e: &'a [u64],
    /// Share of the first mask.
    pub a: &'a [u64],
    /// Share of the second mask.
    pub b: &'a [u64],
    /// Share of the masks' product.
    pub c: &'a [u64],
}

#[inline(always)]
fn open_body(masked: Masked<'_>, out: &mut [u64], combine: impl Fn(u64, u64) -> u64) {
    let (first, second) = out.split_at_mut(masked.x.len());
    for ((out, &x), &a) in first.iter_mut().zip(masked.x).zip(masked.a) {
        *out = combine(x, a);
    }
    for ((out, &y), &b) in second.iter_mut().zip(masked.y).zip(masked.b) {
        *out = combine(y, b);
    }
}

dispatched! {
    /// x - a, then y - b: the shares to open.
    pub fn triple_open(masked: Masked<'_>, out: &mut [u64]) {
        open_body(masked, out, u64::wrapping_sub);
    }

    /// c + d b + e a, and d e where this party adds the public part.
    pub fn triple_close(opened: Opened<'_>, adds_public: bool, out: &mut [u64]) {
        let Opened { d, e, a, b, c } = opened;
        let once = u64::from(adds_public);
        for ((((out, (&d, &e)), &a), &b), &c) in
            out.iter_mut().zip(d.iter().zip(e)).zip(a).zip(b).zip(c)
        {
            let b = b.wrapping_add(e.wrapping_mul(once));
            *out = c.wrapping_add(d.wrapping_mul(b)).wrapping_add(e.wrapping_mul(a));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::path::Path;
    use crate::words::prg::Stream;

    /// Both parties' shares of x, y, a and b, and the first party's of c: nine arrays.
    fn arrays(count: usize) -> Vec<Vec<u64>> {
        let stream = Stream::new(&[8; 16]);
        let draw = |number: u64| {
            let mut words = vec![0; count];
            stream.fill(number << 20, &mut words);
            words
        };
        (0..9).map(draw).collect()
    }

    type Open = fn(Path, Masked<'_>, &mut [u64]);
    type Close = fn(Path, Opened<'_>, bool, &mut [u64]);
    type Operation = fn(u64, u64) -> u64;

    /// `join` adds shares up, `part` takes one off, `times` is the product that is shared.
    fn agrees(open: Open, close: Close, join: Operation, part: Operation, times: Operation) {
        let count = 101;
        let all = arrays(count);
        let both = |first: usize, i: usize| join(all[first][i], all[first + 1][i]);
        let rest = (0..count).map(|i| part(times(both(4, i), both(6, i)), all[8][i])).collect();
        let c = [all[8].clone(), rest];
        for path in Path::available() {
            let mut opened = vec![0; 2 * count];
            for rank in 0..2 {
                let [x, y, a, b] = [0, 2, 4, 6].map(|first| all[first + rank].as_slice());
                let mut own = vec![0; 2 * count];
                open(path, Masked { x, y, a, b }, &mut own);
                opened = opened.iter().zip(&own).map(|(&sum, &word)| join(sum, word)).collect();
            }
            let (d, e) = opened.split_at(count);
            let [first, second] = [0, 1].map(|rank| {
                let (a, b) = (&all[4 + rank], &all[6 + rank]);
                let mut out = vec![0; count];
                close(path, Opened { d, e, a, b, c: &c[rank] }, rank == 0, &mut out);
                out
            });
            for i in 0..count {
                assert_eq!(join(first[i], second[i]), times(both(0, i), both(2, i)), "{path:?}");
            }
        }
    }

    #[test]
    fn every_path_multiplies_shared_words() {
        let (add, subtract) = (u64::wrapping_add, u64::wrapping_sub);
        agrees(triple_open, triple_close, add, subtract, u64::wrapping_mul);
    }
}
