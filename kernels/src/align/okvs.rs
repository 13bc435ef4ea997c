//! Values under keys as one list that shows neither: an oblivious key-value store.
//!
//! Bienstock, Patel, Seo, Yeo (USENIX Security 2023), random bands. A key names a place and a band
//! of 128 random bits; its value is the sum of the elements that the band selects from its place
//! on. The list is a solution of these equations: it is found by elimination, each row at its
//! first one, and columns that no equation determines are random. So to whoever does not know
//! the keys the list is uniform when the values are.
//!
//! For n keys the list has 1.2 n + 128 elements; docs/alignment.md has the probability that the
//! rows are dependent. Time and addresses depend on the caller's own keys, and only on them.

use crate::align::digests::{as_number, output};
use crate::ot::key::{Key, xor};
use crate::simd::blocks::Cipher;
use crate::simd::field::{multiplied, product};
use crate::words::prg::Stream;

/// Bits of a band.
pub const BAND: usize = 128;
/// Keys that are hashed at a time.
const BATCH: usize = 512;

/// The public keys of one store: of places, of bands, of values, of what stands for a key.
pub type Coins = [Key; 4];

/// Keys of a store with their places.
struct Places<'a> {
    digests: &'a [Key],
    starts: Vec<u32>,
    order: Vec<u32>,
}

/// A batch of keys, by rising place.
struct Batch {
    bands: Vec<Key>,
    values: Vec<Key>,
    digests: Vec<Key>,
}

impl<'a> Places<'a> {
    fn new(coins: &Coins, digests: &'a [Key], columns: usize) -> Self {
        let (cipher, room) = (Cipher::new(coins[0]), (columns - BAND + 1) as u128);
        let mut starts = Vec::with_capacity(digests.len());
        let mut hashed = [[0; 2]; BATCH];
        for digests in digests.chunks(BATCH) {
            let hashed = &mut hashed[..digests.len()];
            hashed.copy_from_slice(digests);
            cipher.encrypt(hashed);
            starts.extend(hashed.iter().map(|row| ((u128::from(row[0]) * room) >> 64) as u32));
        }
        let mut ends = vec![0u32; columns];
        starts.iter().for_each(|start| ends[*start as usize] += 1);
        let mut sum = 0;
        for end in &mut ends {
            sum += std::mem::replace(end, sum);
        }
        let mut order = vec![0; digests.len()];
        for (number, start) in (0..).zip(&starts) {
            let at = &mut ends[*start as usize];
            order[*at as usize] = number;
            *at += 1;
        }
        Places { digests, starts, order }
    }

    /// All keys by rising place: the number of each, its place, its band, its value, its digest.
    fn visit(
        &self,
        coins: &Coins,
        mut each: impl FnMut(usize, usize, u128, Key, Key) -> bool,
    ) -> bool {
        let ciphers = [coins[1], coins[2]].map(Cipher::new);
        let mut batch = Batch { bands: vec![], values: vec![], digests: vec![] };
        for numbers in self.order.chunks(BATCH) {
            batch.digests.clear();
            batch.digests.extend(numbers.iter().map(|number| self.digests[*number as usize]));
            for (cipher, out) in ciphers.iter().zip([&mut batch.bands, &mut batch.values]) {
                out.clone_from(&batch.digests);
                cipher.encrypt(out);
            }
            for (i, number) in numbers.iter().enumerate() {
                let start = self.starts[*number as usize] as usize;
                let band = as_number(batch.bands[i]);
                if !each(*number as usize, start, band, batch.values[i], batch.digests[i]) {
                    return false;
                }
            }
        }
        true
    }
}

/// Overwrites `list` with a store of these keys; false where their rows are dependent. Columns
/// that are free are taken from the stream.
pub fn encode(coins: &Coins, digests: &[Key], free: &Stream, list: &mut [Key]) -> bool {
    let places = Places::new(coins, digests, list.len());
    let mut bands = vec![0u128; list.len()];
    list.fill([0; 2]);
    let is_solved = places
        .visit(coins, |_, start, band, value, _| eliminate(&mut bands, list, start, (band, value)));
    if !is_solved {
        return false;
    }
    let mut random = [[0; 2]; BATCH];
    let mut left = 0;
    for at in (0..list.len()).rev() {
        let band = bands[at];
        list[at] = if band == 0 {
            if left == 0 {
                free.fill(2 * (list.len() - 1 - at) as u64, random.as_flattened_mut());
                left = BATCH;
            }
            left -= 1;
            random[left]
        } else {
            xor(list[at], selected(&list[at..], band & !1))
        };
    }
    true
}

/// Puts a row into the system: at the column of its first one, free of the rows before it, with its
/// value in the list. False where it depends on them.
#[inline(always)]
fn eliminate(bands: &mut [u128], list: &mut [Key], start: usize, row: (u128, Key)) -> bool {
    let (mut at, (mut band, mut value)) = (start, row);
    while band != 0 {
        let zeros = band.trailing_zeros();
        (at, band) = (at + zeros as usize, band >> zeros);
        if bands[at] == 0 {
            (bands[at], list[at]) = (band, value);
            return true;
        }
        (band, value) = (band ^ bands[at], xor(value, list[at]));
    }
    false
}

/// The sum of the elements that a band selects.
#[inline(always)]
fn selected(list: &[Key], band: u128) -> Key {
    let mut sums = [[0; 2]; 2];
    let mut halves = [band as u64, (band >> 64) as u64];
    let (low, high) = list.split_at(list.len().min(64));
    while halves[0] != 0 && halves[1] != 0 {
        for (half, (sum, part)) in halves.iter_mut().zip(sums.iter_mut().zip([low, high])) {
            *sum = xor(*sum, part[half.trailing_zeros() as usize]);
            *half &= *half - 1;
        }
    }
    for (mut half, (sum, part)) in halves.into_iter().zip(sums.iter_mut().zip([low, high])) {
        while half != 0 {
            *sum = xor(*sum, part[half.trailing_zeros() as usize]);
            half &= half - 1;
        }
    }
    xor(sums[0], sums[1])
}

/// What one side evaluates.
#[derive(Clone, Copy)]
pub struct Evaluated<'a> {
    /// The public keys of the store.
    pub coins: &'a Coins,
    /// This side's keys.
    pub digests: &'a [Key],
    /// C at who encoded, B + (A + E) D at the other side.
    pub list: &'a [Key],
    /// Zero, or D.
    pub delta: Key,
    /// Of an output.
    pub bits: u32,
}

/// For each key the hash of what the list holds for it, less D times the key's own value.
pub fn evaluate(what: Evaluated<'_>, out: &mut [Key]) {
    into(what, out);
}

multiplied! {
    /// See `evaluate`.
    pub fn into<F: Field>(what: Evaluated<'_>, out: &mut [Key]) {
        let Evaluated { coins, digests, list, delta, bits } = what;
        let places = Places::new(coins, digests, list.len());
        places.visit(coins, |number, start, band, value, digest| {
            let held = selected(&list[start..start + BAND], band);
            let less = product::<F>(&value, &delta);
            out[number] = output(coins[3], xor(held, less), digest, bits);
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::field::add_multiples;
    use crate::words::prg::drawn;

    fn keys(seed: u8, count: usize) -> Vec<Key> {
        drawn(seed, 2 * count).as_chunks().0.to_vec()
    }

    fn columns(keys: usize) -> usize {
        (6 * keys).div_ceil(5) + BAND
    }

    #[test]
    fn a_store_holds_what_was_put_in_and_free_columns_are_random() {
        let coins: Coins = [[1, 1], [2, 2], [3, 3], [4, 4]];
        for count in [0, 1, 2, 50, 1000, 20_000] {
            let digests = keys(7, count);
            let mut lists = [vec![[0; 2]; columns(count)], vec![[0; 2]; columns(count)]];
            for (seed, list) in [8, 9].into_iter().zip(&mut lists) {
                assert!(encode(&coins, &digests, &Stream::new(&[seed; 16]), list));
                let places = Places::new(&coins, &digests, list.len());
                let mut seen = 0;
                places.visit(&coins, |_, start, band, value, _| {
                    assert_eq!(selected(&list[start..start + BAND], band), value);
                    seen += 1;
                    true
                });
                assert_eq!(seen, count);
                let mut all = list.clone();
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), list.len());
            }
            let same = lists[0].iter().zip(&lists[1]).filter(|(a, b)| a == b).count();
            assert_eq!(same, 0);
        }
    }

    /// Of 1,024 keys at 1.2 n + width columns; counted over 10^5 tries and more at each width it is
    /// 0.31, 0.069, 0.0135, and 2.4 bits less for each four more (docs/alignment.md).
    #[test]
    fn dependent_rows_get_rarer_with_the_width_as_they_were_measured_to() {
        let (keys, tries) = (1024_usize, 400_u32);
        let mut stream = 0;
        for (width, least, most) in [(20, 0.22, 0.41), (24, 0.03, 0.12), (28, 0.001, 0.037)] {
            let columns = (6 * keys).div_ceil(5) + width;
            let failed = (0..tries).filter(|_| {
                let (mut bands, mut list) = (vec![0; columns], vec![[0; 2]; columns]);
                let words = Stream::new(&[9; 16]).words(stream, 2 * keys);
                stream += 2 * keys as u64;
                !words.as_chunks::<2>().0.iter().all(|[place, band]| {
                    let start = (u128::from(*place) * (columns - width + 1) as u128) >> 64;
                    let band = u128::from(band >> (64 - width));
                    eliminate(&mut bands, &mut list, start as usize, (band, [0; 2]))
                })
            });
            let share = failed.count() as f64 / f64::from(tries);
            assert!((least..most).contains(&share), "{width}: {share}");
        }
    }

    #[test]
    fn equal_keys_are_dependent() {
        let coins: Coins = [[1, 1], [2, 2], [3, 3], [4, 4]];
        let mut digests = keys(7, 100);
        digests[99] = digests[3];
        assert!(!encode(&coins, &digests, &Stream::new(&[1; 16]), &mut [[0; 2]; 248]));
    }

    #[test]
    fn both_sides_have_the_same_outputs_for_common_keys_only() {
        let coins: Coins = [[1, 1], [2, 2], [3, 3], [4, 4]];
        let (own, delta) = (keys(5, 300), [0x1234_5679, 0x9876]);
        let theirs = [&own[200..], &keys(6, 100)].concat();
        let size = columns(own.len());
        let mut list = vec![[0; 2]; size];
        assert!(encode(&coins, &own, &Stream::new(&[1; 16]), &mut list));
        let (a, b) = (keys(10, size), keys(11, size));
        let mut c = b.clone();
        add_multiples(&mut c, &a, delta);
        let shown: Vec<Key> = a.iter().zip(&list).map(|(a, e)| xor(*a, *e)).collect();
        let mut given = b;
        add_multiples(&mut given, &shown, delta);
        let evaluated = |digests: &[Key], list: &[Key], delta| {
            let mut out = vec![[0; 2]; digests.len()];
            evaluate(Evaluated { coins: &coins, digests, list, delta, bits: 60 }, &mut out);
            out
        };
        let mine = evaluated(&own, &c, [0; 2]);
        let other = evaluated(&theirs, &given, delta);
        assert_eq!(mine[200..], other[..100]);
        assert!(other[100..].iter().all(|out| !mine.contains(out)));
        assert!(mine.iter().all(|out| out[0] < 1 << 60 && out[1] == 0));
    }
}
