//! One side's half of all owned trees of a model, for rows of its columns: which of its nodes send
//! a row right, which words it offers for the other side's, and what it keeps itself
//! (`securexgb/boost/scoring/forest.py` says why).
//!
//! Rows go by 64, a bit each; whose a node is is public, and nothing branches on anything else.

const BLOCK: usize = 64;

/// A node of this side's.
#[derive(Clone, Copy)]
pub struct Split {
    /// The column that is looked at.
    pub feature: usize,
    /// Values from here on go right.
    pub threshold: f64,
    /// Where a missing value goes.
    pub missing_left: bool,
    /// Whether this value alone goes right.
    pub one_hot: bool,
}

/// A node: number so many of this side's, or of the other's.
#[derive(Clone, Copy)]
enum Node {
    Own(usize),
    Theirs(usize),
}

/// See the module. Nodes are numbered by their number within a tree, then by tree; here they stand
/// tree by tree, as they are worked off.
pub struct Forest {
    trees: usize,
    depth: usize,
    outputs: usize,
    nodes: Vec<Node>,
    splits: Vec<Split>,
    leaves: Vec<u64>,
}

/// What one side makes of n rows, all zeros at first.
pub struct Marks<'a> {
    /// (own nodes, n): whether a row reaches the node by own splits and goes right there.
    pub bits: &'a mut [u8],
    /// (others' nodes, n): words to be multiplied with the other side's bits.
    pub offered: &'a mut [u64],
    /// (outputs, n): what is this side's own.
    pub sums: &'a mut [u64],
}

/// All ones for a row whose bit is set.
#[inline(always)]
fn mask(bits: u64, row: usize) -> u64 {
    (bits >> row & 1).wrapping_neg()
}

impl Forest {
    /// `own` (nodes, trees): 1 for this side's nodes, which have `splits` in their order; `leaves`
    /// (nodes + 1, trees); trees are sorted by output, equally many each. None where they do not fit.
    pub fn new(
        own: &[u8],
        trees: usize,
        outputs: usize,
        splits: Vec<Split>,
        leaves: &[u64],
    ) -> Option<Self> {
        let count = own.len().checked_div(trees)?;
        let is_whole = (count + 1).is_power_of_two() && own.len() == count * trees;
        if !is_whole || leaves.len() != (count + 1) * trees || !trees.is_multiple_of(outputs.max(1))
        {
            return None;
        }
        let (mut mine, mut theirs) = (0, 0);
        let numbered = |&is_own: &u8| {
            let (next, node): (_, fn(usize) -> Node) =
                if is_own != 0 { (&mut mine, Node::Own) } else { (&mut theirs, Node::Theirs) };
            *next += 1;
            node(*next - 1)
        };
        let nodes: Vec<Node> = own.iter().map(numbered).collect();
        let depth = (count + 1).ilog2() as usize;
        let (nodes, leaves) = (by_tree(&nodes, trees), by_tree(leaves, trees));
        (mine == splits.len()).then_some(Forest { trees, depth, outputs, nodes, splits, leaves })
    }

    /// How many nodes this side has, and the other one.
    pub fn counts(&self) -> [usize; 2] {
        [self.splits.len(), self.nodes.len() - self.splits.len()]
    }

    /// Trees of a round.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns that rows must have at least.
    pub fn columns(&self) -> usize {
        self.splits.iter().map(|split| split.feature + 1).max().unwrap_or(0)
    }

    /// What nodes and rows cost, about: words that are written.
    pub fn work(&self, rows: usize) -> usize {
        2 * self.nodes.len() * rows
    }

    /// For `values` (n, columns), row by row.
    pub fn marks(&self, values: &[f64], columns: usize, marks: &mut Marks) {
        let count = values.len().checked_div(columns).unwrap_or(0);
        let mut block = vec![0.0; columns * BLOCK];
        let mut right = vec![0; self.splits.len()];
        let leaves = 1 << self.depth;
        let mut buffers = Buffers { reached: vec![0; leaves], sums: vec![[0; BLOCK]; leaves] };
        for first in (0..count).step_by(BLOCK) {
            let rows = BLOCK.min(count - first);
            for row in 0..rows {
                let from = &values[(first + row) * columns..][..columns];
                from.iter().enumerate().for_each(|(at, &value)| block[at * BLOCK + row] = value);
            }
            for (right, split) in right.iter_mut().zip(&self.splits) {
                *right = goes_right(split, &block[split.feature * BLOCK..][..rows]);
            }
            let part = Part { first, rows, count };
            (0..self.trees).for_each(|tree| self.tree(tree, part, &right, &mut buffers, marks));
        }
    }

    fn tree(
        &self,
        tree: usize,
        part: Part,
        right: &[u64],
        buffers: &mut Buffers,
        marks: &mut Marks,
    ) {
        let Part { first, rows, count } = part;
        let (splits, ends) = ((1 << self.depth) - 1, 1 << self.depth);
        let nodes = &self.nodes[tree * splits..][..splits];
        let leaves = &self.leaves[tree * ends..][..ends];
        let Buffers { reached, sums } = buffers;
        reached[0] = u64::MAX;
        for level in 0..self.depth {
            for at in (0..1 << level).rev() {
                let here = reached[at];
                let goes = match nodes[(1 << level) - 1 + at] {
                    Node::Own(number) => {
                        let goes = here & right[number];
                        let bits = &mut marks.bits[number * count + first..][..rows];
                        bits.iter_mut().enumerate().for_each(|(row, bit)| {
                            *bit = (goes >> row & 1) as u8;
                        });
                        [here & !goes, goes]
                    }
                    Node::Theirs(_) => [here, here],
                };
                reached[2 * at..2 * at + 2].copy_from_slice(&goes);
            }
        }
        for (leaf, (sums, &bits)) in sums.iter_mut().zip(reached.iter()).enumerate() {
            let value = leaves[leaf];
            sums[..rows]
                .iter_mut()
                .enumerate()
                .for_each(|(row, sum)| *sum = value & mask(bits, row));
        }
        for level in (0..self.depth).rev() {
            for at in 0..1 << level {
                match nodes[(1 << level) - 1 + at] {
                    Node::Own(_) => {
                        #[allow(clippy::needless_range_loop)] // three lines of one array
                        for row in 0..rows {
                            sums[at][row] = sums[2 * at][row].wrapping_add(sums[2 * at + 1][row]);
                        }
                    }
                    Node::Theirs(number) => {
                        let offered = &mut marks.offered[number * count + first..][..rows];
                        for (row, word) in offered.iter_mut().enumerate() {
                            let left = sums[2 * at][row];
                            *word = sums[2 * at + 1][row].wrapping_sub(left);
                            sums[at][row] = left;
                        }
                    }
                }
            }
        }
        let output = tree / (self.trees / self.outputs);
        let own = &mut marks.sums[output * count + first..][..rows];
        own.iter_mut().zip(&sums[0]).for_each(|(sum, more)| *sum = sum.wrapping_add(*more));
    }
}

/// Rows from `first` on, of `count`.
#[derive(Clone, Copy)]
struct Part {
    first: usize,
    rows: usize,
    count: usize,
}

/// What stands by number within a tree, then by tree, tree by tree.
fn by_tree<T: Copy>(of: &[T], trees: usize) -> Vec<T> {
    (0..trees).flat_map(|tree| of[tree..].iter().step_by(trees).copied()).collect()
}

/// Of one tree at a time: which rows may be at a node, and sums below it.
struct Buffers {
    reached: Vec<u64>,
    sums: Vec<[u64; BLOCK]>,
}

fn goes_right(split: &Split, values: &[f64]) -> u64 {
    let one = |value: f64| {
        let is_equal = split.one_hot & (value == split.threshold);
        let is_above = !split.one_hot & (value >= split.threshold);
        let is_sent = value.is_nan() & !split.missing_left;
        u64::from(is_equal | is_above | is_sent)
    };
    values.iter().enumerate().fold(0, |bits, (row, &value)| bits | one(value) << row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    /// Both sides' halves: what the products of bits and offered words and the sums add up to are
    /// the leaves that rows fall into.
    #[test]
    fn both_halves_add_up_to_the_leaves() {
        let (trees, depth, rows, columns) = (6, 3, 130, 2);
        let nodes = (1 << depth) - 1;
        let draw = drawn(3, 8 * nodes * trees + 4 * rows + 16 * trees);
        let own: Vec<u8> = draw[..nodes * trees].iter().map(|word| (word & 1) as u8).collect();
        let value = |word: u64| if word.is_multiple_of(7) { f64::NAN } else { (word % 10) as f64 };
        let values: [Vec<f64>; 2] = [0, 1].map(|side| {
            let from = 200 + side * rows * columns;
            draw[from..from + rows * columns].iter().map(|&word| value(word)).collect()
        });
        let split = |at: usize| {
            let word = draw[at] >> 8;
            Split {
                feature: (word & 1) as usize,
                threshold: (word >> 1) as f64 % 10.0,
                missing_left: word >> 20 & 1 == 1,
                one_hot: word >> 21 & 1 == 1,
            }
        };
        let leaves: [&[u64]; 2] = [0, 1].map(|side| &draw[side * 64..][..(nodes + 1) * trees]);
        let sides = [0, 1].map(|side| {
            let is_own = |&at: &usize| own[at] == 1 - side as u8;
            let splits: Vec<_> = (0..own.len()).filter(is_own).map(split).collect();
            let mine: Vec<u8> = own.iter().map(|&bit| bit ^ side as u8).collect();
            let forest = Forest::new(&mine, trees, 2, splits, leaves[side]).unwrap();
            let [mine, theirs] = forest.counts();
            let mut found = (vec![0; mine * rows], vec![0; theirs * rows], vec![0; 2 * rows]);
            let (bits, offered, sums) = (&mut found.0, &mut found.1, &mut found.2);
            forest.marks(&values[side], columns, &mut Marks { bits, offered, sums });
            found
        });
        for row in 0..rows {
            let mut expected = [0u64; 2];
            for tree in 0..trees {
                let mut node = 0;
                while node < nodes {
                    let at = node * trees + tree;
                    let side = usize::from(1 - own[at]);
                    let split = split(at);
                    let value = values[side][row * columns + split.feature];
                    node = 2 * node + 1 + goes_right(&split, &[value]) as usize;
                }
                let leaf = (node - nodes) * trees + tree;
                let sum = leaves[0][leaf].wrapping_add(leaves[1][leaf]);
                expected[tree / 3] = expected[tree / 3].wrapping_add(sum);
            }
            let mut found = [0, 1].map(|output| {
                let at = output * rows + row;
                sides[0].2[at].wrapping_add(sides[1].2[at])
            });
            let mut seen = [0, 0];
            for (at, &bit) in own.iter().enumerate() {
                let side = usize::from(1 - bit);
                let place = seen[side] * rows + row;
                seen[side] += 1;
                let product =
                    sides[1 - side].1[place] & u64::from(sides[side].0[place]).wrapping_neg();
                let output = at % trees / 3;
                found[output] = found[output].wrapping_add(product);
            }
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let split = Split { feature: 0, threshold: 0.0, missing_left: true, one_hot: false };
        for (own, trees, outputs, splits, leaves) in
            [(3, 1, 1, 2, 4), (2, 1, 1, 2, 3), (3, 1, 1, 3, 3), (6, 2, 4, 6, 8), (3, 0, 1, 3, 4)]
        {
            let (own, leaves) = (vec![1; own], vec![0; leaves]);
            assert!(Forest::new(&own, trees, outputs, vec![split; splits], &leaves).is_none());
        }
    }
}
