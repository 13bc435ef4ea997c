//! All but one of 2^k keys: the trees of Goldreich, Goldwasser and Micali.
//!
//! Whoever holds the root of a tree knows its 2^k leaves; the other party learns all but
//! the one at its secret place, for k oblivious transfers (Boyle and others, CCS 2019,
//! section 5; Roy, CRYPTO 2022, section 5). A node's children are the four words of its
//! own AES stream. For each level the holder sends the sums of all left and of all right
//! children, each under one key of a base transfer; the other party knows every node of a
//! level but the one on its path, takes the sum of the side off its path, and so finds the
//! path's sibling. Bit b of the place (lowest first) selects the half of level k - 1 - b.
//!
//! No branch or address depends on the place.

use crate::ot::key::{Key, equal, masked, stream, xor};

fn children(node: Key) -> [Key; 2] {
    let mut pair = [[0; 2]; 2];
    stream(node).fill(0, pair.as_flattened_mut());
    pair
}

/// Overwrites `leaves`, 2^k of them, with those of `root`, and `sums`, k pairs, with what
/// to send: level by level the sum of either side, under `pads`.
pub fn grow(root: Key, pads: &[[Key; 2]], leaves: &mut [Key], sums: &mut [[Key; 2]]) {
    leaves[0] = root;
    for (level, (pads, sums)) in pads.iter().zip(sums).enumerate() {
        *sums = *pads;
        for parent in (0..1usize << level).rev() {
            let pair = children(leaves[parent]);
            leaves[2 * parent..2 * parent + 2].copy_from_slice(&pair);
            *sums = [xor(sums[0], pair[0]), xor(sums[1], pair[1])];
        }
    }
}

/// Overwrites `leaves` with all but the one at the secret `place`, ordered by place ^ x: the
/// unknown one stands first and is zero. `pads` are the chosen keys of the base transfers,
/// whose choices are the complements of the place's bits, the highest bit first.
pub fn puncture(place: u64, pads: &[Key], sums: &[[Key; 2]], leaves: &mut [Key]) {
    let depth = pads.len();
    leaves.fill([0; 2]);
    for (level, (&pad, sums)) in pads.iter().zip(sums).enumerate() {
        let path = place >> (depth - level);
        let off = !(place >> (depth - 1 - level)) & 1;
        let side = off.wrapping_neg();
        let mut sibling = xor(pad, xor(masked(sums[0], !side), masked(sums[1], side)));
        for parent in (0..1usize << level).rev() {
            let known = !equal(parent as u64, path);
            let pair = children(leaves[parent]).map(|child| masked(child, known));
            leaves[2 * parent..2 * parent + 2].copy_from_slice(&pair);
            sibling = xor(sibling, xor(masked(pair[0], !side), masked(pair[1], side)));
        }
        for (parent, [left, right]) in leaves.as_chunks_mut().0[..1 << level].iter_mut().enumerate()
        {
            let here = equal(parent as u64, path);
            *left = xor(*left, masked(sibling, here & !side));
            *right = xor(*right, masked(sibling, here & side));
        }
    }
    reorder(place, leaves);
}

/// Leaf x goes to place ^ x: one conditional exchange of neighbours for each bit.
fn reorder(place: u64, leaves: &mut [Key]) {
    let depth = leaves.len().trailing_zeros();
    for bit in 0..depth {
        let mask = (place >> bit & 1).wrapping_neg();
        let size = 1 << bit;
        for pair in leaves.chunks_exact_mut(2 * size) {
            let (low, high) = pair.split_at_mut(size);
            for (a, b) in low.iter_mut().zip(high) {
                let swap = masked(xor(*a, *b), mask);
                (*a, *b) = (xor(*a, swap), xor(*b, swap));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    #[test]
    fn all_leaves_but_one_arrive() {
        for depth in [1, 2, 3, 4, 8] {
            let pads = drawn(5, 4 * depth).as_chunks().0.as_chunks().0.to_vec();
            let mut all = vec![[0; 2]; 1 << depth];
            let mut sums = vec![[[0; 2]; 2]; depth];
            grow([11, 12], &pads, &mut all, &mut sums);
            for place in [0, 1, (1u64 << depth) - 1, 5 & ((1 << depth) - 1)] {
                let chosen: Vec<Key> = (0..depth)
                    .map(|level| pads[level][(!(place >> (depth - 1 - level)) & 1) as usize])
                    .collect();
                let mut known = vec![[7; 2]; 1 << depth];
                puncture(place, &chosen, &sums, &mut known);
                assert_eq!(known[0], [0; 2]);
                for x in 1..1 << depth {
                    assert_eq!(known[x as usize], all[(x ^ place) as usize]);
                }
            }
        }
    }
}
