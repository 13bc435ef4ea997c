//! Against the definition, and end to end; what must fail, fails.

use super::ring::{Polynomial, tests::schoolbook};
use super::*;

const SECRETS: [u8; 16] = [1; 16];
const ERRORS: [u8; 16] = [2; 16];
const COINS: [u8; 16] = [3; 16];
const PRIVATE: [u8; 16] = [4; 16];

/// Both sides of one request, and the bits it is about.
struct Case {
    layout: Layout,
    columns: usize,
    bins: usize,
    bits: Vec<u64>,
    of: Vec<u8>,
    key: BitsKey,
    sums: Sums,
    upload: Vec<u16>,
}

struct Found {
    sent: Vec<u8>,
    high: Vec<u64>,
    low: Vec<u64>,
}

fn drawn(seed: u8, count: usize) -> Vec<u64> {
    let mut words = vec![0; count];
    Stream::new(&[seed; 16]).fill(0, &mut words);
    words
}

impl Case {
    fn new(rows: usize, (columns, bins): (usize, usize), (nodes, groups): (usize, usize)) -> Case {
        let width = nodes.div_ceil(groups);
        let layout = Layout::new(nodes, groups, DEGREE / width).unwrap();
        let buckets = columns * bins;
        let bits = drawn(5, buckets * nodes.div_ceil(64));
        let of = drawn(6, rows * columns).iter().map(|w| (w % bins as u64) as u8).collect();
        let mut upload = vec![0; groups * (buckets + 1) * DEGREE];
        let streams = [SECRETS, ERRORS, COINS].map(|key| Stream::new(&key));
        let [secrets, errors, coins] = &streams;
        let key = BitsKey::new(layout, secrets);
        key.encrypt((errors, coins), &bits, &mut upload);
        let sums = Sums::new(layout, coins, &upload, Stream::new(&PRIVATE));
        assert_eq!(sums.buckets(), buckets);
        Case { layout, columns, bins, bits, of, key, sums, upload }
    }

    fn rows(&self) -> usize {
        self.of.len() / self.columns
    }

    fn add_up(&self) -> Found {
        let rows = self.rows();
        let mut sent = vec![0; self.layout.results(rows) * SENT_BYTES];
        let words = self.layout.words(rows);
        let (mut high, mut low) = (vec![0; words], vec![0; words]);
        let bins = Bins { of: &self.of, features: self.columns, bins: self.bins };
        assert!(bins.fit());
        let grid = Grid { sent: &mut sent, high: &mut high, low: &mut low };
        self.sums.add_up(bins, grid);
        Found { sent, high, low }
    }

    /// The bits that come out: the reading that P's low bit chooses, and P's high bit.
    fn opened(&self, found: &Found, sent: &[u8]) -> Vec<u64> {
        let (mut zero, mut one) = (vec![0; found.low.len()], vec![0; found.low.len()]);
        self.key.read(sent, self.rows(), &mut zero, &mut one);
        let chosen = zero.iter().zip(&one).zip(&found.low).map(|((z, o), l)| z & !l | o & l);
        chosen.zip(&found.high).map(|(bit, h)| bit ^ h).collect()
    }

    fn bucket(&self, row: usize, column: usize) -> usize {
        column * self.bins + usize::from(self.of[row * self.columns + column])
    }

    /// M b by its definition, without a gap.
    fn expected(&self) -> Vec<u64> {
        let (nodes, line) = (self.layout.nodes, self.layout.nodes.div_ceil(64));
        let mut out = vec![0; self.layout.words(self.rows())];
        for row in 0..self.rows() {
            for node in 0..nodes {
                let bit = (0..self.columns).fold(0, |bit, column| {
                    bit ^ self.bits[self.bucket(row, column) * line + node / 64] >> (node % 64) & 1
                });
                out[(row * nodes + node) / 64] |= bit << ((row * nodes + node) % 64);
            }
        }
        out
    }

    fn wrong(&self, opened: &[u64]) -> u32 {
        let count = self.rows() * self.layout.nodes;
        let last = u64::MAX >> ((64 - count % 64) % 64);
        let different = opened.iter().zip(self.expected()).map(|(a, b)| a ^ b);
        different.enumerate().fold(0, |sum, (i, word)| {
            sum + (word & if i + 1 == opened.len() { last } else { u64::MAX }).count_ones()
        })
    }

    /// A result's C_1 and C_0(i) before rounding, by the definition.
    fn result(&self, result: usize) -> (Polynomial, Vec<Polynomial>) {
        let (coins, private) = (Stream::new(&COINS), Stream::new(&PRIVATE));
        let (parts, buckets) = (self.layout.groups + 1, self.columns * self.bins);
        let start = result as u64 * RESULT_WORDS;
        let (u, e1) = (ternary(&private, start), errors(&private, start + 256));
        let part = |part: usize, number: usize| -> Vec<u16> {
            match part {
                0 => uniform(&coins, number).to_vec(),
                i => self.upload[((i - 1) * (buckets + 1) + number) * DEGREE..][..DEGREE].to_vec(),
            }
        };
        let whole = |i: usize| -> Polynomial {
            let mut sum = schoolbook(&part(i, buckets), &u);
            for a in 0..self.layout.rows.min(self.rows() - result * self.layout.rows) {
                let shift = a * self.layout.width();
                for column in 0..self.columns {
                    let row = result * self.layout.rows + a;
                    for (j, &x) in part(i, self.bucket(row, column)).iter().enumerate() {
                        let place = &mut sum[(j + shift) % DEGREE];
                        let x = if j + shift < DEGREE { x } else { x.wrapping_neg() };
                        *place = place.wrapping_add(x);
                    }
                }
            }
            std::array::from_fn(|j| if i == 0 { sum[j].wrapping_add(e1[j] as u16) } else { sum[j] })
        };
        (whole(0), (1..parts).map(whole).collect())
    }
}

fn bit(words: &[u64], at: usize) -> u64 {
    words[at / 64] >> (at % 64) & 1
}

fn numbers(sent: &[u8]) -> Vec<u64> {
    let mut out = vec![0; sent.len() / SENT_BYTES * DEGREE];
    unpack_words(crate::simd::path::Path::PORTABLE, sent, SENT_BITS, &mut out);
    out
}

#[test]
fn ciphertexts_hold_the_bits_and_small_errors() {
    let case = Case::new(1, (2, 2), (70, 3));
    let buckets = 4;
    for group in 0..3 {
        let s = ternary(&Stream::new(&SECRETS), group as u64 * 256);
        for number in 0..=buckets {
            let c1 = uniform(&Stream::new(&COINS), number);
            let product = schoolbook(&c1, &s);
            let c0 = &case.upload[(group * (buckets + 1) + number) * DEGREE..][..DEGREE];
            let mut errors = 0;
            for v in 0..DEGREE {
                let node = group * 24 + v;
                let there = number < buckets && v < 24 && node < 70;
                let half = if there { bit(&case.bits, number * 128 + node) } else { 0 };
                let e = c0[v].wrapping_add(product[v]).wrapping_sub((half as u16) << 15) as i16;
                assert!(e.abs() <= 21);
                errors += i32::from(e != 0);
            }
            assert!(errors > 800);
        }
    }
}

#[test]
fn results_and_readings_are_the_definition() {
    for (rows, shape, places) in
        [(5, (1, 3), (1000, 1)), (40, (2, 2), (70, 2)), (7, (3, 2), (150, 3))]
    {
        let case = Case::new(rows, shape, places);
        let found = case.add_up();
        let (layout, expected) = (case.layout, case.expected());
        let (mut zero, mut one) = (vec![0; found.low.len()], vec![0; found.low.len()]);
        case.key.read(&found.sent, rows, &mut zero, &mut one);
        for result in 0..layout.results(rows).min(2) {
            let (c1, c0) = case.result(result);
            let sent = &numbers(&found.sent)[result * DEGREE..][..DEGREE];
            let rounded = c1.map(|x| u64::from(x.wrapping_add(32) >> 6));
            assert_eq!(sent, rounded);
            let sent: Vec<u16> = sent.iter().map(|&x| x as u16).collect();
            let mut without_offset = 0;
            for (group, c0) in c0.iter().enumerate() {
                let s = ternary(&Stream::new(&SECRETS), group as u64 * 256);
                let x = schoolbook(&sent, &s);
                for row in result * layout.rows..rows.min((result + 1) * layout.rows) {
                    for node in layout.of_group(group) {
                        let j = (row - result * layout.rows) * layout.width() + node
                            - group * layout.width();
                        let quarter = u64::from(c0[j].wrapping_add(1 << 13) >> 14);
                        let at = row * layout.nodes + node;
                        let (h, l) = (bit(&found.high, at), bit(&found.low, at));
                        assert_eq!(2 * h + l, quarter);
                        let reading = |l: u64| (u64::from(x[j]) + 256 * (l + 1)) >> 9 & 1;
                        assert_eq!([bit(&zero, at), bit(&one, at)], [reading(0), reading(1)]);
                        let wrong = (u64::from(x[j]) + 256 * l) >> 9 & 1;
                        without_offset += wrong ^ h ^ bit(&expected, at);
                    }
                }
            }
            // Control: without the quarter half of all readings are wrong.
            assert!(without_offset > 100, "{without_offset}");
        }
    }
}

#[test]
fn every_bit_is_right_and_with_seven_bits_some_are_not() {
    for (rows, shape, places) in [
        (100, (10, 11), (70, 1)),
        (60, (12, 9), (310, 2)),
        (60, (10, 7), (150, 4)),
        (10, (40, 5), (1000, 1)),
        (65, (1, 2), (1, 1)),
        (150, (3, 5), (67, 8)),
        (250, (1, 200), (33, 1)),
        // More buckets than stay near: columns in blocks, the last one smaller.
        (70, (7, 200), (300, 1)),
    ] {
        let case = Case::new(rows, shape, places);
        let found = case.add_up();
        assert_eq!(case.wrong(&case.opened(&found, &found.sent)), 0, "{:?}", case.layout);
        if rows * case.layout.nodes > 6_000 {
            let seven: Vec<u64> = numbers(&found.sent).iter().map(|x| (x + 4) & 0x3f8).collect();
            let mut coarse = vec![0; found.sent.len()];
            for (coarse, seven) in coarse.chunks_mut(SENT_BYTES).zip(seven.chunks(DEGREE)) {
                pack_words(crate::simd::path::Path::PORTABLE, seven, SENT_BITS, coarse);
            }
            assert!(case.wrong(&case.opened(&found, &coarse)) > 0, "{:?}", case.layout);
        }
    }
}

#[test]
fn a_number_serves_once() {
    let case = Case::new(40, (2, 3), (50, 1));
    let (first, used) = (case.add_up(), case.sums.used());
    assert_eq!(used, 2);
    let second = case.add_up();
    assert_eq!(case.sums.used(), 4);
    assert_eq!(case.wrong(&case.opened(&second, &second.sent)), 0);
    // A count that began anew would send the same; with other rows, the difference of their images.
    let anew = Sums::new(case.layout, &Stream::new(&COINS), &case.upload, Stream::new(&PRIVATE));
    let case_anew = Case { sums: anew, ..Case::new(40, (2, 3), (50, 1)) };
    assert_eq!(case_anew.add_up().sent, first.sent);
    // The same rows: what is left of the difference is that of two fresh encryptions of zero.
    let (a, b) = (numbers(&first.sent), numbers(&second.sent));
    let middle =
        a.iter().zip(&b).filter(|(a, b)| a.abs_diff(**b).min(1024 - a.abs_diff(**b)) < 256);
    assert!((middle.count() as i64 - 1024).abs() < 150, "uniform: half of 2048");
    assert!(a.iter().zip(&b).filter(|(a, b)| a == b).count() < 20);
}

#[test]
fn padding_has_random_low_bits() {
    let mut ones = 0;
    let case = Case::new(1, (1, 2), (3, 1));
    for _ in 0..32 {
        let found = case.add_up();
        assert_eq!(found.high[0] >> 3, 0);
        ones += (found.low[0] >> 3).count_ones();
    }
    assert!((ones as i32 - 32 * 61 / 2).abs() < 130, "{ones}");
}

#[test]
fn layouts_that_do_not_fit_are_refused() {
    assert!(Layout::new(1024, 1, 1).is_some());
    for (nodes, groups, rows) in
        [(1025, 1, 1), (1024, 1, 2), (10, 11, 1), (10, 0, 1), (10, 1, 0), (10, 1, usize::MAX)]
    {
        assert!(Layout::new(nodes, groups, rows).is_none());
    }
}
