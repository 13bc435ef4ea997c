//! The local halves of a multiplication with Beaver triples (Beaver, CRYPTO 1991).

use crate::path::dispatched;

/// This party's four arrays of one multiplication, of equal length: its shares of both
/// factors and the first two pieces of its triple.
#[derive(Clone, Copy)]
pub struct Masked<'a> {
    /// Share of the first factor.
    pub x: &'a [u64],
    /// Share of the second factor.
    pub y: &'a [u64],
    /// Share of the first mask.
    pub a: &'a [u64],
    /// Share of the second mask.
    pub b: &'a [u64],
}

/// What a party holds when both masked factors have been opened; equal lengths.
#[derive(Clone, Copy)]
pub struct Opened<'a> {
    /// The first masked factor, public.
    pub d: &'a [u64],
    /// The second masked factor, public.
    pub e: &'a [u64],
    /// Share of the first mask.
    pub a: &'a [u64],
    /// Share of the second mask.
    pub b: &'a [u64],
    /// Share of the masks' product.
    pub c: &'a [u64],
}

#[inline(always)]
fn open_body(masked: Masked<'_>, out: &mut [u64], combine: impl Fn(u64, u64) -> u64) {
    let (first, second) = out.split_at_mut(masked.x.len());
    for ((out, &x), &a) in first.iter_mut().zip(masked.x).zip(masked.a) {
        *out = combine(x, a);
    }
    for ((out, &y), &b) in second.iter_mut().zip(masked.y).zip(masked.b) {
        *out = combine(y, b);
    }
}

#[inline(always)]
fn triple_open_body(masked: Masked<'_>, out: &mut [u64]) {
    open_body(masked, out, u64::wrapping_sub);
}

#[inline(always)]
fn and_open_body(masked: Masked<'_>, out: &mut [u64]) {
    open_body(masked, out, |x, a| x ^ a);
}

#[inline(always)]
fn triple_close_body(opened: Opened<'_>, adds_public: bool, out: &mut [u64]) {
    let Opened { d, e, a, b, c } = opened;
    let once = u64::from(adds_public);
    for ((((out, (&d, &e)), &a), &b), &c) in
        out.iter_mut().zip(d.iter().zip(e)).zip(a).zip(b).zip(c)
    {
        let b = b.wrapping_add(e.wrapping_mul(once));
        *out = c.wrapping_add(d.wrapping_mul(b)).wrapping_add(e.wrapping_mul(a));
    }
}

#[inline(always)]
fn and_close_body(opened: Opened<'_>, adds_public: bool, out: &mut [u64]) {
    let Opened { d, e, a, b, c } = opened;
    let once = u64::from(adds_public).wrapping_neg();
    for ((((out, (&d, &e)), &a), &b), &c) in
        out.iter_mut().zip(d.iter().zip(e)).zip(a).zip(b).zip(c)
    {
        *out = c ^ (d & (b ^ (e & once))) ^ (e & a);
    }
}

dispatched! {
    /// x - a, then y - b: the shares to open.
    pub fn triple_open = triple_open_body(masked: Masked<'_>, out: &mut [u64]);
}

dispatched! {
    /// x ^ a, then y ^ b: the shares to open.
    pub fn and_open = and_open_body(masked: Masked<'_>, out: &mut [u64]);
}

dispatched! {
    /// c + d b + e a, and d e where this party adds the public part.
    pub fn triple_close = triple_close_body(opened: Opened<'_>, adds_public: bool, out: &mut [u64]);
}

dispatched! {
    /// c ^ d & b ^ e & a, and d & e where this party adds the public part.
    pub fn and_close = and_close_body(opened: Opened<'_>, adds_public: bool, out: &mut [u64]);
}
