//! Transfers with hardly a message: Ferret (Yang and others, CCS 2020), semi-honest, with
//! the correlated trees of Half-Tree (Guo and others, EUROCRYPT 2023).
//!
//! A pool of correlated rows, q at the sender and v = q ^ u D at the receiver, is stretched.
//! For a tree of 2^11 leaves the sender draws x; the first two nodes are x and x ^ D, and a
//! node y has the children H'(y) and y ^ H'(y): the nodes of every level add up to D. For
//! each level it sends the sum of the left nodes ^ q, one row of the pool; the receiver adds
//! its v and has the left sum where u = 0, the right sum where u = 1, hence all leaves but
//! the one whose path it is NOT given, place = !u, and at that place the sum of all others:
//! leaf ^ D. Leaf i is then w_i at the sender and w_i ^ e_i D at the receiver, e a unit vector.
//!
//! To row i of all trees both add ten of the pool's 2^18 rows, at places that a public
//! stream names: z = q A ^ w and y = v A ^ w ^ e D = z ^ (u A ^ e) D. The choice u A ^ e is
//! pseudorandom by learning parity with regular noise; docs/offline.md has the attacks that
//! the dimension and the number of trees are chosen against, and tests compute them. The
//! lowest bit of D is one and that of z zero, so that the lowest bit of a receiver's row is
//! its choice.
//!
//! H'(y) = AES(s(y)) ^ s(y), s(a || b) = (a ^ b) || a, under a public key.

use crate::ot::extension::{Hasher, Messages};
use crate::ot::key::{Key, bytes, equal, masked, stream, xor};
use crate::simd::path::Path;
use crate::words::prg::Stream;
use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

/// Levels of a tree.
pub const DEPTH: usize = 11;
/// Leaves of a tree, which are rows.
pub const LEAVES: usize = 1 << DEPTH;
/// Words of 64 transfers that one tree gives.
pub const WORDS: usize = LEAVES / 64;
/// Rows of a pool that belong to the matrix: the dimension of the parity problem, a power of
/// two, so that a place is a field of bits.
pub const DIMENSION: usize = 1 << 18;
/// Rows of the pool that are added to a row.
pub const PLACES: usize = 10;
/// Words of the public stream that name them.
const PLACE_WORDS: usize = 3;
/// Bits of a place.
const FIELD: u32 = DIMENSION.trailing_zeros();
/// Bits of a word above three fields; two words' make the tenth place.
const ABOVE: u32 = u64::BITS - 3 * FIELD;
const _: () = assert!(3 * FIELD < u64::BITS && 2 * ABOVE >= FIELD);

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

/// The ten places that three words of the stream name: three fields of each word from its
/// lowest bit on, and one made of what is above them in two words. No two share a bit.
#[inline(always)]
fn places(words: &[u64; PLACE_WORDS]) -> [usize; PLACES] {
    let [a, b, c] = *words;
    let above = a >> (3 * FIELD) | b >> (3 * FIELD) << ABOVE;
    let three = |word: u64| [word, word >> FIELD, word >> (2 * FIELD)];
    let ([a0, a1, a2], [b0, b1, b2], [c0, c1, c2]) = (three(a), three(b), three(c));
    [a0, a1, a2, b0, b1, b2, c0, c1, c2, above].map(|bits| bits as usize % DIMENSION)
}

/// Room and keys for one tree after another.
struct Grower<'a> {
    pool: Pool<'a>,
    trees: Aes128,
    matrix: Stream,
    level: Vec<Key>,
    next: Vec<Key>,
    places: Vec<u64>,
}

impl<'a> Grower<'a> {
    fn new(pool: Pool<'a>) -> Self {
        Grower {
            pool,
            trees: Aes128::new(&Array::from(bytes(pool.tags.trees))),
            matrix: stream(pool.tags.matrix),
            level: vec![[0; 2]; LEAVES],
            next: vec![[0; 2]; LEAVES],
            places: vec![0; PLACE_WORDS * LEAVES],
        }
    }

    /// The pool's rows for a tree.
    fn rows_of(&self, tree: usize) -> &'a [Key] {
        &self.pool.trees[tree * DEPTH..(tree + 1) * DEPTH]
    }

    /// From `nodes` nodes to their children; the sum of the left ones.
    fn grow(&mut self, nodes: usize) -> Key {
        let mut blocks = [Array::from([0; 16]); 64];
        let mut sum = [0; 2];
        let parents = self.level[..nodes].chunks(64);
        for (parents, children) in parents.zip(self.next.chunks_mut(128)) {
            let blocks = &mut blocks[..parents.len()];
            for (block, y) in blocks.iter_mut().zip(parents) {
                *block = Array::from(bytes([y[1], y[0] ^ y[1]]));
            }
            self.trees.encrypt_blocks(blocks);
            for ((pair, block), y) in children.as_chunks_mut().0.iter_mut().zip(blocks).zip(parents)
            {
                let value = u128::from_le_bytes((*block).into());
                let left = [value as u64 ^ y[1], (value >> 64) as u64 ^ y[0] ^ y[1]];
                *pair = [left, xor(*y, left)];
                sum = xor(sum, left);
            }
        }
        std::mem::swap(&mut self.level, &mut self.next);
        sum
    }

    /// The sender's leaves; overwrites `message` with a sum for each level.
    fn sender_tree(&mut self, tree: usize, root: Key, places: Key, message: &mut [Key]) {
        let rows = self.rows_of(tree);
        self.level[..2].copy_from_slice(&[root, xor(root, places)]);
        let mut sum = root;
        for (level, (out, row)) in message.iter_mut().zip(rows).enumerate() {
            if level > 0 {
                sum = self.grow(1 << level);
            }
            *out = xor(sum, *row);
        }
        for leaf in &mut self.level {
            leaf[0] &= !1;
        }
    }

    /// The receiver's leaves; a missing node is kept as zero until the end.
    fn receiver_tree(&mut self, tree: usize, message: &[Key]) {
        let rows = self.rows_of(tree);
        self.level[0] = [0; 2];
        let mut path = 0;
        for (level, (sent, row)) in message.iter().zip(rows).enumerate() {
            let side = (row[0] & 1).wrapping_neg();
            let given = xor(*sent, *row);
            if level == 0 {
                self.level[..2].copy_from_slice(&[masked(given, !side), masked(given, side)]);
            } else {
                self.advance(level, path, side, given);
            }
            path = path << 1 | (!side & 1);
        }
        let total = self.level.iter().fold([0; 2], |sum, leaf| xor(sum, *leaf));
        for (x, leaf) in self.level.iter_mut().enumerate() {
            let here = equal(x as u64, path);
            *leaf = xor(*leaf, masked(total, here));
            leaf[0] = leaf[0] & !1 | here & 1;
        }
    }

    /// One level down: the missing node's children are its secret path's next node, missing
    /// in turn, and the sibling on the given `side`.
    fn advance(&mut self, level: usize, path: u64, side: u64, given: Key) {
        let nodes = 1 << level;
        let known = self.level[..nodes].iter().fold([0; 2], |sum, node| xor(sum, *node));
        let left = self.grow(nodes);
        let all = xor(left, masked(known, side));
        for (parent, pair) in self.level[..2 * nodes].as_chunks_mut::<2>().0.iter_mut().enumerate()
        {
            // The missing node, zero, had the children c and 0 ^ c; c belongs to no sum.
            let here = equal(parent as u64, path);
            let sibling = xor(xor(given, all), pair[0]);
            let keep = [masked(sibling, here & !side), masked(sibling, here & side)];
            *pair = [xor(masked(pair[0], !here), keep[0]), xor(masked(pair[1], !here), keep[1])];
        }
    }

    /// Adds ten rows of the pool to each leaf.
    fn add_matrix(&mut self, tree: usize) {
        let linear = self.pool.linear;
        self.matrix.fill((tree * self.places.len()) as u64, &mut self.places);
        let all = self.places.as_chunks::<PLACE_WORDS>().0;
        for (leaf, words) in self.level.iter_mut().zip(all) {
            *leaf = places(words).iter().fold(*leaf, |sum, &place| xor(sum, linear[place]));
        }
    }
}

/// The sender's transfers from the trees `first` on, one for each root: the message, `DEPTH`
/// rows a tree, and both messages of each transfer. `position` is that of the first word.
pub fn send(
    pool: Pool<'_>,
    first: usize,
    position: u64,
    places: Key,
    roots: &[Key],
    message: &mut [Key],
    messages: [&mut Messages<'_>; 2],
) {
    let [zero, one] = messages;
    let mut grower = Grower::new(pool);
    for (at, (root, sums)) in roots.iter().zip(message.chunks_exact_mut(DEPTH)).enumerate() {
        grower.sender_tree(first + at, *root, places, sums);
        grower.add_matrix(first + at);
        let here = position + (at * WORDS) as u64;
        let hasher = Hasher::new(Path::best(), pool.tags.hash, here);
        hasher.rows(&grower.level, [0; 2], at * WORDS, zero);
        hasher.rows(&grower.level, places, at * WORDS, one);
    }
}

/// The receiver's transfers for the sender's message: packed choices, chosen messages.
pub fn receive(
    pool: Pool<'_>,
    first: usize,
    position: u64,
    message: &[Key],
    choices: &mut [u64],
    chosen: &mut Messages<'_>,
) {
    let mut grower = Grower::new(pool);
    for (at, sums) in message.chunks_exact(DEPTH).enumerate() {
        grower.receiver_tree(first + at, sums);
        grower.add_matrix(first + at);
        let words = choices[at * WORDS..(at + 1) * WORDS].iter_mut();
        for (word, rows) in words.zip(grower.level.chunks_exact(64)) {
            *word = rows.iter().enumerate().fold(0, |word, (i, row)| word | (row[0] & 1) << i);
        }
        let here = position + (at * WORDS) as u64;
        let hasher = Hasher::new(Path::best(), pool.tags.hash, here);
        hasher.rows(&grower.level, [0; 2], at * WORDS, chosen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    fn keys(seed: u8, count: usize) -> Vec<Key> {
        drawn(seed, 2 * count).as_chunks().0.to_vec()
    }

    #[test]
    fn every_bit_of_the_stream_belongs_to_one_place_at_most() {
        let mut owners = vec![];
        for bit in 0..64 * PLACE_WORDS {
            let mut words = [0; PLACE_WORDS];
            words[bit / 64] = 1 << (bit % 64);
            let found = places(&words);
            let named: Vec<usize> = (0..PLACES).filter(|&i| found[i] != 0).collect();
            assert!(named.len() <= 1);
            owners.extend(named.iter().map(|&i| (i, found[i])));
        }
        owners.sort_unstable();
        let all = (0..PLACES).flat_map(|i| (0..FIELD).map(move |bit| (i, 1 << bit)));
        assert_eq!(owners, all.collect::<Vec<_>>());
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
        send(pool(0), first, 5, places, &roots, &mut message, out);
        let mut theirs = vec![[0; 2]; trees * LEAVES];
        let mut choices = vec![0; trees * WORDS];
        receive(pool(1), first, 5, &message, &mut choices, &mut Messages::Rows(&mut theirs));
        for (i, (z, y)) in mine.iter().zip(&theirs).enumerate() {
            let choice = choices[i / 64] >> (i % 64) & 1;
            assert_eq!([z[0] & 1, y[0] & 1], [0, choice]);
            assert_eq!(xor(*z, *y), masked(places, choice.wrapping_neg()));
        }

        let mut noise = Grower::new(pool(1));
        for tree in 0..trees {
            noise.level.fill([0; 2]);
            noise.add_matrix(first + tree);
            let differing: Vec<usize> = (0..LEAVES)
                .filter(|&i| noise.level[i][0] & 1 != theirs[tree * LEAVES + i][0] & 1)
                .collect();
            let path = pool(1).trees[(first + tree) * DEPTH..][..DEPTH]
                .iter()
                .fold(0, |path, row| path << 1 | (!row[0] & 1) as usize);
            assert_eq!(differing, [path]);
        }

        let mut words = [vec![0; 64 * WORDS * trees], vec![0; 64 * WORDS * trees]];
        let [zero, one] = &mut words;
        let out = [&mut Messages::Words(zero), &mut Messages::Words(one)];
        send(pool(0), first, 5, places, &roots, &mut message, out);
        let mut chosen = vec![0; 64 * WORDS * trees];
        receive(pool(1), first, 5, &message, &mut choices, &mut Messages::Words(&mut chosen));
        for (i, chosen) in chosen.iter().enumerate() {
            let side = (choices[i / 64] >> (i % 64) & 1) as usize;
            assert_eq!(words[side][i], *chosen);
            assert_ne!(words[1 - side][i], *chosen);
        }
    }
}
