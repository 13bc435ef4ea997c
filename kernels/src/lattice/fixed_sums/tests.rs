//! Sums of fixed words: shares, noise, independence, refusals.

use super::*;
use crate::words::prg::drawn;

const PRIME: u64 = 0x3_ffff_ffff_c001;

fn prepared(layout: Layout, coins: &Stream, upload: &[u8]) -> (Sums, Vec<u64>) {
    let mut tables = vec![0; layout.table_words()];
    let private = Stream::new(&[5; 16]);
    let sums = Sums::new((layout, PRIME), (coins, upload), private, &mut tables).unwrap();
    (sums, tables)
}

/// Shares of both add up to the sums, at the noise that the parameters foresee, whatever the
/// number of rows and trees; and the count of encryptions of zero moves.
#[test]
fn shares_add_up_to_the_sums() {
    for (trees, words, rows) in [(3, 4, 5), (9, 16, 300), (8, 2, 256)] {
        let layout = Layout::new((trees, words), (31, 44)).unwrap();
        let fixed = drawn(1, trees * words);
        let coins = Stream::new(&[2; 16]);
        let key = WordsKey::new(layout, PRIME, &Stream::new(&[3; 16])).unwrap();
        let mut upload = vec![0; layout.upload_bytes()];
        key.encrypt((&Stream::new(&[4; 16]), &coins), &fixed, &mut upload);
        let (sums, tables) = prepared(layout, &coins, &upload);
        let line = (trees * rows).div_ceil(64);
        let bits = drawn(6, words * line);
        let mut sent = vec![0; layout.results(rows) * layout.sent_bytes()];
        let mut shares = [(); 2].map(|()| vec![0; trees * rows]);
        let own = drawn(7, trees * words);
        sums.add_up(&tables, (&bits, &own), rows, (&mut sent, &mut shares[0]));
        key.read(&sent, rows, &mut shares[1]);
        assert_eq!(sums.used(), layout.results(rows) as u64);
        let (mut squares, mut worst) = (0.0, 0);
        for element in 0..trees * rows {
            let tree = element / rows;
            let expected = (0..words).fold(0u64, |sum, word| {
                let bit = bits[word * line + element / 64] >> (element % 64) & 1;
                let at = tree * words + word;
                sum.wrapping_add(bit * fixed[at].wrapping_add(own[at]))
            });
            let found = shares[0][element].wrapping_add(shares[1][element]);
            let off = (found.wrapping_sub(expected << 13) << 20) as i64 >> 20;
            squares += (off * off) as f64;
            worst = worst.max(off.abs());
        }
        let spread = (squares / (trees * rows) as f64).sqrt();
        assert!(worst < 80 && (5.0..14.0).contains(&spread), "{worst} {spread}");
    }
}

/// Two requests of the same bits share nothing that leaves.
#[test]
fn results_are_independent() {
    let layout = Layout::new((1, 1), (31, 44)).unwrap();
    let coins = Stream::new(&[2; 16]);
    let key = WordsKey::new(layout, PRIME, &Stream::new(&[3; 16])).unwrap();
    let mut upload = vec![0; layout.upload_bytes()];
    key.encrypt((&Stream::new(&[4; 16]), &coins), &[7], &mut upload);
    let (sums, tables) = prepared(layout, &coins, &upload);
    let made = [(); 2].map(|()| {
        let mut sent = vec![0; layout.sent_bytes()];
        sums.add_up(&tables, (&[1], &[0]), 1, (&mut sent, &mut [0]));
        sent
    });
    let equal = made[0].iter().zip(&made[1]).filter(|(a, b)| a == b).count();
    assert!(equal < made[0].len() / 100, "{equal}");
}

#[test]
fn every_path_adds_the_same() {
    let table = Table::new(DEGREE, PRIME).unwrap();
    let (numbers, words) = (32 * SLOTS, REGISTERS * SLOTS);
    let below = |seed, count| drawn(seed, count).into_iter().map(|x| x % PRIME);
    let flat: Vec<u64> = below(1, 8 * numbers).collect();
    let numbers = flat.as_chunks::<8>().0;
    let flat: Vec<u64> = below(2, 16 * words).collect();
    let words = flat.as_chunks::<8>().0.as_chunks::<2>().0;
    let mut expected = None;
    for path in Path::available() {
        let mut out = [(); 2].map(|()| vec![0; DEGREE]);
        let [c0, c1] = &mut out;
        add_products(path, &table, numbers, words, c0, c1);
        assert_eq!(*expected.get_or_insert_with(|| out.clone()), out, "{}", path.name());
    }
}

#[test]
fn fractions_are_rounded() {
    let ring = FixedRing::new(PRIME).unwrap();
    for x in drawn(1, 1000).into_iter().map(|x| x % PRIME).chain([0, 1, PRIME - 1]) {
        let exact = ((u128::from(x) << 45) + u128::from(PRIME)) / (2 * u128::from(PRIME));
        assert_eq!(ring.fraction(x, 44), exact as u64 & ((1 << 44) - 1), "{x}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for (shape, bits) in [
        ((0, 1), (31, 44)),
        ((1, 0), (31, 44)),
        ((1, 129), (31, 44)),
        ((1, 1), (45, 44)),
        ((1, 1), (31, 50)),
    ] {
        assert_eq!(Layout::new(shape, bits), None);
    }
    assert!(FixedRing::new(PRIME + 2).is_none());
}
