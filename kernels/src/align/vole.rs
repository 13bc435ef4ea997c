//! Products with D over the field of 2^128 elements: A, C at one side, B at the other with
//! C = A D + B (vector oblivious linear evaluation; Wolverine: Weng and others, S&P 2021).
//!
//! The sender of correlated transfers holds D and z, the receiver bits u and y = z + u D. With
//! the powers of x as weights 128 of them are one element: a = sum u_i x^i, c = sum y_i x^i, b =
//! sum z_i x^i. From k + t such elements a stage makes t trees of 2^d: the first k are multiplied by
//! a public matrix M of k rows, in each column of which ten random elements stand at random
//! places, and each of the last t, (a', c', b'), puts a' at one secret place of its tree:
//!
//!   A = a M + e        C = c M + v        B = b M + w        v = w + e D
//!
//! w are the hashed leaves of a tree that the sender grows (see [`crate::ot::half_tree`]). It sends
//! for each level the sum of the left nodes under z of a transfer, so that the receiver learns all
//! leaves but the one whose number its choices spell, and b' + the sum of all leaves: with c' and
//! its own leaves that is w + a' D at the place that it lacks.
//!
//! No branch and no address depends on a secret.

use crate::ot::half_tree::{ALL, EVEN, Tree, mend};
use crate::ot::key::{Key, stream, xor};
use crate::simd::blocks::{Cipher, Row};
use crate::simd::field::{doubled, multiplied, reduced};
use crate::simd::path::Path;
use crate::words::prg::Stream;

/// Bits of an element, and transfers that make one.
pub const BITS: usize = 128;
/// Ones in a column of the public matrix.
pub const PLACES: usize = 10;
/// Words of the public stream that name them: three in a word, the last one in a word of its own.
const PLACE_WORDS: usize = 4;
/// Rows that the matrix is added to at a time.
const BATCH: usize = 128;

/// What 128 rows add up to with the powers of x.
fn combined(rows: &[Row]) -> Row {
    rows.iter().rev().fold([0; 2], |sum, row| xor(doubled(sum), *row))
}

/// The sender's elements b of its rows z.
pub fn combine_sent(rows: &[Row], out: &mut [Row]) {
    for (out, rows) in out.iter_mut().zip(rows.chunks_exact(BITS)) {
        *out = combined(rows);
    }
}

/// The receiver's elements (a, c) of its rows y, whose lowest bits are its choices.
pub fn combine_received(rows: &[Row], out: &mut [[Row; 2]]) {
    for (out, rows) in out.iter_mut().zip(rows.chunks_exact(BITS)) {
        let mut choices = [0; 2];
        for (word, rows) in choices.iter_mut().zip(rows.chunks_exact(64)) {
            *word = (0..).zip(rows).fold(0, |sum, (bit, row)| sum | (row[0] & 1) << bit);
        }
        *out = [choices, combined(rows)];
    }
}

/// What both parties know of a stage: keys of places, of factors, of the trees, of the leaves.
pub type Tags = [Key; 4];

/// A stage: its public keys, the levels of its trees, and N = 1 or 2 lists of elements side by side.
#[derive(Clone, Copy)]
pub struct Stage<'a, const N: usize> {
    /// The public keys.
    pub tags: Tags,
    /// d.
    pub levels: usize,
    /// The elements that the matrix multiplies, a power of two.
    pub linear: &'a [[Row; N]],
    /// One for each tree.
    pub noise: &'a [[Row; N]],
    /// Rows of transfers, one for each level of a tree.
    pub rows: &'a [Row],
}

/// Streams and room for columns of the matrix.
struct Matrix {
    places: Stream,
    factors: Stream,
    named: Vec<u64>,
    drawn: Vec<Row>,
}

impl Matrix {
    fn new(tags: &Tags) -> Self {
        Matrix {
            places: stream(tags[0]),
            factors: stream(tags[1]),
            named: vec![0; PLACE_WORDS * BATCH],
            drawn: vec![[0; 2]; PLACES * BATCH],
        }
    }

    /// Adds the matrix's products to elements from number `first` on.
    fn add<const N: usize>(&mut self, linear: &[[Row; N]], first: usize, out: &mut [[Row; N]]) {
        for (batch, out) in out.chunks_mut(BATCH).enumerate() {
            let first = (first + batch * BATCH) as u64;
            self.places.fill(PLACE_WORDS as u64 * first, &mut self.named);
            self.factors.fill(2 * PLACES as u64 * first, self.drawn.as_flattened_mut());
            add_products::<N>(linear, &self.named, &self.drawn, out);
        }
    }
}

multiplied! {
    /// Adds to each element ten of the list times their factors.
    pub fn add_products<F: Field, const N: usize>(
        linear: &[[Row; N]],
        named: &[u64],
        factors: &[Row],
        out: &mut [[Row; N]],
    ) {
        let (named, factors) = (named.as_chunks::<PLACE_WORDS>().0, factors.as_chunks::<PLACES>().0);
        let field = linear.len().trailing_zeros();
        for (out, (words, factors)) in out.iter_mut().zip(named.iter().zip(factors)) {
            let mut sums = [F::zero(); N];
            for (number, factor) in factors.iter().enumerate() {
                let place = words[number / 3] >> (number as u32 % 3 * field);
                let held = &linear[place as usize & (linear.len() - 1)];
                for (sum, held) in sums.iter_mut().zip(held) {
                    *sum = F::add(*sum, held, factor);
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = xor(*out, reduced(F::close(sum)));
            }
        }
    }
}

/// Trees, one after the other.
struct Grower {
    tree: Tree,
    cipher: Cipher,
    made: Vec<Row>,
}

impl Grower {
    fn new(tags: &Tags, levels: usize) -> Self {
        Grower {
            tree: Tree::new(Path::best(), tags[2], levels),
            cipher: Cipher::new(tags[3]),
            made: vec![[0; 2]; 1 << levels],
        }
    }

    /// The leaves, hashed, and their sum. Their lowest bits tell which one is missing.
    fn hashed(&mut self) -> Row {
        for leaf in &mut self.tree.leaves {
            leaf[0] &= EVEN[0];
        }
        self.cipher.hash(&self.tree.leaves, [0; 2], &mut self.made);
        self.made.iter().copied().fold([0; 2], xor)
    }
}

/// The sender's elements, a tree for each root; `message` gets levels + 1 rows a tree.
pub fn send(
    stage: Stage<'_, 1>,
    delta: Key,
    roots: &[Key],
    message: &mut [Row],
    out: &mut [[Row; 1]],
) {
    let Stage { tags, levels, linear, noise, rows } = stage;
    let (mut grower, mut matrix) = (Grower::new(&tags, levels), Matrix::new(&tags));
    let messages = message.chunks_exact_mut(levels + 1).zip(rows.chunks_exact(levels));
    let outs = out.chunks_exact_mut(1 << levels).zip(noise);
    for (tree, (((message, rows), (out, noise)), root)) in messages.zip(outs).zip(roots).enumerate()
    {
        let (sums, last) = message.split_at_mut(levels);
        grower.tree.grow(*root, delta, sums);
        sums.iter_mut().zip(rows).for_each(|(sum, row)| *sum = xor(*sum, *row));
        last[0] = xor(grower.hashed(), noise[0]);
        out.iter_mut().zip(&grower.made).for_each(|(out, leaf)| out[0] = *leaf);
        matrix.add(linear, tree << levels, out);
    }
}

/// The receiver's elements (a, c) for the sender's message.
pub fn receive(stage: Stage<'_, 2>, message: &[Row], out: &mut [[Row; 2]]) {
    let Stage { tags, levels, linear, noise, rows } = stage;
    let (mut grower, mut matrix) = (Grower::new(&tags, levels), Matrix::new(&tags));
    let mut places = vec![[0; 2]; 1 << levels];
    let messages = message.chunks_exact(levels + 1).zip(rows.chunks_exact(levels));
    let outs = out.chunks_exact_mut(1 << levels).zip(noise);
    for (tree, ((message, rows), (out, noise))) in messages.zip(outs).enumerate() {
        let given = message.iter().zip(rows);
        let given = given.map(|(sum, row)| (xor(*sum, *row), (row[0] & 1).wrapping_neg()));
        let place = grower.tree.puncture(given);
        let missing = xor(grower.hashed(), xor(message[levels], noise[1]));
        mend(Path::best(), &mut grower.made, ALL, place, missing);
        places.fill([0; 2]);
        mend(Path::best(), &mut places, ALL, place, noise[0]);
        for (out, (a, c)) in out.iter_mut().zip(places.iter().zip(&grower.made)) {
            *out = [*a, *c];
        }
        matrix.add(linear, tree << levels, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::key::masked;
    use crate::simd::field::add_multiples;
    use crate::words::prg::drawn;

    const DELTA: Key = [0x1234_5678_9abc_def1, 0x0fed_cba9_8765_4321];

    /// Rows of correlated transfers: the sender's, the receiver's.
    fn transfers(seed: u8, count: usize) -> [Vec<Row>; 2] {
        let mut sent: Vec<Row> = drawn(seed, 2 * count).as_chunks().0.to_vec();
        sent.iter_mut().for_each(|row| row[0] &= !1);
        let choices = drawn(seed + 1, count);
        let turned = |(row, bit): (&Row, &u64)| xor(*row, masked(DELTA, (bit & 1).wrapping_neg()));
        let received = sent.iter().zip(&choices).map(turned).collect();
        [sent, received]
    }

    fn elements(seed: u8, count: usize) -> (Vec<[Row; 1]>, Vec<[Row; 2]>) {
        let [sent, received] = transfers(seed, BITS * count);
        let (mut mine, mut theirs) = (vec![[0; 2]; count], vec![[[0; 2]; 2]; count]);
        combine_sent(&sent, &mut mine);
        combine_received(&received, &mut theirs);
        (mine.into_iter().map(|b| [b]).collect(), theirs)
    }

    fn assert_correlated(sent: &[[Row; 1]], received: &[[Row; 2]]) {
        let mut expected: Vec<Row> = sent.iter().map(|b| b[0]).collect();
        let a: Vec<Row> = received.iter().map(|pair| pair[0]).collect();
        add_multiples(&mut expected, &a, DELTA);
        assert_eq!(expected, received.iter().map(|pair| pair[1]).collect::<Vec<Row>>());
    }

    #[test]
    fn transfers_become_elements_and_elements_more_of_them() {
        let (levels, trees, dimension) = (4, 6, 32);
        let (sent, received) = elements(1, dimension + trees);
        assert_correlated(&sent, &received);
        let rows = transfers(5, trees * levels);
        let tags = [[1, 1], [2, 2], [3, 3], [4, 4]];
        let roots: Vec<Key> = drawn(9, 2 * trees).as_chunks().0.to_vec();
        let mut message = vec![[0; 2]; trees * (levels + 1)];
        let mut out = vec![[[0; 2]; 1]; trees << levels];
        let (linear, noise) = sent.split_at(dimension);
        let stage = Stage { tags, levels, linear, noise, rows: &rows[0] };
        send(stage, DELTA, &roots, &mut message, &mut out);
        let mut theirs = vec![[[0; 2]; 2]; trees << levels];
        let (linear, noise) = received.split_at(dimension);
        receive(Stage { tags, levels, linear, noise, rows: &rows[1] }, &message, &mut theirs);
        assert_correlated(&out, &theirs);

        // a M + e: one place of each tree has the noise's own element.
        let mut product = vec![[[0; 2]; 2]; trees << levels];
        Matrix::new(&tags).add(linear, 0, &mut product);
        for (tree, noise) in noise.iter().enumerate() {
            let differences: Vec<Row> = (tree << levels..(tree + 1) << levels)
                .map(|i| xor(product[i][0], theirs[i][0]))
                .filter(|difference| *difference != [0; 2])
                .collect();
            assert_eq!(differences, [noise[0]]);
        }
    }
}
