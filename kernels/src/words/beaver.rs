//! The local halves of a multiplication with Beaver triples (Beaver, CRYPTO 1991).

use crate::simd::path::dispatched;

dispatched! {
    /// x - a, then y - b, the shares to open: of both factors less both masks of a triple. All of
    /// equal length; `out` is twice as long.
    pub fn triple_open(factors: [&[u64]; 2], masks: [&[u64]; 2], out: &mut [u64]) {
        let halves: [_; 2] = out.split_at_mut(factors[0].len()).into();
        for (out, (factor, mask)) in halves.into_iter().zip(factors.into_iter().zip(masks)) {
            for ((out, &x), &a) in out.iter_mut().zip(factor).zip(mask) {
                *out = x.wrapping_sub(a);
            }
        }
    }

    /// c + d b + e a, and d e where this party adds the public part: its share of the product,
    /// for the opened factors [d, e], public, and its triple [a, b, c]. All of equal length.
    pub fn triple_close(
        opened: [&[u64]; 2],
        triple: [&[u64]; 3],
        adds_public: bool,
        out: &mut [u64],
    ) {
        let ([d, e], [a, b, c]) = (opened, triple);
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
    use crate::words::prg::drawn;

    #[test]
    fn every_path_multiplies_shared_words() {
        let count = 101;
        // Of each party its shares of x, y, a and b; and the first party's of c.
        let shares: [[Vec<u64>; 4]; 2] =
            [0, 4].map(|first| std::array::from_fn(|i| drawn(first + i as u8, count)));
        let first_c = drawn(8, count);
        let sum = |which: usize, i: usize| shares[0][which][i].wrapping_add(shares[1][which][i]);
        let rest = |i: usize| sum(2, i).wrapping_mul(sum(3, i)).wrapping_sub(first_c[i]);
        let c = [first_c.clone(), (0..count).map(rest).collect()];
        for path in Path::available() {
            let [first, second] = shares.each_ref().map(|[x, y, a, b]| {
                let mut own = vec![0; 2 * count];
                triple_open(path, [x, y], [a, b], &mut own);
                own
            });
            let opened: Vec<u64> =
                first.iter().zip(second).map(|(&a, b)| a.wrapping_add(b)).collect();
            let [first, second] = [0, 1].map(|rank| {
                let ([_, _, a, b], mut out) = (&shares[rank], vec![0; count]);
                let opened = opened.split_at(count).into();
                triple_close(path, opened, [a, b, &c[rank]], rank == 0, &mut out);
                out
            });
            for i in 0..count {
                let product = sum(0, i).wrapping_mul(sum(1, i));
                assert_eq!(first[i].wrapping_add(second[i]), product, "{path:?}");
            }
        }
    }
}
