//! Rows of two words as what the processor has registers for: blocks of AES, and 128 bits.
#![allow(unsafe_code)]

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit, consts::U16};

/// Two words, the low one first.
pub type Row = [u64; 2];

/// Blocks that the `aes` crate is given at a time: a multiple of the 8, 30 or 64 that it takes.
const BATCH: usize = 960;

/// AES-128 under one key; its key schedule is wiped when dropped.
///
/// With VAES sixteen blocks are under way at a time, which is twice as fast as the `aes` crate's
/// own way; without, that crate takes AES instructions where the processor has them and a
/// bit-sliced, constant-time implementation elsewhere.
pub struct Cipher(Engine);

enum Engine {
    Plain(Aes128),
    #[cfg(target_arch = "x86_64")]
    Wide(vaes::Schedule),
}

impl Cipher {
    /// The cipher of a key of 16 bytes, the low word's lowest byte first.
    pub fn new(key: Row) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(schedule) = vaes::Schedule::new(key) {
            return Cipher(Engine::Wide(schedule));
        }
        Self::plain(key)
    }

    fn plain(key: Row) -> Self {
        let number = u128::from(key[0]) | u128::from(key[1]) << 64;
        Cipher(Engine::Plain(Aes128::new(&Array::from(number.to_le_bytes()))))
    }

    /// Encrypts all rows in place, each a block like the key.
    pub fn encrypt(&self, rows: &mut [Row]) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Engine::Wide(schedule) => schedule.encrypt(rows),
            Engine::Plain(cipher) => encrypt(cipher, rows),
        }
    }

    /// The blocks of the counters from `first` on.
    pub fn count(&self, first: u64, out: &mut [Row]) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Engine::Wide(schedule) => schedule.count(first, out),
            Engine::Plain(cipher) => {
                for (number, out) in out.chunks_mut(BATCH).enumerate() {
                    let first = first + (number * BATCH) as u64;
                    out.iter_mut().zip(first..).for_each(|(out, counter)| *out = [counter, 0]);
                    encrypt(cipher, out);
                }
            }
        }
    }

    /// AES(x) ^ x of each x = row ^ `shift`.
    pub fn hash(&self, rows: &[Row], shift: Row, out: &mut [Row]) {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Engine::Wide(schedule) => schedule.hash(rows, shift, out),
            Engine::Plain(cipher) => plain_hash(cipher, rows, |row| xor(row, shift), out),
        }
    }

    /// Nodes of a tree and their children: with H'(y) = AES(s(y)) ^ s(y), s(a || b) = (a ^ b) || a,
    /// `made` gets H'(y), and y ^ H'(y) takes the place of each node y. The sum of `made`.
    pub fn split(&self, nodes: &mut [Row], made: &mut [Row]) -> Row {
        match &self.0 {
            #[cfg(target_arch = "x86_64")]
            Engine::Wide(schedule) => schedule.split(nodes, made),
            Engine::Plain(cipher) => {
                plain_hash(cipher, nodes, turned, made);
                nodes.iter_mut().zip(&*made).for_each(|(node, made)| *node = xor(*node, *made));
                made.iter().copied().fold([0; 2], xor)
            }
        }
    }
}

fn xor(a: Row, b: Row) -> Row {
    [a[0] ^ b[0], a[1] ^ b[1]]
}

/// s; a row's first word is its low one.
fn turned(row: Row) -> Row {
    [row[1], row[0] ^ row[1]]
}

fn plain_hash(cipher: &Aes128, rows: &[Row], input: impl Fn(Row) -> Row, out: &mut [Row]) {
    out.iter_mut().zip(rows).for_each(|(out, row)| *out = input(*row));
    encrypt(cipher, out);
    out.iter_mut().zip(rows).for_each(|(out, row)| *out = xor(*out, input(*row)));
}

fn encrypt(cipher: &Aes128, rows: &mut [Row]) {
    let little_endian = |rows: &mut [Row]| {
        rows.as_flattened_mut().iter_mut().for_each(|word| *word = word.to_le());
    };
    little_endian(rows);
    let (at, count) = (rows.as_mut_ptr().cast::<Array<u8, U16>>(), rows.len());
    // SAFETY: a block is an array of 16 bytes, as large as a row; it may lie anywhere and hold
    // anything, and `rows` is not used while the slice lives.
    cipher.encrypt_blocks(unsafe { std::slice::from_raw_parts_mut(at, count) });
    little_endian(rows);
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, below")]
mod vaes {
    //! SAFETY, throughout: a schedule exists only where the processor has AVX2, AES and VAES, and
    //! loads and stores go through references, with instructions that need no alignment.

    use super::{Row, xor};
    use std::arch::x86_64::*;

    /// Blocks under way: two in each of eight registers, which hides the latency of a round.
    const BLOCKS: usize = 16;

    type Blocks = [__m256i; BLOCKS / 2];

    /// The keys of all rounds.
    pub struct Schedule([Row; 11]);

    impl Schedule {
        /// None where the processor lacks an instruction.
        pub fn new(key: Row) -> Option<Self> {
            let has = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("aes")
                && is_x86_feature_detected!("vaes");
            has.then(|| Schedule(unsafe { expanded(key) }))
        }

        pub fn encrypt(&self, rows: &mut [Row]) {
            let (whole, rest) = rows.as_chunks_mut();
            unsafe { encrypt(&self.0, whole) };
            if !rest.is_empty() {
                let mut last = [[[0; 2]; BLOCKS]];
                last[0][..rest.len()].copy_from_slice(rest);
                unsafe { encrypt(&self.0, &mut last) };
                rest.copy_from_slice(&last[0][..rest.len()]);
            }
        }

        pub fn count(&self, first: u64, out: &mut [Row]) {
            let (whole, rest) = out.as_chunks_mut();
            unsafe { count(&self.0, first, whole) };
            let first = first + (whole.len() * BLOCKS) as u64;
            rest.iter_mut().zip(first..).for_each(|(out, counter)| *out = [counter, 0]);
            self.encrypt(rest);
        }

        pub fn hash(&self, rows: &[Row], shift: Row, out: &mut [Row]) {
            let ((whole, rest), (out, out_rest)) = (rows.as_chunks(), out.as_chunks_mut());
            unsafe { hash(&self.0, whole, shift, out) };
            if !rest.is_empty() {
                let (mut last, mut made) = ([[[0; 2]; BLOCKS]], [[[0; 2]; BLOCKS]]);
                last[0][..rest.len()].copy_from_slice(rest);
                unsafe { hash(&self.0, &last, shift, &mut made) };
                out_rest.copy_from_slice(&made[0][..rest.len()]);
            }
        }

        pub fn split(&self, nodes: &mut [Row], made: &mut [Row]) -> Row {
            let ((nodes, rest), (made, made_rest)) = (nodes.as_chunks_mut(), made.as_chunks_mut());
            let sum = unsafe { split(&self.0, nodes, made) };
            let (mut last, mut made) = ([[[0; 2]; BLOCKS]], [[[0; 2]; BLOCKS]]);
            if !rest.is_empty() {
                last[0][..rest.len()].copy_from_slice(rest);
                unsafe { split(&self.0, &mut last, &mut made) };
                rest.copy_from_slice(&last[0][..rest.len()]);
                made_rest.copy_from_slice(&made[0][..rest.len()]);
            }
            made_rest.iter().copied().fold(sum, xor)
        }
    }

    impl Drop for Schedule {
        fn drop(&mut self) {
            for word in self.0.as_flattened_mut() {
                // A plain write that nobody reads would be left out.
                unsafe { std::ptr::write_volatile(word, 0) };
            }
        }
    }

    #[target_feature(enable = "aes")]
    fn expanded(key: Row) -> [Row; 11] {
        let mut keys = [key; 11];
        macro_rules! next {
            ($($round:literal $constant:literal),*) => {
                $(keys[$round] = {
                    let before = keys[$round - 1];
                    let held = unsafe { _mm_loadu_si128(before.as_ptr().cast()) };
                    // The highest word of 32 bits, substituted and turned, to all four.
                    let turned = _mm_aeskeygenassist_si128::<$constant>(held);
                    let added = _mm_shuffle_epi32::<0xff>(turned);
                    // Each word of 32 bits ^ all below it.
                    let sums = _mm_xor_si128(held, _mm_slli_si128::<4>(held));
                    let sums = _mm_xor_si128(sums, _mm_slli_si128::<8>(sums));
                    let mut next = before;
                    let made = _mm_xor_si128(sums, added);
                    unsafe { _mm_storeu_si128(next.as_mut_ptr().cast(), made) };
                    next
                };)*
            };
        }
        next!(1 0x01, 2 0x02, 3 0x04, 4 0x08, 5 0x10, 6 0x20, 7 0x40, 8 0x80, 9 0x1b, 10 0x36);
        keys
    }

    /// A row twice.
    #[target_feature(enable = "avx2")]
    fn twice(row: &Row) -> __m256i {
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(row.as_ptr().cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(rows: &[Row; BLOCKS]) -> Blocks {
        let mut blocks = [_mm256_setzero_si256(); BLOCKS / 2];
        for (block, pair) in blocks.iter_mut().zip(rows.as_chunks::<2>().0) {
            *block = unsafe { _mm256_loadu_si256(pair.as_ptr().cast()) };
        }
        blocks
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(blocks: Blocks, rows: &mut [Row; BLOCKS]) {
        for (block, pair) in blocks.into_iter().zip(rows.as_chunks_mut::<2>().0) {
            unsafe { _mm256_storeu_si256(pair.as_mut_ptr().cast(), block) };
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,aes,vaes")]
    fn rounds(keys: &[__m256i; 11], mut blocks: Blocks) -> Blocks {
        for block in &mut blocks {
            *block = _mm256_xor_si256(*block, keys[0]);
        }
        for key in &keys[1..10] {
            for block in &mut blocks {
                *block = _mm256_aesenc_epi128(*block, *key);
            }
        }
        for block in &mut blocks {
            *block = _mm256_aesenclast_epi128(*block, keys[10]);
        }
        blocks
    }

    #[target_feature(enable = "avx2,aes,vaes")]
    fn broadcast(keys: &[Row; 11]) -> [__m256i; 11] {
        let mut wide = [_mm256_setzero_si256(); 11];
        for (wide, key) in wide.iter_mut().zip(keys) {
            *wide = twice(key);
        }
        wide
    }

    #[target_feature(enable = "avx2,aes,vaes")]
    fn encrypt(keys: &[Row; 11], rows: &mut [[Row; BLOCKS]]) {
        let keys = broadcast(keys);
        for rows in rows {
            store(rounds(&keys, load(rows)), rows);
        }
    }

    #[target_feature(enable = "avx2,aes,vaes")]
    fn count(keys: &[Row; 11], first: u64, out: &mut [[Row; BLOCKS]]) {
        let (keys, step) = (broadcast(keys), twice(&[BLOCKS as u64, 0]));
        let first = |block: usize| [first + 2 * block as u64, 0, first + 2 * block as u64 + 1, 0];
        let starts: [[u64; 4]; BLOCKS / 2] = std::array::from_fn(first);
        let mut counters = load(starts.as_flattened().as_chunks().0.try_into().expect("as many"));
        for out in out {
            store(rounds(&keys, counters), out);
            for counter in &mut counters {
                *counter = _mm256_add_epi64(*counter, step);
            }
        }
    }

    #[target_feature(enable = "avx2,aes,vaes")]
    fn hash(keys: &[Row; 11], rows: &[[Row; BLOCKS]], shift: Row, out: &mut [[Row; BLOCKS]]) {
        let (keys, shift) = (broadcast(keys), twice(&shift));
        for (rows, out) in rows.iter().zip(out) {
            let mut inputs = load(rows);
            for input in &mut inputs {
                *input = _mm256_xor_si256(*input, shift);
            }
            let mut hashed = rounds(&keys, inputs);
            for (hashed, input) in hashed.iter_mut().zip(inputs) {
                *hashed = _mm256_xor_si256(*hashed, input);
            }
            store(hashed, out);
        }
    }

    #[target_feature(enable = "avx2,aes,vaes")]
    fn split(keys: &[Row; 11], nodes: &mut [[Row; BLOCKS]], made: &mut [[Row; BLOCKS]]) -> Row {
        let (keys, high) = (broadcast(keys), twice(&[0, u64::MAX]));
        let mut sums = load(&[[0; 2]; BLOCKS]);
        for (nodes, made) in nodes.iter_mut().zip(made) {
            let mut inputs = load(nodes);
            for input in &mut inputs {
                let swapped = _mm256_shuffle_epi32::<0x4e>(*input);
                *input = _mm256_xor_si256(swapped, _mm256_and_si256(*input, high));
            }
            let mut hashed = rounds(&keys, inputs);
            let mut others = load(nodes);
            for (i, hashed) in hashed.iter_mut().enumerate() {
                *hashed = _mm256_xor_si256(*hashed, inputs[i]);
                others[i] = _mm256_xor_si256(others[i], *hashed);
                sums[i] = _mm256_xor_si256(sums[i], *hashed);
            }
            store(others, nodes);
            store(hashed, made);
        }
        let mut total = [[0; 2]; BLOCKS];
        store(sums, &mut total);
        total.into_iter().fold([0; 2], xor)
    }
}

/// A row ^ those at the places.
///
/// On x86-64 a row is one load: with two, the loads that a core has under way hold half as many.
#[inline(always)]
pub fn sum<const ROWS: usize>(
    rows: &[Row; ROWS],
    places: impl Iterator<Item = usize>,
    row: Row,
) -> Row {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_storeu_si128, _mm_xor_si128};
        let load = |row: &Row| {
            // SAFETY: every x86-64 has SSE2, and 16 bytes are loaded that need no alignment.
            unsafe { _mm_loadu_si128(row.as_ptr().cast::<__m128i>()) }
        };
        let (mut total, mut out) = (load(&row), [0; 2]);
        for place in places {
            // SAFETY: as above.
            total = unsafe { _mm_xor_si128(total, load(&rows[place])) };
        }
        // SAFETY: and 16 bytes are stored.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast::<__m128i>(), total) };
        out
    }
    #[cfg(not(target_arch = "x86_64"))]
    places.fold(row, |sum, place| xor(sum, rows[place]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    /// FIPS 197, appendix C.1.
    #[test]
    fn a_block_is_aes() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let expected = 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a_u128.to_be_bytes();
        let expected = u128::from_le_bytes(expected);
        for cipher in [Cipher::new(key), Cipher::plain(key)] {
            let mut block = [[0x7766_5544_3322_1100, 0xffee_ddcc_bbaa_9988]];
            cipher.encrypt(&mut block);
            assert_eq!(block, [[expected as u64, (expected >> 64) as u64]]);
        }
    }

    fn hashes(cipher: &Cipher, inputs: impl Iterator<Item = Row>) -> Vec<Row> {
        let inputs: Vec<Row> = inputs.collect();
        let mut made = inputs.clone();
        cipher.encrypt(&mut made);
        made.into_iter().zip(inputs).map(|(made, input)| xor(made, input)).collect()
    }

    #[test]
    fn both_ways_are_the_same_cipher_for_any_number_of_rows() {
        let key = [0xdead_beef, u64::MAX];
        for count in [0, 1, 15, 16, 17, 64, 1000] {
            let rows: Vec<Row> = drawn(1, 2 * count).as_chunks().0.to_vec();
            let (mut wide, mut plain) = (rows.clone(), rows.clone());
            Cipher::new(key).encrypt(&mut wide);
            Cipher::plain(key).encrypt(&mut plain);
            assert_eq!(wide, plain);
            for (row, found) in rows.iter().zip(&plain) {
                let mut alone = [*row];
                Cipher::plain(key).encrypt(&mut alone);
                assert_eq!(alone, [*found]);
            }
            let (first, shift) = (u64::from(u32::MAX) - 20, [7, 1 << 63]);
            let mut counted: Vec<Row> = (first..).take(count).map(|n| [n, 0]).collect();
            Cipher::plain(key).encrypt(&mut counted);
            for cipher in [Cipher::new(key), Cipher::plain(key)] {
                let mut hashed = vec![[0; 2]; count];
                cipher.count(first, &mut hashed);
                assert_eq!(hashed, counted);
                cipher.hash(&rows, shift, &mut hashed);
                assert_eq!(hashed, hashes(&cipher, rows.iter().map(|row| xor(*row, shift))));
                let mut others = rows.clone();
                let sum = cipher.split(&mut others, &mut hashed);
                assert_eq!(hashed, hashes(&cipher, rows.iter().map(|&[b, a]| [a, a ^ b])));
                assert_eq!(sum, hashed.iter().copied().fold([0; 2], xor));
                let both = others.iter().zip(&hashed).map(|(other, made)| xor(*other, *made));
                assert!(both.eq(rows.iter().copied()));
            }
        }
    }

    #[test]
    fn a_sum_is_of_every_place_each_time() {
        let rows = [[1, 2], [4, 8], [16, 32]];
        assert_eq!(sum(&rows, [2, 0, 2, 1].into_iter(), [64, 128]), [69, 138]);
    }
}
