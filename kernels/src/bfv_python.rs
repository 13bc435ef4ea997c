//! The homomorphic scheme of the Python module; a part of [`super`].

use super::{Array, Vector, array, check, filled, matrix, refuse, shape, slice, vector};
use crate::bfv::{self, Leaving, Secret};
use crate::bfv_merge::{self, Space};
use crate::bfv_products::{self, Columns, Spread};
use crate::bfv_ring::{LIMBS, PRIMES, Ring, ternary};
use crate::ntt;
use crate::prg::Stream;
use numpy::ndarray::{Dim, Dimension};
use numpy::{PyArray, PyArrayMethods, PyReadonlyArray};
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};

type Words<'py, const D: usize> = PyReadonlyArray<'py, u64, Dim<[usize; D]>>;

/// An array of words whose shape matches where a length is wanted.
fn words<'py, const D: usize>(
    argument: &Bound<'py, PyAny>,
    name: &str,
    wanted: [Option<usize>; D],
) -> PyResult<Words<'py, D>>
where
    Dim<[usize; D]>: Dimension,
{
    let words = array::<u64, Dim<[usize; D]>>(argument, name)?;
    let found = words.as_array().shape().to_vec();
    let fits = wanted.iter().zip(&found).all(|(wanted, found)| wanted.is_none_or(|w| w == *found));
    check(fits, || format!("{name} has the shape {found:?}, which does not fit the ring"))?;
    Ok(words)
}

fn stream(key: &[u8], name: &str) -> PyResult<Stream> {
    Ok(Stream::new(&bytes(key, name)?))
}

fn bytes(key: &[u8], name: &str) -> PyResult<[u8; 16]> {
    key.try_into().map_err(|_| refuse(format!("{name} must have 16 bytes, not {}", key.len())))
}

/// Bytes of a fraction: 192 bits are held.
fn fraction_bytes(width: usize) -> PyResult<usize> {
    check((1..=24).contains(&width), || format!("width must be 1 to 24 bytes, not {width}"))?;
    Ok(width)
}

fn number_bits(bits: u32) -> PyResult<u32> {
    check((2..=64).contains(&bits), || format!("bits must be 2 to 64, not {bits}"))?;
    Ok(bits)
}

/// The ring Z_q[X] / (X^N + 1) with its tables; holds nothing secret.
#[pyclass(frozen)]
pub(super) struct BfvRing {
    ring: Ring,
    /// What merging works in, and the products before it: kept, for fresh memory is slow.
    space: Mutex<(Space, Vec<u64>)>,
}

impl BfvRing {
    fn places<'a>(&self, places: &'a Vector<'_, u32>) -> PyResult<&'a [u32]> {
        let places = slice(places, "places")?;
        check(places.iter().all(|&place| (place as usize) < self.ring.degree), || {
            "places must lie below the degree".into()
        })?;
        Ok(places)
    }

    /// The keys of the gaps gap, gap / 2, ...
    fn keys<'py>(&self, keys: &[Bound<'py, PyAny>], gap: usize) -> PyResult<Vec<Words<'py, 4>>> {
        let whole = [Some(LIMBS), Some(2), Some(PRIMES), Some(self.ring.degree)];
        if let Some(levels) = keys.len().checked_sub(1) {
            self.gap(gap)?;
            check(gap.checked_shr(levels as u32).is_some_and(|last| last >= 2), || {
                format!("{} keys are too many for a gap of {gap}", keys.len())
            })?;
        }
        keys.iter().map(|key| words(key, "keys", whole)).collect()
    }

    /// Secrets of `length` numbers in so many ciphertexts.
    fn spread(&self, groups: usize, length: usize) -> PyResult<Spread> {
        let vectors = (self.ring.degree * groups).checked_div(length).unwrap_or(0);
        Spread::new(self.ring.degree, vectors, length)
            .filter(|spread| spread.groups() == groups)
            .ok_or_else(|| {
                refuse(format!("{groups} ciphertexts do not hold secrets of {length} numbers"))
            })
    }

    /// Whether wanted coefficients so far apart can be brought nearer.
    fn gap(&self, gap: usize) -> PyResult<usize> {
        check(gap.is_power_of_two() && (2..=self.ring.degree).contains(&gap), || {
            format!("gap must be a power of two from 2 to the degree, not {gap}")
        })?;
        Ok(gap)
    }
}

#[pymethods]
impl BfvRing {
    #[new]
    #[allow(clippy::needless_pass_by_value, reason = "pyo3 extracts a vector")]
    fn new(degree: usize, primes: Vec<u64>) -> PyResult<BfvRing> {
        let ring = Ring::new(degree, &primes).ok_or_else(|| {
            refuse(format!(
                "primes must be {PRIMES} different primes from 2^49 to 2^50 that are 1 modulo \
                 twice the degree, a power of two from 64 on"
            ))
        })?;
        let space = Mutex::new((Space::new(degree), Vec::new()));
        Ok(BfvRing { ring, space })
    }

    /// The instruction set in use.
    fn engine(&self) -> &'static str {
        self.ring.engine.name()
    }

    /// The transform of (count, N) words modulo one of the primes, or back.
    fn transform<'py>(
        &self,
        py: Python<'py>,
        values: &Bound<'py, PyAny>,
        prime: usize,
        back: bool,
    ) -> PyResult<Array<'py, u64, 2>> {
        let values = words(values, "values", [None, Some(self.ring.degree)])?;
        check(prime < PRIMES, || format!("prime must lie below {PRIMES}, not be {prime}"))?;
        let (count, values) = (values.as_array().nrows(), slice(&values, "values")?);
        let table = &self.ring.tables[prime];
        check(values.iter().all(|&word| word < table.p), || "values must be reduced".into())?;
        filled(py, [count, self.ring.degree], |out| {
            out.copy_from_slice(values);
            for polynomial in out.chunks_exact_mut(self.ring.degree) {
                if back {
                    ntt::inverse(self.ring.engine, table, polynomial);
                } else {
                    ntt::forward(self.ring.engine, table, polynomial);
                }
            }
        })
    }

    /// round(q a / 2^64) of words (count, N) modulo each prime of q: (count, 3, N).
    fn encode<'py>(
        &self,
        py: Python<'py>,
        values: &Bound<'py, PyAny>,
    ) -> PyResult<Array<'py, u64, 3>> {
        let n = self.ring.degree;
        let values = words(values, "values", [None, Some(n)])?;
        let (count, values) = (values.as_array().nrows(), slice(&values, "values")?);
        filled(py, [count, LIMBS, n], |out| {
            for (out, values) in out.chunks_exact_mut(LIMBS * n).zip(values.chunks_exact(n)) {
                for (j, &word) in values.iter().enumerate() {
                    for (limb, code) in self.ring.encode(word).into_iter().enumerate() {
                        out[limb * n + j] = code;
                    }
                }
            }
        })
    }

    /// c0 of encryptions of vectors (count, length), as (count, N width) bytes.
    #[allow(clippy::too_many_arguments, reason = "the arguments of one encryption")]
    fn encrypt<'py>(
        &self,
        py: Python<'py>,
        secret: &[u8],
        public: &[u8],
        private: &[u8],
        first: u64,
        values: &Bound<'py, PyAny>,
        width: usize,
    ) -> PyResult<Array<'py, u8, 2>> {
        let secret = bytes(secret, "secret")?;
        let (public, private) = (stream(public, "public")?, stream(private, "private")?);
        let values = matrix::<u64>(values, "values")?;
        let (count, length) = shape(&values);
        check((1..=self.ring.degree).contains(&length), || {
            format!("values must have 1 to {} columns, not {length}", self.ring.degree)
        })?;
        let (values, width) = (slice(&values, "values")?, fraction_bytes(width)?);
        filled(py, [count, self.ring.degree * width], |out| {
            let secret = Secret::new(&self.ring, &secret);
            let at = (&public, &private, first);
            let code = |i: usize, codes: &mut [u64]| {
                bfv::words_code(&self.ring, &values[i * length..(i + 1) * length], codes);
            };
            bfv::encrypt(&self.ring, &secret, at, code, (out, width));
        })
    }

    /// c0 of encryptions of short secrets first..first + count of a stream, ternary of `length`
    /// coefficients each, modulo 2^bits: (count length / N, N width) bytes.
    #[allow(clippy::too_many_arguments, reason = "the arguments of one encryption")]
    fn encrypt_shorts<'py>(
        &self,
        py: Python<'py>,
        keys: (Vec<u8>, Vec<u8>, Vec<u8>),
        number: u64,
        shorts: &[u8],
        vectors: (u64, usize),
        length: usize,
        bits: u32,
        width: usize,
    ) -> PyResult<Array<'py, u8, 2>> {
        let n = self.ring.degree;
        let secret = bytes(&keys.0, "secret")?;
        let (public, private) = (stream(&keys.1, "public")?, stream(&keys.2, "private")?);
        let shorts = stream(shorts, "shorts")?;
        let (first, count) = vectors;
        let fits = count.is_power_of_two() && length.is_power_of_two() && count <= n;
        check(fits && (n / count..=n).contains(&length), || {
            format!("{count} vectors of {length} numbers do not fill whole ciphertexts")
        })?;
        let (bits, width) = (number_bits(bits)?, fraction_bytes(width)?);
        filled(py, [count * length / n, n * width], |out| {
            let secret = Secret::new(&self.ring, &secret);
            let all: Vec<i64> =
                (0..count as u64).flat_map(|v| ternary(&shorts, first + v, length)).collect();
            let at = (&public, &private, number);
            let code = |group: usize, codes: &mut [u64]| {
                bfv::shorts_code(&self.ring, (&all, length), (group, bits), codes);
            };
            bfv::encrypt(&self.ring, &secret, at, code, (out, width));
        })
    }

    /// The transformed ciphertexts (count, 2, 3, N) of received bytes (count, N width).
    fn expand<'py>(
        &self,
        py: Python<'py>,
        public: &[u8],
        first: u64,
        wire: &Bound<'py, PyAny>,
    ) -> PyResult<Array<'py, u64, 4>> {
        let public = stream(public, "public")?;
        let wire = matrix::<u8>(wire, "wire")?;
        let (count, length) = shape(&wire);
        let (n, wire) = (self.ring.degree, slice(&wire, "wire")?);
        let width = fraction_bytes(length / n)?;
        check(length == n * width, || format!("wire has {length} columns, not a multiple of {n}"))?;
        filled(py, [count, 2, LIMBS, n], |out| {
            bfv::expand(&self.ring, (&public, first), (wire, width), out);
        })
    }

    /// Transformed ciphertexts (groups, 2, 3, N) of V short secrets, V = N groups / length, made
    /// ready for `products`.
    fn prepare<'py>(
        &self,
        py: Python<'py>,
        ciphertexts: &Bound<'py, PyAny>,
        length: usize,
    ) -> PyResult<Array<'py, u64, 1>> {
        let wanted = [None, Some(2), Some(LIMBS), Some(self.ring.degree)];
        let ciphertexts = words(ciphertexts, "ciphertexts", wanted)?;
        let spread = self.spread(ciphertexts.as_array().dim().0, length)?;
        let ciphertexts = slice(&ciphertexts, "ciphertexts")?;
        filled(py, [spread.words()], |out| {
            bfv_products::prepare(&self.ring, spread, ciphertexts, out);
        })
    }

    /// Leaves of columns of W, (columns, length) modulo 2^bits: prepared ciphertexts of `groups`
    /// times column, divided by 2^halvings. Every 2^keys leaves are merged into one result:
    /// (results, 2, 3, N).
    #[allow(clippy::too_many_arguments, reason = "the arguments of one product")]
    fn products<'py>(
        &self,
        py: Python<'py>,
        prepared: &Bound<'py, PyAny>,
        groups: usize,
        matrix: &Bound<'py, PyAny>,
        bits: u32,
        halvings: u32,
        keys: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<Array<'py, u64, 4>> {
        let n = self.ring.degree;
        let matrix = words(matrix, "matrix", [None, None])?;
        let (leaves, length) = matrix.as_array().dim();
        let spread = self.spread(groups, length)?;
        let prepared = vector::<u64>(prepared, "prepared")?;
        let prepared = slice(&prepared, "prepared")?;
        check(prepared.len() == spread.words(), || {
            format!("prepared must have {} words, not {}", spread.words(), prepared.len())
        })?;
        let keys = self.keys(&keys, spread.distance())?;
        let keys: Vec<&[u64]> =
            keys.iter().map(|key| slice(key, "keys")).collect::<PyResult<_>>()?;
        let columns = Columns { words: slice(&matrix, "matrix")?, bits: number_bits(bits)? };
        let (size, run) = (2 * LIMBS * n, 1 << keys.len());
        filled(py, [leaves.div_ceil(run), 2, LIMBS, n], |out| {
            let mut held = self.space.lock().unwrap_or_else(PoisonError::into_inner);
            let (space, scratch) = &mut *held;
            scratch.resize(scratch.len().max(leaves * size), 0);
            let scratch = &mut scratch[..leaves * size];
            bfv_products::products(&self.ring, spread, prepared, columns, halvings, scratch);
            let runs = scratch.chunks_mut(run * size).zip(out.chunks_exact_mut(size));
            for (leaves, out) in runs {
                bfv_merge::merge_all(&self.ring, &keys, spread.distance(), leaves, space);
                out.copy_from_slice(&leaves[..size]);
            }
        })
    }

    /// The sent half of a key for merging, (3, 4, N).
    fn switching_key<'py>(
        &self,
        py: Python<'py>,
        secret: &[u8],
        public: &[u8],
        private: &[u8],
        number: u64,
        gap: usize,
    ) -> PyResult<Array<'py, u64, 3>> {
        let secret = bytes(secret, "secret")?;
        let (public, private) = (stream(public, "public")?, stream(private, "private")?);
        let gap = self.gap(gap)?;
        filled(py, [LIMBS, PRIMES, self.ring.degree], |out| {
            let secret = Secret::new(&self.ring, &secret);
            let at = (&public, &private, number);
            bfv_merge::switching_key(&self.ring, &secret, at, gap, out);
        })
    }

    /// Both halves of a key for merging, (3, 2, 4, N).
    fn whole_key<'py>(
        &self,
        py: Python<'py>,
        public: &[u8],
        number: u64,
        sent: &Bound<'py, PyAny>,
    ) -> PyResult<Array<'py, u64, 4>> {
        let n = self.ring.degree;
        let public = stream(public, "public")?;
        let sent = words(sent, "sent", [Some(LIMBS), Some(PRIMES), Some(n)])?;
        let sent = slice(&sent, "sent")?;
        let reduced = sent
            .chunks_exact(n)
            .enumerate()
            .all(|(i, words)| words.iter().all(|&word| word < self.ring.p(i % PRIMES)));
        check(reduced, || "sent must be reduced modulo the primes".into())?;
        filled(py, [LIMBS, 2, PRIMES, n], |out| {
            bfv_merge::whole_key(&self.ring, (&public, number), sent, out);
        })
    }

    /// Merges leaves (count, 2, 3, N), count <= 2^keys, into one result (2, 3, N); key i, of
    /// shape (3, 2, 4, N), is that of gap / 2^i.
    fn merge<'py>(
        &self,
        py: Python<'py>,
        keys: Vec<Bound<'py, PyAny>>,
        gap: usize,
        leaves: &Bound<'py, PyAny>,
    ) -> PyResult<Array<'py, u64, 3>> {
        let n = self.ring.degree;
        let keys = self.keys(&keys, gap)?;
        let keys: Vec<&[u64]> =
            keys.iter().map(|key| slice(key, "keys")).collect::<PyResult<_>>()?;
        let leaves = words(leaves, "leaves", [None, Some(2), Some(LIMBS), Some(n)])?;
        let count = leaves.as_array().dim().0;
        check((1..=1 << keys.len()).contains(&count), || {
            format!("{} keys merge at most {} leaves", keys.len(), 1 << keys.len())
        })?;
        let leaves = slice(&leaves, "leaves")?;
        filled(py, [2, LIMBS, n], |out| {
            let mut held = self.space.lock().unwrap_or_else(PoisonError::into_inner);
            let mut leaves = leaves.to_vec();
            bfv_merge::merge_all(&self.ring, &keys, gap, &mut leaves, &mut held.0);
            out.copy_from_slice(&leaves[..out.len()]);
        })
    }

    /// A result made fit to leave: c1 (N width), c0 (places width) bytes and the own share
    /// modulo 2^bits, (places,).
    #[allow(clippy::too_many_arguments, clippy::type_complexity, reason = "one step's")]
    fn finish<'py>(
        &self,
        py: Python<'py>,
        public_key: &Bound<'py, PyAny>,
        private: &[u8],
        masks: &[u8],
        number: u64,
        result: &Bound<'py, PyAny>,
        places: &Bound<'py, PyAny>,
        width: usize,
        bits: u32,
    ) -> PyResult<(Array<'py, u8, 1>, Array<'py, u8, 1>, Array<'py, u64, 1>)> {
        let n = self.ring.degree;
        let wanted = [Some(2), Some(LIMBS), Some(n)];
        let public_key = words(public_key, "public_key", wanted)?;
        let result = words(result, "result", wanted)?;
        let (private, masks) = (stream(private, "private")?, stream(masks, "masks")?);
        let places = vector::<u32>(places, "places")?;
        let (places, width) = (self.places(&places)?, fraction_bytes(width)?);
        let (public_key, result) = (slice(&public_key, "public_key")?, slice(&result, "result")?);
        let c1 = PyArray::zeros(py, [n * width], false);
        let c0 = PyArray::zeros(py, [places.len() * width], false);
        let bits = number_bits(bits)?;
        let shares = PyArray::zeros(py, [places.len()], false);
        {
            let failed = |error: numpy::BorrowError| refuse(error.to_string());
            let mut held = (
                c1.try_readwrite().map_err(failed)?,
                c0.try_readwrite().map_err(failed)?,
                shares.try_readwrite().map_err(failed)?,
            );
            let leaving = Leaving {
                c1: held.0.as_slice_mut().map_err(|error| refuse(error.to_string()))?,
                c0: held.1.as_slice_mut().map_err(|error| refuse(error.to_string()))?,
                shares: held.2.as_slice_mut().map_err(|error| refuse(error.to_string()))?,
                width,
                bits,
            };
            py.detach(|| {
                let streams = (&private, &masks, number);
                bfv::finish(&self.ring, public_key, streams, (result, places), leaving);
            });
        }
        Ok((c1, c0, shares))
    }

    /// The numbers modulo 2^bits at the places of a received result.
    fn decrypt<'py>(
        &self,
        py: Python<'py>,
        secret: &[u8],
        c1: &Bound<'py, PyAny>,
        c0: &Bound<'py, PyAny>,
        places: &Bound<'py, PyAny>,
        bits: u32,
    ) -> PyResult<Array<'py, u64, 1>> {
        let secret = bytes(secret, "secret")?;
        let (c1, c0) = (vector::<u8>(c1, "c1")?, vector::<u8>(c0, "c0")?);
        let (c1, c0) = (slice(&c1, "c1")?, slice(&c0, "c0")?);
        let places = vector::<u32>(places, "places")?;
        let places = self.places(&places)?;
        let width = fraction_bytes(c1.len() / self.ring.degree)?;
        check(c1.len() == self.ring.degree * width && c0.len() == places.len() * width, || {
            format!("c1 and c0 must hold fractions of {width} bytes each")
        })?;
        let bits = number_bits(bits)?;
        filled(py, [places.len()], |out| {
            let secret = Secret::new(&self.ring, &secret);
            bfv::decrypt(&self.ring, &secret, (c1, c0, width), (places, bits), out);
        })
    }
}
