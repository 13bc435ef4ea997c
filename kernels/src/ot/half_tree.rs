//! Correlated trees (Half-Tree: Guo and others, EUROCRYPT 2023): all nodes of a level add up to D.
//!
//! A node y has the children H'(y) and y ^ H'(y), with H'(y) = AES(s(y)) ^ s(y), s(a || b) =
//! (a ^ b) || a, under a public key. The right child of node i of n is node i again, the left one
//! i + n, so that a level grows in place and a node's number spells its path, the first step in the
//! lowest bit.
//!
//! No branch and no address depends on a node or on a path.

use crate::ot::key::{Key, equal, masked, xor};
use crate::simd::blocks::Cipher;
use crate::simd::lanes::Lanes;
use crate::simd::path::{Path, dispatched};

/// All bits of a node.
pub const ALL: Key = [u64::MAX; 2];
/// All but the lowest bit.
pub const EVEN: Key = [u64::MAX - 1, u64::MAX];

/// One tree after another under one key, each in the place of the one before.
pub struct Tree {
    path: Path,
    cipher: Cipher,
    /// H'(0).
    of_nothing: Key,
    /// The leaves.
    pub leaves: Vec<Key>,
}

impl Tree {
    /// Room for a tree of 2^depth leaves.
    pub fn new(path: Path, key: Key, depth: usize) -> Self {
        let (cipher, mut of_nothing) = (Cipher::new(key), [[0; 2]]);
        cipher.encrypt(&mut of_nothing);
        Tree { path, cipher, of_nothing: of_nothing[0], leaves: vec![[0; 2]; 1 << depth] }
    }

    /// The sender's leaves from its root; `sums` gets the sum of the left nodes of each level.
    pub fn grow(&mut self, root: Key, places: Key, sums: &mut [Key]) {
        self.leaves[..2].copy_from_slice(&[xor(root, places), root]);
        sums[0] = root;
        for (level, sum) in sums.iter_mut().enumerate().skip(1) {
            *sum = self.down(1 << level);
        }
    }

    /// The receiver's leaves, and the place of the one that is the sum of all others; its lowest
    /// bit is one, those of the others are cleared. `given`: for each level the sum of one side's
    /// nodes, and all ones where that is the right side.
    pub fn puncture(&mut self, given: impl Iterator<Item = (Key, u64)>) -> u64 {
        // The missing node is zero, so its children, both H'(0), belong to no sum.
        let (mut place, mut others, mut left, mut wrong) = (0, [0; 2], [0; 2], [0; 2]);
        self.leaves[..2].fill([0; 2]);
        for (level, (sum, side)) in given.enumerate() {
            let nodes = 1 << level;
            if level > 0 {
                left = xor(self.down(nodes), self.of_nothing);
                wrong = self.of_nothing;
            }
            let sibling = xor(sum, xor(left, masked(others, side)));
            let children = [masked(sibling, side), masked(sibling, !side)];
            for (half, child) in self.leaves.chunks_exact_mut(nodes).zip(children) {
                mend(self.path, half, ALL, place, xor(wrong, child));
            }
            place |= (side & 1) << level;
            others = xor(others, sibling);
        }
        mend(self.path, &mut self.leaves, EVEN, place, [others[0] | 1, others[1]]);
        place
    }

    /// From so many nodes, two at least, to their children; the sum of the left ones.
    fn down(&mut self, nodes: usize) -> Key {
        let (nodes, left) = self.leaves[..2 * nodes].split_at_mut(nodes);
        self.cipher.split(nodes, left)
    }
}

dispatched! {
    /// Keeps the bits `keep` of each node and adds `change` to the one at the secret `place`.
    pub fn mend<L: Lanes>(nodes: &mut [Key], keep: Key, place: u64, change: Key) {
        let (fours, rest) = nodes.as_chunks_mut::<4>();
        let first = 4 * fours.len() as u64;
        let [keeps, changes] = [keep, change].map(|key| L::load(eight(&[key; 4])));
        let (one, four, place_by) = (L::splat(1), L::splat(4), L::splat(place));
        let mut number = L::load(&[0, 0, 1, 1, 2, 2, 3, 3]);
        for node in fours {
            // The highest bit of zero - 1 is one, that of any other difference - 1 is not.
            let here = number.xor(place_by).minus(one).shift_right::<63>();
            let here = L::splat(0).minus(here);
            let kept = L::load(eight(node)).and(keeps);
            kept.xor(changes.and(here)).store(eight_mut(node));
            number = number.plus(four);
        }
        for (number, node) in (first..).zip(rest) {
            let here = masked(change, equal(number, place));
            *node = [node[0] & keep[0] ^ here[0], node[1] & keep[1] ^ here[1]];
        }
    }
}

/// Four nodes as eight words.
#[inline(always)]
fn eight(nodes: &[Key; 4]) -> &[u64; 8] {
    nodes.as_flattened().try_into().expect("four nodes are eight words")
}

#[inline(always)]
fn eight_mut(nodes: &mut [Key; 4]) -> &mut [u64; 8] {
    nodes.as_flattened_mut().try_into().expect("four nodes are eight words")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    const KEY: Key = [7, 8];

    /// H' as it is defined.
    fn hash(node: Key) -> Key {
        let turned = [node[1], node[0] ^ node[1]];
        let mut block = [turned];
        Cipher::new(KEY).encrypt(&mut block);
        xor(turned, block[0])
    }

    /// All nodes of each level, and a node's number as its path, the first step lowest.
    fn levels(root: Key, places: Key, depth: usize) -> Vec<Vec<Key>> {
        let mut levels = vec![vec![xor(root, places), root]];
        for _ in 1..depth {
            let parents = levels.last().unwrap();
            let left: Vec<Key> = parents.iter().map(|node| hash(*node)).collect();
            let right: Vec<Key> = parents.iter().zip(&left).map(|(y, l)| xor(*y, *l)).collect();
            levels.push([right, left].concat());
        }
        levels
    }

    #[test]
    fn trees_are_the_definition_and_all_leaves_but_one_arrive_on_every_path() {
        let (root, places) = ([5, 1 << 63], [0xdead_beef_0123_4567, 0x8877_6655_4433_2211]);
        for (path, depth) in Path::available()
            .into_iter()
            .flat_map(|path| [1, 2, 3, 6, 11].map(|depth| (path, depth)))
        {
            let levels = levels(root, places, depth);
            let expected = &levels[depth - 1];
            let lefts: Vec<Key> = levels
                .iter()
                .map(|nodes| nodes[nodes.len() / 2..].iter().copied().fold([0; 2], xor))
                .collect();
            let mut tree = Tree::new(path, KEY, depth);
            let mut sums = vec![[0; 2]; depth];
            tree.grow(root, places, &mut sums);
            assert_eq!(sums, lefts);
            assert_eq!(tree.leaves, *expected);
            for choices in drawn(1, 5) {
                let sides = (0..depth).map(|level| choices >> level & 1);
                let given = lefts.iter().zip(sides.clone()).map(|(left, side)| {
                    let side = side.wrapping_neg();
                    (xor(*left, masked(places, side)), side)
                });
                let place = tree.puncture(given);
                let spelt = sides.rev().fold(0, |place, side| place << 1 | side);
                assert_eq!(place, spelt);
                for (number, (found, sent)) in tree.leaves.iter().zip(expected).enumerate() {
                    let here = equal(number as u64, place);
                    let even = [sent[0] & !1, sent[1]];
                    assert_eq!(*found, xor(even, masked([places[0] | 1, places[1]], here)));
                }
            }
        }
    }
}
