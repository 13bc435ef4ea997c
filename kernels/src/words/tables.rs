//! Public tables looked up by shared one-hot marks.
//!
//! A table's entry is the exclusive or of the marks that its public column selects, so each
//! party works on its own shares. The marks lie in slices, 64 elements to a word. Four
//! marks at a time have their sixteen combinations made once and used by all outputs (the
//! method of the four Russians); what addresses memory is the public selection alone.

use crate::simd::lanes::{Lanes, eight};
use crate::simd::path::dispatched;
use std::ops::Range;

const GROUP: usize = 4;

type Word8 = [u64; 8];

/// All sixteen exclusive ors of up to four marks.
#[inline(always)]
fn combine<L: Lanes>(marks: &[&[u64]], first: usize, combinations: &mut [Word8; 1 << GROUP]) {
    combinations[0] = [0; 8];
    for (bit, row) in marks.iter().enumerate() {
        let words = eight(row, first);
        let mark = L::load(&words);
        let (known, new) = combinations.split_at_mut(1 << bit);
        for (old, fresh) in known.iter().zip(new) {
            mark.xor(L::load(old)).store(fresh);
        }
    }
}

/// The selection, four marks to a byte: ceil(marks / 4) bytes an output.
fn groups_of(selection: &[u64], marks: usize) -> Vec<u8> {
    let (groups, wide) = (marks.div_ceil(GROUP), marks.div_ceil(64));
    let mut found = vec![0; selection.len() / wide * groups];
    for (row, out) in selection.chunks_exact(wide).zip(found.chunks_exact_mut(groups)) {
        for (word, out) in row.iter().zip(out.chunks_mut(64 / GROUP)) {
            for (group, out) in out.iter_mut().enumerate() {
                *out = (word >> (GROUP * group)) as u8 & ((1 << GROUP) - 1);
            }
        }
    }
    if !marks.is_multiple_of(GROUP) {
        let present = (1 << (marks % GROUP)) - 1;
        found.iter_mut().skip(groups - 1).step_by(groups).for_each(|last| *last &= present);
    }
    found
}

/// Ones at those places of eight words, from `first` on, that lie in `run`.
#[inline(always)]
fn within(run: &Range<usize>, first: usize) -> Word8 {
    std::array::from_fn(|lane| {
        let start = 64 * (first + lane);
        let ones = |end: usize| match end.saturating_sub(start) {
            bits @ 0..64 => (1 << bits) - 1,
            _ => u64::MAX,
        };
        ones(run.end) & !ones(run.start)
    })
}

/// What one table finds for its run of elements, put into `out`.
#[inline(always)]
fn select_run<L: Lanes>(marks: &[&[u64]], chosen: &[u8], run: Range<usize>, out: &mut [u64]) {
    let (groups, length) = (marks.len().div_ceil(GROUP), marks[0].len());
    let mut tables = vec![[[0; 8]; 1 << GROUP]; groups];
    for first in (run.start / 64..run.end.div_ceil(64)).step_by(8) {
        for (table, rows) in tables.iter_mut().zip(marks.chunks(GROUP)) {
            combine::<L>(rows, first, table);
        }
        let mask = L::load(&within(&run, first));
        for (output, chosen) in out.chunks_exact_mut(length).zip(chosen.chunks_exact(groups)) {
            let mut sum = L::splat(0);
            for (table, &which) in tables.iter().zip(chosen) {
                sum = sum.xor(L::load(&table[usize::from(which & 15)]));
            }
            let mut words = [0; 8];
            sum.and(mask).store(&mut words);
            for (old, word) in output[first..].iter_mut().zip(words) {
                *old ^= word;
            }
        }
    }
}

dispatched! {
    /// Elements come in runs, so many in each, and each run has a selection of its own. At their
    /// bits row o of `out` is the exclusive or of those rows of `marks` whose bit is set in row o
    /// of the selection; bits past the last run are zero. `marks`: `count` rows of equal length,
    /// 64 elements to a word; a selection: rows of ceil(count / 64) words, bit i % 64 of word
    /// i / 64 for mark i; bits past `count` are ignored.
    pub fn xor_marked<L: Lanes>(
        marks: &[u64],
        count: usize,
        selections: &[u64],
        runs: &[usize],
        out: &mut [u64],
    ) {
        let length = marks.len() / count.max(1);
        if length == 0 || selections.is_empty() {
            return;
        }
        out.fill(0);
        let rows: Vec<&[u64]> = marks.chunks_exact(length).collect();
        let mut end = 0;
        for (selection, &run) in selections.chunks_exact(selections.len() / runs.len()).zip(runs) {
            let start = end;
            end += run;
            if run > 0 {
                select_run::<L>(&rows, &groups_of(selection, count), start..end, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::path::Path;
    use crate::words::prg::drawn;

    /// Runs of all elements: one, or several that end within words; some are empty.
    fn runs_of(elements: usize) -> [Vec<usize>; 3] {
        let (third, tenth) = (elements / 3, elements / 10);
        let rest = elements - third - 2 * tenth;
        [vec![elements], vec![third, tenth, 0, tenth, rest], vec![0, tenth]]
    }

    #[test]
    fn every_path_is_the_definition() {
        let shapes = [(1, 1, 1), (3, 2, 7), (4, 5, 8), (63, 3, 9), (64, 30, 17), (130, 4, 20)];
        for path in Path::available() {
            for (count, outputs, length) in shapes {
                for runs in runs_of(64 * length) {
                    check(path, count, outputs, length, &runs);
                }
            }
        }
    }

    fn check(path: Path, count: usize, outputs: usize, length: usize, runs: &[usize]) {
        let wide = count.div_ceil(64);
        let marks = drawn(1, count * length);
        let selections = drawn(2, runs.len() * outputs * wide);
        let mut out = vec![u64::MAX; outputs * length];
        xor_marked(path, &marks, count, &selections, runs, &mut out);
        let owners: Vec<usize> =
            runs.iter().enumerate().flat_map(|(run, &size)| vec![run; size]).collect();
        for o in 0..outputs {
            for element in 0..64 * length {
                let marked = |i: usize| marks[i * length + element / 64] >> (element % 64) & 1;
                let expected = owners.get(element).map_or(0, |run| {
                    let row = &selections[(run * outputs + o) * wide..];
                    (0..count)
                        .filter(|i| row[i / 64] >> (i % 64) & 1 == 1)
                        .fold(0, |sum, i| sum ^ marked(i))
                });
                let found = out[o * length + element / 64] >> (element % 64) & 1;
                assert_eq!(found, expected, "{}", path.name());
            }
        }
    }

    #[test]
    fn no_marks_or_no_words_are_no_work() {
        xor_marked(Path::best(), &[], 5, &[3], &[0], &mut []);
        xor_marked(Path::best(), &[1, 2], 2, &[], &[], &mut []);
    }
}
