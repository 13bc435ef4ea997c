//! Public tables looked up by shared one-hot marks.
//!
//! A table's entry is the exclusive or of the marks that its public column selects, so each
//! party works on its own shares. The marks lie in slices, 64 elements to a word. Four
//! marks at a time have their sixteen combinations made once and used by all outputs (the
//! method of the four Russians); what addresses memory is the public selection alone.

use crate::lanes::Lanes;
use crate::path::dispatched;

const GROUP: usize = 4;

type Word8 = [u64; 8];

/// The rows' eight words from `first` on, zero past the end.
#[inline(always)]
fn eight(row: &[u64], first: usize) -> Word8 {
    let mut words = [0; 8];
    let used = 8.min(row.len() - first);
    words[..used].copy_from_slice(&row[first..first + used]);
    words
}

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
    let group = |row: &[u64], at: usize| {
        let present = GROUP.min(marks - at);
        (row[at / 64] >> (at % 64)) as u8 & ((1 << present) - 1)
    };
    let rows = selection.chunks_exact(marks.div_ceil(64));
    rows.flat_map(|row| (0..marks).step_by(GROUP).map(move |at| group(row, at))).collect()
}

#[inline(always)]
fn xor_select_body<L: Lanes>(marks: &[u64], count: usize, selection: &[u64], out: &mut [u64]) {
    let length = marks.len() / count.max(1);
    if length == 0 {
        return;
    }
    let rows: Vec<&[u64]> = marks.chunks_exact(length).collect();
    let chosen = groups_of(selection, count);
    let groups = count.div_ceil(GROUP);
    let mut tables = vec![[[0; 8]; 1 << GROUP]; groups];
    for first in (0..length).step_by(8) {
        for (table, rows) in tables.iter_mut().zip(rows.chunks(GROUP)) {
            combine::<L>(rows, first, table);
        }
        let used = 8.min(length - first);
        for (output, chosen) in out.chunks_exact_mut(length).zip(chosen.chunks_exact(groups)) {
            let mut sum = L::splat(0);
            for (table, &which) in tables.iter().zip(chosen) {
                sum = sum.xor(L::load(&table[usize::from(which & 15)]));
            }
            let mut words = [0; 8];
            sum.store(&mut words);
            output[first..first + used].copy_from_slice(&words[..used]);
        }
    }
}

dispatched! {
    /// Row o of `out` is the exclusive or of those rows of `marks` whose bit is set in row o of
    /// `selection`. `marks`: `count` rows of equal length; `selection`: rows of
    /// ceil(count / 64) words, bit i % 64 of word i / 64 for mark i; bits past `count` are
    /// ignored.
    pub fn xor_select = xor_select_body::<Lanes>(
        marks: &[u64], count: usize, selection: &[u64], out: &mut [u64],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Path;
    use crate::prg::Stream;

    #[test]
    fn every_path_is_the_definition() {
        let shapes = [(1, 1, 1), (3, 2, 7), (4, 5, 8), (63, 3, 9), (64, 30, 17), (130, 4, 20)];
        for path in Path::available() {
            for (count, outputs, length) in shapes {
                let mut marks = vec![0; count * length];
                Stream::new(&[1; 16]).fill(0, &mut marks);
                let wide = count.div_ceil(64);
                let mut selection = vec![0; outputs * wide];
                Stream::new(&[2; 16]).fill(0, &mut selection);
                let mut out = vec![u64::MAX; outputs * length];
                xor_select(path, &marks, count, &selection, &mut out);
                for o in 0..outputs {
                    for word in 0..length {
                        let expected = (0..count)
                            .filter(|i| selection[o * wide + i / 64] >> (i % 64) & 1 == 1)
                            .fold(0, |sum, i| sum ^ marks[i * length + word]);
                        assert_eq!(out[o * length + word], expected, "{}", path.name());
                    }
                }
            }
        }
    }

    #[test]
    fn no_marks_or_no_words_are_no_work() {
        xor_select(Path::best(), &[], 5, &[3], &mut []);
        xor_select(Path::best(), &[1, 2], 2, &[], &mut []);
    }
}
