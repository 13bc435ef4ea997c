//! Transfers with hardly a message: Ferret (Yang and others, CCS 2020), semi-honest, with
//! the correlated trees of Half-Tree (Guo and others, EUROCRYPT 2023).
//!
//! A pool of correlated rows, q at the sender and v = q ^ u D at the receiver, is stretched.
//! For a tree of 2^8 leaves (see [`crate::ot::half_tree`]) the sender draws x; the first two
//! nodes are x and x ^ D, and the nodes of every level add up to D. For each level it sends the
//! sum of the left nodes ^ q, one row of the pool; the receiver adds its v and has the left sum
//! where u = 0, the right sum where u = 1, hence all leaves but the one whose path it is NOT
//! given, whose number is spelt by its u, and at that place the sum of all others: leaf ^ D. Leaf i is then w_i at
//! the sender and w_i ^ e_i D at the receiver, e a unit vector.
//!
//! To row i of all trees both add six of the pool's 2^16 rows, at places that a public
//! stream names: z = q A ^ w and y = v A ^ w ^ e D = z ^ (u A ^ e) D. The choice u A ^ e is
//! pseudorandom by learning parity with regular noise; docs/offline.md has the attacks that
//! these numbers are chosen against, and tests compute them. The
//! lowest bit of D is one and that of z zero, so that the lowest bit of a receiver's row is
//! its choice.

use crate::ot::extension::{Hasher, Messages, Room};
use crate::ot::half_tree::{ALL, EVEN, Tree};
use crate::ot::key::{Key, stream, xor};
use crate::simd::blocks;
use crate::simd::path::Path;
use crate::words::prg::Stream;
use crate::words::slices::first_words_to_slices;

/// Levels of a tree.
pub const DEPTH: usize = 8;
/// Leaves of a tree, which are rows.
pub const LEAVES: usize = 1 << DEPTH;
/// Words of 64 transfers that one tree gives.
pub const WORDS: usize = LEAVES / 64;
/// Rows of a pool that belong to the matrix: the dimension of the parity problem. A place is
/// sixteen bits of the public stream.
pub const DIMENSION: usize = 1 << 16;
/// Rows of the pool that are added to a row.
pub const PLACES: usize = 6;
/// Words of the public stream that name them for two rows.
const PAIR_WORDS: usize = 3;
const _: () = assert!(2 * PLACES * u16::BITS as usize == PAIR_WORDS * u64::BITS as usize);

/// What both parties know of one pool: keys of the public matrix, of the trees, of the hash.
#[derive(Clone, Copy)]
pub struct Tags {
    /// Names the places in the pool.
    pub matrix: Key,
    /// The key of H'.
    pub trees: Key,
    /// The tag of the extension's hash.
    pub hash: Key,
}

/// A pool.
#[derive(Clone, Copy)]
pub struct Pool<'a> {
    /// The rows for the matrix.
    pub linear: &'a [Key; DIMENSION],
    /// `DEPTH` rows a tree.
    pub trees: &'a [Key],
    /// The public keys.
    pub tags: Tags,
}

/// The places that three words of the stream name, for each of two rows: four in a word, from its
/// lowest bits on.
#[inline(always)]
fn places(words: &[u64; PAIR_WORDS]) -> [[usize; PLACES]; 2] {
    let place = |number: usize| usize::from((words[number / 4] >> (16 * (number % 4))) as u16);
    [0, PLACES].map(|first| std::array::from_fn(|number| place(first + number)))
}

/// Room and keys for one tree after another.
struct Grower<'a> {
    path: Path,
    pool: Pool<'a>,
    tree: Tree,
    matrix: Stream,
    places: Vec<u64>,
    room: Room,
}

impl<'a> Grower<'a> {
    fn new(path: Path, pool: Pool<'a>) -> Self {
        Grower {
            path,
            pool,
            tree: Tree::new(path, pool.tags.trees, DEPTH),
            matrix: stream(pool.tags.matrix),
            places: vec![0; PAIR_WORDS * LEAVES / 2],
            room: Room::new(),
        }
    }

    /// The sender's rows; overwrites `message` with a sum for each level.
    fn sender(&mut self, tree: usize, root: Key, places: Key, message: &mut [Key]) {
        self.tree.grow(root, places, message);
        let rows = &self.pool.trees[tree * DEPTH..];
        message.iter_mut().zip(rows).for_each(|(sum, row)| *sum = xor(*sum, *row));
        self.add_matrix(tree, EVEN);
    }

    /// The receiver's rows.
    fn receiver(&mut self, tree: usize, message: &[Key]) {
        let rows = &self.pool.trees[tree * DEPTH..];
        let given = message.iter().zip(rows);
        self.tree.puncture(given.map(|(sum, row)| (xor(*sum, *row), (row[0] & 1).wrapping_neg())));
        self.add_matrix(tree, ALL);
    }

    /// Adds six rows of the pool to the bits `keep` of each leaf.
    fn add_matrix(&mut self, tree: usize, keep: Key) {
        let (linear, count) = (self.pool.linear, self.places.len());
        self.matrix.fill((tree * count) as u64, &mut self.places);
        let pairs = self.tree.leaves.as_chunks_mut::<2>().0;
        for (rows, words) in pairs.iter_mut().zip(self.places.as_chunks().0) {
            for (row, places) in rows.iter_mut().zip(places(words)) {
                let leaf = [row[0] & keep[0], row[1] & keep[1]];
                *row = blocks::sum(linear, places.into_iter(), leaf);
            }
        }
    }

    /// The lowest bits of all rows, packed.
    fn choices(&self, out: &mut [u64]) {
        first_words_to_slices(self.path, &self.tree.leaves, 1, (WORDS, 0), out);
    }

    /// H of each row ^ a shift, for the transfers from this position on; `done` words went before.
    fn hash<const N: usize>(
        &mut self,
        position: u64,
        done: usize,
        out: [(Key, &mut Messages<'_>); N],
    ) {
        let hasher = Hasher::new(self.path, self.pool.tags.hash, position);
        for (shift, out) in out {
            hasher.rows(&mut self.room, (&self.tree.leaves, shift), done, out);
        }
    }
}

/// The sender's transfers from the trees `first` on, one for each root: the message, `DEPTH`
/// rows a tree, and both messages of each transfer. `at` is the position of the first word.
pub fn send(
    path: Path,
    (pool, first, at): (Pool<'_>, usize, u64),
    places: Key,
    roots: &[Key],
    message: &mut [Key],
    [zero, one]: [&mut Messages<'_>; 2],
) {
    let mut grower = Grower::new(path, pool);
    for (number, (root, sums)) in roots.iter().zip(message.chunks_exact_mut(DEPTH)).enumerate() {
        grower.sender(first + number, *root, places, sums);
        let done = number * WORDS;
        grower.hash(at + done as u64, done, [([0; 2], &mut *zero), (places, &mut *one)]);
    }
}

/// The receiver's transfers for the sender's message: packed choices, chosen messages.
pub fn receive(
    path: Path,
    (pool, first, at): (Pool<'_>, usize, u64),
    message: &[Key],
    choices: &mut [u64],
    chosen: &mut Messages<'_>,
) {
    let mut grower = Grower::new(path, pool);
    let trees = message.chunks_exact(DEPTH).zip(choices.chunks_exact_mut(WORDS));
    for (number, (sums, choices)) in trees.enumerate() {
        grower.receiver(first + number, sums);
        grower.choices(choices);
        let done = number * WORDS;
        grower.hash(at + done as u64, done, [([0; 2], &mut *chosen)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::key::masked;
    use crate::words::prg::drawn;

    fn keys(seed: u8, count: usize) -> Vec<Key> {
        drawn(seed, 2 * count).as_chunks().0.to_vec()
    }

    #[test]
    fn every_bit_of_the_stream_belongs_to_one_place() {
        for bit in 0..64 * PAIR_WORDS {
            let mut words = [0; PAIR_WORDS];
            words[bit / 64] = 1 << (bit % 64);
            let mut expected = [0; 2 * PLACES];
            expected[bit / 16] = 1 << (bit % 16);
            assert_eq!(places(&words).as_flattened(), expected);
        }
    }

    #[test]
    fn rows_stay_correlated_and_choices_are_the_matrix_product_plus_noise() {
        let (first, trees) = (2, 3);
        let places = [0x1234_5678_9abc_def1, 0x0fed_cba9_8765_4321];
        let mut pools = [keys(1, DIMENSION + 5 * DEPTH), vec![]];
        pools[0].iter_mut().for_each(|row| row[0] &= !1);
        let bits = keys(2, pools[0].len());
        let turned = |(q, u): (&Key, &Key)| xor(*q, masked(places, (u[0] & 1).wrapping_neg()));
        pools[1] = pools[0].iter().zip(&bits).map(turned).collect();
        let tags = Tags { matrix: [1, 1], trees: [2, 2], hash: [3, 3] };
        let pool = |side: usize| {
            let (linear, trees) = pools[side].split_first_chunk().unwrap();
            Pool { linear, trees, tags }
        };

        let roots = keys(3, trees);
        let mut message = vec![[0; 2]; trees * DEPTH];
        let mut mine = vec![[0; 2]; trees * LEAVES];
        let out = [&mut Messages::Rows(&mut mine), &mut Messages::Nothing];
        send(Path::best(), (pool(0), first, 5), places, &roots, &mut message, out);
        let mut theirs = vec![[0; 2]; trees * LEAVES];
        let mut choices = vec![0; trees * WORDS];
        let out = &mut Messages::Rows(&mut theirs);
        receive(Path::best(), (pool(1), first, 5), &message, &mut choices, out);
        for (i, (z, y)) in mine.iter().zip(&theirs).enumerate() {
            let choice = choices[i / 64] >> (i % 64) & 1;
            assert_eq!([z[0] & 1, y[0] & 1], [0, choice]);
            assert_eq!(xor(*z, *y), masked(places, choice.wrapping_neg()));
        }

        let mut noise = Grower::new(Path::best(), pool(1));
        for tree in 0..trees {
            noise.tree.leaves.fill([0; 2]);
            noise.add_matrix(first + tree, ALL);
            let differing: Vec<usize> = (0..LEAVES)
                .filter(|&i| noise.tree.leaves[i][0] & 1 != theirs[tree * LEAVES + i][0] & 1)
                .collect();
            let steps = pool(1).trees[(first + tree) * DEPTH..][..DEPTH].iter().rev();
            let path = steps.fold(0, |path, row| path << 1 | (row[0] & 1) as usize);
            assert_eq!(differing, [path]);
        }

        let mut words = [vec![0; 64 * WORDS * trees], vec![0; 64 * WORDS * trees]];
        let [zero, one] = &mut words;
        let out = [&mut Messages::Words(zero), &mut Messages::Words(one)];
        send(Path::best(), (pool(0), first, 5), places, &roots, &mut message, out);
        let mut chosen = vec![0; 64 * WORDS * trees];
        let out = &mut Messages::Words(&mut chosen);
        receive(Path::best(), (pool(1), first, 5), &message, &mut choices, out);
        for (i, chosen) in chosen.iter().enumerate() {
            let side = (choices[i / 64] >> (i % 64) & 1) as usize;
            assert_eq!(words[side][i], *chosen);
            assert_ne!(words[1 - side][i], *chosen);
        }
    }
}
